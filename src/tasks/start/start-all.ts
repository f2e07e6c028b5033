/** Starts in QRS: a single one, and the tasks of one request without a limit. */
import { QrsError } from '../../qlik/qrs/errors.ts'
import { isDown, isLost, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { TaskResult } from './types.ts'

interface StartAllDeps {
  readonly qrs: QrsClient
  /** Tasks that this request has started already. */
  readonly done: ReadonlyMap<string, string | null>
  /** Called before each start; the task is not started when it rejects. */
  readonly onStarting?: ((task: QrsTask) => Promise<void>) | undefined
  /** Called after each start; the task counts as failed when it rejects. */
  readonly onStarted: (task: QrsTask, executionId: string | null) => Promise<void>
}

/** Starts under way at the same time, per request. */
const CONCURRENCY = 4

/** One result per task, in order. Once QRS is lost the remaining tasks are not tried. */
export async function startAll(
  deps: StartAllDeps,
  tasks: readonly QrsTask[],
): Promise<{ results: readonly TaskResult[]; interrupted: boolean }> {
  const results: TaskResult[] = []
  let next = 0
  let lost: string | null = null

  async function attempt(task: QrsTask): Promise<TaskResult> {
    const executionId = deps.done.get(task.id)
    if (executionId !== undefined) return { executionId }
    if (lost !== null) return { error: `not tried, because QRS was lost: ${lost}`, passing: true }
    try {
      await deps.onStarting?.(task)
      const { cause, ...result } = await startOne(deps.qrs, task)
      if ('error' in result) {
        if (isLost(cause)) lost ??= result.error
        return result
      }
      await deps.onStarted(task, result.executionId)
      return result
    } catch (error) {
      return { error: reasonOf(error) }
    }
  }

  async function work(): Promise<void> {
    for (let index = next++; index < tasks.length; index = next++) results[index] = await attempt(tasks[index]!)
  }

  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, tasks.length) }, work))
  return { results, interrupted: lost !== null }
}

/** With `cause` QRS gave no answer, or an error: whether the task was started is not known. */
type StartAttempt = TaskResult & { readonly cause?: unknown }

/** Never rejects and never tries twice. */
export async function startOne(qrs: QrsClient, task: QrsTask): Promise<StartAttempt> {
  // The asynchronous form of older servers would report a disabled task as started.
  if (task.enabled === false) return { error: 'The task is disabled' }
  try {
    const result = await qrs.startTask(task.id)
    return result.started ? { executionId: result.executionId } : { error: result.reason }
  } catch (cause) {
    return { error: reasonOf(cause), cause, ...(isPassing(cause) && { passing: true }) }
  }
}

const isPassing = (cause: unknown): boolean =>
  isDown(cause) || (cause instanceof QrsError && (cause.status ?? 0) >= 500)
