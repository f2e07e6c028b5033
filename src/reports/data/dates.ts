/** The days that date filters mean, as serial numbers of Qlik: days since 1899-12-30. */
import { createZone } from '../../platform/zone.ts'
import type { Clause } from '../entities/filter.ts'

export type DateClause = Extract<Clause, { readonly type: 'date' }>

/** Serial numbers: `from` is included, `to` is not. */
interface DayRange {
  readonly from: number
  readonly to: number
}

const DAY_MS = 86_400_000
const MONDAY = 1
const SERIAL_OF_1970 = 25_569

const serialOf = (day: number): number => day + SERIAL_OF_1970

/** Calendar day of an instant in a time zone, as days since 1970-01-01. */
export const dayIn = (instant: Date, timezone: string): number =>
  Math.floor(createZone(timezone).wall(instant.getTime()) / DAY_MS)

/** Days since 1970-01-01 of a date; months below 0 and above 11 lie in other years. */
const dayOf = (year: number, month: number, day: number): number => Date.UTC(year, month, day) / DAY_MS

type Span = (today: number, n: number) => readonly [from: number, to: number]

function calendar(today: number) {
  const date = new Date(today * DAY_MS)
  const [year, month, weekday] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDay()]
  return { year, month, quarter: month - (month % 3), monday: today - ((weekday - MONDAY + 7) % 7) }
}

/** Weeks begin on Monday. The last n days end with today. */
const PRESETS: Readonly<Record<DateClause['preset'], Span>> = {
  today: (today) => [today, today + 1],
  yesterday: (today) => [today - 1, today],
  lastNDays: (today, n) => [today - n + 1, today + 1],
  thisWeek: (today) => [calendar(today).monday, calendar(today).monday + 7],
  lastWeek: (today) => [calendar(today).monday - 7, calendar(today).monday],
  thisMonth: (today) => months(today, 0, 1),
  lastMonth: (today) => months(today, -1, 1),
  thisQuarter: (today) => quarters(today, 0),
  lastQuarter: (today) => quarters(today, -3),
  thisYear: (today) => years(today, 0),
  lastYear: (today) => years(today, -1),
  monthToDate: (today) => [months(today, 0, 1)[0], today + 1],
  yearToDate: (today) => [years(today, 0)[0], today + 1],
}

function months(today: number, offset: number, count: number): readonly [number, number] {
  const { year, month } = calendar(today)
  return [dayOf(year, month + offset, 1), dayOf(year, month + offset + count, 1)]
}

function quarters(today: number, offset: number): readonly [number, number] {
  const { year, quarter } = calendar(today)
  return [dayOf(year, quarter + offset, 1), dayOf(year, quarter + offset + 3, 1)]
}

function years(today: number, offset: number): readonly [number, number] {
  const { year } = calendar(today)
  return [dayOf(year + offset, 0, 1), dayOf(year + offset + 1, 0, 1)]
}

/** The days of a filter, seen from `now` on the wall clock of the time zone. `n` counts for `lastNDays` only. */
export function daysOf({ preset, n = 1 }: Pick<DateClause, 'preset' | 'n'>, now: Date, timezone: string): DayRange {
  const [from, to] = PRESETS[preset](dayIn(now, timezone), n)
  return { from: serialOf(from), to: serialOf(to) }
}
