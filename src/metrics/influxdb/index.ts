/** InfluxDB: the database, the points that wait for it, and the endpoint that takes points. */

import type { ConfigPaths } from '../../config/paths.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import { createClientSource } from '../../platform/client-source.ts'
import { purgeDeadLetters, replayDeadLetters } from '../../platform/durable-queue-store.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Pruning } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { FootmanInfluxDbConfig, InfluxDbConfig } from '../config.ts'
import { pointRoutes } from './http.ts'
import { sharedNames } from './line.ts'
import { memoryPoint } from './own-points.ts'
import { createPointQueue, POINT_TABLE } from './points.ts'
import { createInfluxServer } from './server.ts'
import type { InfluxPoint, InfluxPoints, InfluxServer } from './types.ts'

export interface InfluxDbDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly on: {
    /** Points of monitors were given up. */
    pointsDead(count: number, why: string): void
  }
}

export interface InfluxDb {
  /** Where deliveries about tasks go; null when InfluxDB is off. */
  readonly server: InfluxServer | null
  /** Takes what the monitors measure; null when InfluxDB is off, and in shadow mode. */
  readonly points: InfluxPoints | null
  /** The point about the memory of this process, at a time in milliseconds since 1970. */
  memoryPoint(at: number): InfluxPoint
  /** To be stopped after what writes points. */
  readonly backends: readonly Service[]
  readonly routes: readonly ApiRoute[]
  readonly observers: { workMayWait?(): void }
  /** The points that were given up; null when `points` is. */
  readonly deadLetters: {
    readonly destination: string
    /** Runs in a transaction; returns how many are under way again. */
    resend(db: Database, filter: Parameters<typeof replayDeadLetters>[2], now: number): number
    wake(): void
  } | null
  readonly pruning: readonly Pruning[]
}

/** Sections of the configuration that InfluxDB reads. */
export interface InfluxDbSettings {
  readonly influxDb: InfluxDbConfig
  readonly footman: {
    readonly influxDb: FootmanInfluxDbConfig
    readonly retention: { readonly events: number }
    readonly delivery: { readonly retryFirst: number; readonly retryMax: number; readonly influxDbMaxAge: number }
  }
}

const OFF = { server: null, points: null, backends: [], observers: {}, deadLetters: null }

/** In shadow mode nothing is written; the server still makes the lines of deliveries. */
export function createInfluxDb(deps: InfluxDbDeps, config: InfluxDbSettings, shadow: boolean): InfluxDb {
  const { influxDb, footman } = config
  const common = {
    memoryPoint: (at: number) => memoryPoint(process.memoryUsage(), VERSION, at),
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
    { server, db: deps.db, writer: deps.writer, clock, log, onDead: deps.on.pointsDead },
    {
      retry: { firstMs: footman.delivery.retryFirst, maxMs: footman.delivery.retryMax },
      maxAgeMs: footman.delivery.influxDbMaxAge,
    },
  )
  return {
    ...common,
    server,
    points,
    backends: [{ name: 'InfluxDB', start: async () => {}, stop: async () => server.close() }, server.database, points],
    observers: { workMayWait: points.wake },
    deadLetters: {
      destination: 'influxdb',
      resend: (db, filter, now) => replayDeadLetters(db, POINT_TABLE, filter, now),
      wake: points.wake,
    },
  }
}
