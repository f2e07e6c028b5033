/** Where events come from: UDP and Qlik Cloud; and where script logs go. */
import { z } from 'zod'
import { count, duration, file, flag, host, list, nameValue, number, port, section, text } from '../config/fields.ts'

export * from './config-cloud.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

export const udpServerConfig = section('Messages of the Qlik Sense scheduler, received by UDP.', () => ({
  enable: flag('Listen for messages.'),
  serverHost: host('Address to listen on.', '0.0.0.0'),
  portTaskFailure: port('Port to listen on.', 9998),
  maxMessageSize: number('Longer messages are dropped; bytes.', 65507, { min: 1 }),
  enableSourceValidation: flag('Accept messages from allowedSources only.'),
  allowedSources: list('Addresses or host names that may send.', z.string()),
  messageQueue: section('Work in memory; everything beyond it waits on disk.', () => ({
    maxConcurrent: count('Messages worked on at the same time.', 10, { min: 1 }),
    maxSize: count('Messages waiting in memory.', 200, { min: 1 }),
    backpressureThreshold: number('Fill level at which a warning is logged; per cent.', 80, { min: 0, max: 100 }),
  })),
  rateLimit: section('Limit of the input, for each sender (source address) on its own.', () => ({
    enable: flag('Drop messages of a sender beyond the limit.'),
    maxMessagesPerMinute: count('Messages per minute and sender.', 600, { min: 1 }),
  })),
  deduplication: section('Dropping repeats: same execution id and outcome.', () => ({
    enable: flag('Drop repeats.', true),
    ttlMinutes: number('How long a message is remembered; minutes.', 10, { min: 0 }),
  })),
  queueMetrics: section('Numbers about the input.', () => ({
    influxdb: section('Numbers about the input in InfluxDB.', () => ({
      enable: flag('Store them.'),
      writeFrequency: number('Milliseconds between two points.', 20000, { min: 100 }),
      measurementName: text('Name of the measurement.', 'butler_udp_queue'),
      tags: list('Extra tags.', nameValue('tag')),
    })),
  })),
}))

function storeOnDisk(what: string) {
  return section(`Script logs of ${what}.`, () => ({
    enable: flag('Store them.'),
    logDirectory: file('Root folder; one folder per day is made in it.'),
  }))
}

export const scriptLog = section('Script logs.', () => ({
  storeOnDisk: section('Script logs stored as files.', () => ({
    clientManaged: section('Qlik Sense Enterprise on Windows.', () => ({
      reloadTaskFailure: storeOnDisk('failed reload tasks'),
    })),
    qsCloud: section('Qlik Cloud.', () => ({ appReloadFailure: storeOnDisk('failed app reloads') })),
  })),
}))

/** No character that log4net, XML or the message itself would take for its own. */
const SHARED_SECRET = /^[A-Za-z0-9_-]{16,128}$/

export const udp = section('Messages of the Qlik Sense scheduler: what Butler does not know.', () => ({
  sharedSecrets: list(
    'Messages count only when one of these and a semicolon stand before their type, as the log appenders of "footman log-appender" send it. Several, so that one can be replaced node by node. Empty: no secret is asked for.',
    z.string().regex(SHARED_SECRET, 'must be 16 to 128 letters, digits, - or _'),
  ),
}))

export const distribute = section('Following distribution tasks, whose end no message announces.', () => ({
  pollInterval: duration('Time between two looks at a running distribution.', '30s', { min: 1000, max: HOUR }),
  maxAge: duration('A distribution without an end after this time counts as failed.', '6h'),
}))

export type UdpServerConfig = z.output<typeof udpServerConfig>
export type ScriptLogConfig = z.output<typeof scriptLog>
export type UdpConfig = z.output<typeof udp>
export type DistributeConfig = z.output<typeof distribute>
