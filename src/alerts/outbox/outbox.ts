/** The outbox: sends the deliveries of the router, retries, makes dead letters of those that are too old, and stores every result. */

import type { TaskEvent } from '../../events/types.ts'
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import { createLastingWrite, NotLeaderError } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import type { DeadReason, DeliveryState, Destination, SuppressReason } from '../types.ts'
import { type AttemptDeps, type AttemptOutcome, type AttemptSettings, attemptDelivery } from './attempt.ts'
import {
  type DueDelivery,
  dueDeliveries,
  dueHeads,
  firstOfOrder,
  isOpenDelivery,
  lanesOf,
  makeDue,
  nextDueAt,
  openLanes,
  overdueDeliveries,
  pullForward,
  reopenSending,
} from './store.ts'

interface OutboxDeps extends Omit<AttemptDeps, 'destination' | 'store'> {
  readonly log: Logger
  /** By name. */
  readonly destinations: ReadonlyMap<string, Destination>
  /** With the settings that a rule overrides; default that of the name. */
  readonly destination?: AttemptDeps['destination']
  /** All that exist, those with overridden settings included; default those with names. */
  readonly all?: readonly Destination[]
  /** Called for every new state, for live views. */
  readonly observe?: (change: DeliveryChange) => void
}

interface OutboxSettings extends AttemptSettings {
  /** Sends at a time per lane. */
  readonly concurrency: number
}

export interface DeliveryChange {
  readonly deliveryId: string
  readonly destination: string
  readonly target: string
  readonly state: DeliveryState
  readonly reason: DeadReason | SuppressReason | null
  readonly detail: string
  readonly attempts: number
  readonly event: TaskEvent | null
  /** From the arrival of the event to this change, in milliseconds. */
  readonly latencyMs: number | null
  /** The result of the attempt that led here; absent or null when the destination was not asked. */
  readonly result?: AttemptOutcome['result']
}

export interface Outbox {
  start(): void
  /** Deliveries were committed in these lanes. */
  wake(lanes: ReadonlySet<string>): void
  /** Looks for work in every lane. */
  refresh(): void
  /** When the next probe goes to a destination whose peer cannot be reached, milliseconds since 1970; null = none is planned. */
  nextProbeAt(destination: string): number | null
  /** True while this delivery is being sent: it can neither be suppressed nor cancelled any more. */
  isUnderWay(lane: string, seq: number): boolean
  /** The destinations of these names have changed; waiting deliveries to them become due at once. */
  destinationsChanged(names: readonly string[]): void
  /** Takes nothing more, lets sends under way end for `graceMs`, then cuts them off; they stay pending. */
  stop(graceMs: number): Promise<void>
}

const SWEEP_MS = 5000
const SWEEP_LIMIT = 500
/** Part of the time to stop that is reserved for storing the last results. */
const STORE_MS = 100
/** A lane that keeps failing is reported this often. */
const WARNING_INTERVAL_MS = 600_000
/** After this many failures in a row the first success means that the peer is back. */
const DOWN_AFTER = 3

