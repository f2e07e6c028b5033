/**
 * One connection to a broker, from the configuration and CONNECT to its end; a lost one is thrown away with all that the
 * library held for it. So nothing is ever queued or sent again without the caller.
 */

import type { IClientOptions, MqttClient } from 'mqtt'
import { errorText } from '../platform/errors.ts'
import type { IncomingMessage } from './types.ts'

export type MqttErrorCode =
  /** No connection at this moment, or it was lost before the broker had answered. */
  | 'NOT_CONNECTED'
  /** The broker did not answer in time. */
  | 'TIMEOUT'
  /** The caller gave up. */
  | 'ABORTED'
  /** The topic can never be published to. */
  | 'INVALID_TOPIC'

/** Why a message was not published; the code decides whether another attempt makes sense. */
export class MqttError extends Error {
  override readonly name = 'MqttError'
  constructor(
    readonly code: MqttErrorCode,
    message: string,
  ) {
    super(message)
  }
}

export interface BrokerSettings {
  readonly mqttConfig: {
    readonly brokerHost: string
    readonly brokerPort: number
    readonly subscriptionRootTopic: string
    readonly taskStartTopic: string
    readonly azureEventGrid: {
      readonly enable: boolean
      readonly clientId: string
      readonly clientCertFile: string
      readonly clientKeyFile: string
    }
  }
  /** `Butler.footman.mqtt`. */
  readonly mqtt: {
    readonly protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss'
    readonly username: string
    readonly password: string
    readonly clientId: string
    readonly cleanSession: boolean
    readonly tls: {
      readonly caFile: string
      readonly certFile: string
      readonly keyFile: string
      readonly rejectUnauthorized: boolean
    }
    readonly qos: 0 | 1
    readonly retainStatus: boolean
    readonly sharedGroup: string
  }
  /** Where the connection publishes its state; null = nowhere. Default: `STATUS_TOPIC`, with a last will. */
  readonly status?: { readonly topic: string; readonly text: (clientId: string) => string } | null
}

/** The fixed topic of the broker of `mqttConfig` with the state of the connection. */
export const STATUS_TOPIC = 'qliksense/butler/mqtt/status'

const CONNECT_TIMEOUT_MS = 30_000
const KEEPALIVE_S = 60

/** Certificates and keys as PEM texts. Rejects with a text that names the file when one cannot be read. */
export async function readCertificates(
  settings: BrokerSettings,
  readFile: (path: string) => Promise<string>,
): Promise<Pick<IClientOptions, 'ca' | 'cert' | 'key'>> {
  const { azureEventGrid } = settings.mqttConfig
  const { tls, protocol } = settings.mqtt
  if (azureEventGrid.enable) {
    return {
      cert: await pem(readFile, 'client certificate', azureEventGrid.clientCertFile),
      key: await pem(readFile, 'client key', azureEventGrid.clientKeyFile),
    }
  }
  if (protocol !== 'mqtts' && protocol !== 'wss') return {}
  return {
    ...(tls.caFile && { ca: await pem(readFile, 'CA', tls.caFile) }),
    ...(tls.certFile && { cert: await pem(readFile, 'client certificate', tls.certFile) }),
    ...(tls.keyFile && { key: await pem(readFile, 'client key', tls.keyFile) }),
  }
}

async function pem(readFile: (path: string) => Promise<string>, what: string, path: string): Promise<string> {
  try {
    return await readFile(path)
  } catch (error) {
    const reason = errorText(error)
    throw new Error(`MQTT ${what} file could not be loaded (${path}): ${reason}`)
  }
}

/** A fresh options object: the library changes the one that it gets. */
export function connectionOptions(
  settings: BrokerSettings,
  clientId: string,
  certificates: Pick<IClientOptions, 'ca' | 'cert' | 'key'>,
): IClientOptions {
  const { mqttConfig, mqtt } = settings
  const azure = mqttConfig.azureEventGrid.enable
  const username = azure ? mqttConfig.azureEventGrid.clientId : mqtt.username
  const options: IClientOptions = {
    ...certificates,
    protocol: azure ? 'mqtts' : mqtt.protocol,
    host: mqttConfig.brokerHost,
    port: mqttConfig.brokerPort,
    clientId,
    clean: azure ? true : mqtt.cleanSession,
    protocolVersion: 4,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // One client object is one connection: the library neither reconnects nor keeps anything to send again.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Else the library keeps a buffer of two bytes for each of the 65,536 numbers: 20 MB.
    writeCache: false,
    rejectUnauthorized: azure ? true : mqtt.tls.rejectUnauthorized,
  }
  if (settings.status === undefined) {
    options.will = {
      topic: STATUS_TOPIC,
      payload: Buffer.from(
        `Disconnected from MQTT broker ${mqttConfig.brokerHost}:${mqttConfig.brokerPort}, client ID ${clientId}`,
      ),
      qos: 0,
      retain: mqtt.retainStatus,
    }
  }
  if (username) options.username = username
  if (!azure && mqtt.password) options.password = mqtt.password
  return options
}

