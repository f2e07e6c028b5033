/** The scheduler: the schedules of the file, armed, fired, started and stopped; and the timer that fires them. */
import { randomUUID } from 'node:crypto'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { type Missed, MOST_MISSED, missedFirings } from '../../platform/zone-clock.ts'
import { logLoaded, logUnknownMembers, type RestoreState, reportZones, runsAfterStart } from './check.ts'
import { createScheduleFile, type ScheduleFile } from './file.ts'
import { createFollowedSchedules } from './followed.ts'
import type { Planner } from './plan.ts'
import {
  createScheduleRepository,
  type Draft,
  InvalidScheduleError,
  type StoredSchedule,
  UnknownScheduleError,
} from './repository.ts'
import { createRunner, type Firing, type Runner, type RunnerDeps } from './runner.ts'
import { createRunPruning, type RunStore } from './store.ts'
import type { Plan, Run, Schedule, ScheduleValues } from './types.ts'

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

export interface Scheduler extends Service {
  /** Resolves when the file has been read. */
  readonly ready: Promise<void>
  /** In the order of the file. */
  list(): readonly Schedule[]
  get(id: string): Schedule | undefined
  nextRun(id: string): number | null
  lastRun(id: string): Run | null
  /**
   * All of these reject with a `FileBrokenError` or `FileWriteError`, an `UnknownScheduleError` or an
   * `InvalidScheduleError`; nothing has changed then.
   */
  create(values: ScheduleValues): Promise<Schedule>
  /** A member that is null is taken out. */
  update(id: string, changes: ScheduleValues, check?: CheckCurrent): Promise<Schedule>
  remove(id: string, check?: CheckCurrent): Promise<void>
  /** Null = all that are valid. Resolves with the schedules after the change, in their order. */
  setRunning(ids: readonly string[] | null, running: boolean): Promise<readonly Schedule[]>
  /** Fires now, without regard to calendars and windows; resolves with the run when it is on disk. */
  run(id: string): Promise<Run | null>
}

/** Throws when the schedule as it stands in the file is not the one that the caller means. */
export type CheckCurrent = (values: ScheduleValues) => void

const POLL_MS = 5000
/** Runs of the same schedule need different times. */
const MANUAL_TRIES = 50

interface Known {
  readonly entry: StoredSchedule
  readonly schedule: Schedule
}

