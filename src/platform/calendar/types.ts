/** Windows of time and calendars, as people write them in the configuration. */

/** A day of the calendar, whatever the zone: days since 1970-01-01. */
export type Day = number

/**
 * Recurring on the wall clock, or with `start` and `end` a single one. Days are `mon`, `mon-fri`; times `HH:MM`, up to
 * `24:00`; `from` is included, `to` excluded. A `to` that is not after `from` is on the next day; `days`, `on` and
 * `notOn` mean the day of `from`.
 */
export interface Window {
  readonly days?: readonly string[] | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Names of calendars: on a day of any of them. */
  readonly on?: readonly string[] | undefined
  /** Names of calendars: on no day of them. */
  readonly notOn?: readonly string[] | undefined
  /** ISO 8601 with offset. */
  readonly start?: string | undefined
  readonly end?: string | undefined
  /** IANA name; default the zone of all windows. */
  readonly timezone?: string | undefined
}

/** The name of a window, or a window. */
export type WindowReference = string | Window

/** A set of days: days of the week, dates and the days of a file, without those of `except`. */
export interface CalendarDefinition {
  /** An .ics or .yaml file; '' = none. */
  readonly file?: string | undefined
  /** `2026-12-24` */
  readonly dates?: readonly string[] | undefined
  readonly days?: readonly string[] | undefined
  /** Names of calendars. */
  readonly except?: readonly string[] | undefined
}

export interface Calendars {
  has(name: string): boolean
  /** Throws for a name that is not there. */
  contains(name: string, day: Day): boolean
}

export interface Windows {
  has(name: string): boolean
  /** Whether the instant (ms since 1970) lies in the window. Throws for names that are not there. */
  contains(window: WindowReference, instant: number): boolean
}
