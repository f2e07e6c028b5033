/** The points of the monitors, on their way to InfluxDB: one durable queue, written in batches in their order. */
import type { DeliveryResult } from '../../alerts/types.ts'
import type { BackoffSettings } from '../../platform/backoff.ts'
import { createDurableQueue, type DurableQueue, type QueueDeps } from '../../platform/durable-queue.ts'
import { queueIds, queueTable } from '../../platform/durable-queue-store.ts'
import type { Migration } from '../../platform/sqlite.ts'
import type { Service } from '../../platform/types.ts'
import type { InfluxPoint, InfluxPoints, InfluxServer } from './types.ts'

/** Keys are measurements, bodies lines of the line protocol. */
export const POINT_TABLE = 'influx_point'

export const influxMigrations: readonly Migration[] = [
  {
    name: 'influx-001',
    sql: `
      CREATE TABLE influx_point (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        line TEXT NOT NULL,
        created_at INTEGER NOT NULL
      );
      CREATE INDEX influx_point_age ON influx_point (created_at);
    `,
  },
  {
    name: 'influx-002',
    sql: `
      ALTER TABLE influx_point ADD COLUMN measurement TEXT NOT NULL DEFAULT '';
      ALTER TABLE influx_point ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';
      ALTER TABLE influx_point ADD COLUMN reason TEXT;
      ALTER TABLE influx_point ADD COLUMN detail TEXT;
      ALTER TABLE influx_point ADD COLUMN dead_at INTEGER;
      DROP INDEX influx_point_age;
      CREATE INDEX influx_point_waiting ON influx_point (seq) WHERE state = 'waiting';
      CREATE INDEX influx_point_age ON influx_point (state, created_at);
    `,
  },
  {
    name: 'influx-003',
    sql: `
      DROP INDEX influx_point_waiting;
      DROP INDEX influx_point_age;
      ALTER TABLE influx_point RENAME TO influx_point_old;
      ${queueTable('influx_point')}
      INSERT INTO influx_point (seq, key, body, state, reason, detail, created_at, dead_at)
        SELECT seq, measurement, line, state, reason, detail, created_at, dead_at FROM influx_point_old ORDER BY seq;
      DROP TABLE influx_point_old;
    `,
  },
  { name: 'influx-004', sql: queueIds(POINT_TABLE) },
]

export interface PointQueueDeps extends QueueDeps {
  readonly server: InfluxServer
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

export interface PointQueue extends InfluxPoints, Service, Pick<DurableQueue<string>, 'waiting' | 'wake'> {}

const BATCH = 500
const GATHER_MS = 1000
const WRITE_TIMEOUT_MS = 60_000
/** An outage is logged again this often. */
const REMINDER_MS = 3_600_000

export function createPointQueue(deps: PointQueueDeps, settings: PointQueueSettings): PointQueue {
  const { server, clock, log, onDead } = deps
  const instants = createInstants()
  let failures = 0
  let loggedAt = 0

  const queue = createDurableQueue<string>(deps, {
    name: 'InfluxDB points',
    table: POINT_TABLE,
    what: 'INFLUXDB: The state of points',
    keyOf: measurementOf,
    order: 'all',
    codec: { encode: (line) => line, decode: (line) => line },
    batch: BATCH,
    gatherMs: settings.gatherMs ?? GATHER_MS,
    retry: settings.retry,
    maxAgeMs: settings.maxAgeMs,
    async send(items, signal) {
      const lines = items.map(({ value }) => ({ line: value }))
      const results = await server.write(lines, AbortSignal.any([signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)]))
      if (!signal.aborted) logOutage(results.find(({ outcome }) => outcome === 'retry'))
      return results
    },
    onDead({ reason, count, detail }) {
      if (reason === 'REJECTED') return onDead?.(count, detail)
      log.error(
        `INFLUXDB: ${count} points were given up because they waited too long for InfluxDB; they can be sent again`,
      )
      onDead?.(count, 'they waited too long')
    },
  })

  /** Logs the begin of an outage, that it goes on, and its end. */
  function logOutage(failed: DeliveryResult | undefined): void {
    if (!failed) {
      if (failures > 0)
        log.info(`INFLUXDB: ${server.description} takes points again, after ${failures} failed attempts`)
      failures = 0
      return
    }
    failures += 1
    if (failures > 1 && clock.now() - loggedAt < REMINDER_MS) return
    loggedAt = clock.now()
    log.warn(`INFLUXDB: ${queue.waiting} points wait for ${server.description}: ${failed.detail}`)
  }

  const lineOf = (point: InfluxPoint) => server.lineOf(point, instants(point, clock.now()))

  return {
    name: queue.name,
    get waiting() {
      return queue.waiting
    },
    async writePoints(points) {
      await queue.add(points.flatMap((point) => lineOf(point) ?? []))
    },
    put(tx, point) {
      const line = lineOf(point)
      if (line !== null) queue.put(tx, line)
    },
    wake: queue.wake,
    async start() {
      const { waiting } = queue
      if (waiting > 0) log.info(`INFLUXDB: ${waiting} points of the last run wait to be written`)
      await queue.start()
    },
    stop: queue.stop,
  }
}

/** The text before the first comma or space that is not escaped, without its backslashes. */
function measurementOf(line: string): string {
  return (/^(?:\\.|[^,\\ ])*/.exec(line)?.[0] ?? '').replace(/\\(.)/g, '$1')
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
