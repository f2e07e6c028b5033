/**
 * The days of calendar files (.ics, a YAML list of dates; .csv or .xlsx with dates in the first column), read at start and again when a file changes.
 *
 * The days of an iCalendar file (RFC 5545) are those of all-day events, with their length, yearly recurrence and exceptions.
 * ical.js reads the properties, rrule-temporal follows the rules (ical.js moves 29 February to 1 March). Both are loaded with
 * the first such file.
 */

import { readFile, stat } from 'node:fs/promises'
import { isScalar, isSeq, LineCounter, parseDocument, type Scalar } from 'yaml'
import { type Day, formatDay, parseDay } from './calendar.ts'
import { encodingNote, isZip, lostNote, refuseMarkup, strictText, TextError } from './encodings.ts'
import { errorText } from './errors.ts'
import { createRecurringJob } from './recurring-job.ts'
import { parseTable, type TableRow } from './table.ts'
import type { Logger } from './types.ts'

interface CalendarFilesDeps {
  readonly log: Logger
  /** The first sheet of a workbook. Rejects with a `TextError`. */
  readonly readTable: (bytes: Uint8Array) => Promise<readonly TableRow[]>
  /** Called with the reason when a file cannot be read, with null when it can: at the first reading and at each change. */
  readonly onFailure?: ((calendar: string, reason: string | null) => void) | undefined
}

interface CalendarFilesSettings {
  /** Absolute paths by name of the calendar. */
  readonly files: Readonly<Record<string, string>>
  /** Interval between two checks of the files; default 5 s. */
  readonly pollMs?: number
}

export interface CalendarFiles {
  readonly name: string
  /** Days of the last readable content; empty before the first reading. */
  days(calendar: string): ReadonlySet<Day>
  /** The name of a day in the file, such as that of a holiday; null = it has none. */
  nameOf(calendar: string, day: Day): string | null
  /** Why the file cannot be used now; null = it can, or has not been read yet. */
  trouble(calendar: string): string | null
  /** Reads all files once. Never rejects: a file that cannot be read is logged and reported. */
  read(): Promise<void>
  /** Reads all files, and again when one changes. */
  start(): Promise<void>
  stop(): Promise<void>
}

interface Known {
  days: ReadonlySet<Day>
  names: ReadonlyMap<Day, string>
  /** Size and time of the file at the last reading. */
  stamp: string
  trouble: string | null
}

const POLL_MS = 5000
const MAX_BYTES = 10 * 1024 * 1024
const NO_DAYS: ReadonlySet<Day> = new Set()
const NO_NAMES: ReadonlyMap<Day, string> = new Map()

export function createCalendarFiles(deps: CalendarFilesDeps, settings: CalendarFilesSettings): CalendarFiles {
  const { log, readTable, onFailure } = deps
  const files = Object.entries(settings.files)
  const known = new Map<string, Known>()

  async function look(calendar: string, path: string): Promise<void> {
    const before = known.get(calendar) ?? { days: NO_DAYS, names: NO_NAMES, stamp: '', trouble: null }
    try {
      const { size, mtimeMs } = await stat(path)
      const stamp = `${size} ${mtimeMs}`
      if (stamp === before.stamp) return
      const { days, names = NO_NAMES, warnings, note } = await readCalendarFile(path, readTable)
      for (const warning of note === undefined ? warnings : [note, ...warnings])
        log.warn(`CALENDAR ${calendar}: ${path}: ${warning}`)
      log.verbose(`CALENDAR ${calendar}: ${days.size} days read from ${path}`)
      known.set(calendar, { days, names, stamp, trouble: null })
      if (before.trouble !== null || before.stamp === '') onFailure?.(calendar, null)
    } catch (error) {
      const trouble = `${path}: ${errorText(error)}`
      known.set(calendar, { ...before, stamp: '', trouble })
      if (trouble === before.trouble) return
      const content = before.days.size > 0 ? 'its last good content stays in use' : 'it has no days'
      log.error(`CALENDAR ${calendar}: The file cannot be used, ${content}. ${trouble}`)
      onFailure?.(calendar, trouble)
    }
  }

  async function lookAtAll(): Promise<void> {
    for (const [calendar, path] of files) await look(calendar, path)
  }

  const polling = createRecurringJob({ everyMs: settings.pollMs ?? POLL_MS, unref: true }, lookAtAll)

  return {
    name: 'calendars',
    days: (calendar) => known.get(calendar)?.days ?? NO_DAYS,
    nameOf: (calendar, day) => known.get(calendar)?.names.get(day) ?? null,
    trouble: (calendar) => known.get(calendar)?.trouble ?? null,
    read: lookAtAll,
    async start() {
      await lookAtAll()
      if (files.length > 0) polling.start()
    },
    stop: polling.stop,
  }
}

