/** What the monitors need from others. */
import type { EventDetails, EventOutcome } from '../events/types.ts'
import type { InfluxPoint } from '../metrics/influxdb/types.ts'
import type { Database } from '../platform/sqlite.ts'

export type { ServiceMonitorConfig } from './config.ts'
export type { QlikSenseLicenseConfig } from './config-license.ts'

export interface MonitorEvent {
  readonly source: 'monitor'
  readonly type: 'service' | 'license'
  readonly outcome: EventOutcome
  readonly message: { readonly host: string }
  readonly details: EventDetails
}

/**
 * Hands an event to the routes; resolves when it and its deliveries are on disk. `also` runs in the same transaction.
 */
export type EmitMonitorEvent = (event: MonitorEvent, also?: (db: Database, eventId: string) => void) => Promise<string>

/** Resolves when the points are on disk. */
export type WritePoints = (points: readonly InfluxPoint[]) => Promise<void>

export interface NameValue {
  readonly name: string
  readonly value: string
}

export const tagsOf = (list: readonly NameValue[]): Record<string, string> =>
  Object.fromEntries(list.map(({ name, value }) => [name, value]))
