/** Durations, sizes, frequencies, zones. */
import { z } from 'zod'
import { formatDuration, type Parsed, parseDuration, parseSize } from '../../platform/duration.ts'
import { type FieldNotes, noted, type Range, withDefault } from './basic.ts'

const DAY = 24 * 3600 * 1000
/** Unless a key says otherwise: 1s to 3650d. */
const DURATION_RANGE = { min: 1000, max: 3650 * DAY }

/** Milliseconds of a `30s`, `24h`, `PT90S`. `Range` in milliseconds. */
export function durationText(range: Range = DURATION_RANGE) {
  const { min, max } = { ...DURATION_RANGE, ...range }
  return timeText('a length of time with its unit, like 24h').transform((value, context) => {
    const parsed = parseDuration(value)
    if (!parsed.ok) return refuse(context, value, `must be a length of time; ${parsed.error}`)
    if (parsed.value >= min && parsed.value <= max) return parsed.value
    return refuse(context, value, `must be between ${formatDuration(min)} and ${formatDuration(max)}, found "${value}"`)
  })
}

export function duration(description: string, fallback: string, range: Range = DURATION_RANGE) {
  return noted(durationText(range).prefault(fallback), { description, format: 'duration', range: readable(range) })
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
