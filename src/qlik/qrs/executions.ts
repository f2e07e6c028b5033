/** What QRS knows about executions, asked for many at once. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { countOrNull, taskBatches, taskRows } from './complete-list.ts'
import { guid, or } from './filter.ts'
import { parseJson, toExecutionResult, toSession, toTask } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import { type ExecutionReader, NEVER, type QrsExecutionResult, type QrsTask } from './types.ts'

/** As many as fit into a URL. */
const IDS_PER_REQUEST = 30

export function createExecutionReader(deps: { transport: QrsTransport; log: Logger }): ExecutionReader {
  const { transport } = deps

  /** Ids that are none belong to nothing. */
  async function resultsBy(path: string, ids: readonly string[], signal?: AbortSignal) {
    const wanted = [...new Set(ids.filter(isGuid).map((id) => id.toLowerCase()))]
    const found: QrsExecutionResult[] = []
    for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
      const filter = or(...wanted.slice(from, from + IDS_PER_REQUEST).map((id) => guid(path, id)))
      const request = { path: 'executionresult/full', query: { filter }, signal }
      const { value } = await transport.json(request)
      if (!Array.isArray(value)) throw transport.unusable(request, 'a list was expected')
      found.push(...value.flatMap((result) => toExecutionResult(result) ?? []))
    }
    return found.sort(byStartTime)
  }

  async function* batches(signal?: AbortSignal): AsyncGenerator<readonly QrsTask[]> {
    for await (const batch of taskBatches(deps, signal)) yield batch.flatMap((task) => toTask(task) ?? [])
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
