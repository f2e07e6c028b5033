/** Why QRS gave no usable answer. */
import { errorText } from '../../platform/errors.ts'
import { HttpError } from '../../platform/http-exchange.ts'

export type QrsErrorKind =
  /** No connection, TLS failure, connection cut, certificates not readable. */
  | 'unreachable'
  | 'timeout'
  /** The caller's signal ended the request. */
  | 'aborted'
  /** Another status than the ones expected; `status` says which. */
  | 'status'
  /** JSON was expected: an HTML page of a proxy, a truncated answer. */
  | 'notJson'
  /** JSON, but not of the form that was asked for. */
  | 'shape'

/** The request; `endpoint` is readable (not percent-encoded) and without the xrfkey. */
export interface QrsCall {
  readonly endpoint: string
  readonly host: string
  readonly port: number
  readonly method: string
  readonly expectedStatus: readonly number[]
}

const MAX_BODY = 200

/** The message is one line: `endpoint: about, host: qs, port: 4242, method: GET, expectedStatus: 200, status: 500, body: ...`. */
export class QrsError extends Error {
  override readonly name = 'QrsError'
  readonly kind: QrsErrorKind
  readonly status: number | null
  /** At most 200 characters of what QRS answered. */
  readonly body: string

  constructor(
    kind: QrsErrorKind,
    call: QrsCall,
    detail: { status?: number; body?: string; reason?: string; cause?: unknown },
  ) {
    const body = (detail.body ?? '').slice(0, MAX_BODY)
    super(describe(call, { ...detail, body }), { cause: detail.cause })
    this.kind = kind
    this.status = detail.status ?? null
    this.body = body
  }
}

function describe(call: QrsCall, detail: { status?: number; body: string; reason?: string }): string {
  const parts: (readonly [string, string | number])[] = [
    ['endpoint', call.endpoint],
    ['host', call.host],
    ['port', call.port],
    ['method', call.method],
    ['expectedStatus', call.expectedStatus.join(' or ')],
  ]
  if (detail.status !== undefined) parts.push(['status', detail.status])
  if (detail.reason) parts.push(['error', detail.reason])
  if (detail.body) parts.push(['body', detail.body.replace(/\s+/g, ' ')])
  return parts.map(([name, value]) => `${name}: ${value}`).join(', ')
}

/** Turns what the HTTP client rejects with into a `QrsError`. */
export function toQrsError(call: QrsCall, error: unknown): QrsError {
  if (error instanceof QrsError) return error
  const reason = errorText(error)
  return new QrsError(kindOf(error), call, { reason, cause: error instanceof Error ? error.cause : undefined })
}

function kindOf(error: unknown): QrsErrorKind {
  if (!(error instanceof HttpError)) return 'unreachable'
  if (error.kind === 'timeout' || error.kind === 'aborted') return error.kind
  return error.kind === 'tooLarge' ? 'shape' : 'unreachable'
}
