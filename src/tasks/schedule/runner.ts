/** From a firing that is due to a run with its outcome. */
import { within } from '../../platform/deadline.ts'
import { errorText } from '../../platform/errors.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { RunStore } from './store.ts'
import type { ActionResult, Plan, Run, RunTask, RunTrigger, SkipReason } from './types.ts'

/** The context in which an action is carried out. */
export interface ActionContext {
  readonly run: Run
  readonly plan: Plan
  readonly scheduleName: string
  /** The run is continued after a restart of Footman. */
  readonly resumed: boolean
  /** Stores the state of the tasks; resolves when it is on disk. */
  progress(tasks: readonly RunTask[]): Promise<void>
  /** Aborts when Footman stops. */
  readonly signal: AbortSignal
}

/**
 * Carries out the action of a plan; called again with the same run after a crash. Null = not finished when Footman
 * stopped: the run stays open.
 */
export type Perform = (context: ActionContext) => Promise<ActionResult | null>

export interface RunnerDeps {
  readonly store: RunStore
  readonly clock: Clock
  readonly log: Logger
  readonly perform: Perform
  /** Why no schedule may fire at that time (name of a maintenance); null = they may. */
  readonly pausedBy: (at: number) => string | null
  /** Whether tasks of the plan run, however they were started. */
  readonly isBusy: (plan: Plan) => Promise<boolean>
  /** `lagMs`: how late it fired; null when it was skipped or waited on purpose. */
  readonly onRun?: ((run: Run, lagMs: number | null) => void) | undefined
  readonly random?: () => number
}

export interface Firing {
  readonly scheduleId: string
  readonly name: string
  readonly plan: Plan
  readonly dueAt: number
  readonly trigger: RunTrigger
  /** A note that is stored with the run, like the number of missed firings. */
  readonly detail?: string
}

export interface Runner {
  /** Resolves with the run when it is on disk; null when that firing was handled before. Never rejects. */
  fire(firing: Firing): Promise<Run | null>
  /** Records a firing that doesn't happen. */
  skip(firing: Firing, reason: SkipReason, detail?: string): Promise<Run | null>
  /** Takes up the runs that were open when Footman stopped. */
  resume(plans: (scheduleId: string) => { readonly plan: Plan; readonly name: string } | null): void
  /** The last run that was not skipped. */
  last(scheduleId: string): Run | null
  stop(graceMs: number): Promise<void>
}

export interface RunnerSettings {
  readonly shadow: boolean
}

