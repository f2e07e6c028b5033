import type { ExecutionStore, SimExecution } from './types.ts'

/** Execution results by id, session and task; the oldest go when there are more than `limit`. */
export function createExecutionStore(limit = 30_000): ExecutionStore & { clear(): void } {
  const byId = new Map<string, SimExecution>()
  const byExecution = new Map<string, SimExecution[]>()
  const byTask = new Map<string, SimExecution[]>()

  function index(map: Map<string, SimExecution[]>, key: string, execution: SimExecution) {
    const list = map.get(key)
    if (list) list.push(execution)
    else map.set(key, [execution])
  }

  /** The evicted result is the oldest of all, hence the first of its lists. */
  function unindex(map: Map<string, SimExecution[]>, key: string) {
    const list = map.get(key)
    list?.shift()
    if (list?.length === 0) map.delete(key)
  }

  function evictOldest() {
    const oldest = byId.values().next().value
    if (!oldest) return
    byId.delete(oldest.id)
    unindex(byExecution, oldest.executionID)
    unindex(byTask, oldest.taskID)
  }

  return {
    get size() {
      return byId.size
    },
    get: (id) => byId.get(id.toLowerCase()),
    byExecution: (executionId) => byExecution.get(executionId.toLowerCase()) ?? [],
    byTask: (taskId) => byTask.get(taskId.toLowerCase()) ?? [],
    add(execution) {
      byId.set(execution.id, execution)
      index(byExecution, execution.executionID, execution)
      index(byTask, execution.taskID, execution)
      if (byId.size > limit) evictOldest()
    },
    values: () => byId.values(),
    clear() {
      byId.clear()
      byExecution.clear()
      byTask.clear()
    },
  }
}