/** Rejects when the file is neither a calendar nor a list of dates; with a `TextError` where the line is known. */
export async function readCalendarFile(
  path: string,
  readTable: CalendarFilesDeps['readTable'],
): Promise<CalendarContent> {
  const { size } = await stat(path)
  if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 1024 / 1024} MB`)
  const bytes = await readFile(path)
  if (isZip(bytes)) return daysOfTable(await readTable(bytes))
  const { text, encoding } = strictText(bytes)
  refuseMarkup(text)
  const note = encodingNote(encoding) ?? lostNote(text)
  return { ...(await readCalendarText(path, text)), ...(note !== null && { note: `the file ${note}` }) }
}

/** `path` says by its end which kind of text it is: .ics, .csv and the like, else YAML. */
export async function readCalendarText(path: string, text: string): Promise<CalendarContent> {
  if (/\.ics$/i.test(path)) return readIcs(text)
  if (/\.(?:csv|tsv|txt|xls[xmb]?)$/i.test(path)) return daysOfTable(parseTable(text))
  // The library takes the line ends of old Macs (CR only) for no line ends.
  const lines = new LineCounter()
  const document = parseDocument(text.replace(/\r\n?/g, '\n'), { lineCounter: lines })
  const [broken] = document.errors
  if (broken) throw new TextError(broken.message.split(' at line')[0]!, ...placeOf(lines, broken.pos[0]))
  if (document.contents === null) return { days: NO_DAYS, warnings: [] }
  if (!isSeq(document.contents)) throw new TextError('a list of dates like "- 2026-12-24" is wanted', 1, 1)
  const days = document.contents.items.map((item) => {
    const day = isScalar(item) && typeof item.value === 'string' ? parseDay(item.value) : null
    if (day !== null) return day
    const { source, range } = item as Partial<Scalar>
    const shown = source ?? String(document.contents?.toJSON())
    throw new TextError(`"${shown.slice(0, 40)}" is no date like 2026-12-24`, ...placeOf(lines, range?.[0] ?? 0))
  })
  return { days: new Set(days), warnings: [] }
}

function placeOf(lines: LineCounter, at: number): [line: number, column: number] {
  const { line, col } = lines.linePos(at)
  return [line, col]
}

/** The first column holds the days; a first line without one names the columns. */
function daysOfTable(rows: readonly TableRow[]): CalendarContent {
  const [head] = rows
  const days = rows.flatMap((row) => {
    const cell = (row.cells[0] ?? '').trim()
    const day = parseDay(cell.replace(/^(\d{2})\.(\d{2})\.(\d{4})$/, '$3-$2-$1'))
    if (day !== null) return [day]
    if (row === head && !/\d/.test(cell)) return withoutTwins(row)
    throw new TextError(`"${cell.slice(0, 40)}" is no date like 2026-12-24 or 24.12.2026`, row.line, 1)
  })
  return { days: new Set(days), warnings: [] }
}

/** No days: the row is a header. Throws a `TextError` when it has a name twice. */
function withoutTwins({ line, cells }: TableRow): [] {
  const names = cells.map((cell) => cell.trim().toLowerCase())
  const twin = names.findIndex((name, index) => name !== '' && names.indexOf(name) < index)
  if (twin >= 0) throw new TextError(`the column ${cells[twin]!.trim()} is there twice`, line, 1)
  return []
}

interface CalendarContent {
  readonly days: ReadonlySet<Day>
  /** Names of days, such as those of holidays. */
  readonly names?: ReadonlyMap<Day, string>
  /** One line for each thing that was left out, with the reason. */
  readonly warnings: readonly string[]
  /** About letters of the file that may be wrong. A damaged date is no such letter: it refuses the file. */
  readonly note?: string
}

/** A property in jCal (RFC 7265): name, parameters, type, values. A date is `2026-12-24`. */
type Property = readonly [name: string, parameters: object, type: string, ...values: unknown[]]

interface EventText {
  readonly lines: readonly string[]
  readonly rules: readonly string[]
}

/** An event of more than a year is a mistake. */
const MAX_LENGTH = 400
/** A file with more days is refused; a day of several events counts once for each. */
const MAX_DAYS = 1_000_000
const MAX_WARNINGS = 20
/** Reading a line of parameters takes time with the square of its length. */
const MAX_LINE = 20_000
/** Recurring events are followed to the end of this year. */
const LAST_YEAR = 2199

/** The lines that determine days, and the two that name an event. All other lines are ignored, well-formed or not. */
const USED_LINE = /^(BEGIN|END|DTSTART|DTEND|DURATION|EXDATE|RDATE|RECURRENCE-ID|STATUS|SUMMARY|UID)[;:]/i
const RULE_LINE = /^RRULE(?:;[^:]*)?:(.*)$/i

/** Rejects when the text is no calendar at all; with a `TextError` when it is cut short or has a damaged date. */
export async function readIcs(text: string): Promise<CalendarContent> {
  const lines = unfolded(text)
  const begin = lines.findLastIndex((line) => /^BEGIN:VCALENDAR\s*$/i.test(line.text))
  if (begin < 0) throw new Error('it is not an iCalendar file: BEGIN:VCALENDAR is missing')
  const libraries = await loadLibraries()
  const days = new Set<Day>()
  const names = new Map<Day, string>()
  const warnings: string[] = []
  let count = 0
  const events = [...eventsOf(lines)]
  if (!lines.slice(begin).some((line) => /^END:VCALENDAR\s*$/i.test(line.text)))
    throw new TextError('the file is cut short: END:VCALENDAR is missing', lines.at(-1)!.number, 1)
  for (const event of events) {
    const { title, found, warning } = readEvent(event, libraries)
    if (warning !== null) warnings.push(`event "${title}": ${warning}`)
    for (const day of found) {
      days.add(day)
      names.set(day, title)
      count += 1
      if (count > MAX_DAYS) throw new Error(`it holds more than ${MAX_DAYS} days`)
    }
  }
  const more = warnings.length - MAX_WARNINGS
  return { days, names, warnings: more > 0 ? [...warnings.slice(0, MAX_WARNINGS), `and ${more} more`] : warnings }
}

async function loadLibraries() {
  const [{ default: ical }, { RRuleTemporal }] = await Promise.all([import('ical.js'), import('rrule-temporal')])
  return { ical, RRuleTemporal }
}

type Libraries = Awaited<ReturnType<typeof loadLibraries>>

interface Line {
  readonly text: string
  /** Where it begins in the file, from 1. */
  readonly number: number
}

/** The lines with what is folded into them. Empty ones at the end are left out, so that the last one is where a cut is. */
function unfolded(text: string): Line[] {
  const lines: { text: string; number: number }[] = []
  const all = text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .trimEnd()
    .split('\n')
  for (const [index, line] of all.entries()) {
    const last = lines.at(-1)
    if (last && /^[ \t]/.test(line)) last.text += line.slice(1)
    else lines.push({ text: line, number: index + 1 })
  }
  return lines
}

/**
 * The lines of each VEVENT; one that is broken does not spoil the others. Throws a `TextError` for one without an end and for
 * a damaged date: nothing says then which days are missing.
 */
function* eventsOf(lines: readonly Line[]): Generator<EventText> {
  let event: { begin: number; lines: string[]; rules: string[] } | null = null
  for (const { text, number } of lines) {
    if (event && /^(?:BEGIN:VEVENT|END:VCALENDAR)\s*$/i.test(text)) throw withoutEnd(event.begin)
    if (/^BEGIN:VEVENT\s*$/i.test(text)) event = { begin: number, lines: [], rules: [] }
    if (!event) continue
    const rule = RULE_LINE.exec(text)?.[1]
    if (rule !== undefined) event.rules.push(rule)
    else if (USED_LINE.test(text)) event.lines.push(text)
    refuseDamagedDate(text, number)
    if (!/^END:VEVENT\s*$/i.test(text)) continue
    yield event
    event = null
  }
  if (event) throw withoutEnd(event.begin)
}

const withoutEnd = (line: number): TextError =>
  new TextError('the event that begins here has no end, END:VEVENT is missing: the file is cut short', line, 1)

const DATE_LINE = /^(DTSTART|DTEND|EXDATE|RDATE|DURATION)[;:]/i
const TIME = /^T(?:[01]\d|2[0-4]):?[0-5]\d:?[0-6]\dZ?$/i
const DURATION = /^[+-]?P(?:\d+W)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/i

/** Longer lines are left out with their event, and said so. */
function refuseDamagedDate(line: string, number: number): void {
  const name = DATE_LINE.exec(line)?.[1]?.toUpperCase()
  if (name === undefined || line.length > MAX_LINE) return
  // Parameters may hold a colon between quotes.
  const plainLine = line.replace(/"[^"]*"/g, '')
  const at = plainLine.indexOf(':')
  const values = at < 0 ? [''] : plainLine.slice(at + 1).split(',')
  const damaged = values.find((value) => !(name === 'DURATION' ? DURATION.test(value.trim()) : isMoment(value)))
  if (damaged === undefined) return
  const wanted = name === 'DURATION' ? 'duration like P3D' : 'date like 20261224'
  throw new TextError(`"${damaged.slice(0, 40)}" in ${name} is no ${wanted}`, number, 1)
}

/** A date, a date with a time, or a period, which begins with one. */
function isMoment(value: string): boolean {
  const [moment = ''] = value.trim().split('/')
  const at = moment.search(/T/i)
  return parseDay(at < 0 ? moment : moment.slice(0, at)) !== null && (at < 0 || TIME.test(moment.slice(at)))
}

interface EventDays {
  readonly title: string
  readonly found: Iterable<Day>
  readonly warning: string | null
}

function readEvent(event: EventText, libraries: Libraries): EventDays {
  try {
    if ([...event.lines, ...event.rules].some(({ length }) => length > MAX_LINE))
      throw new Error(`a line is longer than ${MAX_LINE} characters`)
    const [, properties] = libraries.ical.parse(event.lines.map((line) => line.trimEnd()).join('\n')) as [
      string,
      Property[],
    ]
    const title = (textOf(properties, 'summary') || textOf(properties, 'uid') || 'without a title').slice(0, 80)
    return { title, ...daysOf(properties, event.rules, libraries) }
  } catch (error) {
    const title = event.lines.find((line) => /^SUMMARY:/i.test(line))?.slice(8, 88) ?? 'without a title'
    const reason = errorText(error)
    return { title, found: [], warning: `it cannot be read and is left out: ${reason.slice(0, 200)}` }
  }
}

function daysOf(properties: readonly Property[], rules: readonly string[], libraries: Libraries) {
  const none = (warning: string | null) => ({ found: [], warning })
  if (textOf(properties, 'status').toUpperCase() === 'CANCELLED') return none(null)
  if (textOf(properties, 'dtstart') === '') return none('it has no DTSTART and is left out')
  const [first] = datesOf(properties, 'dtstart')
  if (first === undefined) return none('it is no all-day event and is left out')
  if (properties.some(([name]) => name === 'recurrence-id')) return none('changes of single occurrences are left out')
  const length = lengthOf(properties, first)
  if (length < 1 || length > MAX_LENGTH) return none(`it lasts ${length} days and is left out`)
  const { starts, warning } = startsOf(first, rules, libraries)
  const excluded = new Set(datesOf(properties, 'exdate'))
  const kept = [...new Set([...starts, ...datesOf(properties, 'rdate')])].filter((day) => !excluded.has(day))
  return { found: spread(kept, length), warning }
}

function* spread(starts: readonly Day[], length: number): Generator<Day> {
  for (const start of starts) for (let day = start; day < start + length; day += 1) yield day
}

/** Days of an event; DTEND is the day after the last one. */
function lengthOf(properties: readonly Property[], first: Day): number {
  const [end] = datesOf(properties, 'dtend')
  // Some programs write the same day as begin and end.
  if (end !== undefined) return end === first ? 1 : end - first
  const duration = /^P(?:(\d+)W)?(?:(\d+)D)?$/i.exec(textOf(properties, 'duration'))
  return duration ? Math.max(Number(duration[1] ?? 0) * 7 + Number(duration[2] ?? 0), 1) : 1
}

const textOf = (properties: readonly Property[], name: string): string =>
  String(properties.find((property) => property[0] === name)?.[3] ?? '').trim()

/** The dates of all properties of that name, without those that have a time and those that do not exist. */
function datesOf(properties: readonly Property[], wanted: string): Day[] {
  return properties
    .filter(([name]) => name === wanted)
    .flatMap(([, , , ...values]) => values.map((value) => parseDay(String(value))))
    .filter((day) => day !== null)
}

/** The first days of the occurrences. A rule that is not followed leaves the first one. */
function startsOf(first: Day, rules: readonly string[], { RRuleTemporal }: Libraries) {
  if (rules.length === 0) return { starts: [first], warning: null }
  try {
    const starts = rules.flatMap((rule) => {
      const rruleString = `DTSTART;VALUE=DATE:${plain(first)}\nRRULE:${checkedRule(rule)}`
      const all = new RRuleTemporal({ rruleString, maxIterations: MAX_DAYS }).all((_, count) => count <= MAX_DAYS)
      return all.map((date) => parseDay(date.toPlainDate().toString())!)
    })
    return { starts, warning: null }
  } catch (error) {
    return { starts: [first], warning: `${errorText(error)}; only its first day counts` }
  }
}

const plain = (day: Day): string => formatDay(day).replaceAll('-', '')

const listOf = (item: string): RegExp => new RegExp(`^(?:${item})(?:,(?:${item}))*$`)
const WEEKDAY = 'MO|TU|WE|TH|FR|SA|SU'
const MONTH_DAY = '[+-]?(?:0?[1-9]|[12]\\d|3[01])'

/** The part of RFC 5545, 3.3.10 that holiday calendars use, as it may be written. */
const RULE_PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^YEARLY$/,
  INTERVAL: /^0*(?:[1-9]\d{0,2}|1000)$/,
  COUNT: /^0*(?:[1-9]\d{0,4}|100000)$/,
  UNTIL: /^\d{8}(?:T\d{6}Z?)?$/,
  BYMONTH: listOf('0?[1-9]|1[0-2]'),
  BYMONTHDAY: listOf(MONTH_DAY),
  BYDAY: listOf(`(?:[+-]?(?:0?[1-9]|[1-4]\\d|5[0-2]))?(?:${WEEKDAY})`),
  WKST: listOf(WEEKDAY),
}

/** The rule in capitals and with an end. Throws with the reason why it is not followed. */
function checkedRule(text: string): string {
  const parts = new Map(
    text.split(';').map((part) => {
      const [name = '', value = ''] = part.split('=')
      return [name.trim().toUpperCase(), value.trim().toUpperCase()] as const
    }),
  )
  if (parts.get('FREQ') !== 'YEARLY') throw new Error(`FREQ=${parts.get('FREQ') ?? ''} is not FREQ=YEARLY`)
  for (const [name, value] of parts) {
    const form = Object.hasOwn(RULE_PARTS, name) ? RULE_PARTS[name] : undefined
    if (!form) throw new Error(`${name} is not followed`)
    if (!form.test(value)) throw new Error(`${name}=${value} cannot be read`)
  }
  // The library loses days of these two kinds of rules; the first is ambiguous, too.
  const weekdays = (parts.get('BYDAY') ?? '').split(',')
  const numbered = weekdays.filter((weekday) => /\d/.test(weekday)).length
  if (numbered > 0 && parts.has('BYMONTHDAY') && !parts.has('BYMONTH'))
    throw new Error('BYDAY with a number beside BYMONTHDAY is not followed')
  if (numbered > 0 && numbered < weekdays.length) throw new Error('BYDAY with and without numbers is not followed')
  const until = parts.get('UNTIL')?.slice(0, 8) ?? ''
  if (until !== '' && parseDay(until) === null) throw new Error(`UNTIL=${until} cannot be read`)
  const end = `${LAST_YEAR}1231`
  parts.set('UNTIL', until !== '' && until < end ? until : end)
  return [...parts].map(([name, value]) => `${name}=${value}`).join(';')
}
