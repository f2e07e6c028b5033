/** Starts in QRS: a single one, and the tasks of one request without a limit. */
import { QrsError } from '../../qlik/qrs/errors.ts'
import { isDown, isLost, reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { StartNote } from './notes.ts'
import type { TaskResult } from './types.ts'

interface StartAllDeps {
  readonly qrs: QrsClient & Results
  /** Tasks that this request has started already. */
  readonly done: ReadonlyMap<string, string | null>
  /** Tasks that it has perhaps started, with the id of their last result before, and when QRS was asked where that is known. */
  readonly perhaps?: ReadonlyMap<string, PerhapsStarted> | undefined
  readonly now: () => number
  /** Called before each start; the task is not started when it rejects. */
  readonly onStarting?: ((task: QrsTask) => Promise<void>) | undefined
  /** Called when QRS has refused a start. */
  readonly onRefused?: ((task: QrsTask) => Promise<void>) | undefined
  /** Called after each start; the task counts as failed when it rejects. */
  readonly onStarted: (task: QrsTask, executionId: string | null) => Promise<void>
}

export type PerhapsStarted = Pick<StartNote, 'resultBefore'> & Partial<Pick<StartNote, 'notedAt'>>

/** A start that QRS was asked for shows in the task after so long at most. */
const SHOWS_MS = 15_000

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
      const before = deps.perhaps?.get(task.id)
      const begun = before ? await begunSince(deps.qrs, task, before.resultBefore) : null
      if (begun) {
        await deps.onStarted(task, begun.executionId)
        return begun
      }
      if (before?.notedAt !== undefined && deps.now() - before.notedAt < SHOWS_MS) {
        const result = { error: STILL_OPEN, passing: true, perhaps: true }
        lost ??= result.error
        return result
      }
      await deps.onStarting?.(task)
      const { cause, ...result } = await startOne(deps.qrs, task)
      if ('error' in result) {
        if (isLost(cause)) lost ??= result.error
        if (isRefusal(cause)) await deps.onRefused?.(task)
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

const STILL_OPEN =
  'perhaps started: an earlier attempt has asked Qlik Sense to start it, and got no answer. Repeat the call in 15 seconds to learn whether it runs'

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
    const isOpen = !isRefusal(cause) && (cause as QrsError).kind !== 'status'
    const error = isOpen ? `perhaps started: ${reasonOf(cause)}` : reasonOf(cause)
    return { error, cause, ...(isPassing(cause) && { passing: true }), ...(isOpen && { perhaps: true }) }
  }
}

type Results = Pick<ExecutionReader, 'resultsById'>

/** Id of the last result of a task; '' = none. */
export const lastResultId = (task: QrsTask): string => task.operational?.lastExecutionResult?.id ?? ''

/** The run of a task that began since its last result had this id; null when none did. */
export async function begunSince(
  qrs: Results,
  task: QrsTask,
  resultBefore: string,
): Promise<{ readonly executionId: string | null } | null> {
  const resultId = lastResultId(task)
  if (resultId === resultBefore) return null
  const [result] = await qrs.resultsById([resultId])
  return { executionId: result?.executionID ?? null }
}

/** The task was certainly not started. */
const isRefusal = (cause: unknown): boolean =>
  !(cause instanceof QrsError) || cause.isUnsent || (cause.status !== null && cause.status >= 400 && cause.status < 500)

const isPassing = (cause: unknown): boolean =>
  isDown(cause) || (cause instanceof QrsError && (cause.status ?? 0) >= 500)
