/** `Butler.qlikSenseCloud`: events of Qlik Cloud and the alerts about them. */
import { z } from 'zod'
import { choice, count, file, flag, list, number, object, section, text, uri } from '../config/fields.ts'

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
