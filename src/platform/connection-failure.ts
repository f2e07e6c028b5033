/** Explains why a server could not be reached, in the same words for the log, the details of deliveries and `footman doctor`. */
import { HttpError } from './http-exchange.ts'

export interface Peer {
  readonly host: string
  readonly port: number
  /** The setting of the host: `Butler.mqttConfig.brokerHost`, `the host in Butler.heartbeat.remoteURL`. */
  readonly hostKey: string
  /** The setting of the port. */
  readonly portKey: string
}

export interface ConnectionFailure {
  readonly kind: 'name' | 'refused' | 'no-answer' | 'unreachable' | 'silent' | 'closed' | 'no-tls' | 'failed'
  /** `the name smtp.example.org cannot be resolved` */
  readonly reason: string
  /** `check Butler.emailNotification.smtp.host` */
  readonly hint: string
}

interface Explanation {
  readonly kind: ConnectionFailure['kind']
  readonly reason: (peer: Peer) => string
  readonly hint: (peer: Peer) => string
}

const NAME: Explanation = {
  kind: 'name',
  reason: ({ host }) => `the name ${host} cannot be resolved`,
  hint: ({ hostKey }) => `check ${hostKey}`,
}
const REFUSED: Explanation = {
  kind: 'refused',
  reason: (peer) => `${addressOf(peer)} refused the connection`,
  hint: ({ portKey }) => `check that the server runs, ${portKey}, and the firewalls on the way`,
}
const NO_ANSWER: Explanation = {
  kind: 'no-answer',
  reason: (peer) => `${addressOf(peer)} does not answer in time`,
  hint: ({ hostKey }) => `check the firewalls on the way, and ${hostKey}`,
}
const UNREACHABLE: Explanation = {
  kind: 'unreachable',
  reason: (peer) => `${addressOf(peer)} cannot be reached over the network`,
  hint: ({ hostKey }) => `check the network, and ${hostKey}`,
}
const SILENT: Explanation = {
  kind: 'silent',
  reason: (peer) => `${addressOf(peer)} accepts the connection, but does not answer in time`,
  hint: ({ portKey }) => `check that ${portKey} is the port of this service, and that the server does not hang`,
}
const CLOSED: Explanation = {
  kind: 'closed',
  reason: (peer) => `${addressOf(peer)} closed the connection`,
  hint: ({ portKey }) =>
    `check that ${portKey} is the port of this service, and that the server accepts the address of this machine`,
}
/** At whichever step: that the host or the port are wrong is the least probable reason. */
const ENDED: Explanation = {
  kind: 'closed',
  reason: CLOSED.reason,
  hint: () => 'check the log of the server, and that it accepts the address of this machine',
}
const NO_TLS: Explanation = {
  kind: 'no-tls',
  reason: (peer) => `${addressOf(peer)} does not speak TLS`,
  hint: ({ portKey }) => `turn TLS off for it, or correct ${portKey}`,
}

const BY_CODE: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: NAME,
  EAI_AGAIN: NAME,
  EAI_NODATA: NAME,
  ECONNREFUSED: REFUSED,
  ESILENT: SILENT,
  ETIMEDOUT: NO_ANSWER,
  ESOCKETTIMEDOUT: NO_ANSWER,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  EPROTO: NO_TLS,
  WRONG_VERSION_NUMBER: NO_TLS,
  // Codes of nodemailer, which puts the system's code into the message.
  EDNS: NAME,
  ECONNECTION: ENDED,
}

const BY_HTTP_KIND: Readonly<Partial<Record<HttpError['kind'], Explanation>>> = {
  dns: NAME,
  refused: REFUSED,
  timeout: NO_ANSWER,
  reset: CLOSED,
}

/** `error` is that of a connection, a TLS handshake, or an HTTP request. An unknown one keeps its message. */
export function connectionFailure(error: unknown, peer: Peer): ConnectionFailure {
  if (error instanceof HttpError) {
    const known = BY_HTTP_KIND[error.kind]
    // The message of an `HttpError` is plain already, and more exact about time-outs and proxies.
    const reason = known === NAME ? NAME.reason(peer) : error.message
    return { kind: known?.kind ?? 'failed', reason, hint: (known ?? NAME).hint(peer) }
  }
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException
  const known = explanationOf(code, message)
  if (!known) return { kind: 'failed', reason: message, hint: `check ${peer.hostKey}` }
  return { kind: known.kind, reason: known.reason(peer), hint: known.hint(peer) }
}

/** Two sentences: `The name smtp.example.org cannot be resolved. Check Butler.emailNotification.smtp.host.` */
export function failureText({ reason, hint }: Pick<ConnectionFailure, 'reason' | 'hint'>): string {
  return `${sentence(reason)} ${sentence(hint)}`
}

function explanationOf(code: string, message: string): Explanation | undefined {
  return BY_CODE[code] ?? Object.entries(BY_CODE).find(([name]) => message.includes(name))?.[1]
}

const addressOf = ({ host, port }: Peer): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** Only words that begin a sentence of our own get a capital: host names stay as they are. */
function sentence(text: string): string {
  const capital = /^(?:the|check|turn) /.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text
  return /[.!?]$/.test(capital) ? capital : `${capital}.`
}
