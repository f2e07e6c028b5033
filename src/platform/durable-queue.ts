/**
 * A durable queue: what is added is on disk, leaves in order, is tried again with growing pauses while the receiver does
 * not take it, and becomes a dead letter when it is refused or too old. At least once: after a crash between delivery and
 * the note of it, an item is sent again.
 */

import { type BackoffSettings, backoffDelay } from './backoff.ts'
import { createLanes, type Turn } from './durable-queue-lanes.ts'
import {
  type DeadReason,
  expireItems,
  hasOlder,
  insertItem,
  noteAttempt,
  oldestItems,
  rejectItem,
  removeItem,
  type StoredItem,
  waitingItems,
  waitingKeys,
} from './durable-queue-store.ts'
import { errorText } from './errors.ts'
import type { GroupWriter } from './group-commit.ts'
import { createLastingWrite } from './group-commit.ts'
import { createRecurringJob } from './recurring-job.ts'
import type { Database } from './sqlite.ts'
import type { Clock, Logger, Service } from './types.ts'

export interface QueueDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
}

export interface QueueItem<T> extends Pick<StoredItem, 'seq' | 'key' | 'attempts' | 'createdAt'> {
  readonly value: T
}

/** Result of one attempt to send one item. */
export type SendResult =
  /** `also` is written in the transaction that removes the item. */
  | { readonly outcome: 'delivered'; readonly also?: (tx: Database) => void }
  /** The item itself is at fault: a dead letter. */
  | { readonly outcome: 'rejected'; readonly detail: string }
  | {
      readonly outcome: 'retry'
      readonly detail: string
      /** Milliseconds that the receiver has asked for; at most an hour is granted. */
      readonly retryAfterMs?: number
      /** A person has to repair something: the longest pause. */
      readonly slow?: boolean
      /** This pause in milliseconds instead of the growing one. */
      readonly delayMs?: number
    }

/** Items that were given up together. */
export interface DeadItems<T> {
  readonly reason: DeadReason
  readonly count: number
  /** Why; of the first one. */
  readonly detail: string
  /** [] for expired ones. */
  readonly items: readonly QueueItem<T>[]
}

export interface QueueSettings<T> {
  /** Name of the service. */
  readonly name: string
  /** Made by a migration with `queueTable`. */
  readonly table: string
  /** Begins the log lines about storage: `MQTT: The state of messages`. */
  readonly what: string
  /** Subject of the item: topic, measurement. Dead letters are listed by it. */
  readonly keyOf: (item: T) => string
  /** `all`: one item waits for all before it. `key`: only for those of its key, so a stuck key holds up no other. */
  readonly order: 'all' | 'key'
  /** How an item is stored; default JSON. */
  readonly codec?: { encode(item: T): string; decode(body: string): T }
  /** Items handed over together, in their order; default 1. */
  readonly batch?: number
  /** Keys that are worked on at a time; default 1. */
  readonly concurrency?: number
  /**
   * One attempt; one result per item. A rejection counts as `retry`. The signal aborts when the queue has to stop. After a
   * `retry`, the items of the same order wait for the pause.
   */
  readonly send: (items: readonly QueueItem<T>[], signal: AbortSignal) => Promise<readonly SendResult[]>
  /** False while there is no point in trying; call `wake` when that is over. */
  readonly ready?: () => boolean
  /** The pauses. They start anew with the process, so that a restart tries at once. */
  readonly retry: BackoffSettings
  /** Milliseconds after which an item is given up; absent = never. */
  readonly maxAgeMs?: number
  /** Waiting items beyond which `add` refuses; absent = no limit. */
  readonly maxWaiting?: number
  /** Milliseconds that items wait for others to leave with; default 0. */
  readonly gatherMs?: number
  /** How often old items are looked for while nothing leaves; default 30 s. */
  readonly sweepMs?: number
  /** Called when they are dead letters on disk. */
  readonly onDead?: (dead: DeadItems<T>) => void
}

export interface DurableQueue<T> extends Service {
  /** Items that wait. */
  readonly waiting: number
  /** `stored` = on disk; `full` = refused. Rejects when they cannot be stored. */
  add(items: readonly T[]): Promise<'stored' | 'full'>
  /** Adds within a transaction of the caller, without limit. */
  put(tx: Database, item: T): void
  /** The receiver is ready, or dead letters wait again. */
  wake(): void
}

