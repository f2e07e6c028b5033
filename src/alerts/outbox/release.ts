/** What was held back for a reason that does not hold any more. */
import type { Database } from '../../platform/sqlite.ts'
import type { SuppressReason } from '../types.ts'

/** Deliveries of an event that were suppressed for this reason are to be sent now; returns their lanes. */
export function releaseHeld(db: Database, eventId: string, reason: SuppressReason, now: number): ReadonlySet<string> {
  const rows = db.all<{ lane: string }>(
    `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, finished_at = NULL, next_attempt_at = ?,
       not_before = 0, reopened_at = ? WHERE event_id = ? AND state = 'suppressed' AND reason = ? RETURNING lane`,
    ...[now, now, eventId, reason],
  )
  return new Set(rows.map(({ lane }) => lane))
}
