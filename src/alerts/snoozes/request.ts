/** A snooze as it is asked for. */
import { z } from 'zod'
import { type BodyIssue, invalidBody } from '../../http/endpoint/validation.ts'
import type { Windows } from '../../platform/calendar.ts'
import { parseDuration } from '../../platform/duration.ts'
import { eventMatch } from '../config-routes.ts'
import { FIELDS } from '../rules/fields.ts'

/** What a snooze is asked for with. */
export const SNOOZE_BODY = z.object({
  match: z
    .looseObject({})
    .describe('Fields as in a match of `alertRoutes`, without regular expressions; `outcome` defaults to "*".'),
  for: z.string().describe('How long, like `2h`; 1m to 30d. Or give `until`.').optional(),
  until: z.string().describe('ISO 8601 time of the end.').optional(),
  from: z.string().describe('ISO 8601 time of the begin; default now.').optional(),
  reason: z.string().max(500).optional(),
})

export interface SnoozeRequest {
  /** JSON of the match as it was given. */
  readonly match: string
  readonly from: number
  readonly until: number
  readonly reason: string
}

const MINUTE_MS = 60_000
const MAX_MS = 30 * 86_400_000
const KNOWN = ['type', 'outcome', ...Object.keys(FIELDS)]

/** Throws 400 `VALIDATION` with every issue. */
export function readSnooze(
  { match, for: length, until: end, from: begin, reason = '' }: z.output<typeof SNOOZE_BODY>,
  windows: Pick<Windows, 'contains'>,
  now: number,
): SnoozeRequest {
  const issues: BodyIssue[] = matchIssues(match, windows, now)
  const from = begin === undefined ? now : timeOf('from', begin, issues)
  if ((length === undefined) === (end === undefined)) {
    issues.push({ path: 'for', message: 'or until must be given, and not both' })
  }
  const until =
    length === undefined ? timeOf('until', end ?? '', issues, end !== undefined) : endOf(from, length, issues)
  if (issues.length === 0) {
    const path = length === undefined ? 'until' : 'for'
    if (until - from < MINUTE_MS || until - from > MAX_MS) issues.push({ path, message: 'must make it 1m to 30d long' })
    else if (until <= now) issues.push({ path, message: 'lies in the past' })
  }
  if (issues.length > 0) throw invalidBody(issues)
  return { match: JSON.stringify(match), from, until, reason }
}

function matchIssues(match: Record<string, unknown>, windows: Pick<Windows, 'contains'>, now: number): BodyIssue[] {
  const names = Object.keys(match)
  if (names.length === 0) return [{ path: 'match', message: 'must not be empty' }]
  const unknown = names
    .filter((name) => !KNOWN.includes(name))
    .map((name) => ({ path: `match.${name}`, message: `is unknown; known are ${KNOWN.join(', ')}` }))
  if (unknown.length > 0) return unknown
  const parsed = eventMatch.safeParse(match)
  if (!parsed.success) {
    return parsed.error.issues.map((issue) => ({ path: ['match', ...issue.path].join('.'), message: textOf(issue) }))
  }
  const { message, during = [] } = parsed.data
  if (message !== undefined && message.length > 1 && message.startsWith('/') && message.endsWith('/')) {
    return [{ path: 'match.message', message: 'must be a glob: regular expressions are for the configuration only' }]
  }
  return during.flatMap((window) => {
    try {
      windows.contains(window, now)
      return []
    } catch (error) {
      return [{ path: 'match.during', message: error instanceof Error ? error.message : String(error) }]
    }
  })
}

/** Of a union the first alternative says what was expected. */
function textOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message
  return issue.errors[0]?.[0]?.message ?? issue.message
}

function timeOf(path: string, text: string, issues: BodyIssue[], wanted = true): number {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (wanted && Number.isNaN(time)) issues.push({ path, message: 'must be an ISO 8601 time' })
  return time
}

function endOf(from: number, length: string, issues: BodyIssue[]): number {
  const parsed = parseDuration(length)
  if (parsed.ok) return from + parsed.value
  issues.push({ path: 'for', message: `cannot be used: ${parsed.error}` })
  return Number.NaN
}
