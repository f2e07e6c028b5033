/** Bodies of endpoints that the predecessor did not have: unknown members are refused, and every issue is named. */
import { z } from 'zod'
import { Refusal, refusedWithCode } from './errors.ts'
import { isObject } from './validation.ts'

export interface BodyIssue {
  readonly path: string
  readonly message: string
}

/** 400 `VALIDATION`. */
export function invalidBody(issues: readonly BodyIssue[]): Refusal {
  const text = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  const { status, body } = refusedWithCode(400, 'VALIDATION', 'Invalid body', text)
  return new Refusal(status, { ...body, issues })
}

/** The body in the schema's form; its members may use the lenient fields of `validation.ts`. */
export function strictBody<T extends z.ZodRawShape>(shape: T, body: unknown): z.output<z.ZodObject<T>> {
  if (!isObject(body)) throw invalidBody([{ path: 'body', message: 'must be object' }])
  const known = Object.keys(shape)
  const unknown = Object.keys(body)
    .filter((name) => !known.includes(name))
    .map((path) => ({ path, message: `is unknown; known are ${known.join(', ')}` }))
  const result = z.object(shape).safeParse(body)
  const wrong = result.success
    ? []
    : result.error.issues.map(({ path, message }) => ({
        path: path.join('.'),
        message: missing(body, path) ?? message,
      }))
  if (result.success && unknown.length === 0) return result.data as z.output<z.ZodObject<T>>
  throw invalidBody([...wrong, ...unknown])
}

function missing(body: Record<string, unknown>, [name]: readonly PropertyKey[]): string | null {
  return String(name) in body ? null : 'is missing'
}
