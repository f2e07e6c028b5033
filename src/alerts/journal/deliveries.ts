/** Deliveries as the REST API shows them. */
import type { Severity } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { DeliveryKind, DeliveryState } from '../types.ts'
import { type Page, readPage } from './pages.ts'
import { allOf, between, oneOf, oneOfIgnoringCase } from './where.ts'

export interface DeliveryFilter {
  readonly eventId: readonly string[] | null
  readonly state: readonly string[] | null
  readonly reason: readonly string[] | null
  readonly kind: readonly string[] | null
  readonly destination: readonly string[] | null
  readonly route: readonly string[] | null
  readonly taskId: readonly string[] | null
  readonly from: number | null
  readonly to: number | null
}

export interface DeliveryItem {
  readonly id: string
  readonly eventId: string
  readonly kind: DeliveryKind
  /** Null when it went to a destination directly. */
  readonly route: string | null
  readonly destination: string
  readonly destinationType: string | null
  readonly target: string
  readonly severity: Severity
  readonly state: DeliveryState
  readonly reason: string | null
  readonly detail: string | null
  readonly createdAt: string
  readonly deliveredAt: string | null
  readonly latencyMs: number | null
  readonly nextAttemptAt: string | null
  readonly replayOf: string | null
}

export interface DeliveryDetail extends DeliveryItem {
  readonly message: { readonly subject: string | null; readonly bytes: number; readonly body: string } | null
  readonly attempts: readonly {
    readonly n: number
    readonly at: string
    readonly durationMs: number
    readonly result: string
    readonly detail: string
  }[]
}

interface Row {
  readonly seq: number
  readonly id: string
  readonly eventId: string
  readonly kind: DeliveryKind
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly severity: Severity
  readonly state: DeliveryState
  readonly reason: string | null
  readonly detail: string | null
  readonly createdAt: number
  readonly finishedAt: number | null
  readonly nextAttemptAt: number
  readonly replayOf: string
  readonly receivedAt: number
}

/** The type of a destination; null when it is not in the configuration any more. */
export type TypeOf = (destination: string) => string | null

const SELECT = `delivery.seq, delivery.id, event_id AS eventId, kind, route, destination, target, delivery.severity,
  delivery.state, delivery.reason, detail, created_at AS createdAt, finished_at AS finishedAt,
  delivery.next_attempt_at AS nextAttemptAt, replay_of AS replayOf, received_at AS receivedAt
  FROM delivery JOIN event ON event.id = event_id`

/** Newest first. */
export async function listDeliveries(
  db: Database,
  filter: DeliveryFilter,
  page: { readonly before: number | null; readonly limit: number },
  typeOf: TypeOf,
): Promise<Page<DeliveryItem & { readonly seq: number }>> {
  const where = allOf([
    oneOfIgnoringCase('event_id', filter.eventId),
    oneOf('delivery.state', filter.state),
    oneOf('delivery.reason', filter.reason),
    oneOf('kind', filter.kind),
    oneOf('destination', filter.destination),
    oneOf('route', filter.route),
    oneOfIgnoringCase('task_id', filter.taskId),
    between('created_at', filter.from, filter.to),
  ])
  const query = { select: SELECT, seq: 'delivery.seq', table: 'delivery', where, ...page }
  const { rows, next } = await readPage<Row>(db, query)
  return { rows: rows.map((row) => ({ seq: row.seq, ...deliveryItem(row, typeOf) })), next }
}

/** All deliveries of an event, oldest first. */
export function deliveriesOf(db: Database, eventId: string, typeOf: TypeOf): DeliveryDetail[] {
  return db
    .all<Row>(`SELECT ${SELECT} WHERE event_id = ? ORDER BY delivery.seq`, eventId)
    .map((row) => detailed(db, row, typeOf))
}

/** Null when there is none (any more). */
export function findDelivery(db: Database, id: string, typeOf: TypeOf): DeliveryDetail | null {
  const row = db.get<Row>(`SELECT ${SELECT} WHERE delivery.id = ?`, id)
  return row ? detailed(db, row, typeOf) : null
}

function detailed(db: Database, row: Row, typeOf: TypeOf): DeliveryDetail {
  const message = db.get<{ subject: string | null; body: string | null; bytes: number | null }>(
    'SELECT subject, body, body_bytes AS bytes FROM delivery WHERE seq = ?',
    row.seq,
  )
  const attempts = db.all<{ n: number; at: number; durationMs: number; result: string; detail: string }>(
    'SELECT n, at, duration_ms AS durationMs, result, detail FROM delivery_attempt WHERE delivery_id = ? ORDER BY n',
    row.id,
  )
  const { body = null, subject = null, bytes = null } = message ?? {}
  return {
    ...deliveryItem(row, typeOf),
    message: body === null ? null : { subject, bytes: bytes ?? Buffer.byteLength(body), body },
    attempts: attempts.map(({ n, at, durationMs, result, detail }) => ({
      ...{ n, at: new Date(at).toISOString(), durationMs, result: RESULTS[result] ?? result, detail },
    })),
  }
}

/** As metrics name them. */
const RESULTS: Readonly<Record<string, string>> = { retry: 'temporary', rejected: 'permanent' }

function deliveryItem(row: Row, typeOf: TypeOf): DeliveryItem {
  const isDelivered = row.state === 'delivered' && row.finishedAt !== null
  return {
    id: row.id,
    eventId: row.eventId,
    kind: row.kind,
    route: row.route || null,
    destination: row.destination,
    destinationType: typeOf(row.destination),
    target: row.target,
    severity: row.severity,
    state: row.state,
    reason: row.reason,
    detail: row.detail,
    createdAt: new Date(row.createdAt).toISOString(),
    deliveredAt: isDelivered ? new Date(row.finishedAt).toISOString() : null,
    latencyMs: isDelivered ? row.finishedAt - row.receivedAt : null,
    nextAttemptAt: row.state === 'pending' ? new Date(row.nextAttemptAt).toISOString() : null,
    replayOf: row.replayOf || null,
  }
}
