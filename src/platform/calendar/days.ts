/** Days of the calendar as numbers, days of the week as words. */
import type { Day } from './types.ts'

export const DAY_MS = 86_400_000

/** In the order in which weeks are written. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

/** The day of a wall clock that is given as if it were UTC. */
export const dayOf = (wall: number): Day => Math.floor(wall / DAY_MS)

/** 0 = Monday. 1970-01-01 was a Thursday. */
export const weekdayOf = (day: Day): number => (((day + 3) % 7) + 7) % 7

/** `2026-12-24`, `20261224`; null when there is no such day. */
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

/** `mon`, `mon-fri`, `sat-mon` to the numbers of `weekdayOf`. Throws for other texts, which a schema has refused before. */
export function weekdaySet(ranges: readonly string[]): ReadonlySet<number> {
  const days = new Set<number>()
  for (const range of ranges) {
    const [first = '', last = first] = range.trim().toLowerCase().split('-')
    const from = WEEKDAYS.indexOf(first as never)
    const to = WEEKDAYS.indexOf(last as never)
    if (from < 0 || to < 0) throw new Error(`"${range}" is not a day like mon or a range like mon-fri`)
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === to) break
    }
  }
  return days
}
