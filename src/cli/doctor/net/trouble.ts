/** What it means that a connection could not be made, and what to do. */
import type { Finding } from '../types.ts'

export interface Subject {
  /** First part of the code. */
  readonly group: string
  readonly target: string
  /** Where host and port are set, for the fix: `Butler.mqttConfig.brokerHost`, `the host in Butler.heartbeat.remoteURL`. */
  readonly hostKey: string
  readonly portKey: string
  /** Key below `Butler`. */
  readonly key: string
  /** What else may help where there is no way to the server. */
  readonly detour?: string
}

interface Meaning {
  readonly what: string
  readonly message: string
  readonly fix: (subject: Subject) => string
  /** Nobody was reached at all. */
  readonly far?: true
}

const NAME: Meaning = {
  what: 'name',
  message: 'the name of the host is not known here',
  far: true,
  fix: ({ hostKey }) => `correct ${hostKey}, or make the name known to the DNS server of this machine`,
}
const REFUSED: Meaning = {
  what: 'refused',
  message: 'the connection was refused: nothing listens on this port',
  fix: ({ portKey }) => `start the server, or correct ${portKey}; a firewall may also refuse`,
}
const SILENT: Meaning = {
  what: 'no-answer',
  message: 'no answer in time',
  far: true,
  fix: ({ hostKey }) => `open the port in the firewalls between here and there, or correct ${hostKey}`,
}
const UNREACHABLE: Meaning = {
  what: 'unreachable',
  message: 'there is no way to this address',
  far: true,
  fix: ({ hostKey }) => `check the network and ${hostKey}`,
}
const MUTE: Meaning = {
  what: 'silent',
  message: 'the port is open, but no answer that makes sense comes in time',
  fix: ({ portKey }) => `check that ${portKey} is the port of this service, and that the server does not hang`,
}
const RESET: Meaning = {
  what: 'closed',
  message: 'the other side closed the connection',
  fix: ({ portKey }) =>
    `check that ${portKey} is the port of this service, and whether it only lets certain addresses in`,
}
const NO_TLS: Meaning = {
  what: 'no-tls',
  message: 'this port does not speak TLS',
  fix: ({ portKey }) => `turn TLS off for it, or correct ${portKey}`,
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: NAME,
  EAI_AGAIN: NAME,
  EAI_NODATA: NAME,
  ECONNREFUSED: REFUSED,
  ESILENT: MUTE,
  ETIMEDOUT: SILENT,
  ESOCKETTIMEDOUT: SILENT,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  ECONNRESET: RESET,
  EPIPE: RESET,
  EPROTO: NO_TLS,
  WRONG_VERSION_NUMBER: NO_TLS,
}

/** The finding for an error of connecting or of the handshake. */
export function trouble(error: unknown, subject: Subject): Finding {
  const { group, target, key } = subject
  const meaning = meaningOf(error)
  if (!meaning) {
    const message = error instanceof Error ? error.message : String(error)
    return { level: 'error', code: `${group}.failed`, target, message, fix: `check ${subject.hostKey}`, key }
  }
  const code = `${group}.${meaning.what}`
  const detour = meaning.far && subject.detour ? `; ${subject.detour}` : ''
  return { level: 'error', code, target, message: meaning.message, fix: `${meaning.fix(subject)}${detour}`, key }
}

function meaningOf(error: unknown): Meaning | undefined {
  const { code = '', message = '' } = error as NodeJS.ErrnoException
  return MEANINGS[code] ?? Object.entries(MEANINGS).find(([name]) => message.includes(name))?.[1]
}
