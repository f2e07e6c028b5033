/** Names, globs, comparisons, windows, files: the value forms of Footman's own sections. */
import { z } from 'zod'
import { parseDuration } from '../../platform/duration.ts'
import { type FieldNotes, list, object, oneOrMany, withDefault } from './basic.ts'
import { isTimezone } from './time.ts'

/** How destinations, routes, keys, windows, ... are called. */
export const nameText = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
  error: (issue) => `must be a name of lower-case letters, digits and hyphens (at most 63), found "${issue.input}"`,
})

export function name(description: string) {
  return nameText.meta({ description, format: 'name' })
}

/** `*` any characters, `?` one character; the whole text, ignoring case. */
export const globText = z.string().meta({ format: 'glob' })

/** One glob or a list of them. */
export function globs(description: string) {
  return oneOrMany(description, globText).optional().meta({ description, format: 'glob' })
}

/** A glob, or a regular expression between slashes that finds anywhere, ignoring case. */
export const patternText = z
  .string()
  .refine((value) => !isRegularExpression(value) || canCompile(value), {
    error: (issue) => `must be a regular expression that can be compiled, found ${issue.input}`,
  })
  .meta({ format: 'pattern' })

export function isRegularExpression(value: string): boolean {
  return value.length > 2 && value.startsWith('/') && value.endsWith('/')
}

function canCompile(value: string): boolean {
  try {
    new RegExp(value.slice(1, -1), 'iu')
    return true
  } catch {
    return false
  }
}

export type ComparisonOperator = '=' | '>=' | '>' | '<=' | '<'

/** `>=3`; for durations the value is in milliseconds. */
export interface Comparison {
  readonly operator: ComparisonOperator
  readonly value: number
}

export function comparison(description: string, of: 'number' | 'duration') {
  return z
    .string()
    .transform((value, context): Comparison => {
      const match = /^(=|>=|>|<=|<)\s*(\S+)$/.exec(value.trim())
      const operand = match ? readOperand(match[2]!, of) : null
      if (match && operand !== null) return { operator: match[1] as ComparisonOperator, value: operand }
      const example = of === 'number' ? '>=3' : '>30m'
      context.addIssue({
        code: 'custom',
        input: value,
        message: `must be a comparison with one of = >= > <= <, like "${example}", found "${value}"`,
      })
      return z.NEVER
    })
    .optional()
    .meta({ description, format: 'comparison' })
}

function readOperand(operand: string, of: 'number' | 'duration'): number | null {
  if (of === 'number') return /^\d+(\.\d+)?$/.test(operand) ? Number(operand) : null
  const parsed = parseDuration(operand)
  return parsed.ok ? parsed.value : null
}

/** A path; relative ones are looked for beside Butler's standalone base, the working directory and the configuration file. */
export function file(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(z.string(), description, fallback, { format: 'path', ...notes })
}

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const DAY_RANGE = new RegExp(`^(${WEEKDAYS.join('|')})(-(${WEEKDAYS.join('|')}))?$`)

/** `mon`, `mon-fri`. */
export const weekdays = z
  .string()
  .transform((value) => value.trim().toLowerCase())
  .refine((value) => DAY_RANGE.test(value), {
    error: (issue) => `must be a day like mon or a range like mon-fri, found "${issue.input}"`,
  })

/** `HH:MM`, 00:00 to 24:00. */
export const clockTime = z.string().refine((value) => /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/.test(value), {
  error: (issue) => `must be a time like "07:00" in quotes, found "${issue.input}"`,
})

/** A day, written `2026-03-31`. */
export const isoDate = z
  .string()
  .refine((value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && isRealDate(value), {
    error: (issue) => `must be a date like 2026-03-31, found "${issue.input}"`,
  })
  .meta({ format: 'date' })

/** An instant with offset, or a day. */
export const isoTime = z
  .string()
  .refine((value) => !Number.isNaN(Date.parse(value)) && /^\d{4}-\d{2}-\d{2}/.test(value), {
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

/** A recurring window on the wall clock, or with `start` and `end` a single one. */
export const windowObject = object(() => ({
  days: oneOrMany('Days of the week: mon, mon-fri, or a list.', weekdays)
    .optional()
    .meta({ description: 'Days of the week: mon, mon-fri, or a list.', defaultText: 'every day' }),
  from: clockTime.optional().meta({ description: 'Begin, "HH:MM"; included.', defaultText: 'start of the day' }),
  to: clockTime.optional().meta({
    description: 'End, "HH:MM"; excluded. Not after `from` = on the next day.',
    defaultText: 'end of the day',
  }),
  on: oneOrMany('Calendars with the days on which the window applies.', nameText).optional(),
  notOn: oneOrMany('Calendars with the days on which the window does not apply.', nameText).optional(),
  start: isoTime.optional().meta({ description: 'Begin of a single window, with offset.' }),
  end: isoTime.optional().meta({ description: 'End of a single window, with offset.' }),
  timezone: optionalZone.meta({ description: 'IANA time zone.', defaultText: 'Butler.footman.timezone' }),
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

export type WindowObject = z.output<typeof windowObject>

/** The name of an entry of `Butler.footman.windows`, or a window. */
export const windowReference = z.union([nameText, windowObject])

/** What may be started: the three lists are added up. */
export function taskSelectors(description: string) {
  return object(() => ({
    taskId: list('Task ids.', z.string()),
    tag: list('Task tags.', z.string()),
    customProperty: list(
      'Custom property values of tasks.',
      object(() => ({
        name: z.string().min(1).meta({ description: 'Name of the custom property.' }),
        value: z.string().meta({ description: 'Its value.' }),
      })),
    ),
  })).meta({ description })
}