export function createOutbox(deps: OutboxDeps, settings: OutboxSettings): Outbox {
  const { db, log, clock, writer } = deps
  const lanes = new Map<string, Lane>()
  const failuresInRow = new Map<string, number>()
  const warnings = new Map<string, { readonly at: number; readonly failures: number }>()
  const breakers = new Map<string, Breaker>()
  const aborter = new AbortController()
  const followed = new WeakSet<Destination>()
  const attemptDeps: AttemptDeps = {
    ...deps,
    store: createLastingWrite({ writer, log, what: 'NOTIFY The state of deliveries', stop: aborter.signal }),
    destination: deps.destination ?? ((_route, name) => deps.destinations.get(name)),
  }
  let started = false

  async function run(delivery: DueDelivery, onSent?: () => void): Promise<void> {
    const outcome = await attemptDelivery(attemptDeps, settings, delivery, aborter.signal, onSent).catch(
      (error: unknown) => {
        // The node that leads now sends it, or knows that it is sent.
        const level = error instanceof NotLeaderError ? 'verbose' : 'error'
        log[level](`NOTIFY The state of delivery ${delivery.id} could not be stored: ${String(error)}`)
        throw error
      },
    )
    trackPeer(delivery, outcome)
    report(delivery, outcome)
  }

  /** When a peer answers again after an outage, what waits for its next attempt leaves now. */
  function trackPeer(delivery: DueDelivery, { result, detail, peerDown, nextAttemptAt }: AttemptOutcome): void {
    const { lane } = delivery
    if (result === null) return
    if (peerDown) breakerOf(lane).failed(clock.now())
    else breakerOf(lane).answered()
    const failures = failuresInRow.get(lane) ?? 0
    if (result === 'retry') {
      failuresInRow.set(lane, failures + 1)
      warnOfFailure(delivery, failures + 1, `next attempt ${timeOf(nextAttemptAt)}: ${detail}`)
      return
    }
    failuresInRow.set(lane, 0)
    warnings.delete(lane)
    if (failures < DOWN_AFTER) return
    log.info(`NOTIFY ${lane}: works again after ${failures} failed attempts`)
    writer
      .write((tx) => pullForward(tx, lane, clock.now()))
      .then(
        () => lanes.get(lane)?.wake(),
        () => undefined,
      )
  }

  /** At most one warning per lane and interval, so that an outage does not flood the log. */
  function warnOfFailure(delivery: DueDelivery, failures: number, text: string): void {
    const { lane } = delivery
    const last = warnings.get(lane)
    if (last && clock.now() - last.at < WARNING_INTERVAL_MS) return
    warnings.set(lane, { at: clock.now(), failures })
    const more = last ? ` (${failures - last.failures} failed attempts since the last warning)` : ''
    log.warn(`NOTIFY ${lane} (${settingsKey(delivery)}): delivery failed${more}, ${text}`)
  }

  function report(delivery: DueDelivery, outcome: AttemptOutcome): void {
    const attempts = delivery.attempts + (outcome.result === null ? 0 : 1)
    const { event, state, reason, detail } = outcome
    const line = `channel=${delivery.destination} event=${delivery.route} task=${event?.taskId ?? ''} to=${delivery.target} attempts=${attempts} ms=${outcome.durationMs}`
    if (state === 'delivered') log.info(`NOTIFY delivered ${line}`)
    else if (state === 'dead') log.error(`NOTIFY dead ${line} reason=${reason} detail=${detail}`)
    else if (state === 'suppressed') log.info(`NOTIFY suppressed ${line} reason=${reason}`)
    else log.verbose(`NOTIFY retry ${line} next=${timeOf(outcome.nextAttemptAt)} detail=${detail}`)

    deps.observe?.({
      deliveryId: delivery.id,
      destination: delivery.destination,
      target: delivery.target,
      state,
      reason,
      detail,
      attempts,
      event,
      latencyMs: event ? clock.now() - event.receivedAt : null,
      result: outcome.result,
    })
  }

  function laneOf(name: string): Lane {
    const known = lanes.get(name)
    if (known) return known
    const breaker = breakerOf(name)
    // A destination that takes many messages in one request gets them all at once; its lane has its name.
    const concurrency = Math.max(settings.concurrency, deps.destinations.get(name)?.batchSize ?? 1)
    const lane = createLane({ db, now: () => clock.now(), ready, run, breaker }, name, concurrency)
    lanes.set(name, lane)
    return lane
  }

  function breakerOf(lane: string): Breaker {
    const known = breakers.get(lane)
    if (known) return known
    const breaker = createBreaker(settings.retry)
    breakers.set(lane, breaker)
    return breaker
  }

  function ready({ route, destination }: Pick<DueDelivery, 'route' | 'destination'>): boolean {
    return settings.shadow || (attemptDeps.destination(route, destination)?.ready?.() ?? true)
  }

  /** Lanes that are not ready never try, and those whose peer is down hardly; their old deliveries are given up here. */
  function sweep(): void {
    for (const name of deps.destinations.keys()) {
      const before = clock.now() - settings.maxAgeMs(name)
      for (const delivery of overdueDeliveries(db, name, before, SWEEP_LIMIT)) {
        const waits = !ready(delivery) || breakerOf(delivery.lane).isOpen
        const runs = lanes.get(delivery.lane)?.runs(delivery.seq) ?? false
        if (waits && !runs && isOpenDelivery(db, delivery.seq)) run(delivery).catch(() => undefined)
      }
    }
  }

  /** Subscribes once to each destination. */
  function followReadiness(): void {
    for (const destination of deps.all ?? deps.destinations.values()) {
      if (followed.has(destination)) continue
      followed.add(destination)
      destination.onReady?.(() => {
        if (started) for (const lane of lanes.values()) lane.wake()
      })
    }
  }

  const sweeping = createRecurringJob({ everyMs: SWEEP_MS }, sweep)

  return {
    start() {
      started = true
      reopenSending(db)
      followReadiness()
      for (const name of openLanes(db)) laneOf(name).wake()
      sweeping.start()
    },
    wake(names) {
      if (!started) return
      for (const name of names) laneOf(name).wake()
    },
    refresh() {
      if (!started) return
      for (const name of new Set([...lanes.keys(), ...openLanes(db)])) laneOf(name).wake()
    },
    nextProbeAt(destination) {
      const probes = lanesOf(db, destination).flatMap((lane) => breakers.get(lane)?.probeAt || [])
      return probes.length > 0 ? Math.min(...probes) : null
    },
    isUnderWay: (lane, seq) => lanes.get(lane)?.runs(seq) ?? false,
    destinationsChanged(names) {
      if (!started) return
      followReadiness()
      writer
        .write((tx) => names.flatMap((name) => makeDue(tx, name, clock.now())))
        .then((changed) => {
          for (const lane of new Set(changed)) {
            breakerOf(lane).answered()
            laneOf(lane).wake()
          }
        })
        .catch((error: unknown) => log.error(`NOTIFY Waiting deliveries could not be made due: ${String(error)}`))
    },
    async stop(graceMs) {
      started = false
      void sweeping.stop()
      const cut = setTimeout(() => aborter.abort(), Math.max(graceMs - STORE_MS, 0))
      await Promise.all([...lanes.values()].map((lane) => lane.stop()))
      clearTimeout(cut)
      await writer.flush().catch(() => undefined)
      await Promise.all([...(deps.all ?? deps.destinations.values())].map((destination) => destination.close?.()))
    },
  }
}

