/** The broker of `mqttConfig` and that of Qlik Cloud events: connection, TLS, login, the right to subscribe. Nothing is published, and no session stays. */

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Config } from '../../../app/schema.ts'
import { cloudConnection } from '../../../events/cloud/index.ts'
import {
  type BrokerSettings,
  type Connection,
  connectionOptions,
  openConnection,
  readCertificates,
} from '../../../mqtt/connection.ts'
import { answered, certificateFindings, lookAtTls, openTcp, type Subject, trouble } from '../connection.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

export const mqtt: Probe = {
  group: 'mqtt',
  title: 'MQTT broker',
  applies: ({ config }) => brokersOf(config).length > 0,
  async run(context) {
    const found = await Promise.all(brokersOf(context.config).map((broker) => lookAtBroker(broker, context)))
    return found.flat()
  },
}

function brokersOf(config: Config): readonly Broker[] {
  return [ownBroker(config), cloudBroker(config)].flatMap((broker) =>
    broker !== null && broker.settings.mqttConfig.brokerHost !== '' ? [broker] : [],
  )
}

function ownBroker({ mqttConfig, footman }: Config): Broker | null {
  if (!mqttConfig.enable) return null
  const azure = mqttConfig.azureEventGrid.enable
  return {
    settings: { mqttConfig, mqtt: footman.mqtt, status: null },
    keys: {
      host: 'mqttConfig.brokerHost',
      port: 'mqttConfig.brokerPort',
      protocol: azure ? null : 'footman.mqtt.protocol',
      login: azure ? 'mqttConfig.azureEventGrid.clientId' : 'footman.mqtt.username',
      authority: azure ? null : 'footman.mqtt.tls.caFile',
      topic: 'mqttConfig.taskStartTopic',
    },
    topic: mqttConfig.taskStartTopic,
    // A second session of the same client may be refused, and would then hold up the running Footman.
    greetOnly: azure,
  }
}

function cloudBroker(config: Config): Broker | null {
  const { mqttConfig, qlikSenseCloud } = config
  const { mqttForward } = mqttConfig.qlikSenseCloud.event
  if (!mqttConfig.enable || !mqttForward.enable || !qlikSenseCloud.enable) return null
  const section = 'mqttConfig.qlikSenseCloud.event.mqttForward'
  const settings = cloudConnection(config, '')
  return {
    settings: { ...settings, mqtt: { ...settings.mqtt, cleanSession: true }, status: null },
    keys: {
      host: `${section}.broker.host`,
      port: `${section}.broker.port`,
      protocol: null,
      login: `${section}.broker.username`,
      authority: 'footman.qlikCloud.tls.caFile',
      topic: `${section}.topic.subscriptionRoot`,
    },
    topic: mqttForward.topic.subscriptionRoot,
    greetOnly: false,
  }
}

interface Broker {
  readonly settings: BrokerSettings
  /** Keys below `Butler`; null where there is none. */
  readonly keys: {
    readonly host: string
    readonly port: string
    readonly protocol: string | null
    readonly login: string
    readonly authority: string | null
    readonly topic: string
  }
  /** Topic filter whose subscription is tried. */
  readonly topic: string
  /** No login: connection and TLS only. */
  readonly greetOnly: boolean
}

type Keys = Broker['keys']
type Certificates = Awaited<ReturnType<typeof readCertificates>>

async function lookAtBroker(broker: Broker, context: DoctorContext): Promise<readonly Finding[]> {
  const subject = subjectOf(broker)
  const read = (path: string) => readFile(context.paths.input(path), 'utf8')
  const certificates = await readCertificates(broker.settings, read).catch((error: Error) => error)
  if (certificates instanceof Error) return [unreadable(subject, certificates)]
  try {
    const found = await lookAtConnection(broker, subject, { certificates, context })
    if (found.some(({ level }) => level === 'error')) return found
    return [...found, ...(broker.greetOnly ? [greeted(subject)] : await logIn(broker, subject, certificates, context))]
  } catch (error) {
    return [trouble(error, subject)]
  }
}

interface Means {
  readonly certificates: Certificates
  readonly context: DoctorContext
}

