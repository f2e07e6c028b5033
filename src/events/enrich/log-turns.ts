/**
 * Which events ask for their script log. Of events whose messages share a rate limit the first one asks; those behind it
 * wait until it is decided, as most of them are suppressed then.
 */
import { setTimeout } from 'node:timers/promises'
import type { LogUse } from '../event-router.ts'

interface LogTurns {
  /** Whether the event `seq` has to ask. `look` is called again when an event before it is decided. */
  wanted(seq: number, look: () => LogUse, signal: AbortSignal): Promise<boolean>
  /** The event is decided, or goes on waiting: those behind it need not wait for it. */
  over(seq: number): void
}

interface Turn {
  readonly seq: number
  readonly over: PromiseWithResolvers<void>
}

/** After this time an event asks by itself. */
const PATIENCE_MS = 5000

export function createLogTurns(): LogTurns {
  /** By key of a rate limit. */
  const turns = new Map<string, Turn>()
  const held = new Map<number, { readonly turn: Turn; readonly keys: readonly string[] }>()

  function take(seq: number, keys: readonly string[]): void {
    const turn: Turn = { seq, over: Promise.withResolvers() }
    const free = keys.filter((key) => !turns.has(key))
    for (const key of free) turns.set(key, turn)
    held.set(seq, { turn, keys: free })
  }

  /** An event before this one that is about to take the place; none where one of the places is free. */
  function ahead(seq: number, keys: readonly string[]): Turn | undefined {
    const others = keys.map((key) => turns.get(key))
    return others.every((turn) => turn !== undefined && turn.seq < seq) ? others[0] : undefined
  }

  function over(seq: number): void {
    const mine = held.get(seq)
    if (!mine) return
    held.delete(seq)
    for (const key of mine.keys) turns.delete(key)
    mine.turn.over.resolve()
  }

  return {
    over,
    async wanted(seq, look, signal) {
      over(seq)
      const until = performance.now() + PATIENCE_MS
      for (;;) {
        const use = look()
        if (typeof use === 'string') return use === 'messages'
        const turn = ahead(seq, use)
        const left = until - performance.now()
        if (!turn || left <= 0) {
          take(seq, use)
          return true
        }
        const patience = new AbortController()
        const cut = AbortSignal.any([signal, patience.signal])
        try {
          await Promise.race([turn.over.promise, setTimeout(left, undefined, { signal: cut })])
        } finally {
          patience.abort()
        }
      }
    },
  }
}
