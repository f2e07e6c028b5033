/** What happened to a database, kept in it: that it had to be replaced is worth knowing after a restart, too. */
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
  /** The file was replaced, so something may be missing. */
  readonly lost: boolean
}

/** The newest one; null = nothing ever happened. */
export function latestNote(db: Database): StorageNote | null {
  const row = db.get<{ at: number; text: string; lost: number }>(
    'SELECT at, text, lost FROM storage_note ORDER BY at DESC, rowid DESC LIMIT 1',
  )
  return row ? { ...row, lost: row.lost === 1 } : null
}

export function addNote(db: Database, { at, text, lost }: StorageNote): void {
  db.run('INSERT INTO storage_note VALUES (?, ?, ?)', at, text, lost ? 1 : 0)
}