export function createScheduler(deps: SchedulerDeps, settings: SchedulerSettings): Scheduler {
  const { clock, log, store, planner } = deps
  const { mode, misfireGraceMs, pollMs = POLL_MS } = settings
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
  let known = new Map<string, Known>()
  /** Whether a schedule is to run after the API call that is being written; takes precedence over the file. */
  const wanted = new Map<string, boolean>()
  const ready = Promise.withResolvers<void>()
  let started = false
  let endFileChanges: (() => void) | undefined

  /** Takes over the entries of the file; new and changed ones are planned again. */
  function sync(entries: readonly StoredSchedule[]): void {
    const before = known
    known = new Map()
    const changed: Schedule[] = []
    for (const entry of entries) {
      const old = before.get(entry.id)
      if (old && old.entry.text === entry.text && !wanted.has(entry.id)) {
        known.set(entry.id, { entry, schedule: old.schedule })
        continue
      }
      const schedule = scheduleOf(entry, old?.schedule)
      known.set(entry.id, { entry, schedule })
      changed.push(schedule)
    }
    wanted.clear()
    const gone = [...before.keys()].filter((id) => !known.has(id))
    if (!started) return
    for (const id of gone) timer.remove(id)
    rearm(changed, gone)
    for (const { id, plan, running } of changed) deps.onChanged?.(id, stateText(plan !== null, running))
    for (const id of gone) deps.onChanged?.(id, 'removed')
  }

  function scheduleOf(entry: StoredSchedule, old: Schedule | undefined): Schedule {
    const { id, values } = entry
    const planned = planner.plan(values)
    const plan = planned.ok ? planned.plan : null
    const problem = planned.ok ? null : planned.problem
    const running =
      plan !== null && (wanted.get(id) ?? stateKept(values, old) ?? runsAfterStart(values, settings.restoreState))
    const schedule = { id, values, plan, problem, running }
    if (!old || problem) logLoaded(log, schedule, settings, entry)
    logUnknownMembers(log, schedule, old, { file: settings.file, entry })
    return schedule
  }

  /** A change by hand of other members leaves it running or stopped; null when it is about the state. */
  function stateKept(values: ScheduleValues, old: Schedule | undefined): boolean | null {
    if (!old?.plan) return null
    const same = ['startupState', 'lastKnownState'].every((name) => values[name] === old.values[name])
    return same ? old.running : null
  }

  function rearm(changed: readonly Schedule[], gone: readonly string[]): void {
    const now = clock.now()
    for (const schedule of changed) {
      const { id, plan, running } = schedule
      if (running && plan && fires) timer.set(schedule, plan, now)
      else timer.remove(id)
    }
    if (followed) return
    const armed = changed.filter(({ running }) => running)
    const idle = [...gone, ...changed.filter(({ running }) => !running).map(({ id }) => id)]
    const failed = (error: unknown) => log.error(`SCHEDULER: The state of schedules could not be recorded: ${error}`)
    if (armed.length > 0) store.setStates(armed.map((schedule) => stateOf(schedule, now))).catch(failed)
    if (idle.length > 0) store.dropStates(idle).catch(failed)
  }

  /** Firings were missed: the computer slept, or Footman did not run. */
  function makeUp(schedule: Schedule, plan: Plan, since: number): void {
    const now = clock.now()
    const missed = missedFirings(plan, since, now)
    if (!missed) return
    const inTime = now - missed.last < misfireGraceMs
    const detail = missedText({ ...missed, count: missed.count - (inTime ? 1 : 0) })
    if (inTime) {
      const firing = firingOf(schedule, plan, missed.last, 'cron')
      void runner.fire(missed.count > 1 ? { ...firing, detail } : firing)
    } else if (plan.misfire === 'runOnce') {
      void runner.fire({ ...firingOf(schedule, plan, missed.last, 'misfire'), detail })
    } else {
      void runner.skip(firingOf(schedule, plan, missed.last, 'cron'), 'MISFIRE', detail)
    }
  }

  /** Arms the schedules that are to run, and makes up for firings that were missed while Footman was down. */
  async function arm(): Promise<void> {
    const now = clock.now()
    const states = store.states()
    const running = [...known.values()].map(({ schedule }) => schedule).filter((one) => one.running && one.plan)
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
    const schedule = known.get(id)?.schedule
    return schedule?.plan ? { plan: schedule.plan, name: nameOf(schedule) } : null
  }

  const shown = ({ schedule }: Known): Schedule => followed?.shown(schedule) ?? schedule
  const list = (): Schedule[] => [...known.values()].map(shown)

  function required(draft: Draft, id: string): StoredSchedule {
    const entry = draft.entries().find((one) => one.id === id)
    if (!entry) throw new UnknownScheduleError(id)
    return entry
  }

  function requireValid(values: ScheduleValues): void {
    const planned = planner.plan(values)
    if (planned.ok) return
    const { field, message, details } = planned.problem
    throw new InvalidScheduleError(field, message, details)
  }

  const current = (id: string): Schedule => known.get(id)!.schedule

  /** `mark`: whether a schedule is to run from then on; forgotten when the change fails. */
  async function change<T>(work: (draft: Draft, mark: (id: string, running: boolean) => void) => T): Promise<T> {
    const marked: string[] = []
    const mark = (id: string, running: boolean) => {
      marked.push(id)
      wanted.set(id, running)
    }
    try {
      return await repository.change((draft) => work(draft, mark))
    } catch (error) {
      for (const id of marked) wanted.delete(id)
      throw error
    }
  }

  return {
    name: 'scheduler',
    ready: ready.promise,
    list,
    get(id) {
      const found = known.get(id)
      return found && shown(found)
    },
    nextRun(id) {
      const schedule = known.get(id)?.schedule
      const at = followed && schedule ? followed.nextAt(schedule) : timer.nextAt(id)
      const plan = schedule?.plan
      // A firing outside of windows and calendars is a skipped run, not the next one.
      return at === null || !plan?.excluded(at) ? at : (plan.coming(at, 1)[0] ?? null)
    },
    lastRun: followed?.lastRun ?? runner.last,

    async create(given) {
      requireValid(given)
      const id = randomUUID()
      const { id: _id, created: _created, lastKnownState: _state, ...values } = given
      const running = values.startupState === 'start' || values.startupState === 'started'
      await change((draft, mark) => {
        mark(id, running)
        const created = new Date(clock.now()).toISOString()
        draft.add({ ...values, id, created, lastKnownState: running ? 'started' : 'stopped' })
      })
      return current(id)
    },

    async update(id, changes, check = () => {}) {
      const { id: _id, created: _created, lastKnownState: _state, ...allowed } = changes
      const taken = Object.fromEntries(
        Object.entries(allowed).map(([name, value]) => [name, value === null ? undefined : value]),
      )
      await change((draft, mark) => {
        const { values } = required(draft, id)
        check(values)
        requireValid({ ...values, ...taken })
        const running = known.get(id)?.schedule.running
        if (running !== undefined && known.get(id)?.schedule.plan) mark(id, running)
        draft.change(id, taken)
      })
      return current(id)
    },

    async remove(id, check = () => {}) {
      await repository.change((draft) => {
        check(required(draft, id).values)
        draft.remove(id)
      })
    },

    async setRunning(ids, running) {
      const lastKnownState = running ? 'started' : 'stopped'
      const concerned = await change((draft, mark) => {
        const entries = ids === null ? draft.entries() : ids.map((id) => required(draft, id))
        const targets = entries.filter(({ values }) => {
          const planned = running ? planner.plan(values) : null
          if (!planned || planned.ok) return true
          if (ids !== null)
            throw new InvalidScheduleError(planned.problem.field, planned.problem.message, planned.problem.details)
          return false
        })
        for (const { id, values } of targets) {
          mark(id, running)
          if (values.lastKnownState !== lastKnownState) draft.change(id, { lastKnownState })
        }
        return new Set(entries.map(({ id }) => id))
      })
      return list().filter(({ id }) => concerned.has(id))
    },

    async run(id) {
      const schedule = known.get(id)?.schedule
      if (!schedule) throw new UnknownScheduleError(id)
      const { plan, problem } = schedule
      if (!plan) throw new InvalidScheduleError(problem!.field, problem!.message, problem!.details)
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

function firingOf(schedule: Schedule, plan: Plan, dueAt: number, trigger: Firing['trigger']): Firing {
  return { scheduleId: schedule.id, name: nameOf(schedule), plan, dueAt, trigger }
}

const missedText = ({ count }: Missed): string =>
  count === 1 ? '1 firing was missed' : `${count >= MOST_MISSED ? `${MOST_MISSED} or more` : count} firings were missed`

const nameOf = ({ values }: Schedule): string => String(values.name ?? '')

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

// The firing timer.

/** Knows when each schedule fires next, and waits for the earliest. */
interface FiringTimer {
  /** From now on it fires after that instant. */
  set(schedule: Schedule, plan: Plan, after: number): void
  remove(id: string): void
  /** Null when it is not there or will never fire again. */
  nextAt(id: string): number | null
  start(): void
  stop(): void
}

interface FiringTimerDeps {
  readonly clock: Clock
  /** Called with each firing whose time has come. */
  readonly onDue: (due: Due) => void
  /** Firings are later than the grace; called with the first of them. */
  readonly onLate: (first: Due) => void
}

interface Timed {
  readonly schedule: Schedule
  readonly plan: Plan
}

interface Due extends Timed {
  readonly dueAt: number
}

/** The clock of the computer may be set meanwhile. */
const LONGEST_WAIT_MS = 10_000

/** One timer for all schedules. `graceMs`: firings that are later than that go to `onLate`. */
function createFiringTimer({ clock, onDue, onLate }: FiringTimerDeps, graceMs: number): FiringTimer {
  const entries = new Map<string, Timed & { nextAt: number | null }>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let wakeAt = Number.POSITIVE_INFINITY
  let started = false

  function tick(): void {
    const now = clock.now()
    let earliest = Number.POSITIVE_INFINITY
    const due: Due[] = []
    for (const entry of entries.values()) {
      if (entry.nextAt !== null && entry.nextAt <= now) due.push(...take(entry, now))
      if (entry.nextAt !== null && entry.nextAt < earliest) earliest = entry.nextAt
    }
    // The next firing of each is set before anything is done.
    wait(earliest)
    for (const one of due) onDue(one)
  }

  function take(entry: Timed & { nextAt: number | null }, now: number): Due[] {
    const { schedule, plan } = entry
    const first = entry.nextAt!
    if (now - first >= graceMs) {
      entry.nextAt = plan.next(now)
      queueMicrotask(() => onLate({ schedule, plan, dueAt: first }))
      return []
    }
    const due: Due[] = []
    for (let at: number | null = first; at !== null && at <= now; at = plan.next(at))
      due.push({ schedule, plan, dueAt: at })
    entry.nextAt = plan.next(due.at(-1)!.dueAt)
    return due
  }

  function wait(until: number): void {
    clearTimeout(timer)
    wakeAt = until
    if (!started || entries.size === 0) return
    const ms = Math.min(Math.max(until - clock.now(), 0), LONGEST_WAIT_MS)
    timer = setTimeout(tick, ms)
  }

  return {
    set(schedule, plan, after) {
      const nextAt = plan.next(after)
      entries.set(schedule.id, { schedule, plan, nextAt })
      if (nextAt !== null && (nextAt < wakeAt || entries.size === 1)) wait(nextAt)
    },
    remove: (id) => void entries.delete(id),
    nextAt: (id) => entries.get(id)?.nextAt ?? null,
    start() {
      started = true
      wait(clock.now())
    },
    stop() {
      started = false
      clearTimeout(timer)
    },
  }
}
