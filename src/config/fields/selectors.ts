/** Names, globs, comparisons, files: the value forms of Footman's own sections. */
import { z } from 'zod'
import { parseDuration } from '../../platform/duration.ts'
import { type FieldNotes, list, object, oneOrMany, withDefault } from './basic.ts'

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

function isRegularExpression(value: string): boolean {
  return value.length > 2 && value.startsWith('/') && value.endsWith('/')
}

function canCompile(value: string): boolean {
  const pattern = value.slice(1, -1)
  try {
    new RegExp(pattern, 'iu')
    return repeatsOf(pattern) <= MOST_REPEATS
  } catch {
    return false
  }
}

/** The built-in engine writes counted repeats out, which takes seconds for millions, even of nothing. */
const MOST_REPEATS = 100_000
const PATTERN_PART = /\\.|\[(?:\\.|[^\]\\]){0,1000}\]|\{(\d+)(?:,(\d*))?\}|./gsu

/** How often the most repeated part of a valid pattern comes: repeats within repeats multiply. */
function repeatsOf(pattern: string): number {
  const outer: number[] = []
  let most = 1
  let last = 1
  for (const [part, from, to] of pattern.matchAll(PATTERN_PART)) {
    if (part === '(') {
      outer.push(most)
      most = 1
    } else if (part === ')') {
      last = most
      most = Math.max(outer.pop() ?? 1, last)
    } else if (from !== undefined) {
      last *= Math.max(1, Number(from), Number(to ?? 0))
      most = Math.max(most, last)
    } else last = 1
  }
  return most
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

/** Tasks that may be started: the union of the three lists. */
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

/** Globs of names of tags, one of which must be found, or all. */
export const tags = (description: string) =>
  z
    .union([
      globText,
      z.array(globText),
      object(() => ({ all: z.array(globText).meta({ description: 'Globs that must all be found.' }) })),
    ])
    .transform((value) => {
      if (typeof value === 'string') return { any: [value] }
      return Array.isArray(value) ? { any: value } : value
    })
    .optional()
    .meta({ description, lookup: 'tag' })

/** Globs of values by the name of a custom property. */
export const properties = (description: string) =>
  z.record(z.string(), oneOrMany('Values.', globText)).optional().meta({ description, lookup: 'customProperty' })

/** Ids, ignoring case. */
export const ids = (description: string) => oneOrMany(description, z.string()).optional()

/** The fields of a match by which tasks are found, in rules and in policies: a task as QRS returns it is enough for them. */
export const taskFields = () => ({
  task: globs('Names of tasks.').meta({
    label: 'Tasks',
    hint: 'Names; * stands for any text.',
    lookup: 'task',
    group: 'match',
  }),
  app: globs('Names of apps.').meta({
    label: 'Apps',
    hint: 'Names; * stands for any text.',
    lookup: 'app',
    group: 'match',
  }),
  stream: globs('Names of streams; "" = unpublished.').meta({
    label: 'Streams',
    hint: 'Names; * stands for any text.',
    lookup: 'stream',
    group: 'match',
  }),
  taskId: ids('Task ids.').meta({ label: 'Ids of tasks', lookup: 'taskId', group: 'match', advanced: true }),
  appId: ids('App ids.').meta({ label: 'Ids of apps', lookup: 'appId', group: 'match', advanced: true }),
  taskTag: tags('Tags of the task.').meta({ label: 'Tags of the task', lookup: 'tag', group: 'match', advanced: true }),
  taskProperty: properties('Custom properties of the task and their values.').meta({
    label: 'Custom properties of the task',
    group: 'match',
    advanced: true,
  }),
})
