/** A cron expression, read. */

export interface CronFields {
  /** As written, without blanks around it. */
  readonly text: string
  /** Ascending. */
  readonly seconds: readonly number[]
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** Days of the month; null = not restricted. */
  readonly days: ReadonlySet<number> | null
  /** The last day of the month, beside `days`. */
  readonly lastDay: boolean
  /** 1 = January. */
  readonly months: ReadonlySet<number>
  /** 0 = Sunday; null = not restricted. */
  readonly weekdays: ReadonlySet<number> | null
  /** The n-th such weekday of a month, beside `weekdays`. */
  readonly nth: readonly { readonly weekday: number; readonly n: number }[]
  /** Day of the month and weekday must both match. Plain cron takes a day on which either does. */
  readonly bothDays: boolean
  /** Hour and minute are numbers, without `*` and steps: such times come once on a day with 25 hours. */
  readonly fixed: boolean
  /** A month is written as a number. */
  readonly numericMonth: boolean
}

export type MonthBase = 0 | 1

export interface CronProblem {
  /** One line: `month 12 is out of range, months are 0-11 (0 = January); use jan-dec`. */
  readonly reason: string
  /** Where in the text, in characters. */
  readonly at: number
  readonly length: number
}

export type CronResult =
  | { readonly ok: true; readonly value: CronFields }
  | { readonly ok: false; readonly problem: CronProblem }

/** The text with a line of `^` below the wrong part, and why it is wrong. */
export function pointAt(text: string, { reason, at, length }: CronProblem): string {
  return `${text}\n${' '.repeat(at)}${'^'.repeat(Math.max(length, 1))} ${reason}`
}
