/** Whether a mail server is there, speaks as it is configured, and shows a certificate that is accepted. */
import type { Socket } from 'node:net'
import { isAsInButler } from '../../../../config/compatibility.ts'
import { certificateFindings } from '../../net/certificate.ts'
import { openTcp, type Place } from '../../net/connect.ts'
import { lookAtTls, type TlsLook } from '../../net/tls.ts'
import { trouble } from '../../net/trouble.ts'
import type { DoctorContext, Finding } from '../../types.ts'
import { type Greeting, greet, SmtpRefusal, sayGoodbye, startTls } from './dialogue.ts'
import { type MailSubject, mailFinding } from './subject.ts'

interface ServerLook {
  readonly findings: Finding[]
  /** Whether a login is worth a try. */
  readonly usable: boolean
}

/** A server that waits for TLS says nothing; one that does not greets at once, or soon. */
const PEEK_MS = 3000

export async function lookAtServer(context: DoctorContext, subject: MailSubject): Promise<ServerLook> {
  const { timeout } = context
  try {
    const socket = await openTcp(subject, timeout)
    return context.config.emailNotification.smtp.secure
      ? await tlsFromTheStart(context, subject, socket)
      : await plainFirst(context, subject, socket)
  } catch (error) {
    if (error instanceof SmtpRefusal) return failed(refusal(subject, error))
    return failed(trouble(error, subject))
  }
}

async function tlsFromTheStart(context: DoctorContext, subject: MailSubject, socket: Socket): Promise<ServerLook> {
  const { timeout } = context
  try {
    return judged(await lookAtTls(socket, subject.host, tlsSettings(context), timeout), context, subject)
  } catch (error) {
    const greeting = await peek(subject, timeout)
    if (greeting === null) return failed(trouble(error, subject))
    const { section, port } = subject
    const message = `secure is true, but the server speaks plain SMTP on port ${port} ("${greeting}")`
    return wrongMode(
      subject,
      message,
      `set ${section}.secure to false (STARTTLS then encrypts the connection), or use port 465`,
    )
  }
}

async function plainFirst(context: DoctorContext, subject: MailSubject, socket: Socket): Promise<ServerLook> {
  const { timeout } = context
  try {
    const greeting = await greet(socket, Math.min(timeout, 2 * PEEK_MS))
    return await withStartTls(context, subject, { socket, greeting })
  } catch (error) {
    socket.destroy()
    if (error instanceof SmtpRefusal || !(await speaksTls(context, subject))) throw error
    const { section, port } = subject
    const message = `secure is false, but the server expects TLS from the first byte on port ${port}`
    return wrongMode(subject, message, `set ${section}.secure to true, or use port 587`)
  }
}

function wrongMode(subject: MailSubject, message: string, fix: string): ServerLook {
  return failed(mailFinding(subject, { level: 'error', code: 'smtp.tls-mode', message, fix }, 'secure'))
}

interface Conversation {
  readonly socket: Socket
  readonly greeting: Greeting
}

async function withStartTls(
  context: DoctorContext,
  subject: MailSubject,
  { socket, greeting }: Conversation,
): Promise<ServerLook> {
  const { tls } = context.config.emailNotification.smtp
  if (greeting.startTls && (tls.requireTLS || !tls.ignoreTLS)) {
    await startTls(socket, context.timeout)
    return judged(await lookAtTls(socket, subject.host, tlsSettings(context), context.timeout), context, subject)
  }
  sayGoodbye(socket)
  if (!tls.requireTLS) return { findings: [unencrypted(context, subject, greeting)], usable: true }
  return failed(
    mailFinding(
      subject,
      {
        level: 'error',
        code: 'smtp.no-starttls',
        message: 'the server offers no STARTTLS, and tls.requireTLS forbids sending without TLS',
        fix: `turn TLS on in the server, or set ${subject.section}.tls.requireTLS to false`,
      },
      'tls.requireTLS',
    ),
  )
}

/** What `requireTLS` would forbid; Butler did not look at it. */
function unencrypted({ config }: DoctorContext, subject: MailSubject, { startTls }: Greeting): Finding {
  const { auth, tls } = config.emailNotification.smtp
  const what = auth.enable ? 'mails, and the password, travel' : 'mails travel'
  const why = startTls && tls.ignoreTLS ? 'tls.ignoreTLS is true' : 'the server offers no STARTTLS'
  const strict = isAsInButler('mailTls', config.footman.compatibility)
    ? 'to refuse it, set Butler.footman.compatibility to strict'
    : `to refuse it, set ${subject.section}.tls.requireTLS to true`
  const message = `${what} unencrypted, as ${why}`
  const finding = {
    level: 'warning',
    code: 'smtp.unencrypted',
    message,
    fix: `turn TLS on in the server; ${strict}`,
  } as const
  return mailFinding(subject, finding, 'tls.requireTLS')
}

function judged(look: TlsLook, { config, clock }: DoctorContext, subject: MailSubject): ServerLook {
  const { tls } = config.emailNotification.smtp
  const findings = certificateFindings(look, {
    ...{ group: 'smtp', target: subject.target, name: tls.serverName || subject.host },
    key: look.refusal === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 'emailNotification.smtp.tls.serverName' : subject.key,
    verified: tls.rejectUnauthorized,
    authority:
      `give the server a certificate of a known authority, name the file of yours in the environment variable ` +
      `NODE_EXTRA_CA_CERTS, or set ${subject.section}.tls.rejectUnauthorized to false`,
    now: clock.now(),
  })
  return { findings, usable: !findings.some(({ level }) => level === 'error') }
}

function tlsSettings({ config }: DoctorContext) {
  const { serverName } = config.emailNotification.smtp.tls
  return serverName ? { servername: serverName } : {}
}

/** The greeting of a server that speaks without TLS; null when none comes. */
async function peek(place: Place, timeoutMs: number): Promise<string | null> {
  const socket = await openTcp(place, timeoutMs).catch(() => null)
  if (!socket) return null
  try {
    return (await greet(socket, Math.min(timeoutMs, PEEK_MS))).line
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

async function speaksTls(context: DoctorContext, subject: MailSubject): Promise<boolean> {
  try {
    const socket = await openTcp(subject, context.timeout)
    await lookAtTls(socket, subject.host, {}, Math.min(context.timeout, PEEK_MS))
    return true
  } catch {
    return false
  }
}

const failed = (finding: Finding): ServerLook => ({ findings: [finding], usable: false })

function refusal(subject: MailSubject, { message }: SmtpRefusal): Finding {
  return mailFinding(subject, {
    level: 'error',
    code: 'smtp.turned-away',
    message: `the server does not let this machine in: ${message}`,
    fix: 'allow the address of this machine in the settings of the mail server',
  })
}
