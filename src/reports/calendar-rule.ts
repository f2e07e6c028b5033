/** The rule `calendar`: whether a run starts at an allowed time of its zone. */
import { createZone } from '../platform/zone.ts'
import type { RuleOf } from './entities/condition.ts'

type Allowed = RuleOf<'calendar'>['allow']

const DAY_MS = 86_400_000
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

/** A calendar day without a zone, as days since 1970-01-01. */
type Day = number

const isoOf = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10)
const weekdayOf = (day: Day) => WEEKDAYS[new Date(day * DAY_MS).getUTCDay()] ?? 'sun'
const monthDayOf = (day: Day): number => new Date(day * DAY_MS).getUTCDate()

/**
 * All members must allow the time. `from` is included, `to` is not; a `to` that is not after `from` is on the next day,
 * and then the days are those of `from`. Workdays are Monday to Friday without `notDates`.
 */
export function withinCalendar(allow: Allowed, now: Date, timezone: string): { met: boolean; left: string } {
  const wall = createZone(timezone).wall(now.getTime())
  const today = Math.floor(wall / DAY_MS)
  const time = new Date(wall).toISOString().slice(11, 16)
  const left = `${isoOf(today)} ${time} ${weekdayOf(today)}`
  const { from = '00:00', to = '24:00' } = allow
  const isOvernight = to <= from
  const startedYesterday = isOvernight && time < to
  const isOpen = isOvernight ? time >= from || time < to : time >= from && time < to
  return { met: isOpen && isDayAllowed(allow, startedYesterday ? today - 1 : today), left }
}

function isDayAllowed({ weekdays, dates, notDates = [], monthDay, workday }: Allowed, day: Day): boolean {
  if (weekdays && !weekdays.includes(weekdayOf(day))) return false
  if (dates && !dates.includes(isoOf(day))) return false
  if (notDates.includes(isoOf(day))) return false
  if (monthDay !== undefined && !isMonthDay(monthDay, day)) return false
  return workday === undefined || isEdgeWorkday(workday, notDates, day)
}

function isMonthDay(wanted: NonNullable<Allowed['monthDay']>, day: Day): boolean {
  if (wanted === 'last') return monthDayOf(day + 1) === 1
  return monthDayOf(day) === (wanted === 'first' ? 1 : wanted)
}

/** Whether the day is the first or last workday of its month. */
function isEdgeWorkday(edge: 'first' | 'last', notDates: readonly string[], day: Day): boolean {
  const isWorkday = (one: Day) => !['sat', 'sun'].includes(weekdayOf(one)) && !notDates.includes(isoOf(one))
  if (!isWorkday(day)) return false
  const step = edge === 'first' ? -1 : 1
  const month = new Date(day * DAY_MS).getUTCMonth()
  for (let other = day + step; new Date(other * DAY_MS).getUTCMonth() === month; other += step) {
    if (isWorkday(other)) return false
  }
  return true
}
