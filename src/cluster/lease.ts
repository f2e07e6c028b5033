/**
 * One leader at a time, by a row in the database that has to be renewed. The own clock only makes a leader stop earlier; that
 * an earlier leader changes nothing any more is certain because each of its writes names its token, which a takeover replaces.
 */
import { randomUUID } from 'node:crypto'
import type { Queryable } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import type { ClusterClock } from './clock.ts'
import type { Leadership, Term } from './types.ts'

export interface LeaseDeps {
  /** A connection of its own, so that renewals never wait behind work. */
  readonly db: Queryable
  readonly clock: ClusterClock
  readonly log: Logger
  /** The wall clock of this machine. */
  readonly wall?: () => number
}

export interface LeaseSettings {
  readonly node: string
  /** Identity of the data directory, which one process uses at a time: after a restart it gets its own lease back at once. */
  readonly dataId: string
  readonly durationMs: number
}

/** The state of the shared database. Comes with every answer, refusals too: an old one would look like a database that was put back. */
export interface Revision {
  /** The newest revision of the shared rows. */
  readonly head: number
  /** Changes when the database was put back to an earlier state, and a node has found out. */
  readonly history: string
}

export interface Lease {
  /** The term as long as it certainly holds, by the own clock; null otherwise. */
  term(): Term | null
  /** The last term, whether it holds or not. */
  readonly last: Term | null
  /** The last one that ended without being handed over; null = there was none. */
  readonly dropped: Term | null
  /** Takes the lease when it is free, expired or our own; null when another node has it. */
  acquire(): Promise<(Term & { readonly reason: Leadership['reason'] }) | null>
  /**
   * Renews it; `isHeld` false when another node has taken it over. Null: there is no term, or it was handed over meanwhile.
   * Rejects when the database does not answer.
   */
  renew(): Promise<(Revision & { readonly isHeld: boolean }) | null>
  /** The leader by the database, '' when the lease is free. Also a sample of the clock. */
  look(): Promise<Revision & { readonly node: string; readonly epoch: number; readonly isFree: boolean }>
  /** Hands the lease over; other candidates take it at once. */
  release(): Promise<void>
  /** Forgets the term without asking anyone. */
  drop(): void
}

const NOW =
  '(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now, (SELECT rev FROM head) AS head, (SELECT history FROM head) AS history'

interface Answer extends Revision {
  readonly now: number
}

const ACQUIRE = `WITH before AS (SELECT epoch, expires_at, data_id FROM lease WHERE duty = 'leader' FOR UPDATE),
  l AS (
    UPDATE lease SET node = $1, data_id = $2, token = $3, epoch = before.epoch + 1,
        expires_at = clock_timestamp() + make_interval(secs => $4)
      FROM before WHERE duty = 'leader' AND (before.expires_at < clock_timestamp() OR before.data_id = $2)
      RETURNING lease.epoch, CASE WHEN before.epoch = 0 THEN 'first' WHEN before.expires_at = '-infinity' THEN 'handedOver'
        WHEN before.data_id = $2 THEN 'restart' ELSE 'expired' END AS reason),
  f AS (UPDATE fence SET token = $3, epoch = l.epoch FROM l RETURNING fence.epoch),
  h AS (INSERT INTO leadership SELECT epoch, $1, clock_timestamp(), reason FROM l)
  SELECT f.epoch, l.reason, ${NOW} FROM f, l`
const RENEW = `WITH l AS (UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => $2)
    WHERE duty = 'leader' AND token = $1 RETURNING epoch)
  SELECT EXISTS (SELECT FROM l) AS "isHeld", ${NOW}`
const LOOK = `SELECT node, epoch, expires_at < clock_timestamp() AS "isFree", ${NOW} FROM lease WHERE duty = 'leader'`
const RELEASE = `WITH l AS (UPDATE lease SET expires_at = '-infinity', data_id = NULL WHERE token = $1 RETURNING node)
  SELECT pg_notify('footman_lease', node) FROM l`

export function createLease(deps: LeaseDeps, { node, dataId, durationMs }: LeaseSettings): Lease {
  const { db, clock, wall = Date.now } = deps
  const { monotonic } = clock
  /** After this time since a renewal was sent the leader does nothing new, as another node may lead soon. */
  const believedMs = durationMs - durationMs / 6
  let term: Term | null = null
  let dropped: Term | null = null
  let sentAt = Number.NEGATIVE_INFINITY

  /** Asks, and takes the time of the database from the answer. */
  async function ask<Row extends Answer>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    const before = wall()
    const rows = await db.query<Row>(sql, parameters)
    if (rows[0]) clock.sample(rows[0].now, before, wall())
    return rows
  }

  return {
    term: () => (term && monotonic() - sentAt < believedMs ? term : null),
    get last() {
      return term
    },
    get dropped() {
      return dropped
    },
    async acquire() {
      const sending = monotonic()
      const token = randomUUID()
      const [row] = await ask<Answer & Pick<Leadership, 'epoch' | 'reason'>>(ACQUIRE, [
        node,
        dataId,
        token,
        durationMs / 1000,
      ])
      if (!row) return null
      term = { token, epoch: row.epoch }
      sentAt = sending
      return { ...term, reason: row.reason }
    },
    async renew() {
      if (!term) return null
      const sending = monotonic()
      const { token } = term
      const [row] = await ask<Answer & { isHeld: boolean }>(RENEW, [token, durationMs / 1000])
      if (!row || term?.token !== token) return null
      if (row.isHeld) sentAt = sending
      else term = null
      return row
    },
    async look() {
      const [row] = await ask<Answer & { node: string; epoch: number; isFree: boolean }>(LOOK, [])
      if (!row) throw new Error('the lease of the cluster is missing in the database')
      return { ...row, node: row.isFree ? '' : row.node }
    },
    async release() {
      const { token } = term ?? {}
      term = null
      if (token) await db.query(RELEASE, [token])
    },
    drop() {
      dropped = term
      term = null
    },
  }
}
