/** When a schedule fires: its cron expression, moved or held back by calendars and windows. */

import { DAY_MS, dayOf } from '../../platform/calendar/days.ts'
import type { Day, WindowReference, Windows } from '../../platform/calendar/types.ts'
import type { Offsets } from '../../platform/offsets.ts'
import type { CronFields } from './cron/fields.ts'
import { firesOn, timeFrom } from './cron/next.ts'
import { createTimes } from './cron/times.ts'
import type { Exclusion, Plan } from './types.ts'

export interface OccurrenceRules {
  readonly cron: CronFields
  readonly offsets: Offsets
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
  const { cron, offsets, dayAllowed, shift } = rules
  const times = createTimes(cron, offsets)
  const shifted = dayAllowed && shift !== 'none' ? createShifted({ cron, offsets, dayAllowed, shift }) : null
  const next = shifted ?? times.next
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
function createShifted({ cron, offsets, dayAllowed, shift }: ShiftRules): Plan['next'] {
  const back = shift === 'previous' ? 1 : -1

  /** The day itself, and the days whose firings it takes over. */
  function group(day: Day): Day[] {
    const days = [day]
    for (let other = day + back; !dayAllowed(other) && days.length < MAX_SHIFT_DAYS; other += back) days.push(other)
    return days
  }

  /** The first time of that day from `second` on. */
  function timeOf(day: Day, second: number): number | null {
    const firing = group(day).some((one) => firesOn(cron, one))
    return firing ? timeFrom(cron, second) : null
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

interface ShiftRules extends Pick<OccurrenceRules, 'cron' | 'offsets' | 'shift'> {
  readonly dayAllowed: (day: Day) => boolean
}
