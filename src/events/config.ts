/** Where events come from: UDP and Qlik Cloud; and where script logs go. */
import { z } from 'zod'
import {
  choice,
  count,
  duration,
  file,
  flag,
  host,
  list,
  nameValue,
  number,
  object,
  port,
  section,
  text,
  uri,
} from '../config/fields.ts'

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
    maxConcurrent: count(
      'Messages worked on at the same time; each may take up to 20 others along in its questions to Qlik Sense.',
      10,
      { min: 1 },
    ),
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

export const delivery = section('From event to delivered message.', () => ({
  enrichmentTimeout: duration(
    'How long failed and aborted events wait for data of Qlik Sense; 0s = never. Then the alert says what is missing.',
    '60s',
    { min: 0 },
  ),
  finalStatusTimeout: duration('How long success events wait for their final status.', '10m', { min: 0 }),
  maxAge: duration('Messages that could not be delivered for this long are given up and kept for resending.', '24h'),
  influxDbMaxAge: duration('The same for InfluxDB.', '7d'),
  retryFirst: duration('Wait before the second attempt; it doubles with each further one.', '5s'),
  retryMax: duration('Longest wait between two attempts.', '15m'),
  concurrency: count('Messages sent to a destination at the same time.', 4, { min: 1, max: 64 }),
  maxBacklog: count('Events waiting at most; more are refused.', 1_000_000, { min: 1, max: 100_000_000 }),
  memoryBacklog: count(
    'Messages kept in memory while the data directory cannot be written (disk full, disk gone); more are refused.',
    10_000,
    { min: 0, max: 1_000_000 },
  ),
}))

export type UdpServerConfig = z.output<typeof udpServerConfig>
export type ScriptLogConfig = z.output<typeof scriptLog>
export type UdpConfig = z.output<typeof udp>
export type DistributeConfig = z.output<typeof distribute>
export type DeliveryConfig = z.output<typeof delivery>

/** The numbers of `footman.delivery` that concern events before their rules; times in milliseconds. */
export type DeliveryLimits = Pick<
  DeliveryConfig,
  'maxBacklog' | 'memoryBacklog' | 'enrichmentTimeout' | 'finalStatusTimeout'
>

// `Butler.qlikSenseCloud`: events of Qlik Cloud and the alerts about them.

const onlyWithTag = (tag: string) =>
  section('Only apps with a tag.', () => ({
    enable: flag('Alert about apps with the tag only.'),
    tag: text('The tag.', tag),
  }))

const limitAndLines = (rateLimit: number, head: number, tail: number) => ({
  rateLimit: number('Seconds between two alerts about the same app.', rateLimit),
  headScriptLogLines: count('First lines of the script log.', head),
  tailScriptLogLines: count('Last lines of the script log.', tail),
})

const chat = (channel: 'Teams' | 'Slack') => ({
  enable: flag('Alert about failed app reloads.'),
  alertEnableByTag: onlyWithTag(`Butler - Send ${channel} alert if app reload fails`),
  basicContentOnly: flag('Only what the event itself holds: no script log, no app or owner.'),
  webhookURL: uri('Address to post to.'),
  messageType: choice('basic: one line of text; formatted: the template file.', ['basic', 'formatted'], 'formatted'),
  basicMsgTemplate: text('Template of the basic message.', 'Qlik Sense Cloud app reload failed: "{{appName}}"'),
  templateFile: file('Template of the formatted message.', '', { defaultText: 'built-in template' }),
})

/** Butler's check accepts texts, its manuals show `{email: a@b}`; both become the address. */
const owner = z.union([
  z.string(),
  object(() => ({ email: text('Address of the owner.') })).transform((value) => value.email),
])

const mail = section('Mails about failed app reloads.', () => ({
  enable: flag('Send mails.'),
  alertEnableByTag: onlyWithTag('Butler - Send email if app reload fails'),
  appOwnerAlert: section('Also mail the owner of the app.', () => ({
    enable: flag('Mail the owner.'),
    includeOwner: section('Owners to mail.', () => ({
      includeAll: flag('All owners except the excluded.', true),
      user: list('Owners to mail.', owner),
    })),
    excludeOwner: section('Owners not to mail.', () => ({ user: list('Owners not to mail.', owner) })),
  })),
  ...limitAndLines(60, 15, 25),
  priority: choice('Priority of the mail.', ['low', 'normal', 'high'], 'high'),
  subject: text('Template of the subject.', '❌ Qlik Sense reload failed: "{{appName}}"'),
  bodyFileDirectory: file('Folder of the body templates.', '', { defaultText: 'built-in templates' }),
  htmlTemplateFile: text('Name of the body template without extension.', 'failed-reload-qscloud'),
  fromAddress: text('Sender.'),
  recipients: list('Fixed recipients.', z.string()),
}))

const alertAbout = section('Alerts about events of Qlik Cloud.', () => ({
  teamsNotification: section('Teams.', () => ({
    reloadAppFailure: section('Failed app reloads.', () => ({ ...chat('Teams'), ...limitAndLines(15, 15, 15) })),
  })),
  slackNotification: section('Slack.', () => ({
    reloadAppFailure: section('Failed app reloads.', () => ({
      ...chat('Slack'),
      ...limitAndLines(60, 10, 20),
      channel: text('Channel.', 'sense-task-failure'),
      fromUser: text('Name of the sender.', 'Qlik Sense'),
      iconEmoji: text('Icon of the sender.', ':ghost:'),
    })),
  })),
  emailNotification: section('Mail.', () => ({ reloadAppFailure: mail })),
}))

const tenant = section('The tenant whose events are accepted.', () => ({
  id: text('Name of the tenant, like tenant.region.qlikcloud.com.'),
  tenantUrl: uri('Address of the tenant.'),
  authType: choice('How to log in.', ['jwt'], 'jwt'),
  auth: section('Login.', () => ({ jwt: section('JSON Web Token.', () => ({ token: text('The token.') })) })),
  qlikSenseUrls: section('Addresses of Qlik Cloud, for links in alerts.', () => ({
    qmc: uri('Management console.'),
    hub: text('Hub.'),
  })),
  comment: text('Handed to templates.'),
  alert: alertAbout,
}))

export const qlikSenseCloud = section('Qlik Cloud.', () => ({
  enable: flag('Handle events of Qlik Cloud.'),
  event: section('Events.', () => ({ mqtt: section('Events that come by MQTT.', () => ({ tenant })) })),
}))

export type QlikSenseCloudConfig = z.output<typeof qlikSenseCloud>
