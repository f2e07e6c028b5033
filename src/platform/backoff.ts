/** Exponential back-off with jitter, for all retries. */

export interface BackoffSettings {
  /** Delay before the first retry, in milliseconds. */
  readonly firstMs: number
  /** No delay is longer than this, jitter aside. */
  readonly maxMs: number
  /** 0.2 spreads each delay by up to 20 % in both directions; default 0.2. */
  readonly jitter?: number
}

/**
 * The delay before retry number `retry` (1 = the first one): `firstMs` doubled each time up to `maxMs`, then spread by
 * the jitter, so that waiting callers do not all retry at the same time.
 */
export function backoffDelay(retry: number, settings: BackoffSettings, random: () => number = Math.random): number {
  const doublings = Math.min(Math.max(retry, 1) - 1, 40)
  const delay = Math.min(settings.firstMs * 2 ** doublings, settings.maxMs)
  const spread = settings.jitter ?? 0.2
  return Math.round(delay * (1 + spread * (2 * random() - 1)))
}
