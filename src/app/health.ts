/** The state of the parts, for `/health`. */
import type { Api } from '../api/server.ts'
import type { CheckState, HealthReport } from '../api/system-routes.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { MqttService } from '../mqtt/types.ts'

export interface HealthDeps {
  readonly pipeline: EventPipeline
  readonly api: Api
  readonly mqtt: MqttService | null
  readonly qrsEnabled: boolean
}

/** Unhealthy only when a listener that is switched on is down; what lies outside is listed and never counts. */
export function healthReport({ pipeline, api, mqtt, qrsEnabled }: HealthDeps): HealthReport {
  const { udpListening, qrsReachable } = pipeline.status
  const checks: Record<string, CheckState> = {
    udp: stateOf(udpListening),
    rest: stateOf(api.healthy),
    qrs: stateOf(qrsEnabled ? qrsReachable : null),
    mqtt: stateOf(mqtt ? mqtt.connected : null),
  }
  return { healthy: checks.udp !== 'down' && checks.rest !== 'down', checks }
}

function stateOf(up: boolean | null): CheckState {
  if (up === null) return 'off'
  return up ? 'up' : 'down'
}
