/** Publishes events to a topic of the broker of `mqttConfig`. */
import { choice, flag, requiredText } from '../../config/fields.ts'
import { topicProblem } from '../../platform/mqtt-topics.ts'
import type { TemplateEngine, TemplateRecord } from '../templates/engine.ts'
import { correlationKey } from '../texts/words.ts'
import type { DeliveryResult, Message, NamedDestination } from '../types.ts'
import { fullPayload, shortPayload } from './mqtt/payloads.ts'
import { problemsIn } from './setting-problem.ts'
import type { SettingsOf } from './settings.ts'
import { type DestinationDeps, type DestinationType, TEXT_NEEDS } from './types.ts'

interface MqttPayload {
  readonly topic: string
  readonly body: string
}

const config = () => ({
  topic: requiredText('Template of the topic.'),
  message: choice('What is published.', ['full', 'short', 'body'], 'full'),
  retain: flag('Let the broker keep the message.'),
})
type Settings = SettingsOf<typeof config>

export const mqtt: DestinationType<typeof config> = {
  purpose: 'record',
  config,
  problem: ({ topic }) =>
    /[+#]/.test(topic.replace(/\{\{.*?\}\}|<%.*?%>/gs, '')) ? ['topic', 'must not hold the wildcards + and #'] : null,
  check: async ({ topic }, { engine, config, name, sample }) => [
    ...(config.mqttConfig.enable ? [] : ([['type', 'needs a broker: Butler.mqttConfig.enable is false']] as const)),
    ...(await problemsIn('topic', async () => {
      topicOf(engine, name, topic, (await sample()).text.variables)
    })),
  ],
  server: () => null,
  create: createMqttDestination,
}

function createMqttDestination(
  settings: Settings,
  { texts, engine, mqtt }: DestinationDeps,
  name: string,
): NamedDestination {
  async function publish({ payload }: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const { topic, body } = payload as MqttPayload
    if (!mqtt) return { outcome: 'retry', detail: 'Butler.mqttConfig.enable is false: there is no broker', slow: true }
    try {
      await mqtt.publish(topic, body, { retain: settings.retain, signal })
      return { outcome: 'delivered', detail: `published to ${topic}` }
    } catch (error) {
      const { code, message: detail } = error as { code?: string; message: string }
      return { outcome: code === 'INVALID_TOPIC' ? 'rejected' : 'retry', detail }
    }
  }

  return {
    name,
    type: 'mqtt',
    needs: TEXT_NEEDS,
    // What subscribers see about one task stays in order.
    targets: (event) => [{ target: settings.topic, lane: name, orderKey: `${name} ${correlationKey(event)}` }],
    async render(input) {
      const text = await texts.write(input, settings)
      const body = { full: fullPayload, short: shortPayload, body: () => text.text }[settings.message](input.event)
      const payload: MqttPayload = { topic: topicOf(engine, name, settings.topic, text.variables), body }
      return { deliveryId: input.deliveryId, target: input.target, subject: payload.topic, body, payload }
    },
    deliver: (batch, signal) => Promise.all(batch.map((message) => publish(message, signal))),
    ...(mqtt ? { ready: () => mqtt.connected, onReady: (listener: () => void) => mqtt.onConnected(listener) } : {}),
  }
}

/** Signs of a name that would be a wildcard become `_`. Throws when nobody could publish to what comes out. */
function topicOf(engine: TemplateEngine, name: string, topic: string, variables: TemplateRecord): string {
  const template = { kind: 'inline', name: `topic of destination ${name}`, text: topic } as const
  const made = engine.render(template, variables, 'line').replace(/[+#]/g, '_')
  const problem = topicProblem(made)
  if (problem) throw new Error(`the topic cannot be used: ${problem}`)
  return made
}
