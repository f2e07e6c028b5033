/** Requests to QRS: identity, xrfkey, addresses, retries of reads, and errors in QRS terms. */
import { randomBytes } from 'node:crypto'
import {
  createHttpClient,
  type HttpClient,
  type HttpClientSettings,
  type HttpResponse,
  type HttpRetry,
} from '../../platform/http-client.ts'
import type { Logger } from '../../platform/types.ts'
import { isRead, type QrsCall, QrsError, type QrsErrorKind, rightFor, toQrsError } from './errors.ts'

/** PEM texts. */
export interface QrsCertificates {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** The connection to a service of the site: repository or engine. */
export interface SiteConnection {
  readonly host: string
  readonly port: number
  readonly useSSL: boolean
  /** Sent with every request or handshake; one of them is `X-Qlik-User`. */
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly rejectUnauthorized: boolean
  /**
   * Asked before each request or session, so that renewed files are used at once (the function must return the same object
   * while nothing changed); null while the files cannot be read. Not used without SSL.
   */
  readonly certificates: QrsCertificates | (() => QrsCertificates | null)
}

export interface QrsSettings extends SiteConnection {
  /** For each request, quick retries included. Default 30,000. */
  readonly timeoutMs?: number
  /** Connections to QRS at the same time. Default 10. */
  readonly maxSockets?: number
}

export interface QrsRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/qrs/`, for example `task/full`; its parts are already safe (GUIDs, fixed words). */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Every other status rejects. Default 200. */
  readonly expected?: readonly number[]
  /** Not to be repeated, although it is a GET. */
  readonly noRetry?: boolean
  readonly signal?: AbortSignal
}

export interface QrsTransport {
  /** Rejects with a `QrsError` unless the status is expected. */
  request(request: QrsRequest): Promise<HttpResponse>
  /** The same, with the answer read as JSON. */
  json(request: QrsRequest): Promise<{ readonly status: number; readonly value: unknown }>
  /** The answer as a JSON list; rejects with kind `shape` when it is anything else. */
  list(request: QrsRequest): Promise<readonly unknown[]>
  /** An error about an answer to this request that cannot be used. */
  unusable(request: QrsRequest, reason: string): QrsError
  close(): void
}

/** A request to QRS that has ended. */
export interface AskedRight {
  /** The right that it needs, as text. */
  readonly right: string
  readonly isRead: boolean
  /** Null when it was answered. */
  readonly error: QrsError | null
}

/** Called after every request: `ok`, or why it failed. */
export type QrsObserver = (result: 'ok' | QrsErrorKind, milliseconds: number, asked: AskedRight) => void

/** Two quick retries: enough for a service that restarts its worker, short enough for a caller that waits. */
const READ_RETRY: HttpRetry = { attempts: 3, firstMs: 150, maxMs: 600 }

const askedRight = (call: QrsCall, error: QrsError | null): AskedRight => ({
  right: rightFor(call),
  isRead: isRead(call),
  error,
})

/** `createClient` is replaced in tests. */
export function createQrsTransport(
  deps: { log: Logger; createClient?: (settings: HttpClientSettings) => HttpClient; observe?: QrsObserver },
  settings: QrsSettings,
): QrsTransport {
  const createClient = deps.createClient ?? createHttpClient
  const base = `${settings.useSSL ? 'https' : 'http'}://${bracketed(settings.host)}:${settings.port}/qrs/`
  let current: { certificates: QrsCertificates | null; http: HttpClient } | null = null

  function client(call: QrsCall): HttpClient {
    const certificates = settings.useSSL ? certificatesOf(settings) : null
    if (settings.useSSL && !certificates) {
      throw new QrsError('unreachable', call, { reason: 'the client certificates cannot be read' })
    }
    if (current && current.certificates === certificates) return current.http
    // Requests under way keep their connections until they are done.
    if (current) setTimeout(current.http.close, (settings.timeoutMs ?? 30_000) + 1000).unref()
    current = { certificates, http: createClient(httpSettings(settings, certificates)) }
    return current.http
  }

