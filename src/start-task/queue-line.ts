/** Who waits in the start queue, in order, and who may go next. */
import type { QueueEntry } from './queue-store.ts'
import type { TaskResult } from './types.ts'

/** An entry in memory. */
export interface Waiting {
  entry: QueueEntry
  /** Its task is just being started, or it is just being added or removed. */
  busy: boolean
  result: TaskResult | null
  readonly settled: Promise<TaskResult>
  readonly resolve: (result: TaskResult) => void
}

export interface QueueLine {
  readonly size: number
  add(entry: QueueEntry): Waiting
  remove(one: Waiting): void
  byId(id: string): Waiting | undefined
  byTask(taskId: string): Waiting | undefined
  all(): readonly Waiting[]
  /** The first that the limits let go; `open` = tasks that were started and still run. */
  next(open: readonly { readonly request: string }[], maxConcurrent: number): Waiting | undefined
}

export function createQueueLine(): QueueLine {
  const waiting = new Map<string, Waiting>()
  const byTask = new Map<string, Waiting>()

  return {
    get size() {
      return waiting.size
    },
    add(entry) {
      const { promise: settled, resolve } = Promise.withResolvers<TaskResult>()
      const one: Waiting = { entry, busy: false, result: null, settled, resolve }
      waiting.set(entry.id, one)
      byTask.set(entry.taskId.toLowerCase(), one)
      return one
    },
    remove({ entry }) {
      waiting.delete(entry.id)
      byTask.delete(entry.taskId.toLowerCase())
    },
    byId: (id) => waiting.get(id.toLowerCase()),
    byTask: (taskId) => byTask.get(taskId.toLowerCase()),
    all: () => [...waiting.values()],
    next(open, maxConcurrent) {
      const starting = [...waiting.values()].filter(({ busy }) => busy).map(({ entry }) => entry)
      if (maxConcurrent > 0 && open.length + starting.length >= maxConcurrent) return undefined
      const running = new Map<string, number>()
      for (const { request } of [...open, ...starting]) running.set(request, (running.get(request) ?? 0) + 1)
      for (const one of waiting.values()) {
        const { request, requestLimit } = one.entry
        if (!one.busy && (requestLimit === null || (running.get(request) ?? 0) < requestLimit)) return one
      }
      return undefined
    },
  }
}
