/** The configuration file that `footman init` writes: what was answered, and the next things to switch on as comments. */

import { parse } from 'yaml'
import { parseConfig } from '../../app/config/parse.ts'
import type { Config } from '../../app/schema.ts'
import { isHost } from '../../config/fields/network.ts'
import { findingsOf } from '../../config/issues.ts'
import { isEmailAddress } from '../../platform/mail-addresses.ts'
import { FIELDS, type InitAnswers, SMTP_TLS, type SmtpTls } from './answers.ts'

/** Lines end with `\n`. Every text of the answers is written so that YAML reads it back unchanged. */
export function configurationText(answers: InitAnswers): string {
  const parts = [
    `${HEAD}\n${general(answers)}`,
    qlik(answers),
    udp(answers),
    mail(answers),
    chats(answers),
    rest(answers),
  ]
  return `${[...parts, filter(answers), mqtt(answers), own(answers)].filter((part) => part !== '').join('\n\n')}\n`
}

const HEAD = `# Footman for Qlik Sense. Written by "footman init"; change what you like, and check it with
#
#   footman check -c <this file>
#
# Everything has a default; docs/configuration.md lists every key. Lines that begin with # and no blank behind it are
# settings that are off: take the # away. Keep passwords out of this file: docs/secrets.md.
Butler:`

const general = ({ logDirectory }: InitAnswers) => `  logLevel: info
  fileLogging: true # a new file every day
  logDirectory: ${yaml(logDirectory)}`

function qlik({ certificates, qsHost, qsPort }: InitAnswers): string {
  const file = (name: string) => yaml(`${certificates}${/[\\/]$/.test(certificates) ? '' : '/'}${name}`)
  return `  # Exported from the Qlik Management Console (Certificates, format PEM); README.txt in that folder explains how.
  cert:
    clientCert: ${file('client.pem')}
    clientCertKey: ${file('client_key.pem')}
    clientCertCA: ${file('root.pem')}

  # The central node, by the name that stands in its certificate. Port 4242 and https are the defaults.
  configQRS:
    host: ${yaml(qsHost)}${qsPort === 4242 ? '' : `\n    port: ${qsPort}`}
    rejectUnauthorized: true
    headers: {static: [{name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository}]}
  configEngine:
    rejectUnauthorized: true`
}

const udp = ({ udpPort }: InitAnswers) => `  # Messages of the Qlik Sense scheduler, sent as LocalLogConfig.xml says.
  udpServerConfig:
    enable: true
    serverHost: 0.0.0.0
    portTaskFailure: ${udpPort}
    #enableSourceValidation: true # accept messages of the next computers only
    #allowedSources: [qs-central.acme.example]`

function mail(answers: InitAnswers): string {
  const { mailTo, mailFrom, mailAborted, smtpHost, smtpPort } = answers
  if (mailTo.length === 0) {
    return `  # Mail when a reload task fails (docs/destinations/email.md).
  #emailNotification:
    #enable: true
    #reloadTaskFailure: {enable: true, fromAddress: qliksense-noreply@acme.example, recipients: [bi-ops@acme.example]}
    #smtp: {host: smtp.acme.example, port: 25}`
  }
  const recipients = mailTo.map((address) => `\n        - ${yaml(address)}`).join('')
  const block = (event: string) => `
    ${event}:
      enable: true
${gates(answers, event)}      fromAddress: ${yaml(mailFrom)}
      recipients:${recipients}`
  return `  # Mail when a reload task fails (docs/destinations/email.md).
  emailNotification:
    enable: true${block('reloadTaskFailure')}${mailAborted ? block('reloadTaskAborted') : ''}
    smtp:
      host: ${yaml(smtpHost)}
      port: ${smtpPort}${tls(answers.smtpTls)}${login(answers)}`
}

/** The section about aborted reloads requires the custom property by default. */
function gates({ mailMarked, mailOwner }: InitAnswers, event: string): string {
  const comment = mailMarked ? ' # tasks with the custom property only: footman custom-properties' : ''
  const marked = mailMarked || event === 'reloadTaskAborted'
  const parts = [
    ...(marked ? [`      alertEnableByCustomProperty:\n        enable: ${mailMarked}${comment}\n`] : []),
    ...(mailOwner ? ['      appOwnerAlert:\n        enable: true\n'] : []),
  ]
  return parts.join('')
}

const TLS: Readonly<Record<SmtpTls, string>> = {
  starttls: `
      secure: false # STARTTLS: nothing is sent in clear
      tls:
        rejectUnauthorized: true`,
  tls: `
      secure: true # TLS from the first byte
      tls:
        rejectUnauthorized: true`,
  optional: `
      secure: false
      tls:
        requireTLS: false # mails and passwords go in clear where the server offers no encryption
        rejectUnauthorized: false`,
}
const tls = (kind: SmtpTls): string => TLS[kind]

function login({ smtpUser, smtpPassword }: InitAnswers): string {
  if (smtpUser === '') return ''
  return `
      auth:
        enable: true
        user: ${yaml(smtpUser)}
        password: ${yaml(placeholder(smtpPassword))}`
}

