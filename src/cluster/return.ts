/**
 * Brings together what a node has done while it could not reach the database, or led without knowing that another node did.
 * Each step can be repeated, and the order is the promise: a key that is settled before its rows are in the database would
 * belong to no node.
 */
import { randomUUID } from 'node:crypto'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { silently } from './changes.ts'
import type { ClusterClock } from './clock.ts'
import type { CounterWriter } from './counters.ts'
import type { Follower } from './follow.ts'
import { offerTo } from './inbox.ts'
import { shipAsBefore, shipForgotten, takeBack } from './merge.ts'
import type { Nodes } from './nodes.ts'
import { sharedTable } from './tables.ts'
import type { OfferedMessage, Term } from './types.ts'

export interface ReturnDeps {
  readonly db: Database
  readonly pool: PostgresPool
  readonly log: Logger
  readonly node: string
  readonly clock: ClusterClock
  readonly follower: Follower
  readonly counters: CounterWriter
  readonly nodes: Nodes
  /** The database was put back to an earlier state; null = it was not. */
  readonly forgotten: Forgotten | null
  /** The term of a leader that went on with its duties without the database; null = it did not. */
  readonly keptTerm: Term | null
}

export interface Forgotten {
  /** Rows that were stored since then are read again (milliseconds since 1970); null = all. */
  readonly since: number | null
  /** The history that this node knew; the database gets another one. */
  readonly history: string
}

/** An event that was made of a message without the inbox. */
interface LonelyEvent {
  readonly id: string
  readonly key: string
  readonly receivedAt: number
  readonly sender: string
}

const PENDING_KEY = 'cluster.returning'

/** Resolves when everything is in the database and everything in there has been followed. Rejects when it cannot be reached. */
export async function bringBack(deps: ReturnDeps, settings: { readonly dedupTtlMs: number }): Promise<void> {
  const { db, pool, node, follower, log } = deps
  if (deps.forgotten) await remind(deps, deps.forgotten)
  await offerHeld(deps, settings.dedupTtlMs)
  const lonely = rememberLonely(db)
  if (deps.keptTerm) await keepDuties(deps, deps.keptTerm)
  const { removedEvents } = await takeBack({ db, pool, node, follower })
  const doubled = lonely.length > 0 ? await settleLonely(deps, lonely, settings.dedupTtlMs) : []
  await follower.toHead()
  nameTwins(db, lonely, doubled)
  // Again, with the names of twins. Rows of these events that the leader has shipped meanwhile were not followed.
  await takeBack({ db, pool, node, follower })
  db.run('DELETE FROM meta WHERE key = ?', PENDING_KEY)
  await deps.nodes.returned()
  if (removedEvents > 0) log.info(`CLUSTER ${removedEvents} events are left to the node that leads now`)
  if (lonely.length === 0) return
  const twins = doubled.length > 0 ? `; other nodes have made events of ${doubled.length} of their messages too` : ''
  log.info(`CLUSTER ${lonely.length} events of the time alone are in the database now${twins}`)
}

/** Schedules fired and tasks started without the database count, unless another node has led meanwhile. */
async function keepDuties({ db, pool, node, follower, log }: ReturnDeps, { token }: Term): Promise<void> {
  if (await shipAsBefore({ db, pool, node }, { token, seenRev: follower.appliedRev })) return
  log.warn('CLUSTER Another node has led too while the database was away: schedules and retries may have run twice')
}

/**
 * Ships again what this node has shipped within the last hour, as far as no newer leader has changed it, and reads again what
 * the other nodes ship now.
 */
async function remind({ db, pool, node, follower, log }: ReturnDeps, { since, history }: Forgotten): Promise<void> {
  // A node that is away now has to find out too, when there are as many rows again as it knows.
  await pool.query('UPDATE head SET history = $2 WHERE history = $1', [history, randomUUID()])
  const again = await shipForgotten({ db, pool, node }, 0)
  const [row] = await pool.query<{ rev: number }>(FIRST_SINCE, [since])
  await follower.goBackTo(row?.rev ?? 0)
  log.info(`CLUSTER ${again} rows of the last hour are in the database again`)
}

const FIRST_SINCE = `SELECT CASE WHEN $1::float8 IS NULL THEN 0
    ELSE (SELECT coalesce(min(rev) - 1, (SELECT rev FROM head)) FROM replica WHERE at > to_timestamp($1::float8 / 1000)) END AS rev`

