/** Points for InfluxDB, as the features that measure something hand them over. */

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
}