function chats({ slackUrl, teamsUrl }: InitAnswers): string {
  const section = (name: string, url: string, example: string) =>
    url === ''
      ? `  #${name}:
    #enable: true
    #reloadTaskFailure: {enable: true, webhookURL: '\${env:${example}}'}`
      : `  ${name}:
    enable: true
    reloadTaskFailure:
      enable: true
      webhookURL: ${yaml(placeholder(url))} # a secret
      messageType: formatted`
  const comment = '  # Messages in channels (docs/templates.md#slack-and-teams).'
  return [
    comment,
    section('slackNotification', slackUrl, 'SLACK_URL'),
    section('teamsNotification', teamsUrl, 'TEAMS_URL'),
  ].join('\n')
}

const rest = ({
  restHost,
  restPort,
  keyValues,
}: InitAnswers) => `  # Start tasks by REST: POST /v4/reloadtask/<task id>/start. Access rules: docs/security.md#access-to-the-rest-api.
  restServerConfig:
    enable: true
    serverHost: ${yaml(restHost)}
    serverPort: ${restPort}
  restServerEndpointsEnable:
    butlerping: true
    senseStartTask: true
    ${keyValues ? '' : '#'}keyValueStore: true # docs/load-scripts.md
    #fileCopy: true # docs/load-scripts.md#file-operations
    #scheduler: {getSchedule: true, createNewSchedule: true, startSchedule: true, stopSchedule: true} # docs/schedules.md`

function filter({ tags }: InitAnswers): string {
  if (tags.length === 0) {
    return `  # Only these tasks may be started from outside.
  #startTaskFilter:
    #enable: true
    #allowTask: {tag: [start-from-outside]}`
  }
  return `  # Only these tasks may be started from outside.
  startTaskFilter:
    enable: true
    allowTask:
      tag:${tags.map((tag) => `\n        - ${yaml(tag)}`).join('')}`
}

function mqtt({ mqttHost, mqttPort }: InitAnswers): string {
  if (mqttHost === '') {
    return `  # Start tasks by MQTT, and publish what happens to tasks.
  #mqttConfig: {enable: true, brokerHost: mqtt.acme.example, brokerPort: 1883}`
  }
  return `  # Start tasks by MQTT, and publish what happens to tasks.
  mqttConfig:
    enable: true
    brokerHost: ${yaml(mqttHost)}
    brokerPort: ${mqttPort}`
}

const own = ({ webhookUrl }: InitAnswers) => `  # What Butler 16 does not know; it ignores this section.
  footman:
    compatibility: strict # docs/from-butler.md
    dataDirectory: data # beside this file
    #timezone: Europe/Stockholm # of windows and texts; without it that of this computer

${destinations(webhookUrl)}
    #selfAlerts: {to: [ops-mail]} # alerts about Footman itself, docs/monitors.md#self-alerts`

function destinations(webhookUrl: string): string {
  const comment =
    '    # Destinations (docs/destinations/README.md) and the rules that send to them (docs/alert-rules.md).'
  const mail = 'ops-mail: {type: email, recipients: [bi-ops@acme.example]}'
  if (webhookUrl === '') {
    return `${comment}
    #destinations: {${mail}}
    #alertRoutes: [{name: reload-failed, match: {type: reload, outcome: failed}, to: [ops-mail]}]`
  }
  return `${comment}
    destinations:
      failures-webhook: # the whole event as JSON, docs/destinations/webhook.md
        type: webhook
        url: ${yaml(placeholder(webhookUrl))} # a secret
      #${mail}
    alertRoutes:
      - name: reload-failed
        match: {type: reload, outcome: failed}
        to: [failures-webhook]`
}

const SOURCE = /^(env|file|credential):(.+)$/

/** `env:NAME` as `${env:NAME}`; anything else as it is. */
export function placeholder(text: string): string {
  return SOURCE.test(text) ? `\${${text}}` : text
}

/** Texts that YAML reads unchanged without quotes, in any position. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_./@-]*$/
/** Texts that YAML reads as another type. */
const WORDS = /^(true|false|null|yes|no|on|off|y|n)$/i

/** One line of text as a YAML value: in single quotes, where backslashes are backslashes, unless it is quite plain. */
export function yaml(text: string): string {
  return PLAIN.test(text) && !WORDS.test(text) ? text : `'${text.replaceAll("'", "''")}'`
}

/** The README.txt of the certificate folder. */
export function certificatesText(qsHost: string, footmanHost: string): string {
  return `Certificates of Qlik Sense

Footman proves with them to Qlik Sense who it is. Three files belong into this folder:

  client.pem       the certificate
  client_key.pem   its secret key; it gives administrator rights on the site
  root.pem         the authority that has signed it, and the certificate of the server

How to get them:

  1. Open the Qlik Management Console of ${qsHost}: Start, Certificates.
  2. "Add machine name": ${footmanHost}, or any name; the files get a folder of that name.
  3. "Certificate password": leave it empty.
  4. Tick "Include secrets key".
  5. "Export file format": Platform independent PEM-format. Then "Export certificates".
  6. The files are on the central node now, in
     C:\\ProgramData\\Qlik\\Sense\\Repository\\Exported Certificates\\<machine name>
     Copy client.pem, client_key.pem and root.pem from there into this folder, and delete them there.
  7. See that only administrators and the account of the service may read this folder.

footman check shows whether they fit together and until when they are valid; footman doctor also tries them.
`
}

