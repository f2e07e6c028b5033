/** The repository client: every question that Footman asks QRS about tasks, apps, users and executions. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { completeTaskList } from './complete-list.ts'
import { guid } from './filter.ts'
import { toApp, toExecutionResult, toOwner, toTask } from './normalise.ts'
import { createScriptLogFetcher } from './script-log.ts'
import { startTask } from './start-task.ts'
import { createQrsTransport, type QrsSettings, type QrsTransport } from './transport.ts'
import { NEVER, type QrsClient, type QrsExecutionResult } from './types.ts'

/** `transport` may be shared with callers that need other endpoints; without it the client makes and owns one. */
export function createQrsClient(deps: { log: Logger; transport?: QrsTransport }, settings: QrsSettings): QrsClient {
  const log = deps.log.child('qrs')
  const transport = deps.transport ?? createQrsTransport({ log }, settings)

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

  return {
    taskById: async (taskId, signal) => toTask(await byId('task/full', taskId, signal)),
    async tasks(filter, signal) {
      return (await completeTaskList({ transport, log }, filter, signal)).flatMap((task) => toTask(task) ?? [])
    },
    appById: async (appId, signal) => toApp(await byId('app/full', appId, signal)),
    async owner(userId, signal) {
      if (!isGuid(userId)) return null
      const path = `user/${userId}`
      const response = await transport.request({ path, expected: [200, 404], signal })
      if (response.status === 404) return null
      const owner = toOwner(parse(response.text()))
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

/** Attempts that have not begun yet are the newest. */
function byStartTime(a: QrsExecutionResult, b: QrsExecutionResult): number {
  const order = (result: QrsExecutionResult) =>
    result.startTime.startsWith(NEVER.slice(0, 4)) ? '9' : result.startTime
  return order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
