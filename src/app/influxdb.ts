/** InfluxDB: the database, the points that wait for it, and what Footman measures about itself. */
import { hostname } from 'node:os'
import { createClientSource } from '../alerts/destinations/client.ts'
import type { OtherDeadLetters } from '../alerts/journal/delivery-routes.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { Config } from '../config/schema.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { TaskEvent } from '../events/types.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { createPointQueue } from '../metrics/influxdb/queue.ts'
import { createPointStore, purgeDeadPoints, resendDeadPoints } from '../metrics/influxdb/queue-store.ts'
import { pointRoutes } from '../metrics/influxdb/routes.ts'
import { createInfluxServer } from '../metrics/influxdb/server.ts'
import { sharedNames } from '../metrics/influxdb/shared-names.ts'
import type { InfluxPoints, InfluxServer } from '../metrics/influxdb/types.ts'
import { createQueueMeter } from '../metrics/influxdb/udp-queue.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { Aging } from './retention.ts'

export interface InfluxDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly pipeline: () => EventPipeline
  /** Points of monitors were given up. */
  readonly onDead: (count: number, why: string) => void
}

export interface BuiltInflux {
  /** Where deliveries about tasks go; null when InfluxDB is off. */
  readonly server: InfluxServer | null
  /** Takes what the monitors measure; null when InfluxDB is off, and in shadow mode. */
  readonly points: InfluxPoints | null
  /** An event has been worked off. */
  readonly onEnriched: (event: TaskEvent) => void
  /** To be stopped after what writes points. */
  readonly services: readonly Service[]
  readonly routes: readonly ApiRoute[]
  /** The points that were given up; null where `points` is. */
  readonly deadLetters: OtherDeadLetters | null
  readonly aging: readonly Aging[]
}

const OFF = { server: null, points: null, onEnriched: () => {}, services: [], deadLetters: null }

export function buildInflux(deps: InfluxDeps, config: Config, shadow: boolean): BuiltInflux {
  const { influxDb, footman } = config
  const common = {
    routes: pointRoutes(deps),
    aging: [{ keepMs: footman.retention.events, purge: purgeDeadPoints }],
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
    { server, store: createPointStore(deps), clock, log, onDead: deps.onDead },
    {
      retry: { firstMs: footman.delivery.retryFirst, maxMs: footman.delivery.retryMax },
      maxAgeMs: footman.delivery.influxDbMaxAge,
    },
  )
  const meter = udpQueue(deps, points, config)
  return {
    ...common,
    ...{ server, points, onEnriched: meter?.onEnriched ?? OFF.onEnriched },
    services: [
      { name: 'InfluxDB', start: async () => {}, stop: async () => server.close() },
      server.database,
      points,
      ...(meter ? [meter.service] : []),
    ],
    deadLetters: { destination: 'influxdb', resend: resendDeadPoints, wake: points.wake },
  }
}

const MINUTE_MS = 60_000

/** Null when nobody wants the numbers. */
function udpQueue({ db, clock, log, pipeline }: InfluxDeps, points: InfluxPoints, { udpServerConfig }: Config) {
  const { influxdb } = udpServerConfig.queueMetrics
  if (!udpServerConfig.enable || !influxdb.enable) return null
  let meter: ReturnType<typeof createQueueMeter> | undefined
  let timer: ReturnType<typeof setInterval> | undefined
  const received: { readonly at: number; readonly count: number }[] = []

  function rateOf(now: number): number {
    if (!udpServerConfig.rateLimit.enable) return 0
    const count = pipeline().counters.received
    while (received[0] && received[0].at < now - MINUTE_MS) received.shift()
    const before = received[0]?.count ?? 0
    received.push({ at: now, count })
    return count - before
  }

  async function write(): Promise<void> {
    if (!meter) return
    const now = clock.now()
    const { queue } = pipeline().status
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

  const service: Service = {
    name: 'UDP queue metrics',
    async start() {
      meter = createQueueMeter(pipeline().counters, { ...influxdb, host: hostname() })
      const report = () => {
        write().catch((error: unknown) => log.error(`INFLUXDB: UDP queue metrics could not be stored: ${error}`))
      }
      timer = setInterval(report, influxdb.writeFrequency)
    },
    async stop() {
      clearInterval(timer)
    },
  }
  const onEnriched = ({ source, receivedAt }: TaskEvent) => {
    if (source === 'udp') meter?.processed(clock.now() - receivedAt)
  }
  return { service, onEnriched }
}
