/** The broker connection, the endpoints that forward messages (MQTT, Slack, New Relic), and the store of received MQTT messages. */

import { readFile } from 'node:fs/promises'
import type { ConfigPaths } from '../config/paths.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { createMqttService } from '../mqtt/client.ts'
import { publishRoutes, receivedRoutes } from '../mqtt/http.ts'
import { createMqttOutgoing, OUTGOING_TABLE, outgoingMigrations } from '../mqtt/outgoing.ts'
import { createReceived, createReceivedStore, receivedMigrations } from '../mqtt/received.ts'
import { createNewRelicSender, newRelicRoutes, slackRoutes } from '../mqtt/relays.ts'
import type { MqttOutgoing, MqttService } from '../mqtt/types.ts'
import { purgeDeadLetters } from '../platform/durable-queue-store.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createHttpClient } from '../platform/http-client.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { createStartPublishing } from '../tasks/start/mqtt.ts'
import { createRequestStore } from '../tasks/start/request-store.ts'
import type { Config } from './schema.ts'

export const messageMigrations = [...outgoingMigrations, ...receivedMigrations]

interface MqttDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly paths: ConfigPaths
  readonly observe?: (direction: 'in' | 'out') => void
}

/** The broker connection; null when MQTT is not configured. */
export function buildMqtt(
  { log, clock, paths, observe }: MqttDeps,
  { mqttConfig, footman }: Config,
  shadow: boolean,
): (MqttService & Service) | null {
  if (!mqttConfig.enable) return null
  if (shadow) return shadowMqtt()
  return createMqttService(
    { log, clock, readFile: (path) => readFile(paths.input(path), 'utf8'), ...(observe && { observe }) },
    { mqttConfig, mqtt: footman.mqtt },
  )
}

/** In shadow mode there is no connection: a second client could disturb the live one. */
function shadowMqtt(): MqttService & Service {
  return {
    name: 'mqtt (shadow)',
    connected: false,
    onConnected: () => {},
    publish: () => Promise.reject(new Error('shadow mode: nothing is published')),
    publishStatus: () => {},
    onMessage: () => {},
    start: async () => {},
    stop: async () => {},
  }
}

interface MessagesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** Looks up the tasks that a message would start. */
  readonly qrs: QrsClient
}

interface Messages {
  readonly routes: readonly ApiRoute[]
  /** Null when MQTT is not configured. */
  readonly outgoing: MqttOutgoing | null
  /** Must stop before the broker connection. */
  readonly services: readonly Service[]
  readonly pruning: Pruning
}

export function buildMessages(deps: MessagesDeps, config: Config, shadow: boolean): Messages {
  const { clock, log } = deps
  const http = createHttpClient({ proxyEnv: process.env })
  const { mqttConfig, startTaskFilter, footman } = config
  const outgoing = buildOutgoing(deps, config)
  const received = buildReceived(deps, config)
  const admit = createStartPublishing(
    { qrs: deps.qrs, clock, store: createRequestStore(deps) },
    { subscriptionRootTopic: mqttConfig.subscriptionRootTopic, taskStartTopic: mqttConfig.taskStartTopic },
  )
  const bypassesFilter = startTaskFilter.enable && !footman.startFilter.appliesTo.includes('mqtt')
  return {
    outgoing,
    routes: [
      ...publishRoutes(
        { outgoing, admit },
        { closedTopics: bypassesFilter ? [mqttConfig.taskStartTopic] : [], shadow },
      ),
      ...(received?.routes ?? []),
      ...slackRoutes({ http, log }, { webhookURL: config.slackNotification.restMessage.webhookURL, shadow }),
      ...newRelicRoutes(
        {
          send: createNewRelicSender({ http, log }, { accounts: config.thirdPartyToolsCredentials.newRelic }),
          clock,
        },
        { ...config.restServerEndpointsConfig.newRelic, shadow },
      ),
    ],
    services: [
      { name: 'message client', start: async () => {}, stop: async () => http.close() },
      ...(outgoing ? [outgoing] : []),
      ...(received ? [received.service] : []),
    ],
    pruning: {
      keepMs: footman.retention.events,
      purge: (db, before, limit) => purgeDeadLetters(db, OUTGOING_TABLE, before, limit),
    },
  }
}

function buildOutgoing({ mqtt, db, writer, clock, log }: MessagesDeps, { footman: { delivery } }: Config) {
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
function buildReceived({ mqtt, clock, log, ...storage }: MessagesDeps, { footman }: Config) {
  const { receivedTopics, receivedKeep, receivedMaxPerTopic } = footman.mqtt
  if (!mqtt || receivedTopics.length === 0) return null
  const store = createReceivedStore(storage, { maxPerTopic: receivedMaxPerTopic })
  return {
    routes: receivedRoutes({ store, clock }),
    service: createReceived({ mqtt, store, clock, log }, { receivedTopics, receivedKeep }),
  }
}
