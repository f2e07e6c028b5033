/** Points about Footman itself: memory, and the messages of the scheduler, named as Butler SOS names them. */
import { hostname } from 'node:os'
import type { UdpServerConfig } from '../../events/config.ts'
import type { EventPipeline } from '../../events/pipeline.ts'
import type { DropReason, TaskEvent } from '../../events/types.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { NameValue } from './line.ts'
import type { InfluxPoint, InfluxPoints } from './types.ts'

export interface MemoryUsage {
  /** Bytes, like all of them. */
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  /** Resident set. */
  readonly rss: number
}

const MEGABYTE = 1024 * 1024

export function memoryPoint(usage: MemoryUsage, version: string, time: number): InfluxPoint {
  return {
    measurement: 'butler_memory_usage',
    tags: { version },
    fields: {
      heap_used: megabytes(usage.heapUsed),
      heap_total: megabytes(usage.heapTotal),
      external: megabytes(usage.external),
      process_memory: megabytes(usage.rss),
    },
    time,
  }
}

const megabytes = (bytes: number): number => Math.round((bytes / MEGABYTE) * 100) / 100

/** All since the start. */
export interface QueueCounters {
  /** Datagrams that passed sender, size and rate checks. */
  readonly received: number
  /** Events accepted. */
  readonly queued: number
  readonly processed: number
  /** Malformed or unknown. */
  readonly failed: number
  readonly dropped: Readonly<Record<DropReason, number>>
}

/** How the work stands at this moment. */
export interface QueueState {
  readonly waiting: number
  readonly maxSize: number
  readonly running: number
  /** Messages of the last minute; 0 while there is no limit. */
  readonly rate: number
  readonly backpressure: boolean
  readonly rememberedKeys: number
}

export interface QueueMeter {
  /** A message has been worked off; milliseconds from its arrival. */
  processed(durationMs: number): void
  /** Counts since the last point that was stored. */
  point(state: QueueState, time: number): { readonly point: InfluxPoint; readonly stored: () => void }
}

export interface QueueMeterSettings {
  readonly measurementName: string
  readonly host: string
  readonly tags: readonly NameValue[]
}

type Counts = Record<keyof ReturnType<typeof countsOf>, number>

const DURATIONS_KEPT = 1000

export function createQueueMeter(counters: QueueCounters, settings: QueueMeterSettings): QueueMeter {
  let before: Counts = countsOf(counters)
  const durations: number[] = []
  const tags = {
    queue_type: 'task_results',
    host: settings.host,
    ...Object.fromEntries(settings.tags.map(({ name, value }) => [name, value])),
  }

  return {
    processed(durationMs) {
      durations.push(durationMs)
      if (durations.length > DURATIONS_KEPT) durations.shift()
    },
    point(state, time) {
      const now = countsOf(counters)
      const taken = [...durations]
      const since = Object.entries(now).map(([name, count]) => [name, count - before[name as keyof Counts]] as const)
      const integers = { ...Object.fromEntries(since), ...stateOf(state) }
      const fields = Object.fromEntries(Object.entries(integers).map(([name, integer]) => [name, { integer }]))
      const utilization = state.maxSize > 0 ? (100 * state.waiting) / state.maxSize : 0
      return {
        point: {
          measurement: settings.measurementName,
          tags,
          fields: { ...fields, queue_utilization_pct: utilization, ...timesOf(taken) },
          time,
        },
        stored() {
          before = now
          durations.splice(0, taken.length)
        },
      }
    },
  }
}

