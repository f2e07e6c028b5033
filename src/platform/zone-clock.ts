/** Recurring times on the clocks of time zones, and instants that were missed. */
import type { CronEngine, CronExpression } from './cron.ts'
import type { Offsets } from './offsets.ts'

/** Times that recur on a wall clock, which is given in ms since 1970 as if it were UTC. */
export interface WallTimes {
  /** The first wall-clock time after `wall`; null when there is none. */
  next(wall: number): number | null
  /** The times lie in every hour of the day. */
  readonly everyHour: boolean
}

/**
 * The first instant after `after` (both ms since 1970) at which the times occur on this clock; null when there is none. The set of
 * hours decides what happens on days with a clock change, however it is written:
 * - times of every hour go on through every real hour: both times where one comes twice, and none for a skipped one;
 * - of other times each occurs once: at the end of the gap that skips it, and the first time when it comes twice.
 */
export function nextInstant(times: WallTimes, offsets: Offsets, after: number): number | null {
  let from = after
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const offset = offsets.at(from)
    const wall = times.next(from + offset)
    if (wall === null) return null
    const instant = wall - offset
    const change = offsets.changeIn(from, instant)
    const found = change === null ? instant : atChange(times, offsets, change)
    if (found !== null && (times.everyHour || !isSecondPass(offsets, found))) return found
    from = found ?? change!
  }
  return null
}

/** The clock change itself when the times occur there: by the new clock, or in place of times in the gap. */
function atChange(times: WallTimes, offsets: Offsets, change: number): number | null {
  const before = change + offsets.at(change - 1)
  const after = change + offsets.at(change)
  if (times.next(after - 1) === after) return change
  const skipped = !times.everyHour && after > before ? times.next(before - 1) : null
  return skipped !== null && skipped < after ? change : null
}

/** Where a clock is set back, times of the hours before are looked at. */
const LOOK_BACK_MS = 3 * 3_600_000
/** Each round crosses one clock change; a schedule that fires once in years crosses many. */
const MAX_ROUNDS = 500

/** Whether the same wall-clock time was there before, on the clock before the change. */
function isSecondPass(offsets: Offsets, instant: number): boolean {
  const now = offsets.at(instant)
  const before = offsets.at(instant - LOOK_BACK_MS)
  return before > now && offsets.at(instant - (before - now)) === before
}

/** The clock of a time zone, for cron expressions. */
export interface ZoneClock {
  readonly offsets: Offsets
  readonly engine: CronEngine
  /** `nextInstant` of the expression. `everyTimeOnce`: each time occurs once, also when the expression names every hour. */
  next(expression: CronExpression, after: number, everyTimeOnce?: boolean): number | null
}

/** Answers that are kept for each expression: many schedules share one, and are asked at the same time. */
const KEPT = 4

export function createZoneClock(offsets: Offsets, engine: CronEngine): ZoneClock {
  const answers = new WeakMap<CronExpression, { readonly after: number; readonly next: number }[]>()
  return {
    offsets,
    engine,
    next(expression, after, everyTimeOnce = false) {
      const known = answers.get(expression) ?? []
      const answer = known.find((one) => one.after <= after && after < one.next)
      if (answer && !everyTimeOnce) return answer.next
      const everyHour = expression.hours.length === 24 && !everyTimeOnce
      const times = { next: (wall: number) => engine.next(expression, wall), everyHour }
      const next = nextInstant(times, offsets, after)
      if (next !== null && !everyTimeOnce) answers.set(expression, [{ after, next }, ...known.slice(0, KEPT - 1)])
      return next
    },
  }
}

/** Instants that recur, in milliseconds since 1970. */
export interface Recurrence {
  /** The first one after `after`; null when there is none. */
  next(after: number): number | null
  /** Null when the instant counts. */
  excluded(instant: number): unknown
}

export interface Missed {
  /** How many; exact up to `MOST_MISSED`. */
  readonly count: number
  /** When the last of them was due. */
  readonly last: number
}

/** Firings are counted up to this number. */
export const MOST_MISSED = 1000
const MINUTE_MS = 60_000
const MAX_STEPS = 5000
/** How far back from now the last one is looked for, when there are too many to walk through. */
const SPANS_MS = [1, 60, 24 * 60, 31 * 24 * 60].map((minutes) => minutes * MINUTE_MS)

/** Those in (after, until] that are not excluded; null when there are none. */
export function missedFirings(times: Recurrence, after: number, until: number): Missed | null {
  const { count, last, complete } = walk(times, after, until, MOST_MISSED)
  if (complete || last === null) return last === null ? null : { count, last }
  for (const span of SPANS_MS) {
    const late = walk(times, Math.max(until - span, last), until, MAX_STEPS)
    if (late.last !== null) return { count, last: late.last }
  }
  return { count, last }
}

function walk(times: Recurrence, after: number, until: number, steps: number) {
  let [count, left] = [0, steps]
  let last: number | null = null
  let at = times.next(after)
  for (; at !== null && at <= until && left > 0; at = times.next(at), left -= 1) {
    if (times.excluded(at) !== null) continue
    count += 1
    last = at
  }
  return { count, last, complete: at === null || at > until }
}
