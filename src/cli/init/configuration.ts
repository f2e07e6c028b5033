/** The configuration file that `footman init` writes: what was answered, and the next things to switch on as comments. */
import type { InitAnswers, SmtpTls } from './answers.ts'

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
  return `${[...parts, filter(answers), mqtt(answers), OWN].filter((part) => part !== '').join('\n\n')}\n`
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
  return `  # Exported from the Qlik Management Console (Certificates, format PEM); README.txt in that folder tells how.
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
    return `  # Mail when a reload task fails (docs/email.md).
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
  return `  # Mail when a reload task fails (docs/email.md).
  emailNotification:
    enable: true${block('reloadTaskFailure')}${mailAborted ? block('reloadTaskAborted') : ''}
    smtp:
      host: ${yaml(smtpHost)}
      port: ${smtpPort}${tls(answers.smtpTls)}${login(answers)}`
}

/** The section about aborted reloads asks for the custom property unless it is told not to. */
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
  const comment = '  # Messages in channels (docs/slack-and-teams.md).'
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
}: InitAnswers) => `  # Start tasks by REST: POST /v4/reloadtask/<task id>/start. Who may call it: docs/access.md.
  restServerConfig:
    enable: true
    serverHost: ${yaml(restHost)}
    serverPort: ${restPort}
  restServerEndpointsEnable:
    butlerping: true
    senseStartTask: true
    ${keyValues ? '' : '#'}keyValueStore: true # docs/key-values.md
    #fileCopy: true # docs/files.md
    #scheduler: {getSchedule: true, startSchedule: true, stopSchedule: true} # docs/scheduler.md`

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

const OWN = `  # What Butler 16 does not know; it ignores this section.
  footman:
    compatibility: strict # docs/from-butler.md
    dataDirectory: data # beside this file
    #timezone: Europe/Stockholm # of windows and texts; without it that of this computer

    # Alerts about Footman itself (docs/self-alerts.md), routes of your own (docs/alert-routes.md).
    #destinations: {ops-mail: {type: email, recipients: [bi-ops@acme.example]}}
    #selfAlerts: {to: [ops-mail]}`

const SOURCE = /^(env|file|credential):(.+)$/

/** `env:NAME` as `${env:NAME}`; anything else as it is. */
export function placeholder(text: string): string {
  return SOURCE.test(text) ? `\${${text}}` : text
}

/** Texts that YAML takes as they are, whatever stands around them. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_./@-]*$/
/** What YAML takes for something else than a text. */
const WORDS = /^(true|false|null|yes|no|on|off|y|n)$/i

/** One line of text as a YAML value: in single quotes, where backslashes are backslashes, unless it is quite plain. */
export function yaml(text: string): string {
  return PLAIN.test(text) && !WORDS.test(text) ? text : `'${text.replaceAll("'", "''")}'`
}
