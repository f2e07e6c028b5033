/**
 * Outgoing HTTP over `node:http` and `node:https` with one keep-alive pool per client. Requests that may be repeated
 * share the pool; a POST gets its own connection, because a request that fails on a reused connection may have been carried
 * out.
 */
import type * as http from 'node:http'
import type * as https from 'node:https'
import type { LookupFunction } from 'node:net'
import { backoffDelay } from './backoff.ts'
import { nodeHttp, nodeHttps } from './builtins.ts'
import { type Exchange, exchange, HttpError, type HttpResponse } from './http-exchange.ts'

export type { HttpResponse }

export interface HttpClientSettings {
  /** Connections kept and used at the same time per host; more requests wait. Default 10. */
  readonly maxSockets?: number
  /** Default true. */
  readonly keepAlive?: boolean
  /** A connection unused for this long is closed. Default 15,000. */
  readonly idleTimeoutMs?: number
  /** PEM texts for TLS; `servername` replaces the host in SNI and in the check of the server's name. */
  readonly tls?: {
    readonly ca?: string | readonly string[]
    readonly cert?: string
    readonly key?: string
    readonly rejectUnauthorized?: boolean
    readonly servername?: string
  }
  /** Default for `HttpRequest.timeoutMs`: 30,000. */
  readonly timeoutMs?: number
  /** Time for name, connection and TLS handshake; default 10,000, never more than the request's own time. */
  readonly connectTimeoutMs?: number
  /**
   * Go through the proxies that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of this environment name (in capitals or
   * not; user and password may stand in the address). Absent = never.
   */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>
}

export interface HttpRetry {
  /** All attempts, the first one included. */
  readonly attempts: number
  readonly firstMs: number
  readonly maxMs: number
  /** Answers that are worth another attempt. Default 429, 502, 503, 504. */
  readonly statuses?: readonly number[]
}

export interface HttpRequest {
  readonly method?: string
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** The whole request settles within this time, retries and redirects included. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Default 64 MiB; a larger answer rejects with kind `tooLarge`. */
  readonly maxBodyBytes?: number
  /**
   * A 2xx status is an answer even without a complete body: a body that stalls for two seconds, breaks off or is too large
   * is returned truncated.
   */
  readonly statusSuffices?: boolean
  /** Only for requests that may be carried out twice. */
  readonly retry?: HttpRetry
  /**
   * True when the caller sends the request again after a reset anyway: it may use an idle connection, and goes out on a new
   * one at once when the server has closed that. Default: what the method allows.
   */
  readonly repeatable?: boolean
  /** Redirects to follow; default 0 hands back the 3xx answer. */
  readonly redirects?: number
  /** Gives the addresses of the host; default those of the system. A proxy looks names up itself. */
  readonly lookup?: LookupFunction
}

/** Limits where a request to an address may connect to. Rejects with the `HttpError` of one that may not be made at all. */
export type ConnectionGuard = (url: string) => Promise<Pick<HttpRequest, 'lookup'>>

export interface HttpClient {
  /** Resolves with any status; rejects with `HttpError` only when there is no complete answer. */
  request(request: HttpRequest): Promise<HttpResponse>
  /** Closes idle connections; requests in progress end with kind `aborted` or `reset`. */
  close(): void
}

const DEFAULT_RETRY_STATUSES = [429, 502, 503, 504]
const REPEATABLE = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
const MAX_BODY_BYTES = 64 * 1024 * 1024

