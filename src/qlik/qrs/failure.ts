/** The meaning of errors of the QRS client for its callers. */

import { nodeHttp } from '../../platform/builtins.ts'
import { errorText } from '../../platform/errors.ts'
import { QrsError, type QrsErrorKind } from './errors.ts'
import type { QrsObserver } from './transport.ts'

const LOST: readonly QrsErrorKind[] = ['unreachable', 'timeout', 'aborted']

/** True when QRS accepted the connection and did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof QrsError && error.kind === 'timeout'
}

/** True when QRS cannot be reached or does not answer; false for an error that QRS answered. */
export function isLost(error: unknown): boolean {
  return error instanceof QrsError && LOST.includes(error.kind)
}

const DOWN_STATUSES: readonly (number | null)[] = [502, 503, 504]

/** True when the error concerns QRS as a whole, so that only waiting helps. */
export function isDown(error: unknown): boolean {
  return isLost(error) || (error instanceof QrsError && DOWN_STATUSES.includes(error.status))
}

/** Statuses of definite answers: QRS would answer the same request in the same way again. */
const DEFINITE_STATUSES: readonly number[] = [400, 403, 404, 405, 410, 501]

/** Such as `404 Not Found` for a definite answer, with the missing right for a 403; null for errors that may pass. */
export function definiteAnswer(error: unknown): string | null {
  const isDefinite = error instanceof QrsError && DEFINITE_STATUSES.includes(error.status ?? 0)
  return isDefinite ? statusAnswer(error) : null
}

/** Such as `500 Internal Server Error`, also for answers that may pass; null for an error without one. */
export function statusAnswer(error: unknown): string | null {
  if (!(error instanceof QrsError) || error.kind !== 'status' || error.status === null) return null
  return [`${error.status} ${nodeHttp().STATUS_CODES[error.status]}`, error.missingRight].filter(Boolean).join(': ')
}

/** For `catch`: null when QRS does not have the requested entity; every other error is thrown again. */
export function nullWhenAbsent(error: unknown): null {
  if (error instanceof QrsError && error.kind === 'status' && error.status !== 403 && definiteAnswer(error)) return null
  throw error
}

/** The reason in a few words, for answers: without the request that failed, which is in the log. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof QrsError)) return errorText(error)
  if (error.status !== null && error.kind === 'status') {
    return [`QRS answered ${error.status}`, error.missingRight].filter(Boolean).join(': ')
  }
  return /\berror: ([^\n]*)/.exec(error.message)?.[1]?.split(', body: ', 1)[0] ?? error.message
}

// Rights that QRS denies at the moment: it answers, so that it is not away, but not what Footman asks for.

export interface Refusals {
  readonly observe: QrsObserver
  /** One for each missing right, such as `QRS answered 403: the user ... needs a security rule ... to read App_*`. */
  reasons(): readonly string[]
}

/** A right counts as missing from a 403 until a request that needs the same right is answered. Only reading counts. */
export function createRefusals(): Refusals {
  const missing = new Map<string, string>()
  return {
    observe(_result, _milliseconds, { right, isRead, error }) {
      if (error === null) missing.delete(right)
      else if (error.status === 403 && isRead) missing.set(right, reasonOf(error))
      else if (isLost(error) && error.kind !== 'aborted') missing.clear()
    },
    reasons: () => [...missing.values()],
  }
}
