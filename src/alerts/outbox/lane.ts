/**
 * One lane of the outbox: the deliveries that share a peer. Runs a bounded number at a time, oldest first, and keeps
 * deliveries with the same order key in sequence. Lanes are independent of each other, so a dead peer slows no other lane.
 */

import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import type { Database } from '../../platform/sqlite.ts'
import { type DueDelivery, dueDeliveries, dueHeads, firstOfOrder, isOpenDelivery, nextDueAt } from './store.ts'

interface LaneDeps {
  readonly db: Database
  readonly now: () => number
  /** False while sending is pointless. */
  readonly ready: (delivery: DueDelivery) => boolean
  /** Resolves when the delivery has its new state on disk; calls `onSent` before that, once the peer has taken it. */
  readonly run: (delivery: DueDelivery, onSent: () => void) => Promise<void>
  readonly breaker: Pick<Breaker, 'isOpen' | 'probeAt'>
}

export interface Lane {
  wake(): void
  /** True while this delivery is on its way. */
  runs(seq: number): boolean
  /** Takes nothing more; resolves when what runs has ended. */
  stop(): Promise<void>
  readonly running: number
}

const PAGE = 200
const MAX_TIMER_MS = 2 ** 31 - 1
/** Pause after a delivery whose state could not be stored. */
const TROUBLE_MS = 1000

export function createLane(deps: LaneDeps, name: string, concurrency: number): Lane {
  const { breaker } = deps
  const running = new Map<number, Promise<void>>()
  /** Due and free to leave; of an order key only its head is ever in here. */
  let queue: DueDelivery[] = []
  let exhausted = false
  let lookedAt = 0
  /** The timer for what the last look has not found yet is set. */
  let isScheduled = false
  let mustLook = false
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function pump(): void {
    while (!stopped && running.size < (breaker.isOpen ? 1 : concurrency)) {
      if (mustWait()) return
      const next = takeNext()
      if (!next) return
      begin(next)
    }
  }

  /** While the peer is down nothing is taken before the next probe is due. */
  function mustWait(): boolean {
    const wait = breaker.probeAt - deps.now()
    if (wait <= 0) return false
    clearTimeout(timer)
    isScheduled = false
    timer = setTimeout(wake, Math.min(wait, MAX_TIMER_MS))
    return true
  }

  function takeNext(): DueDelivery | undefined {
    for (;;) {
      if (queue.length === 0 && !exhausted) fill()
      const index = queue.findIndex(deps.ready)
      if (index < 0) break
      const [next] = queue.splice(index, 1)
      if (next && isOpenDelivery(deps.db, next.seq)) return next
      // Since the page was read it has been cancelled or given up: what stands behind it is free.
      exhausted = false
    }
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
    isScheduled = false
  }

  /** Sets a timer for the next delivery that becomes due. Deliveries that wait for a destination are woken by it. */
  function schedule(): void {
    if (stopped || queue.length > 0 || isScheduled) return
    isScheduled = true
    clearTimeout(timer)
    const at = nextDueAt(deps.db, name, lookedAt)
    if (at !== null) timer = setTimeout(wake, Math.min(Math.max(at - deps.now(), 0), MAX_TIMER_MS))
  }

  function begin(delivery: DueDelivery): void {
    const { orderKey, seq } = delivery
    let isSent = false
    let isFollowed = false

    /** The next delivery of its order key need not wait for the disk; this one counts as running until it is stored. */
    function sent(): void {
      isSent = true
      if (stopped || orderKey === null) return
      isFollowed = offer(firstOfOrder(deps.db, name, orderKey, seq, deps.now()))
      pump()
    }

    function leave(): void {
      running.delete(seq)
      if (stopped) return
      if (orderKey !== null && !isFollowed) offer(firstOfOrder(deps.db, name, orderKey, 0, deps.now()))
      // Only what has to be tried again needs a new look at the disk, and one that what still runs does not obstruct.
      if (!isSent) mustLook = true
      if (!mustLook) {
        pump()
        return
      }
      mustLook = running.size > 0
      wake()
    }

    const done = deps.run(delivery, sent).then(leave, () => {
      setTimeout(leave, TROUBLE_MS)
    })
    running.set(seq, done)
  }

  /** Puts it before the page that is queued, unless it is on its way already. */
  function offer(next: DueDelivery | null): boolean {
    if (!next || running.has(next.seq) || queue.some(({ seq }) => seq === next.seq)) return false
    queue.unshift(next)
    return true
  }

  function wake(): void {
    exhausted = false
    pump()
  }

  return {
    wake,
    runs: (seq) => running.has(seq),
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

/**
 * The circuit breaker of a lane. While the peer cannot be reached, one probe goes out per back-off interval instead of one
 * attempt per waiting delivery. The first answer lets all of them leave.
 */
export interface Breaker {
  /** True while only probes are allowed. */
  readonly isOpen: boolean
  /** When the next probe may start, milliseconds since 1970; 0 = at any time. */
  readonly probeAt: number
  /** The peer could not be reached at all. */
  failed(now: number): void
  /** The peer has answered, with success or with an error. */
  answered(): void
}

/** After this many failures in a row, of any deliveries, the peer counts as down. */
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
