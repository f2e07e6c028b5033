/** The mail server: greeting, TLS, login. No mail is sent. */

import { TLSSocket } from 'node:tls'
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
  tlsLook,
  trouble,
} from '../connection.ts'
import { mails, storedReports } from '../reports/stored.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

export const smtp: Probe = {
  group: 'smtp',
  title: 'Mail server',
  applies: (context) => context.config.emailNotification.smtp.host !== '' && usesMail(context),
  async run(context) {
    const subject = subjectOf(context)
    const { findings, usable } = await lookAtServer(context, subject)
    return usable ? [...findings, ...(await loginFindings(context, subject))] : findings
  },
}

function usesMail(context: DoctorContext): boolean {
  const { emailNotification, footman, qlikSenseCloud } = context.config
  const { emailNotification: cloud } = qlikSenseCloud.event.mqtt.tenant.alert
  const named = Object.values(footman.destinations).some(({ enable, type }) => enable && type === 'email')
  const byAlerts = emailNotification.enable || named || (qlikSenseCloud.enable && cloud.reloadAppFailure.enable)
  const { enable, hub } = footman.reportTask
  const byHub = enable && hub.enable && hub.auth === 'magicLink'
  return byAlerts || byHub || storedReports(context).tasks.some(mails)
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
    host,
    port,
    group: 'smtp',
    target: `${host}:${port}`,
    section: `Butler.${SMTP}`,
    hostKey: `Butler.${SMTP}.host`,
    portKey: `Butler.${SMTP}.port`,
    key: `${SMTP}.host`,
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

/** Connects as a mail would, without logging in; judges encryption and certificate. */
async function lookAtServer(context: DoctorContext, subject: MailSubject): Promise<ServerLook> {
  const { secure, tls } = context.config.emailNotification.smtp
  try {
    const { look, offersStartTls } = await greet(context, subject)
    if (look !== null) return judged(look, context, subject)
    if (tls.requireTLS) return failed(noStartTls(subject))
    return { findings: [unencrypted(context, subject, offersStartTls)], usable: true }
  } catch (error) {
    const mismatch = await (secure ? plainServer : tlsServer)(context, subject, error as MailError)
    return failed(mismatch ?? refusal(error as MailError, subject))
  }
}

/** The finding for `secure: true` and a server that answers without TLS; null for another server. */
async function plainServer({ timeout }: DoctorContext, subject: MailSubject): Promise<Finding | null> {
  const greeting = await peek(subject, timeout)
  if (greeting === null) return null
  const { section, port } = subject
  const message = `secure is true, but the server speaks plain SMTP on port ${port} ("${greeting}")`
  return wrongMode(
    subject,
    message,
    `set ${section}.secure to false (STARTTLS then encrypts the connection), or use port 465`,
  )
}

/** The finding for `secure: false` and a server that expects TLS at once; null for another server. */
async function tlsServer(
  { timeout }: DoctorContext,
  subject: MailSubject,
  { responseCode }: MailError,
): Promise<Finding | null> {
  if (responseCode !== undefined || !(await speaksTls(subject, timeout))) return null
  const { section, port } = subject
  const message = `secure is false, but the server expects TLS from the first byte on port ${port}`
  return wrongMode(subject, message, `set ${section}.secure to true, or use port 587`)
}

function wrongMode(subject: MailSubject, message: string, fix: string): Finding {
  return mailFinding(subject, { level: 'error', code: 'smtp.tls-mode', message, fix }, 'secure')
}

function noStartTls(subject: MailSubject): Finding {
  const finding = {
    level: 'error',
    code: 'smtp.no-starttls',
    message: 'the server offers no STARTTLS, and tls.requireTLS forbids sending without TLS',
    fix: `turn TLS on in the server, or set ${subject.section}.tls.requireTLS to false`,
  } as const
  return mailFinding(subject, finding, 'tls.requireTLS')
}

/** Warning about a connection without TLS, which `requireTLS` would forbid. Butler ignores that setting. */
function unencrypted({ config }: DoctorContext, subject: MailSubject, offersStartTls: boolean): Finding {
  const { auth, tls } = config.emailNotification.smtp
  const what = auth.enable ? 'mails, and the password, travel' : 'mails travel'
  const why = offersStartTls && tls.ignoreTLS ? 'tls.ignoreTLS is true' : 'the server offers no STARTTLS'
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
    group: 'smtp',
    target: subject.target,
    name: tls.serverName || subject.host,
    key: look.refusal === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 'emailNotification.smtp.tls.serverName' : subject.key,
    verified: tls.rejectUnauthorized,
    authority:
      `give the server a certificate of a known authority, name the file of yours in the environment variable ` +
      `NODE_EXTRA_CA_CERTS, or set ${subject.section}.tls.rejectUnauthorized to false`,
    now: clock.now(),
  })
  return { findings, usable: !findings.some(({ level }) => level === 'error') }
}

