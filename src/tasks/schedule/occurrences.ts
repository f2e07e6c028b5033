/** When a schedule fires: its cron expression on the clock of a zone, moved or held back by calendars and windows. */
import { DAY_MS, type Day, dayOf, type WindowReference, type Windows } from '../../platform/calendar.ts'
import type { CronEngine, CronExpression } from '../../platform/cron.ts'
import type { Offsets } from '../../platform/offsets.ts'
import type { Exclusion, Plan } from './types.ts'

/** The clock of a time zone. */
export interface ZoneClock {
  readonly offsets: Offsets
  readonly engine: CronEngine
  /**
   * The first instant after `after` (both ms since 1970) at which the expression fires on this clock; null when there is
   * none. On days with a clock change:
   * - times that a gap skips fire once, at its end, unless the expression fires in every hour anyway;
   * - times that come twice fire once, the first time, when hour and minute are plain numbers; others fire both times.
   */
  next(expression: CronExpression, after: number): number | null
}

/** Answers that are kept for each expression: many schedules share one, and are asked at the same time. */
const KEPT = 4

export function createZoneClock(offsets: Offsets, engine: CronEngine): ZoneClock {
  const answers = new WeakMap<CronExpression, { readonly after: number; readonly next: number }[]>()
  return {
    offsets,
    engine,
    next(expression, after) {
      const known = answers.get(expression) ?? []
      const answer = known.find((one) => one.after <= after && after < one.next)
      if (answer) return answer.next
      const next = nextFiring(expression, { offsets, engine }, after)
      if (next !== null) answers.set(expression, [{ after, next }, ...known.slice(0, KEPT - 1)])
      return next
    },
  }
}

/** Where a clock is set back, times of the hours before are looked at. */
const LOOK_BACK_MS = 3 * 3_600_000
/** Each round crosses one clock change; a schedule that fires once in years crosses many. */
const MAX_ROUNDS = 500

function nextFiring(expression: CronExpression, clock: Omit<ZoneClock, 'next'>, after: number): number | null {
  const { offsets, engine } = clock
  let from = after
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const offset = offsets.at(from)
    const wall = engine.next(expression, from + offset)
    if (wall === null) return null
    const instant = wall - offset
    const change = offsets.changeIn(from, instant)
    const found = change === null ? instant : firingAtChange(expression, clock, change)
    if (found !== null && !(expression.fixed && isSecondPass(offsets, found))) return found
    from = found ?? change!
  }
  return null
}

/** The clock change itself when the expression fires there: by the new clock, or in place of times in the gap. */
function firingAtChange(
  expression: CronExpression,
  { offsets, engine }: Omit<ZoneClock, 'next'>,
  change: number,
): number | null {
  const before = change + offsets.at(change - 1)
  const after = change + offsets.at(change)
  if (engine.next(expression, after - 1) === after) return change
  const fillsGaps = expression.hours.length < 24
  const skipped = fillsGaps && after > before ? engine.next(expression, before - 1) : null
  return skipped !== null && skipped < after ? change : null
}

/** Whether the same wall-clock time was there before, on the clock before the change. */
function isSecondPass(offsets: Offsets, instant: number): boolean {
  const now = offsets.at(instant)
  const before = offsets.at(instant - LOOK_BACK_MS)
  return before > now && offsets.at(instant - (before - now)) === before
}

export interface OccurrenceRules {
  readonly cron: CronExpression
  readonly clock: ZoneClock
  /** Null = every day. */
  readonly dayAllowed: ((day: Day) => boolean) | null
  /** Any of them; null = always. */
  readonly windows: readonly WindowReference[] | null
  /** Where a firing goes that falls on a day which is not allowed. */
  readonly shift: 'none' | 'previous' | 'next'
}

export type Occurrences = Pick<Plan, 'next' | 'excluded' | 'coming'>

/** A firing is moved by at most so many days, and looked for so far ahead. */
const MAX_SHIFT_DAYS = 366
const HORIZON_DAYS = 41 * 366
/** The search for firings that are not excluded ends after so many that are: the minutes of six weeks. */
const MAX_TRIES = 60_000
const MINUTE_MS = 60_000

