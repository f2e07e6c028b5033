/**
 * Deliveries that were followed from the leader stay with it while this node works alone: whether the leader has sent them,
 * no node can find out then.
 */
import type { Database } from '../platform/sqlite.ts'
import { silently } from './changes.ts'
import { PARKED_AT, reopenParked } from './leave.ts'

/** Those whose rows are not in the shared database yet were made here, and leave. */
export function parkDeliveries(db: Database): void {
  silently(db, () =>
    db.run(
      `UPDATE delivery SET next_attempt_at = next_attempt_at + ${PARKED_AT}
       WHERE state IN ('pending', 'sending') AND next_attempt_at < ${PARKED_AT}
         AND id NOT IN (SELECT key FROM cluster_change WHERE tbl = 'delivery')`,
    ),
  )
}

/** They may be sent here: the node leads, or follows a leader again. */
export function resumeParked(db: Database): void {
  silently(db, () => reopenParked(db))
}