const SWEEP_MS = 30_000
const MAX_RETRY_AFTER_MS = 3_600_000

export function createDurableQueue<T>(deps: QueueDeps, settings: QueueSettings<T>): DurableQueue<T> {
  const { db, writer, clock, log } = deps
  const { table, what, order, retry, maxAgeMs, batch = 1, concurrency = 1 } = settings
  const codec = settings.codec ?? { encode: (item) => JSON.stringify(item), decode: (body) => JSON.parse(body) as T }
  const stopping = new AbortController()
  const store = createLastingWrite({ writer, log, what, stop: stopping.signal })
  /** Failed attempts in a row. */
  const failures = new Map<string, number>()
  /** Numbers of the items that are being sent. */
  const underWay = new Set<number>()
  const countWaiting = () => waitingItems(db, table)
  /** Number of waiting items, for the limit; counting a million rows for each new item takes too long. */
  let backlog = countWaiting()
  let expiring: Promise<void> | null = null

  const laneOf = (item: T): string => (order === 'all' ? '' : settings.keyOf(item))

  function insert(tx: Database, item: T): void {
    insertItem(tx, table, { key: settings.keyOf(item), body: codec.encode(item), createdAt: clock.now() })
  }

  const lanes = createLanes({
    concurrency,
    isReady: () => settings.ready?.() !== false,
    take: (lane) =>
      takeTurn(lane).catch((error: unknown) => {
        log.error(`${what} could not be stored: ${errorText(error)}`)
        return retry.firstMs
      }),
  })

  /** New items of a lane leave at once, together with others in a moment, or when its pause is over. */
  function offer(lane: string, count: number): void {
    lanes.offer(lane, count >= batch ? 0 : (settings.gatherMs ?? 0))
  }

  /** One attempt with the first items of the lane. */
  async function takeTurn(lane: string): Promise<Turn> {
    await expire()
    const page = oldestItems(db, table, order === 'all' ? null : lane, batch)
    if (page.length === 0) return 'empty'
    for (const { seq } of page) underWay.add(seq)
    try {
      const items = page.flatMap((stored) => decoded(stored, codec.decode) ?? [])
      if (items.length < page.length) await settleUnreadable(page, items)
      if (items.length === 0) return 'more'
      const results = await attempt(items, settings.send, stopping.signal)
      await settle(items, results)
      const failed = results.find((result) => result.outcome === 'retry')
      if (failed) {
        const inRow = (failures.get(lane) ?? 0) + 1
        failures.set(lane, inRow)
        return pauseAfter(failed, inRow, retry)
      }
      failures.delete(lane)
      return page.length < batch ? 'empty' : 'more'
    } finally {
      for (const { seq } of page) underWay.delete(seq)
    }
  }

  /** A failing disk has spoiled them; they must not stop those behind them. */
  async function settleUnreadable(page: readonly StoredItem[], items: readonly QueueItem<T>[]): Promise<void> {
    const detail = 'its stored form cannot be read'
    const unreadable = page.filter(({ seq }) => !items.some((item) => item.seq === seq))
    await store((tx) => {
      for (const { seq } of unreadable) rejectItem(tx, table, seq, detail, clock.now())
    })
    backlog -= unreadable.length
    settings.onDead?.({ reason: 'REJECTED', count: unreadable.length, detail, items: [] })
  }

  /** Resolves when the new states are on disk; repeated while the disk is full, as sending again would be worse. */
  async function settle(items: readonly QueueItem<T>[], results: readonly SendResult[]): Promise<void> {
    const rejected = items.filter((_, index) => results[index]?.outcome === 'rejected')
    const failed = results.findIndex(({ outcome }) => outcome === 'retry')
    await store((tx) => {
      for (const [index, { seq }] of items.entries()) {
        const result = results[index]
        if (result?.outcome === 'delivered') {
          removeItem(tx, table, seq)
          result.also?.(tx)
        } else if (result?.outcome === 'rejected') rejectItem(tx, table, seq, result.detail, clock.now())
        // Being cut off is no attempt. Only the first one counts: those behind it wait for it.
        else if (result && index === failed && !stopping.signal.aborted) noteAttempt(tx, table, seq, result.detail)
      }
    })
    backlog -= results.filter(({ outcome }) => outcome !== 'retry').length
    const [first] = results.filter((result) => result.outcome === 'rejected')
    if (first) settings.onDead?.({ reason: 'REJECTED', count: rejected.length, detail: first.detail, items: rejected })
  }

  /** Gives up what is too old. Calls at the same time are one, so that it is reported as one. */
  async function expire(): Promise<void> {
    if (maxAgeMs === undefined) return
    expiring ??= expireOlder(maxAgeMs).finally(() => {
      expiring = null
    })
    await expiring
  }

  async function expireOlder(maxAgeMs: number): Promise<void> {
    const before = clock.now() - maxAgeMs
    let count = 0
    while (hasOlder(db, table, before, [...underWay])) {
      count += await store((tx) => expireItems(tx, table, before, [...underWay], clock.now()))
    }
    backlog -= count
    if (count > 0) settings.onDead?.({ reason: 'EXPIRED', count, detail: '', items: [] })
  }

  function sweep(): void {
    expire().catch((error: unknown) => log.error(`${what} could not be stored: ${errorText(error)}`))
  }

  /** Lanes with waiting items may leave, unless they rest. */
  function refresh(): void {
    backlog = countWaiting()
    const waiting = order === 'all' ? [''] : waitingKeys(db, table)
    if (backlog > 0) for (const lane of waiting) offer(lane, batch)
    lanes.pump()
  }

  const sweeping = createRecurringJob({ everyMs: settings.sweepMs ?? SWEEP_MS }, sweep)

  return {
    name: settings.name,
    get waiting() {
      return countWaiting()
    },
    async add(items) {
      if (items.length === 0) return 'stored'
      if (backlog + items.length > (settings.maxWaiting ?? Number.POSITIVE_INFINITY)) return 'full'
      backlog += items.length
      try {
        await writer.write((tx) => {
          for (const item of items) insert(tx, item)
        })
      } catch (error) {
        backlog -= items.length
        throw error
      }
      for (const lane of new Set(items.map(laneOf))) offer(lane, items.length)
      lanes.pump()
      return 'stored'
    },
    put(tx, item) {
      insert(tx, item)
      backlog += 1
      // Transactions are synchronous: by then this one has been committed or undone.
      queueMicrotask(() => {
        offer(laneOf(item), 1)
        lanes.pump()
      })
    },
    wake: refresh,
    async start() {
      lanes.start()
      if (maxAgeMs !== undefined) sweeping.start()
      refresh()
    },
    /** Items that are due get one attempt; attempts in progress end within `graceMs` or are aborted. */
    async stop(graceMs) {
      void sweeping.stop()
      const cut = setTimeout(() => stopping.abort(), graceMs)
      await lanes.stop()
      clearTimeout(cut)
    },
  }
}

