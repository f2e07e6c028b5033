/**
 * Pairs of text in namespaces, in SQLite: nothing is loaded at start, and what a write answered is on disk. A pair whose
 * time is over is gone for every reader at once and removed later.
 */
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { createRecentPairs } from './recent.ts'
import type { Change, KeyValueStore, PageQuery, Pair } from './types.ts'
import {
  clearNamespace,
  deletePair,
  importPairs,
  incrementPair,
  type Limits,
  removeExpiredPairs,
  setPair,
  type Write,
} from './writes.ts'

export interface KeyValueStoreDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
}

const PAIR = 'key, value, expires_at AS expiresAt, revision, updated_at AS updatedAt'
const ALIVE = '(expires_at IS NULL OR expires_at >= ?)'

/** The tables of `keyValueMigrations` must exist. */
export function createKeyValueStore({ db, writer, clock }: KeyValueStoreDeps, limits: Limits): KeyValueStore {
  const listeners = new Set<(change: Change) => void>()
  // What it holds is what the database holds: nobody else writes, and nobody reads while a transaction is open.
  const recent = createRecentPairs()

  /** Listeners hear of what was done once it is durable; writes are answered in the order in which they were done. */
  async function write<T>(work: (write: Write) => T): Promise<T> {
    const changes: Change[] = []
    const record = (change: Change): void => {
      if (listeners.size > 0) changes.push(change)
    }
    const result = await writer.write((tx) => work({ tx, now: clock.now(), limits, record }))
    for (const change of changes) for (const tell of listeners) tell(change)
    return result
  }

  const writeOne = <T>(namespace: string, key: string, work: (write: Write) => T): Promise<T> =>
    write((tx) => {
      recent.forget(namespace, key)
      return work(tx)
    })

  const writeMany = <T>(work: (write: Write) => T): Promise<T> =>
    write((tx) => {
      recent.forgetAll()
      return work(tx)
    })

  return {
    namespaces: () => db.all<{ name: string }>('SELECT name FROM kv_namespace ORDER BY id').map(({ name }) => name),
    hasNamespace: (name) => db.get('SELECT 1 FROM kv_namespace WHERE name = ?', name) !== undefined,
    get(namespace, key) {
      const now = clock.now()
      const known = recent.get(namespace, key)
      if (known) return known.expiresAt === null || known.expiresAt >= now ? known : undefined
      const pair = db.get<Pair>(
        `SELECT ${PAIR} FROM kv WHERE namespace = ? AND key = ? AND ${ALIVE}`,
        namespace,
        key,
        now,
      )
      if (pair) recent.keep(namespace, key, pair)
      return pair
    },
    keys: (namespace) =>
      db
        .all<{ key: string }>(`SELECT key FROM kv WHERE namespace = ? AND ${ALIVE} ORDER BY id`, namespace, clock.now())
        .map(({ key }) => key),
    page: (namespace, query) => pageOf(db, namespace, query, clock.now()),
    dump: (namespace, after, limit) =>
      db.all<Pair & { position: number }>(
        `SELECT id AS position, ${PAIR} FROM kv WHERE namespace = ? AND id > ? AND ${ALIVE} ORDER BY id LIMIT ?`,
        namespace,
        after,
        clock.now(),
        limit,
      ),
    revision: () => db.get<{ last: number }>('SELECT last FROM kv_revision')!.last,

    set({ namespace, key, value, ttl }, precondition) {
      // SQLite keeps UTF-8, which has no lone surrogates; this way the answer shows what is kept.
      const pair = { namespace: namespace.toWellFormed(), key: key.toWellFormed(), value: value.toWellFormed(), ttl }
      return writeOne(pair.namespace, pair.key, (tx) => setPair(tx, pair, precondition))
    },
    increment(namespace, key, by, ttl) {
      const name = key.toWellFormed()
      return writeOne(namespace, name, (tx) => incrementPair(tx, namespace, name, by, ttl))
    },
    delete: (namespace, key, precondition) =>
      writeOne(namespace, key, (tx) => deletePair(tx, namespace, key, precondition)),
    clear: (namespace) => writeMany((tx) => clearNamespace(tx, namespace)),
    import: (data, mode) => writeMany((tx) => importPairs(tx, data, mode)),
    removeExpired: (limit) => writeMany((tx) => removeExpiredPairs(tx, limit)),
    hasExpired: () => db.get('SELECT 1 FROM kv WHERE expires_at < ? LIMIT 1', clock.now()) !== undefined,

    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** Keys with a prefix stand together in byte order, so the first one without it ends the page. */
function pageOf(db: Database, namespace: string, { prefix, after, limit }: PageQuery, now: number): Pair[] {
  const [from, operator] =
    after !== null && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0 ? [after, '>'] : [prefix, '>=']
  const rows = db.all<Pair>(
    `SELECT ${PAIR} FROM kv WHERE namespace = ? AND key ${operator} ? AND ${ALIVE} ORDER BY key LIMIT ?`,
    namespace,
    from,
    now,
    limit,
  )
  const end = rows.findIndex(({ key }) => !key.startsWith(prefix))
  return end === -1 ? rows : rows.slice(0, end)
}
