/** `Butler.mqttConfig` and `Butler.footman.mqtt`. */
import { z } from 'zod'
import { choice, count, duration, file, flag, host, list, nullableText, port, section, text } from '../config/fields.ts'

const topic = (description: string, fallback: string) => nullableText(`${description} Empty = not sent.`, fallback)

export const mqttConfig = section('The MQTT broker: messages about tasks go out, start requests come in.', () => ({
  enable: flag('Connect to the broker.'),
  brokerHost: host('Host of the broker.'),
  brokerPort: port('Port of the broker.', 1883),
  azureEventGrid: section('Azure Event Grid: TLS with a client certificate instead of a plain connection.', () => ({
    enable: flag('The broker is Azure Event Grid.'),
    clientId: text('Client id and user name.'),
    clientCertFile: file('Client certificate (PEM).'),
    clientKeyFile: file('Key of the client certificate (PEM).'),
  })),
  taskFailureSendFull: flag('Also publish the complete event as JSON when a reload task has failed.', true),
  taskAbortedSendFull: flag('Also publish the complete event as JSON when a reload task was aborted.', true),
  subscriptionRootTopic: text('Topic filter that is subscribed.', 'qliksense/#'),
  taskStartTopic: text(
    'Messages to this topic start tasks; it must lie inside subscriptionRootTopic.',
    'qliksense/start_task',
  ),
  taskFailureTopic: topic('Topic of the names of failed reload tasks.', 'qliksense/task_failure'),
  taskFailureFullTopic: topic('Topic of complete events of failed reload tasks.', 'qliksense/task_failure_full'),
  taskFailureServerStatusTopic: topic('Topic of the state of the UDP server.', 'qliksense/butler/task_failure_server'),
  taskAbortedTopic: topic('Topic of the names of aborted reload tasks.', 'qliksense/task_aborted'),
  taskAbortedFullTopic: topic('Topic of complete events of aborted reload tasks.', 'qliksense/task_aborted_full'),
  serviceRunningTopic: topic('Base topic of started Windows services.', 'qliksense/service_running'),
  serviceStoppedTopic: topic('Base topic of stopped Windows services.', 'qliksense/service_stopped'),
  serviceStatusTopic: topic('Base topic of the state of Windows services.', 'qliksense/service_status'),
  qlikSenseServerLicenseTopic: topic('Topic of the state of the server licence.', 'qliksense/qliksense_server_license'),
  qlikSenseServerLicenseExpireTopic: topic(
    'Topic of alerts about the end of the server licence.',
    'qliksense/qliksense_server_license_expire',
  ),
  qlikSenseCloud: section('Events of Qlik Cloud over a second broker.', () => ({
    event: section('Events of Qlik Cloud.', () => ({
      mqttForward: section('The broker to which Qlik Cloud events are forwarded.', () => ({
        enable: flag('Connect to this broker.'),
        broker: section('The broker; TLS always.', () => ({
          host: host('Host of the broker.'),
          port: port('Port of the broker.', 8765),
          username: text('User name.'),
          password: text('Password.'),
        })),
        topic: section('Topics of the broker.', () => ({
          subscriptionRoot: text('Topic filter that is subscribed.', 'qscloud/#'),
          appReload: text('Prefix of the topics of app reload events.', 'qscloud/app/reload'),
        })),
      })),
    })),
  })),
}))

const PROTOCOLS = ['mqtt', 'mqtts', 'ws', 'wss'] as const

export const footmanMqtt = section('Login, TLS and more for the broker of mqttConfig.', () => ({
  protocol: choice('How to talk to the broker.', PROTOCOLS, 'mqtt'),
  username: text('User name.'),
  password: text('Password.'),
  clientId: text('Client id; a fixed one is needed for cleanSession: false.', '', { defaultText: 'random' }),
  cleanSession: flag('false: the broker keeps start requests while Footman is down.', true),
  tls: section('TLS of mqtts and wss.', () => ({
    caFile: file('Certificate authority of the broker (PEM).'),
    certFile: file('Client certificate (PEM).'),
    keyFile: file('Key of the client certificate (PEM).'),
    rejectUnauthorized: flag('Refuse a broker certificate that cannot be verified.', true),
  })),
  qos: z
    .union([z.literal(0), z.literal(1)])
    .default(1)
    .meta({ description: 'Quality of service of publishing and subscribing: 0 or 1.' }),
  retainStatus: flag('Let the broker keep the connection status message.'),
  sharedGroup: z
    .string()
    .refine((value) => !/[/+#]/.test(value), { error: 'must not contain / + #' })
    .default('')
    .meta({ description: 'Share start requests with other Footmans of this group (shared subscription).' }),
  taskSuccessTopic: topic('Topic of the names of successful reload tasks.', ''),
  taskSuccessFullTopic: topic('Topic of complete events of successful reload tasks.', ''),
  taskStartResultTopic: topic('Topic of the answers to start requests.', ''),
  receivedTopics: list('Topic filters of messages that are kept for load scripts.', z.string().min(1)),
  receivedKeep: duration('How long received messages are kept.', '24h'),
  receivedMaxPerTopic: count('How many received messages are kept per topic.', 1000, { min: 1, max: 1_000_000 }),
}))

/** The broker of `mqttConfig.qlikSenseCloud`. */
export const qlikCloud = section('The connection to the broker of mqttConfig.qlikSenseCloud.', () => ({
  clientId: text('Client id.', '', { defaultText: 'made once and kept in the data directory' }),
  cleanSession: flag('true: events that come while Footman is down are lost.', false),
  tls: section('TLS.', () => ({
    caFile: file('Certificate authority of the broker (PEM).'),
    certFile: file('Client certificate (PEM).'),
    keyFile: file('Key of the client certificate (PEM).'),
    rejectUnauthorized: flag('Refuse a broker certificate that cannot be verified.', true),
  })),
}))

export type FootmanQlikCloudConfig = z.output<typeof qlikCloud>
export type MqttConfig = z.output<typeof mqttConfig>
export type FootmanMqttConfig = z.output<typeof footmanMqtt>
