/** What a database file is, without changing a byte of it. */
import { existsSync } from 'node:fs'
import { appliedMigrations, type Database, isDamage, lastWriter, openDatabase } from '../sqlite.ts'

export interface Inspection {
  readonly applied: readonly string[]
  /** The Footman that wrote it last; '' when it does not say. */
  readonly writer: string
  /** What a copy of it needs. */
  readonly bytes: number
}

/** Null when there is no file, nothing in it, or a damaged one: opening it deals with these. Throws what SQLite says. */
export function inspectDatabase(file: string): Inspection | null {
  if (!existsSync(file)) return null
  let db: Database | undefined
  try {
    db = openDatabase(file, { readOnly: true })
    const applied = appliedMigrations(db)
    return applied.length === 0 ? null : { applied, writer: lastWriter(db), bytes: bytesOf(db) }
  } catch (error) {
    if (isDamage(error)) return null
    throw error
  } finally {
    db?.close()
  }
}

function bytesOf(db: Database): number {
  const pages = db.get<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
  const free = db.get<{ freelist_count: number }>('PRAGMA freelist_count')?.freelist_count ?? 0
  const size = db.get<{ page_size: number }>('PRAGMA page_size')?.page_size ?? 4096
  return (pages - free) * size
}
