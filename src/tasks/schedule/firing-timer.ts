/** When schedules fire: the timer that waits for the earliest firing, and what becomes of firings that were missed. */
import type { Clock } from '../../platform/types.ts'
import { type Missed, MOST_MISSED, missedFirings } from '../../platform/zone-clock.ts'
import type { Firing } from './runner.ts'
import type { Plan, Schedule } from './types.ts'

/** Knows when each schedule fires next, and waits for the earliest. */
export interface FiringTimer {
  /** From now on it fires after that instant. */
  set(schedule: Schedule, plan: Plan, after: number): void
  remove(id: string): void
  /** Null when it is not there or will never fire again. */
  nextAt(id: string): number | null
  start(): void
  stop(): void
}

export interface FiringTimerDeps {
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
export function createFiringTimer({ clock, onDue, onLate }: FiringTimerDeps, graceMs: number): FiringTimer {
  const entries = new Map<string, Timed & { readonly nextAt: number | null }>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let wakeAt = Number.POSITIVE_INFINITY
  let started = false

  function tick(): void {
    const now = clock.now()
    let earliest = Number.POSITIVE_INFINITY
    const due: Due[] = []
    for (const [id, { schedule, plan, nextAt: first }] of entries) {
      if (first === null) continue
      const { dueAt, isLate, nextAt } = taken(plan, first, { now, graceMs })
      if (isLate) queueMicrotask(() => onLate({ schedule, plan, dueAt: first }))
      due.push(...dueAt.map((at) => ({ schedule, plan, dueAt: at })))
      entries.set(id, { schedule, plan, nextAt })
      if (nextAt !== null && nextAt < earliest) earliest = nextAt
    }
    // The next firing of each is set before anything is done.
    wait(earliest)
    for (const one of due) onDue(one)
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

interface At {
  readonly now: number
  readonly graceMs: number
}

interface Taken {
  /** The firings whose time has come. */
  readonly dueAt: readonly number[]
  /** They are later than the grace. */
  readonly isLate: boolean
  readonly nextAt: number | null
}

/** The firings of a plan that are due, of which `first` is the next. */
export function taken(plan: Pick<Plan, 'next'>, first: number, { now, graceMs }: At): Taken {
  if (first > now) return { dueAt: [], isLate: false, nextAt: first }
  if (now - first >= graceMs) return { dueAt: [], isLate: true, nextAt: plan.next(now) }
  const dueAt: number[] = []
  let nextAt: number | null = first
  for (; nextAt !== null && nextAt <= now; nextAt = plan.next(nextAt)) dueAt.push(nextAt)
  return { dueAt, isLate: false, nextAt }
}

type MadeUp =
  | { readonly do: 'fire'; readonly firing: Firing }
  | { readonly do: 'skip'; readonly firing: Firing; readonly detail: string }

/** The end of the firings after `since` that were missed: the computer slept, or Footman did not run. Null: there are none. */
export function madeUp(schedule: Schedule, plan: Plan, since: number, { now, graceMs }: At): MadeUp | null {
  const missed = missedFirings(plan, since, now)
  if (!missed) return null
  const inTime = now - missed.last < graceMs
  const detail = missedText({ ...missed, count: missed.count - (inTime ? 1 : 0) })
  const firing = firingOf(schedule, plan, missed.last, 'cron')
  if (inTime) return { do: 'fire', firing: missed.count > 1 ? { ...firing, detail } : firing }
  if (plan.misfire === 'runOnce') return { do: 'fire', firing: { ...firing, trigger: 'misfire', detail } }
  return { do: 'skip', firing, detail }
}

const missedText = ({ count }: Missed): string =>
  count === 1 ? '1 firing was missed' : `${count >= MOST_MISSED ? `${MOST_MISSED} or more` : count} firings were missed`

export function firingOf(schedule: Schedule, plan: Plan, dueAt: number, trigger: Firing['trigger']): Firing {
  return { scheduleId: schedule.id, name: nameOf(schedule), plan, dueAt, trigger }
}

export const nameOf = ({ values }: Schedule): string => String(values.name ?? '')
