/** The answers of `footman init`: one table for the options, the questions and the errors. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** Lists are empty and texts '' where nothing is wanted. Paths are as they are to stand in the configuration. */
export interface InitAnswers {
  readonly qsHost: string
  readonly qsPort: number
  readonly footmanHost: string
  readonly udpPort: number
  readonly restHost: string
  readonly restPort: number
  readonly tags: readonly string[]
  readonly keyValues: boolean
  readonly mailTo: readonly string[]
  readonly mailFrom: string
  readonly smtpHost: string
  readonly smtpPort: number
  readonly smtpTls: SmtpTls
  readonly smtpUser: string
  /** `credential:NAME`, `env:NAME` or `file:PATH`. */
  readonly smtpPassword: string
  readonly mailAborted: boolean
  readonly mailOwner: boolean
  readonly mailMarked: boolean
  readonly slackUrl: string
  readonly teamsUrl: string
  readonly webhookUrl: string
  readonly mqttHost: string
  readonly mqttPort: number
  readonly certificates: string
  readonly logDirectory: string
}

/** `starttls` and `tls` refuse to send anything in clear. */
export const SMTP_TLS = ['starttls', 'tls', 'optional'] as const
export type SmtpTls = (typeof SMTP_TLS)[number]

type Kind = 'text' | 'list' | 'port' | 'switch' | 'tls'

export interface InitField {
  readonly key: keyof InitAnswers
  readonly kind: Kind
  /** Without the leading hyphens; `<host>` and the like are added by kind. */
  readonly option: string
  readonly value?: string
  readonly help: string
  /** Absent: not asked for, settable by option only. */
  readonly question?: string
  readonly asked?: (given: Given) => boolean
  /** Keys below `Butler` that the answer becomes, for errors about them. */
  readonly paths: readonly string[]
}

const withMail = ({ mailTo = [] }: Given): boolean => mailTo.length > 0
const withLogin = (given: Given): boolean => withMail(given) && Boolean(given.smtpUser)

