/** Reloads in Qlik Cloud: the second broker, the tenant, and the events that come of both. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ConfigPaths } from '../../config/paths.ts'
import type { NodeConfig } from '../../config/process.ts'
import { createMqttService } from '../../mqtt/client.ts'
import type { FootmanQlikCloudConfig, MqttConfig } from '../../mqtt/config.ts'
import type { BrokerSettings } from '../../mqtt/connection.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { createCloudClient } from '../../qlik/cloud/client.ts'
import type { QlikSenseCloudConfig } from '../config.ts'
import type { EventEmitter } from '../emit.ts'
import { readMeta, writeMeta } from '../store.ts'
import { type CloudEventsDeps, createCloudEvents } from './cloud-events.ts'

export interface CloudDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: Pick<ConfigPaths, 'input'>
  readonly emitter: EventEmitter
  /** Whether some rule wants an event; the tenant is asked only then. */
  readonly alerts: { readonly router: { wants(type: 'cloudReload', outcome: CloudOutcome): boolean } }
  readonly on: { mqttMessage(direction: 'in' | 'out'): void }
}

export interface Cloud {
  /** The second broker, by address. */
  readonly brokers: Readonly<Record<string, Pick<MqttService, 'connected'>>>
  /** The events first: they subscribe before the connection brings messages. */
  readonly services: readonly Service[]
  readonly observers: { workMayWait?(): void }
}

export interface CloudSettings {
  readonly mqttConfig: Pick<MqttConfig, 'enable' | 'qlikSenseCloud'>
  readonly qlikSenseCloud: QlikSenseCloudConfig
  readonly footman: {
    readonly node: Pick<NodeConfig, 'role'>
    readonly qlikCloud: FootmanQlikCloudConfig
    /** `enrichmentTimeout`: milliseconds for which the tenant is asked. */
    readonly delivery: { readonly enrichmentTimeout: number }
  }
}

type CloudOutcome = Parameters<CloudEventsDeps['wants']>[0]

const STATUS_TOPIC = 'butler/qscloud/event/mqttforward/status'
const CLIENT_ID = 'cloud-mqtt-client-id'

const OFF: Cloud = { brokers: {}, services: [], observers: {} }

/** Off on a satellite too: one node reports the reloads of a tenant. */
export function createCloud(deps: CloudDeps, config: CloudSettings, shadow: boolean): Cloud {
  const { db, writer, clock, log, paths, on } = deps
  const { mqttConfig, qlikSenseCloud, footman } = config
  const { mqttForward } = mqttConfig.qlikSenseCloud.event
  if (!mqttConfig.enable || !mqttForward.enable || !qlikSenseCloud.enable) return OFF
  if (footman.node.role === 'satellite') return OFF
  const { tenant } = qlikSenseCloud.event.mqtt
  const { host, port } = mqttForward.broker
  const mqtt = createMqttService(
    { log, clock, readFile: (path) => readFile(paths.input(path), 'utf8'), observe: on.mqttMessage },
    {
      ...cloudConnection(config, footman.qlikCloud.clientId || ownClientId(db)),
      status: shadow
        ? null
        : {
            topic: STATUS_TOPIC,
            text: (clientId) => `Connected to MQTT broker "mqtts://${host}:${port}" with client ID ${clientId}`,
          },
    },
  )
  const events = createCloudEvents(
    {
      db,
      writer,
      clock,
      log,
      mqtt,
      client: createCloudClient({
        tenantUrl: tenant.tenantUrl,
        token: tenant.auth.jwt.token,
        proxyEnv: process.env,
      }),
      emitter: deps.emitter,
      wants: (outcome) => deps.alerts.router.wants('cloudReload', outcome),
    },
    {
      tenant,
      subscriptionRoot: mqttForward.topic.subscriptionRoot,
      appReload: mqttForward.topic.appReload,
      waitMs: footman.delivery.enrichmentTimeout,
    },
  )
  return {
    brokers: { [`${host}:${port}`]: mqtt },
    services: [events, { ...mqtt, name: 'mqtt (Qlik Cloud)' }],
    observers: { workMayWait: events.wake },
  }
}

export interface CloudConnection {
  readonly mqttConfig: Pick<MqttConfig, 'qlikSenseCloud'>
  readonly footman: { readonly qlikCloud: FootmanQlikCloudConfig }
}

/** TLS always, with QoS 1 and a session that outlives restarts: what comes meanwhile waits at the broker. */
export function cloudConnection({ mqttConfig, footman }: CloudConnection, clientId: string): BrokerSettings {
  const { broker, topic } = mqttConfig.qlikSenseCloud.event.mqttForward
  const { cleanSession, tls } = footman.qlikCloud
  return {
    mqttConfig: {
      brokerHost: broker.host,
      brokerPort: broker.port,
      subscriptionRootTopic: topic.subscriptionRoot,
      taskStartTopic: '',
      azureEventGrid: { enable: false, clientId: '', clientCertFile: '', clientKeyFile: '' },
    },
    mqtt: {
      protocol: 'mqtts',
      username: broker.username,
      password: broker.password,
      clientId,
      cleanSession,
      tls,
      retainStatus: false,
      sharedGroup: '',
      qos: 1,
    },
  }
}

/** Two Footmans never share one, or they would throw each other off the broker. */
function ownClientId(db: Database): string {
  const known = readMeta(db, CLIENT_ID)
  if (known !== null) return known
  const made = `footman_${randomBytes(6).toString('hex')}`
  writeMeta(db, CLIENT_ID, made)
  return made
}