export function createOccurrences(rules: OccurrenceRules, windows: Windows): Occurrences {
  const { cron, clock, dayAllowed, shift } = rules
  const { offsets } = clock
  const shifted = dayAllowed && shift !== 'none' ? createShifted({ cron, clock, dayAllowed, shift }) : null
  const next = shifted ?? ((after: number) => clock.next(cron, after))
  const localDay = (instant: number): Day => dayOf(instant + offsets.at(instant))

  function excluded(instant: number): Exclusion | null {
    if (dayAllowed && !shifted && !dayAllowed(localDay(instant))) return 'CALENDAR'
    if (rules.windows?.every((window) => !windows.contains(window, instant))) return 'WINDOW'
    return null
  }

  /** Where the search goes on behind a firing that is excluded: windows begin and end with minutes, calendars with days. */
  function behind(instant: number, exclusion: Exclusion): number {
    if (exclusion === 'CALENDAR') return Math.max(offsets.instantOf((localDay(instant) + 1) * DAY_MS) - 1, instant)
    return Math.max(Math.floor(instant / MINUTE_MS + 1) * MINUTE_MS - 1, instant)
  }

  function coming(after: number, count: number): number[] {
    const found: number[] = []
    let at = next(after)
    for (let tries = 0; at !== null && found.length < count && tries < MAX_TRIES; ) {
      const exclusion = excluded(at)
      if (exclusion === null) found.push(at)
      else tries += 1
      at = next(exclusion === null ? at : behind(at, exclusion))
    }
    return found
  }

  return { next, excluded, coming }
}

/**
 * Firings of days that are not allowed move to the nearest allowed day before or after, at the same time. Times that
 * meet there are one firing.
 */
function createShifted({ cron, clock: { offsets, engine }, dayAllowed, shift }: ShiftRules): Plan['next'] {
  const back = shift === 'previous' ? 1 : -1
  /** The last answer of the engine: from this day on, the first firing is on that day. */
  let known = { from: 0, day: -1 }

  function firesOn(day: Day): boolean {
    if (day < known.from || day > known.day) {
      const wall = engine.next(cron, day * DAY_MS - 1)
      known = { from: day, day: wall === null ? Number.POSITIVE_INFINITY : dayOf(wall) }
    }
    return day === known.day
  }

  /** The first of the day itself and the days whose firings it takes over, on which something fires. */
  function sourceOf(day: Day): Day | null {
    let other = day
    for (let count = 0; count === 0 || (count < MAX_SHIFT_DAYS && !dayAllowed(other)); count += 1) {
      if (firesOn(other)) return other
      other += back
    }
    return null
  }

  /** The first time of that day from `second` on, in seconds of the day. */
  function timeOf(day: Day, second: number): number | null {
    const source = sourceOf(day)
    if (source === null) return null
    const wall = engine.next(cron, source * DAY_MS + second * 1000 - 1)
    return wall !== null && dayOf(wall) === source ? (wall - source * DAY_MS) / 1000 : null
  }

  return (after) => {
    const wall = after + offsets.at(after)
    const today = dayOf(wall)
    for (let day = today; day < today + HORIZON_DAYS; day += 1) {
      if (!dayAllowed(day)) continue
      let second = day === today ? Math.floor((wall - day * DAY_MS) / 1000) + 1 : 0
      for (let time = timeOf(day, second); time !== null; time = timeOf(day, second)) {
        const instant = offsets.instantOf(day * DAY_MS + time * 1000)
        if (instant > after) return instant
        second = time + 1
      }
    }
    return null
  }
}

interface ShiftRules extends Pick<OccurrenceRules, 'cron' | 'clock' | 'shift'> {
  readonly dayAllowed: (day: Day) => boolean
}

export interface Missed {
  /** How many; exact up to `MOST`. */
  readonly count: number
  /** When the last of them was due. */
  readonly last: number
}

const MOST = 1000
const MAX_STEPS = 5000
/** How far back from now the last one is looked for, when there are too many to walk through. */
const SPANS_MS = [1, 60, 24 * 60, 31 * 24 * 60].map((minutes) => minutes * MINUTE_MS)

/** Those in (after, until] that calendars and windows would have let through; null when there are none. */
export function missedFirings(plan: Plan, after: number, until: number): Missed | null {
  const { count, last, complete } = walk(plan, after, until, MOST)
  if (complete || last === null) return last === null ? null : { count, last }
  for (const span of SPANS_MS) {
    const late = walk(plan, Math.max(until - span, last), until, MAX_STEPS)
    if (late.last !== null) return { count, last: late.last }
  }
  return { count, last }
}

export const missedText = ({ count }: Missed): string =>
  count === 1 ? '1 firing was missed' : `${count >= MOST ? `${MOST} or more` : count} firings were missed`

function walk(plan: Plan, after: number, until: number, steps: number) {
  let [count, left] = [0, steps]
  let last: number | null = null
  let at = plan.next(after)
  for (; at !== null && at <= until && left > 0; at = plan.next(at), left -= 1) {
    if (plan.excluded(at) !== null) continue
    count += 1
    last = at
  }
  return { count, last, complete: at === null || at > until }
}