interface AnswerProblem {
  readonly key: keyof InitAnswers
  readonly message: string
}

/** Control characters and what else is no part of one line. */
const NO_LINE = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u

/** Everything that is wrong, in the order of the table; empty = nothing. */
export function answerProblems(answers: InitAnswers): AnswerProblem[] {
  const unwritable = FIELDS.filter(({ key }) => [answers[key]].flat().some((value) => NO_LINE.test(String(value))))
  if (unwritable.length > 0) return unwritable.map(({ key }) => ({ key, message: 'must be one line of text' }))
  const found = [...essentials(answers), ...addresses(answers), ...ofSchema(answers)]
  return FIELDS.flatMap(({ key }) => found.filter((problem) => problem.key === key).slice(0, 1))
}

/** Null when there are problems. */
export function configOf(answers: InitAnswers): Config | null {
  const parsed = parsedConfig(answers)
  return 'config' in parsed ? parsed.config : null
}

function* essentials(answers: InitAnswers): Generator<AnswerProblem> {
  const { qsHost, footmanHost, mailTo, smtpHost, smtpUser, smtpPassword } = answers
  if (qsHost === '') yield { key: 'qsHost', message: 'is needed: the host name of the central Qlik Sense node' }
  if (footmanHost === '') yield { key: 'footmanHost', message: 'is needed: Qlik Sense sends its messages to it' }
  else if (!isHost(footmanHost))
    yield { key: 'footmanHost', message: `must be a host or an address, found "${footmanHost}"` }
  if (!SMTP_TLS.includes(answers.smtpTls)) yield { key: 'smtpTls', message: `must be ${SMTP_TLS.join(', ')}` }
  if (mailTo.length > 0 && smtpHost === '') yield { key: 'smtpHost', message: 'is needed to send mails' }
  if (smtpUser !== '' && !/^(env|credential):[A-Za-z0-9._-]+$|^file:./.test(smtpPassword)) {
    yield { key: 'smtpPassword', message: 'must be credential:NAME, env:NAME or file:PATH, not the password itself' }
  }
}

/** The schema takes any scheme; channels are reached over HTTP. */
const isWebhook = (text: string): boolean => text === '' || /^https?:\/\/[^/]|^(env|file|credential):./i.test(text)

function* addresses({ mailTo, mailFrom, slackUrl, teamsUrl, webhookUrl }: InitAnswers): Generator<AnswerProblem> {
  for (const [key, url] of Object.entries({ slackUrl, teamsUrl, webhookUrl } as const)) {
    if (isWebhook(url)) continue
    yield {
      key: key as 'slackUrl' | 'teamsUrl' | 'webhookUrl',
      message: `must be an https address, or env:NAME, file:PATH or credential:NAME, found "${url}"`,
    }
  }
  const wrong = mailTo.find((address) => !isEmailAddress(address))
  if (wrong !== undefined) yield { key: 'mailTo', message: `"${wrong}" is not a mail address` }
  const sender = /<([^<>]*)>\s*$/.exec(mailFrom)?.[1] ?? mailFrom
  if (mailTo.length > 0 && !isEmailAddress(sender)) {
    yield { key: 'mailFrom', message: `"${mailFrom}" holds no mail address` }
  }
}

function ofSchema(answers: InitAnswers): AnswerProblem[] {
  const parsed = parsedConfig(answers)
  if ('config' in parsed) return []
  return findingsOf(parsed.issues).flatMap(({ path, message }) => {
    const written = path.filter((step) => typeof step === 'string').join('.')
    const field = FIELDS.find(({ paths }) =>
      paths.some((known) => written === known || written.startsWith(`${known}.`)),
    )
    // An answer that no field stands for would be a mistake of the generator; it must not go unnoticed.
    return [{ key: field?.key ?? 'qsHost', message: field ? message : `${written} ${message}` }]
  })
}

function parsedConfig(answers: InitAnswers) {
  const { Butler } = parse(configurationText(withoutPlaceholders(answers))) as { readonly Butler: unknown }
  return parseConfig(Butler)
}

/** Placeholders become values when Footman starts: a webhook is taken for one here. */
function withoutPlaceholders(answers: InitAnswers): InitAnswers {
  const url = (text: string) => (/^(env|file|credential):/.test(text) ? 'https://placeholder.example' : text)
  return {
    ...answers,
    slackUrl: url(answers.slackUrl),
    teamsUrl: url(answers.teamsUrl),
    webhookUrl: url(answers.webhookUrl),
  }
}
