/** Brings a node that has led, or has worked alone, together with the shared database. */
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Database } from '../platform/sqlite.ts'
import { createApplier } from './apply.ts'
import { INBOX_TAKEN, lastNoted, notesUpTo, silently } from './changes.ts'
import type { Follower } from './follow.ts'
import { type ReplicaRow, type RowKey, readByKey, shipAgain, shipAsLeader, shipAsMaker } from './replica.ts'
import { createRows } from './rows.ts'
import { sharedTable } from './tables.ts'

export interface MergeDeps {
  readonly db: Database
  readonly pool: PostgresPool
  /** The name of this node. */
  readonly node: string
}

const CHUNK = 500

export interface TakenBack {
  /** Rows of class `leader` and `union` that are as in the database now. */
  readonly replaced: number
  /** Events whose message waits for the leader, or was taken by another one. */
  readonly removedEvents: number
  /** Rows of class `union`, and those that stay, that the database has got. */
  readonly shipped: number
}

/**
 * Settles the noted changes that were never shipped: events taken out of the inbox are removed unless the database has them, as the
 * next leader takes their messages; other rows of class `union` are shipped, and those that stay; rows of class `leader`
 * become those of the database. The leader writes on meanwhile; what is followed waits, as it would be newer than the rows that are read here.
 * Nothing else may be written to shared tables. Can be repeated. Rejects with a `PostgresError`.
 */
export function takeBack(deps: MergeDeps & { readonly follower: Follower }): Promise<TakenBack> {
  return deps.follower.whilePaused(() => takeBackNow(deps))
}

async function takeBackNow({ db, pool, node }: MergeDeps): Promise<TakenBack> {
  const applier = createApplier(db)
  const last = lastNoted(db)
  const keys = distinct(notesUpTo(db, 0, last))
  const { removedEvents, belongings } = await removeTaken(db, pool, keys)
  // A row that is gone has reached its age.
  const isHere = ({ tbl, key }: RowKey) => applier.tables.get(tbl)?.read(key).body != null
  const leader = ofClass(keys, 'leader')
  const staying = leader.filter(({ tbl, key }) => applier.tables.get(tbl)?.stays(key))
  const own = [...ofClass(keys, 'union').filter(isHere), ...staying]
  const rows = own.flatMap(({ tbl, key }) => applier.tables.get(tbl)?.read(key) ?? [])
  for (const chunk of inChunks(rows)) await shipAsMaker(pool, node, chunk)

  const found = await readAll(pool, [...own, ...leader, ...belongings])
  const known = new Set(found.map(nameOf))
  const gone = leader.filter((key) => !known.has(nameOf(key)))
  applier.apply([...found, ...gone.map(removal)], null, last)
  return { replaced: found.length + gone.length, removedEvents, shipped: rows.length }
}

/**
 * Ships all noted changes with the token of a term that was held before the database was away. False: another node has led
 * since, and nothing is changed. Can be repeated. Rejects with a `PostgresError`.
 */
export async function shipAsBefore(
  { db, pool, node }: MergeDeps,
  by: { readonly token: string; readonly seenRev: number },
): Promise<boolean> {
  const tables = createRows(db)
  const last = lastNoted(db)
  const notes = notesUpTo(db, 0, last)
  const settled = notes.filter(({ tbl }) => tbl === INBOX_TAKEN).map(({ key }) => key)
  const rows = distinct(notes.filter(({ tbl }) => tbl !== INBOX_TAKEN)).flatMap(({ tbl, key }) => {
    const row = tables.get(tbl)?.read(key)
    return row && (row.body !== null || !sharedTable(tbl)?.aged) ? [row] : []
  })
  const isHeld = await pool.transaction(async (tx) => {
    for (const chunk of [...inChunks(rows), []]) {
      const shipment = { rows: chunk, settled: chunk.length === 0 ? settled : [], answers: [] }
      if ((await shipAsLeader(tx, node, by, shipment)) === null) return false
    }
    return true
  })
  if (isHeld) {
    silently(db, () => {
      db.run('DELETE FROM cluster_change WHERE seq <= ?', last)
      for (const key of settled) db.run('DELETE FROM inbox_taken WHERE message_key = ?', key)
    })
  }
  return isHeld
}

