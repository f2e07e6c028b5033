/** One start in QRS and what it means. */
import { QrsError } from '../../qlik/qrs/errors.ts'
import { isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { TaskResult } from './types.ts'

/** With `cause` QRS gave no answer, or an error: whether the task was started is not known. */
export type StartAttempt = TaskResult & { readonly cause?: unknown }

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
