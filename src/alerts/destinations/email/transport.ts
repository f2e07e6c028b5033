/** The connection to the mail server. */
import type { SendMailOptions } from 'nodemailer'
import type { SmtpConfig } from '../../config-email.ts'
import { createTokenSource, type OauthSettings, type TokenSource } from './oauth.ts'

const CONNECT_TIMEOUT_MS = 15_000
const GREETING_TIMEOUT_MS = 15_000
/** Silence after which a connection is given up; also how long an unused one is kept. */
const SILENCE_TIMEOUT_MS = 60_000
const MAX_CONNECTIONS = 4
const MESSAGES_PER_CONNECTION = 100

export interface TransportTimeouts {
  readonly connectMs?: number
  readonly greetingMs?: number
  readonly silenceMs?: number
}

export interface MailServerConfig {
  readonly emailNotification: { readonly smtp: SmtpConfig }
  readonly footman: { readonly email: { readonly oauth2: OauthSettings } }
}

/** A pool of connections. With `requireTLS` nothing, credentials included, leaves without TLS; it wins over `ignoreTLS`. */
export function createMailTransport(config: MailServerConfig, timeouts: TransportTimeouts = {}) {
  const { host, port, secure, tls, auth } = config.emailNotification.smtp
  const { oauth2 } = config.footman.email
  const tokens = createTokenSource(oauth2)
  const settings = {
    pool: true as const,
    maxConnections: MAX_CONNECTIONS,
    maxMessages: MESSAGES_PER_CONNECTION,
    // Repeating is the outbox's business.
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
    /** Rejects with nodemailer's error, which then names the server: somebody has to know which one to look at. */
    async sendMail(mail: SendMailOptions & { readonly signal?: AbortSignal }) {
      opened ??= open()
      try {
        return await (await opened).sendMail(mail)
      } catch (error) {
        throw Object.assign(error as Error, { server: `${host}:${port}` })
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

type Done = (error: Error | null, accessToken?: string, expires?: number) => void

/** OAuth 2 replaces the password; without either nobody logs in. */
function login({ enable, user, password }: SmtpConfig['auth'], mailbox: string, tokens: TokenSource | null) {
  if (tokens) {
    const provisionCallback = (_user: string, renew: boolean, done: Done) => {
      tokens.token(renew).then(({ accessToken, expires }) => done(null, accessToken, expires), done)
    }
    return { auth: { type: 'OAuth2' as const, user: mailbox || user, provisionCallback } }
  }
  return enable ? { auth: { user, pass: password } } : {}
}
