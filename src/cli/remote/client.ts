/** Calls to the REST API of a running Footman. */
import { createHttpClient } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-error.ts'
import { EXIT } from '../io.ts'
import { CommandFailure } from './failure.ts'
import type { Place } from './place.ts'

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

export interface RemoteCall {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  /** Repeated with the same key, the call is carried out once. */
  readonly idempotencyKey?: string
  /** How long the answer may wait beyond the time-out. */
  readonly waitMs?: number
  /** The largest answer that is taken; default that of the HTTP client. */
  readonly maxBodyBytes?: number
  /** What to do about a 404 that says that there is no such endpoint; default about starting tasks. */
  readonly switchedOff?: string
  /** What the call is for, in errors. */
  readonly what: string
}

export interface RemoteAnswer {
  readonly status: number
  readonly text: string
}

export interface Remote {
  readonly url: string
  /**
   * Answers below 400, and 404 with one of these codes; everything else throws a `CommandFailure`. A call with an
   * idempotency key whose answer got lost is repeated.
   */
  call(call: RemoteCall, missing?: readonly string[]): Promise<RemoteAnswer>
  /** As `call`, but goes on asking while Footman is away for a moment. Only for what may be repeated. */
  insist(call: RemoteCall, missing?: readonly string[]): Promise<RemoteAnswer>
  close(): void
}

export interface RemoteSettings {
  /** Of one call. */
  readonly timeoutMs: number
  /** How long `insist` goes on while Footman cannot be reached; default a minute. */
  readonly insistMs?: number
  readonly pauseMs?: number
}

const PASSING = [429, 502, 503, 504]
const INSIST_MS = 60_000
const PAUSE_MS = 2000

export function createRemote({ url, key, isOwn }: Place, settings: RemoteSettings): Remote {
  const http = createHttpClient({ tls: { rejectUnauthorized: !isOwn } })
  const { timeoutMs, insistMs = INSIST_MS, pauseMs = PAUSE_MS } = settings

  function send(call: RemoteCall) {
    const { method = 'GET', path, query, body, idempotencyKey, waitMs = 0, maxBodyBytes } = call
    const headers = {
      accept: 'application/json',
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    }
    return http.request({
      ...{ method, url: `${url}${path}${queryText(query)}`, headers, timeoutMs: timeoutMs + waitMs },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    })
  }

  /** With `failure` when the call may be tried again. */
  async function attempt(
    call: RemoteCall,
    missing: readonly string[],
  ): Promise<{ readonly answer: RemoteAnswer } | { readonly failure: CommandFailure; readonly isLost: boolean }> {
    try {
      const response = await send(call)
      const answer = { status: response.status, text: response.text() }
      if (answer.status < 400 || (answer.status === 404 && missing.includes(codeOf(answer.text)))) return { answer }
      const failure = refused(call, answer)
      if (PASSING.includes(answer.status)) return { failure, isLost: false }
      throw failure
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      const why = `${error.message}; check that Footman runs there (--url, FOOTMAN_URL or -c)`
      const isLost = error.kind === 'timeout' || error.kind === 'reset'
      return { failure: new CommandFailure(EXIT.unreachable, call.what, why), isLost }
    }
  }

  async function insist(call: RemoteCall, missing: readonly string[] = []): Promise<RemoteAnswer> {
    const end = Date.now() + insistMs
    for (;;) {
      const result = await attempt(call, missing)
      if ('answer' in result) return result.answer
      if (Date.now() + pauseMs > end) throw result.failure
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  return {
    url,
    async call(call, missing = []) {
      const result = await attempt(call, missing)
      if ('answer' in result) return result.answer
      if (result.isLost && call.idempotencyKey !== undefined) return insist(call, missing)
      throw result.failure
    },
    insist,
    close: () => http.close(),
  }
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of [value].flat()) parameters.append(name, String(one))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

interface ErrorBody {
  readonly error?: unknown
  readonly details?: unknown
  readonly message?: unknown
  readonly code?: unknown
}

function refused({ what, switchedOff }: RemoteCall, { status, text }: RemoteAnswer): CommandFailure {
  const { error, details, message } = errorBody(text)
  const why = [error, details ?? message].filter((part) => typeof part === 'string').join(': ') || text.slice(0, 200)
  return new CommandFailure(
    status === 400 ? EXIT.badInput : EXIT.unreachable,
    what,
    `${why} (status ${status})${hint(status, switchedOff)}`,
    status,
  )
}

function hint(status: number, switchedOff = 'is Butler.restServerEndpointsEnable.senseStartTask true?'): string {
  if (status === 401 || status === 403) return '; give a key with --key or FOOTMAN_KEY that may do this'
  return status === 404 ? `; ${switchedOff}` : ''
}

const codeOf = (text: string): string => String(errorBody(text).code ?? '')

function errorBody(text: string): ErrorBody {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}
