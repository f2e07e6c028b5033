/**
 * Keeps a database usable while its disk or its file is not: logs once what is wrong, looks for the end of it, brings
 * back a file that has disappeared, and replaces one that is damaged. The users of the database notice failed writes at
 * most, which pass. `states.ts` has the states; here is what is done in each.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DamageError, type FileDatabase, isDamage, isStorageFailure, openDatabase, StorageError } from '../sqlite.ts'
import { copyTo, isSound, proveWrite, refuseNewer, seemsSound } from './checks.ts'
import { type FileIdentity, identityNow, identityOf, isEmptied, proveRoom, proveWritable, setAside } from './files.ts'
import { keepLayout } from './layout.ts'
import { createNotes, storageMigrations } from './note.ts'
import { after, delayOf, type Failure, outageOf, type State } from './states.ts'
import { reasonOf, spanOf, troubleOf, troubleText } from './texts.ts'
import type { GuardDeps, GuardedDatabase, GuardSettings, StorageState } from './types.ts'

export type { GuardDeps, GuardedDatabase, GuardSettings, Replacement, StorageGuard, StorageState } from './types.ts'

const EVERY_MS = 2000
const GRACE_MS = 10_000
const HOUR_MS = 3_600_000
/** An outage at least this long is worth a note. */
const LONG_OUTAGE_MS = 60_000
/** Most replacements within an hour: a disk that damages file after file is not given more of them. */
const MAX_REPLACEMENTS = 3

/** Opens the database; a damaged file is replaced at once. Throws what SQLite says when neither can be done. */
export function openGuarded(deps: GuardDeps, settings: GuardSettings): GuardedDatabase {
  const { log, now } = deps
  const { file, everyMs = EVERY_MS, graceMs = GRACE_MS } = settings
  const options = { ...settings, migrations: [...(settings.migrations ?? []), ...storageMigrations] }
  const notes = createNotes(now)
  const replacements: number[] = []
  let state: State = { name: 'up' }
  let isMending = false
  let isLayoutKept = false
  let inUse: FileIdentity | null = null
  let stopped = true
  let timer: ReturnType<typeof setTimeout> | undefined

  const db = openOrReplace()
  notes.read(db)
  inUse = identityNow(file)

  /** What a look does when our file stands at its path. */
  const whenOurs: Readonly<Record<State['name'], () => void | Promise<void>>> = {
    up: keepCompanions,
    unwritable: tryAgain,
    damaged: () => void mend(new DamageError('it could not be replaced before')),
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
    if (isMending || !isStorageFailure(error)) return false
    if (isDamage(error)) return mend(error)
    fail(error)
    return false
  }

  function fail(error: unknown): void {
    enter(after(state, 'failed', failureOf(error), now()))
  }

  function failureOf(error: unknown, trouble = troubleOf(error)): Failure {
    const reason = troubleText(trouble, { file, detail: reasonOf(error) })
    return { trouble, reason, isConsequence: error instanceof StorageError }
  }

  /** Of a state that a failure or a look has led to. */
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

  /** `lost` = whether something may be missing now; null = the file is the same. */
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
  function mend(error: unknown): boolean {
    isMending = true
    isLayoutKept = false
    enter(after(state, 'failed', failureOf(error, 'damaged'), now()))
    try {
      const wasSound = reopened()
      if (!wasSound) replace(error)
      recover(`${file} can be used again`, null)
      if (!wasSound) isOther()
      return true
    } catch (failure) {
      log.error(`STORAGE: ${file} cannot be replaced yet: ${reasonOf(failure)}`)
      return false
    } finally {
      isMending = false
      inUse = identityNow(file)
    }
  }

  /** False when the file itself is damaged, not just what was read of it. */
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
    const text = `${file} was damaged (${reasonOf(error)}). It is kept as ${aside}, and a new one was started: ${saved}. Check the disk`
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

  /** Nothing stands at the path: after a while the file is made anew. */
  function miss(): void {
    enter(after(state, 'nothing', { gone: failureOf(null, 'gone') }, now()))
    refuseWrites()
    if (state.name === 'missing' && now() - state.emptySince >= graceMs) bringBack()
  }

  /** Another file stands at the path: it is used when nothing writes to it any more, as it may be a copy under way. */
  function meetOther({ version }: FileIdentity): void {
    const isStill = state.name === 'foreign' && state.version === version
    enter(after(state, 'other', { gone: failureOf(null, 'gone'), version }, now()))
    refuseWrites()
    if (isStill) adopt()
  }

  /** What is written to a file that has been removed is lost. */
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
      log.error(`STORAGE: ${file} cannot be rescued: ${reasonOf(error)}`)
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
      // What is open is better than that.
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
    if (state.name === 'unwritable' && state.outage.trouble === 'failing' && state.looks > 1) db.reopen()
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
        `STORAGE: ${reasonOf(error)}. ${file} is in use all the same; should it be damaged, less of it can be read`,
      )
    }
  }

  /** Without its log the file alone would be all that is left after a crash. */
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
        if (isMending || state.name !== 'up' || seemsSound(db)) return
        mend(new DamageError('the check of its content failed'))
      },
    },
  }
}
