/** Starting the tasks of one request without a limit. */
import { isLost, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { startOne } from './start-one.ts'
import type { TaskResult } from './types.ts'

export interface StartAllDeps {
  readonly qrs: QrsClient
  /** Tasks that this request has started already. */
  readonly done: ReadonlyMap<string, string | null>
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
    const { cause, ...result } = await startOne(deps.qrs, task)
    if ('error' in result) {
      if (isLost(cause)) lost ??= result.error
      return result
    }
    try {
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
