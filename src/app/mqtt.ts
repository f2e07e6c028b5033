/** The broker connection and the start requests that come in over it. */
import { readFile } from 'node:fs/promises'
import type { ConfigPaths } from '../config/paths.ts'
import { createMqttService } from '../mqtt/client.ts'
import type { MqttOutgoing, MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { createStartRequests } from '../tasks/start/requests.ts'
import type { StartTask } from '../tasks/start/types.ts'
import type { Config } from './schema.ts'

export interface MqttDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly paths: ConfigPaths
  readonly observe?: (direction: 'in' | 'out') => void
}

/** Null when MQTT is not configured. */
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

/** In shadow mode there is no connection at all: a second client could disturb the one that is live. */
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

export interface StartRequestDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly db: Database
  readonly writer: GroupWriter
  readonly mqtt: MqttService
  readonly outgoing: MqttOutgoing
  readonly start: StartTask
}

/** Null on a satellite (start requests are the primary's business) and in shadow mode. */
export function buildStartRequests(deps: StartRequestDeps, config: Config, shadow: boolean): Service | null {
  const { mqttConfig, footman } = config
  if (shadow || footman.node.role === 'satellite') return null
  return createStartRequests(deps, {
    subscriptionRootTopic: mqttConfig.subscriptionRootTopic,
    taskStartTopic: mqttConfig.taskStartTopic,
    taskStartResultTopic: footman.mqtt.taskStartResultTopic,
    shadow,
  })
}
