/** The broker of `mqttConfig`: keeps one connection up for ever and hands messages in and out. */

import { randomBytes } from 'node:crypto'
import { backoffDelay } from '../platform/backoff.ts'
import { within } from '../platform/deadline.ts'
import { errorText } from '../platform/errors.ts'
import { filterCovers, mayReach, topicMatches, topicProblem } from '../platform/mqtt-topics.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import {
  type BrokerSettings,
  type Connection,
  connectionOptions,
  MqttError,
  openConnection,
  readCertificates,
  STATUS_TOPIC,
} from './connection.ts'
import type { IncomingMessage, MessageHandler, MqttService } from './types.ts'

export interface MqttDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** Called for every message that comes in or that the broker has taken. */
  readonly observe?: (direction: 'in' | 'out') => void
}

export interface MqttClientSettings extends BrokerSettings {
  /** Default 10 s. */
  readonly publishTimeoutMs?: number
  /** First pause between two attempts to connect, doubled up to a minute; default 1 s. */
  readonly retryFirstMs?: number
  /**
   * The messages that this node takes. `all`: start requests too (default). `topics`: only those of `onMessage`. `nothing`: it only
   * publishes, under a client id of its own, so that messages stay in the session of the node that takes them.
   */
  readonly takes?: MqttIntake
  /** Makes the client id of a node that takes nothing one of its own. */
  readonly node?: string
  /** No message is handed over before `intake` is started. Default false. */
  readonly waits?: boolean
}

export type MqttIntake = 'all' | 'topics' | 'nothing'

export interface MqttBroker extends MqttService, Service {
  /**
   * To be started when all that handles messages runs, and stopped before it: messages of other times stay unacknowledged, for
   * the next connection of the session.
   */
  readonly intake: Service
}

const RETRY_MAX_MS = 60_000
/** A connection that lived shorter counts as a failed attempt, so that two clients with one id do not race. */
const STABLE_MS = 10_000
const CERTIFICATE_RETRY_MS = 60_000
const LOGGED_PAYLOAD = 1000

/**
 * Nothing is published while there is no connection, and nothing is kept for later apart from the latest status per
 * topic: waiting and trying again is the caller's business.
 */
