/** The scheduler: the schedules of the file, armed, fired, started and stopped. */
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { createScheduleChanges, invalid, type ScheduleChanges } from './changes.ts'
import { type RestoreState, reportZones } from './check.ts'
import { createScheduleFile, type ScheduleFile } from './file.ts'
import { createFiringTimer, type FiringTimer, firingOf, madeUp, nameOf } from './firing-timer.ts'
import { createFollowedSchedules } from './followed.ts'
import { createKnownSchedules } from './known.ts'
import type { Planner } from './plan.ts'
import { createScheduleRepository, type StoredSchedule, UnknownScheduleError } from './repository.ts'
import { createRunner, type Runner, type RunnerDeps } from './runner.ts'
import { createRunPruning, type RunStore } from './store.ts'
import type { Plan, Run, Schedule } from './types.ts'

export interface SchedulerDeps extends Pick<RunnerDeps, 'perform' | 'pausedBy' | 'isBusy' | 'onRun'> {
  readonly clock: Clock
  readonly log: Logger
  readonly store: RunStore
  readonly planner: Planner
  /** Default: the file of the settings, which this node has for itself. */
  readonly file?: ScheduleFile
  /** Calls the function when another node has changed the schedules; returns the function that ends it. Absent: a single node. */
  readonly onFileChange?: (refresh: () => Promise<void>) => () => void
  /** A schedule is new, has changed or is gone. Not called for those that the start reads. */
  readonly onChanged?: (id: string, state: 'running' | 'stopped' | 'invalid' | 'removed') => void
}

interface SchedulerSettings {
  /** Absolute path of the schedule file. */
  readonly file: string
  readonly restoreState: RestoreState
  /** Schedules fire in the zone of this computer, as in Butler. */
  readonly ignoreTimezone: boolean
  readonly misfireGraceMs: number
  /** Runs that are older are removed. */
  readonly keepRunsMs: number
  /**
   * `watch`: another process owns the file, nothing fires. `follow`: another node fires the schedules, and its records are
   * read here. `shadow`: firings are recorded, nothing is done.
   */
  readonly mode: 'run' | 'shadow' | 'watch' | 'follow'
  /** How often the file is looked at for changes by hand; default 5 s, 0 = never. */
  readonly pollMs?: number
}

export interface Scheduler extends Service, ScheduleChanges {
  /** Resolves when the file has been read. */
  readonly ready: Promise<void>
  /** In the order of the file. */
  list(): readonly Schedule[]
  get(id: string): Schedule | undefined
  nextRun(id: string): number | null
  lastRun(id: string): Run | null
  /** Fires now, without regard to calendars and windows; resolves with the run when it is on disk. */
  run(id: string): Promise<Run | null>
}

const POLL_MS = 5000
/** Runs of the same schedule need different times. */
const MANUAL_TRIES = 50

