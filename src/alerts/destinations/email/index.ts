/** Alerts by mail, as the sections of Butler describe them. */
import type { TaskEvent } from '../../../events/types.ts'
import type { Destination } from '../../types.ts'
import { taskAddresses } from './addressees.ts'
import { type EmailDestinationConfig, type Mail, mailsOf, whatOf } from './kinds.ts'
import { createMailSender, type MailerDeps, type MailSender, type MailSettings } from './mailer.ts'

export interface EmailDeps extends MailerDeps {
  /** Shared with other destinations; default: one of its own, closed with the destination. */
  readonly sender?: MailSender
}

export function createEmailDestination(deps: EmailDeps, config: EmailDestinationConfig): Destination {
  const sender = deps.sender ?? createMailSender(deps, config)
  const { attachScriptLog } = config.footman.email
  const mails = new Map(mailsOf(config).map((mail) => [mail.routeName, mail]))
  return {
    name: 'email',
    type: 'email',
    async render(input) {
      const mail = mails.get(input.route.name)
      if (!mail) throw new Error(`route ${input.route.name} has no mail section in the configuration`)
      return sender.renderMail(input, settingsOf(mail, input.event, attachScriptLog))
    },
    deliver: (batch, signal) => Promise.all(batch.map((message) => sender.send(message, signal))),
    close: async () => (deps.sender ? undefined : sender.close()),
  }
}

function settingsOf(mail: Mail, event: TaskEvent, attachScriptLog: boolean): MailSettings {
  const { kind, settings, place } = mail
  const { headScriptLogLines = 0, tailScriptLogLines = 0, subject, fromAddress, priority } = settings
  const { prefix, words, userForm, name } = kind
  return {
    ...{ place, subject, fromAddress, priority, headScriptLogLines, tailScriptLogLines, attachScriptLog, userForm },
    body: { kind: 'folder', directory: settings.bodyFileDirectory, name: settings.htmlTemplateFile },
    eventHeader: name,
    recipients: taskAddresses(event, mail),
    announcement: (to) => `${prefix}: Sending ${words} notification email to ${to}, for ${whatOf(kind, event)}`,
  }
}
