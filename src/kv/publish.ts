/** Tells the broker what changes: `<mqttTopic>/<namespace>/<key>`, both percent-encoded. */
import type { MqttOutgoing } from '../mqtt/types.ts'
import { mayReach, topicProblem } from '../platform/mqtt-topics.ts'
import type { Logger } from '../platform/types.ts'
import type { Change } from './types.ts'

/** A listener for the store's changes. The messages wait for the broker on disk, in order. */
export function createChangePublisher(
  { outgoing, log }: { readonly outgoing: Pick<MqttOutgoing, 'send'>; readonly log: Logger },
  settings: { readonly mqttTopic: string; readonly startTopic: string },
): (change: Change) => void {
  let failing = false

  async function publish({ event, ...data }: Change): Promise<void> {
    const topic = [settings.mqttTopic, encodeURIComponent(data.namespace), encodeURIComponent(data.key)].join('/')
    const problem = topicProblem(topic) ?? (mayReach(settings.startTopic, topic) ? 'the topic starts tasks' : null)
    if (problem) return failed(`${problem}: ${topic.slice(0, 100)}`)
    const result = await outgoing.send({ topic, payload: JSON.stringify({ ...data, event }) })
    if (result === 'full') return failed('too many messages wait for the broker')
    failing = false
  }

  /** Said once, until a message goes through again. */
  function failed(reason: string): void {
    if (!failing) log.error(`KEYVALUE: Changes are not published to MQTT: ${reason}`)
    failing = true
  }

  return (change) => void publish(change).catch((error: unknown) => failed(String(error)))
}
