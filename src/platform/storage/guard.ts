/**
 * Keeps a database usable while its disk or its file is not: tells once what is wrong, looks for the end of it, brings
 * back a file that has disappeared, and replaces one that is damaged. Those who use the database notice failed writes at
 * most, which pass.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { backoffDelay } from '../backoff.ts'
import { DamageError, type FileDatabase, isDamage, isStorageFailure, openDatabase, StorageError } from '../sqlite.ts'
import { copyTo, isSound, proveWrite, refuseNewer, seemsSound } from './checks.ts'
import { type FileIdentity, identityNow, identityOf, isEmptied, proveRoom, proveWritable, setAside } from './files.ts'
import { keepLayout } from './layout.ts'
import { addNote, latestNote, type StorageNote, storageMigrations } from './note.ts'
import { reasonOf, spanOf, type Trouble, troubleOf, troubleText } from './texts.ts'
import type { GuardDeps, GuardedDatabase, GuardSettings, StorageState } from './types.ts'

export type { GuardDeps, GuardedDatabase, GuardSettings, Replacement, StorageGuard, StorageState } from './types.ts'

const EVERY_MS = 2000
const GRACE_MS = 10_000
const RETRY = { firstMs: 1000, maxMs: 10_000, jitter: 0 }
const NOTE_MS = 3_600_000
/** An outage at least this long is worth a note. */
const LONG_OUTAGE_MS = 60_000
/** A disk that damages file after file is not given more of them. */
const MAX_REPLACEMENTS = 3

interface Outage {
  readonly trouble: Trouble
  readonly since: number
  readonly reason: string
}

