/** Problems of definitions, each with its place and a code. */
import type { z } from 'zod'
import { ERRORS, type ErrorCode, type Refusal, refusal } from '../http/errors.ts'

export interface Issue {
  /** `reports.0.format`; '' = the whole. */
  readonly path: string
  readonly message: string
  /** Default `VALIDATION`. */
  readonly code?: ErrorCode
}

const MOST = 20

/** The refusal that names every issue. Its code is that of the first. */
export function refuseIssues(issues: readonly Issue[], error = 'Invalid request body'): Refusal {
  const [first] = issues
  const shown = issues.slice(0, MOST).map(({ path, message }) => ({ path: path || 'body', message }))
  const code = first?.code ?? 'VALIDATION'
  const problems = `${issues.length} ${issues.length === 1 ? 'problem' : 'problems'}`
  const details =
    code === 'VALIDATION'
      ? `${problems}: ${shown.map(({ path }) => path).join(', ')}`
      : `${shown[0]!.path}: ${shown[0]!.message}`
  return refusal(code, details, { error: code === 'VALIDATION' ? error : ERRORS[code].text, issues: shown })
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly Issue[] }

export function parseWith<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const result = schema.safeParse(value)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, issues: result.error.issues.flatMap((issue) => issuesOf(issue, value, [])) }
}

/** Throws the refusal of a value that does not fit. */
export function checkedWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = parseWith(schema, value)
  if (!result.ok) throw refuseIssues(result.issues)
  return result.value
}

type ZodIssue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

function issuesOf(issue: ZodIssue, root: unknown, above: Path): Issue[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: textOf([...path, key]), message: 'Unknown member' }))
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return nearestBranch(issue.errors).flatMap((inner) => issuesOf(inner, root, path))
  }
  const code = issue.code === 'custom' ? (issue.params?.code as ErrorCode | undefined) : undefined
  return [{ path: textOf(path), message: messageOf(issue, valueAt(root, path)), ...(code && { code }) }]
}

const textOf = (path: Path): string => path.map(String).join('.')

/** The branch of a union whose form the value has: not refused as a whole, with the fewest problems. */
function nearestBranch(branches: readonly ZodIssue[][]): readonly ZodIssue[] {
  const isOther = (issues: readonly ZodIssue[]) =>
    issues.some(
      ({ code, path }) =>
        (code === 'invalid_type' && path.length === 0) || (code === 'invalid_value' && path[0] === 'type'),
    )
  const rank = (issues: readonly ZodIssue[]) => (isOther(issues) ? 1000 : 0) + issues.length
  return [...branches].sort((a, b) => rank(a) - rank(b))[0] ?? []
}

function messageOf(issue: ZodIssue, value: unknown): string {
  if (value === undefined && issue.code !== 'custom') return 'Required'
  switch (issue.code) {
    case 'invalid_value':
      return `Expected one of ${issue.values.map(String).join(', ')}`
    case 'invalid_union': {
      const { options } = issue as { readonly options?: readonly unknown[] }
      return options ? `Expected one of ${options.join(', ')}` : 'Invalid value'
    }
    case 'invalid_type':
      return `Expected ${issue.expected}`
    case 'too_small':
      return limitText(issue.message, 'at least', issue.minimum, issue.origin)
    case 'too_big':
      return limitText(issue.message, 'at most', issue.maximum, issue.origin)
    default:
      return `${issue.message.charAt(0).toUpperCase()}${issue.message.slice(1)}`
  }
}

const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' items', record: ' members' }

/** The message of the schema when it has one of its own. */
function limitText(message: string, bound: string, limit: number | bigint, origin: string): string {
  if (message.startsWith('must ')) return `M${message.slice(1)}`
  return `Must be ${bound} ${limit}${UNITS[origin] ?? ''}`
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[name] : undefined,
    root,
  )
}
