/** State of the intake besides events: dedup keys, dropped datagrams, cursors. */
import type { Database } from '../platform/sqlite.ts'
import type { DropReason, EventOutcome } from './types.ts'

/** Two messages with the same key are repeats. Null without an execution id: such a message is never a repeat. */
export function dedupKey(executionId: string, outcome: EventOutcome | 'distribute'): string | null {
  return executionId ? `${executionId}|${outcome}` : null
}

/** Reserves a dedup key; false when it is taken and has not expired. */
export function takeDedupKey(db: Database, key: string, now: number, ttlMs: number): boolean {
  const { changes } = db.run(
    `INSERT INTO dedup VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at
       WHERE expires_at <= ?`,
    key,
    now + ttlMs,
    now,
  )
  return changes > 0
}

/** True while the key is reserved. */
export function isDedupKeyTaken(db: Database, key: string, now: number): boolean {
  return db.get('SELECT 1 FROM dedup WHERE key = ? AND expires_at > ?', key, now) !== undefined
}

/** Forgets at most `limit` keys that expired before `now`; returns how many. */
export function purgeDedupKeys(db: Database, now: number, limit: number): number {
  return db.run(
    'DELETE FROM dedup WHERE key IN (SELECT key FROM dedup WHERE expires_at < ? ORDER BY expires_at LIMIT ?)',
    now,
    limit,
  ).changes
}

const DROPS_KEPT = 1000

export interface DroppedDatagram {
  readonly at: number
  readonly sender: string
  readonly reason: DropReason
  readonly raw: Uint8Array
}

/** Keeps the last 1,000 dropped datagrams for inspection. */
export function recordDrops(db: Database, drops: readonly DroppedDatagram[]): void {
  for (const drop of drops) {
    db.run(
      'INSERT INTO dropped_datagram (at, sender, reason, raw) VALUES (?, ?, ?, ?)',
      drop.at,
      drop.sender,
      drop.reason,
      drop.raw,
    )
  }
  db.run('DELETE FROM dropped_datagram WHERE seq <= (SELECT max(seq) FROM dropped_datagram) - ?', DROPS_KEPT)
}

export function readMeta(db: Database, key: string): string | null {
  return db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', key)?.value ?? null
}

export function writeMeta(db: Database, key: string, value: string): void {
  db.run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value)
}
