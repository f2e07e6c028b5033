/**
 * Keeps a database usable while its disk or its file fails: logs the failure once, checks regularly whether it has ended,
 * restores a file that has disappeared, and replaces a damaged one. The users of the database see at most failed writes for
 * a while. `states.ts` has the states; this module has the actions in each.
 */

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
  isDiskFailure,
  type Migration,
  openDatabase,
  StorageError,
} from '../sqlite.ts'
import type { Logger } from '../types.ts'
import { inspectDatabase } from '../upgrade.ts'
import {
  type FileIdentity,
  identityNow,
  identityOf,
  isEmptied,
  proveRoom,
  proveWritable,
  removeDatabase,
  setAside,
} from './files.ts'
import { keepLayout } from './layout.ts'
import { createNotes, type StorageNote, storageMigrations } from './note.ts'
import {
  after,
  delayOf,
  type Failure,
  failureKind,
  failureText,
  NewerDatabaseError,
  outageOf,
  type State,
  spanOf,
} from './states.ts'

export interface StorageState {
  /** `degraded`: usable, but data may have been lost within the last hour. */
  readonly state: 'up' | 'degraded' | 'down'
  /** The failure and its remedy, or the loss; '' when up. */
  readonly reason: string
}

/**
 * Content of the file that is used now instead of the previous one: `rescued` = the same; `replaced` = other content, so
 * values read before may be wrong.
 */
export type Replacement = 'rescued' | 'replaced'

export interface GuardDeps {
  readonly log: Pick<Logger, 'error' | 'warn'>
  readonly now: () => number
  /** Claims the directory that is at the path now. May throw: then nothing in it is used yet. */
  readonly claimDirectory?: () => void
  /** Called when the state changes. */
  readonly onState?: (state: StorageState) => void
  /** Called when the database continues with another file. */
  readonly onReplaced?: (how: Replacement) => void
}

/** `storageMigrations` are added to the migrations. */
interface GuardSettings extends Omit<DatabaseSettings, 'onFailure' | 'readOnly'> {
  readonly file: string
  /** Copies the readable rows of the damaged file; returns a summary as part of a sentence. */
  readonly salvage: (damagedFile: string, db: FileDatabase) => string
  /**
   * True = all users of the database are built anew after it was replaced, and writes are refused until then, because their
   * values in memory belong to the previous file. Default false.
   */
  readonly startsAnew?: boolean
  /** Time between two checks of the file; default 2,000. */
  readonly everyMs?: number
  /** Time to put back a file that has disappeared, before it is created anew; default 10,000. */
  readonly graceMs?: number
}

export interface StorageGuard {
  readonly state: StorageState
  /** The newest loss or long outage of the last hour; null = none. */
  readonly note: StorageNote | null
  start(): void
  stop(): void
  /** Called when another connection has met an error in the same file: checks it, and replaces a damaged one. */
  suspect(): void
}

interface GuardedDatabase {
  readonly db: FileDatabase
  readonly guard: StorageGuard
}

const EVERY_MS = 2000
const GRACE_MS = 10_000
const HOUR_MS = 3_600_000
/** An outage at least this long is worth a note. */
const LONG_OUTAGE_MS = 60_000
/** Most replacements within an hour, because a failing disk would damage each new file. */
const MAX_REPLACEMENTS = 3

