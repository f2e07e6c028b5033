/** The repository client: every question that Footman asks QRS about tasks, apps, users and executions. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { createChainReader } from './chains.ts'
import { completeTaskIds, completeTaskList } from './complete-list.ts'
import { QrsError } from './errors.ts'
import { byStartTime, createExecutionReader } from './executions.ts'
import { guid, or } from './filter.ts'
import { parseJson, toApp, toExecutionResult, toOwner, toTask } from './normalise.ts'
import { createCustomPropertyReader } from './property-definitions.ts'
import { createScriptLogFetcher } from './script-log.ts'
import { createSiteReader } from './site.ts'
import { startTask } from './start-task.ts'
import { createQrsTransport, type QrsObserver, type QrsSettings, type QrsTransport } from './transport.ts'
import type { ChainReader, CustomPropertyReader, ExecutionReader, QrsClient, SiteReader } from './types.ts'

/** About 3 KB of URL; servers take 16. */
const IDS_PER_REQUEST = 50

/** `transport` may be shared with callers that need other endpoints; without it the client makes and owns one. */
export function createQrsClient(
  deps: { log: Logger; transport?: QrsTransport; observe?: QrsObserver },
  settings: QrsSettings,
): QrsClient & ExecutionReader & SiteReader & ChainReader & CustomPropertyReader {
  const log = deps.log.child('qrs')
  const transport =
    deps.transport ?? createQrsTransport({ log, ...(deps.observe && { observe: deps.observe }) }, settings)

  async function list(path: string, filter: string, signal?: AbortSignal): Promise<readonly unknown[]> {
    const request = { path, query: { filter }, signal }
    const { value } = await transport.json(request)
    if (!Array.isArray(value)) throw transport.unusable(request, 'a list was expected')
    return value
  }

  /** The first element of a list filtered by id; ids that are none belong to nothing. */
  async function byId(path: string, id: string, signal?: AbortSignal): Promise<unknown> {
    return isGuid(id) ? (await list(path, guid('id', id), signal))[0] : undefined
  }

  /** A server that refuses a filter of many ids is asked for one after the other. */
  async function existing(ids: readonly string[], signal?: AbortSignal): Promise<readonly unknown[]> {
    try {
      return await list('task', or(...ids.map((id) => guid('id', id))), signal)
    } catch (error) {
      if (ids.length === 1 || !(error instanceof QrsError) || error.status !== 400) throw error
      log.verbose(`QRS: a filter of ${ids.length} ids is refused, asking for each one`)
      const found: unknown[] = []
      for (const id of ids) found.push(...(await list('task', guid('id', id), signal)))
      return found
    }
  }

  return {
    ...createExecutionReader({ transport, log }),
    ...createChainReader({ transport }),
    ...createCustomPropertyReader({ transport }),
    ...createSiteReader({ transport, log }),
    taskById: async (taskId, signal) => toTask(await byId('task/full', taskId, signal)),
    async tasks(filter, signal) {
      return (await completeTaskList({ transport, log }, filter, signal)).flatMap((task) => toTask(task) ?? [])
    },
    async existingTasks(taskIds, signal) {
      const wanted = [...new Set(taskIds.filter(isGuid).map((id) => id.toLowerCase()))]
      const found = new Set<string>()
      for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
        for (const task of await existing(wanted.slice(from, from + IDS_PER_REQUEST), signal)) {
          found.add(String((task as { id?: unknown } | null)?.id).toLowerCase())
        }
      }
      return found
    },
    allTaskIds: (signal) => completeTaskIds(transport, signal),
    appById: async (appId, signal) => toApp(await byId('app/full', appId, signal)),
    async owner(userId, signal) {
      if (!isGuid(userId)) return null
      const path = `user/${userId}`
      const response = await transport.request({ path, expected: [200, 404], signal })
      if (response.status === 404) return null
      const owner = toOwner(parseJson(response.text()))
      if (!owner) throw transport.unusable({ path }, `a user was expected, not ${response.text().slice(0, 100)}`)
      return owner
    },
    async executionResults(executionId, signal) {
      if (!isGuid(executionId)) return []
      const found = await list('executionresult/full', guid('executionID', executionId), signal)
      return found.flatMap((result) => toExecutionResult(result) ?? []).sort(byStartTime)
    },
    scriptLog: createScriptLogFetcher(transport),
    startTask: (taskId, signal) => startTask(transport, taskId, signal),
    async ping(signal) {
      await transport.json({ path: 'about', signal })
    },
    close: transport.close,
  }
}
