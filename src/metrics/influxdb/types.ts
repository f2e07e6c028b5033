/** Points for InfluxDB, as the features that measure something hand them over. */
import type { DeliveryResult } from '../../alerts/types.ts'
import type { Database } from '../../platform/sqlite.ts'

export type { InfluxDbConfig } from '../config.ts'

/** A number becomes a float, which is what the dashboards expect; `{ integer }` a whole number. */
export type FieldValue = number | string | boolean | { readonly integer: number }

/** Absent, null, NaN and infinite values are left out, empty tags too; a point without fields is not written. */
export interface InfluxPoint {
  readonly measurement: string
  /** Without the tags of `Butler.influxDb.tag.static`, which every point gets; a tag here wins over one of those. */
  readonly tags: Readonly<Record<string, string | number | boolean | null | undefined>>
  readonly fields: Readonly<Record<string, FieldValue | null | undefined>>
  /** When it was measured, milliseconds since 1970; default: now. */
  readonly time?: number
}

/** Null instead of it = InfluxDB is switched off. */
export interface InfluxPoints {
  /**
   * Resolves when the points are on disk; they are written to InfluxDB as soon as it takes them, also after a restart,
   * and given up when they are older than `Butler.footman.delivery.influxDbMaxAge`. Never waits for InfluxDB, never
   * rejects because of it; rejects only when the points cannot be stored.
   */
  writePoints(points: readonly InfluxPoint[]): Promise<void>
  /** Stores it within a transaction of the caller. */
  put(tx: Database, point: InfluxPoint): void
}

/** A line of the line protocol, ready to be written. */
export interface WritableLine {
  readonly line: string
  /** The same point without the tags that come from Qlik Sense, for databases that take no new tags; absent = none. */
  readonly bare?: () => string | null
}

/** The database of `Butler.influxDb`. */
export interface InfluxServer {
  /** `database "butler" at http://influx:8086`; no secrets. */
  readonly description: string
  /** The point with the tags of the whole installation; null when it has no field. */
  lineOf(point: InfluxPoint, nanoseconds: bigint): string | null
  /** Whether it took the last points that it was given. */
  readonly takesPoints: boolean
  /**
   * One result per line, in order. `rejected` is the point's own fault, its neighbours are written all the same. Never
   * rejects, never retries by itself.
   */
  write(lines: readonly WritableLine[], signal: AbortSignal): Promise<readonly DeliveryResult[]>
}