export function createMqttService(deps: MqttDeps, wanted: MqttClientSettings): MqttBroker {
  const { clock } = deps
  const { takes = 'all' } = wanted
  const settings = takes === 'nothing' ? withoutSession(wanted) : wanted
  const log = deps.log.child('mqtt')
  const { mqttConfig, mqtt } = settings
  const broker = `${mqttConfig.brokerHost}:${mqttConfig.brokerPort}`
  const clientId = clientIdOf(settings)
  const connectedText = (id: string) => `Connected to MQTT broker ${broker} with client ID ${id}`
  const outage = createOutageLog({ log, clock })
  const handlers: { filter: string; handler: MessageHandler }[] = []
  const listeners: (() => void)[] = []
  const statuses = new Map<string, string>()
  const statusWrites = new Set<Promise<void>>()
  let connection: Connection | null = null
  /** The connection on which the statuses known so far have been published. */
  let statusesOn: Connection | null = null
  let running = false
  let leavesMessages = false
  const taking = Promise.withResolvers<void>()
  if (!wanted.waits) taking.resolve()
  let attempts = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  async function attempt(): Promise<void> {
    const opened = await open()
    if (!opened) return
    if (running) await established(opened)
    else opened.destroy()
  }

  /** Null when it failed; the next attempt is then on its way. */
  async function open(): Promise<Connection | null> {
    let pauseMs = CERTIFICATE_RETRY_MS
    try {
      const certificates = await readCertificates(settings, deps.readFile)
      pauseMs = 0
      let since = 0
      const opened = await openConnection(connectionOptions(settings, clientId, certificates), {
        message: dispatch,
        closed: (reason) => lost(reason, clock.now() - since),
      })
      since = clock.now()
      return opened
    } catch (error) {
      if (!running) return null
      const delay = retryDelay(pauseMs)
      outage.failed(
        `MQTT: Cannot connect to broker ${broker}: ${errorText(error)}. Next attempt in ${seconds(delay)} s.`,
      )
      later(delay)
      return null
    }
  }

  function lost(reason: string, livedMs: number): void {
    connection = null
    if (!running) return
    if (livedMs >= STABLE_MS) attempts = 0
    const delay = retryDelay(0)
    outage.failed(`MQTT: Lost broker ${broker}: ${reason}. Next attempt in ${seconds(delay)} s.`)
    later(delay)
  }

  function retryDelay(floorMs: number): number {
    attempts += 1
    const firstMs = settings.retryFirstMs ?? 1000
    return Math.max(floorMs, backoffDelay(attempts, { firstMs, maxMs: RETRY_MAX_MS, jitter: 0 }))
  }

  function later(delayMs: number): void {
    if (running) timer = setTimeout(() => void attempt(), delayMs)
  }

  async function established(opened: Connection): Promise<void> {
    connection = opened
    outage.over()
    log.info(`MQTT: Connected to broker ${broker} with client ID ${clientId}`)
    const { topic = STATUS_TOPIC, text = connectedText } = settings.status ?? {}
    const status =
      settings.status !== null &&
      send(topic, text(clientId), { qos: 0, retain: mqtt.retainStatus, mayStartTasks: true }).catch(() => {})
    // The subscriptions leave before any message that another part publishes on this connection.
    const filters = subscriptions(handlers.map((one) => one.filter))
    await Promise.all([status, ...filters.map((filter) => subscribe(opened, filter))])
    if (connection !== opened) return
    writeStatuses(opened)
    for (const listener of listeners) listener()
  }

  /** Once for each connection; later ones leave as they come. */
  function writeStatuses(opened: Connection): void {
    if (statusesOn === opened) return
    statusesOn = opened
    for (const [topic, payload] of statuses) writeStatus(topic, payload)
  }

  function subscriptions(filters: readonly string[]): readonly string[] {
    return takes === 'nothing' ? [] : subscriptionsFor(settings, filters, takes === 'all')
  }

  async function subscribe(opened: Connection, filter: string): Promise<void> {
    try {
      await opened.subscribe(filter, mqtt.qos)
      log.verbose(`MQTT: Subscribed to ${filter}`)
    } catch (error) {
      // Without a connection the next one subscribes again; a refusal needs a person.
      if (connection === opened)
        log.error(`MQTT: Cannot subscribe to ${filter}: ${errorText(error)}. Check the broker's access rules.`)
    }
  }

  async function dispatch(message: IncomingMessage): Promise<void> {
    deps.observe?.('in')
    if (log.enabled('verbose')) {
      log.verbose(`MQTT: Message received. Topic: ${message.topic}, payload: ${excerpt(message.payload)}`)
    }
    await taking.promise
    if (leavesMessages && message.qos > 0) throw new Error('Footman stops; the message stays at the broker')
    const wanted = handlers.filter((one) => topicMatches(one.filter, message.topic))
    try {
      if (takes === 'nothing') throw new Error('this node takes no messages, the one that leads does')
      await Promise.all(wanted.map((one) => one.handler(message)))
    } catch (error) {
      log.error(`MQTT: Message on ${message.topic} was not taken and stays unacknowledged: ${errorText(error)}`)
      throw error
    }
  }

  async function send(
    topic: string,
    payload: string | Uint8Array,
    options: { qos: 0 | 1; retain: boolean; signal?: AbortSignal | undefined; mayStartTasks: boolean },
  ): Promise<void> {
    const problem = topicProblem(topic) ?? startProblem(topic, options.mayStartTasks)
    if (problem) throw new MqttError('INVALID_TOPIC', `Invalid MQTT topic: ${problem}`)
    if (!connection) throw new MqttError('NOT_CONNECTED', `Not connected to MQTT broker ${broker}`)
    await connection.publish(topic, payload, { ...options, timeoutMs: settings.publishTimeoutMs ?? 10_000 })
    deps.observe?.('out')
  }

  /** Alerts hold names and texts from outside: on the start topic they would be read as requests. */
  function startProblem(topic: string, allowed: boolean): string | null {
    return !allowed && mayReach(mqttConfig.taskStartTopic, topic) ? `messages to ${topic} start tasks` : null
  }

  function writeStatus(topic: string, payload: string): void {
    const write = send(topic, payload, { qos: mqtt.qos, retain: false, mayStartTasks: true })
      // The next connection sends it again.
      .catch((error: unknown) =>
        log.debug(`MQTT: Status on ${topic} waits for the next connection: ${errorText(error)}`),
      )
      .finally(() => statusWrites.delete(write))
    statusWrites.add(write)
  }

  return {
    name: 'mqtt',
    get connected() {
      return connection !== null
    },
    onConnected: (listener) => void listeners.push(listener),
    onMessage(filter, handler) {
      const filters = handlers.map((one) => one.filter)
      const isNew = !filters.includes(filter) && subscriptions([...filters, filter]).includes(filter)
      handlers.push({ filter, handler })
      if (connection && isNew) void subscribe(connection, filter)
    },
    publish: (topic, payload, options = {}) =>
      send(topic, payload, {
        qos: options.qos ?? mqtt.qos,
        retain: options.retain ?? false,
        signal: options.signal,
        mayStartTasks: options.mayStartTasks ?? false,
      }),
    publishStatus(topic, payload) {
      if (topic === '') return
      statuses.set(topic, payload)
      if (connection && connection === statusesOn) writeStatus(topic, payload)
    },
    intake: {
      name: 'mqtt intake',
      start: async () => taking.resolve(),
      async stop() {
        leavesMessages = !mqtt.cleanSession && !mqttConfig.azureEventGrid.enable
      },
    },
    async start() {
      running = true
      warnAboutStartTopic(settings, log)
      void attempt()
    },
    async stop(graceMs) {
      running = false
      clearTimeout(timer)
      const open = connection
      if (!open) return
      writeStatuses(open)
      await within(Promise.all(statusWrites), graceMs / 2, () => undefined)
      connection = null
      await open.end(graceMs / 2)
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

interface OutageLog {
  failed(message: string): void
  /** Call when connected; quiet unless failures came before. */
  over(): void
}

const REPEAT_MS = 60_000

/** Logs a lost broker once, then at most once a minute, and its return. */
function createOutageLog(deps: { log: Logger; clock: Clock }): OutageLog {
  const { log, clock } = deps
  let since: number | null = null
  let lastLine = 0
  return {
    failed(message) {
      const now = clock.now()
      if (since === null) since = now
      else if (now - lastLine < REPEAT_MS) {
        log.debug(message)
        return
      }
      lastLine = now
      log.error(message)
    },
    over() {
      if (since !== null) log.info(`MQTT: Reconnected after ${Math.round((clock.now() - since) / 1000)} s`)
      since = null
    },
  }
}

/** Under the shared client id the node would end the connection of another one, and take the messages of its session. */
function withoutSession(settings: MqttClientSettings): MqttClientSettings {
  const { mqtt, node = randomBytes(4).toString('hex') } = settings
  const clientId = mqtt.clientId && `${mqtt.clientId}-${node}`
  return { ...settings, mqtt: { ...mqtt, clientId, cleanSession: true } }
}

function clientIdOf({ mqttConfig, mqtt, takes, node }: MqttClientSettings): string {
  const { enable, clientId } = mqttConfig.azureEventGrid
  if (enable) return takes === 'nothing' ? `${clientId}-${node ?? randomBytes(4).toString('hex')}` : clientId
  return mqtt.clientId || `mqttjs_${randomBytes(4).toString('hex')}`
}

function warnAboutStartTopic({ mqttConfig, mqtt, takes }: MqttClientSettings, log: Logger): void {
  const { subscriptionRootTopic: root, taskStartTopic: start } = mqttConfig
  if (start === '' || (takes ?? 'all') !== 'all' || mqtt.sharedGroup || topicMatches(root, start)) return
  log.warn(
    `MQTT: taskStartTopic "${start}" lies outside subscriptionRootTopic "${root}". It is subscribed separately; correct one of the two in mqttConfig.`,
  )
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10

function excerpt(payload: Uint8Array): string {
  const whole = Buffer.from(payload.subarray(0, LOGGED_PAYLOAD)).toString('utf8')
  return payload.length > LOGGED_PAYLOAD ? `${whole}... (${payload.length} bytes)` : whole
}
