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

// Which runs of a schedule go on, as functions of those that are not final.

interface Waiting {
  readonly run: Run
  readonly firing: Firing
}

/** The runs of a schedule that are not final, by id, and the one that waits for them. */
export interface Lane {
  readonly open: readonly string[]
  readonly waiting: Waiting | null
}

export const FREE: Lane = { open: [], waiting: null }

export type Decision =
  | { readonly do: 'skip'; readonly reason: SkipReason; readonly detail?: string }
  /** When the runs before have ended. */
  | { readonly do: 'wait' }
  /** `unlessBusy`: only while no task of the plan runs, however it was started. */
  | { readonly do: 'begin'; readonly unlessBusy: boolean }

/** `pausedBy`: name of the maintenance in which no schedule fires. */
export function decide(
  { plan, dueAt, trigger }: Firing,
  { open, waiting }: Lane,
  { shadow, pausedBy }: RunnerSettings & { readonly pausedBy: string | null },
): Decision {
  if (shadow) return { do: 'skip', reason: 'SHADOW_MODE' }
  if (trigger !== 'manual') {
    if (pausedBy !== null) return { do: 'skip', reason: 'MAINTENANCE', detail: pausedBy }
    const excluded = plan.excluded(dueAt)
    if (excluded) return { do: 'skip', reason: excluded }
  }
  const { overlap } = plan
  if (open.length === 0 || overlap === 'allow') return { do: 'begin', unlessBusy: overlap === 'skip' }
  if (overlap === 'queue' && waiting === null) return { do: 'wait' }
  return { do: 'skip', reason: 'OVERLAP', detail: NOT_ENDED }
}

const NOT_ENDED = 'the run before has not ended'

/** The lane when a run is final, with the one that goes on now. */
export function leave(lane: Lane, runId: string): { readonly lane: Lane; readonly next: Waiting | null } {
  const open = lane.open.filter((id) => id !== runId)
  return open.length > 0 ? { lane: { ...lane, open }, next: null } : { lane: FREE, next: lane.waiting }
}

type Known = Pick<Firing, 'plan' | 'name'>

export type Resumed =
  | { readonly do: 'continue'; readonly run: Run; readonly known: Known }
  /** One that waited for another run has never begun. */
  | ({ readonly do: 'wait' | 'begin' } & Waiting)
  /** An earlier one of its schedule waits already. */
  | { readonly do: 'skip'; readonly run: Run }
  /** Its schedule is gone. */
  | { readonly do: 'abandon'; readonly run: Run }

/**
 * The fate of runs that were open when Footman stopped, the earliest first. Those that had begun come first: others may wait for
 * them, one of each schedule.
 */
export function afterRestart(runs: readonly Run[], planOf: (scheduleId: string) => Known | null): readonly Resumed[] {
  const hasBegun = ({ firedAt }: Run) => firedAt !== null
  const busy = new Set<string>()
  const queued = new Set<string>()
  return [...runs.filter(hasBegun), ...runs.filter((run) => !hasBegun(run))].map((run) => {
    const { scheduleId, dueAt, trigger } = run
    const known = planOf(scheduleId)
    const isBusy = busy.has(scheduleId)
    if (known || hasBegun(run)) busy.add(scheduleId)
    if (!known) return { do: 'abandon', run }
    if (hasBegun(run)) return { do: 'continue', run, known }
    if (queued.has(scheduleId)) return { do: 'skip', run }
    if (isBusy) queued.add(scheduleId)
    return { do: isBusy ? 'wait' : 'begin', run, firing: { scheduleId, dueAt, trigger, ...known } }
  })
}

