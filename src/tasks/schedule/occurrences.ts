/** When a schedule fires: its cron expression on the clock of a zone, moved or held back by calendars and windows. */
import { DAY_MS, type Day, dayOf, type WindowReference, type Windows } from '../../platform/calendar.ts'
import type { CronExpression } from '../../platform/cron.ts'
import type { ZoneClock } from '../../platform/zone-clock.ts'
import type { Exclusion, Plan } from './types.ts'

export interface OccurrenceRules {
  readonly cron: CronExpression
  readonly clock: ZoneClock
  /** Null = every day. */
  readonly dayAllowed: ((day: Day) => boolean) | null
  /** Names of the calendars that do not allow a day. */
  readonly calendarsAgainst: (day: Day) => readonly string[]
  /** Any of them; null = always. */
  readonly windows: readonly WindowReference[] | null
  /** Where a firing goes that falls on a day which is not allowed. */
  readonly shift: 'none' | 'previous' | 'next'
}

export type Occurrences = Pick<Plan, 'next' | 'excluded' | 'excludedBy' | 'coming'>

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

  function excludedBy(instant: number): string | null {
    const exclusion = excluded(instant)
    if (exclusion === null) return null
    const names =
      exclusion === 'CALENDAR'
        ? rules.calendarsAgainst(localDay(instant))
        : (rules.windows ?? []).filter((one) => typeof one === 'string')
    return names.join(', ') || null
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

  return { next, excluded, excludedBy, coming }
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
