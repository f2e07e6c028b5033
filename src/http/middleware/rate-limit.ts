/**
 * How much a client may ask for: calls in fixed windows of a minute, which start with the client's first call, and calls at
 * a time.
 */

import { limitedClient } from '../../platform/addresses.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { type Middleware, withAnswer } from '../context.ts'
import { Refusal, refusal } from '../errors.ts'

export interface RateVerdict {
  readonly allowed: boolean
  /** The three `x-ratelimit-*` headers. */
  readonly headers: Readonly<Record<string, string>>
  /** Seconds until the window ends, at least 1. */
  readonly resetSeconds: number
}

const WINDOW_MS = 60_000
/** Above this many clients, finished windows are cleared away. */
const SWEEP_AT = 10_000

/** Counts a call of a client. */
export type RateLimit = (client: string) => RateVerdict

/** Null when there is no limit (0). */
export function createRateLimit(clock: Clock, perMinute: number): RateLimit | null {
  if (perMinute === 0) return null
  const windows = new Map<string, { until: number; used: number }>()
  const limit = String(perMinute)

  return (client) => {
    const now = clock.now()
    let window = windows.get(client)
    if (!window || now >= window.until) {
      if (windows.size >= SWEEP_AT) sweep(windows, now)
      window = { until: now + WINDOW_MS, used: 0 }
      windows.set(client, window)
    }
    window.used += 1
    const resetSeconds = Math.ceil((window.until - now) / 1000)
    const headers = {
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': String(Math.max(0, perMinute - window.used)),
      'x-ratelimit-reset': String(resetSeconds),
    }
    return { allowed: window.used <= perMinute, headers, resetSeconds }
  }
}

function sweep(windows: Map<string, { until: number }>, now: number): void {
  for (const [client, { until }] of windows) if (now >= until) windows.delete(client)
}

/** Counts the call, and puts what is left on the answer. Wrong credentials count on every endpoint. */
export function rateLimit(limit: RateLimit, log: Logger): Middleware {
  return (c, next) => {
    const { env } = c
    const { route, identity } = env
    // The page has been counted.
    if (env.isChecked || (route?.limited === false && !identity.refusal)) return next(c)
    const verdict = limit(identity.bucket ?? limitedClient(env.client))
    if (!verdict.allowed) {
      const { client, method, shownUrl: url } = env
      log.warn(`API: Rate limit exceeded for source IP address ${client}. Method=${method}, endpoint=${url}`)
      throw tooManyRequests(verdict)
    }
    return withAnswer(next(c), (response) => {
      for (const name in verdict.headers) response.headers.set(name, verdict.headers[name]!)
      return response
    })
  }
}

/** 429 with `retry-after`. */
export function tooManyRequests({ headers, resetSeconds }: RateVerdict): Refusal {
  const time = resetSeconds === 60 ? '1 minute' : `${resetSeconds} second${resetSeconds === 1 ? '' : 's'}`
  return new Refusal(
    429,
    { statusCode: 429, error: 'Too Many Requests', message: `Rate limit exceeded, retry in ${time}` },
    { ...headers, 'retry-after': String(resetSeconds) },
  )
}

/** Refuses requests of an address that has `max` requests under way. Those that are answered at once do not count. */
export function requestsAtATime(max: number, warn: (address: string, what: string) => void): Middleware {
  const running = new Map<string, number>()
  const full = new Set<string>()

  function change(client: string, by: 1 | -1): void {
    const next = (running.get(client) ?? 0) + by
    if (next > 0) running.set(client, next)
    else running.delete(client)
    if (next >= max) full.add(client)
    else full.delete(client)
  }

  return (c, next) => {
    const { env } = c
    if (env.isChecked) return next(c)
    // The address is read only when there is such a client.
    if (full.size > 0 && full.has(limitedClient(env.client))) {
      warn(env.client, 'requests under way')
      throw tooManyAtATime(max)
    }
    const answer = next(c)
    if (!(answer instanceof Promise)) return answer
    const client = limitedClient(env.client)
    change(client, 1)
    const leave = () => change(client, -1)
    answer.then(leave, leave)
    return answer
  }
}

/** 429 with `retry-after`. */
function tooManyAtATime(max: number): Refusal {
  const details = `This address has ${max} requests under way, as many as Butler.footman.api.connectionsPerAddress allows. Wait for an answer first.`
  return refusal('RATE_LIMITED', details, {}, { 'retry-after': '1' })
}

/** Warns about refused connections and requests of an address, once a minute, with their number. */
export function createCrowdWarning(log: Logger, clock: Clock, max: number): (address: string, what: string) => void {
  let nextAt = 0
  let refused = 0
  return (address, what) => {
    refused += 1
    const now = clock.now()
    if (now < nextAt) return
    nextAt = now + WINDOW_MS
    log.warn(
      `API: ${address} has ${max} ${what} and more are refused (Butler.footman.api.connectionsPerAddress); ${refused} refused since the last such line`,
    )
    refused = 0
  }
}
