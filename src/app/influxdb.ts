/** InfluxDB: the database, the points that wait for it, and what Footman measures about itself. */

import { hostname } from 'node:os'
import { createClientSource } from '../alerts/destinations/client.ts'
import type { OtherDeadLetters } from '../alerts/history/deliveries.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { pointRoutes } from '../metrics/influxdb/http.ts'
import { sharedNames } from '../metrics/influxdb/line.ts'
import { createQueueMeter } from '../metrics/influxdb/own-points.ts'
import { createPointQueue, POINT_TABLE } from '../metrics/influxdb/points.ts'
import { createInfluxServer } from '../metrics/influxdb/server.ts'
import type { InfluxPoints, InfluxServer } from '../metrics/influxdb/types.ts'
import { purgeDeadLetters, replayDeadLetters } from '../platform/durable-queue-store.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { Observers } from './observers.ts'
import type { Config } from './schema.ts'

export interface InfluxDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: ConfigPaths
  /** Points of monitors were given up. */
  readonly onDead: (count: number, why: string) => void
}

export interface BuiltInflux {
  /** Where deliveries about tasks go; null when InfluxDB is off. */
  readonly server: InfluxServer | null
  /** Takes what the monitors measure; null when InfluxDB is off, and in shadow mode. */
  readonly points: InfluxPoints | null
  /** To be stopped after what writes points. */
  readonly services: readonly Service[]
  readonly routes: readonly ApiRoute[]
  /** The points that were given up; null where `points` is. */
  readonly deadLetters: OtherDeadLetters | null
  readonly pruning: readonly Pruning[]
}

const OFF = { server: null, points: null, services: [], deadLetters: null }

export function buildInflux(deps: InfluxDeps, config: Config, shadow: boolean): BuiltInflux {
  const { influxDb, footman } = config
  const common = {
    routes: pointRoutes(deps),
    pruning: [
      {
        keepMs: footman.retention.events,
        purge: (db: Database, before: number, limit: number) => purgeDeadLetters(db, POINT_TABLE, before, limit),
      },
    ],
  }
  if (!influxDb.enable) return { ...OFF, ...common }
  const { log, clock, paths } = deps
  const { tls } = footman.influxDb
  const clients = createClientSource({ candidates: paths.candidates, environment: process.env }, tls)
  const server = createInfluxServer({ log, clock, clients }, { ...influxDb, tls })
  log.info(`CONFIG: InfluxDB version ${influxDb.version}: ${server.description}`)
  for (const problem of sharedNames(influxDb)) log.warn(problem)
  if (shadow) return { ...OFF, ...common, server }

  const points = createPointQueue(
    { server, db: deps.db, writer: deps.writer, clock, log, onDead: deps.onDead },
    {
      retry: { firstMs: footman.delivery.retryFirst, maxMs: footman.delivery.retryMax },
      maxAgeMs: footman.delivery.influxDbMaxAge,
    },
  )
  return {
    ...common,
    ...{ server, points },
    services: [{ name: 'InfluxDB', start: async () => {}, stop: async () => server.close() }, server.database, points],
    deadLetters: {
      destination: 'influxdb',
      resend: (db, filter, now) => replayDeadLetters(db, POINT_TABLE, filter, now),
      wake: points.wake,
    },
  }
}

const MINUTE_MS = 60_000

export interface QueueMetricsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  readonly pipeline: Pick<EventPipeline, 'counters' | 'status'>
  readonly points: InfluxPoints | null
  readonly observers: Observers
}

/** Writes the numbers of the UDP queue to InfluxDB; to be stopped before what takes the points. Null when that is off. */
export function buildQueueMetrics(deps: QueueMetricsDeps, { udpServerConfig }: Config): Service | null {
  const { db, clock, log, pipeline, points } = deps
  const { influxdb } = udpServerConfig.queueMetrics
  if (!points || !udpServerConfig.enable || !influxdb.enable) return null
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

  deps.observers.subscribe({
    enriched({ source, receivedAt }) {
      if (source === 'udp') meter?.processed(clock.now() - receivedAt)
    },
  })
  const job = createRecurringJob(
    {
      everyMs: influxdb.writeFrequency,
      onError: (error) => log.error(`INFLUXDB: UDP queue metrics could not be stored: ${error}`),
    },
    write,
  )
  return {
    name: 'UDP queue metrics',
    async start() {
      meter = createQueueMeter(pipeline.counters, { ...influxdb, host: hostname() })
      job.start()
    },
    stop: job.stop,
  }
}
