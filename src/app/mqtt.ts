/** The broker connection. */
import { readFile } from 'node:fs/promises'
import type { ConfigPaths } from '../config/paths.ts'
import { createMqttService } from '../mqtt/client.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
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