/** In the order of the questions. */
export const FIELDS: readonly InitField[] = [
  {
    key: 'qsHost',
    kind: 'text',
    option: 'qs-host',
    value: 'host',
    help: 'central node of Qlik Sense, as its certificate names it',
    question: 'Host name of the central Qlik Sense node',
    paths: ['configQRS.host'],
  },
  {
    key: 'qsPort',
    kind: 'port',
    option: 'qs-port',
    help: 'port of its repository service (default: 4242)',
    paths: ['configQRS.port'],
  },
  {
    key: 'footmanHost',
    kind: 'text',
    option: 'footman-host',
    value: 'address',
    help: 'address of this computer for the Qlik Sense nodes (default: its first address)',
    question: 'Address of this computer, as the Qlik Sense nodes reach it',
    paths: [],
  },
  {
    key: 'udpPort',
    kind: 'port',
    option: 'udp-port',
    help: 'port for messages of Qlik Sense (default: 9998, or the next free one)',
    question: 'Port for messages of Qlik Sense (UDP)',
    paths: ['udpServerConfig.portTaskFailure'],
  },
  {
    key: 'mailTo',
    kind: 'list',
    option: 'mail-to',
    value: 'address',
    help: 'who gets a mail when a reload task fails',
    question: 'Mail addresses for failed reload tasks (several: with commas; none: Enter)',
    paths: ['emailNotification.reloadTaskFailure.recipients'],
  },
  {
    key: 'smtpHost',
    kind: 'text',
    option: 'smtp-host',
    value: 'host',
    help: 'mail server',
    question: 'Mail server',
    asked: withMail,
    paths: ['emailNotification.smtp.host'],
  },
  {
    key: 'smtpTls',
    kind: 'tls',
    option: 'smtp-tls',
    value: 'kind',
    help: 'encryption; tls: from the first byte, optional: where offered (default: starttls)',
    question: 'Encryption: starttls, tls (from the first byte) or optional (where offered)',
    asked: withMail,
    paths: [],
  },
  {
    key: 'smtpUser',
    kind: 'text',
    option: 'smtp-user',
    value: 'name',
    help: 'user of the mail server',
    question: 'User of the mail server (none: Enter)',
    asked: withMail,
    paths: ['emailNotification.smtp.auth.user'],
  },
  {
    key: 'smtpPassword',
    kind: 'text',
    option: 'smtp-password',
    value: 'place',
    help: 'where the password is: credential:NAME, env:NAME or file:PATH; never the password itself',
    asked: withLogin,
    paths: ['emailNotification.smtp.auth.password'],
  },
  {
    key: 'smtpPort',
    kind: 'port',
    option: 'smtp-port',
    help: 'port of the mail server (default: 25; 465 with tls, 587 with a user)',
    question: 'Port of the mail server',
    asked: withMail,
    paths: ['emailNotification.smtp.port'],
  },
  {
    key: 'mailFrom',
    kind: 'text',
    option: 'mail-from',
    value: 'address',
    help: 'sender of the mails',
    question: 'Sender of the mails',
    asked: withMail,
    paths: ['emailNotification.reloadTaskFailure.fromAddress'],
  },
  {
    key: 'mailAborted',
    kind: 'switch',
    option: 'mail-aborted',
    help: 'also mail about reload tasks that were stopped',
    question: 'Also mail about reload tasks that were stopped?',
    asked: withMail,
    paths: [],
  },
  {
    key: 'mailOwner',
    kind: 'switch',
    option: 'mail-owner',
    help: 'also mail the owner of the app',
    question: 'Also mail the owner of the app?',
    asked: withMail,
    paths: [],
  },
  {
    key: 'mailMarked',
    kind: 'switch',
    option: 'mail-marked',
    help: 'mail about tasks with a custom property only',
    question: 'Mail only about tasks that have a custom property?',
    asked: withMail,
    paths: [],
  },
  {
    key: 'slackUrl',
    kind: 'text',
    option: 'slack-url',
    value: 'url',
    help: 'webhook of a Slack channel, or env:NAME, file:PATH, credential:NAME',
    question: 'Webhook of a Slack channel (none: Enter)',
    paths: ['slackNotification.reloadTaskFailure.webhookURL'],
  },
  {
    key: 'teamsUrl',
    kind: 'text',
    option: 'teams-url',
    value: 'url',
    help: 'webhook of a Teams channel, or env:NAME, file:PATH, credential:NAME',
    question: 'Webhook of a Teams channel (none: Enter)',
    paths: ['teamsNotification.reloadTaskFailure.webhookURL'],
  },
  {
    key: 'webhookUrl',
    kind: 'text',
    option: 'webhook-url',
    value: 'url',
    help: 'address that gets failed reload tasks as JSON, or env:NAME, file:PATH, credential:NAME',
    question: 'Webhook of another system, which gets failed reload tasks as JSON (none: Enter)',
    paths: ['footman.destinations.failures-webhook'],
  },
  {
    key: 'restHost',
    kind: 'text',
    option: 'rest-host',
    value: 'address',
    help: 'address of the REST API; 0.0.0.0 opens it to other computers (default: localhost)',
    question: 'Address of the REST API (0.0.0.0: other computers may call it)',
    paths: ['restServerConfig.serverHost'],
  },
  {
    key: 'restPort',
    kind: 'port',
    option: 'rest-port',
    help: 'port of the REST API (default: 8080, or the next free one)',
    question: 'Port of the REST API',
    paths: ['restServerConfig.serverPort'],
  },
  {
    key: 'tags',
    kind: 'list',
    option: 'tags',
    value: 'tag',
    help: 'only tasks with one of these tags may be started from outside',
    question: 'Only tasks with these tags may be started from outside (several: with commas; all: Enter)',
    paths: ['startTaskFilter.allowTask.tag'],
  },
  {
    key: 'keyValues',
    kind: 'switch',
    option: 'key-values',
    help: 'open the key-value store for load scripts',
    question: 'Open the key-value store for load scripts?',
    paths: [],
  },
  {
    key: 'mqttHost',
    kind: 'text',
    option: 'mqtt-host',
    value: 'host',
    help: 'MQTT broker',
    paths: ['mqttConfig.brokerHost'],
  },
  {
    key: 'mqttPort',
    kind: 'port',
    option: 'mqtt-port',
    help: 'port of the MQTT broker (default: 1883)',
    paths: ['mqttConfig.brokerPort'],
  },
  {
    key: 'certificates',
    kind: 'text',
    option: 'certificates',
    value: 'folder',
    help: 'folder with client.pem, client_key.pem and root.pem (default: certificate, beside the configuration)',
    paths: ['cert.clientCert', 'cert.clientCertKey', 'cert.clientCertCA'],
  },
  {
    key: 'logDirectory',
    kind: 'text',
    option: 'log-directory',
    value: 'folder',
    help: 'folder of the log files (default: log, beside the folder config)',
    paths: ['logDirectory'],
  },
]

