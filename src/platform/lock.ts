/**
 * One process per data directory. The lock is a write lock on a small SQLite file: the operating system gives it up
 * when the process ends in whatever way, so nothing has to be cleaned up after a crash.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartError } from './start-error.ts'

export interface DirectoryLock {
  release(): void
}

const FILE = 'footman.lock'

/** Throws a `StartError` that names the other process when the directory is in use. The directory must exist. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, FILE)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE;')
    db.exec('BEGIN IMMEDIATE')
    db.exec('CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY, process INTEGER NOT NULL, since TEXT NOT NULL)')
    db.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?, ?)').run(process.pid, new Date().toISOString())
    db.exec('COMMIT')
    // Holds the write lock for as long as the process lives; others can still read who holds it.
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const owner = db ? ownerOf(db) : ''
    db?.close()
    throw lockError(directory, owner, error)
  }
  const held = db
  let released = false
  const release = () => {
    if (released) return
    released = true
    process.off('exit', release)
    held.exec('ROLLBACK')
    held.close()
  }
  // Also keeps the database reachable: collected as garbage, it would be closed and the lock lost.
  process.on('exit', release)
  return { release }
}

function ownerOf(db: DatabaseSync): string {
  try {
    const row = db.prepare('SELECT process, since FROM owner WHERE id = 1').get() as
      | { process: number; since: string }
      | undefined
    return row ? ` (process ${row.process}, since ${row.since})` : ''
  } catch {
    return ''
  }
}

function lockError(directory: string, owner: string, cause: unknown): StartError {
  const reason = (cause as Error).message
  if (/locked|busy/i.test(reason)) {
    return new StartError(
      `The data directory "${directory}" is in use by another Footman${owner}. Stop that one, or give this one a data directory of its own.`,
      { cause },
    )
  }
  return new StartError(`The data directory "${directory}" cannot be locked (${FILE}): ${reason}`, { cause })
}
