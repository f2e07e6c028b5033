/** What the errors of the QRS client mean for a start request. */
import { QrsError, type QrsErrorKind } from '../qlik/qrs/errors.ts'

const LOST: readonly QrsErrorKind[] = ['unreachable', 'timeout', 'aborted']

/** QRS accepted the connection and then stayed silent. */
export function isTimeout(error: unknown): boolean {
  return error instanceof QrsError && error.kind === 'timeout'
}

/** QRS cannot be reached any more, or is silent; an error answer of QRS is not meant. */
export function isLost(error: unknown): boolean {
  return error instanceof QrsError && LOST.includes(error.kind)
}

/** The reason in a few words, for answers: without the request that failed, which is in the log. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof QrsError)) return error instanceof Error ? error.message : String(error)
  if (error.status !== null && error.kind === 'status') return `QRS answered ${error.status}`
  return /\berror: (.*?)(?:, body: .*)?$/.exec(error.message)?.[1] ?? error.message
}
