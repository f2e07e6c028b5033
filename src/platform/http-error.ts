/** Why an HTTP exchange brought no answer, in a form that callers can decide on and people can read. */

export type HttpErrorKind = 'refused' | 'timeout' | 'dns' | 'tls' | 'reset' | 'aborted' | 'tooLarge' | 'other'

/** `message` names host and port and never holds path, query or headers; the original error is the `cause`. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly kind: HttpErrorKind
  readonly host: string
  readonly port: number

  constructor(kind: HttpErrorKind, target: { host: string; port: number }, what: string, cause?: unknown) {
    super(`${target.host}:${target.port} ${what}`, { cause })
    this.kind = kind
    this.host = target.host
    this.port = target.port
  }
}

const KINDS: readonly (readonly [RegExp, HttpErrorKind, string])[] = [
  [/ERR_PROXY_TUNNEL/, 'refused', 'could not be reached: the proxy refused to connect to it'],
  [/ECONNREFUSED/, 'refused', 'refused the connection'],
  [/EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EHOSTDOWN/, 'refused', 'cannot be reached over the network'],
  [/ENOTFOUND|EAI_|getaddrinfo|failed to lookup address/i, 'dns', 'cannot be resolved to an address'],
  [/ETIMEDOUT/, 'timeout', 'did not accept the connection in time'],
  [
    /ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO|CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|certificate|ssl routines|handshake/i,
    'tls',
    'and this host could not agree on TLS',
  ],
  [
    /ECONNRESET|EPIPE|ECONNABORTED|socket hang up|aborted/i,
    'reset',
    'closed the connection before the answer was complete',
  ],
  [/HPE_/, 'other', 'did not answer in HTTP'],
]

/** Turns whatever `node:http` or `node:https` emitted into an `HttpError`. */
export function toHttpError(error: unknown, target: { host: string; port: number }): HttpError {
  if (error instanceof HttpError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const text = `${code ?? ''} ${message ?? error}`
  const known = KINDS.find(([pattern]) => pattern.test(text))
  if (known) return new HttpError(known[1], target, known[2], error)
  return new HttpError('other', target, 'could not be asked', error)
}
