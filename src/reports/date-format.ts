/** Date formats of naming patterns and templates: `yyyy-MM-dd HH:mm`, literals in quotes. */
import { createZone } from '../platform/zone.ts'

interface DateSettings {
  /** IANA name; `UTC` for dates of Qlik, which have no zone. */
  readonly timezone: string
  readonly locale: string
}

type DatePart = (wall: Date, locale: string) => string

const two = (value: number): string => String(value).padStart(2, '0')
const word =
  (options: Intl.DateTimeFormatOptions): DatePart =>
  (wall, locale) =>
    new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }).format(wall)

const DATE_PARTS: Readonly<Record<string, DatePart>> = {
  yyyy: (wall) => String(wall.getUTCFullYear()).padStart(4, '0'),
  yy: (wall) => two(wall.getUTCFullYear() % 100),
  MMM: word({ month: 'short' }),
  MM: (wall) => two(wall.getUTCMonth() + 1),
  dd: (wall) => two(wall.getUTCDate()),
  HH: (wall) => two(wall.getUTCHours()),
  mm: (wall) => two(wall.getUTCMinutes()),
  ss: (wall) => two(wall.getUTCSeconds()),
  EEE: word({ weekday: 'short' }),
  ww: (wall) => two(isoWeek(wall)),
  QQ: (wall) => two(Math.floor(wall.getUTCMonth() / 3) + 1),
}

/** ISO 8601: weeks begin on Monday, week 1 holds 4 January. */
function isoWeek(wall: Date): number {
  const thursday = new Date(wall)
  thursday.setUTCDate(wall.getUTCDate() + 3 - ((wall.getUTCDay() + 6) % 7))
  const newYear = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  return Math.floor((thursday.getTime() - newYear) / (7 * 86_400_000)) + 1
}

/** Letters in a row, a text in quotes (`''` = a quote), or anything else. */
const DATE_PIECES = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g

/** The problem with a date format such as `yyyy-MM-dd'T'HH`; null when it can be used. */
export function dateFormatProblem(format: string): string | null {
  for (const [piece, , letter] of format.matchAll(DATE_PIECES)) {
    if (letter && !DATE_PARTS[piece]) {
      return `has the unknown letters ${piece}; known are ${Object.keys(DATE_PARTS).join(' ')}, other letters stand in quotes`
    }
    if (piece === "'") return 'has a quote that is not closed'
  }
  return null
}

/** Writes instants in a date format; letters that `dateFormatProblem` refuses stay as they are. */
export function createDateFormat(format: string, { timezone, locale }: DateSettings): (date: Date) => string {
  const zone = createZone(timezone)
  const parts = [...format.matchAll(DATE_PIECES)].map(([piece, quoted]): string | DatePart =>
    quoted === undefined ? (DATE_PARTS[piece] ?? piece) : quoted === '' ? "'" : quoted.replaceAll("''", "'"),
  )
  return (date) => {
    const wall = new Date(zone.wall(date.getTime()))
    return parts.map((part) => (typeof part === 'string' ? part : part(wall, locale))).join('')
  }
}
