/**
 * Keeps to the number of messages that a service takes per minute, so that it refuses none. An infinite number is no limit:
 * only the pauses that the service asks for count.
 */
import type { Clock } from '../../platform/types.ts'

export interface Pacing {
  /** Milliseconds until the next message may leave; 0 = now, and it counts as sent. */
  take(key: string, perMinute: number): number
  /** True when a message may leave now. */
  isFree(key: string, perMinute: number): boolean
  /** The service has asked for a pause. */
  hold(key: string, ms: number): void
  /** Calls once when a message may leave again. */
  whenFree(key: string, perMinute: number, listener: () => void): void
}

const MINUTE_MS = 60_000

interface Pace {
  /** When the messages of the last minute left. */
  sent: number[]
  heldUntil: number
}

/** One for all destinations, as two of them may use the same account. */
export function createPacing(clock: Clock): Pacing {
  const paces = new Map<string, Pace>()

  function paceOf(key: string): Pace {
    const known = paces.get(key)
    if (known) return known
    const pace = { sent: [], heldUntil: 0 }
    paces.set(key, pace)
    return pace
  }

  function wait(key: string, perMinute: number): number {
    const pace = paceOf(key)
    const now = clock.now()
    const held = Math.max(pace.heldUntil - now, 0)
    if (perMinute === Number.POSITIVE_INFINITY) return held
    // A clock that was set back must not delay messages for hours.
    pace.sent = pace.sent.filter((at) => at > now - MINUTE_MS && at <= now)
    const oldest = pace.sent.length < perMinute ? 0 : pace.sent[pace.sent.length - perMinute]! + MINUTE_MS
    return Math.max(oldest - now, held)
  }

  return {
    take(key, perMinute) {
      const ms = wait(key, perMinute)
      if (ms === 0 && perMinute !== Number.POSITIVE_INFINITY) paceOf(key).sent.push(clock.now())
      return ms
    },
    isFree: (key, perMinute) => wait(key, perMinute) === 0,
    hold(key, ms) {
      const pace = paceOf(key)
      pace.heldUntil = Math.max(pace.heldUntil, clock.now() + ms)
    },
    whenFree(key, perMinute, listener) {
      setTimeout(listener, wait(key, perMinute)).unref()
    },
  }
}