  function describe(request: QrsRequest): QrsCall {
    const query = Object.entries(request.query ?? {}).map(([name, value]) => `${name}=${value}`)
    return {
      endpoint: query.length > 0 ? `${request.path}?${query.join('&')}` : request.path,
      host: settings.host,
      port: settings.port,
      method: request.method ?? 'GET',
      expectedStatus: request.expected ?? [200],
    }
  }

  async function request(asked: QrsRequest): Promise<HttpResponse> {
    const call = describe(asked)
    const key = xrfkey()
    const query = new URLSearchParams({ ...asked.query, xrfkey: key }).toString().replaceAll('+', '%20')
    const started = performance.now()
    let response: HttpResponse
    try {
      response = await client(call).request({
        method: call.method,
        url: `${base}${asked.path}?${query}`,
        headers: headersOf(settings, key),
        body: asked.body === undefined ? undefined : JSON.stringify(asked.body),
        signal: asked.signal,
        ...(call.method === 'GET' && !asked.noRetry ? { retry: READ_RETRY } : {}),
      })
    } catch (error) {
      const failure = toQrsError(call, error)
      deps.observe?.(failure.kind, performance.now() - started, askedRight(call, failure))
      throw failure
    }
    const elapsed = Math.round(performance.now() - started)
    deps.log.debug(`QRS: ${call.method} ${call.endpoint} answered ${response.status} after ${elapsed} ms`)
    const isExpected = call.expectedStatus.includes(response.status)
    const error = isExpected ? null : new QrsError('status', call, { status: response.status, body: response.text() })
    deps.observe?.(error?.kind ?? 'ok', elapsed, askedRight(call, error))
    if (error) throw error
    return response
  }

  async function json(asked: QrsRequest): Promise<{ readonly status: number; readonly value: unknown }> {
    const response = await request(asked)
    const text = response.text()
    try {
      const value: unknown = JSON.parse(text)
      return { status: response.status, value }
    } catch (cause) {
      throw new QrsError('notJson', describe(asked), { status: response.status, body: text, cause })
    }
  }

  const unusable = (asked: QrsRequest, reason: string) => new QrsError('shape', describe(asked), { reason })

  return {
    request,
    json,
    async list(asked) {
      const { value } = await json(asked)
      if (!Array.isArray(value)) throw unusable(asked, 'a list was expected')
      return value
    },
    unusable,
    close() {
      current?.http.close()
      current = null
    },
  }
}

function certificatesOf(settings: QrsSettings): QrsCertificates | null {
  return typeof settings.certificates === 'function' ? settings.certificates() : settings.certificates
}

function httpSettings(settings: QrsSettings, certificates: QrsCertificates | null): HttpClientSettings {
  return {
    maxSockets: settings.maxSockets ?? 10,
    timeoutMs: settings.timeoutMs ?? 30_000,
    ...(certificates ? { tls: { ...certificates, rejectUnauthorized: settings.rejectUnauthorized } } : {}),
  }
}

function headersOf(settings: QrsSettings, key: string): Record<string, string> {
  const own = { Accept: 'application/json', 'Content-Type': 'application/json', 'X-Qlik-Xrfkey': key }
  const taken = new Set(Object.keys(own).map((name) => name.toLowerCase()))
  const configured = settings.headers.filter(({ name }) => !taken.has(name.toLowerCase()))
  return { ...own, ...Object.fromEntries(configured.map(({ name, value }) => [name, value])) }
}

const ALPHANUMERICS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** 16 characters that go into the query and a header; QRS compares the two. Not a secret. */
function xrfkey(): string {
  return Array.from(randomBytes(16), (byte) => ALPHANUMERICS[byte % ALPHANUMERICS.length]).join('')
}

const bracketed = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
