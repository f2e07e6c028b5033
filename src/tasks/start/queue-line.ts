/** Who waits in the start queue, in order, and who may go next. */
import type { QueueEntry } from './queue-store.ts'
import type { TaskResult } from './types.ts'

/** An entry in memory. */
export interface Waiting {
  entry: QueueEntry
  result: TaskResult | null
  readonly settled: Promise<TaskResult>
  readonly resolve: (result: TaskResult) => void
}

export interface QueueLine {
  readonly size: number
  add(entry: QueueEntry): Waiting
  remove(one: Waiting): void
  /** Its task is just being started, or it is just being added or removed: nobody else may take it. */
  hold(one: Waiting): void
  release(one: Waiting): void
  isHeld(one: Waiting): boolean
  byId(id: string): Waiting | undefined
  byTask(taskId: string): Waiting | undefined
  all(): readonly Waiting[]
  /** The first that the limits let go; `open` = tasks that were started and still run. */
  next(open: readonly { readonly request: string }[], maxConcurrent: number): Waiting | undefined
}

export function createQueueLine(): QueueLine {
  const waiting = new Map<string, Waiting>()
  const byTask = new Map<string, Waiting>()
  const held = new Set<Waiting>()

  return {
    get size() {
      return waiting.size
    },
    add(entry) {
      const { promise: settled, resolve } = Promise.withResolvers<TaskResult>()
      const one: Waiting = { entry, result: null, settled, resolve }
      waiting.set(entry.id, one)
      byTask.set(entry.taskId.toLowerCase(), one)
      return one
    },
    remove(one) {
      waiting.delete(one.entry.id)
      byTask.delete(one.entry.taskId.toLowerCase())
      held.delete(one)
    },
    hold: (one) => void held.add(one),
    release: (one) => void held.delete(one),
    isHeld: (one) => held.has(one),
    byId: (id) => waiting.get(id.toLowerCase()),
    byTask: (taskId) => byTask.get(taskId.toLowerCase()),
    all: () => [...waiting.values()],
    next(open, maxConcurrent) {
      if (maxConcurrent > 0 && open.length + held.size >= maxConcurrent) return undefined
      const running = new Map<string, number>()
      const count = ({ request }: { readonly request: string }) => running.set(request, (running.get(request) ?? 0) + 1)
      for (const one of open) count(one)
      for (const one of held) count(one.entry)
      for (const one of waiting.values()) {
        const { request, requestLimit } = one.entry
        if (!held.has(one) && (requestLimit === null || (running.get(request) ?? 0) < requestLimit)) return one
      }
      return undefined
    },
  }
}
