/** Makes and sends mails: what the sections of Butler and the named destinations of type `email` share. */

import type { SendMailOptions } from 'nodemailer'
import { createRecurringJob } from '../../../platform/recurring-job.ts'
import type { Clock, Logger } from '../../../platform/types.ts'
import { VERSION } from '../../../platform/version.ts'
import { withoutActing } from '../../../platform/visible.ts'
import type { EmailConfig, EmailNotificationConfig } from '../../config-email.ts'
import { isEmailAddress } from '../../recipients.ts'
import { type LinkConfig, recordLinks, templateRecord, type UserForm } from '../../record.ts'
import type { TemplateEngine } from '../../templates/engine.ts'
import { mapTexts } from '../../templates/escape.ts'
import type { TimeFormatter } from '../../times.ts'
import type { DeliveryResult, Message, RenderInput } from '../../types.ts'
import { createContentWriter, type MailBody } from './content.ts'
import { mailOptions, redirected, scriptLogAttachment } from './message.ts'
import { smtpFailure } from './smtp-result.ts'
import { createMailTransport, type TransportTimeouts } from './transport.ts'

export interface MailerDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  readonly timeouts?: TransportTimeouts
}

export type MailerConfig = LinkConfig & {
  readonly emailNotification: Pick<EmailNotificationConfig, 'smtp'>
  readonly footman: { readonly email: EmailConfig }
}

/** How one kind of mail looks. */
export interface MailSettings {
  /** Key of the settings, like `Butler.emailNotification.reloadTaskFailure`: in log lines and errors. */
  readonly place: string
  /** Template of the subject; empty = the built-in title. */
  readonly subject: string
  /** Null = the built-in templates. */
  readonly body: MailBody | null
  readonly fromAddress: string
  readonly priority: 'low' | 'normal' | 'high'
  readonly headScriptLogLines: number
  readonly tailScriptLogLines: number
  readonly attachScriptLog: boolean
  readonly userForm: UserForm
  /** Header `X-Butler-Event`. */
  readonly eventHeader: string
  /** Variable `emailRecipients`. */
  readonly recipients?: { readonly taskSpecific: readonly string[]; readonly common: readonly string[] }
  /** Logged when the mail leaves, without the address: `... Sending reload task failed notification email`. */
  readonly announcement: (to: string) => string
}

export interface MailSender {
  /** The delivery's mail to `input.target`. Never rejects because of a template. */
  renderMail(input: RenderInput, settings: MailSettings): Promise<Message>
  /** A message that `renderMail` has made. Never rejects. */
  send(message: Message, signal: AbortSignal): Promise<DeliveryResult>
  close(): Promise<void>
}

interface MailPayload {
  readonly options: SendMailOptions
  readonly announcement: string
}

const TEST_MODE_REMINDER_MS = 3_600_000

/** One message per recipient over a pool of connections that opens with the first mail. */
export function createMailSender(deps: MailerDeps, config: MailerConfig): MailSender {
  const { log, engine, times, clock } = deps
  const { email } = config.footman
  const writer = createContentWriter({ engine, log })
  const transport = createMailTransport(config, deps.timeouts)
  const stopReminding = remindOfTestMode(log, email.testMode)

  function recordOf(input: RenderInput, settings: MailSettings) {
    const { headScriptLogLines: headLines, tailScriptLogLines: tailLines, userForm, recipients } = settings
    const context = { ...recordLinks(config), version: VERSION, times, now: clock.now() }
    return {
      ...mapTexts(templateRecord(input.event, context, { headLines, tailLines }, userForm, input), withoutActing),
      ...(recipients ? { emailRecipients: recipients } : {}),
    }
  }

  return {
    async renderMail(input, settings) {
      const { event, deliveryId, target, kind } = input
      const record = recordOf(input, settings)
      const content = await writer.write({ ...settings, ...ownTexts(kind, settings) }, record)
      const marked = withTestMark(content.subject, event.test || kind === 'test')
      const { to, subject } = redirected(email.testMode, target, marked)
      const attachments = settings.attachScriptLog ? await scriptLogAttachment(event, times) : []
      const options = mailOptions({ settings, event, deliveryId, to, content: { ...content, subject }, attachments })
      const payload: MailPayload = { options, announcement: settings.announcement(to) }
      return { deliveryId, target, subject, body: content.html ?? content.text, payload }
    },
    async send(message, signal) {
      const { options, announcement } = message.payload as MailPayload
      if (email.testMode.enable && !isEmailAddress(email.testMode.address)) {
        return { outcome: 'retry', detail: 'Butler.footman.email.testMode.address is not a valid address', slow: true }
      }
      log.info(announcement)
      try {
        const { response } = await transport.sendMail({ ...options, signal })
        return { outcome: 'delivered', detail: response }
      } catch (error) {
        return smtpFailure(error)
      }
    },
    async close() {
      stopReminding()
      transport.close()
    },
  }
}

/** Templates of the user tell what has happened; that it is over, or came another way, is told in our own words. */
function ownTexts(kind: RenderInput['kind'], { subject, body }: MailSettings) {
  const own = kind === 'alert' || kind === 'test'
  return { subject: own ? subject : '', body: own ? body : null, plain: kind === 'fallback' }
}

function withTestMark(subject: string, test: boolean): string {
  return test && !subject.startsWith('[TEST] ') ? `[TEST] ${subject}` : subject
}

/** At start and once an hour while it is on. */
function remindOfTestMode(log: Logger, { enable, address }: { enable: boolean; address: string }): () => void {
  if (!enable) return () => {}
  const reminder = createRecurringJob({ everyMs: TEST_MODE_REMINDER_MS, firstMs: 0, unref: true }, () =>
    log.warn(`[QSEOW] EMAIL CONFIG: Butler.footman.email.testMode is on, every mail goes to ${address} only`),
  )
  reminder.start()
  return () => void reminder.stop()
}