/** `random` and `sleep` are replaced in tests. */
export function createHttpClient(
  settings: HttpClientSettings = {},
  deps: { random?: () => number; sleep?: (ms: number, signal?: AbortSignal) => Promise<void> } = {},
): HttpClient {
  const sleep = deps.sleep ?? sleepFor
  const pools = new Map<string, http.Agent>()

  /** One agent per scheme and kind, made when first needed. */
  function agentFor(secure: boolean, reuse: boolean): http.Agent {
    const name = `${secure} ${reuse}`
    const known = pools.get(name)
    if (known) return known
    const options = {
      keepAlive: reuse,
      maxSockets: settings.maxSockets ?? 10,
      maxFreeSockets: settings.maxSockets ?? 10,
      scheduling: 'lifo' as const,
      timeout: settings.idleTimeoutMs ?? 15_000,
      ...(settings.proxyEnv ? { proxyEnv: proxyVariables(settings.proxyEnv) } : {}),
    }
    const { Agent } = nodeHttp()
    const agent = secure ? new (nodeHttps().Agent)({ ...options, ...tlsOptions(settings.tls) }) : new Agent(options)
    pools.set(name, agent)
    return agent
  }

  function once(request: HttpRequest, url: URL, deadline: number): Promise<HttpResponse> {
    const method = request.method ?? 'GET'
    const secure = url.protocol === 'https:'
    const repeatable = request.repeatable ?? (request.retry !== undefined || REPEATABLE.includes(method))
    const call: Exchange = {
      method,
      url,
      headers: request.headers ?? {},
      body: request.body,
      agent: agentFor(secure, repeatable && settings.keepAlive !== false),
      servername: settings.tls?.servername,
      connectTimeoutMs: settings.connectTimeoutMs ?? 10_000,
      timeoutMs: deadline - Date.now(),
      maxBodyBytes: request.maxBodyBytes ?? MAX_BODY_BYTES,
      statusSuffices: request.statusSuffices ?? false,
      signal: request.signal,
      lookup: request.lookup,
    }
    return exchange(call).catch((error: HttpError & { stale?: boolean }) => {
      // The server closed the idle connection before it got the request: send it again.
      if (repeatable && error.stale) return exchange({ ...call, timeoutMs: deadline - Date.now() })
      throw error
    })
  }

  async function withRetries(request: HttpRequest, url: URL, deadline: number): Promise<HttpResponse> {
    const retry = request.retry
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await once(request, url, deadline).catch((error: HttpError) => error)
      const wait = retry && attempt < retry.attempts ? waitBefore(outcome, attempt, retry, deps.random) : null
      if (wait === null || Date.now() + wait >= deadline) {
        if (outcome instanceof HttpError) throw outcome
        return outcome
      }
      await sleep(wait, request.signal)
    }
  }

  return {
    async request(request) {
      const deadline = Date.now() + (request.timeoutMs ?? settings.timeoutMs ?? 30_000)
      let current = request
      let url = parseUrl(request.url)
      for (let left = request.redirects ?? 0; ; left -= 1) {
        const response = await withRetries(current, url, deadline)
        const next = left > 0 ? redirectTarget(response, url) : null
        if (!next) return response
        current = afterRedirect(current, response.status, next.origin === url.origin)
        url = next
      }
    },
    close() {
      for (const agent of pools.values()) agent.destroy()
      pools.clear()
    },
  }
}

const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']

/** Leaves out unusable addresses, which the runtimes treat differently. */
function proxyVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found = PROXY_VARIABLES.map((name) => [name, env[name.toLowerCase()] || env[name] || ''] as const)
  return Object.fromEntries(
    found.filter(([name, value]) => value !== '' && (name === 'NO_PROXY' || /^https?:\/\/./i.test(value))),
  )
}

function tlsOptions(tls: HttpClientSettings['tls']): https.AgentOptions {
  if (!tls) return {}
  const ca = typeof tls.ca === 'string' || tls.ca === undefined ? tls.ca : [...tls.ca]
  return { ca, cert: tls.cert, key: tls.key, rejectUnauthorized: tls.rejectUnauthorized ?? true }
}

function parseUrl(url: string | URL): URL {
  const parsed = new URL(url)
  if (parsed.protocol === 'http:' || parsed.protocol === 'https:') return parsed
  throw new TypeError(`only http and https addresses can be asked, not ${parsed.protocol}`)
}

/** Milliseconds to wait before another attempt; null when this outcome is final. */
function waitBefore(
  outcome: HttpResponse | HttpError,
  attempt: number,
  retry: HttpRetry,
  random?: () => number,
): number | null {
  const delay = backoffDelay(attempt, retry, random)
  if (outcome instanceof HttpError) return ['aborted', 'tooLarge', 'tls'].includes(outcome.kind) ? null : delay
  if (!(retry.statuses ?? DEFAULT_RETRY_STATUSES).includes(outcome.status)) return null
  return Math.max(delay, parseRetryAfter(outcome.headers['retry-after'], Date.now()) ?? 0)
}

/** A `Retry-After` header (seconds or a date) to milliseconds from `now`; null when absent or unreadable. */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  const text = value?.trim()
  if (!text) return null
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000)
  const date = Date.parse(text)
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

function redirectTarget(response: HttpResponse, from: URL): URL | null {
  const location = response.headers.location
  if (![301, 302, 303, 307, 308].includes(response.status) || !location) return null
  return URL.canParse(location, from.href) ? parseUrl(new URL(location, from)) : null
}

const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key']

/** 307 and 308 repeat the request; the others go on with GET. Credentials never leave the origin. */
function afterRedirect(request: HttpRequest, status: number, sameOrigin: boolean): HttpRequest {
  const repeat = status === 307 || status === 308 || ['GET', 'HEAD'].includes(request.method ?? 'GET')
  const dropped = [...(sameOrigin ? [] : CREDENTIALS), ...(repeat ? [] : ['content-type', 'content-length'])]
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).filter(([name]) => !dropped.includes(name.toLowerCase())),
  )
  return repeat ? { ...request, headers } : { ...request, headers, method: 'GET', body: undefined }
}

function sleepFor(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
    if (signal?.aborted) done()
  })
}

/** The members of a JSON answer; empty when the body is not a JSON object. */
export function jsonOf(response: HttpResponse): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(response.text())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
