/** Query parameters of endpoints that the predecessor did not have, above all those of lists: `limit`, `cursor`, `from`, `to`. */
import { z } from 'zod'
import { parseDuration } from '../../platform/duration.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { once } from '../../platform/once.ts'
import { createZoneTimes, type ZoneTimes } from '../../platform/zone-times.ts'
import { type Refusal, refusal } from '../errors.ts'

type Query = Readonly<Record<string, string | readonly string[]>>

export interface QueryIssue {
  readonly path: string
  readonly message: string
}

/** How many items a page has when the caller does not say. */
export const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

/** 400 `VALIDATION`, naming every issue. */
export function invalidQuery(issues: readonly QueryIssue[]): Refusal {
  const text = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return refusal('VALIDATION', text, { error: 'Invalid query', issues })
}

const ONCE = 'must be given once'

/** The message for a parameter that is given once but does not have the form. */
const unlessRepeated =
  (message: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    Array.isArray(input) ? ONCE : message

const toList = (given: unknown): unknown => [given].flat()
const toNumber = (given: unknown): unknown => (typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given)
const toBoolean = (given: unknown): unknown => (given === 'true' || given === 'false' ? given === 'true' : given)

/** Milliseconds since 1970, given the present. `readQuery` adds the clock of the site, which times without a zone are on. */
export type TimeBound = (now: number, site?: ZoneTimes) => number

const UTC = createZoneTimes('UTC')

function toTime(text: string, context: z.RefinementCtx): TimeBound {
  const duration = parseDuration(text)
  if (duration.ok) return (now) => now - duration.value
  if (UTC.instant(text) !== null) return (_now, site = UTC) => site.instant(text)!
  context.addIssue({ code: 'custom', message: 'must be an ISO 8601 time, or a length of time like 24h', input: text })
  return z.NEVER
}

/** Parameters for the schema of a query. */
export const queryField = {
  text: () => z.string({ error: ONCE }),
  /** May be repeated. */
  texts: () => z.preprocess(toList, z.array(z.string())),
  /** One of these words. */
  word: <const Word extends string>(words: readonly Word[]) =>
    z.enum(words, { error: unlessRepeated(`must be one of ${words.join(', ')}`) }),
  /** The same; may be repeated. */
  words: <const Word extends string>(words: readonly Word[]) =>
    z.preprocess(toList, z.array(z.enum(words, { error: `must be one of ${words.join(', ')}` }))),
  integer(least: number, most: number) {
    const error = unlessRepeated(`must be a whole number from ${least} to ${most}`)
    return z.preprocess(toNumber, z.int({ error }).min(least, { error }).max(most, { error }))
  },
  boolean: () => z.preprocess(toBoolean, z.boolean({ error: unlessRepeated('must be true or false') })),
  /** An ISO time, or a length of time that counts back from now. */
  time: () => z.string({ error: ONCE }).transform(toTime),
}

/** The parameters that lists have in common. */
export const LIST_PARAMETERS = {
  from: queryField
    .time()
    .describe(
      'An ISO 8601 time, in the zone of the site unless it names one, inclusive; or a length of time that counts back from now, like `24h`.',
    )
    .optional(),
  to: queryField
    .time()
    .describe('An ISO 8601 time, exclusive; or a length of time that counts back from now.')
    .optional(),
  limit: queryField.integer(1, MAX_LIMIT).describe('How many at most. Default 100.').optional(),
  cursor: queryField.text().describe('`nextCursor` of the answer before.').optional(),
}

/** No parameters at all. */
export const NO_QUERY = once(() => z.object({}))

/** The query in the form of the schema. Throws 400 `VALIDATION` for parameters that the schema lacks, else as `readQuery`. */
export function strictQuery<T extends z.ZodObject>(schema: T, query: Query, site: ZoneTimes): z.output<T> {
  const names = Object.keys(schema.shape)
  const issues = Object.keys(query)
    .filter((name) => !names.includes(name))
    .map((path) => ({ path, message: `is unknown; known are ${names.join(', ')}` }))
  if (issues.length > 0) throw invalidQuery(issues)
  return readQuery(schema, query, site)
}

/** The parameters of the schema, whose times are on the clock of the site; others are ignored. Throws 400 `VALIDATION` with every unusable one. */
export function readQuery<T extends z.ZodObject>(schema: T, query: Query, site?: ZoneTimes): z.output<T> {
  const result = schema.safeParse(query)
  if (result.success) {
    const parameters = Object.entries(result.data).map(([name, value]) => [
      name,
      typeof value === 'function' ? (now: number) => (value as TimeBound)(now, site) : value,
    ])
    return Object.fromEntries(parameters) as z.output<T>
  }
  // Several values of a parameter may be wrong in the same way.
  const messages = new Map(result.error.issues.map(({ path, message }) => [String(path[0]), message]))
  throw invalidQuery([...messages].map(([path, message]) => ({ path, message })))
}

/** Position of the last item of a page, opaque to callers. */
export const cursorOf = (position: number): string => Buffer.from(String(position)).toString('base64url')

/** The position in the text of a cursor; null without a text. Throws 400 `INVALID_CURSOR`. */
export function positionInCursor(text: string | undefined): number | null {
  if (text === undefined) return null
  const decoded = Buffer.from(text, 'base64url').toString()
  if (/^\d{1,15}$/.test(decoded)) return Number(decoded)
  throw invalidCursor()
}

/** 400. */
export const invalidCursor = (): Refusal => refusal('INVALID_CURSOR', 'Use nextCursor of the answer before, unchanged.')

/** Sort key of the last item of a page, opaque to callers. */
export const keyCursorOf = (key: readonly string[]): string => Buffer.from(JSON.stringify(key)).toString('base64url')

/** The sort key in the text of a cursor, of so many parts; null without a text. Throws 400 `INVALID_CURSOR`. */
export function keyInCursor(text: string | undefined, parts: number): readonly string[] | null {
  if (text === undefined) return null
  try {
    const key: unknown = parseOutsideJson(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(key) && key.length === parts && key.every((part) => typeof part === 'string')) return key
  } catch {
    // Not a cursor of ours.
  }
  throw invalidCursor()
}

/** Does the same as `keyInCursor`, for keys that are numbers. */
export function numbersInCursor(text: string | undefined, parts: number): readonly number[] | null {
  const key = keyInCursor(text, parts)?.map(Number) ?? null
  if (key?.some((part) => !Number.isSafeInteger(part))) throw invalidCursor()
  return key
}
