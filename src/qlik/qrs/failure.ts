/** What the errors of the QRS client mean for whoever asked. */
import { STATUS_CODES } from 'node:http'
import { QrsError, type QrsErrorKind } from './errors.ts'

const LOST: readonly QrsErrorKind[] = ['unreachable', 'timeout', 'aborted']

/** QRS accepted the connection and then stayed silent. */
export function isTimeout(error: unknown): boolean {
  return error instanceof QrsError && error.kind === 'timeout'
}

/** QRS cannot be reached any more, or is silent; an error answer of QRS is not meant. */
export function isLost(error: unknown): boolean {
  return error instanceof QrsError && LOST.includes(error.kind)
}

const DOWN_STATUSES: readonly (number | null)[] = [502, 503, 504]

/** Waiting for QRS to come back is all that can be done; other errors concern a single question. */
export function isDown(error: unknown): boolean {
  return isLost(error) || (error instanceof QrsError && DOWN_STATUSES.includes(error.status))
}

/** Statuses with which QRS settles a question: asked again, it would answer the same. */
const DEFINITE_STATUSES: readonly number[] = [400, 403, 404, 405, 410, 501]

/** `403 Forbidden` when QRS has answered for good; null for errors that may pass. */
export function definiteAnswer(error: unknown): string | null {
  if (!(error instanceof QrsError) || error.kind !== 'status' || error.status === null) return null
  return DEFINITE_STATUSES.includes(error.status) ? `${error.status} ${STATUS_CODES[error.status]}` : null
}

/** For `catch`: null when QRS says that it does not have what was asked for; every other error is thrown again. */
export function nullWhenAbsent(error: unknown): null {
  if (error instanceof QrsError && error.kind === 'status' && error.status !== 403 && definiteAnswer(error)) return null
  throw error
}

/** The reason in a few words, for answers: without the request that failed, which is in the log. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof QrsError)) return error instanceof Error ? error.message : String(error)
  if (error.status !== null && error.kind === 'status') return `QRS answered ${error.status}`
  return /\berror: (.*?)(?:, body: .*)?$/.exec(error.message)?.[1] ?? error.message
}