/** Opens the database; a damaged file is replaced at once. Throws what SQLite says when neither can be done. */
export function openGuarded(deps: GuardDeps, settings: GuardSettings): GuardedDatabase {
  const { log, now } = deps
  const { file, everyMs = EVERY_MS, graceMs = GRACE_MS } = settings
  const options = { ...settings, migrations: [...(settings.migrations ?? []), ...storageMigrations] }
  let outage: Outage | null = null
  let inUse: FileIdentity | null = null
  let candidate: string | null = null
  let note: StorageNote | null = null
  let replacements: number[] = []
  let looks = 0
  let mending = false
  /** Its layout has not been kept yet. */
  let isNew = true
  /** Nothing may be written, as it would go where nobody finds it. */
  let isMissing = false
  /** Since when nothing at all stands at the path. */
  let emptySince: number | null = null
  let stopped = true
  let timer: ReturnType<typeof setTimeout> | undefined

  const db = openOrReplace()
  note = latestNote(db)
  inUse = identityNow(file)

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
      tookOver(opened, aside, error)
      return opened
    }
  }

  /** True when a read that failed may be tried again. */
  function onFailure(error: unknown): boolean {
    if (mending || !isStorageFailure(error)) return false
    if (isDamage(error)) return mend(error)
    goDown(troubleOf(error), error)
    return false
  }

  function goDown(trouble: Trouble, error: unknown): void {
    // That it was let go of says less than what made that necessary.
    if (outage && (outage.trouble === trouble || error instanceof StorageError)) return
    const reason = troubleText(trouble, { file, detail: reasonOf(error) })
    log.error(`STORAGE: ${reason}. Footman goes on by itself when that is done; until then nothing new can be stored`)
    outage = { trouble, reason, since: outage?.since ?? now() }
    looks = 0
    deps.onState?.(currentState())
    schedule()
  }

  function goUp(what: string, lost: boolean | null): void {
    if (outage === null) return
    const lasted = now() - outage.since
    const text = `${what} after ${spanOf(lasted)}. It was: ${outage.reason}.`
    outage = null
    isMissing = false
    emptySince = null
    db.refuseWrites(null)
    log.warn(`STORAGE: ${text}`)
    if (lost !== null || lasted >= LONG_OUTAGE_MS) remember(text, lost ?? false)
    deps.onState?.(currentState())
  }

  function remember(text: string, lost: boolean, into: FileDatabase = db): void {
    note = { at: now(), text, lost }
    try {
      addNote(into, note)
    } catch {
      // It stays in memory; what keeps it from the disk is told anyway.
    }
  }

  /** Opens the file anew, and replaces it when that does not help. True when the database can be used again. */
  function mend(error: unknown): boolean {
    mending = true
    isNew = true
    goDown('damaged', error)
    try {
      const wasSound = reopened()
      if (!wasSound) replace(error)
      goUp(`${file} can be used again`, null)
      if (!wasSound) isOther()
      return true
    } catch (failure) {
      log.error(`STORAGE: ${file} cannot be replaced yet: ${reasonOf(failure)}`)
      return false
    } finally {
      mending = false
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
    replacements = replacements.filter((at) => now() - at < NOTE_MS)
    if (replacements.length >= MAX_REPLACEMENTS) {
      throw new StorageError(`it was damaged ${MAX_REPLACEMENTS} times within an hour. Check the disk`)
    }
    replacements.push(now())
    db.close()
    const aside = setAside(file, now())
    db.reopen()
    tookOver(db, aside, error)
  }

  function tookOver(opened: FileDatabase, aside: string, error: unknown): void {
    const saved = settings.salvage(aside, opened)
    const text = `${file} was damaged (${reasonOf(error)}). It is kept as ${aside}, and a new one was started: ${saved}. Check the disk`
    log.error(`STORAGE: ${text}`)
    remember(text, true, opened)
  }

  function isOther(): void {
    if (settings.startsAnew) db.refuseWrites(new StorageError(`${file} is another one; Footman starts anew`))
    deps.onReplaced?.('replaced')
  }

  async function look(): Promise<void> {
    looks += 1
    try {
      const found = await identityOf(file)
      if (stopped) return
      inUse ??= found
      if (found === null || found.id !== inUse?.id) notOurs(isEmptied(file) ? null : found)
      else if (isMissing) goUp(`${file} is back`, null)
      else if (outage) await tryAgain(outage)
      else await keepCompanions()
    } catch (error) {
      goDown(troubleOf(error), error)
    }
  }

  /** Something else stands at the path, or nothing. */
  function notOurs(found: FileIdentity | null): void {
    const isNewlyEmpty = found === null && emptySince === null
    if (!isMissing || (isNewlyEmpty && outage?.trouble === 'newer')) goDown('gone', null)
    isMissing = true
    db.refuseWrites(new StorageError(`${file} has disappeared`))
    if (found === null) {
      candidate = null
      emptySince ??= now()
      if (now() - emptySince >= graceMs) bringBack()
      return
    }
    emptySince = null
    // Somebody may be copying it at this moment.
    if (candidate !== found.version) candidate = found.version
    else adopt()
  }

  /** On Linux a file that was removed can be read as long as it is open. */
  function bringBack(): void {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    deps.claimDirectory?.()
    const isRescued = rescued()
    isNew = true
    db.reopen()
    inUse = identityNow(file)
    const what = isRescued ? 'made anew with all that it held' : 'made anew and empty: what it held is lost'
    goUp(`${file} was not put back and is ${what}`, !isRescued)
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
      isNew = true
    } catch (error) {
      if (!isDamage(error)) throw error
      // What is open is better than that.
      setAside(file, now())
      bringBack()
      return
    }
    inUse = identityNow(file)
    goUp(`Another file stands at ${file}: Footman goes on with what is in that one,`, true)
    isOther()
  }

  async function tryAgain({ trouble }: Outage): Promise<void> {
    if (trouble === 'damaged') {
      mend(new DamageError('it could not be replaced before'))
      return
    }
    await proveRoom(dirname(file))
    if (trouble === 'failing' && looks > 1) db.reopen()
    proveWrite(db)
    goUp(`${file} can be written again`, null)
  }

  async function keepCompanions(): Promise<void> {
    await keepLog()
    if (!isNew || stopped) return
    isNew = false
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

  function schedule(): void {
    clearTimeout(timer)
    if (stopped) return
    const ms =
      outage === null ? everyMs : Math.min(backoffDelay(looks + 1, RETRY), Math.max(everyMs, RETRY.firstMs) * 5)
    timer = setTimeout(() => void look().finally(schedule), outage?.trouble === 'gone' ? Math.min(everyMs, ms) : ms)
    timer.unref?.()
  }

  function currentState(): StorageState {
    if (outage) return { state: 'down', reason: outage.reason }
    const recent = recentNote()
    return recent?.lost ? { state: 'degraded', reason: recent.text } : { state: 'up', reason: '' }
  }

  const recentNote = () => (note && now() - note.at < NOTE_MS ? note : null)

  return {
    db,
    guard: {
      get state() {
        return currentState()
      },
      get note() {
        return recentNote()
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
        if (mending || outage || seemsSound(db)) return
        mend(new DamageError('the check of its content failed'))
      },
    },
  }
}
