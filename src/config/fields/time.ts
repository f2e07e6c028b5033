/** Durations, sizes, frequencies, zones. */
import { z } from 'zod'
import { WEEKDAYS } from '../../platform/calendar.ts'
import { formatDuration, type Parsed, parseDuration, parseSize } from '../../platform/duration.ts'
import { createZoneTimes } from '../../platform/zone-times.ts'
import { type FieldNotes, map, noted, object, oneOrMany, type Range, withDefault } from './basic.ts'
import { file, nameText } from './selectors.ts'

const DAY = 24 * 3600 * 1000
/** Unless a key says otherwise: 1s to 3650d. */
const DURATION_RANGE = { min: 1000, max: 3650 * DAY }

/** Milliseconds of a `30s`, `24h`, `PT90S`. `Range` in milliseconds. */
export function durationField(range: Range = DURATION_RANGE) {
  const { min, max } = { ...DURATION_RANGE, ...range }
  return timeText('a length of time with its unit, like 24h').transform((value, context) => {
    const parsed = parseDuration(value)
    if (!parsed.ok) return refuse(context, value, `must be a length of time; ${parsed.error}`)
    if (parsed.value >= min && parsed.value <= max) return parsed.value
    return refuse(context, value, `must be between ${formatDuration(min)} and ${formatDuration(max)}, found "${value}"`)
  })
}

export function duration(description: string, fallback: string, range: Range = DURATION_RANGE) {
  return noted(durationField(range).prefault(fallback), { description, format: 'duration', range: readable(range) })
}

/** Bytes of a `512KB`, `100MB`. */
export function size(description: string, fallback: string) {
  return timeText('a size with its unit, like 100MB')
    .transform((value, context) => {
      const parsed: Parsed<number> = parseSize(value)
      return parsed.ok ? parsed.value : refuse(context, value, `must be a size; ${parsed.error}`)
    })
    .prefault(fallback)
    .meta({ description, format: 'size' })
}

/** A text like `every 5 minutes`, a cron expression or an ISO 8601 duration; whether it parses is checked by the loader, as it only matters when the feature is on. */
export function frequency(description: string, fallback: string) {
  return noted(z.string().default(fallback), { description, format: 'frequency' })
}

export function isTimezone(value: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: value })
    return true
  } catch {
    return false
  }
}

/** An IANA time zone; '' where that is the default means the zone of this computer. */
export function timezone(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(zoneText, description, fallback, { format: 'timezone', ...notes })
}

const zoneText = z.string().refine((value) => value === '' || isTimezone(value), {
  error: (issue) => `must be an IANA time zone like Europe/Stockholm, found "${issue.input}"`,
})

/** A text; a bare number is refused with a word about its unit. */
function timeText(what: string) {
  return z.string({
    error: ({ input }) => (typeof input === 'number' ? `must be ${what}, found ${input}` : undefined),
  })
}

function readable(range: Range): { min: string; max: string } {
  const { min, max } = { ...DURATION_RANGE, ...range }
  return { min: formatDuration(min), max: formatDuration(max) }
}

function refuse(context: z.core.$RefinementCtx, input: unknown, message: string): never {
  context.addIssue({ code: 'custom', message, input })
  return z.NEVER
}

/** Windows of time and calendars: `Butler.footman.windows`, `Butler.footman.calendars` and wherever they are used. */
const DAY_RANGE = new RegExp(`^(${WEEKDAYS.join('|')})(-(${WEEKDAYS.join('|')}))?$`)

/** `mon`, `mon-fri`. */
export const weekdays = z
  .string()
  .transform((value) => value.trim().toLowerCase())
  .refine((value) => DAY_RANGE.test(value), {
    error: (issue) => `must be a day like mon or a range like mon-fri, found "${issue.input}"`,
  })

/** `HH:MM`, 00:00 to 24:00. */
const clockTime = z.string().refine((value) => /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/.test(value), {
  error: (issue) => `must be a time like "07:00" in quotes, found "${issue.input}"`,
})

