/** Opens, reloads and saves an app. */
import { setTimeout as delay } from 'node:timers/promises'
import { EngineError, isRejected, QIX } from './errors.ts'
import type { EngineObject, EngineSession } from './types.ts'

export interface ReloadSettings {
  /** 0 default, 1 stop at the first script error, 2 ignore script errors. */
  readonly mode: 0 | 1 | 2
  readonly partial: boolean
  /** Milliseconds between two requests for the progress. Default 2,000. */
  readonly pollMs?: number
  /** An engine that does not answer a request for the progress within so many milliseconds counts as lost. Default 10 minutes. */
  readonly silenceMs?: number
  /** Called with the progress since the last call, only when there is any. */
  readonly onProgress?: (progress: ReloadProgress) => void
}

interface ReloadProgress {
  /** Lines that are final: tables with their number of rows, errors. */
  readonly lines: readonly string[]
  /** The current step; the next one replaces it. */
  readonly current: string
  readonly errors: readonly string[]
}

export interface ReloadResult {
  readonly success: boolean
  /** Why the script failed, as far as the engine says; null after success. */
  readonly error: string | null
  /** Path on the engine's server; null when the engine does not say. */
  readonly scriptLogFile: string | null
}

/** Large apps are read from disk into memory when they are opened. */
const OPEN_TIMEOUT_MS = 15 * 60_000
/** Large apps take a while to be written. */
const SAVE_TIMEOUT_MS = 30 * 60_000

/** Opens an app, with or without its data; rejects with `rejected` when the engine does not open it. */
export async function openDoc(session: EngineSession, appId: string, noData: boolean): Promise<EngineObject> {
  const doc = await session.global.child('OpenDoc', [appId, '', '', '', noData], { timeoutMs: OPEN_TIMEOUT_MS })
  if (doc) return doc
  throw new EngineError('rejected', `${session.where} OpenDoc`, 'App not found', { code: QIX.APP_NOT_FOUND })
}

/** `12.2027.0`. */
export async function engineVersion(session: EngineSession): Promise<string> {
  const version = await session.global.value('qVersion', 'EngineVersion')
  return String((version as { readonly qComponentVersion?: unknown } | null)?.qComponentVersion ?? 'unknown')
}

/** Writes the app to disk, with the result of a reload. */
export async function saveDoc(doc: EngineObject): Promise<void> {
  await doc.call('DoSave', [], { timeoutMs: SAVE_TIMEOUT_MS })
}

const POLL_MS = 2000
const SILENCE_MS = 10 * 60_000
/** Limit of the last request for the progress, which delays the save of a finished reload. */
const LAST_WORDS_MS = 5000
const MAX_ERRORS = 100
const NO_LIMIT = { timeoutMs: 0 }

/**
 * Resolves when the script has ended, well or not; nothing is saved. Rejects with an `EngineError` when the engine
 * refuses to reload (`rejected`, code 11000 while another reload of the app runs) or is lost.
 */
export async function reloadDoc(
  session: EngineSession,
  doc: EngineObject,
  settings: ReloadSettings,
): Promise<ReloadResult> {
  await configure(session)
  const errors: string[] = []
  const follow = async (timeoutMs: number) => {
    const progress = await readProgress(session, timeoutMs)
    errors.push(...progress.errors.slice(0, MAX_ERRORS - errors.length))
    if (progress.lines.length + progress.errors.length > 0 || progress.current !== '') settings.onProgress?.(progress)
  }
  const outcome = await followed(startReload(doc, settings), follow, settings)
  // The engine reports the last lines, the error among them, only now.
  await follow(LAST_WORDS_MS).catch(() => undefined)
  const { success, scriptLogFile, failures } = outcome
  if (success) return { success, error: null, scriptLogFile }
  const reasons = errors.length > 0 ? errors : failures
  const error = reasons.length > 0 ? reasons.join('\n') : 'The script failed; its log says more.'
  return { success, error, scriptLogFile }
}

/** Asks for errors as data, and for a reload that never waits for a user. */
async function configure(session: EngineSession): Promise<void> {
  try {
    await session.global.call('ConfigureReload', [true, true, false])
  } catch (error) {
    if (!isRejected(error)) throw error
  }
}

interface RawOutcome {
  readonly success: boolean
  readonly scriptLogFile: string | null
  readonly failures: readonly string[]
}

async function startReload(doc: EngineObject, { mode, partial }: ReloadSettings): Promise<RawOutcome> {
  try {
    // Members that older engines do not know are left out.
    const parameters = { qMode: mode, qPartial: partial, qDebug: false }
    const result = record(await doc.value('qResult', 'DoReloadEx', [parameters], NO_LIMIT))
    const file = result.qScriptLogFile
    return {
      success: result.qSuccess === true,
      scriptLogFile: typeof file === 'string' && file !== '' ? file : null,
      failures: texts(record(result.qFailureData).qErrors),
    }
  } catch (error) {
    if (!isRejected(error, QIX.METHOD_NOT_FOUND)) throw error
    const success = await doc.value('qReturn', 'DoReload', [mode, partial], NO_LIMIT)
    return { success: success === true, scriptLogFile: null, failures: [] }
  }
}

/** The outcome of the reload, with its progress followed meanwhile. */
function followed(
  reload: Promise<RawOutcome>,
  follow: (timeoutMs: number) => Promise<void>,
  { pollMs = POLL_MS, silenceMs = SILENCE_MS }: ReloadSettings,
): Promise<RawOutcome> {
  const over = new AbortController()
  const outcome = reload.finally(() => over.abort())

  async function untilSilent(): Promise<RawOutcome> {
    while (!over.signal.aborted) {
      await delay(pollMs, undefined, { signal: over.signal }).catch(() => undefined)
      if (!over.signal.aborted) await follow(silenceMs).catch(throwSilence)
    }
    return outcome
  }

  return Promise.race([outcome, untilSilent()])
}

/** Only a timeout is thrown: engines may refuse to report their progress, and a lost connection ends the reload itself. */
function throwSilence(error: unknown): void {
  if (error instanceof EngineError && error.kind === 'timeout') throw error
}

async function readProgress(session: EngineSession, timeoutMs: number): Promise<ReloadProgress> {
  const progress = record(await session.global.value('qProgressData', 'GetProgress', [0], { timeoutMs }))
  const errorData = Array.isArray(progress.qErrorData) ? progress.qErrorData : []
  return {
    lines: text(progress.qPersistentProgress).split(/\r?\n/).filter(Boolean),
    current: text(progress.qTransientProgress).trim(),
    errors: errorData.map((one) => text(record(one).qErrorString).trim()).filter(Boolean),
  }
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.map((one) => (typeof one === 'string' ? one : text(record(one).qErrorString))).filter(Boolean)
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
