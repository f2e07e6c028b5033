/**
 * One lane of the outbox: the deliveries that share a peer. Runs a bounded number at a time, oldest first, and keeps
 * deliveries with the same order key in sequence. Lanes know nothing of each other, so a dead peer slows nobody else.
 */
import type { Database } from '../../platform/sqlite.ts'
import { type DueDelivery, dueDeliveries, dueHeads, headOfOrder, nextDueAt } from './store.ts'

export interface LaneDeps {
  readonly db: Database
  readonly now: () => number
  /** False while sending is pointless. */
  readonly ready: (destination: string) => boolean
  /** Resolves when the delivery has its new state on disk. */
  readonly run: (delivery: DueDelivery) => Promise<void>
}

export interface Lane {
  wake(): void
  /** Takes nothing more; resolves when what runs has ended. */
  stop(): Promise<void>
  readonly running: number
}

const PAGE = 200
const MAX_TIMER_MS = 2 ** 31 - 1
/** Pause after a delivery whose state could not be stored. */
const TROUBLE_MS = 1000

export function createLane(deps: LaneDeps, name: string, concurrency: number): Lane {
  const running = new Map<number, Promise<void>>()
  /** Due and free to leave; of an order key only its head is ever in here. */
  let queue: DueDelivery[] = []
  let exhausted = false
  let lookedAt = 0
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function pump(): void {
    while (!stopped && running.size < concurrency) {
      const next = takeNext()
      if (!next) return
      begin(next)
    }
  }

  function takeNext(): DueDelivery | undefined {
    if (queue.length === 0 && !exhausted) fill()
    const index = queue.findIndex(({ destination }) => deps.ready(destination))
    if (index >= 0) return queue.splice(index, 1)[0]
    schedule()
    return undefined
  }

  /** Reads the next page: the head of every order key, then what knows no order. */
  function fill(): void {
    lookedAt = deps.now()
    const heads = dueHeads(deps.db, name, lookedAt)
    const free = dueDeliveries(deps.db, name, lookedAt, PAGE + running.size)
    queue = [...heads, ...free].filter((delivery) => !running.has(delivery.seq))
    exhausted = queue.length === 0
  }

  /** Wakes up for what becomes due after the last look; what waits for a destination is woken by that. */
  function schedule(): void {
    clearTimeout(timer)
    if (stopped || queue.length > 0) return
    const at = nextDueAt(deps.db, name, lookedAt)
    if (at !== null) timer = setTimeout(wake, Math.min(Math.max(at - deps.now(), 0), MAX_TIMER_MS))
  }

  function begin(delivery: DueDelivery): void {
    const done = deps.run(delivery).then(
      () => leave(delivery),
      () => {
        setTimeout(() => leave(delivery), TROUBLE_MS)
      },
    )
    running.set(delivery.seq, done)
  }

  function leave(delivery: DueDelivery): void {
    running.delete(delivery.seq)
    if (stopped) return
    // The next one of its key goes before the page that is queued; an empty queue finds it by itself.
    const next =
      delivery.orderKey && queue.length > 0 ? headOfOrder(deps.db, name, delivery.orderKey, deps.now()) : null
    if (next) queue.unshift(next)
    wake()
  }

  function wake(): void {
    exhausted = false
    pump()
  }

  return {
    wake,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await Promise.allSettled(running.values())
    },
    get running() {
      return running.size
    },
  }
}
