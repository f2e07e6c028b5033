/**
 * One process per data directory. The lock is a write lock on a small SQLite file: the operating system gives it up
 * when the process ends in any way, so nothing has to be cleaned up after a crash.
 */
import { existsSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorText, StartError } from './errors.ts'
import { keepPrivate } from './private-file.ts'
import { isDamage } from './sqlite.ts'

export interface DirectoryLock {
  release(): void
  /**
   * Locks the directory that stands at the path now, which may be another one than before; throws a `StartError` when
   * another process was faster, or a file in it is a link.
   */
  renew(): void
}

const FILE = 'footman.lock'

/** Files that are written where they are; those that are replaced as a whole take the place of a link. */
const WRITTEN_IN_PLACE = /^(?:(?:footman|journal)\.db.*|footman\.lock.*|cluster\.json)$/

/** Throws a `StartError` when a file of Footman in the directory is a link: what it leads to is not Footman's. */
function refuseLinkedFiles(directory: string): void {
  // The lock reports a directory that is not there.
  const entries = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : []
  const link = entries.find((entry) => entry.isSymbolicLink() && WRITTEN_IN_PLACE.test(entry.name))
  if (!link) return
  throw new StartError(`${join(directory, link.name)} is a link, and Footman follows none in its data directory`, {
    hint: 'Put the file itself there. Another disk is used by a data directory on it (Butler.footman.dataDirectory)',
  })
}

/**
 * Throws a `StartError` that names the other process when the directory is in use, or the file in it that is a link. The
 * directory must exist.
 */
export function lockDirectory(directory: string): DirectoryLock {
  let held = acquire(directory)
  let lockFile = identityOf(directory)
  let released = false
  const release = () => {
    if (released) return
    released = true
    process.off('exit', release)
    giveUp(held)
  }
  // Also keeps the database reachable: collected as garbage, it would be closed and the lock lost.
  process.on('exit', release)
  return {
    release,
    renew() {
      refuseLinkedFiles(directory)
      // Not even this process can take what it holds already.
      if (lockFile !== null && identityOf(directory) === lockFile) return
      const before = held
      held = acquire(directory)
      lockFile = identityOf(directory)
      giveUp(before)
    },
  }
}

/** Which file the lock of a directory is; null = none. On Windows a file in use stays the one that it is. */
function identityOf(directory: string): string | null {
  const stats = statSync(join(directory, FILE), { bigint: true, throwIfNoEntry: false })
  if (!stats) return null
  return process.platform === 'win32' ? FILE : `${stats.dev}:${stats.ino}`
}

function giveUp(held: DatabaseSync): void {
  try {
    held.exec('ROLLBACK')
  } catch {
    // Its file is gone or damaged: no other process can find the lock either.
  }
  held.close()
}

function acquire(directory: string): DatabaseSync {
  refuseLinkedFiles(directory)
  try {
    return open(directory)
  } catch (error) {
    if (!isDamage((error as Error).cause)) throw error
    // The content is worthless. Emptied, not removed: a lock on the file stays valid with any content.
    truncateSync(join(directory, FILE), 0)
    return open(directory)
  }
}

function open(directory: string): DatabaseSync {
  const path = join(directory, FILE)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    keepPrivate(path)
    // Nothing in it has to outlast a power failure, so the start does not wait for the disk.
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;')
    db.exec('BEGIN IMMEDIATE')
    db.exec('CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY, process INTEGER NOT NULL, since TEXT NOT NULL)')
    db.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?, ?)').run(process.pid, new Date().toISOString())
    db.exec('COMMIT')
    // Holds the write lock for as long as the process lives; others can still read who holds it.
    db.exec('BEGIN IMMEDIATE')
    return db
  } catch (error) {
    const owner = db ? ownerOf(db) : ''
    db?.close()
    throw lockError(directory, owner, error)
  }
}

function ownerOf(db: DatabaseSync): string {
  const owner = rowOf(db)
  return owner ? ` (process ${owner.process}, since ${owner.since})` : ''
}

function rowOf(db: DatabaseSync): LockHolder | null {
  try {
    const row = db.prepare('SELECT process, since FROM owner WHERE id = 1').get()
    return (row as LockHolder | undefined) ?? null
  } catch {
    return null
  }
}

export interface LockHolder {
  /** Number of the process. */
  readonly process: number
  /** ISO time. */
  readonly since: string
}

/** The process that holds the lock of a data directory; null when it is free. Never blocks a Footman that starts. */
export function lockHolder(directory: string): LockHolder | null {
  const path = join(directory, FILE)
  if (!existsSync(path)) return null
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    db.exec('PRAGMA busy_timeout = 0')
    const owner = rowOf(db)
    if (!owner || !isAlive(owner.process)) return null
    return isLocked(db) ? owner : null
  } catch {
    return null
  } finally {
    db?.close()
  }
}

/** The number of a process that has ended may be that of another one by now: the lock itself decides. */
function isLocked(db: DatabaseSync): boolean {
  try {
    db.exec('BEGIN IMMEDIATE')
    db.exec('ROLLBACK')
    return false
  } catch (error) {
    // An account that may not write the file cannot try the lock; a living process must suffice.
    return /locked|busy|readonly/i.test(errorText(error))
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
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
