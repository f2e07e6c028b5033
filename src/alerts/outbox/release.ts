/** What was held back for a reason that does not hold any more. */
import type { Database } from '../../platform/sqlite.ts'
import { watchFallback } from '../rules/fallback.ts'
import type { Route, SuppressReason } from '../types.ts'

export interface Release {
  readonly eventId: string
  readonly reason: SuppressReason
  /** Milliseconds since 1970. */
  readonly now: number
  /** The route of this name to this destination. */
  readonly route: (name: string, destination: string) => Pick<Route, 'policy'> | undefined
}

/** Deliveries of an event that were suppressed for this reason are to be sent now; returns their lanes. */
export function releaseHeld(db: Database, { eventId, reason, now, route }: Release): ReadonlySet<string> {
  const rows = db.all<{ lane: string; route: string; destination: string }>(
    `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, finished_at = NULL, next_attempt_at = ?,
       not_before = 0, reopened_at = ? WHERE event_id = ? AND state = 'suppressed' AND reason = ?
       RETURNING lane, route, destination`,
    ...[now, now, eventId, reason],
  )
  for (const { route: name, destination } of rows) {
    const policy = route(name, destination)?.policy
    if (policy && policy.fallback.length > 0) watchFallback(db, eventId, name, now + policy.fallbackAfterMs)
  }
  return new Set(rows.map(({ lane }) => lane))
}
