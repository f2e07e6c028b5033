/** Query parameters of endpoints that the predecessor did not have, above all those of lists: `limit`, `cursor`, `from`, `to`. */
import { z } from 'zod'
import { parseDuration } from '../../platform/duration.ts'
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

type Given = string | readonly string[]

/** Why a parameter is unusable. */
class Unusable {
  constructor(readonly message: string) {}
}

type Reader<T> = (given: Given) => T | Unusable

const textOf: Reader<string> = (given) => (typeof given === 'string' ? given : new Unusable('must be given once'))

const textsOf: Reader<readonly string[]> = (given) => [given].flat()

const wordsOf =
  <Word extends string>(words: readonly Word[]): Reader<readonly Word[]> =>
  (given) => {
    const values = [given].flat()
    const known = values.every((value) => words.some((word) => word === value))
    return known ? (values as Word[]) : new Unusable(`must be one of ${words.join(', ')}`)
  }

const wordOf =
  <Word extends string>(words: readonly Word[]): Reader<Word> =>
  (given) => {
    const text = textOf(given)
    if (text instanceof Unusable) return text
    const read = wordsOf(words)(text)
    return read instanceof Unusable ? read : read[0]!
  }

const integerOf =
  (least: number, most: number): Reader<number> =>
  (given) => {
    const text = textOf(given)
    if (text instanceof Unusable) return text
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    return new Unusable(`must be a whole number from ${least} to ${most}`)
  }

const booleanOf: Reader<boolean> = (given) => {
  const text = textOf(given)
  if (text instanceof Unusable) return text
  return text === 'true' || text === 'false' ? text === 'true' : new Unusable('must be true or false')
}

const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** Milliseconds since 1970, given the present. */
export type TimeBound = (now: number) => number

const timeOf: Reader<TimeBound> = (given) => {
  const text = textOf(given)
  if (text instanceof Unusable) return text
  const duration = parseDuration(text)
  if (duration.ok) return (now) => now - duration.value
  const time = ISO_TIME.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? new Unusable('must be an ISO 8601 time, or a length of time like 24h') : () => time
}

/** A parameter that is described as `shown` and read by `read`. */
function parameter<T>(shown: z.ZodType, read: Reader<T>) {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(shown)
  return z
    .unknown()
    .meta(schema)
    .transform((given, context): T => {
      const value = read(given as Given)
      if (!(value instanceof Unusable)) return value
      context.addIssue({ code: 'custom', message: value.message, input: given })
      return z.NEVER
    })
}

/** Parameters for the schema of a query. */
export const queryField = {
  text: () => parameter(z.string(), textOf),
  /** May be repeated. */
  texts: () => parameter(z.string(), textsOf),
  /** One of these words. */
  word: <Word extends string>(words: readonly [Word, ...Word[]]) => parameter(z.enum(words), wordOf(words)),
  /** The same; may be repeated. */
  words: <Word extends string>(words: readonly [Word, ...Word[]]) => parameter(z.enum(words), wordsOf(words)),
  integer: (least: number, most: number) => parameter(z.int().min(least).max(most), integerOf(least, most)),
  boolean: () => parameter(z.boolean(), booleanOf),
  /** An ISO time, or a length of time that counts back from now. */
  time: () => parameter(z.string(), timeOf),
}

/** The parameters that lists have in common. */
export const LIST_PARAMETERS = {
  from: queryField
    .time()
    .describe('An ISO 8601 time, inclusive; or a length of time that counts back from now, like `24h`.')
    .optional(),
  to: queryField
    .time()
    .describe('An ISO 8601 time, exclusive; or a length of time that counts back from now.')
    .optional(),
  limit: queryField.integer(1, MAX_LIMIT).describe('How many at most. Default 100.').optional(),
  cursor: queryField.text().describe('`nextCursor` of the answer before.').optional(),
}

/** No parameters at all. */
export const NO_QUERY = z.object({})

/** The query in the schema's form. Parameters that the schema does not name are refused, all of them. */
export function strictQuery<T extends z.ZodObject>(schema: T, query: Query): z.output<T> {
  onlyParameters(query, Object.keys(schema.shape))
  const result = schema.safeParse(query)
  if (result.success) return result.data
  throw invalidQuery(result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })))
}

/** Null when the parameter is absent. */
function take<T>(query: Query, name: string, read: Reader<T>): T | null {
  const given = query[name]
  if (given === undefined) return null
  const value = read(given)
  if (value instanceof Unusable) throw invalidQuery([{ path: name, message: value.message }])
  return value
}

/** The parameter, or undefined; given twice is an error. */
export const textParameter = (query: Query, name: string): string | undefined => take(query, name, textOf) ?? undefined

/** All values of a parameter that may be repeated; null when it is absent. */
export const valuesParameter = (query: Query, name: string): readonly string[] | null => take(query, name, textsOf)

/** A repeated parameter of which each value is one of these words; null when it is absent. */
export const wordsParameter = <Word extends string>(
  query: Query,
  name: string,
  words: readonly Word[],
): readonly Word[] | null => take(query, name, wordsOf(words))

/** A whole number in a range; null when it is absent. */
export const integerParameter = (query: Query, name: string, least: number, most: number): number | null =>
  take(query, name, integerOf(least, most))

/** `true` or `false`; absent means false. */
export const booleanParameter = (query: Query, name: string): boolean => take(query, name, booleanOf) ?? false

/** 1 to 500, default 100. */
export const limitParameter = (query: Query): number => integerParameter(query, 'limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT

/** Milliseconds since 1970; null when absent. An ISO time, or a length of time that counts back from `now`. */
export const timeParameter = (query: Query, name: string, now: number): number | null =>
  take(query, name, timeOf)?.(now) ?? null

/** Position of the last item of a page, opaque to callers. */
export const cursorOf = (position: number): string => Buffer.from(String(position)).toString('base64url')

/** The position in a cursor; null when there is none. Throws 400 `INVALID_CURSOR`. */
export const cursorParameter = (query: Query): number | null => positionInCursor(textParameter(query, 'cursor'))

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

/** The sort key in a cursor, of so many parts; null when there is none. Throws 400 `INVALID_CURSOR`. */
export const keyCursorParameter = (query: Query, parts: number): readonly string[] | null =>
  keyInCursor(textParameter(query, 'cursor'), parts)

/** The sort key in the text of a cursor, of so many parts; null without a text. Throws 400 `INVALID_CURSOR`. */
export function keyInCursor(text: string | undefined, parts: number): readonly string[] | null {
  if (text === undefined) return null
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(key) && key.length === parts && key.every((part) => typeof part === 'string')) return key
  } catch {
    // Not a cursor of ours.
  }
  throw invalidCursor()
}

/** As `keyInCursor`, for keys that are numbers. */
export function numbersInCursor(text: string | undefined, parts: number): readonly number[] | null {
  const key = keyInCursor(text, parts)?.map(Number) ?? null
  if (key?.some((part) => !Number.isSafeInteger(part))) throw invalidCursor()
  return key
}

/** Refuses parameters that the endpoint does not have. */
export function onlyParameters(query: Query, names: readonly string[]): void {
  const issues = Object.keys(query)
    .filter((name) => !names.includes(name))
    .map((path) => ({ path, message: `is unknown; known are ${names.join(', ')}` }))
  if (issues.length > 0) throw invalidQuery(issues)
}
