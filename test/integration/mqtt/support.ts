import { readFile } from 'node:fs/promises'
import mqtt from 'mqtt'
import { createMqttService, type MqttClientSettings } from '../../../src/mqtt/client.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { recordingLog } from '../../support/recording-log.ts'

type Overrides = {
  mqttConfig?: Partial<MqttClientSettings['mqttConfig']>
  mqtt?: Partial<MqttClientSettings['mqtt']>
  publishTimeoutMs?: number
  retryFirstMs?: number
}

export function mqttSettings(port: number, overrides: Overrides = {}): MqttClientSettings {
  return {
    mqttConfig: {
      brokerHost: '127.0.0.1',
      brokerPort: port,
      subscriptionRootTopic: 'qliksense/#',
      taskStartTopic: 'qliksense/start_task',
      azureEventGrid: { enable: false, clientId: '', clientCertFile: '', clientKeyFile: '' },
      ...overrides.mqttConfig,
    },
    mqtt: {
      protocol: 'mqtt',
      username: '',
      password: '',
      clientId: '',
      cleanSession: true,
      tls: { caFile: '', certFile: '', keyFile: '', rejectUnauthorized: true },
      qos: 1,
      retainStatus: false,
      sharedGroup: '',
      ...overrides.mqtt,
    },
    retryFirstMs: overrides.retryFirstMs ?? 50,
    ...(overrides.publishTimeoutMs && { publishTimeoutMs: overrides.publishTimeoutMs }),
  }
}

export function service(port: number, overrides: Overrides = {}) {
  const log = recordingLog()
  const readText = (path: string) => readFile(path, 'utf8')
  const mqttService = createMqttService({ log, clock: systemClock, readFile: readText }, mqttSettings(port, overrides))
  return { log, mqtt: mqttService }
}

export interface Spy {
  readonly received: { topic: string; payload: string; retain: boolean }[]
  publish(topic: string, payload: string, options?: { qos?: 0 | 1; retain?: boolean }): Promise<unknown>
  end(): Promise<void>
}

/** A second client that sees everything. */
export async function spy(port: number, options: mqtt.IClientOptions = {}): Promise<Spy> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { ...options, reconnectPeriod: 100 })
  const received: Spy['received'] = []
  client.on('message', (topic, payload, packet) => {
    received.push({ topic, payload: payload.toString(), retain: packet.retain })
  })
  await client.subscribeAsync('#', { qos: 1 })
  return {
    received,
    publish: (topic, payload, how) => client.publishAsync(topic, payload, { qos: 1, ...how }),
    end: () => client.endAsync(true),
  }
}
