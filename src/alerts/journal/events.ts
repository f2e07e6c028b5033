/** Events as the REST API shows them. */
import type {
  EventOutcome,
  EventState,
  EventType,
  MissingPart,
  Severity,
  TaskEvent,
  TaskHistory,
} from '../../events/types.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import { formatUser } from '../template-context.ts'
import { eventTitle } from '../title.ts'
import type { DeliveryState } from '../types.ts'
import { type Page, readPage } from './pages.ts'
import { allOf, between, holds, oneOf, oneOfIgnoringCase } from './where.ts'

export interface EventFilter {
  readonly type: readonly string[] | null
  readonly outcome: readonly string[] | null
  readonly source: readonly string[] | null
  readonly state: readonly string[] | null
  readonly severity: readonly string[] | null
  readonly taskId: readonly string[] | null
  readonly appId: readonly string[] | null
  readonly executionId: readonly string[] | null
  readonly host: readonly string[] | null
  /** Text in names or message. */
  readonly q: string | null
  readonly from: number | null
  readonly to: number | null
}

export type DeliveryCounts = Readonly<Record<DeliveryState, number>>

/** An event in a list. */
export interface EventItem {
  readonly id: string
  readonly receivedAt: string
  readonly source: string
  readonly type: EventType
  readonly outcome: EventOutcome
  readonly severity: Severity
  readonly state: EventState
  readonly reason: string | null
  readonly title: string
  readonly host: string | null
  readonly user: string | null
  readonly taskId: string | null
  readonly taskName: string | null
  readonly appId: string | null
  readonly appName: string | null
  readonly executionId: string | null
  readonly consecutiveFailures: number | null
  readonly missingParts: readonly MissingPart[]
  readonly test: boolean
  readonly deliveryCounts: DeliveryCounts
}

export interface EventRow {
  readonly seq: number
  readonly id: string
  readonly journalId: number | null
  readonly sender: string
  readonly receivedAt: number
  readonly source: TaskEvent['source']
  readonly type: EventType
  readonly outcome: EventOutcome
  readonly severity: Severity
  readonly state: EventState
  readonly reason: string | null
  readonly host: string
  readonly user: string
  readonly taskId: string
  readonly taskName: string
  readonly appId: string
  readonly appName: string
  readonly executionId: string
  readonly code: string | null
  readonly details: string | null
  readonly history: string | null
  readonly missingParts: string
  readonly test: number
}

const COLUMNS = `seq, id, journal_id AS journalId, sender, received_at AS receivedAt, source, type, outcome, severity,
  state, reason, host, user, task_id AS taskId, task_name AS taskName, app_id AS appId, app_name AS appName,
  execution_id AS executionId, code, details, history, missing_parts AS missingParts, test`

/** Newest first. */
export async function listEvents(
  db: Database,
  filter: EventFilter,
  page: { readonly before: number | null; readonly limit: number },
): Promise<Page<EventItem & { readonly seq: number }>> {
  const where = allOf([
    oneOf('type', filter.type),
    oneOf('outcome', filter.outcome),
    oneOf('source', filter.source),
    oneOf('state', filter.state),
    oneOf('severity', filter.severity),
    oneOfIgnoringCase('task_id', filter.taskId),
    oneOfIgnoringCase('app_id', filter.appId),
    oneOfIgnoringCase('execution_id', filter.executionId),
    oneOfIgnoringCase('host', filter.host),
    holds(['task_name', 'app_name', 'log_message'], filter.q),
    between('received_at', filter.from, filter.to),
  ])
  const select = `${COLUMNS} FROM event`
  const { rows, next } = await readPage<EventRow>(db, { select, seq: 'seq', table: 'event', where, ...page })
  const counts = deliveryCounts(
    db,
    rows.map(({ id }) => id),
  )
  const items = rows.map((row) => ({ seq: row.seq, ...eventItem(row, counts.get(row.id) ?? NO_DELIVERIES) }))
  return { rows: items, next }
}

/** Null when it is not stored (any more). */
export function findEvent(db: Database, id: string): EventRow | null {
  return db.get<EventRow>(`SELECT ${COLUMNS} FROM event WHERE id = ?`, id) ?? null
}

export function eventItem(row: EventRow, deliveryCounts: DeliveryCounts): EventItem {
  const details = storedJson<TaskEvent['details']>(row.details, null)
  const history = storedJson<TaskHistory | null>(row.history, null)
  return {
    id: row.id,
    receivedAt: new Date(row.receivedAt).toISOString(),
    source: row.source,
    type: row.type,
    outcome: row.outcome,
    severity: row.severity,
    state: row.state,
    reason: row.reason,
    title: eventTitle({ ...row, details, test: row.test === 1 }),
    host: row.host || null,
    user: formatUser(formatUser(row.user, 'collapsed'), 'slash') || null,
    taskId: row.taskId || null,
    taskName: row.taskName || null,
    appId: row.appId || null,
    appName: row.appName || null,
    executionId: row.executionId || null,
    consecutiveFailures: history?.consecutiveFailures ?? null,
    missingParts: storedJson<MissingPart[]>(row.missingParts, []),
    test: row.test === 1,
    deliveryCounts,
  }
}

export const NO_DELIVERIES: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, suppressed: 0, dead: 0 }

export function deliveryCounts(db: Database, ids: readonly string[]): ReadonlyMap<string, DeliveryCounts> {
  const counts = new Map<string, DeliveryCounts>()
  if (ids.length === 0) return counts
  const rows = db.all<{ eventId: string; state: DeliveryState; n: number }>(
    `SELECT event_id AS eventId, state, count(*) AS n FROM delivery
     WHERE event_id IN (${ids.map(() => '?').join(', ')}) GROUP BY event_id, state`,
    ...ids,
  )
  for (const { eventId, state, n } of rows)
    counts.set(eventId, { ...(counts.get(eventId) ?? NO_DELIVERIES), [state]: n })
  return counts
}

export interface DroppedItem {
  readonly seq: number
  readonly at: string
  readonly from: string
  readonly reason: string
  readonly raw: string
}

/** Refused datagrams, newest first. */
export async function listDropped(
  db: Database,
  reason: readonly string[] | null,
  page: { readonly before: number | null; readonly limit: number },
): Promise<Page<DroppedItem>> {
  const { rows, next } = await readPage<{ seq: number; at: number; sender: string; reason: string; raw: Uint8Array }>(
    db,
    {
      select: 'seq, at, sender, reason, raw FROM dropped_datagram',
      seq: 'seq',
      table: 'dropped_datagram',
      where: allOf([oneOf('reason', reason)]),
      ...page,
    },
  )
  const items = rows.map(({ seq, at, sender, reason, raw }) => ({
    ...{ seq, at: new Date(at).toISOString(), from: sender, reason, raw: textOf(raw) },
  }))
  return { rows: items, next }
}

/** A datagram as text; bytes that are not UTF-8 are read as windows-1252. */
export function textOf(raw: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(raw)
  } catch {
    return new TextDecoder('windows-1252').decode(raw)
  }
}
