/** The state of the parts, for `/health`. */

import type { Alerts } from '../alerts/index.ts'
import { destinationState } from '../alerts/outbox/destination-health.ts'
import type { SharedState } from '../cluster/types.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { CheckState } from '../http/contract.ts'
import type { ApiServer } from '../http/server.ts'
import type { HealthReport } from '../http/system.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { DescriptorWatch } from '../platform/descriptors.ts'
import type { StorageGuard } from '../platform/storage/guard.ts'
import type { StorageState } from '../platform/storage/states.ts'
import { clusterHealth } from './cluster-http.ts'

export interface HealthDeps {
  readonly alerts: Pick<Alerts, 'destinations' | 'health'>
  readonly pipeline: Pick<EventPipeline, 'status'>
  readonly rest: Pick<ApiServer, 'healthy'>
  readonly mqtt: MqttService | null
  readonly influx: { readonly server: Pick<InfluxServer, 'takesPoints'> | null }
  readonly storage: { readonly guard: Pick<StorageGuard, 'state'> }
  readonly shared: Pick<SharedState, 'status' | 'clock'>
  readonly descriptors: Pick<DescriptorWatch, 'problem'>
  /** Rights that QRS denies. */
  readonly qlik: { refusals(): readonly string[] }
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
  /** States of the features that need custom properties of Qlik Sense. */
  readonly properties: { states(): Readonly<Record<string, CheckState>> }
}

const VITAL = ['udp', 'rest', 'database', 'cluster']

/**
 * Unhealthy only when an enabled listener or the database is down, or a node has lost its cluster; failures of other systems
 * never count.
 */
export function healthReport(deps: HealthDeps): HealthReport {
  const { pipeline, rest, mqtt, qrsConnection, properties } = deps
  const { udpListening, qrsReachable, journal } = pipeline.status
  const database = storageOf(deps.storage.guard.state, journal)
  const descriptors = deps.descriptors.problem
  const { status, clock } = deps.shared
  const cluster = clusterHealth(status, clock.now())
  const influxdb = influxOf(deps)
  const refusals = qrsConnection ? deps.qlik.refusals() : []
  const checks: Record<string, CheckState> = {
    udp: stateOf(udpListening),
    rest: stateOf(rest.healthy),
    // A server that refuses is not away.
    qrs: refusals.length > 0 ? 'degraded' : stateOf(qrsConnection ? qrsReachable : null),
    mqtt: stateOf(mqtt ? mqtt.connected : null),
    influxdb: influxdb.state,
    database: database.state,
    ...(cluster && { cluster: cluster.state }),
    ...(descriptors !== null && { descriptors: 'degraded' }),
    ...properties.states(),
  }
  const reasons = {
    ...(refusals.length > 0 && { qrs: refusals.join('; ') }),
    ...(influxdb.reason !== '' && { influxdb: influxdb.reason }),
    ...(database.reason !== '' && { database: database.reason }),
    ...(cluster && cluster.reason !== '' && { cluster: cluster.reason }),
    ...(descriptors !== null && { descriptors }),
  }
  return {
    healthy: VITAL.every((part) => checks[part] !== 'down'),
    checks,
    ...(Object.keys(reasons).length > 0 && { reasons }),
  }
}

/** The database takes the points of the monitors, and those of the events as the destination `influxdb`. Points wait on disk. */
function influxOf({ influx, alerts }: HealthDeps): { readonly state: CheckState; readonly reason: string } {
  if (!influx.server) return { state: 'off', reason: '' }
  const destination = alerts.destinations.get('influxdb')
  const { state } = destination ? destinationState(alerts.health, destination) : { state: 'up' }
  if (state === 'refuses') return { state: 'degraded', reason: 'the last points of an event were refused' }
  return { state: influx.server.takesPoints && state === 'up' ? 'up' : 'degraded', reason: '' }
}

/** The worse state of both databases, and the number of messages that wait in memory. */
function storageOf(main: StorageState, journal: EventPipeline['status']['journal']): StorageState {
  const worse = RANK.indexOf(journal.state) > RANK.indexOf(main.state) ? journal : main
  const { state, reason } = worse
  if (journal.inMemory === 0) return { state, reason }
  return { state, reason: `${reason}. ${journal.inMemory} messages of Qlik Sense wait in memory`.replace(/^\. /, '') }
}

const RANK: readonly StorageState['state'][] = ['up', 'degraded', 'down']

function stateOf(up: boolean | null): CheckState {
  if (up === null) return 'off'
  return up ? 'up' : 'down'
}
