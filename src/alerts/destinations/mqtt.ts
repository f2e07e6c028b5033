/** MQTT: publishes events to a topic of the broker of `mqttConfig`. */
import { choice, flag, requiredText } from '../../config/fields.ts'
import type { ServiceDetails, TaskEvent } from '../../events/types.ts'
import type { MqttService } from '../../mqtt/types.ts'
import { topicProblem } from '../../platform/mqtt-topics.ts'
import type { QrsCustomProperty, QrsNamed } from '../../qlik/qrs/types.ts'
import { correlationKey } from '../message-text/labels.ts'
import type { TemplateContext, TemplateEngine } from '../templates/engine.ts'
import type { DeliveryResult, Destination, Message, TargetedDestination } from '../types.ts'
import { problemsIn, type SettingsOf } from './settings.ts'
import { type DestinationDeps, type DestinationType, TEXT_NEEDS } from './types.ts'

const config = () => ({
  topic: requiredText('Template of the topic.').meta({
    label: 'Topic',
    hint: 'Like qlik/alerts/{{taskName}}. The broker is that of the configuration file.',
  }),
  message: choice('Content of the message.', ['full', 'short', 'body'], 'full').meta({
    label: 'Content',
    hint: 'Sent as the message.',
    texts: { full: 'the whole event as JSON', short: 'the name of the task', body: 'the text of the alert' },
  }),
  retain: flag('Let the broker keep the message.').meta({ label: 'Retained', advanced: true }),
})
type Settings = SettingsOf<typeof config>

