/** Questions about everything that goes on on the site. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from './errors.ts'
import { and, compare, guid, or } from './filter.ts'
import { toCount, toExecutionResult, toTask } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import type { QrsExecutionResult, SiteReader } from './types.ts'

/** No site is known to cut lists shorter than this. */
const SUSPICIOUS_LENGTH = 50
const IDS_PER_REQUEST = 30
/** A list that is cut even for so short a time is taken as it is. */
const SHORTEST_MS = 20

export function createSiteReader({ transport, log }: { transport: QrsTransport; log: Logger }): SiteReader {
  async function list(path: string, filter: string, signal?: AbortSignal): Promise<readonly unknown[]> {
    const request = { path, query: { filter }, signal }
    const { value } = await transport.json(request)
    if (!Array.isArray(value)) throw transport.unusable(request, 'a list was expected')
    return value
  }

  /** Servers that cannot count are believed. */
  async function isCut(length: number, filter: string, signal?: AbortSignal): Promise<boolean> {
    if (length < SUSPICIOUS_LENGTH) return false
    try {
      const count = toCount((await transport.json({ path: 'executionresult/count', query: { filter }, signal })).value)
      return count !== null && count > length
    } catch (error) {
      if (!(error instanceof QrsError) || !['status', 'shape', 'notJson'].includes(error.kind)) throw error
      log.verbose(`QRS: cannot check whether a list of ${length} execution results is complete`)
      return false
    }
  }

  /** A list that the site cuts is asked for in two halves. */
  async function endedBetween(from: number, to: number, signal?: AbortSignal): Promise<readonly QrsExecutionResult[]> {
    const filter = and(
      compare('stopTime', 'ge', new Date(from).toISOString()),
      compare('stopTime', 'lt', new Date(to).toISOString()),
    )
    const found = (await list('executionresult/full', filter, signal)).flatMap((one) => toExecutionResult(one) ?? [])
    if (to - from <= SHORTEST_MS || !(await isCut(found.length, filter, signal))) return found
    const middle = Math.floor((from + to) / 2)
    return [...(await endedBetween(from, middle, signal)), ...(await endedBetween(middle, to, signal))]
  }

  return {
    resultsEndedBetween: endedBetween,
    async tasksById(taskIds, signal) {
      const wanted = [...new Set(taskIds.filter(isGuid).map((id) => id.toLowerCase()))]
      const tasks: unknown[] = []
      for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
        const filter = or(...wanted.slice(from, from + IDS_PER_REQUEST).map((id) => guid('id', id)))
        tasks.push(...(await list('task/full', filter, signal)))
      }
      return tasks.flatMap((task) => toTask(task) ?? [])
    },
  }
}