/** Opens the database; a damaged file is replaced at once. Throws the error of SQLite when neither works. */
export function openGuarded(deps: GuardDeps, settings: GuardSettings): GuardedDatabase {
  const { log, now } = deps
  const { file, everyMs = EVERY_MS, graceMs = GRACE_MS } = settings
  const options = { ...settings, migrations: [...(settings.migrations ?? []), ...storageMigrations] }
  const notes = createNotes(now)
  const replacements: number[] = []
  let state: State = { name: 'up' }
  let isRepairing = false
  let isLayoutKept = false
  let inUse: FileIdentity | null = null
  let stopped = true
  let timer: ReturnType<typeof setTimeout> | undefined

  const db = openOrReplace()
  notes.read(db)
  inUse = identityNow(file)

  /** The action of a check when the file in use is at its path. */
  const whenOurs: Readonly<Record<State['name'], () => void | Promise<void>>> = {
    up: keepCompanions,
    unwritable: tryAgain,
    damaged: () => void repair(new DamageError('it could not be replaced before')),
    missing: () => recover(`${file} is back`, null),
    foreign: () => recover(`${file} is back`, null),
  }

  function openOrReplace(): FileDatabase {
    const open = () => openDatabase(file, { ...options, onFailure })
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

  /** True when a read that failed may be tried again. */
  function onFailure(error: unknown): boolean {
    if (isRepairing || !isDiskFailure(error)) return false
    if (isDamage(error)) return repair(error)
    fail(error)
    return false
  }

  function fail(error: unknown): void {
    enter(after(state, 'failed', failureOf(error), now()))
  }

  function failureOf(error: unknown, kind = failureKind(error)): Failure {
    const reason = failureText(kind, { file, detail: errorText(error) })
    return { kind, reason, isConsequence: error instanceof StorageError }
  }

  /** Enters the state after a failure or a check. */
  function enter(next: State): void {
    const [before, outage] = [outageOf(state), outageOf(next)]
    state = next
    if (outage === null || outage === before) return
    log.error(
      `STORAGE: ${outage.reason}. Footman goes on by itself when that is done; until then nothing new can be stored`,
    )
    deps.onState?.(shownState())
    schedule()
  }

  /** `lost`: whether data may be missing now; null = the file is the same. */
  function recover(what: string, lost: boolean | null): void {
    const outage = outageOf(state)
    if (outage === null) return
    const lasted = now() - outage.since
    const text = `${what} after ${spanOf(lasted)}. It was: ${outage.reason}.`
    state = after(state, 'recovered', {}, now())
    db.refuseWrites(null)
    log.warn(`STORAGE: ${text}`)
    if (lost !== null || lasted >= LONG_OUTAGE_MS) notes.add(db, text, lost ?? false)
    deps.onState?.(shownState())
  }

  /** Opens the file anew, and replaces it when that does not help. True when the database can be used again. */
  function repair(error: unknown): boolean {
    isRepairing = true
    isLayoutKept = false
    enter(after(state, 'failed', failureOf(error, 'damaged'), now()))
    try {
      const wasSound = reopened()
      if (!wasSound) replace(error)
      recover(`${file} can be used again`, null)
      if (!wasSound) isOther()
      return true
    } catch (failure) {
      log.error(`STORAGE: ${file} cannot be replaced yet: ${errorText(failure)}`)
      return false
    } finally {
      isRepairing = false
      inUse = identityNow(file)
    }
  }

  /** False when the file itself is damaged, and not only a page in memory. */
  function reopened(): boolean {
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
    if (replacements.filter((at) => now() - at < HOUR_MS).length >= MAX_REPLACEMENTS) {
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

  function isOther(): void {
    if (settings.startsAnew) db.refuseWrites(new StorageError(`${file} is another one; Footman starts anew`))
    deps.onReplaced?.('replaced')
  }

  async function look(): Promise<void> {
    state = after(state, 'look', {}, now())
    try {
      const found = await identityOf(file)
      if (stopped) return
      inUse ??= found
      if (found !== null && found.id === inUse?.id) await whenOurs[state.name]()
      else if (found === null || isEmptied(file)) miss()
      else meetOther(found)
    } catch (error) {
      fail(error)
    }
  }

  /** There is no file at the path: after a while it is created anew. */
  function miss(): void {
    enter(after(state, 'nothing', { gone: failureOf(null, 'gone') }, now()))
    refuseWrites()
    if (state.name === 'missing' && now() - state.emptySince >= graceMs) bringBack()
  }

  /** Another file is at the path: it is used once no process writes to it, as it may be a copy in progress. */
  function meetOther({ version }: FileIdentity): void {
    const isStill = state.name === 'foreign' && state.version === version
    enter(after(state, 'other', { gone: failureOf(null, 'gone'), version }, now()))
    refuseWrites()
    if (isStill) adopt()
  }

  /** Writes to a removed file would be lost. */
  function refuseWrites(): void {
    db.refuseWrites(new StorageError(`${file} has disappeared`))
  }

  /** On Linux a file that was removed can be read as long as it is open. */
  function bringBack(): void {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    deps.claimDirectory?.()
    const isRescued = rescued()
    isLayoutKept = false
    db.reopen()
    inUse = identityNow(file)
    const what = isRescued ? 'made anew with all that it held' : 'made anew and empty: what it held is lost'
    recover(`${file} was not put back and is ${what}`, !isRescued)
    if (isRescued) deps.onReplaced?.('rescued')
    else isOther()
  }

  function rescued(): boolean {
    try {
      copyTo(db, file)
      return true
    } catch (error) {
      log.error(`STORAGE: ${file} cannot be rescued: ${errorText(error)}`)
      return false
    }
  }

  function adopt(): void {
    refuseNewer(file, options.migrations)
    deps.claimDirectory?.()
    try {
      db.reopen()
      isLayoutKept = false
    } catch (error) {
      if (!isDamage(error)) throw error
      // The content of the open file is better than that.
      setAside(file, now())
      bringBack()
      return
    }
    inUse = identityNow(file)
    recover(`Another file stands at ${file}: Footman goes on with what is in that one,`, true)
    isOther()
  }

  async function tryAgain(): Promise<void> {
    await proveRoom(dirname(file))
    if (state.name === 'unwritable' && state.outage.kind === 'failing' && state.looks > 1) db.reopen()
    proveWrite(db)
    recover(`${file} can be written again`, null)
  }

  async function keepCompanions(): Promise<void> {
    await keepLog()
    if (isLayoutKept || stopped) return
    isLayoutKept = true
    try {
      keepLayout(db, file)
    } catch (error) {
      log.warn(
        `STORAGE: ${errorText(error)}. ${file} is in use all the same; should it be damaged, less of it can be read`,
      )
    }
  }

  /** Without its write-ahead log, a crash would lose the transactions in it. */
  async function keepLog(): Promise<void> {
    if (await identityOf(`${file}-wal`)) return
    if ((await identityOf(file))?.id !== inUse?.id || stopped) return
    log.warn(`STORAGE: ${file}-wal has disappeared; what was in it is written to ${file} now`)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    db.reopen()
    proveWrite(db)
    deps.onReplaced?.('rescued')
  }

  /** Not a recurring job: the pace depends on the state of the storage. */
  function schedule(): void {
    clearTimeout(timer)
    if (stopped) return
    timer = setTimeout(() => void look().finally(schedule), delayOf(state, everyMs))
    timer.unref?.()
  }

  function shownState(): StorageState {
    const outage = outageOf(state)
    if (outage) return { state: 'down', reason: outage.reason }
    return notes.recent?.lost ? { state: 'degraded', reason: notes.recent.text } : { state: 'up', reason: '' }
  }

  return {
    db,
    guard: {
      get state() {
        return shownState()
      },
      get note() {
        return notes.recent
      },
      start() {
        stopped = false
        schedule()
      },
      stop() {
        stopped = true
        clearTimeout(timer)
      },
      suspect() {
        if (isRepairing || state.name !== 'up' || seemsSound(db)) return
        repair(new DamageError('the check of its content failed'))
      },
    },
  }
}

/** Writes the page of `user_version` unchanged; throws the error of SQLite when that fails. */
function proveWrite(db: Database): void {
  const { user_version } = db.get<{ user_version: number }>('PRAGMA user_version') ?? { user_version: 0 }
  db.transaction(() => db.exec(`PRAGMA user_version = ${user_version}`))
}

/** Reads the whole file: a second or more for each gigabyte. */
const isSound = (db: Database): boolean =>
  db.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check === 'ok'

/** Like `isSound`, but true when the check itself fails, because `onFailure` has handled the damage then. */
function seemsSound(db: Database): boolean {
  try {
    return isSound(db)
  } catch {
    return true
  }
}

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