export const mqtt: DestinationType<typeof config> = {
  title: 'MQTT',
  about: 'Messages to a topic of the broker that Footman is connected to.',
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

/** Characters of a message that may be why the broker ends connections. */
const LARGE = 4096
const MOST_LOSSES = 3
const LOSSES_KEPT = 1000

interface MqttPayload {
  readonly topic: string
  readonly body: string
}

function createMqttDestination(
  settings: Settings,
  { texts, engine, mqtt }: DestinationDeps,
  name: string,
): TargetedDestination {
  return {
    name,
    type: 'mqtt',
    needs: TEXT_NEEDS,
    // Subscribers get the messages about one task in order.
    targets: (event) => [{ target: settings.topic, lane: name, orderKey: `${name} ${correlationKey(event)}` }],
    async render(input) {
      const text = await texts.write(input, settings)
      const body = { full: fullPayload, short: shortPayload, body: () => text.text }[settings.message](input.event)
      const payload: MqttPayload = { topic: topicOf(engine, name, settings.topic, text.variables), body }
      return { deliveryId: input.deliveryId, target: input.target, subject: payload.topic, body, payload }
    },
    ...publishing(mqtt, settings.retain),
  }
}

/**
 * How messages whose payload is an `MqttPayload` are sent; without a broker they wait for a change of the configuration.
 * All are handed over before the first answer comes, which keeps their order.
 */
export function publishing(
  mqtt: MqttService | null,
  retain?: boolean,
): Pick<Destination, 'deliver' | 'ready' | 'onReady'> {
  /** How often the connection was lost over a large message. */
  const losses = new Map<string, number>()

  /** A broker of MQTT 3.1.1 does not answer that a message is too large: it ends the connection each time. */
  function isTooLarge(deliveryId: string, body: string): boolean {
    if (body.length < LARGE) return false
    const count = (losses.get(deliveryId) ?? 0) + 1
    if (losses.size >= LOSSES_KEPT) losses.clear()
    losses.set(deliveryId, count)
    return count >= MOST_LOSSES
  }

  async function publish({ deliveryId, payload }: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const { topic, body } = payload as MqttPayload
    if (!mqtt) return { outcome: 'retry', detail: 'Butler.mqttConfig.enable is false: there is no broker', slow: true }
    const wasConnected = mqtt.connected
    try {
      await mqtt.publish(topic, body, { retain, signal })
      losses.delete(deliveryId)
      return { outcome: 'delivered', detail: `published to ${topic}` }
    } catch (error) {
      const { code, message: detail } = error as { code?: string; message: string }
      if (code === 'INVALID_TOPIC') return { outcome: 'rejected', detail }
      const tooLarge = code === 'NOT_CONNECTED' && wasConnected && isTooLarge(deliveryId, body)
      return tooLarge ? { outcome: 'rejected', detail, tooLarge } : { outcome: 'retry', detail }
    }
  }
  return {
    deliver: (batch, signal) => Promise.all(batch.map((message) => publish(message, signal))),
    ...(mqtt ? { ready: () => mqtt.connected, onReady: (listener: () => void) => mqtt.onConnected(listener) } : {}),
  }
}

/** Signs of a name that would be a wildcard become `_`. Throws when the result is no topic to publish to. */
function topicOf(engine: TemplateEngine, name: string, topic: string, variables: TemplateContext): string {
  const template = { kind: 'inline', name: `topic of destination ${name}`, text: topic } as const
  const made = engine.render(template, variables, 'line').replace(/[+#]/g, '_')
  const problem = topicProblem(made)
  if (problem) throw new Error(`the topic cannot be used: ${problem}`)
  return made
}

/** The name of the task, plain text. */
export function shortPayload(event: TaskEvent): string {
  return event.taskName
}

/** The whole event as compact JSON. Unknown parts are an empty list or left out. */
export function fullPayload(event: TaskEvent): string {
  return JSON.stringify({
    hostName: event.host,
    user: event.user.replaceAll('\\\\', '\\'),
    taskName: event.taskName,
    taskId: event.taskId,
    appName: event.appName,
    appId: event.appId,
    logTimeStamp: event.logTimeStamp,
    logLevel: event.logLevel,
    executionId: event.executionId,
    logMessage: event.logMessage,
    qs_appTags: names(event.app?.tags),
    qs_appCustomProperties: properties(event.app?.customProperties),
    qs_taskTags: names(event.task?.tags),
    qs_taskCustomProperties: properties(event.task?.customProperties),
    qs_appMetadata: event.app ?? undefined,
    qs_taskMetadata: event.task ?? undefined,
  })
}

/** A service whose state has changed. The two names change places in the message about a service that runs. */
export function serviceChangePayload({ host, details, outcome }: TaskEvent): string {
  if (details?.kind !== 'service') throw new Error('the event says nothing about a service')
  const { friendlyName: serviceFriendlyName, displayName: serviceDisplayName } = details
  const names =
    outcome === 'started' ? { serviceDisplayName, serviceFriendlyName } : { serviceFriendlyName, serviceDisplayName }
  return JSON.stringify({
    serviceHost: host,
    serviceName: details.serviceName,
    ...names,
    ...restOf(details),
    servicePrevStatus: details.previousStatus,
    serviceStatusChanged: true,
  })
}

/** The state of a service, published at every check. */
export function serviceStatusPayload(host: string, details: ServiceDetails): string {
  return JSON.stringify({
    serviceHost: host,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceFriendlyName: details.friendlyName,
    ...restOf(details),
  })
}

function restOf({ dependencies, startType, exePath, status }: ServiceDetails) {
  return {
    serviceDependencies: dependencies,
    serviceStartType: startType,
    serviceExePath: exePath,
    serviceStatus: status,
  }
}

/** Date and days are null when the licence never ends. */
export function licenseStatusPayload({ details }: TaskEvent): string {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const { expired, expiryDate, daysRemaining } = details
  const expiryDateStr = expiryDate?.slice(0, 10) ?? null
  return JSON.stringify({ licenseExpired: expired, expiryDateStr, daysUntilExpiry: daysRemaining })
}

/** Plain text. */
export function licenseAlertPayload({ details, outcome }: TaskEvent): string {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const date = details.expiryDate?.slice(0, 10) ?? 'an unknown date'
  if (outcome === 'expired') return `Qlik Sense server license expired on ${date}`
  return `Qlik Sense server license is about to expire in ${details.daysRemaining} days, on ${date}`
}

const names = (tags: readonly QrsNamed[] = []) => tags.map((tag) => tag.name)
const properties = (list: readonly QrsCustomProperty[] = []) =>
  list.map(({ definition, value }) => ({ name: definition.name, value }))
