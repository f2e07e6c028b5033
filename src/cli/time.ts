/** Points in time on the command line: as they are typed, and as listings show them, on the clock of the site. */
import { InvalidArgumentError } from 'commander'
import { formatDay, parseDay } from '../platform/calendar.ts'
import { parseDuration } from '../platform/duration.ts'
import { createZoneTimes, timesIn, type ZoneTimes } from '../platform/zone-times.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/
const DAY_AND_CLOCK = /^(today|yesterday)?\s*(?:(\d\d?):(\d\d))?$/i
/** A time may be typed without the zero before its hour. */
const SHORT_HOUR = /(?<=^\d{4}-\d\d-\d\d[T ])(?=\d:)/

/** Accepted forms, for help texts and errors. */
export const TIME_FORMS = '2h (ago), 22:00, yesterday, "yesterday 18:00" or 2026-03-02T03:00'

/**
 * Parses a typed time to ISO 8601 in UTC; null when it has none of the forms. Times without a zone are on this clock.
 * `22:00` is the last one before `now` (milliseconds since 1970).
 */
export function pointInTime(text: string, now: number, times: ZoneTimes): string | null {
  const typed = text.trim()
  const ago = parseDuration(typed)
  if (ago.ok) return iso(now - ago.value)
  const day = DAY_AND_CLOCK.exec(typed)
  return iso(day && typed !== '' ? dayTime(day, now, times) : times.instant(typed.replace(SHORT_HOUR, '0')))
}

function dayTime([, word, hours = '0', minutes = '00']: RegExpExecArray, now: number, times: ZoneTimes): number | null {
  const today = parseDay(times.clock(now).slice(0, 10))!
  const on = (day: number) => times.instant(`${formatDay(day)} ${hours.padStart(2, '0')}:${minutes}`)
  const at = on(today)
  const isLast = word === undefined && at !== null && at > now
  return word?.toLowerCase() === 'yesterday' || isLast ? on(today - 1) : at
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** Parser of an option with a time, which only the site's zone makes a point in time: see `Remote.pointInTime`. */
export function toTime(text: string): string {
  if (pointInTime(text, Date.now(), createZoneTimes('UTC')) !== null) return text
  throw new InvalidArgumentError(`"${text}" is not a time: give ${TIME_FORMS}`)
}

/**
 * `2026-03-02 06:03:11` on this clock; without one `2026-03-02T06:03:11Z`. A text that is no ISO time in UTC stays as it
 * is.
 */
export function timeText(time: string, times: ZoneTimes | undefined): string {
  if (!ISO.test(time)) return time
  return times ? times.clock(Date.parse(time)) : time.replace(/\.\d+Z$/, 'Z')
}

/** The same with its zone, for times that are read by themselves. */
export const zonedTimeText = (time: string, times: ZoneTimes | undefined): string =>
  times && ISO.test(time) ? times.text(Date.parse(time)) : timeText(time, times)

/** A text that was stored for readers in any zone, with its times on this clock. */
export const proseText = (text: string, times: ZoneTimes | undefined): string =>
  timesIn(text)
    .map((piece) => zonedTimeText(piece, times))
    .join('')
