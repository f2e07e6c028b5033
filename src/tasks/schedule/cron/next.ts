/** When a cron expression fires next, on a wall clock: milliseconds since 1970 as if it were UTC. */
import { DAY_MS, type DateParts, dayFrom, dayOf, partsOf, weekdayOf } from '../../../platform/calendar/days.ts'
import type { Day } from '../../../platform/calendar/types.ts'
import type { CronFields } from './fields.ts'

/** 29 February on a given weekday comes after 28 years, around 2100 after 40. */
const HORIZON_DAYS = 41 * 366

/** The first time after `wall`; null when there is none. */
export function nextWall(fields: CronFields, wall: number): number | null {
  const today = dayOf(wall)
  const second = Math.floor((wall - today * DAY_MS) / 1000) + 1
  const later = dayMatches(fields, today, partsOf(today)) ? timeFrom(fields, second) : null
  if (later !== null) return today * DAY_MS + later * 1000
  const day = nextDay(fields, today + 1)
  return day === null ? null : day * DAY_MS + timeFrom(fields, 0)! * 1000
}

/** The first time on that day from `second` (of the day) on, in seconds of the day; the date is not looked at. */
export function timeFrom({ hours, minutes, seconds }: CronFields, second: number): number | null {
  for (const hour of hours) {
    if ((hour + 1) * 3600 <= second) continue
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60
      if (start + 60 <= second) continue
      for (const one of seconds) if (start + one >= second) return start + one
    }
  }
  return null
}

export const firesOn = (fields: CronFields, day: Day): boolean => dayMatches(fields, day, partsOf(day))

function nextDay(fields: CronFields, from: Day): Day | null {
  const end = from + HORIZON_DAYS
  for (let day = from; day < end; ) {
    const parts = partsOf(day)
    if (!fields.months.has(parts.month)) day = firstOfNextMonth(parts)
    else if (dayMatches(fields, day, parts)) return day
    else day += 1
  }
  return null
}

const firstOfNextMonth = ({ year, month }: DateParts): Day =>
  month === 12 ? dayFrom(year + 1, 1, 1)! : dayFrom(year, month + 1, 1)!

function dayMatches(fields: CronFields, day: Day, parts: DateParts): boolean {
  if (!fields.months.has(parts.month)) return false
  const { days, lastDay, weekdays, nth } = fields
  const anyDay = days === null
  const anyWeekday = weekdays === null
  const ofMonth = anyDay || days.has(parts.day) || (lastDay && day + 1 === firstOfNextMonth(parts))
  // 0 = Sunday here.
  const weekday = (weekdayOf(day) + 1) % 7
  const week = Math.floor((parts.day - 1) / 7) + 1
  const ofWeek = anyWeekday || weekdays.has(weekday) || nth.some((one) => one.weekday === weekday && one.n === week)
  if (anyDay || anyWeekday || fields.bothDays) return ofMonth && ofWeek
  return ofMonth || ofWeek
}