const BROUGHT = sharedTable('unverified')!.brought!
const HELD = `SELECT seq, message_key AS key, received_at AS receivedAt, sender, raw FROM unverified
  WHERE ${BROUGHT} ORDER BY seq LIMIT 200`

/** Messages that wait here until Qlik Sense confirms their tasks: from now on they wait at the leader. */
async function offerHeld({ db, pool, node, clock }: ReturnDeps, ttlMs: number): Promise<void> {
  for (;;) {
    const held = db.all<Omit<OfferedMessage, 'kind'> & { readonly seq: number }>(HELD)
    const last = held.at(-1)
    if (!last) return
    const messages = held.map(({ seq, receivedAt, ...message }): OfferedMessage => {
      return { ...message, kind: 'datagram', receivedAt: receivedAt + clock.offsetMs }
    })
    await offerTo(pool, node, messages, ttlMs)
    silently(db, () => db.run(`DELETE FROM unverified WHERE ${BROUGHT} AND seq <= ?`, last.seq))
  }
}

const LONELY = `SELECT DISTINCT event.id, message_key AS "key", received_at AS receivedAt, sender FROM event
  JOIN cluster_change ON tbl = 'event' AND cluster_change.key = event.id
  WHERE message_key IS NOT NULL AND journal_id IS NOT NULL`

/** Events that were made straight from the own journal. Kept until the end, as after a crash their rows may be shipped already. */
function rememberLonely(db: Database): readonly LonelyEvent[] {
  const stored = db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', PENDING_KEY)?.value
  const known = storedJson<LonelyEvent[]>(stored, [])
  const all = [...new Map([...known, ...db.all<LonelyEvent>(LONELY)].map((event) => [event.id, event])).values()]
  if (all.length > 0) db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', PENDING_KEY, JSON.stringify(all))
  return all
}

const SETTLE = `INSERT INTO inbox (key, kind, node, received_at, sender, raw, expires_at, settled_rev, handled)
    SELECT key, 'datagram', $1, at, sender, '', at + make_interval(secs => $2), (SELECT rev FROM head), 'alone'
      FROM unnest($3::text[], $4::float8[], $5::text[]) AS m (key, ms, sender), to_timestamp(ms / 1000) AS at ORDER BY key
    ON CONFLICT (key) DO UPDATE SET settled_rev = coalesce(inbox.settled_rev, excluded.settled_rev),
      handled = coalesce(inbox.handled, 'alone'), node = CASE WHEN inbox.settled_rev IS NULL THEN excluded.node ELSE inbox.node END,
      others = CASE WHEN inbox.settled_rev IS NULL OR inbox.node = excluded.node THEN inbox.others
        ELSE inbox.others || to_jsonb(excluded.node) END
  RETURNING key, others ? $1 AS "wasSettled"`

/** No node makes events of these messages any more. Returns the keys of those that another node had made before. */
async function settleLonely(
  deps: ReturnDeps,
  lonely: readonly LonelyEvent[],
  ttlMs: number,
): Promise<readonly string[]> {
  const byKey = [...new Map(lonely.map((event) => [event.key, event])).values()]
  const rows = await deps.pool.query<{ key: string; wasSettled: boolean }>(SETTLE, [
    deps.node,
    ttlMs / 1000,
    byKey.map(({ key }) => key),
    byKey.map(({ receivedAt }) => receivedAt),
    byKey.map(({ sender }) => sender),
  ])
  const doubled = rows.filter(({ wasSettled }) => wasSettled).map(({ key }) => key)
  deps.counters.addDuplicates(doubled.length)
  return doubled
}

/** An event of the time alone names the earliest one that another node has made of the same message. */
function nameTwins(db: Database, lonely: readonly LonelyEvent[], keys: readonly string[]): void {
  const doubled = new Set(keys)
  const own = new Set(lonely.map(({ id }) => id))
  for (const { id, key } of lonely.filter((event) => doubled.has(event.key))) {
    const twins = db.all<{ id: string }>('SELECT id FROM event WHERE message_key = ? ORDER BY received_at, id', key)
    const twin = twins.find((other) => !own.has(other.id))
    if (twin) db.run('UPDATE event SET twin_of = ? WHERE id = ?', twin.id, id)
  }
}
