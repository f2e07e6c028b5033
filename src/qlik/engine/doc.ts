import { EngineError, QIX } from './errors.ts'
import type { EngineObject, EngineSession } from './types.ts'

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

/** Makes the result of a reload last. */
export async function saveDoc(doc: EngineObject): Promise<void> {
  await doc.call('DoSave', [], { timeoutMs: SAVE_TIMEOUT_MS })
}
