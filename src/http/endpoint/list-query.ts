/** The query parameters that lists have in common: `limit`, `cursor`, `from` and `to`. */
import { z } from 'zod'
import { parseDuration } from '../../platform/duration.ts'
import { type Refusal, refusal } from '../errors.ts'

type Query = Readonly<Record<string, string | readonly string[]>>

export interface QueryIssue {
  readonly path: string
  readonly message: string
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

/** 400 `VALIDATION`, naming every issue. */
export function invalidQuery(issues: readonly QueryIssue[]): Refusal {
  const text = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return refusal('VALIDATION', text, { error: 'Invalid query', issues })
}

/** The parameter, or undefined; given twice is an error. */
export function textParameter(query: Query, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'string') return value
  throw invalidQuery([{ path: name, message: 'must be given once' }])
}

/** All values of a parameter that may be repeated; null when it is absent. */
export function valuesParameter(query: Query, name: string): readonly string[] | null {
  const value = query[name]
  return value === undefined ? null : [value].flat()
}

/** A repeated parameter of which each value is one of these words; null when it is absent. */
export function wordsParameter<Word extends string>(
  query: Query,
  name: string,
  words: readonly Word[],
): readonly Word[] | null {
  const values = valuesParameter(query, name)
  if (values?.some((value) => !words.some((word) => word === value))) {
    throw invalidQuery([{ path: name, message: `must be one of ${words.join(', ')}` }])
  }
  return values as readonly Word[] | null
}

/** A whole number in a range; null when it is absent. */
export function integerParameter(query: Query, name: string, least: number, most: number): number | null {
  const text = textParameter(query, name)
  if (text === undefined) return null
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw invalidQuery([{ path: name, message: `must be a whole number from ${least} to ${most}` }])
}

/** 1 to 500, default 100. */
export function limitParameter(query: Query): number {
  return integerParameter(query, 'limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT
}

const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** Milliseconds since 1970; null when absent. An ISO time, or a length of time that counts back from `now`. */
export function timeParameter(query: Query, name: string, now: number): number | null {
  const text = textParameter(query, name)
  if (text === undefined) return null
  const duration = parseDuration(text)
  if (duration.ok) return now - duration.value
  const time = ISO_TIME.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw invalidQuery([{ path: name, message: 'must be an ISO 8601 time, or a length of time like 24h' }])
}

/** Position of the last item of a page, opaque to callers. */
export const cursorOf = (position: number): string => Buffer.from(String(position)).toString('base64url')

/** The position in a cursor; null when there is none. Throws 400 `INVALID_CURSOR`. */
export function cursorParameter(query: Query): number | null {
  const text = textParameter(query, 'cursor')
  if (text === undefined) return null
  const decoded = Buffer.from(text, 'base64url').toString()
  if (/^\d{1,15}$/.test(decoded)) return Number(decoded)
  throw invalidCursor()
}

const invalidCursor = (): Refusal => refusal('INVALID_CURSOR', 'Use nextCursor of the answer before, unchanged.')

/** Sort key of the last item of a page, opaque to callers. */
export const keyCursorOf = (key: readonly string[]): string => Buffer.from(JSON.stringify(key)).toString('base64url')

/** The sort key in a cursor, of so many parts; null when there is none. Throws 400 `INVALID_CURSOR`. */
export function keyCursorParameter(query: Query, parts: number): readonly string[] | null {
  const text = textParameter(query, 'cursor')
  if (text === undefined) return null
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(key) && key.length === parts && key.every((part) => typeof part === 'string')) return key
  } catch {
    // Not a cursor of ours.
  }
  throw invalidCursor()
}

/** As `keyCursorParameter`, for keys that are numbers. */
export function numberCursorParameter(query: Query, parts: number): readonly number[] | null {
  const key = keyCursorParameter(query, parts)?.map(Number) ?? null
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

/** For the description of the API. */
export const LIST_PARAMETERS = {
  from: z
    .string()
    .describe('An ISO 8601 time, inclusive; or a length of time that counts back from now, like `24h`.')
    .optional(),
  to: z.string().describe('An ISO 8601 time, exclusive; or a length of time that counts back from now.').optional(),
  limit: z.int().min(1).max(500).describe('How many at most. Default 100.').optional(),
  cursor: z.string().describe('`nextCursor` of the answer before.').optional(),
}
