/** The connection to the mail server: its settings, the login, and the meaning of its answers. */
import type { SendMailOptions } from 'nodemailer'
import { connectionFailure, failureText } from '../../../platform/connection-failure.ts'
import { createHttpClient } from '../../../platform/http-client.ts'
import { unbroken } from '../../../platform/visible.ts'
import type { EmailConfig, SmtpConfig } from '../../config-email.ts'
import type { DeliveryResult, Refusal } from '../../types.ts'

const CONNECT_TIMEOUT_MS = 15_000
const GREETING_TIMEOUT_MS = 15_000
/** Silence after which a connection is given up; also how long an unused one is kept. */
const SILENCE_TIMEOUT_MS = 60_000
const MAX_CONNECTIONS = 4
const MESSAGES_PER_CONNECTION = 100

const TOKEN_TIMEOUT_MS = 15_000
/** A token is renewed so long before it expires. */
const EARLY_MS = 60_000
/** When the server does not say how long a token is valid. */
const DEFAULT_LIFETIME_S = 3600

export interface TransportTimeouts {
  readonly connectMs?: number
  readonly greetingMs?: number
  readonly silenceMs?: number
}

export interface TransportOptions {
  readonly connections?: number
  /** Gets each answer of the server, such as `354 Go ahead`, and the command that it answers; '' for the greeting and the content. */
  readonly onAnswer?: (answer: string, command: string) => void
}

interface MailServerConfig {
  readonly emailNotification: { readonly smtp: SmtpConfig }
  readonly footman: { readonly email: { readonly oauth2: OauthSettings } }
}

