/** The file of a guarded database that is in use: whether it is still at its path, and how another one takes its place. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorText } from '../errors.ts'
import { createPrivateFile } from '../private-file.ts'
import {
  DamageError,
  type Database,
  type DatabaseSettings,
  type FileDatabase,
  isDamage,
  type Migration,
  openDatabase,
  StorageError,
} from '../sqlite.ts'
import { inspectDatabase } from '../upgrade.ts'
import {
  type FileIdentity,
  identityNow,
  identityOf,
  isEmptied,
  proveWritable,
  refuseLinks,
  removeDatabase,
  setAside,
} from './files.ts'
import { keepLayout } from './layout.ts'
import { type Notes, storageMigrations } from './note.ts'
import { type AtPath, isReplacedTooOften, MAX_REPLACEMENTS, NewerDatabaseError } from './states.ts'

interface FileDeps {
  readonly log: { error(text: string): void; warn(text: string): void }
  readonly now: () => number
  readonly notes: Notes
  readonly isStopped: () => boolean
  /** Claims the directory that is at the path now. May throw: then nothing in it is used yet. */
  readonly claimDirectory?: () => void
}

interface FileSettings extends DatabaseSettings {
  readonly file: string
  readonly salvage: (damagedFile: string, db: FileDatabase) => string
}

interface FileInUse {
  /** A damaged file is replaced at once. Throws the error of SQLite when neither works. */
  open(): FileDatabase
  look(): Promise<AtPath>
  /** Opens the file anew; if that does not help, sets it aside and starts another with what can be read: true. */
  repair(error: unknown): boolean
  /** Makes the file that is gone anew; false when it is empty, as what it held is lost. */
  makeAnew(): boolean
  /** Goes on with the other file at the path; false when that is damaged, and set aside. */
  adopt(): boolean
  /** True when the write-ahead log had disappeared. */
  keepLog(): Promise<boolean>
  keepLayout(): void
}

export function createFileInUse(
  { log, now, notes, isStopped, claimDirectory }: FileDeps,
  settings: FileSettings,
): FileInUse {
  const { file } = settings
  const migrations = [...(settings.migrations ?? []), ...storageMigrations]
  const replacements: number[] = []
  let isLayoutKept = false
  let db: FileDatabase
  let inUse: FileIdentity | null = null

  function openOrReplace(): FileDatabase {
    const open = () => openDatabase(file, { ...settings, migrations })
    refuseLinks(file)
    proveWritable(file)
    try {
      if (isEmptied(file)) throw new DamageError('nothing is left in it')
      return open()
    } catch (error) {
      if (!isDamage(error)) throw error
      const aside = setAside(file, now())
      const opened = open()
      takeOver(opened, aside, error)
      return opened
    }
  }

  /** False when the file itself is damaged, and not only a page in memory. */
  function isSoundWhenOpened(): boolean {
    try {
      db.close()
      db.reopen()
      return isSound(db)
    } catch (error) {
      if (isDamage(error)) return false
      throw error
    }
  }

  function replace(error: unknown): void {
    if (isReplacedTooOften(replacements, now())) {
      throw new StorageError(`it was damaged ${MAX_REPLACEMENTS} times within an hour. Check the disk`)
    }
    replacements.push(now())
    db.close()
    const aside = setAside(file, now())
    db.reopen()
    takeOver(db, aside, error)
  }

  function takeOver(opened: FileDatabase, aside: string, error: unknown): void {
    const saved = settings.salvage(aside, opened)
    const text = `${file} was damaged (${errorText(error)}). It is kept as ${aside}, and a new one was started: ${saved}. Check the disk`
    log.error(`STORAGE: ${text}`)
    notes.add(opened, text, true)
  }

  /** On Linux a file that was removed can be read as long as it is open. */
  function rescued(): boolean {
    try {
      copyTo(db, file)
      return true
    } catch (error) {
      log.error(`STORAGE: ${file} cannot be rescued: ${errorText(error)}`)
      return false
    }
  }

  return {
    open() {
      db = openOrReplace()
      inUse = identityNow(file)
      return db
    },
    async look() {
      const found = await identityOf(file)
      if (!isStopped()) inUse ??= found
      if (found !== null && found.id === inUse?.id) return { is: 'ours' }
      return found === null || isEmptied(file) ? { is: 'nothing' } : { is: 'other', version: found.version }
    },
    repair(error) {
      isLayoutKept = false
      try {
        const isOther = !isSoundWhenOpened()
        if (isOther) replace(error)
        return isOther
      } finally {
        inUse = identityNow(file)
      }
    },
    makeAnew() {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      refuseLinks(file)
      claimDirectory?.()
      const isRescued = rescued()
      isLayoutKept = false
      db.reopen()
      inUse = identityNow(file)
      return isRescued
    },
    adopt() {
      refuseLinks(file)
      refuseNewer(file, migrations)
      claimDirectory?.()
      try {
        db.reopen()
        isLayoutKept = false
      } catch (error) {
        if (!isDamage(error)) throw error
        setAside(file, now())
        return false
      }
      inUse = identityNow(file)
      return true
    },
    /** Without its write-ahead log, a crash would lose the transactions in it. */
    async keepLog() {
      if (await identityOf(`${file}-wal`)) return false
      if ((await identityOf(file))?.id !== inUse?.id || isStopped()) return false
      log.warn(`STORAGE: ${file}-wal has disappeared; what was in it is written to ${file} now`)
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      db.reopen()
      proveWrite(db)
      return true
    },
    keepLayout() {
      if (isLayoutKept) return
      isLayoutKept = true
      try {
        keepLayout(db, file)
      } catch (error) {
        log.warn(
          `STORAGE: ${errorText(error)}. ${file} is in use all the same; should it be damaged, less of it can be read`,
        )
      }
    },
  }
}

/** Writes the page of `user_version` unchanged; throws the error of SQLite when that fails. */
export function proveWrite(db: Database): void {
  const { user_version } = db.get<{ user_version: number }>('PRAGMA user_version') ?? { user_version: 0 }
  db.transaction(() => db.exec(`PRAGMA user_version = ${user_version}`))
}

/** Reads the whole file: a second or more for each gigabyte. */
export const isSound = (db: Database): boolean =>
  db.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check === 'ok'

/** Throws a `NewerDatabaseError` for a file with other migrations than these. Changes nothing. */
function refuseNewer(file: string, migrations: readonly Migration[]): void {
  const found = inspectDatabase(file)
  const known = new Set(migrations.map(({ name }) => name))
  if (found?.applied.every((name) => known.has(name)) ?? true) return
  throw new NewerDatabaseError(found?.writer ? `Footman ${found.writer}` : 'a newer Footman')
}

/** Writes the content of the open database to a new file at its former path. */
function copyTo(db: Database, file: string): void {
  removeDatabase(file)
  try {
    createPrivateFile(file)
    db.exec(`VACUUM INTO '${file.replaceAll("'", "''")}'`)
  } catch (error) {
    removeDatabase(file)
    throw error
  }
}
