/**
 * Keeps a database usable while its disk or its file fails: logs the failure once, checks regularly whether it has ended,
 * restores a file that has disappeared, and replaces a damaged one. The users of the database see at most failed writes for
 * a while. `states.ts` has the states and what is to be done in each, `in-use.ts` what is done with the files.
 */

import { dirname } from 'node:path'
import { errorText } from '../errors.ts'
import { createRepeats } from '../repeats.ts'
import {
  DamageError,
  type DatabaseSettings,
  type FileDatabase,
  isDamage,
  isDiskFailure,
  StorageError,
} from '../sqlite.ts'
import type { Logger } from '../types.ts'
import { proveRoom } from './files.ts'
import { createFileInUse, isSound, proveWrite } from './in-use.ts'
import { createNotes, type StorageNote } from './note.ts'
import {
  type Action,
  after,
  atPath,
  delayOf,
  type Failure,
  failureKind,
  failureText,
  isNotable,
  needsOpening,
  outageOf,
  type State,
  type StorageState,
  shown,
  spanOf,
} from './states.ts'

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
const GOES_ON = 'Footman goes on by itself when that is done; until then nothing new can be stored'

/** Opens the database; a damaged file is replaced at once. Throws the error of SQLite when neither works. */
export function openGuarded(deps: GuardDeps, settings: GuardSettings): GuardedDatabase {
  const { now } = deps
  const log = createStorageLog(deps)
  const { file, everyMs = EVERY_MS, graceMs = GRACE_MS } = settings
  const notes = createNotes(now)
  let state: State = { name: 'up' }
  let isRepairing = false
  let stopped = true
  let timer: ReturnType<typeof setTimeout> | undefined
  const inUse = createFileInUse({ ...deps, log, notes, isStopped: () => stopped }, { ...settings, onFailure })
  const db = inUse.open()
  notes.read(db)

  const actions: Readonly<Record<Action, () => void | Promise<void>>> = {
    async keep() {
      if (await inUse.keepLog()) announce('rescued')
      if (!stopped) inUse.keepLayout()
    },
    async write() {
      await proveRoom(dirname(file))
      if (needsOpening(state)) db.reopen()
      proveWrite(db)
      recover(`${file} can be written again`, null)
    },
    repair: () => void repair(new DamageError('it could not be replaced before')),
    'go on': () => recover(`${file} is back`, null),
    wait: () => undefined,
    'make anew': makeAnew,
    adopt() {
      // The content of the open file is better than that of a damaged one.
      if (!inUse.adopt()) return makeAnew()
      recover(`Another file stands at ${file}: Footman goes on with what is in that one,`, true)
      announce('replaced')
    },
  }

  /** True when a read that failed may be tried again. */
  function onFailure(error: unknown): boolean {
    if (isRepairing || !isDiskFailure(error)) return false
    if (isDamage(error)) return repair(error)
    fail(error)
    return false
  }

  function fail(error: unknown): void {
    enter(after(state, 'failed', failureOf(file, error), now()))
  }

  /** Enters the state after a failure or a check. */
  function enter(next: State): void {
    const [before, outage] = [outageOf(state), outageOf(next)]
    state = next
    if (outage === null || outage === before) return
    log.error(`STORAGE: ${outage.reason}. ${GOES_ON}`)
    deps.onState?.(shown(state, notes.recent))
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
    log.warn(`STORAGE: ${text}`, 'recovered')
    if (isNotable(lost, lasted)) notes.add(db, text, lost ?? false)
    deps.onState?.(shown(state, notes.recent))
  }

  /** Opens the file anew, and replaces it when that does not help. True when the database can be used again. */
  function repair(error: unknown): boolean {
    isRepairing = true
    enter(after(state, 'failed', failureOf(file, error, 'damaged'), now()))
    try {
      const isOther = inUse.repair(error)
      recover(`${file} can be used again`, null)
      if (isOther) announce('replaced')
      return true
    } catch (failure) {
      log.error(`STORAGE: ${file} cannot be replaced yet: ${errorText(failure)}`)
      return false
    } finally {
      isRepairing = false
    }
  }

  function announce(how: Replacement): void {
    const isOther = how === 'replaced' && settings.startsAnew
    if (isOther) db.refuseWrites(new StorageError(`${file} is another one; Footman starts anew`))
    deps.onReplaced?.(how)
  }

  async function look(): Promise<void> {
    log.flush()
    state = after(state, 'look', {}, now())
    try {
      const found = await inUse.look()
      if (stopped) return
      const seen = atPath(state, found, { gone: failureOf(file, null, 'gone'), graceMs, now: now() })
      enter(seen.state)
      // Writes to a removed file would be lost.
      if (found.is !== 'ours') db.refuseWrites(new StorageError(`${file} has disappeared`))
      await actions[seen.action]()
    } catch (error) {
      fail(error)
    }
  }

  function makeAnew(): void {
    const isRescued = inUse.makeAnew()
    const what = isRescued ? 'with all that it held' : 'and empty: what it held is lost'
    recover(`${file} was not put back and is made anew ${what}`, !isRescued)
    announce(isRescued ? 'rescued' : 'replaced')
  }

  /** Not a recurring job: the pace depends on the state of the storage. */
  function schedule(): void {
    clearTimeout(timer)
    if (stopped) return
    timer = setTimeout(() => void look().finally(schedule), delayOf(state, everyMs))
    timer.unref?.()
  }

  return {
    db,
    guard: {
      get state() {
        return shown(state, notes.recent)
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
        log.flush(true)
      },
      suspect() {
        if (isRepairing || state.name !== 'up' || seemsSound(db)) return
        repair(new DamageError('the check of its content failed'))
      },
    },
  }
}

/** A disk may fail in turns in several ways, or for a moment at a time: each line comes once, then once a minute with its number. */
function createStorageLog({ log, now }: Pick<GuardDeps, 'log' | 'now'>) {
  interface Line {
    readonly level: 'error' | 'warn'
    readonly text: string
  }
  const repeats = createRepeats<Line>(now, (count, { level, text }) =>
    log[level](count > 1 ? `${text} (${count} times within a minute)` : text),
  )
  return {
    error: (text: string) => repeats.note(text, { level: 'error', text }),
    /** `key`: lines with it are of one kind. */
    warn: (text: string, key = text) => repeats.note(key, { level: 'warn', text }),
    flush: repeats.flush,
  }
}

function failureOf(file: string, error: unknown, kind = failureKind(error)): Failure {
  const reason = failureText(kind, { file, detail: errorText(error) })
  return { kind, reason, isConsequence: error instanceof StorageError }
}

/** Like `isSound`, but true when the check itself fails, because `onFailure` has handled the damage then. */
function seemsSound(db: FileDatabase): boolean {
  try {
    return isSound(db)
  } catch {
    return true
  }
}
