/**
 * The messages of all nodes in the shared database, unique by their key. Every node offers the messages that it has accepted;
 * the leader takes them in the order of their arrival.
 */
import { createListeners } from '../platform/listeners.ts'
import type { Queryable } from '../platform/postgres/types.ts'
import type { ClusterClock } from './clock.ts'
import type { Inbox, InboxEntry, OfferedMessage } from './types.ts'

export interface InboxDeps {
  readonly pool: Queryable
  /** The name of this node. */
  readonly node: string
  readonly clock: Pick<ClusterClock, 'monotonic'>
  /** Settles entries in the local transaction under way; null on a follower, which takes nothing. */
  readonly settle: Inbox['settle'] | null
  readonly counted: (result: 'new' | 'known', messages: number) => void
}

export interface InboxSettings {
  /** A repeat that was received later than this after the message counts as a new message, in milliseconds. */
  readonly dedupTtlMs: number
  /** With so many messages that no leader has taken, nodes keep theirs in their journals. */
  readonly maxOpen: number
  /** Milliseconds since 1970; null = nothing is offered again. */
  readonly offerAgainSince: number | null
}

export interface SharedInbox extends Inbox {
  /** Something new may be in the inbox. */
  wake(): void
  /** Messages in the own journal that have not been offered. */
  readonly waiting: number
  /** Messages that no leader has settled, and since when the oldest waits; for the leader. */
  readOpen(): Promise<{ readonly rows: number; readonly oldestAt: number | null }>
}

/** Repeats of a message are known by its key until it expires; what is not settled yet is never replaced. */
const OFFER = `WITH offered AS (
    INSERT INTO inbox (key, kind, node, received_at, sender, raw, expires_at)
      SELECT key, kind, $1, at, sender, raw, at + make_interval(secs => $2)
        FROM unnest($3::text[], $4::text[], $5::float8[], $6::text[], $7::bytea[]) AS m (key, kind, ms, sender, raw),
          to_timestamp(ms / 1000) AS at
        ORDER BY key
      ON CONFLICT (key) DO UPDATE SET raw = excluded.raw, node = excluded.node, sender = excluded.sender,
          received_at = excluded.received_at, expires_at = excluded.expires_at, settled_rev = NULL, handled = NULL
        WHERE inbox.settled_rev IS NOT NULL AND excluded.received_at > inbox.expires_at
      RETURNING id)
  SELECT count(*) AS taken, CASE WHEN count(*) > 0 THEN pg_notify('footman_inbox', '') END FROM offered`

/** Resolves with the number of messages that were not known. */
export async function offerTo(
  pool: Queryable,
  node: string,
  messages: readonly OfferedMessage[],
  dedupTtlMs: number,
): Promise<number> {
  // A message may be in the journal twice; one statement may not name a key twice.
  const unique = [...new Map(messages.toReversed().map((message) => [message.key, message])).values()]
  const column = <K extends keyof OfferedMessage>(name: K) => unique.map((message) => message[name])
  const [row] = await pool.query<{ taken: number }>(OFFER, [
    node,
    dedupTtlMs / 1000,
    column('key'),
    column('kind'),
    column('receivedAt'),
    column('sender'),
    unique.map(({ raw }) => Buffer.from(raw)),
  ])
  return Number(row?.taken ?? 0)
}

const NEXT = `SELECT id, key, kind, node, (extract(epoch FROM received_at) * 1000)::float8 AS "receivedAt", sender, raw
  FROM inbox WHERE settled_rev IS NULL ORDER BY id LIMIT $1`

const OPEN = 'SELECT count(*) AS open FROM (SELECT FROM inbox WHERE settled_rev IS NULL LIMIT $1) AS listed'
const OLDEST = `SELECT count(*) AS rows, (extract(epoch FROM min(offered_at)) * 1000)::float8 AS "oldestAt"
  FROM (SELECT offered_at FROM inbox WHERE settled_rev IS NULL ORDER BY id LIMIT $1) AS listed`
const COUNT_EVERY_MS = 5000

export function createInbox(deps: InboxDeps, settings: InboxSettings): SharedInbox {
  const { pool, node, clock, settle } = deps
  const listeners = createListeners()
  let countedAt = Number.NEGATIVE_INFINITY
  let isFull = false
  let waiting = 0

  async function refuseWhenFull(): Promise<void> {
    if (clock.monotonic() - countedAt > COUNT_EVERY_MS) {
      const [row] = await pool.query<{ open: number }>(OPEN, [settings.maxOpen])
      countedAt = clock.monotonic()
      isFull = Number(row?.open ?? 0) >= settings.maxOpen
    }
    if (isFull) throw new Error(`${settings.maxOpen} messages wait for the leader; new ones stay in the journal`)
  }

  return {
    offerAgainSince: settings.offerAgainSince,
    async offer(messages) {
      await refuseWhenFull()
      const taken = await offerTo(pool, node, messages, settings.dedupTtlMs)
      const known = messages.length - taken
      deps.counted('new', taken)
      deps.counted('known', known)
      return { taken, known }
    },
    async next(limit) {
      return settle ? pool.query<InboxEntry>(NEXT, [limit]) : []
    },
    settle(messages) {
      settle?.(messages)
    },
    onNew: listeners.add,
    get waiting() {
      return waiting
    },
    noteWaiting(messages) {
      waiting = messages
    },
    async readOpen() {
      const [row] = await pool.query<{ rows: number; oldestAt: number | null }>(OLDEST, [settings.maxOpen])
      return row ?? { rows: 0, oldestAt: null }
    },
    wake: listeners.call,
  }
}
