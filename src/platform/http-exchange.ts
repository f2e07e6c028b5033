/** One HTTP request and its answer; every failure becomes an `HttpError`. */
import type * as http from 'node:http'
import type * as https from 'node:https'
import type { LookupFunction } from 'node:net'
import { nodeHttp, nodeHttps } from './builtins.ts'

export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly agent: http.Agent
  readonly servername?: string
  readonly connectTimeoutMs: number
  /** For all of it: waiting for a free connection, connecting, sending, reading. */
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly statusSuffices?: boolean
  readonly signal?: AbortSignal
  readonly lookup?: LookupFunction | undefined
}

export interface HttpResponse {
  readonly status: number
  /** Lower-case names; repeated headers joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The body is incomplete; only with `statusSuffices`. */
  readonly truncated?: true
  /** The body as UTF-8, without a byte-order mark. */
  text(): string
}

/** Time for the body of an answer whose status suffices. */
const BODY_GRACE_MS = 2000

/** Rejects with an `HttpError`, marked `stale: true` when a reused connection turned out to be dead. */
export function exchange(call: Exchange): Promise<HttpResponse> {
  const target = targetOf(call.url)
  return new Promise((resolve, reject) => {
    if (call.signal?.aborted) {
      reject(new HttpError('aborted', target, 'was not asked: the request was cancelled', call.signal.reason))
      return
    }
    let answer: http.IncomingMessage | null = null
    const chunks: Uint8Array[] = []
    const fail = (error: unknown) => {
      finish()
      if (answer && call.statusSuffices && isSuccess(answer)) {
        resolve({ ...toResponse(answer, Buffer.concat(chunks)), truncated: true })
        request.destroy()
        return
      }
      const httpError = toHttpError(error, target)
      const stale = httpError.kind === 'reset' && request.reusedSocket && !answer
      reject(stale ? Object.assign(httpError, { stale: true }) : httpError)
      request.destroy()
    }
    const timeout = (what: string) => fail(new HttpError('timeout', target, what))
    const total = setTimeout(() => timeout(`did not answer within ${call.timeoutMs} ms`), Math.max(call.timeoutMs, 0))
    const cancel = () => fail(new HttpError('aborted', target, 'was asked in vain: the request was cancelled'))
    let connecting: ReturnType<typeof setTimeout> | undefined
    let grace: ReturnType<typeof setTimeout> | undefined
    const finish = () => {
      clearTimeout(total)
      clearTimeout(connecting)
      clearTimeout(grace)
      call.signal?.removeEventListener('abort', cancel)
    }
    call.signal?.addEventListener('abort', cancel)

    let request: http.ClientRequest
    try {
      request = open(call)
    } catch (error) {
      // Node refuses headers or paths that cannot be sent.
      finish()
      reject(new HttpError('other', target, 'was not asked: the request cannot be sent', error))
      return
    }
    // Stays for the whole life of the request, so that late errors are never unhandled.
    request.on('error', fail)
    request.on('socket', (socket) => {
      if (!socket.connecting) return
      const limit = Math.min(call.connectTimeoutMs, call.timeoutMs)
      connecting = setTimeout(() => timeout(`did not accept the connection within ${limit} ms`), limit)
      socket.once(call.url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(connecting))
    })
    request.on('response', (message) => {
      answer = message
      clearTimeout(connecting)
      if (call.statusSuffices && isSuccess(message)) {
        grace = setTimeout(() => timeout(`did not end its answer within ${BODY_GRACE_MS} ms`), BODY_GRACE_MS)
      }
      readBody(message, chunks, call.maxBodyBytes, target).then(() => {
        finish()
        resolve(toResponse(message, Buffer.concat(chunks)))
      }, fail)
    })
    request.end(call.body)
  })
}

function open(call: Exchange): http.ClientRequest {
  const { url } = call
  const options: https.RequestOptions = {
    method: call.method,
    // A literal IPv6 address stands in brackets in a URL only.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: targetOf(url).port,
    path: `${url.pathname}${url.search}`,
    headers: { ...basicCredentials(url), ...lengthOf(call), ...call.headers },
    agent: call.agent,
    ...(call.lookup && { lookup: call.lookup }),
  }
  if (url.protocol === 'http:') return nodeHttp().request(options)
  return nodeHttps().request(call.servername === undefined ? options : { ...options, servername: call.servername })
}

function lengthOf(call: Exchange): Record<string, string> {
  if (call.body === undefined) return ['POST', 'PUT', 'PATCH'].includes(call.method) ? { 'content-length': '0' } : {}
  return { 'content-length': String(Buffer.byteLength(call.body)) }
}

function basicCredentials(url: URL): Record<string, string> {
  if (!url.username && !url.password) return {}
  const text = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}

const isSuccess = ({ statusCode = 0 }: http.IncomingMessage) => statusCode >= 200 && statusCode < 300

/** Adds what comes to `chunks`. */
function readBody(message: http.IncomingMessage, chunks: Uint8Array[], limit: number, target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    let size = 0
    message.on('data', (chunk: Uint8Array) => {
      size += chunk.length
      if (size > limit) reject(new HttpError('tooLarge', target, `answered with more than ${limit} bytes`))
      else chunks.push(chunk)
    })
    message.on('end', resolve)
    message.on('error', reject)
    // Covers a connection that ended in the middle of the body without an error of its own.
    message.on('close', () => {
      if (!message.complete) reject(Object.assign(new Error('connection closed early'), { code: 'ECONNRESET' }))
    })
  })
}

function toResponse(message: http.IncomingMessage, body: Uint8Array): HttpResponse {
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )
  return {
    status: message.statusCode ?? 0,
    headers,
    body,
    text: () => new TextDecoder().decode(body),
  }
}

interface Target {
  readonly host: string
  readonly port: number
}

const targetOf = (url: URL): Target => ({
  host: url.hostname,
  port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
})

type HttpErrorKind = 'closed' | 'refused' | 'timeout' | 'dns' | 'tls' | 'reset' | 'aborted' | 'tooLarge' | 'other'

/**
 * Why an exchange got no answer. `message` names host and port and never contains path, query or headers; the original error
 * is the `cause`.
 */
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

/** Classifies an error of `node:http` or `node:https`. */
export function toHttpError(error: unknown, target: { host: string; port: number }): HttpError {
  if (error instanceof HttpError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const text = `${code ?? ''} ${message ?? error}`
  const known = KINDS.find(([pattern]) => pattern.test(text))
  if (known) return new HttpError(known[1], target, known[2], error)
  return new HttpError('other', target, 'could not be asked', error)
}
