/** Publishes task events to the broker of `mqttConfig`. */
import type { MqttService } from '../../../mqtt/types.ts'
import type { DeliveryResult, Destination, Message } from '../../types.ts'
import { payloadOf } from './routes.ts'

export { type MqttRoutesConfig, mqttRoutes } from './routes.ts'

/** Deliveries wait in the outbox while the broker is away; `delivered` means PUBACK with QoS 1. */
export function createMqttDestination(deps: { mqtt: MqttService }): Destination {
  const { mqtt } = deps
  return {
    name: 'mqtt',
    type: 'mqtt',
    async render({ event, route, target, deliveryId }) {
      const body = payloadOf(route.name, event)
      return { deliveryId, target, subject: null, body, payload: body }
    },
    // All are handed over before the first answer comes, which keeps their order.
    deliver: (batch, signal) => Promise.all(batch.map((message) => publish(mqtt, message, signal))),
    ready: () => mqtt.connected,
    onReady: (listener) => mqtt.onConnected(listener),
  }
}

async function publish(mqtt: MqttService, message: Message, signal: AbortSignal): Promise<DeliveryResult> {
  try {
    await mqtt.publish(message.target, String(message.payload), { signal })
    return { outcome: 'delivered', detail: `published to ${message.target}` }
  } catch (error) {
    const { code, message: detail } = error as { code?: string; message: string }
    return { outcome: code === 'INVALID_TOPIC' ? 'rejected' : 'retry', detail }
  }
}