export function createRunner(deps: RunnerDeps, { shadow }: RunnerSettings): Runner {
  const { store, clock, log, random = Math.random } = deps
  const stopping = new AbortController()
  const underWay = new Set<Promise<unknown>>()
  const lanes = new Map<string, Lane>()
  const book = createBook(deps)
  const pauses = createPauses()

  const laneOf = (scheduleId: string): Lane => lanes.get(scheduleId) ?? FREE

  async function fire(firing: Firing): Promise<Run | null> {
    const delay = firing.trigger === 'manual' ? 0 : Math.floor(random() * firing.plan.jitterMs)
    if (delay > 0) await pauses.pause(delay)
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
    const pausedBy = deps.pausedBy(clock.now())
    const decision = decide(firing, laneOf(firing.scheduleId), { shadow, pausedBy })
    if (decision.do === 'skip') return book.skip(firing, decision.reason, decision.detail)
    if (decision.do === 'wait') return enqueue(firing)
    const run: Run = { ...newRun(firing, clock.now()), firedAt: clock.now() }
    // Taken before the first await, so that the next firing sees it.
    keepOpen(run)
    if (decision.unlessBusy && (await deps.isBusy(firing.plan))) {
      release(run)
      return book.skip(firing, 'OVERLAP', 'the task runs already')
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
    book.begun(run, firing.name, firing.trigger === 'cron' ? Math.max(0, lagMs) : null)
    track(carryOut(run, firing))
    return run
  }

  async function enqueue(firing: Firing): Promise<Run | null> {
    const { scheduleId, detail = 'waits for the run before' } = firing
    const run: Run = { ...newRun(firing, clock.now()), detail }
    change(scheduleId, { waiting: { run, firing } })
    const added = await store.add(run).catch(() => false)
    if (!added) change(scheduleId, { waiting: null })
    return added ? run : null
  }

  async function carryOut(run: Run, { plan, name: scheduleName }: Known, resumed = false): Promise<void> {
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
    await book.end(run)
    release(run)
  }

  function abandon(run: Run): Promise<void> {
    const outcome = run.firedAt === null ? 'skipped' : 'unknown'
    return finish({ ...run, state: 'finished', outcome, detail: 'the schedule is gone' })
  }

  function change(scheduleId: string, changes: Partial<Lane>): void {
    lanes.set(scheduleId, { ...laneOf(scheduleId), ...changes })
  }

  function keepOpen({ scheduleId, id }: Run): void {
    change(scheduleId, { open: [...laneOf(scheduleId).open, id] })
  }

  function release({ scheduleId, id }: Run): void {
    const { lane, next } = leave(laneOf(scheduleId), id)
    lanes.set(scheduleId, lane)
    if (next && !stopping.signal.aborted) track(goOn(next.run, next.firing))
  }

  async function goOn(queued: Run, firing: Firing): Promise<void> {
    const run: Run = { ...queued, firedAt: clock.now(), detail: firing.detail ?? null }
    keepOpen(run)
    await store.change(run.id, { firedAt: run.firedAt, detail: run.detail })
    book.begun(run, firing.name, null)
    await carryOut(run, firing)
  }

  function resume(one: Resumed): void {
    const { run } = one
    if (run.firedAt !== null) keepOpen(run)
    if (one.do === 'skip') track(book.drop(run))
    else if (one.do === 'wait') change(run.scheduleId, { waiting: one })
    else if (one.do === 'begin') track(goOn(run, one.firing))
    else track(one.do === 'continue' ? carryOut(run, one.known, true) : abandon(run))
  }

  function track(work: Promise<unknown>): void {
    const settled = work
      .catch((error: unknown) => log.error(`SCHEDULER: ${errorText(error)}`))
      .finally(() => underWay.delete(settled))
    underWay.add(settled)
  }

  return {
    fire,
    skip: book.skip,
    resume(planOf) {
      for (const one of afterRestart(store.open(), planOf)) resume(one)
    },
    last: book.last,
    async stop(graceMs) {
      stopping.abort()
      pauses.end()
      await within(Promise.all(underWay), graceMs, () => undefined)
    },
  }
}

const newRun = ({ scheduleId, dueAt, trigger, detail }: Firing, now: number): Run => ({
  id: uuidV7(now),
  scheduleId,
  dueAt,
  firedAt: null,
  trigger,
  state: 'running',
  outcome: null,
  reason: null,
  tasks: [],
  detail: detail ?? null,
})

/** Runs on disk, in the log and for observers. */
function createBook({ store, clock, log, onRun }: RunnerDeps) {
  const last = new Map<string, Run>(store.last())

  function noteSkipped(run: Run): void {
    const { scheduleId, reason, detail } = run
    log.verbose(`SCHEDULER: Schedule ID ${scheduleId} did not fire: ${reason}${detail ? `, ${detail}` : ''}`)
    onRun?.(run, null)
  }

  return {
    last: (scheduleId: string): Run | null => last.get(scheduleId) ?? null,

    async skip(firing: Firing, reason: SkipReason, detail = firing.detail): Promise<Run | null> {
      const run: Run = { ...newRun(firing, clock.now()), state: 'skipped', reason, detail: detail ?? null }
      const added = await store.add(run).catch((error: unknown) => {
        log.error(`SCHEDULER: Schedule ID ${firing.scheduleId}: the run could not be recorded: ${error}`)
        return false
      })
      if (!added) return null
      noteSkipped(run)
      return run
    },

    /** One that waited for others does not begin. */
    async drop(waiting: Run): Promise<void> {
      const skipped = { state: 'skipped', reason: 'OVERLAP', detail: NOT_ENDED } as const
      await store.change(waiting.id, skipped)
      noteSkipped({ ...waiting, ...skipped })
    },

    /** A run that is on disk. */
    begun(run: Run, name: string, lagMs: number | null): void {
      log.info(`SCHEDULER: Cron event for schedule ID ${run.scheduleId}: ${name}`)
      last.set(run.scheduleId, run)
      onRun?.(run, lagMs)
    },

    async end(run: Run): Promise<void> {
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
      onRun?.(run, null)
    },
  }
}

/** Pauses that all end early when Footman stops. */
function createPauses() {
  const timers = new Map<ReturnType<typeof setTimeout>, () => void>()
  return {
    pause: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          timers.delete(timer)
          resolve()
        }, ms)
        timers.set(timer, resolve)
      }),
    end(): void {
      for (const [timer, resolve] of timers) {
        clearTimeout(timer)
        resolve()
      }
    },
  }
}
