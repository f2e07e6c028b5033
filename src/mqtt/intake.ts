/** The messages that come in: the topics that are subscribed to, and the handlers that take them. */
import { errorText } from '../platform/errors.ts'
import { filterCovers, topicMatches } from '../platform/mqtt-topics.ts'
import type { Logger, Service } from '../platform/types.ts'
import type { BrokerSettings } from './connection.ts'
import type { IncomingMessage, MessageHandler } from './types.ts'

export type MqttIntake = 'all' | 'topics' | 'nothing'

interface IntakeDeps {
  readonly log: Logger
  readonly observe: ((direction: 'in') => void) | undefined
}

interface IntakeSettings extends Pick<BrokerSettings, 'mqttConfig' | 'mqtt'> {
  readonly takes?: MqttIntake
  readonly waits?: boolean
}

interface Intake {
  /** Topics to subscribe to. */
  readonly filters: readonly string[]
  /** True: the filter has to be subscribed to. */
  add(filter: string, handler: MessageHandler): boolean
  readonly take: MessageHandler
  /** Messages wait for its start, and stay at the broker after its stop. */
  readonly service: Service
}

const LOGGED_PAYLOAD = 1000

export function createIntake({ log, observe }: IntakeDeps, settings: IntakeSettings): Intake {
  const { takes = 'all', waits = false, mqtt, mqttConfig } = settings
  const handlers: { filter: string; handler: MessageHandler }[] = []
  const started = Promise.withResolvers<void>()
  if (!waits) started.resolve()
  let leavesMessages = false

  function subscriptions(): readonly string[] {
    const wanted = handlers.map(({ filter }) => filter)
    return takes === 'nothing' ? [] : subscriptionsFor(settings, wanted, takes === 'all')
  }

  async function take(message: IncomingMessage): Promise<void> {
    observe?.('in')
    if (log.enabled('verbose')) {
      log.verbose(`MQTT: Message received. Topic: ${message.topic}, payload: ${excerpt(message.payload)}`)
    }
    await started.promise
    if (leavesMessages && message.qos > 0) throw new Error('Footman stops; the message stays at the broker')
    const wanted = handlers.filter(({ filter }) => topicMatches(filter, message.topic))
    try {
      if (takes === 'nothing') throw new Error('this node takes no messages, the one that leads does')
      await Promise.all(wanted.map(({ handler }) => handler(message)))
    } catch (error) {
      log.error(`MQTT: Message on ${message.topic} was not taken and stays unacknowledged: ${errorText(error)}`)
      throw error
    }
  }

  return {
    get filters() {
      return subscriptions()
    },
    add(filter, handler) {
      const isKnown = handlers.some((one) => one.filter === filter)
      handlers.push({ filter, handler })
      return !isKnown && subscriptions().includes(filter)
    },
    take,
    service: {
      name: 'mqtt intake',
      start: async () => started.resolve(),
      async stop() {
        leavesMessages = !mqtt.cleanSession && !mqttConfig.azureEventGrid.enable
      },
    },
  }
}

/**
 * Topics to subscribe to: what the features want, and on a node that takes start requests the root topic, or with a shared group only the start topic through a shared subscription
 * (the root topic as well would deliver each request twice).
 */
export function subscriptionsFor(
  settings: Pick<BrokerSettings, 'mqttConfig' | 'mqtt'>,
  wanted: readonly string[],
  takesStarts = true,
): readonly string[] {
  const { subscriptionRootTopic: root, taskStartTopic } = settings.mqttConfig
  const start = takesStarts ? taskStartTopic : ''
  const group = settings.mqtt.sharedGroup
  const shared = group !== '' && start !== ''
  const plain = [...(shared || !takesStarts ? [] : [root, start]), ...wanted].filter(
    (filter) => filter !== '' && !(shared && filter === start),
  )
  const needed = plain.filter((filter, index) =>
    plain.every((other, at) => at === index || !filterCovers(other, filter) || (other === filter && at > index)),
  )
  return shared ? [`$share/${group}/${start}`, ...needed] : needed
}

function excerpt(payload: Uint8Array): string {
  const whole = Buffer.from(payload.subarray(0, LOGGED_PAYLOAD)).toString('utf8')
  return payload.length > LOGGED_PAYLOAD ? `${whole}... (${payload.length} bytes)` : whole
}
