/** The table of a durable queue: what waits, and the dead letters. Items that were delivered leave it. */
import type { Database } from './sqlite.ts'
import { uuidV7 } from './uuid.ts'

/** EXPIRED: older than the queue keeps things. REJECTED: refused by the receiver. */
export type DeadReason = 'EXPIRED' | 'REJECTED'

export interface StoredItem {
  readonly seq: number
  readonly key: string
  readonly body: string
  /** Failed attempts so far. */
  readonly attempts: number
  /** Milliseconds since 1970, like all times here. */
  readonly createdAt: number
}

/** Dead letters of one key and reason; `detail` is the one of the newest. */
export interface DeadLetters {
  readonly key: string
  readonly reason: DeadReason
  readonly detail: string | null
  readonly count: number
  readonly oldestAt: number
  readonly newestAt: number
}

/** Which dead letters; null = any. The times are those of storing, from inclusive, to exclusive. */
export interface DeadLetterFilter {
  readonly reason: readonly string[] | null
  readonly from: number | null
  readonly to: number | null
}

/** Few enough that other writers do not wait long. */
const CHUNK = 500

/** The layout, for migrations. They are released: a later change is a statement of its own, not an edit here. */
export const queueTable = (table: string): string => `
  CREATE TABLE ${table} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'dead')),
    reason TEXT,
    detail TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    dead_at INTEGER
  );
  CREATE INDEX ${table}_waiting ON ${table} (seq) WHERE state = 'waiting';
  CREATE INDEX ${table}_key ON ${table} (key, seq) WHERE state = 'waiting';
  CREATE INDEX ${table}_age ON ${table} (created_at) WHERE state = 'waiting';
  CREATE INDEX ${table}_dead ON ${table} (dead_at) WHERE state = 'dead';`

/** Names that items keep on every node of a cluster, for migrations; `seq` is the order on one. */
export const queueIds = (table: string): string => `
  ALTER TABLE ${table} ADD COLUMN id TEXT;
  UPDATE ${table} SET id = lower(hex(randomblob(16)));
  CREATE UNIQUE INDEX ${table}_id ON ${table} (id);`

export function insertItem(db: Database, table: string, item: Pick<StoredItem, 'key' | 'body' | 'createdAt'>): void {
  const { key, body, createdAt } = item
  db.run(`INSERT INTO ${table} (id, key, body, created_at) VALUES (?, ?, ?, ?)`, uuidV7(), key, body, createdAt)
}

// Without INDEXED BY, SQLite may sort a million rows for one page.

/** The first waiting items, in order; of one key, or of all (null). */
export function oldestItems(db: Database, table: string, key: string | null, limit: number): StoredItem[] {
  const columns = 'seq, key, body, attempts, created_at AS createdAt'
  if (key === null) {
    return db.all(
      `SELECT ${columns} FROM ${table} INDEXED BY ${table}_waiting WHERE state = 'waiting' ORDER BY seq LIMIT ?`,
      limit,
    )
  }
  return db.all(
    `SELECT ${columns} FROM ${table} INDEXED BY ${table}_key WHERE state = 'waiting' AND key = ? ORDER BY seq LIMIT ?`,
    key,
    limit,
  )
}

export function waitingItems(db: Database, table: string): number {
  const from = `${table} INDEXED BY ${table}_waiting`
  return db.get<{ n: number }>(`SELECT count(*) AS n FROM ${from} WHERE state = 'waiting'`)?.n ?? 0
}

/** Keys with waiting items, by leaps over the index. */
export function waitingKeys(db: Database, table: string): string[] {
  const next = `SELECT min(key) FROM ${table} INDEXED BY ${table}_key WHERE state = 'waiting'`
  return db
    .all<{ key: string }>(
      `WITH RECURSIVE keys (key) AS (${next} UNION ALL SELECT (${next} AND key > keys.key) FROM keys WHERE keys.key IS NOT NULL)
       SELECT key FROM keys WHERE key IS NOT NULL`,
    )
    .map(({ key }) => key)
}

export function removeItem(db: Database, table: string, seq: number): void {
  db.run(`DELETE FROM ${table} WHERE seq = ?`, seq)
}

export function noteAttempt(db: Database, table: string, seq: number, detail: string): void {
  db.run(`UPDATE ${table} SET attempts = attempts + 1, detail = ? WHERE seq = ?`, detail, seq)
}

export function rejectItem(db: Database, table: string, seq: number, detail: string, now: number): void {
  db.run(
    `UPDATE ${table} SET state = 'dead', reason = 'REJECTED', detail = ?, dead_at = ? WHERE seq = ?`,
    detail,
    now,
    seq,
  )
}

/** Whether anything waits that was stored before, apart from the items with these numbers. */
export function hasOlder(db: Database, table: string, before: number, except: readonly number[]): boolean {
  return (
    db.get(
      `SELECT 1 FROM ${table} WHERE state = 'waiting' AND created_at < ?
         AND seq NOT IN (SELECT value FROM json_each(?)) LIMIT 1`,
      before,
      JSON.stringify(except),
    ) !== undefined
  )
}

/** Gives up some of what `hasOlder` finds; returns how many. */
export function expireItems(db: Database, table: string, before: number, except: readonly number[], now: number) {
  return db.run(
    `UPDATE ${table} SET state = 'dead', reason = 'EXPIRED', detail = NULL, dead_at = ? WHERE seq IN (
       SELECT seq FROM ${table} WHERE state = 'waiting' AND created_at < ?
         AND seq NOT IN (SELECT value FROM json_each(?)) LIMIT ${CHUNK})`,
    now,
    before,
    JSON.stringify(except),
  ).changes
}

/** The dead letters, by key and reason. */
export function deadLetters(db: Database, table: string): DeadLetters[] {
  // Beside max(), SQLite takes the other columns from the row that has it.
  return db.all<DeadLetters>(
    `SELECT key, reason, detail, count(*) AS count, min(created_at) AS oldestAt, max(created_at) AS newestAt
       FROM ${table} WHERE state = 'dead' GROUP BY key, reason ORDER BY key, reason`,
  )
}

/** Lets dead letters wait again, for as long as new items would; returns how many. Runs in a transaction. */
export function replayDeadLetters(db: Database, table: string, filter: DeadLetterFilter, now: number): number {
  const reasons = filter.reason && JSON.stringify(filter.reason)
  return db.run(
    `UPDATE ${table} SET state = 'waiting', reason = NULL, detail = NULL, dead_at = NULL, attempts = 0, created_at = ?
       WHERE state = 'dead' AND created_at >= ? AND created_at < ?
         AND (? IS NULL OR reason IN (SELECT value FROM json_each(?)))`,
    now,
    filter.from ?? 0,
    filter.to ?? Number.MAX_SAFE_INTEGER,
    reasons,
    reasons,
  ).changes
}

/** Removes up to `limit` dead letters that were given up before; returns how many. */
export function purgeDeadLetters(db: Database, table: string, before: number, limit: number): number {
  return db.run(
    `DELETE FROM ${table} WHERE seq IN (SELECT seq FROM ${table} WHERE state = 'dead' AND dead_at < ? LIMIT ?)`,
    before,
    limit,
  ).changes
}
