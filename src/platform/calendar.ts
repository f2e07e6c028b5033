/**
 * Calendars and windows of time of the configuration: a calendar is a set of days (dates, days of the week, files, other
 * calendars), a window decides whether an instant lies in it, on the wall clock of its zone.
 */
import { createOffsets, type Offsets } from './offsets.ts'
import { hostZone } from './zone.ts'
import { createZoneTimes } from './zone-times.ts'

/** A calendar day, independent of the zone: days since 1970-01-01. */
export type Day = number

/**
 * A window that recurs on the wall clock, or a single one with `start` and `end`. Days are `mon`, `mon-fri`; times `HH:MM`, up to
 * `24:00`; `from` is included, `to` excluded. A `to` that is not after `from` is on the next day; `days`, `on` and
 * `notOn` mean the day of `from`. A time that a clock change brings twice means the first one, one that it skips the change.
 */
export interface Window {
  readonly days?: readonly string[] | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Names of calendars: the window opens only on a day of at least one of them. */
  readonly on?: readonly string[] | undefined
  /** Names of calendars: the window does not open on their days. */
  readonly notOn?: readonly string[] | undefined
  /** ISO 8601; without an offset in the zone of the window. */
  readonly start?: string | undefined
  readonly end?: string | undefined
  /** IANA name; default: the zone of `WindowsSettings`. */
  readonly timezone?: string | undefined
}

/** The name of a window, or a window. */
export type WindowReference = string | Window

/** A set of days: days of the week, dates and the days of a file, without those of `except`. */
export interface CalendarDefinition {
  /** An .ics, .yaml or .csv file; '' = none. */
  readonly file?: string | undefined
  /** `2026-12-24` */
  readonly dates?: readonly string[] | undefined
  readonly days?: readonly string[] | undefined
  /** Names of calendars. */
  readonly except?: readonly string[] | undefined
}

export interface Calendars {
  has(name: string): boolean
  /** Throws for an unknown name. */
  contains(name: string, day: Day): boolean
  /** Why files that the calendar is made of cannot be used now; days may be missing. */
  troubles(name: string): readonly string[]
}

/** Where a day of a calendar comes from. */
export type DayReason = 'date' | 'weekday' | 'file'

export interface CalendarReasons {
  /** Null: it is no day of the calendar. Throws for an unknown name. */
  reason(name: string, day: Day): DayReason | null
}

export interface Windows {
  has(name: string): boolean
  /** Whether the instant (ms since 1970) lies in the window. Throws for unknown names. */
  contains(window: WindowReference, instant: number): boolean
  /** Those of the calendars of the window. */
  troubles(window: WindowReference): readonly string[]
}

interface CalendarsSettings {
  readonly calendars: Readonly<Record<string, CalendarDefinition>>
  /** The current days of the file of a calendar. Default: none. */
  readonly fileDays?: (name: string) => ReadonlySet<Day>
  /** Why the file of a calendar cannot be used; null = it can, or there is none. Default: all can. */
  readonly fileTrouble?: (name: string) => string | null
}

const NO_DAYS: ReadonlySet<Day> = new Set()

export function createCalendars({
  calendars,
  fileDays = () => NO_DAYS,
  fileTrouble = () => null,
}: CalendarsSettings): Calendars & CalendarReasons {
  const prepared = new Map(Object.entries(calendars).map(([name, definition]) => [name, prepareCalendar(definition)]))

  /** `asking`: calendars whose `reason` is in progress; a calendar that is its own exception removes no days. */
  function reason(name: string, day: Day, asking: readonly string[]): DayReason | null {
    const calendar = prepared.get(name)
    if (!calendar) throw new Error(`There is no calendar "${name}"`)
    const { weekdays, dates, except } = calendar
    const added = dates.has(day)
      ? 'date'
      : weekdays.has(weekdayOf(day))
        ? 'weekday'
        : fileDays(name).has(day)
          ? 'file'
          : null
    if (added === null) return null
    const path = [...asking, name]
    return except.some((other) => !path.includes(other) && reason(other, day, path) !== null) ? null : added
  }

  return {
    has: (name) => prepared.has(name),
    contains: (name, day) => reason(name, day, []) !== null,
    reason: (name, day) => reason(name, day, []),
    troubles: (name) =>
      [...new Set([name, ...(prepared.get(name)?.except ?? [])])].flatMap((one) => {
        const trouble = fileTrouble(one)
        return trouble === null ? [] : [`calendar ${one}: ${trouble}`]
      }),
  }
}

function prepareCalendar({ days = [], dates = [], except = [] }: CalendarDefinition) {
  const known = dates.map(parseDay).filter((day) => day !== null)
  return { weekdays: weekdaySet(days), dates: new Set(known), except }
}

interface WindowsSettings {
  readonly windows: Readonly<Record<string, Window>>
  readonly calendars: Calendars
  /** IANA zone of windows without a zone; '' = the zone of this computer. */
  readonly timezone: string
}

/** From `from` until before `to`, ms since 1970. */
export interface Period {
  readonly from: number
  readonly to: number
}

interface Prepared {
  readonly contains: (instant: number) => boolean
  /** The period that begins on a day of the wall clock; null = none. */
  readonly on: (day: Day) => Period | null
}

/** Days in which the next periods of a window are looked for. */
const PERIOD_DAYS = 731

export interface WindowPeriods {
  /** The period of a named window that is open, and the next ones; those that touch are one. */
  next(window: string, instant: number, count: number): readonly Period[]
}

