/**
 * A lane whose peer cannot be reached: instead of one attempt per waiting delivery a single probe goes out per back-off
 * interval. The first sign of life lets everything leave.
 */
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'

export interface Breaker {
  /** True while only probes are allowed. */
  readonly isOpen: boolean
  /** When the next probe may start, milliseconds since 1970; 0 = whenever. */
  readonly probeAt: number
  /** The peer could not be reached at all. */
  failed(now: number): void
  /** The peer has answered, whatever it said. */
  answered(): void
}

/** So many failures in a row, of whichever deliveries, mean that the peer is down. */
const OPENS_AFTER = 5

export function createBreaker(retry: BackoffSettings): Breaker {
  let failures = 0
  let probeAt = 0
  return {
    get isOpen() {
      return failures >= OPENS_AFTER
    },
    get probeAt() {
      return failures >= OPENS_AFTER ? probeAt : 0
    },
    failed(now) {
      failures += 1
      if (failures >= OPENS_AFTER) probeAt = now + backoffDelay(failures - OPENS_AFTER + 1, retry)
    },
    answered() {
      failures = 0
      probeAt = 0
    },
  }
}
