/** Why the engine gave no usable answer. */

export type EngineErrorKind =
  /** No connection, TLS failure, certificates not readable. */
  | 'unreachable'
  /** The connection or a call got no answer in time. */
  | 'timeout'
  /** Something answered, but opened no session: another HTTP status, an error state, a request to log in. */
  | 'refused'
  /** The engine answered a call with an error; `code` says which. */
  | 'rejected'
  /** The connection ended while an answer was due. */
  | 'closed'
  /** An answer that is not of the form that was asked for. */
  | 'invalid'
  /** The caller's signal ended it. */
  | 'aborted'

/** Error codes of QIX that callers distinguish. */
export const QIX = {
  NOT_FOUND: 2,
  ACCESS_DENIED: 5,
  INVALID_PARAMETERS: 8,
  EMPTY_PARAMETERS: 9,
  ABORTED: 15,
  CONNECTION_LOST: 16,
  APP_NOT_FOUND: 1003,
  SERVER_BUSY: 5006,
  PAGES_TOO_LARGE: 7009,
  RELOAD_IN_PROGRESS: 11_000,
  METHOD_NOT_FOUND: -32_601,
} as const

export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly kind: EngineErrorKind
  /** QIX code of a rejected call, else null. */
  readonly code: number | null
  /** The engine's own words, or the reason, without host and method. */
  readonly reason: string

  /** `where` is what was being done: `qs.example.com:4747 OpenDoc`. */
  constructor(
    kind: EngineErrorKind,
    where: string,
    reason: string,
    detail: { readonly code?: number; readonly cause?: unknown } = {},
  ) {
    const code = detail.code === undefined ? '' : ` (engine error ${detail.code})`
    super(`engine ${where}: ${reason}${code}`, { cause: detail.cause })
    this.kind = kind
    this.code = detail.code ?? null
    this.reason = reason
  }
}

/** True for a call that the engine answered with an error, with one of these codes if any are given. */
export function isRejected(error: unknown, ...codes: readonly number[]): boolean {
  if (!(error instanceof EngineError) || error.kind !== 'rejected') return false
  return codes.length === 0 || codes.some((code) => code === error.code)
}
