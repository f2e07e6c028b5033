/** What a mail server's answer means for the delivery. */
import type { DeliveryResult } from '../../types.ts'

/** The members that nodemailer and our transport add to errors. */
interface SmtpError extends Error {
  readonly code?: string
  /** The server's whole answer line. */
  readonly response?: string
  readonly responseCode?: number
  readonly command?: string
  /** Added by our own transport: `mail.acme.example:25`. */
  readonly server?: string
}

/** Login refused or demanded: nothing a repetition a few seconds later would mend. */
const LOGIN_CODES = [530, 534, 535, 538]
/** Commands whose 5xx answers are about this very message. */
const ABOUT_MESSAGE = ['RCPT TO', 'DATA']
/** Problems of the message itself that the server was never asked about. */
const UNSENDABLE = ['EENVELOPE', 'EMESSAGE']

/**
 * Temporary: network errors, TLS errors, 4xx. Temporary but slow: refused logins, missing TLS and 5xx answers to
 * greeting or sender, which a person has to repair. Permanent: 5xx for the recipient or the message.
 */
export function smtpFailure(error: unknown): DeliveryResult {
  const { code, response, responseCode = 0, command = '', server } = error as SmtpError
  const detail = [server, detailOf(error as SmtpError)].filter(Boolean).join(': ')
  if (code === 'EABORT') return { outcome: 'retry', detail: 'not finished in time' }
  // No token: the server that hands them out may be down for a moment.
  if (command === 'AUTH XOAUTH2' && !response) return { outcome: 'retry', detail }
  if (code === 'EAUTH' || LOGIN_CODES.includes(responseCode)) return { outcome: 'retry', detail, slow: true }
  if (code === 'ETLS' && command === 'STARTTLS') return { outcome: 'retry', detail, slow: true }
  if (responseCode >= 500) {
    return ABOUT_MESSAGE.includes(command) ? { outcome: 'rejected', detail } : { outcome: 'retry', detail, slow: true }
  }
  if (!response && UNSENDABLE.includes(code ?? '')) return { outcome: 'rejected', detail }
  return { outcome: 'retry', detail, peerDown: !response || responseCode === 421 }
}

function detailOf({ code, response, message, command }: SmtpError): string {
  const answer = response?.replace(/\s*\r?\n\s*/g, ' ') ?? [code, message].filter(Boolean).join(' ')
  if (code !== 'ETLS' || command !== 'STARTTLS') return answer
  return `no STARTTLS (${answer}), and Butler.emailNotification.smtp.tls.requireTLS forbids sending without TLS`
}
