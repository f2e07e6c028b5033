/**
 * Brings the databases of a data directory to the layout of this Footman: each is copied first, and changed as a whole or
 * not at all. Databases of a newer Footman are refused before anything is changed. No other process may have them open.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { StartError } from './errors.ts'
import { createPrivateFile } from './private-file.ts'
import {
  appliedMigrations,
  type Database,
  isDamage,
  isStorageFailure,
  lastWriter,
  type Migration,
  noteWriter,
  openDatabase,
} from './sqlite.ts'
import type { Logger } from './types.ts'

export interface UpgradableDatabase {
  /** `footman` for `footman.db`. */
  readonly name: string
  readonly file: string
  /** All migrations of this version, in order. */
  readonly migrations: readonly Migration[]
}

interface UpgradeSettings {
  readonly databases: readonly UpgradableDatabase[]
  readonly backupDirectory: string
  /** Version of this Footman. */
  readonly version: string
  /** Free bytes; default: as reported by the system. */
  readonly freeBytes?: (directory: string) => number
}

export interface UpgradeDeps {
  readonly log: Logger
  now(): number
}

interface Step {
  readonly database: UpgradableDatabase
  readonly found: Inspection
  readonly pending: readonly Migration[]
}

/** Bytes needed in addition to the copy and the change themselves. */
const SPARE_BYTES = 4 * 1024 * 1024

/** Throws a `StartError` with the remedy; the databases are then unchanged. */
export function upgradeDatabases({ log, now }: UpgradeDeps, settings: UpgradeSettings): void {
  const steps = settings.databases.flatMap((database): Step[] => {
    const found = inspect(database)
    if (!found) return []
    const pending = database.migrations.filter(({ name }) => !found.applied.includes(name))
    return [{ database, found, pending }]
  })
  refuseNewer(steps, settings)
  const old = steps.filter(({ pending }) => pending.length > 0)
  proveRoom(old, settings)
  const sound = old.filter((step) => save(step, settings, { log, now }))
  for (const step of sound) change(step, settings, { log, now })
  const unchanged = steps.filter(({ pending, found }) => pending.length === 0 && found.writer !== settings.version)
  for (const { database } of unchanged) sign(database, settings.version)
}

