/** The app of a session: opens it, and turns failures of the engine into those of report tasks. */
import { openDoc } from '../../qlik/engine/doc.ts'
import { EngineError, isRejected, QIX } from '../../qlik/engine/errors.ts'
import type { CallOptions, EngineObject, EngineSession } from '../../qlik/engine/types.ts'
import { ReportError } from '../codes.ts'
import { type Cell, EvaluationError } from '../types.ts'

export type Json = Readonly<Record<string, unknown>>

export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
export const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const asText = (value: unknown): string => (typeof value === 'string' ? value : '')

/** At most so many cells in one answer. */
export const MAX_CELLS = 10_000

/** A cell of a cube, a list or a value, as the engine writes it. `isNull`: as the engine says; absent where it does not, and null is `-` without a number. */
export function cellOf(text: unknown, number: unknown, isNull?: boolean): Cell {
  const finite = typeof number === 'number' && Number.isFinite(number) ? number : null
  const missing = isNull ?? (text === '-' && finite === null)
  return missing ? { text: '', number: null } : { text: asText(text), number: finite }
}

/** Codes of rejected calls that another attempt may pass. */
const TRANSIENT = [QIX.ABORTED, QIX.CONNECTION_LOST, QIX.SERVER_BUSY]

/**
 * `ENGINE_UNREACHABLE` when another session may succeed, `EvaluationError` when the engine refuses this one call. Errors
 * of an aborted signal stay as they are.
 */
export function failureOf(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.kind === 'aborted') return error
  if (error.kind !== 'rejected' || isRejected(error, ...TRANSIENT)) {
    return new ReportError('ENGINE_UNREACHABLE', error.message, { cause: error })
  }
  return new EvaluationError(`${error.reason} (engine error ${error.code})`, { cause: error })
}

/** The code with which the engine rejected a call; null for other failures. */
export const rejectionCode = (error: unknown): number | null =>
  error instanceof EvaluationError && error.cause instanceof EngineError ? error.cause.code : null

/** The same handle, with a limit for each call and the failures of `failureOf`. */
function reporting(object: EngineObject, timeoutMs: number): EngineObject {
  const limited = (options?: CallOptions): CallOptions => ({ timeoutMs, ...options })
  return {
    handle: object.handle,
    call: (method, params, options) => mapped(object.call(method, params, limited(options))),
    value: (member, method, params, options) => mapped(object.value(member, method, params, limited(options))),
    async child(method, params, options) {
      const child = await mapped(object.child(method, params, limited(options)))
      return child && reporting(child, timeoutMs)
    },
  }
}

async function mapped<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw failureOf(error)
  }
}

export interface OpenApp {
  readonly doc: EngineObject
  readonly id: string
  readonly name: string
  readonly lastReload: Date | null
  /** Makes an object of the session; `type` names its kind in the engine's logs. Destroy it with `destroy(id)`. */
  create(type: string, properties: Json): Promise<{ readonly id: string; readonly object: EngineObject }>
  /** Never rejects: what the engine still keeps ends with the session. */
  destroy(id: string): Promise<void>
}

/** Opens the app with its data. Rejects with `APP_NOT_FOUND`, `APP_ACCESS_DENIED`, `APP_NO_DATA`, `ENGINE_UNREACHABLE`. */
export async function openApp(session: EngineSession, appId: string, callTimeoutMs: number): Promise<OpenApp> {
  const doc = reporting(await openedDoc(session, appId), callTimeoutMs)
  const layout = asObject(await doc.value('qLayout', 'GetAppLayout'))
  const name = asText(layout.qTitle) || appId
  if (layout.qHasData === false) throw new ReportError('APP_NO_DATA', `the app "${name}" (${appId}) holds no data`)
  const reloaded = Date.parse(asText(layout.qLastReloadTime))
  let objects = 0
  return {
    doc,
    id: appId,
    name,
    lastReload: Number.isNaN(reloaded) ? null : new Date(reloaded),
    async create(type, properties) {
      const id = `${type}-${++objects}`
      const object = await doc.child('CreateSessionObject', [{ qInfo: { qId: id, qType: type }, ...properties }])
      if (!object) throw new EvaluationError(`the engine made no object of the type ${type}`)
      return { id, object }
    },
    async destroy(id) {
      await doc.call('DestroySessionObject', [id]).catch(() => undefined)
    },
  }
}

async function openedDoc(session: EngineSession, appId: string): Promise<EngineObject> {
  try {
    return await openDoc(session, appId, false)
  } catch (error) {
    if (isRejected(error, QIX.APP_NOT_FOUND)) {
      const details = `Qlik Sense has no app with the id ${appId} of the report; the QMC and the address of an open app show the id`
      throw new ReportError('APP_NOT_FOUND', details, { cause: error })
    }
    if (isRejected(error, QIX.ACCESS_DENIED)) {
      throw new ReportError('APP_ACCESS_DENIED', `${appId}: the user of this session may not open it`, { cause: error })
    }
    const failure = failureOf(error)
    throw failure instanceof EvaluationError
      ? new ReportError('ENGINE_UNREACHABLE', `OpenDoc ${appId}: ${failure.message}`, { cause: error })
      : failure
  }
}
