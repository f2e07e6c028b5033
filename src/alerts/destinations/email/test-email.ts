/** One mail that proves the settings of the mail server. */
import { randomUUID } from 'node:crypto'
import { isEmailAddress } from '../../../platform/mail-addresses.ts'
import type { EmailConfig, EmailNotificationConfig } from '../../config-email.ts'
import { messageId, redirected, senderOf } from './mailer.ts'
import { createMailTransport, smtpFailure, type TransportTimeouts } from './transport.ts'

export interface TestEmailRequest {
  readonly to: string
  /** Default: `reloadTaskFailure.fromAddress`. */
  readonly from?: string
}

export interface TestEmailResult {
  readonly accepted: boolean
  /** The server's answer, or what went wrong. */
  readonly answer: string
}

const SUBJECT = 'Test email from Butler for Qlik Sense'
const TEXT = [
  'This is a test email, sent by Footman, the successor of Butler for Qlik Sense.',
  '',
  'You can read it, so the mail settings in the configuration file work.',
  '',
].join('\n')
const TIMEOUT_MS = 60_000

interface TestEmailConfig {
  readonly emailNotification: Pick<EmailNotificationConfig, 'smtp' | 'reloadTaskFailure'>
  readonly footman: { readonly email: EmailConfig }
}

/** Never rejects. */
export async function sendTestEmail(
  config: TestEmailConfig,
  request: TestEmailRequest,
  timeouts: TransportTimeouts = {},
): Promise<TestEmailResult> {
  const { smtp, reloadTaskFailure } = config.emailNotification
  if (!smtp.host) return { accepted: false, answer: 'Butler.emailNotification.smtp.host is not set' }
  const { to, subject } = redirected(config.footman.email.testMode, request.to, SUBJECT)
  if (!isEmailAddress(to)) return { accepted: false, answer: `"${to}" is not a valid e-mail address` }
  const from = senderOf(request.from || reloadTaskFailure.fromAddress)
  const transport = createMailTransport(config, timeouts)
  try {
    const { response } = await transport.sendMail({
      from,
      to: { name: '', address: to },
      subject,
      messageId: messageId(randomUUID(), from),
      headers: { 'Auto-Submitted': 'auto-generated' },
      text: TEXT,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { accepted: true, answer: response }
  } catch (error) {
    return { accepted: false, answer: smtpFailure(error).detail }
  } finally {
    transport.close()
  }
}
