/** Copies of databases from before their layout was changed. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createPrivateFile } from '../private-file.ts'
import type { Database } from '../sqlite.ts'
import { inspectDatabase, reading } from './inspect.ts'

/** How many are kept of each database. */
const KEEP = 3

export interface BackupTarget {
  /** Folder of the backups; made when it is missing. */
  readonly directory: string
  /** `footman` for `footman.db`. */
  readonly name: string
  /** The Footman that can use the copy. */
  readonly version: string
  readonly now: number
}

/**
 * Copies an open database to `<name>-<version>-<UTC time>.db`, proves that the copy is sound and returns its path. Whatever
 * goes wrong is thrown, and leaves no half a file behind.
 */
export function backUp(db: Database, { directory, name, version, now }: BackupTarget): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const left of readdirSync(directory)) if (left.endsWith('.db.tmp')) rmSync(join(directory, left))
  const stamp = new Date(now).toISOString().replace(/[-:.]/g, '')
  const path = join(directory, `${name}-${version.replace(/[^\w.+-]/g, '_') || 'older'}-${stamp}.db`)
  const temporary = `${path}.tmp`
  try {
    createPrivateFile(temporary)
    db.exec(`VACUUM INTO '${temporary.replaceAll("'", "''")}'`)
    proveSound(temporary)
    makeDurable(temporary)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  for (const old of backupsOf(directory, name).slice(KEEP)) rmSync(old, { force: true })
  return path
}

function proveSound(file: string): void {
  const found = reading(file, (db) => db.get<{ integrity_check: string }>('PRAGMA integrity_check(1)'))
  if (found?.integrity_check !== 'ok') throw new Error(`the copy is not sound: ${found?.integrity_check}`)
}

/** SQLite leaves it to the system when the copy reaches the disk; the original is changed right after. */
function makeDurable(file: string): void {
  const handle = openSync(file, 'r+')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** Paths, the newest first. */
function backupsOf(directory: string, name: string): string[] {
  if (!existsSync(directory)) return []
  const time = (entry: string) => /-(\d{8}T\d{9}Z)\.db$/.exec(entry)?.[1] ?? ''
  return readdirSync(directory)
    .filter((entry) => entry.startsWith(`${name}-`) && time(entry) !== '')
    .sort((a, b) => (time(a) < time(b) ? 1 : -1))
    .map((entry) => join(directory, entry))
}

/** The newest backup that a Footman with these migrations can use; undefined when there is none. */
export function usableBackup(directory: string, name: string, known: ReadonlySet<string>): string | undefined {
  return backupsOf(directory, name).find((path) => {
    try {
      return inspectDatabase(path)?.applied.every((migration) => known.has(migration))
    } catch {
      return false
    }
  })
}
