/** Snoozes: alerts about matching events are suppressed for a while (`/v4/snoozes`). Stored in `footman.db`. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { z } from 'zod'
import type { TaskEvent } from '../events/types.ts'
import { DEFAULT_LIMIT, keyCursorOf, keyInCursor } from '../http/endpoint/list-query.ts'
import { type ApiRoute, from, route } from '../http/endpoint/route.ts'
import { type BodyIssue, invalidBody } from '../http/endpoint/validation.ts'
import { refusal } from '../http/errors.ts'
import type { Windows } from '../platform/calendar.ts'
import { parseDuration } from '../platform/duration.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { isGuid, uuidV7 } from '../platform/uuid.ts'
import type { ZoneTimes } from '../platform/zone-times.ts'
import { eventMatch } from './config-routes.ts'
import {
  LIFT_SNOOZE,
  type ListedSnooze,
  type Match,
  SET_SNOOZE,
  SNOOZES,
  type SnoozeBody,
  type SnoozeRehearsal,
} from './contract.ts'
import { windowsOf } from './history/lists.ts'
import { matchText } from './match-text.ts'
import { FIELDS, type FieldContext } from './rules/fields.ts'
import { compileMatch, EVERYTHING, type EventMatch } from './rules/match.ts'
import type { Hold } from './types.ts'

interface SnoozeRoutesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly windows: Pick<Windows, 'contains'>
  readonly loadEvent: (id: string) => TaskEvent | null
  /** The destinations that record: a snooze does not hold back their messages. */
  readonly recording: () => readonly string[]
}

const EXAMPLE_BODY = {
  match: { taskId: ['a8b4c123-def4-5678-9abc-def012345678'] },
  for: '2h',
  reason: 'source database is being moved',
}

