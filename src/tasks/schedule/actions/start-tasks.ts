/** Starts the tasks of a schedule and follows them to their end. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Logger } from '../../../platform/types.ts'
import { isDown, reasonOf } from '../../../qlik/qrs/failure.ts'
import type { ExecutionFollower } from '../../executions/types.ts'
import type { StartOutcome, StartTask } from '../../start/types.ts'
import type { ActionContext, Perform } from '../runner.ts'
import type { ActionResult, RunOutcome, RunTask } from '../types.ts'

export interface StartTasksDeps {
  readonly start: StartTask
  readonly follower: ExecutionFollower
  readonly clock: Clock
  readonly log: Logger
}

export interface StartTasksSettings {
  /** Pauses before another attempt while QRS is away; default 2 s and 10 s. */
  readonly retryMs?: readonly number[]
  /** A task that has not ended after so long is not followed any more; default 24 h. */
  readonly followMs?: number
}

const RETRY_MS = [2000, 10_000]
const FOLLOW_MS = 24 * 3_600_000
/** Tasks of a run that was cut short while it started them are started after so long at most. */
const TAKE_UP_MS = 10 * 60_000

export function createStartTasks(deps: StartTasksDeps, settings: StartTasksSettings = {}): Perform {
  const { start, follower, clock, log } = deps
  const { retryMs = RETRY_MS, followMs = FOLLOW_MS } = settings

  /** Rejects when nothing could be started at all. What was started before an interruption is not started again. */
  async function startAll({ run, plan, signal }: ActionContext): Promise<StartOutcome> {
    for (let attempt = 0; ; attempt += 1) {
      const wait = retryMs[attempt]
      try {
        const outcome = await start({
          ...plan.selection,
          id: run.id,
          origin: 'schedule',
          requestedBy: `schedule ${run.scheduleId}`,
          actor: `schedule:${run.scheduleId}`,
          allTaskIdsMustExist: false,
        })
        if (wait === undefined || !outcome.failed.some(({ passing }) => passing)) return outcome
        log.warn(`SCHEDULER: Schedule ID ${run.scheduleId}: ${outcome.failed[0]?.error}; trying again in ${wait} ms`)
      } catch (error) {
        if (wait === undefined || !isPassing(error)) throw error
        log.warn(`SCHEDULER: Schedule ID ${run.scheduleId}: ${reasonOf(error)}; trying again in ${wait} ms`)
      }
      await pause(wait, undefined, { signal })
    }
  }

  async function follow(task: RunTask, signal: AbortSignal): Promise<RunTask> {
    if (task.outcome !== null) return task
    // Old servers tell no id: that it was started is all that can be known.
    if (task.executionId === null) return { ...task, outcome: 'unknown' }
    const late = AbortSignal.timeout(followMs)
    const { outcome } = await follower.untilFinal(task.executionId, AbortSignal.any([signal, late]))
    return { ...task, outcome: outcome ?? (late.aborted ? 'unknown' : null) }
  }

  async function followAll(context: ActionContext, tasks: readonly RunTask[]): Promise<ActionResult | null> {
    const known = [...tasks]
    await Promise.all(
      tasks.map(async (task, index) => {
        known[index] = await follow(task, context.signal)
        if (known.length > 1 && known[index].outcome !== task.outcome) await context.progress([...known])
      }),
    )
    if (known.some(({ outcome }) => outcome === null)) return null
    return { outcome: outcomeOf(known), tasks: known, ...detailOf(known) }
  }

  return async (context) => {
    const { run, resumed, signal } = context
    if (run.tasks.length > 0) return followAll(context, run.tasks)
    if (resumed && clock.now() - (run.firedAt ?? 0) > TAKE_UP_MS) {
      return { outcome: 'unknown', detail: 'Footman stopped while it was starting tasks' }
    }
    try {
      const outcome = await startAll(context)
      const queued = outcome.queued ?? []
      const tasks = [...tasksOf(outcome), ...(await Promise.all(queued.map((one) => settledTask(one, signal))))]
      const refusal = refusedText(outcome)
      if (tasks.length === 0) return { outcome: 'failed', detail: refusal ?? 'no task was selected' }
      await context.progress(tasks)
      const result = await followAll(context, tasks)
      return result && refusal ? { ...result, outcome: 'failed', detail: refusal } : result
    } catch (error) {
      if (signal.aborted) return null
      return { outcome: 'failed', detail: reasonOf(error) }
    }
  }
}

/** QRS could not be asked, or was not well; errors that concern the request itself stay. */
function isPassing(error: unknown): boolean {
  const cause = error instanceof Error && error.name === 'LookupError' ? error.cause : error
  const { status } = cause as { readonly status?: unknown }
  return isDown(cause) || (typeof status === 'number' && status >= 500)
}

function tasksOf({ started, failed }: StartOutcome): RunTask[] {
  return [
    ...started.map(({ taskId, taskName, executionId }) => ({ taskId, taskName, executionId, outcome: null })),
    ...failed.map(({ taskId, taskName, error }) => ({
      ...{ taskId, taskName, executionId: null, error },
      outcome: 'failed' as const,
    })),
  ]
}

async function settledTask(
  { taskId, taskName, settled }: NonNullable<StartOutcome['queued']>[number],
  signal: AbortSignal,
): Promise<RunTask> {
  const aborted = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }))
  const result = await Promise.race([settled, aborted])
  if (result === null) throw new Error('Footman stopped while the task waited in the start queue')
  if ('error' in result) return { taskId, taskName, executionId: null, outcome: 'failed', error: result.error }
  return { taskId, taskName, executionId: result.executionId, outcome: null }
}

/** What was asked for and could not be started at all. */
function refusedText({ notFound, denied }: StartOutcome): string | null {
  const parts = [
    ...notFound.map((id) => `task ${id} does not exist`),
    ...denied.taskIds.map((id) => `task ${id} is not allowed`),
    ...denied.tags.map((tag) => `tag ${tag} is not allowed`),
    ...denied.customProperties.map(({ name, value }) => `custom property ${name}=${value} is not allowed`),
  ]
  return parts.length === 0 ? null : parts.join('; ')
}

/** The worst. */
const WORST_FIRST: readonly RunOutcome[] = ['failed', 'aborted', 'unknown', 'skipped', 'success']

const outcomeOf = (tasks: readonly RunTask[]): RunOutcome =>
  WORST_FIRST.find((outcome) => tasks.some((task) => task.outcome === outcome)) ?? 'success'

function detailOf(tasks: readonly RunTask[]): { detail?: string } {
  const failed = tasks.find(({ error }) => error !== undefined)
  return failed ? { detail: `${failed.taskName}: ${failed.error}` } : {}
}