/** Null when it cannot be read. */
function decoded<T>({ body, ...item }: StoredItem, decode: (body: string) => T): QueueItem<T> | null {
  try {
    return { ...item, value: decode(body) }
  } catch {
    return null
  }
}

/** Ends when the signal aborts; never rejects. */
async function attempt<T>(
  items: readonly QueueItem<T>[],
  send: QueueSettings<T>['send'],
  signal: AbortSignal,
): Promise<readonly SendResult[]> {
  const { promise: cut, reject } = Promise.withResolvers<never>()
  const onStop = () => reject(new Error('the queue stops'))
  signal.addEventListener('abort', onStop)
  try {
    const results = await Promise.race([send(items, signal), cut])
    return items.map((_, index) => results[index] ?? { outcome: 'retry', detail: 'there was no result' })
  } catch (error) {
    return items.map(() => ({ outcome: 'retry', detail: errorText(error) }))
  } finally {
    signal.removeEventListener('abort', onStop)
  }
}

function pauseAfter(failed: Extract<SendResult, { outcome: 'retry' }>, inRow: number, retry: BackoffSettings): number {
  if (failed.delayMs !== undefined) return failed.delayMs
  const patience = failed.slow ? retry.maxMs : Math.min(failed.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
  return Math.max(backoffDelay(inRow, retry), patience)
}
