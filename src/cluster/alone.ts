/**
 * Deliveries that were followed from the leader stay with it while this node works alone: whether the leader has sent them,
 * no node can find out then.
 */
import type { Database } from '../platform/sqlite.ts'
import { silently } from './changes.ts'
import { PARKED_AT } from './leave.ts'

/** Those whose rows are not in the shared database yet were made here, and leave. */
export function parkDeliveries(db: Database): void {
  silently(db, () =>
    db.run(
      `UPDATE delivery SET next_attempt_at = ? WHERE state IN ('pending', 'sending')
         AND id NOT IN (SELECT key FROM cluster_change WHERE tbl = 'delivery')`,
      PARKED_AT,
    ),
  )
}

/** Makes them due: the node leads, or follows a leader again. */
export function reopenParked(db: Database, now: number): void {
  silently(db, () =>
    db.run(
      `UPDATE delivery SET next_attempt_at = ? WHERE state IN ('pending', 'sending') AND next_attempt_at = ?`,
      now,
      PARKED_AT,
    ),
  )
}