/** A pool of connections. With `requireTLS` nothing, credentials included, leaves without TLS; it wins over `ignoreTLS`. */
export function createMailTransport(
  config: MailServerConfig,
  timeouts: TransportTimeouts = {},
  { connections = MAX_CONNECTIONS, onAnswer }: TransportOptions = {},
) {
  const { host, port, secure, tls, auth } = config.emailNotification.smtp
  const { oauth2 } = config.footman.email
  const tokens = createTokenSource(oauth2)
  const settings = {
    pool: true as const,
    maxConnections: connections,
    ...(onAnswer && { transactionLog: true, logger: answers(onAnswer) }),
    maxMessages: MESSAGES_PER_CONNECTION,
    // Our own queues repeat failed attempts. The library would send a mail again whose content may have been accepted, or whose
    // attachments, which are streams, are used up.
    maxRequeues: 0,
    host,
    port,
    secure,
    ignoreTLS: tls.ignoreTLS && !tls.requireTLS,
    requireTLS: tls.requireTLS,
    tls: { rejectUnauthorized: tls.rejectUnauthorized, ...(tls.serverName ? { servername: tls.serverName } : {}) },
    ...login(auth, oauth2.user, tokens),
    connectionTimeout: timeouts.connectMs ?? CONNECT_TIMEOUT_MS,
    greetingTimeout: timeouts.greetingMs ?? GREETING_TIMEOUT_MS,
    socketTimeout: timeouts.silenceMs ?? SILENCE_TIMEOUT_MS,
    dnsTimeout: timeouts.connectMs ?? CONNECT_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
  let opened: ReturnType<typeof open> | undefined

  // Loaded with the first mail: at start nothing waits for the library.
  async function open() {
    const { createTransport } = await import('nodemailer')
    return createTransport(settings)
  }

  return {
    /** Rejects with nodemailer's error, with the members `server` (host and port) and `requiresTls` added. */
    async sendMail(mail: SendMailOptions & { readonly signal?: AbortSignal }) {
      opened ??= open()
      try {
        return await (await opened).sendMail(mail)
      } catch (error) {
        throw Object.assign(error as Error, { server: { host, port }, requiresTls: tls.requireTLS })
      }
    },
    /** Connects and logs in, as a mail would. Rejects with nodemailer's error. */
    async verify(): Promise<void> {
      opened ??= open()
      await (await opened).verify()
    },
    close() {
      tokens?.close()
      void opened?.then((transport) => transport.close())
    },
  }
}

/** A log of nodemailer, over one connection, that keeps the answers of the server alone. They come in the order of the commands. */
function answers(onAnswer: (answer: string, command: string) => void) {
  let commands: string[] = []
  const kindOf = (entry: unknown) => (entry as { readonly tnx?: unknown }).tnx
  const ignore = () => {}
  const debug = (entry: unknown, line: unknown) => {
    if (kindOf(entry) === 'client') commands.push(String(line))
    else if (kindOf(entry) === 'server') onAnswer(String(line), commands.shift() ?? '')
  }
  const info = (entry: unknown) => {
    if (kindOf(entry) === 'network') commands = []
  }
  return { level: ignore, trace: ignore, debug, info, warn: ignore, error: ignore, fatal: ignore }
}

type Done = (error: Error | null, accessToken?: string, expires?: number) => void

/** The login: OAuth 2, else name and password when they are enabled, else none. */
function login({ enable, user, password }: SmtpConfig['auth'], mailbox: string, tokens: TokenSource | null) {
  if (tokens) {
    const provisionCallback = (_user: string, renew: boolean, done: Done) => {
      tokens.token(renew).then(({ accessToken, expires }) => done(null, accessToken, expires), done)
    }
    return { auth: { type: 'OAuth2' as const, user: mailbox || user, provisionCallback } }
  }
  return enable ? { auth: { user, pass: password } } : {}
}

type OauthSettings = EmailConfig['oauth2']

interface TokenSource {
  /** A token that is valid for at least a minute; `renew` asks for a new one although the old one looks valid. */
  token(renew: boolean): Promise<{ readonly accessToken: string; readonly expires: number }>
  close(): void
}

/** Access tokens for SASL XOAUTH2, as Microsoft 365 and Google require them. Null when `oauth2.tokenUrl` is empty. */
export function createTokenSource(
  settings: OauthSettings,
  now: () => number = Date.now,
  proxyEnv: Readonly<Record<string, string | undefined>> = process.env,
): TokenSource | null {
  if (!settings.tokenUrl) return null
  const http = createHttpClient({ timeoutMs: TOKEN_TIMEOUT_MS, proxyEnv })
  let current: { accessToken: string; expires: number } | null = null
  let pending: Promise<{ accessToken: string; expires: number }> | null = null

  async function fetchToken() {
    const response = await http.request({
      method: 'POST',
      url: settings.tokenUrl,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
      body: new URLSearchParams(grant(settings)).toString(),
    })
    const answer = readAnswer(response.text())
    if (response.status !== 200 || typeof answer.access_token !== 'string') {
      const reason = typeof answer.error === 'string' ? answer.error : `HTTP ${response.status}`
      throw new Error(`Butler.footman.email.oauth2: ${new URL(settings.tokenUrl).host} gave no token (${reason})`)
    }
    const seconds = Number(answer.expires_in) || DEFAULT_LIFETIME_S
    current = { accessToken: answer.access_token, expires: now() + seconds * 1000 }
    return current
  }

  return {
    async token(renew) {
      if (!renew && current && current.expires - EARLY_MS > now()) return current
      pending ??= fetchToken().finally(() => {
        pending = null
      })
      return pending
    },
    close: () => http.close(),
  }
}

function grant({ clientId, clientSecret, scope, refreshToken }: OauthSettings): Record<string, string> {
  const client = { client_id: clientId, client_secret: clientSecret, ...(scope ? { scope } : {}) }
  if (refreshToken) return { grant_type: 'refresh_token', refresh_token: refreshToken, ...client }
  return { grant_type: 'client_credentials', ...client }
}

function readAnswer(text: string): Record<string, unknown> {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** The addresses of a mail, by the answers of the server. */
export interface AddressAnswers {
  readonly taken: string[]
  readonly refused: Refusal[]
}

/** Adds the answer about an address; leaves out those to other commands. */
export function addAnswer({ taken, refused }: AddressAnswers, answer: string, command: string): void {
  const address = /^RCPT TO:<(.*)>/.exec(command)?.[1]
  if (address === undefined) return
  const responseCode = Number(answer.slice(0, 3))
  if (responseCode < 300) taken.push(address)
  else {
    const isShorter = isTooLarge({ response: answer, responseCode, message: answer })
    const isPermanent = responseCode >= 500 && !isTooMany(answer)
    refused.push({ address, detail: unbroken(answer), isPermanent, ...(isShorter && { tooLarge: true }) })
  }
}

/** The members that nodemailer and our transport add to errors. */
interface SmtpError extends Error {
  readonly code?: string
  /** The server's whole answer line. */
  readonly response?: string
  readonly responseCode?: number
  readonly command?: string
  /** Added by our own transport. */
  readonly server?: { readonly host: string; readonly port: number }
  readonly requiresTls?: boolean
}

const SMTP_KEY = 'Butler.emailNotification.smtp'
/** Login refused or required: another attempt a few seconds later would not help. */
const LOGIN_CODES = [530, 534, 535, 538]
/** Commands whose 5xx answers are about this very message. */
const ABOUT_MESSAGE = ['RCPT TO', 'DATA']
/** Errors of the message itself, found before it was sent. */
const UNSENDABLE = ['EENVELOPE', 'EMESSAGE']

/** The server ends the connection (RFC 5321, 4.2.1). */
const CLOSING = 421

const SIZE_CODES = [552, 523]
/** RFC 3463: too large for the server (5.3.4), for this mailbox (5.2.3). */
const SIZE_ANSWER = /\b5\.3\.4\b|\b5\.2\.3\b|message size|too (?:large|big)|size limit|larger than/i
/** A mailbox that is full takes no shorter message either. */
const FULL = /\b5\.2\.2\b|quota|mailbox (?:is )?full/i

/** Not of this mail: the address gets it in a further one (RFC 5321, 4.5.3.1.10). */
const isTooMany = (response: string): boolean => /^552\b.*(?:5\.5\.3\b|too many recipients)/i.test(response)

/** Refused for its size: by the code, in words, or by ourselves before it was sent, as the server had announced a limit (`SIZE`). */
function isTooLarge({
  code,
  response = '',
  responseCode = 0,
  message,
}: Pick<SmtpError, 'code' | 'response' | 'responseCode' | 'message'>): boolean {
  if (!response) return code === 'EMESSAGE' && SIZE_ANSWER.test(message)
  if (responseCode < 500 || FULL.test(response) || isTooMany(response)) return false
  return SIZE_CODES.includes(responseCode) || SIZE_ANSWER.test(response)
}

/**
 * Temporary: network errors, TLS errors, 4xx. Temporary but slow: refused logins, missing TLS and 5xx answers to
 * greeting or sender, which a person has to repair. Permanent: 5xx for the recipient or the message.
 */
export function smtpFailure(error: unknown): DeliveryResult {
  const { code, response, responseCode = 0, command = '' } = error as SmtpError
  const detail = detailOf(error as SmtpError)
  if (code === 'EABORT') return { outcome: 'retry', detail: 'not finished in time' }
  // At whichever step: the server takes no mail now, and says nothing about this one.
  if (responseCode === CLOSING) return { outcome: 'retry', detail, peerDown: true }
  // No token: the token server may be down for a short time.
  if (command === 'AUTH XOAUTH2' && !response) return { outcome: 'retry', detail }
  if (code === 'EAUTH' || LOGIN_CODES.includes(responseCode)) return { outcome: 'retry', detail, slow: true }
  if (code === 'ETLS' && command === 'STARTTLS') return { outcome: 'retry', detail, slow: true }
  if (isTooMany(response ?? '')) return { outcome: 'retry', detail }
  if (isTooLarge(error as SmtpError)) return { outcome: 'rejected', detail, tooLarge: true }
  if (responseCode >= 500) {
    return ABOUT_MESSAGE.includes(command) ? { outcome: 'rejected', detail } : { outcome: 'retry', detail, slow: true }
  }
  if (!response && UNSENDABLE.includes(code ?? '')) return { outcome: 'rejected', detail }
  return { outcome: 'retry', detail, peerDown: !response }
}

/** The server's answer, or why there is none: `The name smtp.example.org cannot be resolved. Check ...smtp.host.` */
function detailOf(error: SmtpError): string {
  const { code, response, responseCode, message, command, server, requiresTls = false } = error
  const answer =
    response &&
    (responseCode === CLOSING ? `the server closed the connection (${unbroken(response)})` : unbroken(response))
  if (code === 'ETLS' && command === 'STARTTLS') {
    // Without the setting, the server has offered what it then refuses.
    const rule = requiresTls
      ? `and ${SMTP_KEY}.tls.requireTLS forbids sending without TLS`
      : `which the server offers; ${SMTP_KEY}.tls.ignoreTLS: true sends without TLS`
    return withServer(server, `no STARTTLS (${answer ?? message}), ${rule}`)
  }
  if (answer !== undefined || !server || command === 'AUTH XOAUTH2' || code === 'EENVELOPE' || code === 'EMESSAGE') {
    return withServer(server, answer ?? message)
  }
  const failure = connectionFailure(error, { ...server, hostKey: `${SMTP_KEY}.host`, portKey: `${SMTP_KEY}.port` })
  return failure.kind === 'failed' ? withServer(server, failureText(failure)) : failureText(failure)
}

function withServer(server: SmtpError['server'], text: string): string {
  return server ? `${server.host}:${server.port}: ${text}` : text
}
