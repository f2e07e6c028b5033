/** Executions and tasks of the whole site, read many at once. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { countOrNull, taskBatches, taskRows } from './complete-list.ts'
import { QrsError } from './errors.ts'
import { and, compare, guid, or } from './filter.ts'
import { parseJson, toApp, toCount, toExecutionResult, toSession, toTask } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import { type ExecutionReader, NEVER, type QrsExecutionResult, type QrsTask, type SiteReader } from './types.ts'

/** About 4 KB of URL; servers take 16. */
export const IDS_PER_REQUEST = 50
/** No site is known to cut lists shorter than this. */
const SUSPICIOUS_LENGTH = 50
/** A list that is cut even for so short a time is taken as it is. */
const SHORTEST_MS = 20

export function createExecutionReader(deps: { transport: QrsTransport; log: Logger }): ExecutionReader {
  const { transport } = deps

  /** Ids that are none belong to nothing. */
  async function resultsBy(path: string, ids: readonly string[], signal?: AbortSignal) {
    const wanted = [...new Set(ids.filter(isGuid).map((id) => id.toLowerCase()))]
    const found: QrsExecutionResult[] = []
    for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
      const filter = or(...wanted.slice(from, from + IDS_PER_REQUEST).map((id) => guid(path, id)))
      const results = await transport.list({ path: 'executionresult/full', query: { filter }, signal })
      found.push(...results.flatMap((result) => toExecutionResult(result) ?? []))
    }
    return found.sort(byStartTime)
  }

  async function* batches(
    signal?: AbortSignal,
    isWanted?: (taskId: string) => boolean,
  ): AsyncGenerator<readonly QrsTask[]> {
    for await (const batch of taskBatches(deps, signal, isWanted)) yield batch.flatMap((task) => toTask(task) ?? [])
  }

  return {
    async allTasks(signal) {
      const all: QrsTask[] = []
      for await (const batch of batches(signal)) all.push(...batch)
      return all
    },
    taskBatches: batches,
    taskCount: (signal) => countOrNull(deps, null, signal),
    async taskKeys(filter, withApp, signal) {
      const paths = withApp ? (['id', 'name', 'app.name', 'app.stream.name'] as const) : (['id', 'name'] as const)
      const rows = await taskRows(transport, { entity: withApp ? 'ReloadTask' : 'Task', paths }, filter, signal)
      return rows.map(([id, name = '', app, stream]) => ({ id, name, ...(withApp && { app, stream }) }))
    },
    resultsOfExecutions: (executionIds, signal) => resultsBy('executionID', executionIds, signal),
    resultsById: (resultIds, signal) => resultsBy('id', resultIds, signal),
    async executionSession(executionId, signal) {
      if (!isGuid(executionId)) return null
      const request = { path: `executionsession/${executionId}`, expected: [200, 404], signal }
      const response = await transport.request(request)
      if (response.status === 404) return null
      const session = toSession(parseJson(response.text()))
      if (!session) throw transport.unusable(request, 'a session was expected')
      return session
    },
  }
}

/** Attempts that have not begun yet are the newest. */
export function byStartTime(a: QrsExecutionResult, b: QrsExecutionResult): number {
  const order = (result: QrsExecutionResult) =>
    result.startTime.startsWith(NEVER.slice(0, 4)) ? '9' : result.startTime
  return order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0
}

export function createSiteReader({ transport, log }: { transport: QrsTransport; log: Logger }): SiteReader {
  /** Whether the site has cut a list; false from a server that cannot count. */
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
    const results = await transport.list({ path: 'executionresult/full', query: { filter }, signal })
    const found = results.flatMap((one) => toExecutionResult(one) ?? [])
    if (to - from <= SHORTEST_MS || !(await isCut(found.length, filter, signal))) return found
    const middle = Math.floor((from + to) / 2)
    return [...(await endedBetween(from, middle, signal)), ...(await endedBetween(middle, to, signal))]
  }

  async function byIds(path: string, ids: readonly string[], signal?: AbortSignal): Promise<unknown[]> {
    const wanted = [...new Set(ids.filter(isGuid).map((id) => id.toLowerCase()))]
    const found: unknown[] = []
    for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
      const filter = or(...wanted.slice(from, from + IDS_PER_REQUEST).map((id) => guid('id', id)))
      found.push(...(await transport.list({ path, query: { filter }, signal })))
    }
    return found
  }

  return {
    resultsEndedBetween: endedBetween,
    tasksById: async (ids, signal) => (await byIds('task/full', ids, signal)).flatMap((task) => toTask(task) ?? []),
    appsById: async (ids, signal) => (await byIds('app/full', ids, signal)).flatMap((app) => toApp(app) ?? []),
  }
}
