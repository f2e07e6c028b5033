/** `Butler.emailNotification` and `Butler.footman.email`. */
import { z } from 'zod'
import {
  choice,
  count,
  file,
  flag,
  host,
  httpUrl,
  list,
  nullableText,
  number,
  object,
  optionalFlag,
  port,
  section,
  text,
} from '../config/fields.ts'

export const PRIORITIES = ['low', 'normal', 'high'] as const

/** The values of Butler's template file that differ between the seven kinds of task mail. */
interface TaskMailDefaults {
  readonly event: string
  /** Part of the names of the custom properties: `Butler_<property>AlertEnableEmail`. */
  readonly property: string
  readonly enabledByProperty?: boolean
  readonly rateLimit: number
  readonly subject: string
  readonly template: string
}

function mail(rateLimit: number, subject: string, template: string) {
  return {
    rateLimit: number('Seconds between two mails about the same subject to the same recipient.', rateLimit),
    priority: choice('Priority of the mail.', PRIORITIES, 'high'),
    subject: text('Template of the subject.', subject),
    bodyFileDirectory: file('Folder of the body templates.', '', { defaultText: 'built-in templates' }),
    htmlTemplateFile: text('Name of the body template without extension.', template),
    fromAddress: text('Sender.'),
    recipients: list('Fixed recipients.', z.string()),
  }
}

function taskMail(defaults: TaskMailDefaults) {
  const { property, enabledByProperty = false } = defaults
  return {
    enable: flag(`Send a mail when ${defaults.event}.`),
    alertEnableByCustomProperty: section('Mail the fixed recipients for marked tasks only.', () => ({
      enable: flag('Only for tasks whose custom property has the value.', enabledByProperty),
      customPropertyName: text('Name of the custom property.', `Butler_${property}AlertEnableEmail`),
      enabledValue: text('The value.', 'Yes'),
    })),
    alertEnabledByEmailAddress: section('Further recipients per task.', () => ({
      customPropertyName: text('Custom property whose values are addresses.', `Butler_${property}AlertSendToEmail`),
    })),
    ...mail(defaults.rateLimit, defaults.subject, defaults.template),
  }
}

const owner = object(() => ({
  directory: text('User directory.'),
  userId: text('User id.'),
}))

const appOwnerAlert = section('Also mail the owner of the app.', () => ({
  enable: flag('Mail the owner.'),
  includeOwner: section('Owners to mail.', () => ({
    includeAll: flag('All owners except the excluded; false: only those listed.', true),
    user: list('Owners to mail.', owner),
  })),
  excludeOwner: section('Owners not to mail.', () => ({ user: list('Owners not to mail.', owner) })),
}))

function scriptLogLines(head: number, tail: number) {
  return {
    headScriptLogLines: count('First lines of the script log in the mail.', head),
    tailScriptLogLines: count('Last lines of the script log in the mail.', tail),
  }
}

const reloadTaskSuccess = section('Mails about successful reload tasks.', () => ({
  ...taskMail({
    event: 'a reload task has succeeded',
    property: 'Success',
    rateLimit: 60,
    subject: '✅ Qlik Sense reload success: "{{taskName}}"',
    template: 'success-reload-qseow',
  }),
  ...scriptLogLines(15, 25),
}))

const reloadTaskAborted = section('Mails about aborted reload tasks.', () => ({
  ...taskMail({
    event: 'a reload task was aborted',
    property: 'Aborted',
    enabledByProperty: true,
    rateLimit: 600,
    subject: 'Qlik Sense reload aborted: "{{taskName}}"',
    template: 'aborted-reload',
  }),
  ...scriptLogLines(15, 15),
  appOwnerAlert,
}))

const reloadTaskFailure = section('Mails about failed reload tasks.', () => ({
  ...taskMail({
    event: 'a reload task has failed',
    property: 'Failed',
    rateLimit: 600,
    subject: 'Qlik Sense reload failed: "{{taskName}}"',
    template: 'failed-reload',
  }),
  ...scriptLogLines(15, 15),
  appOwnerAlert,
}))

