/** Small pieces between the parts: how they start and stop, and what they announce. */

import type { Cloud } from '../events/cloud/index.ts'
import type { EventRouter } from '../events/router.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Service } from '../platform/types.ts'
import type { Alerts } from './alerts.ts'
import type { Observers } from './observers.ts'
import type { Config } from './schema.ts'

export function outboxService({ outbox }: Alerts): Service {
  return { name: 'outbox', start: async () => outbox.start(), stop: outbox.stop }
}

/** The router, announcing every event that arrives, and every one that waits for data no longer. */
export function observed(router: EventRouter, { announce }: Observers): EventRouter {
  const [arrived, enriched] = [announce('event'), announce('enriched')]
  return {
    ...router,
    routeArrival(db, event) {
      router.routeArrival(db, event)
      arrived(event)
    },
    routeEnriched(db, event, resumed) {
      router.routeEnriched(db, event, resumed)
      enriched(event)
    },
  }
}

/** The brokers that are to be connected, by address. */
export function brokersOf({ mqttConfig }: Config, mqtt: MqttService | null, cloud: Cloud | null) {
  return {
    ...(mqtt && { [`${mqttConfig.brokerHost}:${mqttConfig.brokerPort}`]: mqtt }),
    ...(cloud && { [cloud.broker]: cloud.mqtt }),
  }
}