function timeOf(ms: number | undefined): string {
  return ms === undefined ? 'as soon as possible' : new Date(ms).toISOString()
}

/** Configuration key of the section or destination that a delivery belongs to. */
function settingsKey({ route, destination }: Pick<DueDelivery, 'route' | 'destination'>): string {
  const [, section] = /^butler\.(.+)$/.exec(route) ?? []
  if (section === undefined) return `Butler.footman.destinations.${destination}`
  const path = section
    .replace(/^scriptLog\./, 'scriptLog.storeOnDisk.')
    .replace(/^qlikSenseCloud\./, 'qlikSenseCloud.event.mqtt.tenant.alert.')
  return `Butler.${path}`
}

interface LaneDeps {
  readonly db: Database
  readonly now: () => number
  /** False while sending is pointless. */
  readonly ready: (delivery: DueDelivery) => boolean
  /** Resolves when the delivery has its new state on disk; calls `onSent` before that, once the peer has taken it. */
  readonly run: (delivery: DueDelivery, onSent: () => void) => Promise<void>
  readonly breaker: Pick<Breaker, 'isOpen' | 'probeAt'>
}

interface Lane {
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
const STORE_RETRY_MS = 1000

/**
 * One lane of the outbox: the deliveries that share a peer. Runs a bounded number at a time, oldest first, and keeps
 * deliveries with the same order key in sequence. Lanes are independent of each other, so a dead peer slows no other lane.
 */
function createLane(deps: LaneDeps, name: string, concurrency: number): Lane {
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
      setTimeout(leave, STORE_RETRY_MS)
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
interface Breaker {
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

function createBreaker(retry: BackoffSettings): Breaker {
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
