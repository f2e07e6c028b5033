/**
 * One lane of the outbox: the deliveries that share a peer. Runs a bounded number at a time, oldest first, and keeps
 * deliveries with the same order key in sequence. Lanes know nothing of each other, so a dead peer slows nobody else.
 */
import type { Database } from '../../platform/sqlite.ts'
import { type DueDelivery, dueDeliveries, headOfOrder, nextDueAt } from './store.ts'

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
/** Pause after the database could not be written. */
const TROUBLE_MS = 1000

export function createLane(deps: LaneDeps, name: string, concurrency: number): Lane {
  const running = new Map<number, Promise<void>>()
  const busyKeys = new Set<string>()
  let queue: DueDelivery[] = []
  let exhausted = false
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
    let index = firstFree()
    // What is queued but held back moves on when something ends; only an idle lane has to look again.
    if (index < 0 && !exhausted && (queue.length === 0 || running.size === 0)) {
      fill()
      index = firstFree()
      exhausted = index < 0
    }
    if (index >= 0) return queue.splice(index, 1)[0]
    schedule()
    return undefined
  }

  /** Index of the first queued delivery that may run now, -1 when there is none. */
  function firstFree(): number {
    const blocked = new Set(busyKeys)
    return queue.findIndex(({ orderKey, seq, destination }) => {
      if (!deps.ready(destination)) return false
      if (orderKey === null) return true
      if (blocked.has(orderKey)) return false
      const isHead = headOfOrder(deps.db, orderKey)?.seq === seq
      if (!isHead) blocked.add(orderKey)
      return isHead
    })
  }

  /** Reads the next page. The head of an order key comes first, also when a retry made it due later than the rest. */
  function fill(): void {
    const now = deps.now()
    const page = dueDeliveries(deps.db, name, now, PAGE + running.size)
    const keys = new Set(page.map(({ orderKey }) => orderKey).filter((key) => key !== null))
    const heads = [...keys]
      .map((key) => headOfOrder(deps.db, key))
      .filter((head) => head !== null && head.nextAttemptAt <= now) as DueDelivery[]
    const isHead = new Set(heads.map((head) => head.seq))
    const rest = page.filter((delivery) => !isHead.has(delivery.seq))
    queue = [...heads, ...rest].filter((delivery) => !running.has(delivery.seq))
  }

  function schedule(): void {
    clearTimeout(timer)
    if (stopped) return
    const at = nextDueAt(deps.db, name, deps.now())
    if (at !== null) timer = setTimeout(wake, Math.min(at - deps.now(), MAX_TIMER_MS))
  }

  function begin(delivery: DueDelivery): void {
    if (delivery.orderKey) busyKeys.add(delivery.orderKey)
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
    if (delivery.orderKey) busyKeys.delete(delivery.orderKey)
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
