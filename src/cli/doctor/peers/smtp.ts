/** The mail server: greeting, TLS, login. No mail is sent. */

import type { Socket } from 'node:net'
import { createMailTransport } from '../../../alerts/destinations/email/transport.ts'
import { isAsInButler } from '../../../app/config/compatibility.ts'
import {
  certificateFindings,
  lookAtTls,
  openTcp,
  type Place,
  readUntil,
  type Subject,
  type TlsLook,
  trouble,
} from '../net.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

export const smtp: Probe = {
  group: 'smtp',
  title: 'Mail server',
  applies: ({ config }) => usesMail(config) && config.emailNotification.smtp.host !== '',
  async run(context) {
    const subject = subjectOf(context)
    const { findings, usable } = await lookAtServer(context, subject)
    return usable ? [...findings, ...(await loginFindings(context, subject))] : findings
  },
}

function usesMail({ emailNotification, footman, qlikSenseCloud }: DoctorContext['config']): boolean {
  const { emailNotification: cloud } = qlikSenseCloud.event.mqtt.tenant.alert
  const named = Object.values(footman.destinations).some(({ enable, type }) => enable && type === 'email')
  return emailNotification.enable || named || (qlikSenseCloud.enable && cloud.reloadAppFailure.enable)
}

const SMTP = 'emailNotification.smtp'

interface MailSubject extends Subject {
  readonly host: string
  readonly port: number
  readonly section: string
}

export function subjectOf({ config }: DoctorContext): MailSubject {
  const { host, port } = config.emailNotification.smtp
  return {
    ...{ host, port, group: 'smtp', target: `${host}:${port}`, section: `Butler.${SMTP}` },
    ...{ hostKey: `Butler.${SMTP}.host`, portKey: `Butler.${SMTP}.port`, key: `${SMTP}.host` },
  }
}

/** A finding about the server as a whole, or about one key of its section. */
function mailFinding({ target }: MailSubject, finding: Omit<Finding, 'target' | 'key'>, key = 'host'): Finding {
  return { ...finding, target, key: `${SMTP}.${key}` }
}

interface ServerLook {
  readonly findings: Finding[]
  /** Whether a login is worth a try. */
  readonly usable: boolean
}

/** A server that waits for TLS says nothing; one that does not greets at once, or soon. */
const PEEK_MS = 3000

async function lookAtServer(context: DoctorContext, subject: MailSubject): Promise<ServerLook> {
  const { timeout } = context
  try {
    const socket = await openTcp(subject, timeout)
    return context.config.emailNotification.smtp.secure
      ? await tlsFromTheStart(context, subject, socket)
      : await plainFirst(context, subject, socket)
  } catch (error) {
    if (error instanceof SmtpRefusal) return failed(turnedAway(subject, error))
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

function turnedAway(subject: MailSubject, { message }: SmtpRefusal): Finding {
  return mailFinding(subject, {
    level: 'error',
    code: 'smtp.turned-away',
    message: `the server does not let this machine in: ${message}`,
    fix: 'allow the address of this machine in the settings of the mail server',
  })
}

interface Greeting {
  /** The server's first line. */
  readonly line: string
  readonly startTls: boolean
  /** Ways to log in that it offers before TLS. */
  readonly login: boolean
}

/** The server says that it does not want to talk. */
class SmtpRefusal extends Error {
  override readonly name = 'SmtpRefusal'
}

/** Rejects with `SmtpRefusal` for an answer that is no 2xx, with `ESILENT` when none comes. */
async function greet(socket: Socket, timeoutMs: number): Promise<Greeting> {
  const line = await answer(socket, timeoutMs)
  socket.write('EHLO footman\r\n')
  const offers = await answer(socket, timeoutMs)
  return {
    line: line.trim(),
    startTls: /^250[- ]STARTTLS\b/im.test(offers),
    login: /^250[- ]AUTH\b/im.test(offers),
  }
}

/** From now on the socket is to shake hands. */
async function startTls(socket: Socket, timeoutMs: number): Promise<void> {
  socket.write('STARTTLS\r\n')
  await answer(socket, timeoutMs)
}

function sayGoodbye(socket: Socket): void {
  socket.end('QUIT\r\n')
  socket.destroySoon()
}

/** A whole answer: its last line has a blank after the number. */
async function answer(socket: Socket, timeoutMs: number): Promise<string> {
  const text = await readUntil(socket, (all) => /^\d{3} [^\n]*\n/m.test(all), timeoutMs)
  if (!text.startsWith('2')) throw new SmtpRefusal(text.trim().split(/\r?\n/)[0])
  return text
}

/** From here on somebody who waits for an alert notices. */
const SLOW_MS = 5000

async function loginFindings(context: DoctorContext, subject: MailSubject): Promise<Finding[]> {
  const { config, timeout } = context
  const transport = createMailTransport(config, { connectMs: timeout, greetingMs: timeout, silenceMs: timeout })
  const since = performance.now()
  try {
    await transport.verify()
    return [welcome(context, subject, performance.now() - since)]
  } catch (error) {
    return [refusedLogin(error as Error, context, subject)]
  } finally {
    transport.close()
  }
}

function welcome({ config }: DoctorContext, subject: MailSubject, ms: number): Finding {
  if (ms > SLOW_MS) {
    return mailFinding(subject, {
      level: 'warning',
      code: 'smtp.slow',
      message: `answers, but takes ${Math.round(ms / 1000)} s to let somebody in`,
      fix: 'look whether the server looks up the name of this machine in vain, or use another one',
    })
  }
  const { auth } = config.emailNotification.smtp
  const login = auth.enable || config.footman.email.oauth2.tokenUrl !== '' ? ', the login is accepted' : ''
  return mailFinding(subject, { level: 'ok', code: 'smtp.ready', message: `answers${login}` })
}

function refusedLogin(
  error: Error & { code?: string; response?: string },
  { config }: DoctorContext,
  subject: MailSubject,
) {
  const isLogin = error.code === 'EAUTH' || /^5(30|34|35|38)\b/.test(error.response ?? '')
  if (!isLogin) return trouble(error, subject)
  const oauth = config.footman.email.oauth2.tokenUrl !== ''
  const fix = oauth
    ? 'correct Butler.footman.email.oauth2; the application needs the right to send mail as this mailbox'
    : `correct ${subject.section}.auth.user and .password; Microsoft 365 and Google want Butler.footman.email.oauth2`
  return mailFinding(
    subject,
    {
      level: 'error',
      code: 'smtp.login',
      message: `the login is refused: ${(error.response ?? error.message).replace(/\s+/g, ' ')}`,
      fix,
    },
    'auth',
  )
}