export function createScheduler(deps: SchedulerDeps, settings: SchedulerSettings): Scheduler {
  const { clock, log, store, planner } = deps
  const { mode, misfireGraceMs, pollMs = POLL_MS } = settings
  const known = createKnownSchedules({ planner, log }, settings)
  const repository = createScheduleRepository(
    { file: deps.file ?? createScheduleFile(settings.file), log, onChange: sync },
    { readOnly: mode !== 'run' },
  )
  const fires = mode === 'run' || mode === 'shadow'
  const followed = mode === 'follow' ? createFollowedSchedules(deps) : null
  const runner: Runner = createRunner(deps, { shadow: mode === 'shadow' })
  const timer: FiringTimer = createFiringTimer(
    {
      clock,
      onDue: ({ schedule, plan, dueAt }) => void runner.fire(firingOf(schedule, plan, dueAt, 'cron')),
      onLate: ({ schedule, plan, dueAt }) => makeUp(schedule, plan, dueAt - 1),
    },
    misfireGraceMs,
  )
  const polling = createRecurringJob({ everyMs: pollMs }, repository.refresh)
  const pruning = createRunPruning(deps, settings.keepRunsMs)
  const ready = Promise.withResolvers<void>()
  let started = false
  let endFileChanges: (() => void) | undefined

  /** Resolves when a firing that is missed from now on would be made up. */
  async function sync(entries: readonly StoredSchedule[]): Promise<void> {
    const { changed, gone } = known.follow(entries)
    if (!started) return
    for (const id of gone) timer.remove(id)
    const recorded = rearm(changed, gone)
    for (const { id, plan, running } of changed) deps.onChanged?.(id, stateText(plan !== null, running))
    for (const id of gone) deps.onChanged?.(id, 'removed')
    await recorded
  }

  async function rearm(changed: readonly Schedule[], gone: readonly string[]): Promise<void> {
    const now = clock.now()
    for (const schedule of changed) {
      const { id, plan, running } = schedule
      if (running && plan && fires) timer.set(schedule, plan, now)
      else timer.remove(id)
    }
    if (followed) return
    const armed = changed.filter(({ running }) => running)
    const idle = [...gone, ...changed.filter(({ running }) => !running).map(({ id }) => id)]
    await Promise.all([
      armed.length > 0 && store.setStates(armed.map((schedule) => stateOf(schedule, now))),
      idle.length > 0 && store.dropStates(idle),
    ])
  }

  function makeUp(schedule: Schedule, plan: Plan, since: number): void {
    const made = madeUp(schedule, plan, since, { now: clock.now(), graceMs: misfireGraceMs })
    if (made?.do === 'fire') void runner.fire(made.firing)
    if (made?.do === 'skip') void runner.skip(made.firing, 'MISFIRE', made.detail)
  }

  /** Arms the schedules that are to run, and makes up for firings that were missed while Footman was down. */
  async function arm(): Promise<void> {
    const now = clock.now()
    const states = store.states()
    const running = known.all().filter((one) => one.running && one.plan)
    const fresh = running.filter((one) => states.get(one.id)?.definition !== definitionOf(one))
    const ids = new Set(running.map(({ id }) => id))
    await store.setStates(fresh.map((schedule) => stateOf(schedule, now)))
    await store.dropStates([...states.keys()].filter((id) => !ids.has(id)))
    for (const schedule of running) timer.set(schedule, schedule.plan!, now)
    if (mode === 'run') runner.resume(planOf)
    const isFresh = new Set(fresh)
    for (const schedule of running) {
      if (!isFresh.has(schedule)) makeUp(schedule, schedule.plan!, states.get(schedule.id)!.handledUntil)
    }
  }

  function planOf(id: string): { plan: Plan; name: string } | null {
    const schedule = known.get(id)
    return schedule?.plan ? { plan: schedule.plan, name: nameOf(schedule) } : null
  }

  const shown = (schedule: Schedule): Schedule => followed?.shown(schedule) ?? schedule
  const list = (): Schedule[] => known.all().map(shown)

  return {
    name: 'scheduler',
    ready: ready.promise,
    list,
    get(id) {
      const found = known.get(id)
      return found && shown(found)
    },
    nextRun(id) {
      const schedule = known.get(id)
      const at = followed && schedule ? followed.nextAt(schedule) : timer.nextAt(id)
      const plan = schedule?.plan
      // A firing outside of windows and calendars is a skipped run, not the next one.
      return at === null || !plan?.excluded(at) ? at : (plan.coming(at, 1)[0] ?? null)
    },
    lastRun: followed?.lastRun ?? runner.last,
    ...createScheduleChanges({ repository, known, list, planner, clock }),

    async run(id) {
      const schedule = known.get(id)
      if (!schedule) throw new UnknownScheduleError(id)
      const { plan, problem } = schedule
      if (!plan) throw invalid(problem!)
      const now = clock.now()
      for (let attempt = 0; attempt < MANUAL_TRIES; attempt += 1) {
        const run = await runner.fire(firingOf(schedule, plan, now + attempt, 'manual'))
        if (run) return run
      }
      return null
    },

    async start() {
      endFileChanges = deps.onFileChange?.(repository.refresh)
      await repository.refresh()
      if (repository.failure === null && !repository.missing)
        log.info('SCHEDULER: Successfully loaded schedule from file.')
      started = true
      if (fires) {
        await arm()
        if (!settings.ignoreTimezone) await reportZones(deps, list(), mode === 'run')
        timer.start()
      }
      ready.resolve()
      if (pollMs > 0) polling.start()
      if (!followed) pruning.start()
    },

    async stop(graceMs) {
      ready.resolve()
      timer.stop()
      endFileChanges?.()
      await Promise.all([polling.stop(), pruning.stop()])
      await runner.stop(graceMs)
    },
  }
}

function stateText(isValid: boolean, running: boolean): 'running' | 'stopped' | 'invalid' {
  if (!isValid) return 'invalid'
  return running ? 'running' : 'stopped'
}

/** The members that decide about the times of a schedule. */
function definitionOf({ values, plan }: Schedule): string {
  const { cronSchedule, window, onlyOn, notOn, shift } = values
  return JSON.stringify([cronSchedule, plan?.timezone, window, onlyOn, notOn, shift])
}

const stateOf = (schedule: Schedule, handledUntil: number) => ({
  scheduleId: schedule.id,
  handledUntil,
  definition: definitionOf(schedule),
})