/** First line of a server that speaks without TLS; null when there is none. */
async function peek(place: Place, timeoutMs: number): Promise<string | null> {
  const socket = await openTcp(place, timeoutMs).catch(() => null)
  const isWhole = (text: string) => /^\d{3} [^\n]*\n/m.test(text)
  try {
    return socket && (await readUntil(socket, isWhole, Math.min(timeoutMs, PEEK_MS))).trim()
  } catch {
    return null
  } finally {
    socket?.destroy()
  }
}

async function speaksTls(subject: MailSubject, timeoutMs: number): Promise<boolean> {
  try {
    const socket = await openTcp(subject, timeoutMs)
    await lookAtTls(socket, subject.host, {}, Math.min(timeoutMs, PEEK_MS))
    return true
  } catch {
    return false
  }
}

const failed = (finding: Finding): ServerLook => ({ findings: [finding], usable: false })

/** An error of nodemailer; `responseCode` is the status of an answer of the server. */
interface MailError extends Error {
  readonly code?: string
  readonly response?: string
  readonly responseCode?: number
  /** The step that took too long, for `ETIMEDOUT`. */
  readonly timeoutType?: string
}

function refusal(error: MailError, subject: MailSubject): Finding {
  if (error.responseCode !== undefined) {
    return mailFinding(subject, {
      level: 'error',
      code: 'smtp.turned-away',
      message: `the server does not let this machine in: ${(error.response ?? error.message).split(/\r?\n/)[0]}`,
      fix: 'allow the address of this machine in the settings of the mail server',
    })
  }
  const isSilent = error.code === 'ETIMEDOUT' && error.timeoutType !== 'CONNECT_TIMEOUT'
  return trouble(isSilent ? { code: 'ESILENT' } : error, subject)
}

interface Greeting {
  /** Null without TLS. */
  readonly look: TlsLook | null
  readonly offersStartTls: boolean
}

/** Greeting, EHLO and STARTTLS, as `smtp.tls` says; accepts every certificate. Rejects with nodemailer's error. */
async function greet({ config, timeout }: DoctorContext, { host, port }: MailSubject): Promise<Greeting> {
  const { secure, tls } = config.emailNotification.smtp
  const { default: SmtpConnection } = await import('nodemailer/lib/smtp-connection')
  const connection = new SmtpConnection({
    host,
    port,
    secure,
    ignoreTLS: tls.ignoreTLS && !tls.requireTLS,
    tls: { rejectUnauthorized: false, ...(tls.serverName ? { servername: tls.serverName } : {}) },
    connectionTimeout: timeout,
    greetingTimeout: Math.min(timeout, 2 * PEEK_MS),
    socketTimeout: timeout,
    dnsTimeout: timeout,
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  connection.on('error', reject)
  connection.on('end', () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })))
  connection.connect((error) => (error ? reject(error) : resolve()))
  try {
    await promise
    const { _socket: socket, lastServerResponse } = connection
    return {
      look: socket instanceof TLSSocket ? tlsLook(socket) : null,
      offersStartTls: /^250[- ]STARTTLS\b/im.test(String(lastServerResponse)),
    }
  } finally {
    connection.close()
  }
}

/** A login that takes longer is reported: alerts are late then. */
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
      message: `answers, but takes ${Math.round(ms / 1000)} s to accept a login`,
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
