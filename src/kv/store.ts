/**
 * Pairs of text in namespaces, in SQLite: nothing is loaded at start, and an answered write is on disk. An expired pair is
 * invisible to every reader at once and removed later.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { SharedState } from '../cluster/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database, Migration } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { StoreKeyValues } from '../tasks/start/types.ts'
import { changeMigrations, createChangeLog } from './changes.ts'
import type { ImportedCounts } from './contract.ts'
import { createRecentPairs } from './recent.ts'
import {
  type Change,
  type ImportedPair,
  KeyValueRefusal,
  type KeyValueStore,
  type NamespaceSize,
  type NewPair,
  type PageQuery,
  type Pair,
  type Precondition,
} from './types.ts'

export const keyValueMigrations: readonly Migration[] = [
  {
    name: 'kv-001',
    sql: `
      CREATE TABLE kv_namespace (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        -- Kept by the triggers below, because counting would take longer with every key.
        keys INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL
      );
      CREATE TABLE kv (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL REFERENCES kv_namespace (name),
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        expires_at INTEGER,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        UNIQUE (namespace, key)
      );
      -- Order of insertion.
      CREATE INDEX kv_order ON kv (namespace, id);
      CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;
      CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
        UPDATE kv_namespace SET keys = keys + 1 WHERE name = NEW.namespace;
      END;
      CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
        UPDATE kv_namespace SET keys = keys - 1 WHERE name = OLD.namespace;
      END;
      CREATE TABLE kv_revision (last INTEGER NOT NULL);
      INSERT INTO kv_revision VALUES (0);
    `,
  },
  ...changeMigrations,
]

const PAIR = 'key, value, expires_at AS expiresAt, revision, updated_at AS updatedAt'
const ALIVE = '(expires_at IS NULL OR expires_at >= ?)'

const SQL = {
  namespaces: 'SELECT name FROM kv_namespace ORDER BY id',
  namespace: 'SELECT 1 FROM kv_namespace WHERE name = ?',
  addNamespace: 'INSERT INTO kv_namespace (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  removeNamespace: 'DELETE FROM kv_namespace WHERE name = ?',
  keyCount: 'SELECT keys FROM kv_namespace WHERE name = ?',
  sizes: `SELECT (SELECT count(*) FROM kv_namespace) AS namespaces,
    (SELECT count(*) FROM kv WHERE expires_at IS NULL OR expires_at >= ?) AS keys`,

  pair: `SELECT ${PAIR} FROM kv WHERE namespace = ? AND key = ? AND ${ALIVE}`,
  /** Expired or not. */
  row: 'SELECT id, value, expires_at AS expiresAt, revision FROM kv WHERE namespace = ? AND key = ?',
  keys: `SELECT key FROM kv WHERE namespace = ? AND ${ALIVE} ORDER BY id`,
  pageFrom: `SELECT ${PAIR} FROM kv WHERE namespace = ? AND key >= ? AND ${ALIVE} ORDER BY key LIMIT ?`,
  pageAfter: `SELECT ${PAIR} FROM kv WHERE namespace = ? AND key > ? AND ${ALIVE} ORDER BY key LIMIT ?`,
  dump: `SELECT id AS position, ${PAIR} FROM kv WHERE namespace = ? AND id > ? AND ${ALIVE} ORDER BY id LIMIT ?`,

  update: 'UPDATE kv SET value = ?, expires_at = ?, revision = ?, updated_at = ? WHERE id = ?',
  upsert: `INSERT INTO kv (namespace, key, value, expires_at, revision, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
      revision = excluded.revision, updated_at = excluded.updated_at`,
  remove: 'DELETE FROM kv WHERE id = ?',
  removeAll: 'DELETE FROM kv WHERE namespace = ? RETURNING key',

  anyExpired: 'SELECT 1 FROM kv WHERE expires_at < ? LIMIT 1',
  expired: 'SELECT id, namespace, key FROM kv WHERE expires_at < ? ORDER BY expires_at LIMIT ?',
  expiredIn: 'SELECT id, namespace, key FROM kv WHERE expires_at < ? AND namespace = ? ORDER BY expires_at LIMIT ?',

  size: `SELECT keys, bytes, changed_at AS changedAt FROM kv_namespace,
    (SELECT coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))), 0) AS bytes,
      max(updated_at) AS changed_at FROM kv WHERE namespace = ?1) WHERE name = ?1`,
  revision: 'SELECT last FROM kv_revision',
  takeRevisions: 'UPDATE kv_revision SET last = last + ? RETURNING last',
} as const

export interface Limits {
  readonly maxKeysPerNamespace: number
  /** Bytes of UTF-8. */
  readonly maxValueSize: number
}