/**
 * Deliveries have the same id whichever node made them of a message: those of the next leader may have been followed already,
 * and go with the event here. So they are to be read again.
 */
async function removeTaken(
  db: Database,
  pool: PostgresPool,
  keys: readonly RowKey[],
): Promise<{ readonly removedEvents: number; readonly belongings: readonly RowKey[] }> {
  const taken = keys
    .filter(({ tbl }) => tbl === INBOX_TAKEN)
    .flatMap(({ key }) => db.all<{ id: string }>('SELECT event_id AS id FROM inbox_taken WHERE message_key = ?', key))
    .filter(({ id }) => id !== null)
  const stored = await readAll(
    pool,
    taken.map(({ id }) => ({ tbl: 'event', key: id })),
  )
  const inDatabase = new Set(stored.map(({ key }) => key))
  const lost = taken.filter(({ id }) => !inDatabase.has(id))
  const belongings = lost.flatMap(({ id }) => db.all<RowKey>(BELONGINGS, id))
  silently(db, () => {
    for (const { id } of lost) db.run('DELETE FROM event WHERE id = ?', id)
    for (const { tbl, key } of keys) {
      if (tbl === INBOX_TAKEN) db.run('DELETE FROM inbox_taken WHERE message_key = ?', key)
    }
  })
  return { removedEvents: lost.length, belongings }
}

const BELONGINGS = `WITH sent AS (SELECT id FROM delivery WHERE event_id = ?)
  SELECT 'delivery' AS tbl, id AS key FROM sent
  UNION ALL SELECT 'delivery_attempt', json_array(delivery_id, n) FROM delivery_attempt WHERE delivery_id IN (SELECT id FROM sent)`

/** Rows that were shipped with a rev beyond `rev` go to the database again, as they are here now; returns how many. */
export async function shipForgotten({ db, pool, node }: MergeDeps, rev: number): Promise<number> {
  const tables = createRows(db)
  const keys = db.all<RowKey & { readonly epoch: number }>(
    'SELECT tbl, key, epoch FROM cluster_shipped WHERE rev > ? ORDER BY rev',
    rev,
  )
  const rows = keys.flatMap(({ tbl, key, epoch }) => {
    const row = tables.get(tbl)?.read(key)
    return row && (row.body !== null || !sharedTable(tbl)?.aged) ? [{ ...row, epoch }] : []
  })
  for (const chunk of inChunks(rows)) await shipAgain(pool, node, chunk)
  return rows.length
}

const ofClass = (keys: readonly RowKey[], wanted: 'leader' | 'union'): RowKey[] =>
  keys.filter(({ tbl }) => sharedTable(tbl)?.class === wanted)

const removal = ({ tbl, key }: RowKey): ReplicaRow => ({ tbl, key, rev: 0, deleted: true, body: {}, blob: null })

async function readAll(pool: PostgresPool, keys: readonly RowKey[]): Promise<ReplicaRow[]> {
  const rows: ReplicaRow[] = []
  for (const chunk of inChunks(keys)) rows.push(...(await readByKey(pool, chunk)))
  return rows.sort((a, b) => a.rev - b.rev)
}

function inChunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / CHUNK)
  return Array.from({ length: count }, (_, index) => items.slice(index * CHUNK, (index + 1) * CHUNK))
}

function distinct(notes: readonly RowKey[]): RowKey[] {
  return [...new Map(notes.map(({ tbl, key }) => [nameOf({ tbl, key }), { tbl, key }])).values()]
}

const nameOf = ({ tbl, key }: RowKey): string => `${tbl} ${key}`
