/** The broker connection, messages that go out over REST, and the store of received messages. */

import { readFile } from 'node:fs/promises'
import type { SharedState } from '../cluster/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { purgeDeadLetters, replayDeadLetters } from '../platform/durable-queue-store.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { createMqttService, type MqttBroker, type MqttClientSettings } from './client.ts'
import type { FootmanMqttConfig, MqttConfig } from './config.ts'
import { type PublishDeps, publishRoutes, receivedRoutes } from './http.ts'
import { createMqttOutgoing, OUTGOING_TABLE, outgoingMigrations } from './outgoing.ts'
import { createReceived, createReceivedStore, receivedMigrations } from './received.ts'
import type { MqttOutgoing, MqttService } from './types.ts'

export const messageMigrations = [...outgoingMigrations, ...receivedMigrations]

interface MqttDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly paths: ConfigPaths
  readonly on: { mqttMessage(direction: 'in' | 'out'): void }
  /** A node without duties publishes what it delivers, and takes no messages: they wait at the broker for the node that leads. */
  readonly shared: Pick<SharedState, 'runsDuties' | 'status'>
}

interface MqttSettings {
  readonly mqttConfig: MqttConfig
  readonly footman: { readonly mqtt: FootmanMqttConfig; readonly node: { readonly role: 'primary' | 'satellite' } }
}

/** The broker connection; null when MQTT is not configured. It hands messages over once its intake is started. */
export function createMqtt(
  { log, clock, paths, on, shared }: MqttDeps,
  { mqttConfig, footman }: MqttSettings,
  shadow: boolean,
): MqttBroker | null {
  if (!mqttConfig.enable) return null
  if (shadow) return shadowMqtt()
  return createMqttService(
    { log, clock, readFile: (path) => readFile(paths.input(path), 'utf8'), observe: on.mqttMessage },
    { mqttConfig, mqtt: footman.mqtt, waits: true, ...intakeOf(shared, footman.node.role) },
  )
}

function intakeOf(
  { runsDuties, status }: MqttDeps['shared'],
  role: 'primary' | 'satellite',
): Pick<MqttClientSettings, 'takes' | 'node'> {
  const takes = !runsDuties ? 'nothing' : role === 'satellite' ? 'topics' : 'all'
  return { takes, ...(status && { node: status.node }) }
}

/** In shadow mode there is no connection: a second client could disturb the live one. */
function shadowMqtt(): MqttBroker {
  return {
    name: 'mqtt (shadow)',
    connected: false,
    onConnected: () => {},
    publish: () => Promise.reject(new Error('shadow mode: nothing is published')),
    publishStatus: () => {},
    onMessage: () => {},
    intake: { name: 'mqtt intake (shadow)', start: async () => {}, stop: async () => {} },
    start: async () => {},
    stop: async () => {},
  }
}

/** Sections of the configuration that messages read. */
interface MessagesSettings {
  readonly mqttConfig: MqttConfig
  readonly startTaskFilter: { readonly enable: boolean }
  readonly footman: {
    readonly mqtt: FootmanMqttConfig
    readonly startFilter: { readonly appliesTo: readonly string[] }
    readonly retention: { readonly events: number }
    readonly delivery: {
      readonly retryFirst: number
      readonly retryMax: number
      readonly maxAge: number
      readonly maxBacklog: number
      readonly concurrency: number
    }
  }
}

interface MessagesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
}

interface Messages {
  /** The endpoints. `admit` throws a `Refusal` when the caller may not publish a message, as it starts what it may not start. */
  api(admit: PublishDeps['admit']): { readonly routes: readonly ApiRoute[] }
  /** Null when MQTT is not configured. */
  readonly outgoing: MqttOutgoing | null
  /** The broker to be connected, by address; empty when MQTT is not configured. */
  readonly brokers: Readonly<Record<string, Pick<MqttService, 'connected'>>>
  /** Must stop before the broker connection. */
  readonly backends: readonly Service[]
  readonly observers: { udpStatus(status: string): void; workMayWait(): void }
  readonly pruning: readonly Pruning[]
  /** Messages that were given up; null when MQTT is not configured. */
  readonly deadLetters: {
    readonly destination: string
    /** Runs in a transaction; returns how many wait again. */
    resend(db: Database, filter: Parameters<typeof replayDeadLetters>[2], now: number): number
    wake(): void
  } | null
}

export function createMessages(deps: MessagesDeps, config: MessagesSettings, shadow: boolean): Messages {
  const { mqttConfig, startTaskFilter, footman } = config
  const outgoing = buildOutgoing(deps, config)
  const received = buildReceived(deps, config)
  const bypassesFilter = startTaskFilter.enable && !footman.startFilter.appliesTo.includes('mqtt')
  return {
    outgoing,
    api: (admit) => ({
      routes: [
        ...publishRoutes(
          { outgoing, ...(admit && { admit }) },
          { closedTopics: bypassesFilter ? [mqttConfig.taskStartTopic] : [], shadow },
        ),
        ...(received?.routes ?? []),
      ],
    }),
    brokers: deps.mqtt ? { [`${mqttConfig.brokerHost}:${mqttConfig.brokerPort}`]: deps.mqtt } : {},
    backends: [...(outgoing ? [outgoing] : []), ...(received ? [received.service] : [])],
    observers: {
      udpStatus: (status) => deps.mqtt?.publishStatus(mqttConfig.taskFailureServerStatusTopic, status),
      workMayWait: () => outgoing?.wake(),
    },
    pruning: [
      {
        keepMs: footman.retention.events,
        purge: (db, before, limit) => purgeDeadLetters(db, OUTGOING_TABLE, before, limit),
      },
    ],
    deadLetters: outgoing && {
      destination: 'mqtt',
      resend: (db, filter, now) => replayDeadLetters(db, OUTGOING_TABLE, filter, now),
      wake: outgoing.wake,
    },
  }
}

function buildOutgoing({ mqtt, db, writer, clock, log }: MessagesDeps, { footman: { delivery } }: MessagesSettings) {
  if (!mqtt) return null
  return createMqttOutgoing(
    { mqtt, db, writer, clock, log },
    {
      retry: { firstMs: delivery.retryFirst, maxMs: delivery.retryMax },
      maxAgeMs: delivery.maxAge,
      maxBacklog: delivery.maxBacklog,
      concurrency: delivery.concurrency,
    },
  )
}

/** Null when no messages are kept; there is no endpoint then. */
function buildReceived({ mqtt, clock, log, ...storage }: MessagesDeps, { footman }: MessagesSettings) {
  const { receivedTopics, receivedKeep, receivedMaxPerTopic } = footman.mqtt
  if (!mqtt || receivedTopics.length === 0) return null
  const store = createReceivedStore(storage, { maxPerTopic: receivedMaxPerTopic })
  return {
    routes: receivedRoutes({ store, clock }),
    service: createReceived({ mqtt, store, clock, log }, { receivedTopics, receivedKeep }),
  }
}
