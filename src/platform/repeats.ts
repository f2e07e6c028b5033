/** Log lines that come again and again: the first at once, then one a minute with their number. */

const MINUTE_MS = 60_000

export interface Repeats<T> {
  readonly size: number
  has(key: string): boolean
  /** Says the item when its key is new, and counts it otherwise. */
  note(key: string, item: T): void
  /** Says what was counted for a minute, in the order of the last times; call every few seconds, and with `all` at the end. */
  flush(all?: boolean): void
}

/** `say` gets the newest item of a key, and how often it came since it was said last. */
export function createRepeats<T>(now: () => number, say: (count: number, item: T) => void): Repeats<T> {
  const open = new Map<string, { since: number; count: number; last: T }>()

  return {
    get size() {
      return open.size
    },
    has: (key) => open.has(key),
    note(key, item) {
      const found = open.get(key)
      open.delete(key)
      open.set(key, { since: found?.since ?? now(), count: found ? found.count + 1 : 0, last: item })
      if (!found) say(1, item)
    },
    flush(all = false) {
      if (open.size === 0) return
      const at = now()
      for (const [key, entry] of [...open]) {
        // A clock that was set back ends the minute too.
        if (!all && at >= entry.since && at - entry.since < MINUTE_MS) continue
        if (entry.count === 0) {
          open.delete(key)
          continue
        }
        say(entry.count, entry.last)
        Object.assign(entry, { since: at, count: 0 })
      }
    },
  }
}
