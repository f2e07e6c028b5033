/** The broker of `mqttConfig`: keeps one connection up for ever and hands messages in and out. */

import { randomBytes } from 'node:crypto'
import { backoffDelay } from '../platform/backoff.ts'
import { within } from '../platform/deadline.ts'
import { errorText } from '../platform/errors.ts'
import { mayReach, topicMatches, topicProblem } from '../platform/mqtt-topics.ts'
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
import { createIntake, type MqttIntake } from './intake.ts'
import type { MqttService } from './types.ts'

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

/**
 * Nothing is published while there is no connection, and nothing is kept for later apart from the latest status per
 * topic: waiting and trying again is the caller's business.
 */
export function createMqttService(deps: MqttDeps, wanted: MqttClientSettings): MqttBroker {
  const { clock } = deps
  const settings = wanted.takes === 'nothing' ? withoutSession(wanted) : wanted
  const log = deps.log.child('mqtt')
  const { mqttConfig, mqtt } = settings
  const broker = `${mqttConfig.brokerHost}:${mqttConfig.brokerPort}`
  const clientId = clientIdOf(settings)
  const connectedText = (id: string) => `Connected to MQTT broker ${broker} with client ID ${id}`
  const outage = createOutageLog({ log, clock })
  const intake = createIntake({ log, observe: deps.observe }, settings)
  const statuses = createStatuses(log, (topic, payload) =>
    send(topic, payload, { qos: mqtt.qos, retain: false, mayStartTasks: true }),
  )
  const retries = createRetries(settings.retryFirstMs ?? 1000, () => void attempt())
  const listeners: (() => void)[] = []
  let connection: Connection | null = null
  let running = false

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
        message: intake.take,
        closed: (reason) => lost(reason, clock.now() - since),
      })
      since = clock.now()
      return opened
    } catch (error) {
      if (!running) return null
      const delay = retries.again(pauseMs)
      outage.failed(
        `MQTT: Cannot connect to broker ${broker}: ${errorText(error)}. Next attempt in ${seconds(delay)} s.`,
      )
      return null
    }
  }

  function lost(reason: string, livedMs: number): void {
    connection = null
    if (!running) return
    if (livedMs >= STABLE_MS) retries.reset()
    const delay = retries.again()
    outage.failed(`MQTT: Lost broker ${broker}: ${reason}. Next attempt in ${seconds(delay)} s.`)
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
    await Promise.all([status, ...intake.filters.map((filter) => subscribe(opened, filter))])
    if (connection !== opened) return
    statuses.follow(opened)
    for (const listener of listeners) listener()
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

  return {
    name: 'mqtt',
    get connected() {
      return connection !== null
    },
    onConnected: (listener) => void listeners.push(listener),
    onMessage(filter, handler) {
      const isNew = intake.add(filter, handler)
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
      if (topic !== '') statuses.set(topic, payload, connection)
    },
    intake: intake.service,
    async start() {
      running = true
      warnAboutStartTopic(settings, log)
      void attempt()
    },
    async stop(graceMs) {
      running = false
      retries.stop()
      const open = connection
      if (!open) return
      statuses.follow(open)
      await within(statuses.idle(), graceMs / 2, () => undefined)
      connection = null
      await open.end(graceMs / 2)
    },
  }
}

/** The pauses between attempts to connect, which grow until a connection has lasted. */
function createRetries(firstMs: number, attempt: () => void) {
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    /** Returns the milliseconds until the next attempt. */
    again(floorMs = 0): number {
      failures += 1
      const delay = Math.max(floorMs, backoffDelay(failures, { firstMs, maxMs: RETRY_MAX_MS, jitter: 0 }))
      timer = setTimeout(attempt, delay)
      return delay
    },
    reset(): void {
      failures = 0
    },
    stop: () => clearTimeout(timer),
  }
}

/** The latest status per topic: all of them are published once on each connection, and later ones as they come. */
function createStatuses(log: Logger, publish: (topic: string, payload: string) => Promise<void>) {
  const latest = new Map<string, string>()
  const writes = new Set<Promise<void>>()
  /** The connection on which those known so far have been published. */
  let writtenOn: Connection | null = null

  function write(topic: string, payload: string): void {
    const writing = publish(topic, payload)
      // The next connection sends it again.
      .catch((error: unknown) =>
        log.debug(`MQTT: Status on ${topic} waits for the next connection: ${errorText(error)}`),
      )
      .finally(() => writes.delete(writing))
    writes.add(writing)
  }

  return {
    set(topic: string, payload: string, connection: Connection | null): void {
      latest.set(topic, payload)
      if (connection && connection === writtenOn) write(topic, payload)
    },
    follow(opened: Connection): void {
      if (writtenOn === opened) return
      writtenOn = opened
      for (const [topic, payload] of latest) write(topic, payload)
    },
    idle: () => Promise.all(writes),
  }
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
