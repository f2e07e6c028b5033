/** The endpoints that hand messages on (MQTT, Slack, New Relic), and what keeps received MQTT messages. */

import type { ApiRoute } from '../http/endpoint/route.ts'
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

export interface MessagesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** Says which tasks a message would start. */
  readonly qrs: QrsClient
}

export interface Messages {
  readonly routes: readonly ApiRoute[]
  /** Null when MQTT is not configured. */
  readonly outgoing: MqttOutgoing | null
  /** To be stopped before the broker connection. */
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

/** Null when no message is to be kept; its endpoint does not exist then. */
function buildReceived({ mqtt, clock, log, ...storage }: MessagesDeps, { footman }: Config) {
  const { receivedTopics, receivedKeep, receivedMaxPerTopic } = footman.mqtt
  if (!mqtt || receivedTopics.length === 0) return null
  const store = createReceivedStore(storage, { maxPerTopic: receivedMaxPerTopic })
  return {
    routes: receivedRoutes({ store, clock }),
    service: createReceived({ mqtt, store, clock, log }, { receivedTopics, receivedKeep }),
  }
}