/** The socket, and TLS where it is spoken. */
async function lookAtConnection(broker: Broker, subject: Subject, { certificates, context }: Means) {
  const { mqttConfig, mqtt } = broker.settings
  const { brokerHost: host, brokerPort: port, azureEventGrid: azure } = mqttConfig
  const { timeout, clock } = context
  const socket = await openTcp({ host, port }, timeout)
  if (!azure.enable && mqtt.protocol !== 'mqtts' && mqtt.protocol !== 'wss') {
    socket.destroy()
    return []
  }
  const pem = ({ ca, cert, key }: Certificates) => ({
    ...(ca !== undefined && { ca: String(ca) }),
    ...(cert !== undefined && key !== undefined && { cert: String(cert), key: String(key) }),
  })
  const look = await lookAtTls(socket, host, pem(certificates), timeout)
  const { authority } = broker.keys
  const where = authority === null ? 'the environment variable NODE_EXTRA_CA_CERTS' : `Butler.${authority}`
  return certificateFindings(look, {
    group: 'mqtt',
    target: subject.target,
    key: subject.key,
    name: host,
    verified: azure.enable || mqtt.tls.rejectUnauthorized,
    authority: `name the file of the authority (PEM) in ${where}`,
    now: clock.now(),
  })
}

async function logIn(
  { settings, topic, keys }: Broker,
  subject: Subject,
  certificates: Certificates,
  { timeout }: DoctorContext,
): Promise<readonly Finding[]> {
  // An id of its own: a second client with the id of the running Footman would throw that one out.
  const clientId = `footman_doctor_${randomBytes(6).toString('hex')}`
  const options = connectionOptions(settings, clientId, certificates)
  const events = { message: async () => {}, closed: () => {} }
  let connection: Connection
  try {
    connection = await openConnection({ ...options, clean: true, connectTimeout: timeout }, events)
  } catch (error) {
    return [refusedConnection(subject, keys, error as Error)]
  }
  try {
    if (topic !== '') await answered(connection.subscribe(topic, 0), timeout)
    return [{ level: 'ok', code: 'mqtt.ready', target: subject.target, message: 'connected, the topic may be read' }]
  } catch (error) {
    return [refusedTopic(subject, keys.topic, { topic, error: error as Error })]
  } finally {
    await connection.end(timeout)
  }
}

function subjectOf({ settings: { mqttConfig }, keys }: Broker): Subject {
  const { brokerHost: host, brokerPort: port } = mqttConfig
  return {
    group: 'mqtt',
    target: `${host}:${port}`,
    host,
    port,
    key: keys.host,
    hostKey: `Butler.${keys.host}`,
    portKey: `Butler.${keys.port}`,
  }
}

const greeted = ({ target }: Subject): Finding => ({
  level: 'ok',
  code: 'mqtt.reached',
  target,
  message: 'answers with TLS; the login is not tried, as Azure Event Grid may allow one session only',
})

function refusedConnection(subject: Subject, { login, protocol, port }: Keys, error: Error): Finding {
  const { target } = subject
  const { message } = error
  if (/not authori[sz]ed|bad user ?name or password/i.test(message)) {
    const text = `the broker refuses the login: ${message}`
    const fix = `correct Butler.${login} and what belongs to it, or the access rules of the broker`
    return { level: 'error', code: 'mqtt.login', target, message: text, fix, key: login }
  }
  // The library says no more than that it was closed, that no answer came, or that it was no MQTT.
  if (/closed|reset|connack timeout|timed? ?out|header|packet|parse/i.test(message)) {
    const fix =
      protocol === null
        ? `check that Butler.${port} is the port of an MQTT broker`
        : `check that Butler.${port} is the port of an MQTT broker, and set Butler.${protocol} to mqtts if it speaks TLS`
    const text = 'the port is open, but no answer in MQTT comes'
    return { level: 'error', code: 'mqtt.no-mqtt', target, message: text, fix, key: protocol ?? port }
  }
  return trouble(error, subject)
}

function refusedTopic(
  { target }: Subject,
  key: string,
  { topic, error }: { readonly topic: string; readonly error: Error },
): Finding {
  const message = `connected, but "${topic}" may not be subscribed: ${error.message}`
  const fix = `allow it in the access rules of the broker, or correct Butler.${key}`
  return { level: 'error', code: 'mqtt.topic', target, message, fix, key }
}

const unreadable = ({ target, key }: Subject, { message }: Error): Finding => ({
  level: 'error',
  code: 'mqtt.file',
  target,
  message,
  fix: 'correct the path, and let the account of Footman read the file',
  key,
})
