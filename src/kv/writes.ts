/** What the store writes, each function within one transaction. A refusal is thrown, so that nothing of it stays. */
import type { Database } from '../platform/sqlite.ts'
import {
  type Change,
  type ImportCounts,
  type ImportedPair,
  KeyValueRefusal,
  type NewPair,
  type Pair,
  type Precondition,
} from './types.ts'

export interface Limits {
  readonly maxKeysPerNamespace: number
  /** Bytes of UTF-8. */
  readonly maxValueSize: number
}

export interface Write {
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

export function setPair(write: Write, pair: NewPair, precondition: Precondition = ANY): Pair {
  const { namespace, key, value, ttl } = pair
  checkSize(write, key, value)
  const current = presentPair(write, namespace, key)
  checkRevision(precondition, current)
  return put(write, namespace, { key, value, expiresAt: expiryOf(write.now, ttl) }, current)
}

export function incrementPair(write: Write, namespace: string, key: string, by: number, ttl: number): Pair {
  const current = presentPair(write, namespace, key)
  const before = current ? current.value : '0'
  const sum = Number(before) + by
  if (!/^[+-]?\d+$/.test(before) || !Number.isSafeInteger(Number(before)) || !Number.isSafeInteger(sum)) {
    throw new KeyValueRefusal({ kind: 'notANumber', key })
  }
  const expiresAt = current ? current.expiresAt : expiryOf(write.now, ttl)
  return put(write, namespace, { key, value: String(sum), expiresAt }, current)
}

export function deletePair(write: Write, namespace: string, key: string, precondition: Precondition = ANY): void {
  const { tx, record } = write
  const current = presentPair(write, namespace, key)
  checkRevision(precondition, current)
  requireNamespace(tx, namespace)
  if (!current) throw new KeyValueRefusal({ kind: 'noKey', namespace, key })
  tx.run('DELETE FROM kv WHERE id = ?', current.id)
  record({ event: 'delete', namespace, key, revision: takeRevisions(tx, 1) })
}

export function clearNamespace(write: Write, namespace: string): void {
  requireNamespace(write.tx, namespace)
  removeAll(write, namespace)
  write.tx.run('DELETE FROM kv_namespace WHERE name = ?', namespace)
}

export function importPairs(
  write: Write,
  data: ReadonlyMap<string, readonly ImportedPair[]>,
  mode: 'merge' | 'replace',
): ImportCounts {
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

/** Those that have been expired for longest first; -1 = no limit. */
export function removeExpiredPairs({ tx, now, record }: Write, limit: number, namespace?: string): number {
  const rows = tx.all<{ id: number; namespace: string; key: string }>(
    `SELECT id, namespace, key FROM kv WHERE expires_at < ? ${namespace === undefined ? '' : 'AND namespace = ?'}
     ORDER BY expires_at LIMIT ?`,
    now,
    ...(namespace === undefined ? [] : [namespace]),
    limit,
  )
  if (rows.length === 0) return 0
  const first = takeRevisions(tx, rows.length)
  for (const [index, row] of rows.entries()) {
    tx.run('DELETE FROM kv WHERE id = ?', row.id)
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

/** An expired pair is removed on the way: what comes after it is a new one. */
function presentPair({ tx, now }: Write, namespace: string, key: string): Present | undefined {
  const row = tx.get<Present>(
    'SELECT id, value, expires_at AS expiresAt, revision FROM kv WHERE namespace = ? AND key = ?',
    namespace,
    key,
  )
  if (!row || row.expiresAt === null || row.expiresAt >= now) return row
  tx.run('DELETE FROM kv WHERE id = ?', row.id)
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

/** Of a pair that is known to be there: no index has to be looked at. */
function update({ tx, now, record }: Write, namespace: string, pair: ImportedPair, revision: number, id: number): void {
  const { key, value, expiresAt } = pair
  tx.run(
    'UPDATE kv SET value = ?, expires_at = ?, revision = ?, updated_at = ? WHERE id = ?',
    ...[value, expiresAt, revision, now, id],
  )
  record({ event: 'set', namespace, key, value, revision })
}

function upsert({ tx, now, record }: Write, namespace: string, pair: ImportedPair, revision: number): void {
  const { key, value, expiresAt } = pair
  tx.run(
    `INSERT INTO kv (namespace, key, value, expires_at, revision, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
       revision = excluded.revision, updated_at = excluded.updated_at`,
    namespace,
    key,
    value,
    expiresAt,
    revision,
    now,
    now,
  )
  record({ event: 'set', namespace, key, value, revision })
}

function removeAll({ tx, record }: Write, namespace: string): void {
  const removed = tx.all<{ key: string }>('DELETE FROM kv WHERE namespace = ? RETURNING key', namespace)
  const first = takeRevisions(tx, Math.max(removed.length, 1))
  for (const [index, { key }] of removed.entries()) {
    record({ event: 'delete', namespace, key, revision: first + index })
  }
}

/** Full with pairs that live: refused, so that no value disappears unseen. */
function makeRoom(write: Write, namespace: string): void {
  const { maxKeysPerNamespace: limit } = write.limits
  if (keyCount(write.tx, namespace) < limit) return
  removeExpiredPairs(write, MAKE_ROOM, namespace)
  if (keyCount(write.tx, namespace) >= limit) throw new KeyValueRefusal({ kind: 'full', namespace, limit })
}

function addNamespace(tx: Database, name: string, now: number): void {
  tx.run('INSERT INTO kv_namespace (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING', name, now)
}

function requireNamespace(tx: Database, namespace: string): void {
  if (!tx.get('SELECT 1 FROM kv_namespace WHERE name = ?', namespace)) {
    throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
  }
}

function keyCount(tx: Database, namespace: string): number {
  return tx.get<{ keys: number }>('SELECT keys FROM kv_namespace WHERE name = ?', namespace)?.keys ?? 0
}

/** The first of `count` new revisions. */
function takeRevisions(tx: Database, count: number): number {
  return tx.get<{ last: number }>('UPDATE kv_revision SET last = last + ? RETURNING last', count)!.last - count + 1
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