function transferMail(kind: 'distribute' | 'preload', outcome: 'success' | 'failed') {
  const capital = kind === 'distribute' ? 'Distribute' : 'Preload'
  const sign = outcome === 'success' ? '✅' : '❌'
  return section(`Mails about ${outcome === 'success' ? 'successful' : 'failed'} ${kind} tasks.`, () => ({
    ...taskMail({
      event: `a ${kind} task has ${outcome === 'success' ? 'succeeded' : 'failed'}`,
      property: `${capital}${outcome === 'success' ? 'Success' : 'Failed'}`,
      rateLimit: 600,
      subject: `${sign} Qlik Sense ${kind} task ${outcome}: "{{taskName}}"`,
      template: `${outcome}-${kind}`,
    }),
  }))
}

function serviceMail(outcome: 'stopped' | 'started', sign: string) {
  return section(
    `Mails about ${outcome} Windows services; serviceMonitor.alertDestination.email switches them on.`,
    () => ({
      ...mail(
        30,
        `${sign} Windows service ${outcome} on host {{host}}: "{{serviceDisplayName}}"`,
        `service-${outcome}`,
      ),
    }),
  )
}

const smtp = section('The mail server.', () => ({
  host: host('Host of the mail server.').meta({ label: 'Host', hint: 'Like smtp.acme.example.' }),
  port: port('Port of the mail server.', 25).meta({ label: 'Port', hint: '25, 587 with a login, 465 with TLS.' }),
  secure: optionalFlag('TLS from the first byte.', { defaultText: 'true for port 465, else false' }).meta({
    label: 'TLS',
    texts: { '': 'by its port', true: 'from the first byte', false: 'by STARTTLS' },
  }),
  tls: section('TLS of the connection.', () => ({
    serverName: nullableText('Name to verify instead of host.').meta({
      label: 'Name in its certificate',
      advanced: true,
    }),
    ignoreTLS: flag('Never use STARTTLS.').meta({ label: 'Never use STARTTLS', advanced: true }),
    requireTLS: flag('Refuse to send anything without TLS.', true).meta({ label: 'Only with TLS' }),
    rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true).meta({
      label: 'Verify its certificate',
      advanced: true,
    }),
  })),
  auth: section('Login.', () => ({
    enable: flag('Log in.').meta({ label: 'Log in' }),
    user: text('User name.').meta({ label: 'User' }),
    password: text('Password.').meta({ label: 'Password' }),
  })),
})).transform((value) => ({ ...value, secure: value.secure ?? value.port === 465 }))

export const emailNotification = section('Alerts by mail.', () => ({
  enable: flag('Send mails.'),
  reloadTaskSuccess,
  reloadTaskAborted,
  reloadTaskFailure,
  distributeTaskSuccess: transferMail('distribute', 'success'),
  distributeTaskFailure: transferMail('distribute', 'failed'),
  preloadTaskSuccess: transferMail('preload', 'success'),
  preloadTaskFailure: transferMail('preload', 'failed'),
  serviceStopped: serviceMail('stopped', '❌'),
  serviceStarted: serviceMail('started', '✅'),
  smtp,
}))

export const email = section('More about mails, all of them.', () => ({
  testMode: section('Trying things out without bothering anybody.', () => ({
    enable: flag('Send every mail to the address below only.'),
    address: text('The address.'),
  })),
  attachScriptLog: flag('Attach the whole script log to mails about reloads.'),
  allowedDomains: list('Domains to which mails may be sent; empty = all.', z.string()),
  oauth2: section('Login with OAuth 2 (XOAUTH2) instead of the password.', () => ({
    user: text('Mailbox.'),
    tokenUrl: httpUrl('Address that hands out tokens.'),
    clientId: text('Client id.'),
    clientSecret: text('Client secret.'),
    scope: text('Scope to ask for.'),
    refreshToken: text('Refresh token; without it the client-credentials grant is used.'),
  })),
}))

export type EmailNotificationConfig = z.output<typeof emailNotification>
export type SmtpConfig = z.output<typeof smtp>
export type EmailConfig = z.output<typeof email>