export function createWindows({ windows, calendars, timezone }: WindowsSettings): Windows & WindowPeriods {
  const zones = new Map<string, Offsets>()
  const named = new Map(Object.entries(windows).map(([name, window]) => [name, prepare(window)]))
  const unnamed = new WeakMap<Window, Prepared>()

  function offsetsOf(zone: string): Offsets {
    const offsets = zones.get(zone) ?? createOffsets(zone || hostZone())
    zones.set(zone, offsets)
    return offsets
  }

  function prepare(window: Window): Prepared {
    return window.start !== undefined || window.end !== undefined ? single(window, timezone) : recurring(window)
  }

  function recurring(window: Window): Prepared {
    const offsets = offsetsOf(window.timezone ?? timezone)
    const from = window.from === undefined ? 0 : msOfDay(window.from)
    const to = window.to === undefined ? DAY_MS : msOfDay(window.to)
    const end = to > from ? to : to + DAY_MS
    const allowed = dayTest(window, calendars)
    const on = (day: Day): Period => ({
      from: offsets.instantOf(day * DAY_MS + from),
      to: offsets.instantOf(day * DAY_MS + end),
    })
    return {
      contains(instant) {
        const today = dayOf(instant + offsets.at(instant))
        // A window that began yesterday may still be open, and a clock that is set back may show yesterday again.
        return [today, today - 1, today + 1].some((day) => {
          const period = on(day)
          return instant >= period.from && instant < period.to && allowed(day)
        })
      },
      on: (day) => (allowed(day) ? on(day) : null),
    }
  }

  return {
    has: (name) => named.has(name),
    contains(window, instant) {
      const prepared = typeof window === 'string' ? named.get(window) : (unnamed.get(window) ?? prepare(window))
      if (!prepared) throw new Error(`There is no window "${window}"`)
      if (typeof window !== 'string') unnamed.set(window, prepared)
      return prepared.contains(instant)
    },
    troubles(window) {
      const { on = [], notOn = [] } = (typeof window === 'string' ? windows[window] : window) ?? {}
      return [...on, ...notOn].flatMap(calendars.troubles)
    },
    next(window, instant, count) {
      const prepared = named.get(window)
      if (!prepared) throw new Error(`There is no window "${window}"`)
      const found: Period[] = []
      const first = dayOf(instant) - 2
      for (let day = first; day < first + PERIOD_DAYS; day += 1) {
        const period = prepared.on(day)
        if (!period || period.to <= instant) continue
        const last = found.at(-1)
        if (last && period.from <= last.to)
          found[found.length - 1] = { from: last.from, to: Math.max(last.to, period.to) }
        else if (found.length === count) return found
        else found.push(period)
      }
      return found
    },
  }
}

function single({ start = '', end = '', timezone }: Window, siteZone: string): Prepared {
  const times = createZoneTimes(timezone ?? siteZone)
  const [from, to] = [start, end].map((text) => times.instant(text) ?? Number.NaN) as [number, number]
  return { contains: (instant) => instant >= from && instant < to, on: () => (from < to ? { from, to } : null) }
}

/** The days on which a window begins. */
function dayTest({ days, on, notOn = [] }: Window, calendars: Calendars): (day: Day) => boolean {
  const weekdays = days === undefined ? null : weekdaySet(days)
  return (day) =>
    (weekdays === null || weekdays.has(weekdayOf(day))) &&
    (on === undefined || on.some((name) => calendars.contains(name, day))) &&
    !notOn.some((name) => calendars.contains(name, day))
}

function msOfDay(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return (hours * 60 + minutes) * 60_000
}

export const DAY_MS = 86_400_000

/** Words for the numbers of `weekdayOf`. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

/** The day of a wall-clock time in ms, as `Zone.wall` returns it. */
export const dayOf = (wall: number): Day => Math.floor(wall / DAY_MS)

/** 0 = Monday. 1970-01-01 was a Thursday. */
export const weekdayOf = (day: Day): number => (((day + 3) % 7) + 7) % 7

/** `2026-12-24`, `20261224`; null when the text is no existing day. */
export function parseDay(text: string): Day | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$|^(\d{4})(\d{2})(\d{2})$/.exec(text.trim())
  if (!match) return null
  const [year, month, day] = match[1] === undefined ? match.slice(4, 7) : match.slice(1, 4)
  return dayFrom(Number(year), Number(month), Number(day))
}

/** Null for 31 April and the like. `month` 1 to 12. */
function dayFrom(year: number, month: number, day: number): Day | null {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? dayOf(date.getTime()) : null
}

/** `2026-12-24` */
export const formatDay = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** The days of `mon`, `mon-fri`, `sat-mon`, as the numbers of `weekdayOf`; null for another text. */
export function weekdayRange(text: string): readonly number[] | null {
  const [first = '', last = first] = text.trim().toLowerCase().split('-')
  const [from, to] = [WEEKDAYS.indexOf(first as never), WEEKDAYS.indexOf(last as never)]
  if (from < 0 || to < 0) return null
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, n) => (from + n) % 7)
}

/** The days of ranges. Throws for texts that are none, which the configuration schema refuses before. */
function weekdaySet(ranges: readonly string[]): ReadonlySet<number> {
  return new Set(
    ranges.flatMap((range) => {
      const days = weekdayRange(range)
      if (days === null) throw new Error(`"${range}" is not a day like mon or a range like mon-fri`)
      return days
    }),
  )
}