interface KeyValueStoreDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  /** Called for each use, refused writes included, and with the number of pairs that have expired. */
  readonly onOperation?: (operation: string, times: number) => void
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'mode' | 'onApplied'>
}

/** The tables of `keyValueMigrations` must exist. */
export function createKeyValueStore(deps: KeyValueStoreDeps, limits: Limits): KeyValueStore {
  const { db, writer, clock } = deps
  const listeners = new Set<(change: Change) => void>()
  // Always equal to the database: writes forget the pair, and no reads happen while a transaction is open.
  const recent = createRecentPairs()
  const { shared } = deps
  const changeLog = shared && shared.mode !== 'single' ? createChangeLog(db) : null
  shared?.onApplied(takeOver)
  const count = (operation: string, times = 1): void => deps.onOperation?.(operation, times)

  const report = (changes: readonly Change[]): void => {
    for (const change of changes) for (const listener of listeners) listener(change)
  }

  /** Pairs that the leader has changed are here. */
  function takeOver(tables: ReadonlySet<string>): void {
    if (tables.has('kv')) recent.forgetAll()
    if (changeLog && tables.has('kv_change')) report(changeLog.news())
  }

  /** Listeners get a change once it is durable; writes are answered in the order in which they were done. */
  async function write<T>(work: (write: Write) => T): Promise<T> {
    const changes: Change[] = []
    const result = await writer.write((tx) => {
      const record = (change: Change): void => {
        changeLog?.note(tx, change)
        if (listeners.size > 0) changes.push(change)
      }
      return work({ tx, now: clock.now(), limits, record })
    })
    report(changes)
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
    namespaces: () => db.all<{ name: string }>(SQL.namespaces).map(({ name }) => name),
    sizeOf: (name) => db.get<NamespaceSize>(SQL.size, name) ?? null,
    hasNamespace: (name) => db.get(SQL.namespace, name) !== undefined,
    get(namespace, key) {
      count('get')
      const now = clock.now()
      const known = recent.get(namespace, key)
      if (known) return known.expiresAt === null || known.expiresAt >= now ? known : undefined
      const pair = db.get<Pair>(SQL.pair, namespace, key, now)
      if (pair) recent.keep(namespace, key, pair)
      return pair
    },
    keys(namespace) {
      count('list')
      return db.all<{ key: string }>(SQL.keys, namespace, clock.now()).map(({ key }) => key)
    },
    page(namespace, query) {
      count('list')
      return pageOf(db, namespace, query, clock.now())
    },
    dump(namespace, after, limit) {
      // Read in pieces, of which the first one counts.
      if (after === 0) count('export')
      return db.all<Pair & { position: number }>(SQL.dump, namespace, after, clock.now(), limit)
    },
    revision: () => db.get<{ last: number }>(SQL.revision)!.last,

    set({ namespace, key, value, ttl }, precondition) {
      count('set')
      // SQLite keeps UTF-8, which has no lone surrogates; this way the answer shows the stored text.
      const pair = { namespace: namespace.toWellFormed(), key: key.toWellFormed(), value: value.toWellFormed(), ttl }
      return writeOne(pair.namespace, pair.key, (tx) => setPair(tx, pair, precondition))
    },
    increment(namespace, key, by, ttl) {
      count('increment')
      const name = key.toWellFormed()
      return writeOne(namespace, name, (tx) => incrementPair(tx, namespace, name, by, ttl))
    },
    delete(namespace, key, precondition) {
      count('delete')
      return writeOne(namespace, key, (tx) => deletePair(tx, namespace, key, precondition))
    },
    clear(namespace) {
      count('clear')
      return writeMany((tx) => clearNamespace(tx, namespace))
    },
    import(data, mode) {
      count('import')
      return writeMany((tx) => importPairs(tx, data, mode))
    },
    async removeExpired(limit) {
      const removed = await writeMany((tx) => removeExpiredPairs(tx, limit))
      if (removed > 0) count('expire', removed)
      return removed
    },
    hasExpired: () => db.get(SQL.anyExpired, clock.now()) !== undefined,

    changesAfter: (revision) => changeLog?.after(revision) ?? null,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

export interface StoreSizes {
  readonly namespaces: number
  readonly keys: number
}

/** Null when the storage cannot be read. */
export const sizesOf = (db: Database, now: number): StoreSizes | null => db.get<StoreSizes>(SQL.sizes, now) ?? null

/** Keys with a prefix stand together in byte order, so the first one without it ends the page. */
function pageOf(db: Database, namespace: string, { prefix, after, limit }: PageQuery, now: number): Pair[] {
  const rows =
    after !== null && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0
      ? db.all<Pair>(SQL.pageAfter, namespace, after, now, limit)
      : db.all<Pair>(SQL.pageFrom, namespace, prefix, now, limit)
  const end = rows.findIndex(({ key }) => !key.startsWith(prefix))
  return end === -1 ? rows : rows.slice(0, end)
}

/** One transaction. A refusal is thrown, so that none of its changes stays. */
interface Write {
  readonly tx: Database
  readonly now: number
  readonly limits: Limits
  readonly record: (change: Change) => void
}

/** The last moment that a date can hold. */
const END_OF_TIME = 8.64e15
/** Expired pairs that are removed to make room for a new one. */
const MAKE_ROOM = 100
const ANY: Precondition = () => true

function setPair(write: Write, pair: NewPair, precondition: Precondition = ANY): Pair {
  const { namespace, key, value, ttl } = pair
  checkSize(write, key, value)
  const current = presentPair(write, namespace, key)
  checkRevision(precondition, current)
  return put(write, namespace, { key, value, expiresAt: expiryOf(write.now, ttl) }, current)
}

function incrementPair(write: Write, namespace: string, key: string, by: number, ttl: number): Pair {
  const current = presentPair(write, namespace, key)
  const before = current ? current.value : '0'
  const sum = Number(before) + by
  if (!/^[+-]?\d+$/.test(before) || !Number.isSafeInteger(Number(before)) || !Number.isSafeInteger(sum)) {
    throw new KeyValueRefusal({ kind: 'notANumber', key })
  }
  const expiresAt = current ? current.expiresAt : expiryOf(write.now, ttl)
  return put(write, namespace, { key, value: String(sum), expiresAt }, current)
}

function deletePair(write: Write, namespace: string, key: string, precondition: Precondition = ANY): void {
  const { tx, record } = write
  const current = presentPair(write, namespace, key)
  checkRevision(precondition, current)
  requireNamespace(tx, namespace)
  if (!current) throw new KeyValueRefusal({ kind: 'noKey', namespace, key })
  tx.run(SQL.remove, current.id)
  record({ event: 'delete', namespace, key, revision: takeRevisions(tx, 1) })
}

function clearNamespace(write: Write, namespace: string): void {
  requireNamespace(write.tx, namespace)
  removeAll(write, namespace)
  write.tx.run(SQL.removeNamespace, namespace)
}

function importPairs(
  write: Write,
  data: ReadonlyMap<string, readonly ImportedPair[]>,
  mode: 'merge' | 'replace',
): ImportedCounts {
  const { tx, now } = write
  let keys = 0
  let skipped = 0
  for (const [namespace, pairs] of data) {
    addNamespace(tx, namespace, now)
    if (mode === 'replace') removeAll(write, namespace)
    removeExpiredPairs(write, -1, namespace)
    const before = keyCount(tx, namespace)
    let revision = takeRevisions(tx, pairs.length)
    for (const pair of pairs) {
      if (pair.expiresAt !== null && pair.expiresAt < now) {
        skipped += 1
        continue
      }
      checkSize(write, pair.key, pair.value)
      upsert(write, namespace, pair, revision++)
      keys += 1
    }
    const { maxKeysPerNamespace: limit } = write.limits
    const after = keyCount(tx, namespace)
    if (after > limit && after > before) throw new KeyValueRefusal({ kind: 'full', namespace, limit })
  }
  return { namespaces: data.size, keys, skipped }
}

interface ExpiredRow {
  readonly id: number
  readonly namespace: string
  readonly key: string
}

/** The pairs that expired first go first; limit -1 = no limit. */
function removeExpiredPairs({ tx, now, record }: Write, limit: number, namespace?: string): number {
  const rows =
    namespace === undefined
      ? tx.all<ExpiredRow>(SQL.expired, now, limit)
      : tx.all<ExpiredRow>(SQL.expiredIn, now, namespace, limit)
  if (rows.length === 0) return 0
  const first = takeRevisions(tx, rows.length)
  for (const [index, row] of rows.entries()) {
    tx.run(SQL.remove, row.id)
    record({ event: 'expire', namespace: row.namespace, key: row.key, revision: first + index })
  }
  return rows.length
}

interface Present {
  readonly id: number
  readonly value: string
  readonly expiresAt: number | null
  readonly revision: number
}

/** Removes an expired pair, so that its successor is a new pair. */
function presentPair({ tx, now }: Write, namespace: string, key: string): Present | undefined {
  const row = tx.get<Present>(SQL.row, namespace, key)
  if (!row || row.expiresAt === null || row.expiresAt >= now) return row
  tx.run(SQL.remove, row.id)
  return undefined
}

function put(write: Write, namespace: string, pair: ImportedPair, current: Present | undefined): Pair {
  const { tx, now } = write
  if (!current) {
    addNamespace(tx, namespace, now)
    makeRoom(write, namespace)
  }
  const revision = takeRevisions(tx, 1)
  if (current) update(write, namespace, pair, revision, current.id)
  else upsert(write, namespace, pair, revision)
  return { ...pair, revision, updatedAt: now }
}

/** Changes a pair whose row is known, which needs no look-up in an index. */
function update({ tx, now, record }: Write, namespace: string, pair: ImportedPair, revision: number, id: number): void {
  const { key, value, expiresAt } = pair
  tx.run(SQL.update, value, expiresAt, revision, now, id)
  record({ event: 'set', namespace, key, value, revision })
}

function upsert({ tx, now, record }: Write, namespace: string, pair: ImportedPair, revision: number): void {
  const { key, value, expiresAt } = pair
  tx.run(SQL.upsert, namespace, key, value, expiresAt, revision, now, now)
  record({ event: 'set', namespace, key, value, revision })
}

function removeAll({ tx, record }: Write, namespace: string): void {
  const removed = tx.all<{ key: string }>(SQL.removeAll, namespace)
  const first = takeRevisions(tx, Math.max(removed.length, 1))
  for (const [index, { key }] of removed.entries()) {
    record({ event: 'delete', namespace, key, revision: first + index })
  }
}

/** A namespace full of live pairs refuses a new one, so that no value disappears silently. */
function makeRoom(write: Write, namespace: string): void {
  const { maxKeysPerNamespace: limit } = write.limits
  if (keyCount(write.tx, namespace) < limit) return
  removeExpiredPairs(write, MAKE_ROOM, namespace)
  if (keyCount(write.tx, namespace) >= limit) throw new KeyValueRefusal({ kind: 'full', namespace, limit })
}

function addNamespace(tx: Database, name: string, now: number): void {
  tx.run(SQL.addNamespace, name, now)
}

function requireNamespace(tx: Database, namespace: string): void {
  if (!tx.get(SQL.namespace, namespace)) {
    throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
  }
}

function keyCount(tx: Database, namespace: string): number {
  return tx.get<{ keys: number }>(SQL.keyCount, namespace)?.keys ?? 0
}

/** The first of `count` new revisions. */
function takeRevisions(tx: Database, count: number): number {
  return tx.get<{ last: number }>(SQL.takeRevisions, count)!.last - count + 1
}

function checkRevision(precondition: Precondition, current: Present | undefined): void {
  const revision = current?.revision ?? 0
  if (!precondition(revision)) throw new KeyValueRefusal({ kind: 'revision', current: revision })
}

function checkSize({ limits: { maxValueSize: limit } }: Write, key: string, value: string): void {
  const size = Buffer.byteLength(value)
  if (size > limit) throw new KeyValueRefusal({ kind: 'tooLarge', key, size, limit })
}

function expiryOf(now: number, ttl: number): number | null {
  return ttl > 0 ? Math.min(now + ttl, END_OF_TIME) : null
}

const SWEEP_MS = 1000
/** Pairs of one transaction; few enough that other writes need not wait. */
const SWEEP_SIZE = 500
const SWEEP_PAUSE_MS = 5

/** Removes expired pairs every second, whether or not they are read. */
export function createExpiry(deps: { readonly store: KeyValueStore; readonly log: Logger }): Service {
  const { store, log } = deps
  let failing = false

  const sweep = createRecurringJob(
    {
      everyMs: SWEEP_MS,
      onError(error) {
        if (!failing) log.error(`KEYVALUE: Expired pairs could not be removed: ${error}`)
        failing = true
      },
    },
    async (signal) => {
      while (!signal.aborted && store.hasExpired() && (await store.removeExpired(SWEEP_SIZE)) === SWEEP_SIZE)
        await pause(SWEEP_PAUSE_MS)
      failing = false
    },
  )
  return { name: 'key-value expiry', start: async () => sweep.start(), stop: sweep.stop }
}

/**
 * Stores the pairs of start requests in one commit. A refused pair is logged and left out; the other pairs and the start go
 * on.
 */
export function createStoreKeyValues(deps: { readonly store: KeyValueStore; readonly log: Logger }): StoreKeyValues {
  const { store, log } = deps
  return async (items) => {
    const writes = items.map((item) =>
      store.set(item).then(
        () => log.verbose(`KEYVALUE: Stored key ${item.key} in namespace ${item.namespace} for a start request`),
        (error: unknown) => {
          if (!(error instanceof KeyValueRefusal)) throw error
          log.warn(`KEYVALUE: Key ${item.key} of a start request is not stored: ${error.message}`)
        },
      ),
    )
    const results = await Promise.allSettled(writes)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}