function inspect({ file }: UpgradableDatabase): Inspection | null {
  try {
    return inspectDatabase(file)
  } catch (cause) {
    throw new StartError(`The database "${file}" cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: 'Footman must be able to read and write it',
    })
  }
}

function refuseNewer(steps: readonly Step[], { version, backupDirectory }: UpgradeSettings): void {
  for (const { database, found } of steps) {
    const known = new Set(database.migrations.map(({ name }) => name))
    const unknown = found.applied.filter((name) => !known.has(name))
    if (unknown.length === 0) continue
    const writer = found.writer === '' ? 'a newer Footman' : `Footman ${found.writer}`
    const backup = usableBackup(backupDirectory, database.name, known)
    const back = backup
      ? `To go back to ${version}, stop Footman and put its backup "${backup}" in the place of the database`
      : `There is no backup for ${version} in "${backupDirectory}": to start afresh with it, give it another data directory`
    throw new StartError(
      `The database "${database.file}" was written by ${writer}, which is newer than this Footman ${version}: it has changes that this one does not know (${unknown.join(', ')}). Nothing was changed`,
      { hint: `Start the newer Footman again. ${back}` },
    )
  }
}

/** Each database is copied, and a change can be as large as the database. */
function proveRoom(steps: readonly Step[], { freeBytes = freeBytesOf, backupDirectory }: UpgradeSettings): void {
  if (steps.length === 0) return
  const needed = steps.reduce((sum, { found }) => sum + found.bytes * 2, SPARE_BYTES)
  const free = freeBytes(dirname(backupDirectory))
  if (free >= needed) return
  throw new StartError(
    `There is not enough room in "${dirname(backupDirectory)}" to save the databases before they are changed for this version: ${megabytes(needed)} are needed, ${megabytes(free)} are free. Nothing was changed`,
    { hint: 'Make room and start Footman again, or go on with the version before' },
  )
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

/** Copies the database; false for a damaged one, which is replaced when it is opened. */
function save({ database, found }: Step, { backupDirectory, version }: UpgradeSettings, deps: UpgradeDeps): boolean {
  const { name, file } = database
  const from = found.writer === '' ? 'an earlier Footman' : `Footman ${found.writer}`
  deps.log.info(`MAIN: ${name}.db is of ${from}; it is saved before Footman ${version} changes it`)
  const target = { directory: backupDirectory, name, version: found.writer, now: deps.now() }
  try {
    const path = reading(file, (db) => backUp(db, target))
    deps.log.info(`MAIN: ${name}.db is saved as ${path}`)
    return true
  } catch (cause) {
    if (isDamage(cause)) {
      deps.log.warn(`MAIN: ${name}.db cannot be saved, it is damaged: ${(cause as Error).message}`)
      return false
    }
    throw new StartError(
      `The database "${file}" cannot be saved in "${backupDirectory}" before it is changed for this version: ${(cause as Error).message}. Nothing was changed`,
      { cause, hint: roomHint(cause) },
    )
  }
}

function change({ database, pending }: Step, { version, backupDirectory }: UpgradeSettings, deps: UpgradeDeps): void {
  const { name, file, migrations } = database
  try {
    openDatabase(file, { migrations, version }).close()
  } catch (cause) {
    throw new StartError(
      `The database "${file}" could not be changed for Footman ${version}: ${(cause as Error).message}. It is as it was, and saved in "${backupDirectory}"`,
      { cause, hint: roomHint(cause) },
    )
  }
  const names = pending.map((migration) => migration.name).join(', ')
  deps.log.info(`MAIN: ${name}.db has the layout of Footman ${version} (${names})`)
}

const roomHint = (cause: unknown): string =>
  isStorageFailure(cause) ? 'Look at disk and permissions, and start Footman again' : 'Go on with the version before'

function sign({ file }: UpgradableDatabase, version: string): void {
  const db = openDatabase(file)
  try {
    noteWriter(db, version)
  } finally {
    db.close()
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MB`

/** Number of backups kept of each database. */
const KEEP = 3

export interface BackupTarget {
  /** Folder of the backups; made when it is missing. */
  readonly directory: string
  /** `footman` for `footman.db`. */
  readonly name: string
  /** Version of the Footman that can use the copy. */
  readonly version: string
  readonly now: number
}

/**
 * Copies an open database to `<name>-<version>-<UTC time>.db`, proves that the copy is sound and returns its path. Throws
 * when this fails, and then leaves no incomplete file.
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

/** Syncs the copy to disk, which SQLite does not do, before the original is changed. */
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

interface Inspection {
  readonly applied: readonly string[]
  /** Version of the Footman that wrote it last; '' when unknown. */
  readonly writer: string
  /** Size of a copy. */
  readonly bytes: number
}

/**
 * Reads the state of a database file without changing it. No other process may have it open. Null when the file is missing,
 * empty or damaged: opening it handles these. Throws the error of SQLite.
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

/** Opens a database for reading that no other process has open; changes at most what a killed process left unfinished. */
function reading<T>(file: string, work: (db: Database) => T): T {
  const wasClosed = !existsSync(`${file}-wal`)
  let db: Database | undefined
  try {
    // A process that was killed before the switch to WAL leaves a transaction that only a writer can roll back.
    db = openDatabase(file, { readOnly: !existsSync(`${file}-journal`) })
    return work(db)
  } finally {
    db?.close()
    // A reader creates them and may not remove them.
    if (wasClosed) for (const companion of ['-wal', '-shm']) rmSync(file + companion, { force: true })
  }
}

function bytesOf(db: Database): number {
  const pages = db.get<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
  const free = db.get<{ freelist_count: number }>('PRAGMA freelist_count')?.freelist_count ?? 0
  const size = db.get<{ page_size: number }>('PRAGMA page_size')?.page_size ?? 4096
  return (pages - free) * size
}
