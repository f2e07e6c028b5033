/** Points in time on the command line: as they are typed, and as listings show them. */
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../platform/duration.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?)?$/
const DAY_AND_CLOCK = /^(today|yesterday)?\s*(?:(\d\d?):(\d\d))?$/i

/** Accepted forms, for help texts and errors. */
export const TIME_FORMS = '2h (ago), 22:00, yesterday, "yesterday 18:00" or 2026-03-02T03:00'

/**
 * Parses a typed time to ISO 8601 in UTC; null when it has none of the forms. Times without a zone are local. `22:00` is
 * the last one before `now` (milliseconds since 1970).
 */
export function pointInTime(text: string, now: number): string | null {
  const typed = text.trim()
  const ago = parseDuration(typed)
  if (ago.ok) return iso(now - ago.value)
  const day = DAY_AND_CLOCK.exec(typed)
  if (day && typed !== '') return dayTime(day, now)
  const local = LOCAL.exec(typed)
  if (local) {
    const [year = 0, month = 1, date = 1, hours = 0, minutes = 0, seconds = 0] = local
      .slice(1)
      .map((part) => Number(part ?? 0))
    return hours > 23 || minutes > 59 ? null : iso(new Date(year, month - 1, date, hours, minutes, seconds).getTime())
  }
  return /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/i.test(typed) ? iso(Date.parse(typed)) : null
}

function dayTime([, word, hours = '0', minutes = '0']: RegExpExecArray, now: number): string | null {
  if (Number(hours) > 23 || Number(minutes) > 59) return null
  const at = new Date(now)
  at.setHours(Number(hours), Number(minutes), 0, 0)
  const isLast = word === undefined && at.getTime() > now
  if (word?.toLowerCase() === 'yesterday' || isLast) at.setDate(at.getDate() - 1)
  return iso(at.getTime())
}

const iso = (ms: number): string | null => (Number.isNaN(ms) ? null : new Date(ms).toISOString())

/** Parser of an option with a time. */
export function toTime(text: string): string {
  const time = pointInTime(text, Date.now())
  if (time !== null) return time
  throw new InvalidArgumentError(`"${text}" is not a time: give ${TIME_FORMS}`)
}

/** `2026-03-02 06:03:11` in local time, or `2026-03-02T06:03:11Z`. A text that is no ISO time in UTC stays as it is. */
export function timeText(time: string, utc = false): string {
  if (!ISO.test(time)) return time
  if (utc) return time.replace(/\.\d+Z$/, 'Z')
  const at = new Date(time)
  const two = (part: number) => String(part).padStart(2, '0')
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`
}
