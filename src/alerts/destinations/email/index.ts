/** Alerts by mail. */
import type { SendMailOptions } from 'nodemailer'
import type { Clock, Logger } from '../../../platform/types.ts'
import { VERSION } from '../../../platform/version.ts'
import { isEmailAddress } from '../../recipients.ts'
import { templateRecord } from '../../record.ts'
import type { TemplateEngine } from '../../templates/engine.ts'
import type { TimeFormatter } from '../../times.ts'
import type { DeliveryResult, Destination, Message, RenderInput } from '../../types.ts'
import { createContentWriter } from './content.ts'
import { mailOptions, redirected, scriptLogAttachment } from './message.ts'
import { taskAddresses } from './routes.ts'
import { type EmailDestinationConfig, type Mail, mailsOf } from './sections.ts'
import { smtpFailure } from './smtp-result.ts'
import { createMailTransport, type TransportTimeouts } from './transport.ts'

export interface EmailDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  readonly timeouts?: TransportTimeouts
}

interface MailPayload {
  readonly options: SendMailOptions
  readonly announcement: string
}

const TEST_MODE_REMINDER_MS = 3_600_000

/** One message per recipient over a pool of connections that opens with the first mail. */
export function createEmailDestination(deps: EmailDeps, config: EmailDestinationConfig): Destination {
  const { log, engine, times, clock } = deps
  const { email } = config.footman
  const mails = new Map(mailsOf(config).map((mail) => [mail.routeName, mail]))
  const writer = createContentWriter({ engine, log })
  const transport = createMailTransport(config, deps.timeouts)
  const stopReminding = remindOfTestMode(log, email.testMode)

  function recordOf({ event, suppressed }: RenderInput, mail: Mail) {
    const { headScriptLogLines: headLines, tailScriptLogLines: tailLines } = mail.settings
    const { qlikSenseUrls, genericUrls } = config
    const context = { qlikSenseUrls, genericUrls, version: VERSION, times, now: clock.now() }
    return {
      ...templateRecord(event, context, { headLines, tailLines }, mail.kind.userForm),
      emailRecipients: taskAddresses(event, mail),
      suppressedCount: suppressed,
    }
  }

  async function render(input: RenderInput): Promise<Message> {
    const { event, deliveryId, target, route } = input
    const mail = mails.get(route.name)
    if (!mail) throw new Error(`route ${route.name} has no mail section in the configuration`)
    const content = await writer.write(mail, recordOf(input, mail))
    const marked = event.test ? `[TEST] ${content.subject}` : content.subject
    const { to, subject } = redirected(email.testMode, target, marked)
    const attachments = email.attachScriptLog ? await scriptLogAttachment(event, times) : []
    const options = mailOptions({ mail, event, deliveryId, to, content: { ...content, subject }, attachments })
    const { label, words } = mail.kind
    const announcement = `[QSEOW] EMAIL ${label} ALERT: Sending ${words} notification email to ${to}, for task "${event.taskName}"`
    const payload: MailPayload = { options, announcement }
    return { deliveryId, target, subject, body: content.html ?? content.text, payload }
  }

  async function send(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
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
  }

  return {
    name: 'email',
    type: 'email',
    render,
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    async close() {
      stopReminding()
      transport.close()
    },
  }
}

/** At start and once an hour while it is on. */
function remindOfTestMode(log: Logger, { enable, address }: { enable: boolean; address: string }): () => void {
  if (!enable) return () => {}
  const remind = () =>
    log.warn(`[QSEOW] EMAIL CONFIG: Butler.footman.email.testMode is on, every mail goes to ${address} only`)
  remind()
  const timer = setInterval(remind, TEST_MODE_REMINDER_MS)
  timer.unref()
  return () => clearInterval(timer)
}
