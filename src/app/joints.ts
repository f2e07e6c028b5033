/** Small pieces between the parts: how they start and stop, and what they announce. */

import type { Cloud } from '../events/cloud/index.ts'
import type { Awaited } from '../events/event-router.ts'
import type { TaskEvent } from '../events/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Service } from '../platform/types.ts'
import type { Alerts } from './alerts.ts'
import type { Observers } from './observers.ts'
import { SCHEDULE_CODE } from './schedule-webhook.ts'
import type { Config } from './schema.ts'

export function outboxService({ outbox }: Alerts): Service {
  return { name: 'outbox', start: async () => outbox.start(), stop: outbox.stop }
}

/** Announces events that arrive, and those that wait for data no longer. */
export function announceEvents({ announce }: Observers): (event: TaskEvent, awaited: Awaited) => void {
  const [arrived, enriched] = [announce('event'), announce('enriched')]
  return (event, awaited) => {
    // It only carries the webhook of a schedule.
    if (event.code === SCHEDULE_CODE) return
    if (awaited === 'everything') arrived(event)
    else if (awaited.size === 0) enriched(event)
  }
}

/** The brokers that are to be connected, by address. */
export function brokersOf({ mqttConfig }: Config, mqtt: MqttService | null, cloud: Cloud | null) {
  return {
    ...(mqtt && { [`${mqttConfig.brokerHost}:${mqttConfig.brokerPort}`]: mqtt }),
    ...(cloud && { [cloud.broker]: cloud.mqtt }),
  }
}