export function snoozeRoutes(deps: SnoozeRoutesDeps): ApiRoute[] {
  const { db, writer, clock, windows } = deps
  return [
    route({
      ...SNOOZES,
      scope: 'event:read',
      summary: 'List snoozes',
      description: 'Those that have not ended, newest first.',
      examples: [{ name: 'all', status: 200, answer: { snoozes: [], nextCursor: null } }],
      handle({ query: { limit = DEFAULT_LIMIT, cursor } }, answer) {
        const [before = null] = keyInCursor(cursor, 1) ?? []
        const found = listSnoozes(db, clock.now(), before, limit + 1)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? keyCursorOf([last.id]) : null
        return answer(200, { snoozes: page.map(answerOf), nextCursor })
      },
    }),
    route({
      ...SET_SNOOZE,
      scope: 'event:run',
      action: 'snooze.set',
      summary: 'Set a snooze',
      description:
        'Messages to people about events that match are held back and recorded as `suppressed`/`SNOOZED`, until the snooze ends by itself or is lifted. It survives a restart. With `untilSuccess` it ends with the next success of the task, and that success is reported as any other.',
      examples: [{ name: 'task', body: EXAMPLE_BODY, status: 201 }],
      async handle({ body, query, caller, times, note }, answer) {
        const now = clock.now()
        const wanted = readSnooze(body, { windows, times, now })
        if (query.dryRun) {
          note({ detail: 'dry run' })
          return answer(200, await rehearse(deps, wanted.match, query.over?.(now) ?? now - DAY_MS))
        }
        const snooze = { ...wanted, id: uuidV7(now), createdBy: caller.actor, createdAt: now }
        note({ target: [snooze.id], detail: auditText(snooze) })
        await writer.write((tx) => insertSnooze(tx, snooze))
        return answer(201, answerOf({ ...snooze, suppressed: 0 }))
      },
    }),
    route({
      ...LIFT_SNOOZE,
      scope: 'event:run',
      action: 'snooze.lift',
      summary: 'Lift a snooze',
      examples: [{ name: 'newest', params: from(SNOOZES, { id: '$response.body#/snoozes/0/id' }), status: 204 }],
      async handle({ params: { id }, note }, answer) {
        if (!isGuid(id)) throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`)
        note({ target: [id] })
        const lifted = await writer.write((tx) => deleteSnooze(tx, id.toLowerCase()))
        if (!lifted) throw refusal('SNOOZE_NOT_FOUND', `No snooze has the id ${id}. It may have ended.`)
        note({ target: [id], detail: auditText(lifted) })
        return answer(204)
      },
    }),
  ]
}

/** The audit has the match, as a snooze has no name and is gone when it has ended. */
const auditText = (snooze: Pick<Snooze, 'match' | 'until' | 'successOf'>): string =>
  `${matchText(storedJson(snooze.match, {}))} ${endText(snooze)}`

const endText = ({ until, successOf }: Pick<Snooze, 'until' | 'successOf'>): string =>
  `until ${successOf === null ? '' : 'it succeeds, at the latest '}${new Date(until).toISOString()}`

function answerOf({ id, match, from, until, successOf, reason, createdBy, suppressed }: Snooze): ListedSnooze {
  return {
    id,
    match: storedJson<Match>(match, {}),
    from: new Date(from).toISOString(),
    until: new Date(until).toISOString(),
    untilSuccess: successOf !== null,
    reason,
    createdBy,
    suppressed,
  }
}

const DAY_MS = 86_400_000
/** Events that are looked at without a pause for other work. */
const AT_ONCE = 50
const REHEARSAL_MS = 1000

/** The alerts since `from` that a snooze with this match would have held back. */
async function rehearse(
  { db, windows, loadEvent, recording }: SnoozeRoutesDeps,
  json: string,
  from: number,
): Promise<SnoozeRehearsal> {
  const match = compileSnooze(json, { windows })
  const tasks = new Map<string, { readonly taskId: string; readonly taskName: string; count: number }>()
  const names = recording()
  const sql = `SELECT event_id AS eventId, count(*) AS n FROM delivery WHERE seq < ? AND seq >= ? AND +created_at >= ?
    AND kind IN ('alert', 'recovery') AND replay_of = '' AND state <> 'suppressed'
    AND destination NOT IN (${names.map(() => '?').join(', ')}) GROUP BY 1 ORDER BY max(seq) DESC`
  const search = { table: 'delivery', before: null, times: { column: 'created_at', from, to: null } }
  const end = performance.now() + REHEARSAL_MS
  let isComplete = true
  let looked = 0
  for await (const window of windowsOf(db, { ...search, budgetMs: REHEARSAL_MS })) {
    for (const { eventId, n } of db.all<{ eventId: string; n: number }>(
      sql,
      window.before,
      window.from,
      from,
      ...names,
    )) {
      looked += 1
      if (looked % AT_ONCE === 0) await nextTurn()
      if (performance.now() > end) return heldBack(tasks, true)
      const event = loadEvent(eventId)
      if (!event || match?.test(event, event.receivedAt) !== true) continue
      const { taskId, taskName } = event
      const known = tasks.get(taskId) ?? { taskId, taskName, count: 0 }
      known.count += n
      tasks.set(taskId, known)
    }
    isComplete = window.isLast
  }
  return heldBack(tasks, !isComplete)
}

function heldBack(tasks: ReadonlyMap<string, SnoozeRehearsal['tasks'][number]>, partial: boolean): SnoozeRehearsal {
  const all = [...tasks.values()].sort((one, other) => other.count - one.count)
  return { wouldHaveHeld: all.reduce((sum, { count }) => sum + count, 0), tasks: all, partial }
}

interface SnoozeRequest {
  /** JSON of the match as it was given. */
  readonly match: string
  readonly from: number
  readonly until: number
  readonly successOf: string | null
  readonly reason: string
}

const MINUTE_MS = 60_000
const MAX_MS = 30 * 86_400_000
const KNOWN = ['type', 'outcome', ...Object.keys(FIELDS)]

/** Throws 400 `VALIDATION` with every issue. */
function readSnooze(
  { match, for: length, until: end, untilSuccess = false, from: begin, reason = '' }: SnoozeBody,
  { windows, times, now }: { windows: Pick<Windows, 'contains'>; times: ZoneTimes; now: number },
): SnoozeRequest {
  const issues: BodyIssue[] = matchIssues(match, windows, now)
  const from = begin === undefined ? now : timeOf('from', begin, times, issues)
  const successOf = untilSuccess ? taskOf(match, issues) : null
  const ends = [length, end].filter((given) => given !== undefined)
  if (ends.length > 1 || (ends.length === 0 && !untilSuccess)) {
    issues.push({ path: 'for', message: 'or until must be given, and not both' })
  }
  const until =
    end !== undefined
      ? timeOf('until', end, times, issues)
      : length === undefined
        ? from + MAX_MS
        : endOf(from, length, issues)
  if (issues.length === 0) {
    const path = length === undefined ? 'until' : 'for'
    if (until - from < MINUTE_MS || until - from > MAX_MS) issues.push({ path, message: 'must make it 1m to 30d long' })
    else if (until <= now) issues.push({ path, message: 'lies in the past' })
  }
  if (issues.length > 0) throw invalidBody(issues)
  return { match: JSON.stringify(match), from, until, successOf, reason }
}

/** The id of the one task whose success is waited for. */
function taskOf({ taskId }: Match, issues: BodyIssue[]): string | null {
  const [id, ...others] = [taskId ?? []].flat()
  if (typeof id === 'string' && others.length === 0) return id.trim().toLowerCase()
  issues.push({ path: 'untilSuccess', message: 'needs the id of one task in match.taskId' })
  return null
}

/** The faults of a match that a caller gave. */
export function matchIssues(match: Match, windows: Pick<Windows, 'contains'>, now: number): BodyIssue[] {
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
  const noIds = (['taskId', 'appId'] as const).flatMap((name) =>
    (parsed.data[name] ?? [])
      .filter((id) => !isGuid(id.trim()))
      .map((id) => ({ path: `match.${name}`, message: `must be an id (a GUID); found ${JSON.stringify(id)}` })),
  )
  if (noIds.length > 0) return noIds
  const { message, during = [] } = parsed.data
  if (message !== undefined && message.length > 1 && message.startsWith('/') && message.endsWith('/')) {
    return [{ path: 'match.message', message: 'must be a glob: regular expressions are for the configuration only' }]
  }
  return during.flatMap((window) => {
    try {
      windows.contains(window, now)
      return []
    } catch (error) {
      return [{ path: 'match.during', message: errorText(error) }]
    }
  })
}

/** The message of an issue; of a union that of its first alternative. */
function textOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message
  return issue.errors[0]?.[0]?.message ?? issue.message
}

/** Adds an issue and returns NaN for a text that is no time. */
export function timeOf(path: string, text: string, times: ZoneTimes, issues: BodyIssue[]): number {
  const time = times.instant(text)
  if (time === null) issues.push({ path, message: 'must be an ISO 8601 time' })
  return time ?? Number.NaN
}

function endOf(from: number, length: string, issues: BodyIssue[]): number {
  const parsed = parseDuration(length)
  if (parsed.ok) return from + parsed.value
  issues.push({ path: 'for', message: `cannot be used: ${parsed.error}` })
  return Number.NaN
}

/** Compiles a stored match; null when it is not valid any more. */
function compileSnooze(match: string, context: FieldContext): EventMatch | null {
  const parsed = eventMatch.safeParse(storedJson<unknown>(match, null))
  return parsed.success ? compileMatch(parsed.data, context, EVERYTHING) : null
}

type ActiveSnooze = ReturnType<typeof activeSnoozes>[number]

interface Snoozes extends Required<Hold> {
  /** The active snooze that matches an event; null when there is none. */
  find(db: Database, event: TaskEvent, now: number): ActiveSnooze | null
}

/** Suppresses the alerts that an active snooze matches, and counts them. */
export function createSnoozes(context: FieldContext): Snoozes {
  const compiled = new Map<string, EventMatch | null>()

  function matchOf(id: string, match: string): EventMatch | null {
    const known = compiled.get(id)
    if (known !== undefined) return known
    const made = compileSnooze(match, context)
    compiled.set(id, made)
    return made
  }

  const find: Snoozes['find'] = (db, event, now) => {
    const active = activeSnoozes(db, now)
    if (active.length === 0) {
      compiled.clear()
      return null
    }
    // Unknown does not match: a spurious alert is better than a missed one.
    return active.find(({ id, match }) => matchOf(id, match)?.test(event, event.receivedAt) === true) ?? null
  }

  return {
    find,
    suppression(db, { event, now, peek }) {
      const snooze = find(db, event, now)
      if (!snooze) return null
      if (!peek) countSuppressed(db, snooze.id)
      const { id, reason } = snooze
      const until = new Date(snooze.until).toISOString()
      const detail = `${endText(snooze)}${reason === '' ? '' : `: ${reason}`}`
      return { reason: 'SNOOZED', detail, by: { snooze: { id, reason, until } } }
    },
    needs: (db, now) => activeSnoozes(db, now).flatMap(({ match }) => compileSnooze(match, context)?.needs ?? []),
  }
}

interface Snooze {
  readonly id: string
  /** The match as it was given, in JSON. */
  readonly match: string
  readonly from: number
  readonly until: number
  /** Id of the task, in small letters, whose next success ends it before `until`; null = none does. */
  readonly successOf: string | null
  readonly reason: string
  readonly createdBy: string
  readonly createdAt: number
  /** Number of deliveries that it has suppressed. */
  readonly suppressed: number
}

const COLUMNS = `id, match, from_at AS "from", until_at AS until, success_of AS successOf, reason, created_by AS createdBy,
  created_at AS createdAt, suppressed`

export function insertSnooze(db: Database, snooze: Omit<Snooze, 'suppressed'>): void {
  const { id, match, from, until, successOf, reason, createdBy, createdAt } = snooze
  db.run(
    `INSERT INTO snooze (id, match, from_at, until_at, success_of, reason, created_by, created_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    match,
    from,
    until,
    successOf,
    reason,
    createdBy,
    createdAt,
  )
}

/** Those that have begun and not ended. */
function activeSnoozes(db: Database, now: number): readonly Snooze[] {
  return db.all(`SELECT ${COLUMNS} FROM snooze WHERE until_at > ? AND from_at <= ? ORDER BY id`, now, now)
}

/** Ends snoozes with the first success of their task after they have begun, in the transaction that stores that. */
export const snoozeEnds =
  (clock: Clock) =>
  (
    ended: { readonly taskId: string; readonly outcome: string; readonly stoppedAt: number },
    _news: unknown,
    tx: Database,
  ): void => {
    if (ended.outcome !== 'success') return
    const now = clock.now()
    const sql = 'UPDATE snooze SET until_at = ? WHERE success_of = ? AND from_at <= ? AND until_at > ?'
    tx.run(sql, now, ended.taskId.toLowerCase(), ended.stoppedAt, now)
  }

/** Those that have not ended, newest first, before the one with the id `before`. */
function listSnoozes(db: Database, now: number, before: string | null, limit: number): readonly Snooze[] {
  return db.all<Snooze>(
    `SELECT ${COLUMNS} FROM snooze WHERE until_at > ? AND id < ? ORDER BY id DESC LIMIT ?`,
    now,
    before ?? '\uffff',
    limit,
  )
}

function countSuppressed(db: Database, id: string): void {
  db.run('UPDATE snooze SET suppressed = suppressed + 1 WHERE id = ?', id)
}

/** The deleted one; undefined when there is none. */
function deleteSnooze(db: Database, id: string): Snooze | undefined {
  const found = db.get<Snooze>(`SELECT ${COLUMNS} FROM snooze WHERE id = ?`, id)
  db.run('DELETE FROM snooze WHERE id = ?', id)
  return found
}

/** Those that ended before `before`. */
export function purgeSnoozes(db: Database, before: number): number {
  return db.run('DELETE FROM snooze WHERE until_at < ?', before).changes
}
