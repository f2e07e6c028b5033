/** Resends and cancels deliveries. */
import type { Database } from '../../platform/sqlite.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { giveBackSlot } from '../outbox/rate-limit.ts'
import { allOf, between, oneOf, oneOfIgnoringCase } from './lists.ts'

/** The result of a resend; the caller wakes `lane`. */
type Resent =
  | { readonly kind: 'reopened' | 'copied'; readonly id: string; readonly lane: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'unknown' }

interface Row {
  readonly seq: number
  readonly state: string
  readonly lane: string
  readonly limitKey: string | null
  readonly eventId: string
}

const COLUMNS = 'seq, state, lane, limit_key AS limitKey, event_id AS eventId'

const find = (db: Database, id: string) => db.get<Row>(`SELECT ${COLUMNS} FROM delivery WHERE id = ?`, id)

/** Runs in a transaction. A dead or suppressed delivery becomes pending again; of a delivered one a new one is made. */
export function resendDelivery(db: Database, id: string, now: number): Resent {
  const row = find(db, id)
  if (!row) return { kind: 'unknown' }
  if (row.state === 'pending' || row.state === 'sending') return { kind: 'open' }
  if (row.state === 'delivered') return { kind: 'copied', id: copyDelivery(db, row.seq, now), lane: row.lane }
  reopen(db, row.seq, now)
  return { kind: 'reopened', id, lane: row.lane }
}

function reopen(db: Database, seq: number, now: number): void {
  db.run(
    `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, suppressed_by = NULL, finished_at = NULL, next_attempt_at = ?,
       not_before = 0, reopened_at = ? WHERE seq = ?`,
    now,
    now,
    seq,
  )
}

function copyDelivery(db: Database, seq: number, now: number): string {
  const id = uuidV7(now)
  db.run(
    `INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, order_key, severity, state, created_at,
       next_attempt_at, note, replay_of)
     SELECT ?, event_id, kind, route, destination, target, lane, order_key, severity, 'pending', ?, ?, note, id
       FROM delivery WHERE seq = ?`,
    id,
    now,
    now,
    seq,
  )
  return id
}

export interface DeadLetterFilter {
  readonly id: readonly string[] | null
  readonly destination: readonly string[] | null
  readonly reason: readonly string[] | null
  readonly from: number | null
  readonly to: number | null
}

/** Runs in a transaction. Reopens the dead letters that the filter selects. */
export function resendDeadLetters(
  db: Database,
  filter: DeadLetterFilter,
  now: number,
): { readonly resent: number; readonly lanes: ReadonlySet<string> } {
  const where = allOf([
    { sql: `state = 'dead'`, values: [] },
    oneOfIgnoringCase('id', filter.id),
    oneOf('destination', filter.destination),
    oneOf('reason', filter.reason),
    between('created_at', filter.from, filter.to),
  ])
  const rows = db.all<Row>(`SELECT ${COLUMNS} FROM delivery WHERE ${where.sql}`, ...where.values)
  for (const { seq } of rows) reopen(db, seq, now)
  return { resent: rows.length, lanes: new Set(rows.map(({ lane }) => lane)) }
}

export type Cancelled =
  | { readonly kind: 'cancelled'; readonly lane: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'tooLate' }

interface Cancellation {
  readonly by: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly isUnderWay: (lane: string, seq: number) => boolean
}

/** Runs in a transaction. Only a pending delivery can be cancelled; the next one in `lane` may be free afterwards. */
export function cancelDelivery(db: Database, id: string, { by, now, isUnderWay }: Cancellation): Cancelled {
  const row = find(db, id)
  if (!row) return { kind: 'unknown' }
  if (row.state !== 'pending' || isUnderWay(row.lane, row.seq)) return { kind: 'tooLate' }
  db.run(
    `UPDATE delivery SET state = 'dead', reason = 'CANCELLED', detail = ?, finished_at = ? WHERE seq = ?`,
    `cancelled by ${by}`,
    now,
    row.seq,
  )
  if (row.limitKey) giveBackSlot(db, row.limitKey, row.eventId)
  return { kind: 'cancelled', lane: row.lane }
}
