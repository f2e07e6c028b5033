/** Counts per sender in fixed windows of one minute, so that one sender cannot use up what another one may send. */

const WINDOW_MS = 60_000
/** Sender addresses can be forged: only so many are remembered. A forgotten sender begins a new window. */
const MAX_SENDERS = 1000

export interface SenderRates {
  /** Takes one place of the sender; false when its window is full. */
  take(sender: string, now: number): boolean
}

interface Window {
  readonly openedAt: number
  used: number
}

/** A window opens with the first message after the last window of the same sender has ended. */
export function createSenderRates(maxPerMinute: number): SenderRates {
  /** Those opened last come last. */
  const windows = new Map<string, Window>()

  function open(sender: string, now: number): Window {
    const window = { openedAt: now, used: 0 }
    windows.delete(sender)
    windows.set(sender, window)
    const oldest = windows.size > MAX_SENDERS ? windows.keys().next().value : undefined
    if (oldest !== undefined) windows.delete(oldest)
    return window
  }

  // A clock that was set back opens a new window too.
  const isOver = ({ openedAt }: Window, now: number) => now < openedAt || now - openedAt >= WINDOW_MS

  return {
    take(sender, now) {
      const known = windows.get(sender)
      const window = known && !isOver(known, now) ? known : open(sender, now)
      window.used += 1
      return window.used <= maxPerMinute
    },
  }
}
