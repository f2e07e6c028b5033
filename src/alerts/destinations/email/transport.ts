/** The connection to the mail server. */
import nodemailer from 'nodemailer'
import type { SmtpConfig } from '../../config-email.ts'

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

export type MailTransport = ReturnType<typeof createMailTransport>

/** A pool of connections. With `requireTLS` nothing, credentials included, leaves without TLS; it wins over `ignoreTLS`. */
export function createMailTransport({ host, port, secure, tls, auth }: SmtpConfig, timeouts: TransportTimeouts = {}) {
  return nodemailer.createTransport({
    pool: true,
    maxConnections: MAX_CONNECTIONS,
    maxMessages: MESSAGES_PER_CONNECTION,
    host,
    port,
    secure,
    ignoreTLS: tls.ignoreTLS && !tls.requireTLS,
    requireTLS: tls.requireTLS,
    tls: { rejectUnauthorized: tls.rejectUnauthorized, ...(tls.serverName ? { servername: tls.serverName } : {}) },
    ...(auth.enable ? { auth: { user: auth.user, pass: auth.password } } : {}),
    connectionTimeout: timeouts.connectMs ?? CONNECT_TIMEOUT_MS,
    greetingTimeout: timeouts.greetingMs ?? GREETING_TIMEOUT_MS,
    socketTimeout: timeouts.silenceMs ?? SILENCE_TIMEOUT_MS,
    dnsTimeout: timeouts.connectMs ?? CONNECT_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
}
