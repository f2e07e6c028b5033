/** Calendars: sets of days made of dates, days of the week, files and other calendars. */
import { parseDay, weekdayOf, weekdaySet } from './days.ts'
import type { CalendarDefinition, Calendars, Day } from './types.ts'

export interface CalendarsSettings {
  readonly calendars: Readonly<Record<string, CalendarDefinition>>
  /** The days of the file of a calendar, as they are now. Default: none. */
  readonly fileDays?: (name: string) => ReadonlySet<Day>
}

const NO_DAYS: ReadonlySet<Day> = new Set()

export function createCalendars({ calendars, fileDays = () => NO_DAYS }: CalendarsSettings): Calendars {
  const prepared = new Map(Object.entries(calendars).map(([name, definition]) => [name, prepare(definition)]))

  /** `asked`: calendars that wait for the answer; one of them as its own exception takes nothing out. */
  function contains(name: string, day: Day, asked: readonly string[]): boolean {
    const calendar = prepared.get(name)
    if (!calendar) throw new Error(`There is no calendar "${name}"`)
    const { weekdays, dates, except } = calendar
    const added = weekdays.has(weekdayOf(day)) || dates.has(day) || fileDays(name).has(day)
    if (!added) return false
    const path = [...asked, name]
    return !except.some((other) => !path.includes(other) && contains(other, day, path))
  }

  return {
    has: (name) => prepared.has(name),
    contains: (name, day) => contains(name, day, []),
  }
}

function prepare({ days = [], dates = [], except = [] }: CalendarDefinition) {
  const known = dates.map(parseDay).filter((day) => day !== null)
  return { weekdays: weekdaySet(days), dates: new Set(known), except }
}
