/** Engine failures as answers of the REST API. */
import { type Refusal, refused } from '../http/endpoint/errors.ts'
import { EngineError, isRejected, QIX } from '../qlik/engine/errors.ts'

/** What the engine answers to `OpenDoc` for an id that no app of this user has. */
const NO_SUCH_APP = [QIX.APP_NOT_FOUND, QIX.NOT_FOUND, QIX.INVALID_PARAMETERS, QIX.EMPTY_PARAMETERS]

/** 504 for an engine that accepts and stays silent, 502 for any other failure of it; null for what is not its fault. */
export function engineRefusal(error: unknown, message: string): Refusal | null {
  if (!(error instanceof EngineError)) return null
  return refused(error.kind === 'timeout' ? 504 : 502, message, error.message)
}

/** The same for `OpenDoc`: 422 when the engine does not open this app. */
export function openRefusal(error: unknown, message: string): Refusal | null {
  if (isRejected(error, ...NO_SUCH_APP)) return refused(422, message, 'App not found')
  if (error instanceof EngineError && error.kind === 'rejected' && error.code !== QIX.SERVER_BUSY) {
    return refused(422, message, `The app cannot be opened: ${error.reason}`)
  }
  return engineRefusal(error, message)
}