export function createRunner(deps: RunnerDeps, { shadow }: RunnerSettings): Runner {
  const { store, clock, log, random = Math.random } = deps
  const stopping = new AbortController()
  const underWay = new Set<Promise<unknown>>()
  /** Runs that are not final, by schedule. */
  const open = new Map<string, Set<string>>()
  const waiting = new Map<string, { readonly run: Run; readonly firing: Firing }>()
  const last = new Map<string, Run>(store.last())
  const timers = new Map<ReturnType<typeof setTimeout>, () => void>()

  async function fire(firing: Firing): Promise<Run | null> {
    const delay = firing.trigger === 'manual' ? 0 : Math.floor(random() * firing.plan.jitterMs)
    if (delay > 0) await pause(delay)
    if (stopping.signal.aborted) return null
    try {
      return await begin(firing, delay)
    } catch (error) {
      log.error(
        `SCHEDULER: Schedule ID ${firing.scheduleId}: the run could not be recorded, nothing was done: ${error}`,
      )
      return null
    }
  }

  async function begin(firing: Firing, delay: number): Promise<Run | null> {
    const reason = reasonAgainst(firing)
    if (reason) return skip(firing, reason.reason, reason.detail)
    const { overlap } = firing.plan
    const isOpen = (open.get(firing.scheduleId)?.size ?? 0) > 0
    if (isOpen && overlap === 'queue' && !waiting.has(firing.scheduleId)) return enqueue(firing)
    if (isOpen && overlap !== 'allow') return skip(firing, 'OVERLAP', 'the run before has not ended')
    const run: Run = { ...newRun(firing), firedAt: clock.now(), state: 'running' }
    // Taken before the first await, so that the next firing sees it.
    keepOpen(run)
    if (overlap === 'skip' && (await deps.isBusy(firing.plan))) {
      release(run)
      return skip(firing, 'OVERLAP', 'the task runs already')
    }
    return launch(run, firing, clock.now() - firing.dueAt - delay)
  }

  async function launch(run: Run, firing: Firing, lagMs: number): Promise<Run | null> {
    const added = await store.add(run).catch((error: unknown) => {
      release(run)
      throw error
    })
    if (!added) {
      release(run)
      return null
    }
    log.info(`SCHEDULER: Cron event for schedule ID ${firing.scheduleId}: ${firing.name}`)
    last.set(run.scheduleId, run)
    deps.onRun?.(run, firing.trigger === 'cron' ? Math.max(0, lagMs) : null)
    track(carryOut(run, firing))
    return run
  }

  async function enqueue(firing: Firing): Promise<Run | null> {
    const run: Run = { ...newRun(firing), state: 'running', detail: firing.detail ?? 'waits for the run before' }
    waiting.set(firing.scheduleId, { run, firing })
    const added = await store.add(run).catch(() => false)
    if (!added) waiting.delete(firing.scheduleId)
    return added ? run : null
  }

  function reasonAgainst({ plan, dueAt, trigger }: Firing): { reason: SkipReason; detail?: string } | null {
    if (shadow) return { reason: 'SHADOW_MODE' }
    if (trigger === 'manual') return null
    const paused = deps.pausedBy(clock.now())
    if (paused !== null) return { reason: 'MAINTENANCE', detail: paused }
    const excluded = plan.excluded(dueAt)
    return excluded && { reason: excluded }
  }

  async function skip(firing: Firing, reason: SkipReason, detail?: string): Promise<Run | null> {
    const run: Run = {
      ...newRun(firing),
      state: 'skipped',
      reason,
      detail: detail ?? firing.detail ?? null,
    }
    const added = await store.add(run).catch((error: unknown) => {
      log.error(`SCHEDULER: Schedule ID ${firing.scheduleId}: the run could not be recorded: ${error}`)
      return false
    })
    if (!added) return null
    log.verbose(
      `SCHEDULER: Schedule ID ${firing.scheduleId} did not fire: ${reason}${run.detail ? `, ${run.detail}` : ''}`,
    )
    deps.onRun?.(run, null)
    return run
  }

  function newRun({ scheduleId, dueAt, trigger, detail }: Firing): Run {
    return {
      id: uuidV7(clock.now()),
      scheduleId,
      dueAt,
      firedAt: null,
      trigger,
      state: 'running',
      outcome: null,
      reason: null,
      tasks: [],
      detail: detail ?? null,
    }
  }

  async function carryOut(
    run: Run,
    { plan, name: scheduleName }: Pick<Firing, 'plan' | 'name'>,
    resumed = false,
  ): Promise<void> {
    let tasks = run.tasks
    const progress = async (known: readonly RunTask[]): Promise<void> => {
      tasks = known
      await store.change(run.id, { tasks })
    }
    const result = await deps
      .perform({ run, plan, scheduleName, resumed, progress, signal: stopping.signal })
      .catch((error: unknown): ActionResult => ({ outcome: 'failed', detail: errorText(error) }))
    if (result === null) return
    const { outcome } = result
    const detail = [run.detail, result.detail].filter((part) => part != null).join('; ') || null
    await finish({ ...run, state: 'finished', outcome, tasks: result.tasks ?? tasks, detail })
  }

  async function finish(run: Run): Promise<void> {
    const { id, scheduleId, outcome, tasks, detail } = run
    const place = `SCHEDULER: Schedule ID ${scheduleId}:`
    if (outcome === 'failed') log.warn(`${place} the run failed${detail ? `: ${detail}` : ''}`)
    if (outcome === 'unknown') {
      const why = detail ? ` (${detail})` : ''
      log.warn(`${place} it is not known how run ${id} has ended${why}. Look at its tasks in the QMC`)
    }
    await store
      .change(id, { state: 'finished', outcome, tasks, detail })
      .catch((error: unknown) => log.error(`SCHEDULER: The end of run ${id} could not be recorded: ${error}`))
    if (last.get(scheduleId)?.id === id) last.set(scheduleId, run)
    deps.onRun?.(run, null)
    release(run)
  }

  /** One that waited for another run has never begun. */
  function abandon(run: Run): Promise<void> {
    const outcome = run.firedAt === null ? 'skipped' : 'unknown'
    return finish({ ...run, state: 'finished', outcome, detail: 'the schedule is gone' })
  }

  function keepOpen({ scheduleId, id }: Run): void {
    const runs = open.get(scheduleId) ?? new Set()
    open.set(scheduleId, runs.add(id))
  }

  /** The one that waits for it goes on. */
  function release({ scheduleId, id }: Run): void {
    const runs = open.get(scheduleId)
    runs?.delete(id)
    if (runs && runs.size > 0) return
    open.delete(scheduleId)
    const next = waiting.get(scheduleId)
    waiting.delete(scheduleId)
    if (next && !stopping.signal.aborted) track(goOn(next.run, next.firing))
  }

  async function goOn(queued: Run, firing: Firing): Promise<void> {
    const run: Run = { ...queued, firedAt: clock.now(), detail: firing.detail ?? null }
    keepOpen(run)
    await store.change(run.id, { firedAt: run.firedAt, detail: run.detail })
    log.info(`SCHEDULER: Cron event for schedule ID ${firing.scheduleId}: ${firing.name}`)
    last.set(run.scheduleId, run)
    deps.onRun?.(run, null)
    await carryOut(run, firing)
  }

  function track(work: Promise<unknown>): void {
    const settled = work
      .catch((error: unknown) => log.error(`SCHEDULER: ${errorText(error)}`))
      .finally(() => underWay.delete(settled))
    underWay.add(settled)
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        resolve()
      }, ms)
      timers.set(timer, resolve)
    })
  }

  return {
    fire,
    skip,
    resume(planOf) {
      const runs = store.open()
      for (const run of runs.filter(({ firedAt }) => firedAt !== null)) {
        keepOpen(run)
        const known = planOf(run.scheduleId)
        if (known) track(carryOut(run, known, true))
        else track(abandon(run))
      }
      for (const run of runs.filter(({ firedAt }) => firedAt === null)) {
        const known = planOf(run.scheduleId)
        if (!known) {
          track(abandon(run))
          continue
        }
        const { scheduleId, dueAt, trigger } = run
        const firing: Firing = { scheduleId, dueAt, trigger, ...known }
        if (open.has(scheduleId)) waiting.set(scheduleId, { run, firing })
        else track(goOn(run, firing))
      }
    },
    last: (scheduleId) => last.get(scheduleId) ?? null,
    async stop(graceMs) {
      stopping.abort()
      for (const [timer, resolve] of timers) {
        clearTimeout(timer)
        resolve()
      }
      await within(Promise.all(underWay), graceMs, () => undefined)
    },
  }
}
