/**
 * Checks of request data with the coercions and the texts that existing clients rely on: `"true"` is a boolean, `42` a
 * string where one is wanted, a single value a list. Only the first failure is reported; missing members come first.
 */
import { z } from 'zod'
import { invalid, type Refusal, refusal } from '../errors.ts'

export type Place = 'body' | 'querystring' | 'params'

/** Members of request data. */
export const field = {
  /** Numbers, booleans, null and one-element lists become text. */
  string: () => coerced(toText, z.string({ error: 'must be string' })),
  number: () => coerced(toNumber, z.number({ error: 'must be number' })),
  integer: () => coerced(toNumber, z.int({ error: 'must be integer' })),
  boolean: () => coerced(toBoolean, z.boolean({ error: 'must be boolean' })),
  /** A single value becomes a list of one. */
  array: <T extends z.ZodType>(item: T) => coerced(toArray, z.array(item, { error: 'must be array' })),
  object: <T extends z.ZodRawShape>(shape: T) => z.looseObject(shape, { error: 'must be object' }),
}

/**
 * The value in the schema's form. Throws E2: `body must be object`, `querystring must have required property 'key'`,
 * `body/overwrite must be boolean`.
 */
export function validate<T extends z.ZodObject>(place: Place, schema: T, value: unknown): z.output<T> {
  if (!isObject(value)) throw invalid(`${place} must be object`)
  const result = schema.safeParse(value)
  if (result.success) return result.data
  for (const [name, member] of Object.entries(schema.shape)) {
    if (!(name in value) && !optional(member as z.ZodType)) {
      throw invalid(`${place} must have required property '${name}'`)
    }
  }
  const [issue] = result.error.issues
  throw invalid(`${[place, ...issue!.path.map(String)].join('/')} ${issue!.message}`)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface BodyIssue {
  readonly path: string
  readonly message: string
}

/** 400 `VALIDATION`. */
export function invalidBody(issues: readonly BodyIssue[]): Refusal {
  const text = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return refusal('VALIDATION', text, { error: 'Invalid body', issues })
}

/**
 * The body of an endpoint that the predecessor did not have: unknown members are refused, and every issue is named. Its members may use the lenient fields.
 */
export function strictBody<T extends z.ZodObject>(schema: T, body: unknown): z.output<T> {
  if (!isObject(body)) throw invalidBody([{ path: 'body', message: 'must be object' }])
  const known = Object.keys(schema.shape)
  const unknown = Object.keys(body)
    .filter((name) => !known.includes(name))
    .map((path) => ({ path, message: `is unknown; known are ${known.join(', ')}` }))
  const result = schema.safeParse(body)
  const wrong = result.success
    ? []
    : result.error.issues.map(({ path, message }) => ({
        path: path.join('.'),
        message: missing(body, path) ?? message,
      }))
  if (result.success && unknown.length === 0) return result.data
  throw invalidBody([...wrong, ...unknown])
}

function missing(body: Record<string, unknown>, [name]: readonly PropertyKey[]): string | null {
  return String(name) in body ? null : 'is missing'
}

const optional = (member: z.ZodType): boolean => member.safeParse(undefined).success

function coerced<T extends z.ZodType>(convert: (value: unknown) => unknown, type: T) {
  return z.preprocess(convert, type)
}

function toText(value: unknown): unknown {
  if (Array.isArray(value) && value.length === 1 && !isObject(value[0])) return toText(value[0])
  if (value === null) return ''
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
}

function toNumber(value: unknown): unknown {
  if (value === null) return 0
  if (typeof value === 'boolean') return Number(value)
  if (typeof value !== 'string' || value.trim() === '' || Number.isNaN(Number(value))) return value
  return Number(value)
}

const BOOLEANS = new Map<unknown, boolean>([
  ['true', true],
  [1, true],
  ['false', false],
  [0, false],
  [null, false],
])

const toBoolean = (value: unknown): unknown => BOOLEANS.get(value) ?? value

function toArray(value: unknown): unknown {
  return value === undefined || Array.isArray(value) || isObject(value) ? value : [value]
}
