/** From content to a MIME message: headers, sender, test mode, attached script log. */
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { SendMailOptions } from 'nodemailer'
import type { TaskEvent } from '../../../events/types.ts'
import type { EmailConfig } from '../../config-email.ts'
import { domainOf } from '../../recipients.ts'
import { wholeText } from '../../script-log.ts'
import type { TimeFormatter } from '../../times.ts'
import type { MailContent } from './content.ts'

const compress = promisify(gzip)
/** Larger script logs are attached compressed. */
const MAX_PLAIN_ATTACHMENT = 5 * 1024 * 1024

/** Recipient and subject under test mode: everything goes to one address and says whom it was meant for. */
export function redirected(
  testMode: EmailConfig['testMode'],
  to: string,
  subject: string,
): { to: string; subject: string } {
  if (!testMode.enable) return { to, subject }
  return { to: testMode.address, subject: `${to}: ${subject}` }
}

/** Never empty: without a usable sender in the configuration the mail comes from this host. */
export function senderOf(fromAddress: string): string {
  return addressOf(fromAddress) ? fromAddress : `Footman <footman@${hostname()}>`
}

/** The bare address in `Name (comment) <a@b>`; empty when there is none. */
export function addressOf(mailbox: string): string {
  return /<([^<>\s]+@[^<>\s]+)>/.exec(mailbox)?.[1] ?? /[^\s<>()]+@[^\s<>()]+/.exec(mailbox)?.[0] ?? ''
}

/** The same delivery always has the same Message-ID, so that a repetition is recognised as one. */
export function messageId(deliveryId: string, sender: string): string {
  return `<${deliveryId}@${domainOf(addressOf(sender))}>`
}

export interface MessageParts {
  readonly settings: {
    readonly fromAddress: string
    readonly priority: 'low' | 'normal' | 'high'
    readonly eventHeader: string
  }
  readonly event: TaskEvent
  readonly deliveryId: string
  readonly to: string
  readonly content: MailContent
  readonly attachments: SendMailOptions['attachments']
}

/** What nodemailer sends. A mail goes to one recipient only, without CC and BCC. */
export function mailOptions({ settings, event, deliveryId, to, content, attachments }: MessageParts): SendMailOptions {
  const from = senderOf(settings.fromAddress)
  return {
    from,
    to: { name: '', address: to },
    subject: content.subject,
    messageId: messageId(deliveryId, from),
    priority: settings.priority,
    headers: {
      'Auto-Submitted': 'auto-generated',
      ...(event.taskId ? { 'X-Butler-Task-Id': event.taskId } : {}),
      'X-Butler-Event': settings.eventHeader,
    },
    text: content.text,
    ...(content.html === null ? {} : { html: content.html }),
    attachments,
  }
}

/** `<yyyy-MM-dd_HH-mm-ss>_appId=<id>_taskId=<id>.log`, with `.gz` above 5 MiB. Nothing when there is no script log. */
export async function scriptLogAttachment(
  event: TaskEvent,
  times: TimeFormatter,
): Promise<SendMailOptions['attachments']> {
  if (!event.scriptLog) return []
  const time = times.sortable(event.receivedAt).replace(' ', '_').replaceAll(':', '-')
  const filename = `${time}_appId=${event.appId}_taskId=${event.taskId}.log`
  const content = Buffer.from(wholeText(event.scriptLog))
  if (content.length <= MAX_PLAIN_ATTACHMENT) {
    return [{ filename, content, contentType: 'text/plain; charset=utf-8' }]
  }
  return [{ filename: `${filename}.gz`, content: await compress(content), contentType: 'application/gzip' }]
}
