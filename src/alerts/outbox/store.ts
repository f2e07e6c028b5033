/** Deliveries in `footman.db`: what is to be sent, what became of it. */
import { PARKED_AT } from '../../cluster/leave.ts'
import type { Severity, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import { uuidV7, uuidV8 } from '../../platform/uuid.ts'
import type { SuppressedBy } from '../rules/contract.ts'
import type { DeadReason, DeliveryKind, DeliveryNote, SuppressReason } from '../types.ts'

export interface NewDelivery {
  readonly id: string
  readonly eventId: string
  readonly kind: DeliveryKind
  readonly route: string
  readonly destination: string
  /** Type of the destination. */
  readonly destinationType: string
  readonly target: string
  readonly lane: string
  readonly orderKey: string | null
  readonly limitKey: string | null
  readonly severity: Severity
  readonly state: 'pending' | 'suppressed'
  readonly reason: SuppressReason | null
  readonly detail: string | null
  readonly by?: SuppressedBy
  readonly note?: DeliveryNote | null
  /** Subject of its event, stored for recoveries. */
  readonly about?: string | null
  /** The delivery that this one repeats. */
  readonly replayOf?: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** A delivery that waits for its turn. */
export interface DueDelivery {
  readonly seq: number
  readonly id: string
  readonly eventId: string
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly lane: string
  readonly orderKey: string | null
  readonly limitKey: string | null
  readonly attempts: number
  readonly createdAt: number
  readonly kind: DeliveryKind
  readonly severity: Severity
  /** JSON of a `DeliveryNote`. */
  readonly note: string | null
}

export interface Attempt {
  readonly deliveryId: string
  readonly n: number
  readonly at: number
  readonly durationMs: number
  readonly result: 'ok' | 'retry' | 'rejected'
  readonly detail: string
}

export interface RenderedMessage {
  readonly subject: string | null
  readonly body: string
}

const DUE_COLUMNS = `seq, id, event_id AS eventId, route, destination, target, lane, order_key AS orderKey,
  limit_key AS limitKey, attempts, coalesce(reopened_at, created_at) AS createdAt, kind, severity, note`

/** Stored length of a sent body, in characters. */
const BODY_KEPT = 64 * 1024

/** Adds a delivery; false when this (event, route, destination, target, kind) has one already. */
export function insertDelivery(db: Database, delivery: NewDelivery): boolean {
  const { changes } = db.run(
    `INSERT OR IGNORE INTO delivery (id, event_id, kind, route, destination, destination_type, target, lane, order_key, limit_key, severity,
       state, reason, detail, suppressed_by, created_at, next_attempt_at, finished_at, note, about,
       replay_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    delivery.id,
    delivery.eventId,
    delivery.kind,
    delivery.route,
    delivery.destination,
    delivery.destinationType,
    delivery.target,
    delivery.lane,
    delivery.orderKey,
    delivery.limitKey,
    delivery.severity,
    delivery.state,
    delivery.reason,
    delivery.detail,
    delivery.by ? JSON.stringify(delivery.by) : null,
    delivery.createdAt,
    delivery.createdAt,
    delivery.state === 'suppressed' ? delivery.createdAt : null,
    delivery.note ? JSON.stringify(delivery.note) : null,
    delivery.about ?? null,
    delivery.replayOf ?? '',
  )
  return changes > 0
}

/** The alerts and recoveries that an event has already, in any state; replays left out. */
export function deliveriesOf(db: Database, eventId: string): ReadonlySet<string> {
  const sql = `SELECT route, destination, target, kind FROM delivery WHERE event_id = ? AND replay_of = ''`
  return new Set(db.all<DeliveryIdentity>(sql, eventId).map(deliveryKey))
}

type DeliveryIdentity = Pick<NewDelivery, 'route' | 'destination' | 'target' | 'kind'>

/** Unique among the deliveries of an event, replays left out. */
export const deliveryKey = ({ route, destination, target, kind }: DeliveryIdentity): string =>
  [route, destination, target, kind].join('\u0000')

/**
 * The id of a new delivery. In a cluster it is made of the message, so that whichever node makes the delivery, it is the same
 * one, with the same `Message-ID` and `Idempotency-Key`. The time of the message keeps a later repeat apart.
 */
export function newDeliveryId(
  { messageKey, logTimeStamp }: Pick<TaskEvent, 'messageKey' | 'logTimeStamp'>,
  { route, destination, target, kind }: DeliveryIdentity,
  now: number,
): string {
  if (messageKey === undefined) return uuidV7(now)
  return uuidV8([messageKey, logTimeStamp, route, destination, target, kind])
}

/** Deliveries that a killed process was sending are sent again. */
export function reopenSending(db: Database): number {
  return db.run(`UPDATE delivery SET state = 'pending' WHERE state = 'sending'`).changes
}

// Each of these conditions is that of an index: `delivery_free`, `delivery_ordered`.
const FREE = `lane = ? AND order_key IS NULL AND state IN ('pending', 'sending')`
const ORDERED = `lane = ? AND order_key IS NOT NULL AND state IN ('pending', 'sending')`
/**
 * The first open delivery of every order key of a lane. Each step seeks the next order key in the index (a loose index scan),
 * so that the cost is that of the keys, not of their deliveries. The lane is bound three times.
 */
const HEADS = `WITH RECURSIVE keys (order_key) AS (
    SELECT min(order_key) FROM delivery WHERE ${ORDERED}
    UNION ALL
    SELECT (SELECT min(order_key) FROM delivery WHERE ${ORDERED} AND order_key > keys.order_key) FROM keys
      WHERE keys.order_key IS NOT NULL
  ), heads (head) AS MATERIALIZED (
    SELECT (SELECT min(seq) FROM delivery WHERE ${ORDERED} AND order_key = keys.order_key) FROM keys
      WHERE keys.order_key IS NOT NULL
  )`

/** Lanes with open deliveries. */
export function openLanes(db: Database): string[] {
  return db
    .all<{ lane: string }>(
      `SELECT lane FROM delivery WHERE order_key IS NULL AND state IN ('pending', 'sending')
       UNION SELECT lane FROM delivery WHERE order_key IS NOT NULL AND state IN ('pending', 'sending')`,
    )
    .map((row) => row.lane)
}

/** Open deliveries of a lane that are due and know no order, in the order in which they became due. */
export function dueDeliveries(db: Database, lane: string, now: number, limit: number): DueDelivery[] {
  return db.all<DueDelivery>(
    `SELECT ${DUE_COLUMNS} FROM delivery WHERE ${FREE} AND next_attempt_at <= ? ORDER BY next_attempt_at, seq LIMIT ?`,
    lane,
    now,
    limit,
  )
}

/** The first open delivery of every order key of a lane, where it is due: no other one of its key may leave. */
export function dueHeads(db: Database, lane: string, now: number): DueDelivery[] {
  return db.all<DueDelivery>(
    `${HEADS} SELECT ${DUE_COLUMNS} FROM heads JOIN delivery ON seq = head WHERE next_attempt_at <= ? ORDER BY seq`,
    lane,
    lane,
    lane,
    now,
  )
}

/** The first open delivery of an order key after the one numbered `after`; null when none is open or it is not due. */
export function firstOfOrder(
  db: Database,
  lane: string,
  orderKey: string,
  after: number,
  now: number,
): DueDelivery | null {
  const head = db.get<DueDelivery & { readonly nextAttemptAt: number }>(
    `SELECT ${DUE_COLUMNS}, next_attempt_at AS nextAttemptAt FROM delivery WHERE ${ORDERED} AND order_key = ?
       AND seq > ? ORDER BY seq LIMIT 1`,
    lane,
    orderKey,
    after,
  )
  return head && head.nextAttemptAt <= now ? head : null
}

/** False once the delivery has ended, cancelled ones included. */
export function isOpenDelivery(db: Database, seq: number): boolean {
  return db.get(`SELECT 1 FROM delivery WHERE seq = ? AND state IN ('pending', 'sending')`, seq) !== undefined
}

/** When the next delivery of a lane becomes due after `now`; null when none will. */
export function nextDueAt(db: Database, lane: string, now: number): number | null {
  const free = db.get<{ at: number | null }>(
    `SELECT min(next_attempt_at) AS at FROM delivery WHERE ${FREE} AND next_attempt_at > ?`,
    lane,
    now,
  )?.at
  const head = db.get<{ at: number | null }>(
    `${HEADS} SELECT min(next_attempt_at) AS at FROM heads JOIN delivery ON seq = head WHERE next_attempt_at > ?`,
    lane,
    lane,
    lane,
    now,
  )?.at
  return free && head ? Math.min(free, head) : (free ?? head ?? null)
}

/** Waits for its next attempt after `?`, on this node. */
const WAITS = `next_attempt_at > ? AND next_attempt_at < ${PARKED_AT}`

/** The peer of a lane answers again: what waits for its next attempt is due now, or when the peer has asked for it. */
export function pullForward(db: Database, lane: string, now: number): void {
  db.run(
    `UPDATE delivery SET next_attempt_at = max(?, not_before) WHERE ${FREE} AND ${WAITS}
       AND next_attempt_at > not_before`,
    now,
    lane,
    now,
  )
  // Only the first one of an order key can be waiting.
  db.run(
    `${HEADS} UPDATE delivery SET next_attempt_at = max(?, not_before)
       WHERE seq IN (SELECT head FROM heads) AND ${WAITS} AND next_attempt_at > not_before`,
    lane,
    lane,
    lane,
    now,
    now,
  )
}

/** Open deliveries of a destination older than `before`, for those that cannot even try. */
export function overdueDeliveries(db: Database, destination: string, before: number, limit: number): DueDelivery[] {
  return db.all<DueDelivery>(
    `SELECT ${DUE_COLUMNS} FROM delivery
     WHERE destination = ? AND state IN ('pending', 'sending') AND created_at < ?
       AND coalesce(reopened_at, created_at) < ? ORDER BY created_at LIMIT ?`,
    destination,
    before,
    before,
    limit,
  )
}

export function markSending(db: Database, seq: number): void {
  db.run(`UPDATE delivery SET state = 'sending' WHERE seq = ? AND state = 'pending'`, seq)
}

export function markDelivered(db: Database, seq: number, now: number, detail: string, message: RenderedMessage): void {
  db.run(
    `UPDATE delivery SET state = 'delivered', reason = NULL, detail = ?, finished_at = ?, attempts = attempts + 1,
       subject = ?, body = ?, body_bytes = ? WHERE seq = ?`,
    detail,
    now,
    message.subject,
    message.body.slice(0, BODY_KEPT),
    Buffer.byteLength(message.body),
    seq,
  )
}

/** `notBefore` is what the peer has asked for: its return from an outage does not bring the next attempt before that. */
export function markRetry(
  db: Database,
  seq: number,
  next: { readonly attemptAt: number; readonly notBefore: number },
  detail: string,
): void {
  db.run(
    `UPDATE delivery SET state = 'pending', detail = ?, attempts = attempts + 1, next_attempt_at = ?, not_before = ?
     WHERE seq = ?`,
    detail,
    next.attemptAt,
    next.notBefore,
    seq,
  )
}

/** Ends a delivery that is not going to be sent; the message, when there is one, is kept for inspection. */
export function markEnded(
  db: Database,
  seq: number,
  end: { state: 'dead' | 'suppressed'; reason: DeadReason | SuppressReason; detail: string; now: number },
  message?: RenderedMessage,
): void {
  db.run(
    `UPDATE delivery SET state = ?, reason = ?, detail = ?, finished_at = ?, subject = coalesce(?, subject),
       body = coalesce(?, body), body_bytes = coalesce(?, body_bytes), attempts = max(attempts,
       (SELECT coalesce(max(n), 0) FROM delivery_attempt WHERE delivery_id = delivery.id)) WHERE seq = ?`,
    end.state,
    end.reason,
    end.detail,
    end.now,
    message?.subject ?? null,
    message ? message.body.slice(0, BODY_KEPT) : null,
    message ? Buffer.byteLength(message.body) : null,
    seq,
  )
}

export function insertAttempt(db: Database, attempt: Attempt): void {
  db.run(
    'INSERT OR REPLACE INTO delivery_attempt VALUES (?, ?, ?, ?, ?, ?)',
    attempt.deliveryId,
    attempt.n,
    attempt.at,
    attempt.durationMs,
    attempt.result,
    attempt.detail,
  )
}

/** The lanes in which deliveries to this destination wait. */
export function lanesOf(db: Database, destination: string): string[] {
  const sql = `SELECT DISTINCT lane FROM delivery INDEXED BY delivery_age WHERE destination = ? AND state IN ('pending', 'sending')`
  return db.all<{ lane: string }>(sql, destination).map(({ lane }) => lane)
}

/** Makes the waiting deliveries of this destination due now, despite `Retry-After`; returns their lanes. */
export function makeDue(db: Database, destination: string, now: number): string[] {
  const waiting = lanesOf(db, destination)
  db.run(
    `UPDATE delivery INDEXED BY delivery_age SET next_attempt_at = ?, not_before = 0
     WHERE destination = ? AND state IN ('pending', 'sending') AND state = 'pending' AND ${WAITS}`,
    now,
    destination,
    now,
  )
  return waiting
}