/** A message that was refused for its content counts as failed, not as dropped. */
function countsOf({ received, queued, processed, failed, dropped }: QueueCounters) {
  const { SOURCE_NOT_ALLOWED, RATE_LIMITED, BACKLOG_FULL, TOO_LARGE, DUPLICATE, TASK_NOT_FOUND, APP_NOT_FOUND } =
    dropped
  const refused = RATE_LIMITED + BACKLOG_FULL + TOO_LARGE
  return {
    messages_received: received + refused,
    messages_queued: queued,
    messages_processed: processed,
    messages_failed: failed,
    messages_dropped_total: refused + DUPLICATE + SOURCE_NOT_ALLOWED + TASK_NOT_FOUND + APP_NOT_FOUND,
    messages_dropped_rate_limit: RATE_LIMITED,
    messages_dropped_queue_full: BACKLOG_FULL,
    messages_dropped_size: TOO_LARGE,
    messages_dropped_duplicate: DUPLICATE,
  }
}

function stateOf({ waiting, maxSize, running, rate, backpressure, rememberedKeys }: QueueState) {
  return {
    queue_size: waiting,
    queue_max_size: maxSize,
    queue_running: running,
    rate_limit_current: rate,
    backpressure_active: backpressure ? 1 : 0,
    deduplication_cache_size: rememberedKeys,
  }
}

function timesOf(durations: readonly number[]) {
  const sorted = [...durations].sort((a, b) => a - b)
  const { length } = sorted
  const sum = sorted.reduce((total, ms) => total + ms, 0)
  return {
    processing_time_avg_ms: length > 0 ? sum / length : 0,
    processing_time_p95_ms: sorted[Math.max(0, Math.ceil(length * 0.95) - 1)] ?? 0,
    processing_time_max_ms: sorted[length - 1] ?? 0,
  }
}

const MINUTE_MS = 60_000

export interface QueueMetricsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  readonly pipeline: Pick<EventPipeline, 'counters' | 'status'>
  readonly influx: { readonly points: InfluxPoints | null }
}

export interface QueueMetrics {
  /** To be stopped before what takes the points; empty while it is off. */
  readonly backends: readonly Service[]
  readonly observers?: {
    /** To be called with every event that waits for data no longer. */
    enriched(event: Pick<TaskEvent, 'source' | 'receivedAt'>): void
  }
}

/** Writes the numbers of the UDP queue to InfluxDB. */
export function createQueueMetrics(
  deps: QueueMetricsDeps,
  { udpServerConfig }: { readonly udpServerConfig: UdpServerConfig },
): QueueMetrics {
  const { db, clock, log, pipeline } = deps
  const { points } = deps.influx
  const { influxdb } = udpServerConfig.queueMetrics
  if (!points || !udpServerConfig.enable || !influxdb.enable) return { backends: [] }
  let meter: ReturnType<typeof createQueueMeter> | undefined
  const received: { readonly at: number; readonly count: number }[] = []

  function rateOf(now: number): number {
    if (!udpServerConfig.rateLimit.enable) return 0
    const count = pipeline.counters.received
    while (received[0] && received[0].at < now - MINUTE_MS) received.shift()
    const before = received[0]?.count ?? 0
    received.push({ at: now, count })
    return count - before
  }

  async function write(): Promise<void> {
    if (!points || !meter) return
    const now = clock.now()
    const { queue } = pipeline.status
    const { point, stored } = meter.point(
      {
        ...queue,
        maxSize: udpServerConfig.messageQueue.maxSize,
        rate: rateOf(now),
        rememberedKeys: db.get<{ n: number }>('SELECT count(*) AS n FROM dedup WHERE expires_at > ?', now)?.n ?? 0,
      },
      now,
    )
    await points.writePoints([point])
    stored()
  }

  const job = createRecurringJob(
    {
      everyMs: influxdb.writeFrequency,
      onError: (error) => log.error(`INFLUXDB: UDP queue metrics could not be stored: ${error}`),
    },
    write,
  )
  const service: Service = {
    name: 'UDP queue metrics',
    async start() {
      meter = createQueueMeter(pipeline.counters, { ...influxdb, host: hostname() })
      job.start()
    },
    stop: job.stop,
  }
  return {
    backends: [service],
    observers: {
      enriched({ source, receivedAt }) {
        if (source === 'udp') meter?.processed(clock.now() - receivedAt)
      },
    },
  }
}
