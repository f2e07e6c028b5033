/** Notes about losses and long outages of a database, stored in it, so that they are known after a restart. */
import type { Database, Migration } from '../sqlite.ts'

export const storageMigrations: readonly Migration[] = [
  {
    name: 'storage-001',
    sql: 'CREATE TABLE storage_note (at INTEGER NOT NULL, text TEXT NOT NULL, lost INTEGER NOT NULL)',
  },
]

export interface StorageNote {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly text: string
  /** The file was replaced, so data may be missing. */
  readonly lost: boolean
}

export interface Notes {
  /** Loads the newest stored note. */
  read(db: Database): void
  /** Keeps a note in memory, and in the database when it can be written. */
  add(db: Database, text: string, lost: boolean): void
  /** The newest note of the last hour; null = none. */
  readonly recent: StorageNote | null
}

const RECENT_MS = 3_600_000

export function createNotes(now: () => number): Notes {
  let latest: StorageNote | null = null
  return {
    read(db) {
      const row = db.get<{ at: number; text: string; lost: number }>(
        'SELECT at, text, lost FROM storage_note ORDER BY at DESC, rowid DESC LIMIT 1',
      )
      latest = row ? { ...row, lost: row.lost === 1 } : null
    },
    add(db, text, lost) {
      latest = { at: now(), text, lost }
      try {
        db.run('INSERT INTO storage_note VALUES (?, ?, ?)', latest.at, text, lost ? 1 : 0)
      } catch {
        // The guard reports the failure of the write itself.
      }
    },
    get recent() {
      return latest && now() - latest.at < RECENT_MS ? latest : null
    },
  }
}
