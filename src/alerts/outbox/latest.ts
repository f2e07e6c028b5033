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
  SELECT newest.id, newest.lane, newest.state, newest.reason, event.outcome, rate_limit.ends_at,
      (SELECT before.outcome FROM delivery AS earlier JOIN event AS before ON before.id = earlier.event_id
         WHERE earlier.about = newest.about AND earlier.destination = newest.destination
           AND earlier.target = newest.target AND earlier.seq < newest.seq
           AND earlier.state IN ('pending', 'sending', 'delivered') ORDER BY earlier.seq DESC LIMIT 1) AS told
    FROM delivery AS newest JOIN event ON event.id = newest.event_id
      LEFT JOIN rate_limit ON rate_limit.key = newest.limit_key
    WHERE newest.seq IN (SELECT max(seq) FROM delivery
      WHERE about = ? AND kind = 'alert' AND route LIKE 'butler.%' GROUP BY destination, target)`

export interface LatestWord {
  /** Where messages are to be sent now. */
  readonly lanes: ReadonlySet<string>
  /** A window is still open. */
  readonly waiting: boolean
}

/** `about`: the subject of the events, as `subjectOf` names it. */
export function releaseLatest(db: Database, about: string, now: number): LatestWord {
  const heldBack = db.all<Latest>(NEWEST, about).filter(isNewsHeldBack)
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

/** Words that say the same to whoever gets them. */
function isNewsHeldBack({ state, reason, outcome, told }: Latest): boolean {
  return state === 'suppressed' && reason === 'RATE_LIMITED' && told !== null && told !== outcome
}
