/** Calls per client in fixed windows of a minute; a window starts with the client's first call. */
import { Refusal } from '../platform/http/errors.ts'
import type { Clock } from '../platform/types.ts'

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

/** Null when there is no limit (0). */
export function createRateLimit(clock: Clock, perMinute: number): ((client: string) => RateVerdict) | null {
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

/** 429 with `retry-after`. */
export function tooManyRequests({ headers, resetSeconds }: RateVerdict): Refusal {
  const time = resetSeconds === 60 ? '1 minute' : `${resetSeconds} second${resetSeconds === 1 ? '' : 's'}`
  return new Refusal(
    429,
    { statusCode: 429, error: 'Too Many Requests', message: `Rate limit exceeded, retry in ${time}` },
    { ...headers, 'retry-after': String(resetSeconds) },
  )
}
