/** Recurrence of all-day events by year (RFC 5545, 3.3.10): the part of it that holiday calendars use. */
import { dayFrom, partsOf, weekdayOf } from './days.ts'
import type { Day } from './types.ts'

/** Recurring events are followed to the end of this year. */
export const LAST_YEAR = 2199

export interface YearlyRule {
  readonly interval: number
  /** Occurrences, the first one included; null = no end. */
  readonly count: number | null
  /** Last possible day; null = no end. */
  readonly until: Day | null
  /** 1 to 12; null = month of the first day, or all months where only days of the month or the week are named. */
  readonly months: readonly number[] | null
  /** 1 to 31, or -1 = last; null = day of the first. */
  readonly monthDays: readonly number[] | null
  /** `{ordinal: 4, weekday: 3}` = 4th Thursday of the month, or of the year when no month is named; 0 = each. */
  readonly weekdays: readonly { readonly ordinal: number; readonly weekday: number }[] | null
}

const WEEKDAY_CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** Reads `FREQ=YEARLY;BYMONTH=11;BYDAY=4TH`; a text says what of it cannot be followed. */
export function parseYearlyRule(text: string): YearlyRule | string {
  const parts = new Map(
    text.split(';').map((part) => {
      const [name = '', value = ''] = part.split('=')
      return [name.trim().toUpperCase(), value.trim().toUpperCase()] as const
    }),
  )
  if (parts.get('FREQ') !== 'YEARLY') return `FREQ=${parts.get('FREQ') ?? ''} is not FREQ=YEARLY`
  const problems: string[] = []

  function numbers(name: string, least: number, most: number, negative: boolean): number[] | null {
    const value = parts.get(name)
    if (value === undefined) return null
    const list = value.split(',').map(Number)
    const fits = (number: number) => {
      const size = negative ? Math.abs(number) : number
      return Number.isInteger(number) && size >= least && size <= most
    }
    if (!list.every(fits)) problems.push(`${name}=${value} cannot be read`)
    return list
  }

  for (const name of parts.keys()) if (!KNOWN_PARTS.has(name)) problems.push(`${name} is not followed`)
  const rule: YearlyRule = {
    interval: numbers('INTERVAL', 1, 1000, false)?.[0] ?? 1,
    count: numbers('COUNT', 1, 100_000, false)?.[0] ?? null,
    until: until(parts.get('UNTIL'), problems),
    months: numbers('BYMONTH', 1, 12, false),
    monthDays: numbers('BYMONTHDAY', 1, 31, true),
    weekdays: weekdays(parts.get('BYDAY'), problems),
  }
  return problems[0] ?? rule
}

const KNOWN_PARTS = new Set(['FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'BYMONTH', 'BYMONTHDAY', 'BYDAY', 'WKST'])

function until(value: string | undefined, problems: string[]): Day | null {
  if (value === undefined) return null
  const match = /^(\d{4})(\d{2})(\d{2})(T\d{6}Z?)?$/.exec(value)
  const day = match && dayFrom(Number(match[1]), Number(match[2]), Number(match[3]))
  if (day === null) problems.push(`UNTIL=${value} cannot be read`)
  return day
}

function weekdays(value: string | undefined, problems: string[]): YearlyRule['weekdays'] {
  if (value === undefined) return null
  return value.split(',').map((item) => {
    const match = /^([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)$/.exec(item.trim())
    const ordinal = Number(match?.[1] ?? 0)
    if (!match || Math.abs(ordinal) > 53) problems.push(`BYDAY=${item} cannot be read`)
    return { ordinal, weekday: WEEKDAY_CODES.indexOf(match?.[2] ?? 'MO') }
  })
}

/** First days of the occurrences, from `first` to the end of LAST_YEAR at most. */
export function* occurrences(first: Day, rule: YearlyRule): Generator<Day> {
  const start = partsOf(first)
  let left = rule.count ?? Number.POSITIVE_INFINITY
  for (let year = start.year; year <= LAST_YEAR; year += rule.interval) {
    for (const day of daysOfYear(year, start, rule)) {
      if (day < first) continue
      if (left === 0 || (rule.until !== null && day > rule.until)) return
      left -= 1
      yield day
    }
  }
}

function daysOfYear(
  year: number,
  start: { readonly month: number; readonly day: number },
  { months, monthDays, weekdays }: YearlyRule,
): readonly Day[] {
  if (weekdays !== null && months === null && monthDays === null) {
    return matching(span(dayFrom(year, 1, 1)!, dayFrom(year + 1, 1, 1)!), weekdays)
  }
  const all = Array.from({ length: 12 }, (_, index) => index + 1)
  const inMonths =
    months === null ? (monthDays === null ? [start.month] : all) : [...new Set(months)].sort((a, b) => a - b)
  return inMonths.flatMap((month) => {
    const days = span(dayFrom(year, month, 1)!, month === 12 ? dayFrom(year + 1, 1, 1)! : dayFrom(year, month + 1, 1)!)
    const wanted = monthDays ?? (weekdays === null ? [start.day] : null)
    const numbered = wanted && new Set(wanted.map((day) => (day > 0 ? days[day - 1] : days[days.length + day])))
    const byWeekday = weekdays === null ? days : matching(days, weekdays)
    return numbered === null ? byWeekday : byWeekday.filter((day) => numbered.has(day))
  })
}

const span = (from: Day, to: Day): readonly Day[] => Array.from({ length: to - from }, (_, index) => from + index)

function matching(days: readonly Day[], weekdays: NonNullable<YearlyRule['weekdays']>): readonly Day[] {
  const wanted = weekdays.flatMap(({ ordinal, weekday }) => {
    const such = days.filter((day) => weekdayOf(day) === weekday)
    return ordinal === 0 ? such : [such.at(ordinal > 0 ? ordinal - 1 : ordinal)]
  })
  return [...new Set(wanted)].filter((day) => day !== undefined).sort((a, b) => a - b)
}
