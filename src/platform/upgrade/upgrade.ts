/**
 * Brings the databases of a data directory to the layout of this Footman: each is copied first, and changed as a whole or
 * not at all. Databases of a newer Footman are refused before anything is changed. To be called while nobody has them open.
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDamage, isStorageTrouble, type Migration, noteWriter, openDatabase } from '../sqlite.ts'
import { StartError } from '../start-error.ts'
import type { Logger } from '../types.ts'
import { backUp, usableBackup } from './backup.ts'
import { type Inspection, inspectDatabase, reading } from './inspect.ts'

export interface UpgradableDatabase {
  /** `footman` for `footman.db`. */
  readonly name: string
  readonly file: string
  /** All that this version knows, in their order. */
  readonly migrations: readonly Migration[]
}

export interface UpgradeSettings {
  readonly databases: readonly UpgradableDatabase[]
  readonly backupDirectory: string
  /** Of this Footman. */
  readonly version: string
  /** Bytes that are free; default: what the system says. */
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

/** Beside the copy and the change themselves. */
const SPARE_BYTES = 4 * 1024 * 1024

/** Throws a `StartError` that says what to do; the databases are then as they were. */
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

/** A copy of each is written, and a change can be as large as what it changes. */
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

/** False for a damaged database, which is dealt with when it is opened. */
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
  isStorageTrouble(cause) ? 'Look at disk and permissions, and start Footman again' : 'Go on with the version before'

function sign({ file }: UpgradableDatabase, version: string): void {
  const db = openDatabase(file)
  try {
    noteWriter(db, version)
  } finally {
    db.close()
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MB`
