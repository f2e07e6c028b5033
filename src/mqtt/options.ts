/** From the configuration to the options of one connection attempt. */
import type { IClientOptions } from 'mqtt'

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
  /** Where the connection tells about itself; null = nowhere. Default: `STATUS_TOPIC`, with a last will. */
  readonly status?: { readonly topic: string; readonly text: (clientId: string) => string } | null
}

/** The fixed topic of the broker of `mqttConfig`: tells who is connected. */
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
    const reason = error instanceof Error ? error.message : String(error)
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
