/**
 * The last word about a subject: a rate limit may hold back the very message that says how things stand now. When its
 * window is over, that message is sent after all, unless the receiver was last told the same.
 */
import type { Database } from '../../platform/sqlite.ts'

interface Latest {
  readonly id: string
  readonly lane: string
  readonly state: string
  readonly reason: string | null
  readonly outcome: string
  readonly told: string | null
  readonly ends_at: number | null
}

/** The newest alert of Butler's routes to each receiver, and what that receiver was told before it. */
const NEWEST = `
  WITH mine AS (SELECT delivery.*, event.outcome FROM delivery JOIN event ON event.id = delivery.event_id
    WHERE delivery.event_id IN (SELECT value FROM json_each(?)) AND kind = 'alert' AND route LIKE 'butler.%')
  SELECT newest.id, newest.lane, newest.state, newest.reason, newest.outcome, rate_limit.ends_at,
      (SELECT earlier.outcome FROM mine AS earlier
         WHERE earlier.destination = newest.destination AND earlier.target = newest.target
           AND earlier.seq < newest.seq AND earlier.state IN ('pending', 'sending', 'delivered')
         ORDER BY earlier.seq DESC LIMIT 1) AS told
    FROM mine AS newest LEFT JOIN rate_limit ON rate_limit.key = newest.limit_key
    WHERE newest.seq IN (SELECT max(seq) FROM mine GROUP BY destination, target)`

export interface LatestWord {
  /** Where messages are to be sent now. */
  readonly lanes: ReadonlySet<string>
  /** A window is still open. */
  readonly waiting: boolean
}

/** `eventIds`: the last events about the subject. */
export function releaseLatest(db: Database, eventIds: readonly string[], now: number): LatestWord {
  const heldBack = db.all<Latest>(NEWEST, JSON.stringify(eventIds)).filter(isNewsHeldBack)
  const due = heldBack.filter(({ ends_at: endsAt }) => (endsAt ?? 0) <= now)
  for (const { id } of due) {
    db.run(
      `UPDATE delivery SET state = 'pending', reason = NULL, detail = NULL, finished_at = NULL, next_attempt_at = ?,
         not_before = 0, reopened_at = ? WHERE id = ? AND state = 'suppressed'`,
      ...[now, now, id],
    )
  }
  return { lanes: new Set(due.map(({ lane }) => lane)), waiting: due.length < heldBack.length }
}

function isNewsHeldBack({ state, reason, outcome, told }: Latest): boolean {
  return state === 'suppressed' && reason === 'RATE_LIMITED' && told !== outcome
}
