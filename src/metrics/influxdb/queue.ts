/**
 * The outbox of the monitors' points: stored before they are accepted, written in batches in their order, kept while
 * InfluxDB is away, dead letters when they are too old or refused.
 */
import type { DeliveryResult } from '../../alerts/types.ts'
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { PointStore } from './queue-store.ts'
import type { InfluxPoint, InfluxPoints, InfluxServer } from './types.ts'

export interface PointQueueDeps {
  readonly server: InfluxServer
  readonly store: PointStore
  readonly clock: Clock
  readonly log: Logger
  /** Points have become dead letters. */
  readonly onDead?: (count: number, why: string) => void
}

export interface PointQueueSettings {
  readonly retry: BackoffSettings
  /** Milliseconds after which a point is given up. */
  readonly maxAgeMs: number
  /** How long points wait for others to leave with; default 1 s. */
  readonly gatherMs?: number
}

export interface PointQueue extends InfluxPoints, Service {
  /** Points on disk that InfluxDB does not have yet. */
  readonly waiting: number
  /** Points given up since the start. */
  readonly dropped: { readonly expired: number; readonly refused: number }
  /** Points wait that did not before. */
  wake(): void
}

const BATCH = 500
const GATHER_MS = 1000
const WRITE_TIMEOUT_MS = 60_000
/** An outage is told again this often. */
const REMINDER_MS = 3_600_000

export function createPointQueue(deps: PointQueueDeps, settings: PointQueueSettings): PointQueue {
  const { server, store, clock, log } = deps
  const instants = createInstants()
  const dropped = { expired: 0, refused: 0 }
  let running = false
  let stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let sending: Promise<void> | null = null
  let failures = 0
  let toldAt = 0
  /** Until then nothing is tried. */
  let pausedUntil = 0

  function leaveIn(ms: number): void {
    if (!running || sending || timer !== undefined) return
    timer = setTimeout(
      () => {
        timer = undefined
        send()
      },
      Math.max(ms, pausedUntil - clock.now()),
    )
  }

  function send(): void {
    if (sending) return
    sending = drain()
      .catch((error: unknown) => {
        log.error(`INFLUXDB: The state of points could not be stored: ${textOf(error)}`)
        pausedUntil = clock.now() + settings.retry.firstMs
      })
      .finally(() => {
        sending = null
        if (store.waiting() > 0) leaveIn(0)
      })
  }

  /** Batch after batch, until nothing is left or InfluxDB has had enough. */
  async function drain(): Promise<void> {
    while (!stopping.signal.aborted) {
      await expire()
      const page = store.oldest(BATCH)
      if (page.length === 0) return
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)])
      const results = await server.write(page, signal)
      await store.remove(page.flatMap(({ seq }, index) => (results[index]?.outcome === 'delivered' ? [seq] : [])))
      await bury(page.flatMap(({ seq }, index) => refusalOf(seq, results[index])))
      const failed = results.find((result) => result.outcome === 'retry')
      if (failed && !stopping.signal.aborted) {
        suffer(failed.detail, failed.slow ? settings.retry.maxMs : (failed.retryAfterMs ?? 0))
        return
      }
      if (!failed) recover()
      if (page.length < BATCH) return
    }
  }

  async function expire(): Promise<void> {
    const expired = await store.expire(clock.now() - settings.maxAgeMs, clock.now())
    if (expired === 0) return
    dropped.expired += expired
    log.error(
      `INFLUXDB: ${expired} points were given up because they waited too long for InfluxDB; they can be sent again`,
    )
    deps.onDead?.(expired, 'they waited too long')
  }

  async function bury(refused: readonly { readonly seq: number; readonly detail: string }[]): Promise<void> {
    const [first] = refused
    if (!first) return
    await store.bury(refused, clock.now())
    dropped.refused += refused.length
    deps.onDead?.(refused.length, first.detail)
  }

  function suffer(detail: string, patience: number): void {
    failures += 1
    const pause = Math.max(backoffDelay(failures, settings.retry), patience)
    pausedUntil = clock.now() + pause
    if (failures > 1 && clock.now() - toldAt < REMINDER_MS) return
    toldAt = clock.now()
    log.warn(`INFLUXDB: ${store.waiting()} points wait for ${server.description}: ${detail}`)
  }

  function recover(): void {
    if (failures > 0) log.info(`INFLUXDB: ${server.description} takes points again, after ${failures} failed attempts`)
    failures = 0
    pausedUntil = 0
  }

  return {
    name: 'InfluxDB points',
    dropped,
    get waiting() {
      return store.waiting()
    },
    async writePoints(points) {
      const lines = points.flatMap((point) => server.lineOf(point, instants(point, clock.now())) ?? [])
      if (lines.length === 0) return
      await store.add(lines, clock.now())
      leaveIn(lines.length >= BATCH ? 0 : (settings.gatherMs ?? GATHER_MS))
    },
    wake: () => leaveIn(0),
    async start() {
      running = true
      stopping = new AbortController()
      const waiting = store.waiting()
      if (waiting > 0) log.info(`INFLUXDB: ${waiting} points of the last run wait to be written`)
      if (waiting > 0) leaveIn(0)
    },
    /** What is at hand is written once more, unless InfluxDB is away. */
    async stop(graceMs) {
      running = false
      const isGathering = timer !== undefined
      clearTimeout(timer)
      timer = undefined
      const cut = setTimeout(() => stopping.abort(), graceMs)
      if (isGathering && failures === 0) send()
      await sending
      clearTimeout(cut)
      stopping.abort()
    },
  }
}

function refusalOf(seq: number, result: DeliveryResult | undefined) {
  return result?.outcome === 'rejected' ? [{ seq, detail: result.detail }] : []
}

const NANOSECONDS = 1_000_000n
/** Series remembered; beyond, the times start anew, which only matters within a millisecond. */
const MAX_SERIES = 10_000

/** Nanoseconds since 1970, never twice the same in a series: the second point would overwrite the first. */
function createInstants() {
  const latest = new Map<string, bigint>()
  return (point: InfluxPoint, now: number): bigint => {
    const at = BigInt(Math.round(point.time ?? now)) * NANOSECONDS
    const series = JSON.stringify([point.measurement, point.tags])
    const last = latest.get(series)
    const isTaken = last !== undefined && last >= at && last < at + NANOSECONDS
    const free = isTaken ? last + 1n : at
    if (latest.size >= MAX_SERIES) latest.clear()
    latest.set(series, free)
    return free
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