/** A day, written `2026-03-31`. */
const isoDate = z
  .string()
  .refine((value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && isRealDate(value), {
    error: (issue) => `must be a date like 2026-03-31, found "${issue.input}"`,
  })
  .meta({ format: 'date' })

/** An instant, or a day. */
export const isoTime = z
  .string()
  .refine((value) => createZoneTimes('UTC').instant(value) !== null, {
    error: (issue) => `must be a date or time like 2026-03-31T06:00:00+02:00, found "${issue.input}"`,
  })
  .meta({ format: 'date-time' })

function isRealDate(value: string): boolean {
  const date = new Date(`${value}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value)
}

const optionalZone = z
  .string()
  .refine(isTimezone, { error: (issue) => `must be an IANA time zone like Europe/Stockholm, found "${issue.input}"` })
  .optional()

/** Recurring on the wall clock, or with `start` and `end` a single one. */
const anyWindow = object(() => ({
  days: oneOrMany('Days of the week: mon, mon-fri, or a list.', weekdays).optional().meta({
    description: 'Days of the week: mon, mon-fri, or a list.',
    defaultText: 'every day',
    label: 'Days of the week',
    hint: 'None = every day.',
    control: 'weekdays',
    group: 'recurring',
  }),
  from: clockTime.optional().meta({
    description: 'Begin, "HH:MM"; included.',
    defaultText: 'start of the day',
    label: 'From',
    hint: 'Included. Empty = start of the day.',
    control: 'clock',
    group: 'recurring',
  }),
  to: clockTime.optional().meta({
    description: 'End, "HH:MM"; excluded. Not after `from` = on the next day.',
    defaultText: 'end of the day',
    label: 'To',
    control: 'clock',
    hint: 'Excluded. A time that is not after the begin lies on the next day.',
    group: 'recurring',
  }),
  on: oneOrMany('Calendars with the days on which the window applies.', nameText)
    .optional()
    .meta({ label: 'Only on days of', lookup: 'calendar', group: 'recurring' }),
  notOn: oneOrMany('Calendars with the days on which the window does not apply.', nameText)
    .optional()
    .meta({ label: 'Not on days of', lookup: 'calendar', group: 'recurring' }),
  start: isoTime.optional().meta({
    description: 'Begin of a single window; without an offset in the zone of the window.',
    label: 'Begin',
    control: 'time',
    group: 'single',
    advanced: true,
  }),
  end: isoTime.optional().meta({
    description: 'End of a single window, likewise.',
    label: 'End',
    control: 'time',
    group: 'single',
    advanced: true,
  }),
  timezone: optionalZone.meta({
    description: 'IANA time zone.',
    defaultText: 'Butler.footman.timezone',
    label: 'Time zone',
    lookup: 'timezone',
    group: 'recurring',
    advanced: true,
  }),
})).superRefine((value, context) => {
  const single = value.start !== undefined || value.end !== undefined
  if (!single) return
  if (value.start === undefined || value.end === undefined) {
    context.addIssue({ code: 'custom', input: value, message: 'a single window needs both start and end' })
  } else if (Date.parse(value.end) <= Date.parse(value.start)) {
    context.addIssue({ code: 'custom', input: value, path: ['end'], message: 'must be after start' })
  }
  const others = (['days', 'from', 'to', 'on', 'notOn'] as const).filter((key) => value[key] !== undefined)
  if (others.length > 0) {
    context.addIssue({
      code: 'custom',
      input: value,
      message: `start and end cannot be combined with ${others.join(', ')}`,
    })
  }
})

/** A misspelt key would make the window larger than was meant. */
export const windowObject = noted(anyWindow, { description: 'A window of time.', closed: true })

/** The name of an entry of `Butler.footman.windows`, or a window. */
export const windowReference = z.union([nameText, windowObject])

/** A set of days. */
export const calendar = object(() => ({
  file: file('An .ics, .yaml or .csv file with days.').meta({ label: 'File', group: 'days', advanced: true }),
  dates: oneOrMany('Days, written 2026-12-24.', isoDate).optional().meta({ label: 'Dates', group: 'days' }),
  days: oneOrMany('Days of the week: mon, mon-fri, or a list.', weekdays)
    .optional()
    .meta({ label: 'Days of the week', control: 'weekdays', group: 'days' }),
  except: oneOrMany('Calendars whose days are taken out.', nameText)
    .optional()
    .meta({ label: 'Without the days of', lookup: 'calendar', group: 'days' }),
}))

/** Sets of days by name. */
export const namedCalendars = map('Sets of days, by name.', calendar, nameText)
