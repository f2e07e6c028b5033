/** A fixed window of one minute, opened by the first message after the last one expired. */

const WINDOW_MS = 60_000

export interface RateWindow {
  /** Takes one place; false when the window is full. */
  take(now: number): boolean
}

export function createRateWindow(maxPerMinute: number): RateWindow {
  let openedAt = Number.NEGATIVE_INFINITY
  let used = 0
  return {
    take(now) {
      // A clock that was set back opens a new window too.
      if (now < openedAt || now - openedAt >= WINDOW_MS) {
        openedAt = now
        used = 0
      }
      used += 1
      return used <= maxPerMinute
    },
  }
}
