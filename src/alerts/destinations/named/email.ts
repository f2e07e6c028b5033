/** Mails to fixed addresses, to the owner of the app, or to addresses in a custom property of the task. */
import type { SendMailOptions } from 'nodemailer'
import type { Severity, TaskEvent } from '../../../events/types.ts'
import type { EmailConfig } from '../../config-email.ts'
import { propertyValues } from '../../gates.ts'
import { isAllowedDomain, isEmailAddress, splitAddresses, uniqueAddresses } from '../../recipients.ts'
import type { AlertText } from '../../texts/writer.ts'
import type { DeliveryResult, Message, NamedDestination, PlannedDelivery, RenderInput } from '../../types.ts'
import { messageId, redirected, scriptLogAttachment, senderOf } from '../email/message.ts'
import { smtpFailure } from '../email/smtp-result.ts'
import { mailView } from '../email/view/index.ts'
import type { NamedDestinationDeps } from './index.ts'
import { type SettingsOf, TEXT_NEEDS } from './types.ts'

/** The connection to the mail server, one for all mails. */
export interface MailTransport {
  sendMail(mail: SendMailOptions & { readonly signal?: AbortSignal }): Promise<{ readonly response: string }>
  close(): void
}

export interface MailDeps {
  readonly transport: MailTransport
  readonly settings: EmailConfig
  /** Sender of destinations that name none. */
  readonly from: string
}

type Priority = NonNullable<SettingsOf<'email'>['priority']>

const LANE = 'email'
/** Target of a row that says why nobody gets a mail. */
const NOBODY = '(nobody)'
const PRIORITY: Readonly<Record<Severity, Priority>> = {
  critical: 'high',
  error: 'high',
  warning: 'normal',
  info: 'normal',
}

interface Content {
  readonly html: string | null
  readonly text: string
}

export function createNamedEmailDestination(
  deps: NamedDestinationDeps,
  name: string,
  settings: SettingsOf<'email'>,
): NamedDestination {
  const { texts, engine, mail, times } = deps
  const { testMode, allowedDomains } = mail.settings
  const attachScriptLog = settings.attachScriptLog ?? mail.settings.attachScriptLog

  function targets(event: TaskEvent): readonly PlannedDelivery[] {
    const fromTask = propertyValues(event.task, settings.recipientProperty)
    const owner = settings.appOwner ? (event.owner?.emails ?? []) : []
    const all = uniqueAddresses(splitAddresses([...settings.recipients, ...fromTask, ...owner]))
    if (all.length > 0) return all.map((address) => recipient(address, allowedDomains))
    const detail = settings.appOwner && !event.owner ? 'the owner of the app is not known' : 'nobody is named'
    return [{ target: NOBODY, lane: LANE, suppress: { reason: 'NO_RECIPIENT', detail } }]
  }

  async function render(input: RenderInput): Promise<Message> {
    const { event, deliveryId, target, severity } = input
    const text = await texts.write(input, settings, { markup: true })
    const content = await contentOf(input, text)
    const { to, subject } = redirected(testMode, target, text.title)
    const from = senderOf(settings.from || mail.from)
    const options: SendMailOptions = {
      from,
      to: { name: '', address: to },
      subject,
      messageId: messageId(deliveryId, from),
      priority: settings.priority ?? PRIORITY[severity],
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Footman-Key': text.key },
      text: content.text,
      ...(content.html === null ? {} : { html: content.html }),
      attachments: attachScriptLog ? await scriptLogAttachment(event, times) : [],
    }
    return { deliveryId, target, subject: text.title, body: content.html ?? content.text, payload: options }
  }

  /** A fallback is plain, so that nothing can be wrong with it. */
  async function contentOf({ kind }: RenderInput, text: AlertText): Promise<Content> {
    if (kind === 'fallback') return { html: null, text: text.text }
    if (text.html !== null) return { html: text.html, text: text.text }
    const lines = text.custom || text.problem ? text.text.split('\n') : undefined
    try {
      const variables = { ...text.variables, view: mailView(text.variables, lines) }
      const [html, plain] = await Promise.all([
        engine.findBuiltin('email/alert'),
        engine.findBuiltin('email/alert.txt'),
      ])
      return { html: engine.render(html, variables, 'html'), text: engine.render(plain, variables, 'text') }
    } catch (error) {
      return { html: null, text: texts.withProblem(text, error).text }
    }
  }

  async function send({ payload }: Message, signal: AbortSignal): Promise<DeliveryResult> {
    if (testMode.enable && !isEmailAddress(testMode.address)) {
      return { outcome: 'retry', detail: 'Butler.footman.email.testMode.address is not a valid address', slow: true }
    }
    try {
      const { response } = await mail.transport.sendMail({ ...(payload as SendMailOptions), signal })
      return { outcome: 'delivered', detail: response }
    } catch (error) {
      return smtpFailure(error)
    }
  }

  return {
    name,
    type: 'email',
    needs: TEXT_NEEDS,
    targets,
    render,
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    async close() {
      mail.transport.close()
    },
  }
}

function recipient(target: string, allowedDomains: readonly string[]): PlannedDelivery {
  const lane = LANE
  if (!isEmailAddress(target)) {
    return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail: 'not a valid e-mail address' } }
  }
  if (isAllowedDomain(target, allowedDomains)) return { target, lane }
  const detail = 'the domain is not in Butler.footman.email.allowedDomains'
  return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail } }
}
