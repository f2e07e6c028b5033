/** Snoozes in `footman.db`. */
import type { Database } from '../../platform/sqlite.ts'

export interface Snooze {
  readonly id: string
  /** As it was given: JSON of a match. */
  readonly match: string
  readonly from: number
  readonly until: number
  readonly reason: string
  readonly createdBy: string
  readonly createdAt: number
  /** Deliveries that it has held back. */
  readonly suppressed: number
}

const COLUMNS = `id, match, from_at AS "from", until_at AS until, reason, created_by AS createdBy, created_at AS createdAt,
  suppressed`

export function insertSnooze(db: Database, snooze: Omit<Snooze, 'suppressed'>): void {
  const { id, match, from, until, reason, createdBy, createdAt } = snooze
  db.run(
    `INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[id, match, from, until, reason, createdBy, createdAt],
  )
}

/** Those that have begun and not ended. */
export function activeSnoozes(db: Database, now: number): readonly Pick<Snooze, 'id' | 'match' | 'reason' | 'until'>[] {
  return db.all(
    'SELECT id, match, reason, until_at AS until FROM snooze WHERE until_at > ? AND from_at <= ? ORDER BY id',
    now,
    now,
  )
}

/** Those that have not ended, newest first, before the one with the id `before`. */
export function listSnoozes(db: Database, now: number, before: string | null, limit: number): readonly Snooze[] {
  return db.all<Snooze>(
    `SELECT ${COLUMNS} FROM snooze WHERE until_at > ? AND id < ? ORDER BY id DESC LIMIT ?`,
    now,
    before ?? '\uffff',
    limit,
  )
}

export function countSuppressed(db: Database, id: string): void {
  db.run('UPDATE snooze SET suppressed = suppressed + 1 WHERE id = ?', id)
}

export function deleteSnooze(db: Database, id: string): boolean {
  return db.run('DELETE FROM snooze WHERE id = ?', id).changes > 0
}

/** Those that ended before `before`. */
export function purgeSnoozes(db: Database, before: number): number {
  return db.run('DELETE FROM snooze WHERE until_at < ?', before).changes
}