export interface PublishOptions {
  readonly qos: 0 | 1
  readonly retain: boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Connection {
  /** Resolves with PUBACK (QoS 1) or when the bytes have been handed to the socket (QoS 0); rejects with `MqttError`. */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions): Promise<void>
  /** Rejects when the broker refuses the subscription. */
  subscribe(filter: string, qos: 0 | 1): Promise<void>
  /** Says goodbye (no last will); drops the connection after `graceMs`. */
  end(graceMs: number): Promise<void>
  /** Drops the connection at once. */
  destroy(): void
}

export interface ConnectionEvents {
  /** The packet is acknowledged when the promise resolves. */
  message(message: IncomingMessage): Promise<void>
  /** Called once, after the connection had been open. */
  closed(reason: string): void
}

/** Resolves when the broker has accepted the connection, rejects when it refused it or could not be reached. */
export async function openConnection(options: IClientOptions, events: ConnectionEvents): Promise<Connection> {
  // Loaded with the first connection: many sites have no broker, and at start nothing waits for one.
  const { connect } = await import('mqtt')
  const client = connect(options)
  const pending = new Set<(error: MqttError) => void>()
  let reason = 'connection closed'
  let open = false
  let closed = false

  deliverTo(client, events)
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      if (closed) return
      closed = true
      for (const fail of [...pending])
        fail(new MqttError('NOT_CONNECTED', `Connection to the MQTT broker lost: ${reason}`))
      client.end(true)
      if (open) events.closed(reason)
      else reject(new Error(reason))
    }
    client.on('error', (error) => {
      reason = describe(error)
      if (!open) finish()
    })
    client.on('close', finish)
    client.once('connect', () => {
      if (closed) return
      open = true
      resolve(connectionOf(client, pending))
    })
  })
}

/** Acknowledges a message when its handler is through; a failed one stays unacknowledged. */
function deliverTo(client: MqttClient, events: ConnectionEvents): void {
  client.handleMessage = (packet, done) => {
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    const { topic, retain, qos, dup, messageId: packetId } = packet
    events.message({ topic, payload, retain, qos, dup, packetId }).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }
}

function connectionOf(client: MqttClient, pending: Set<(error: MqttError) => void>): Connection {
  return {
    publish(topic, payload, { qos, retain, timeoutMs, signal }) {
      if (!client.connected) return Promise.reject(new MqttError('NOT_CONNECTED', 'Not connected to the MQTT broker'))
      if (signal?.aborted) return Promise.reject(new MqttError('ABORTED', 'Publishing was cancelled'))
      return new Promise((resolve, reject) => {
        const settle = (error?: Error): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
          pending.delete(settle)
          if (error) reject(error)
          else resolve()
        }
        const onAbort = (): void => settle(new MqttError('ABORTED', 'Publishing was cancelled'))
        const timer = setTimeout(() => {
          settle(new MqttError('TIMEOUT', `The MQTT broker did not take the message within ${timeoutMs / 1000} s`))
          // A broker that stays silent would get every later attempt as well once it wakes up.
          client.stream.destroy()
        }, timeoutMs)
        signal?.addEventListener('abort', onAbort, { once: true })
        pending.add(settle)
        const body = typeof payload === 'string' ? payload : Buffer.from(payload)
        client.publish(topic, body, { qos, retain }, (error) => settle(error ?? undefined))
      })
    },
    async subscribe(filter, qos) {
      // Without a connection the library would keep the request, and the promise would never settle.
      if (!client.connected) throw new MqttError('NOT_CONNECTED', 'Not connected to the MQTT broker')
      const granted = await client.subscribeAsync(filter, { qos })
      if (granted.some((one) => one.qos > 2)) throw new Error('the broker refused the subscription')
    },
    async end(graceMs) {
      const timer = setTimeout(() => client.stream.destroy(), graceMs)
      await client.endAsync(false)
      clearTimeout(timer)
    },
    destroy: () => client.stream.destroy(),
  }
}

function describe(error: Error): string {
  const { code, message } = error as Error & { code?: string | number }
  return message || (code === undefined ? error.name : String(code))
}
