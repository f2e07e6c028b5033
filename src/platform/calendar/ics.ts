/** Days of an iCalendar file (RFC 5545): all-day events, their length, yearly recurrence and exceptions. */
import { dayFrom } from './days.ts'
import { occurrences, parseYearlyRule } from './ics-rule.ts'
import type { Day } from './types.ts'

export interface CalendarContent {
  readonly days: ReadonlySet<Day>
  /** What was left out, and why; one line each. */
  readonly warnings: readonly string[]
}

interface Property {
  readonly name: string
  readonly parameters: string
  readonly value: string
}

/** An event of more than a year is a mistake. */
const MAX_LENGTH = 400
/** A file that holds more days is a mistake too, or an attack. */
const MAX_DAYS = 1_000_000
const MAX_WARNINGS = 20

/** Throws when the text is no calendar at all. */
export function readIcs(text: string): CalendarContent {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]/g, '')
    .split('\n')
  if (!lines.some((line) => /^BEGIN:VCALENDAR\s*$/i.test(line))) {
    throw new Error('it is not an iCalendar file: BEGIN:VCALENDAR is missing')
  }
  const days = new Set<Day>()
  const warnings: string[] = []
  for (const event of eventsOf(lines)) {
    const found = daysOf(event)
    const title = (textOf(event, 'SUMMARY') ?? textOf(event, 'UID') ?? 'without a title').slice(0, 80)
    if (found.warning !== null) warnings.push(`event "${title}": ${found.warning}`)
    for (const day of found.days) days.add(day)
    if (days.size > MAX_DAYS) throw new Error(`it holds more than ${MAX_DAYS} days`)
  }
  const more = warnings.length - MAX_WARNINGS
  return { days, warnings: more > 0 ? [...warnings.slice(0, MAX_WARNINGS), `and ${more} more`] : warnings }
}

/** Properties of each VEVENT, without those of what is nested in it (alarms). */
function eventsOf(lines: readonly string[]): Property[][] {
  const events: Property[][] = []
  let path: string[] = []
  let current: Property[] = []
  for (const line of lines) {
    const property = propertyOf(line)
    if (!property) continue
    const component = property.value.trim().toUpperCase()
    if (property.name === 'BEGIN') {
      path.push(component)
      if (component === 'VEVENT') current = []
    } else if (property.name === 'END') {
      if (component === 'VEVENT' && path.includes('VEVENT')) events.push(current)
      path = path.slice(0, Math.max(path.lastIndexOf(component), 0))
    } else if (path.at(-1) === 'VEVENT') {
      current.push(property)
    }
  }
  return events
}

function propertyOf(line: string): Property | null {
  const match = /^([\w-]+)((?:;[\w-]+=(?:"[^"]*"|[^",;:]*)(?:,(?:"[^"]*"|[^",;:]*))*)*):(.*)$/.exec(line)
  return match && { name: match[1]!.toUpperCase(), parameters: match[2]!.toUpperCase(), value: match[3]! }
}

const textOf = (event: readonly Property[], name: string): string | undefined =>
  event.find((property) => property.name === name)?.value.trim()

function daysOf(event: readonly Property[]): { days: Iterable<Day>; warning: string | null } {
  const none = (warning: string | null) => ({ days: [], warning })
  if (textOf(event, 'STATUS')?.toUpperCase() === 'CANCELLED') return none(null)
  const first = dateOf(textOf(event, 'DTSTART'))
  if (first === null) return none('it is no all-day event and is left out')
  if (textOf(event, 'RECURRENCE-ID') !== undefined) return none('changes of single occurrences are left out')
  const length = lengthOf(event, first)
  if (length < 1 || length > MAX_LENGTH) return none(`it lasts ${length} days and is left out`)
  const { starts, warning } = startsOf(event, first)
  const excluded = new Set(datesOf(event, 'EXDATE'))
  const kept = [...new Set([...starts, ...datesOf(event, 'RDATE')])].filter((day) => !excluded.has(day))
  return { days: kept.flatMap((day) => Array.from({ length }, (_, index) => day + index)), warning }
}

function startsOf(event: readonly Property[], first: Day): { starts: readonly Day[]; warning: string | null } {
  const rules = event.filter(({ name }) => name === 'RRULE')
  if (rules.length === 0) return { starts: [first], warning: null }
  const parsed = rules.map(({ value }) => parseYearlyRule(value))
  const problem = parsed.find((rule) => typeof rule === 'string')
  if (problem !== undefined) return { starts: [first], warning: `${problem}; only its first day counts` }
  return {
    starts: parsed.flatMap((rule) => (typeof rule === 'string' ? [] : [...occurrences(first, rule)])),
    warning: null,
  }
}

/** Days of an event; DTEND is the day after the last one. */
function lengthOf(event: readonly Property[], first: Day): number {
  const end = dateOf(textOf(event, 'DTEND'))
  // Some programs write the same day as begin and end.
  if (end !== null) return end === first ? 1 : end - first
  const duration = /^P(?:(\d+)W)?(?:(\d+)D)?$/i.exec(textOf(event, 'DURATION') ?? '')
  return duration ? Math.max(Number(duration[1] ?? 0) * 7 + Number(duration[2] ?? 0), 1) : 1
}

function datesOf(event: readonly Property[], wanted: string): Day[] {
  return event
    .filter(({ name }) => name === wanted)
    .flatMap(({ value }) => value.split(',').map(dateOf))
    .filter((day) => day !== null)
}

/** The day of a date; null for a date with a time, and for no date. */
function dateOf(text: string | undefined): Day | null {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(text?.trim() ?? '')
  return match && dayFrom(Number(match[1]), Number(match[2]), Number(match[3]))
}
