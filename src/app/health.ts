/** The state of the parts, for `/health`. */
import type { Api } from '../api/server.ts'
import type { CheckState, HealthReport } from '../api/system-routes.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Database } from '../platform/sqlite.ts'

export interface HealthDeps {
  readonly pipeline: EventPipeline
  readonly api: Api
  readonly mqtt: MqttService | null
  readonly influx: InfluxServer | null
  readonly db: Database
  readonly qrsEnabled: boolean
  /** Features that count on custom properties of Qlik Sense. */
  readonly customProperties?: () => Readonly<Record<string, CheckState>>
}

const VITAL = ['udp', 'rest', 'database']

/** Unhealthy only when a listener that is switched on, or the database, is down; what lies outside never counts. */
export function healthReport(deps: HealthDeps): HealthReport {
  const { pipeline, api, mqtt, influx, db, qrsEnabled, customProperties } = deps
  const { udpListening, qrsReachable } = pipeline.status
  const checks: Record<string, CheckState> = {
    udp: stateOf(udpListening),
    rest: stateOf(api.healthy),
    qrs: stateOf(qrsEnabled ? qrsReachable : null),
    mqtt: stateOf(mqtt ? mqtt.connected : null),
    // Points wait on disk.
    influxdb: influx ? (influx.takesPoints ? 'up' : 'degraded') : 'off',
    database: stateOf(readable(db)),
    ...customProperties?.(),
  }
  return { healthy: VITAL.every((part) => checks[part] !== 'down'), checks }
}

function readable(db: Database): boolean {
  try {
    db.get('SELECT name FROM schema_migration LIMIT 1')
    return true
  } catch {
    return false
  }
}

function stateOf(up: boolean | null): CheckState {
  if (up === null) return 'off'
  return up ? 'up' : 'down'
}
