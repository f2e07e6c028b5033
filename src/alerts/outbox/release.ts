/**
 * Suppressed deliveries that are sent after all: those whose reason does not hold any more, and the newest one about a
 * subject when the window of its rate limit is over.
 */
import type { Database } from '../../platform/sqlite.ts'
import { watchFallback } from '../rules/fallback.ts'
import type { Rule, SuppressReason } from '../types.ts'

interface Release {
  readonly eventId: string
  readonly reason: SuppressReason
  /** Milliseconds since 1970. */
  readonly now: number
  /** The rule of this name to this destination. */
  readonly rule: (name: string, destination: string) => Pick<Rule, 'policy'> | undefined
}

/** Makes the deliveries of an event that were suppressed for this reason due now; returns their lanes. */
export function releaseHeld(db: Database, { eventId, reason, now, rule }: Release): ReadonlySet<string> {
  const rows = db.all<{ lane: string; route: string; destination: string }>(
    `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, suppressed_by = NULL, finished_at = NULL, next_attempt_at = ?,
       not_before = 0, reopened_at = ? WHERE event_id = ? AND state = 'suppressed' AND reason = ?
       RETURNING lane, route, destination`,
    now,
    now,
    eventId,
    reason,
  )
  for (const { route: name, destination } of rows) {
    const policy = rule(name, destination)?.policy
    if (policy && policy.fallback.length > 0) watchFallback(db, eventId, name, now + policy.fallbackAfterMs)
  }
  return new Set(rows.map(({ lane }) => lane))
}

interface Latest {
  readonly id: string
  readonly lane: string
  readonly state: string
  readonly reason: string | null
  readonly outcome: string
  readonly reported: string | null
  readonly ends_at: number | null
}

/** The newest alert of Butler's rules to each receiver, and the outcome that this receiver was alerted about before. */
const NEWEST = `
  WITH mine AS (SELECT delivery.*, event.outcome FROM delivery JOIN event ON event.id = delivery.event_id
    WHERE delivery.event_id IN (SELECT value FROM json_each(?)) AND kind = 'alert' AND route LIKE 'butler.%')
  SELECT newest.id, newest.lane, newest.state, newest.reason, newest.outcome, rate_limit.ends_at,
      (SELECT earlier.outcome FROM mine AS earlier
         WHERE earlier.destination = newest.destination AND earlier.target = newest.target
           AND earlier.seq < newest.seq AND earlier.state IN ('pending', 'sending', 'delivered')
         ORDER BY earlier.seq DESC LIMIT 1) AS reported
    FROM mine AS newest LEFT JOIN rate_limit ON rate_limit.key = newest.limit_key
    WHERE newest.seq IN (SELECT max(seq) FROM mine GROUP BY destination, target)`

interface Released {
  /** Lanes of the deliveries that are due now. */
  readonly lanes: ReadonlySet<string>
  /** A window is still open. */
  readonly waiting: boolean
}

/**
 * A rate limit may suppress the very message that reports the current state. When its window is over, that message is sent
 * after all, unless the receiver was alerted about the same outcome before. `eventIds`: the last events about the subject.
 */
export function releaseLatest(db: Database, eventIds: readonly string[], now: number): Released {
  const unreported = db.all<Latest>(NEWEST, JSON.stringify(eventIds)).filter(isUnreported)
  const due = unreported.filter(({ ends_at: endsAt }) => (endsAt ?? 0) <= now)
  for (const { id } of due) {
    db.run(
      `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, suppressed_by = NULL, finished_at = NULL, next_attempt_at = ?,
         not_before = 0, reopened_at = ? WHERE id = ? AND state = 'suppressed'`,
      now,
      now,
      id,
    )
  }
  return { lanes: new Set(due.map(({ lane }) => lane)), waiting: due.length < unreported.length }
}

function isUnreported({ state, reason, outcome, reported }: Latest): boolean {
  return state === 'suppressed' && reason === 'RATE_LIMITED' && reported !== outcome
}