export type Given = Partial<InitAnswers>

interface DefaultSurroundings {
  /** Absolute path of the configuration file. */
  readonly file: string
  readonly platform: NodeJS.Platform
  readonly isFree: IsFree
}

const UDP_PORT = 9998
const REST_PORT = 8080

/** Asks the computer for its address and for free ports; what was given stays. */
export async function defaultAnswers(
  given: Given,
  { file, platform, isFree }: DefaultSurroundings,
): Promise<InitAnswers> {
  const ports = {
    udpPort: given.udpPort ?? (await nextFree('UDP', UDP_PORT, isFree)),
    restPort: given.restPort ?? (await nextFree('TCP', REST_PORT, isFree)),
  }
  return {
    ...STILL,
    footmanHost: ownAddress(),
    certificates: 'certificate',
    logDirectory: logDirectory(file),
    ...dependentDefaults(given, platform),
    ...given,
    ...ports,
  }
}

/** Those that hang together with other answers; asked again after each of those. */
export function dependentDefaults(given: Given, platform: NodeJS.Platform) {
  const { mailTo = [], smtpTls = 'starttls', smtpUser = '' } = given
  const domain = mailTo[0]?.split('@')[1]
  return {
    smtpPort: smtpTls === 'tls' ? 465 : smtpUser === '' ? 25 : 587,
    mailFrom: domain ? `Qlik Sense <qliksense-noreply@${domain}>` : '',
    // On Windows a protected value; elsewhere a file, as not every service manager has credentials.
    smtpPassword: platform === 'win32' ? 'credential:smtp-password' : 'file:secrets/smtp-password',
  }
}

const STILL = {
  qsHost: '',
  qsPort: 4242,
  restHost: 'localhost',
  tags: [],
  keyValues: false,
  mailTo: [],
  smtpHost: '',
  smtpTls: 'starttls',
  smtpUser: '',
  mailAborted: false,
  mailOwner: false,
  mailMarked: false,
  slackUrl: '',
  teamsUrl: '',
  webhookUrl: '',
  mqttHost: '',
  mqttPort: 1883,
} as const satisfies Given

/** The first IPv4 address that other computers may reach, else the name of this computer. */
export function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname()
}

/** `log` beside the folder `config`, or in the folder of the file where that has another name. */
function logDirectory(file: string): string {
  const folder = dirname(file)
  return join(basename(folder).toLowerCase() === 'config' ? dirname(folder) : folder, 'log')
}

export type Protocol = 'TCP' | 'UDP'
export type IsFree = (protocol: Protocol, port: number) => Promise<boolean>

/** Opens the port on all addresses for a moment; true when that works. */
export const isFree: IsFree = (protocol, port) => (protocol === 'TCP' ? tcpIsFree(port) : udpIsFree(port))

async function tcpIsFree(port: number): Promise<boolean> {
  const server = createServer()
  server.listen(port)
  const opened = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!opened) return false
  server.close()
  await once(server, 'close')
  return true
}

async function udpIsFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  socket.bind(port)
  const opened = await once(socket, 'listening').then(
    () => true,
    () => false,
  )
  socket.close()
  return opened
}

const TRIES = 50

/** `wanted`, or the next port after it that is free; `wanted` again when none of the next fifty is. */
export async function nextFree(protocol: Protocol, wanted: number, free: IsFree = isFree): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + TRIES, 65536); port++) if (await free(protocol, port)) return port
  return wanted
}

/** Between commas; names of tags may have blanks in them. */
export const listOf = (text: string): string[] =>
  text
    .split(/[,;]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
