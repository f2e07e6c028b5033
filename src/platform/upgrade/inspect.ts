/** What a database file is, without changing a byte of it. */
import { existsSync, rmSync } from 'node:fs'
import { appliedMigrations, type Database, isDamage, lastWriter, openDatabase } from '../sqlite.ts'

export interface Inspection {
  readonly applied: readonly string[]
  /** The Footman that wrote it last; '' when it does not say. */
  readonly writer: string
  /** What a copy of it needs. */
  readonly bytes: number
}

/**
 * To be called while nobody has it open. Null when there is no file, nothing in it, or a damaged one: opening it deals
 * with these. Throws what SQLite says.
 */
export function inspectDatabase(file: string): Inspection | null {
  if (!existsSync(file)) return null
  try {
    return reading(file, (db) => {
      const applied = appliedMigrations(db)
      return applied.length === 0 ? null : { applied, writer: lastWriter(db), bytes: bytesOf(db) }
    })
  } catch (error) {
    if (isDamage(error)) return null
    throw error
  }
}

/** Lends a database that nobody else has open, and leaves its folder as it was. */
export function reading<T>(file: string, work: (db: Database) => T): T {
  const wasClosed = !existsSync(`${file}-wal`)
  let db: Database | undefined
  try {
    db = openDatabase(file, { readOnly: true })
    return work(db)
  } finally {
    db?.close()
    // A reader makes them and may not take them away.
    if (wasClosed) for (const companion of ['-wal', '-shm']) rmSync(file + companion, { force: true })
  }
}

function bytesOf(db: Database): number {
  const pages = db.get<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
  const free = db.get<{ freelist_count: number }>('PRAGMA freelist_count')?.freelist_count ?? 0
  const size = db.get<{ page_size: number }>('PRAGMA page_size')?.page_size ?? 4096
  return (pages - free) * size
}
