/** The endpoints that hand messages on (MQTT, Slack, New Relic), and what keeps received MQTT messages. */
import type { Config } from '../config/schema.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { createNewRelicSender } from '../mqtt/messages/new-relic.ts'
import { newRelicRoutes } from '../mqtt/messages/new-relic-routes.ts'
import { publishRoutes } from '../mqtt/messages/publish-routes.ts'
import { createReceived } from '../mqtt/messages/received.ts'
import { receivedRoutes } from '../mqtt/messages/received-routes.ts'
import { createReceivedStore, receivedMigrations } from '../mqtt/messages/received-store.ts'
import { slackRoutes } from '../mqtt/messages/slack-routes.ts'
import { createMqttOutgoing } from '../mqtt/outgoing.ts'
import { createOutgoingStore, outgoingMigrations } from '../mqtt/outgoing-store.ts'
import type { MqttOutgoing, MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createHttpClient } from '../platform/http-client.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { createStartPublishing } from '../tasks/start/mqtt.ts'
import { createRequestStore } from '../tasks/start/request-store.ts'

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
  }
}

function buildOutgoing({ mqtt, clock, log, ...storage }: MessagesDeps, { footman: { delivery, retention } }: Config) {
  if (!mqtt) return null
  return createMqttOutgoing(
    { mqtt, clock, log, store: createOutgoingStore(storage) },
    {
      retry: { firstMs: delivery.retryFirst, maxMs: delivery.retryMax },
      maxAgeMs: delivery.maxAge,
      keepDeadMs: retention.events,
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
