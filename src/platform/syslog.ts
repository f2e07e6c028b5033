/**
 * Syslog: messages in the form of RFC 5424, sent with their length before them (octet counting) over TLS as RFC 5425 says, or over
 * plain TCP to a relay on this machine. The protocol has no acknowledgement, so each batch is a connection of its own: messages
 * count as delivered when the receiver has closed it in order after the last byte.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface SyslogMessage {
  /** 0 to 23; 13 = log audit. */
  readonly facility: number
  /** 0 to 7; 4 = warning, 6 = informational. */
  readonly severity: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly host: string
  readonly app: string
  readonly processId: number
  /** Kind of the message. */
  readonly id: string
  /** ASCII, so that no receiver has to guess the encoding. */
  readonly text: string
}

/** Printable ASCII without blanks, which is all that fields of the header may have. */
const field = (text: string, longest: number): string => text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, longest) || '-'

/** A message without structured data. */
export function syslogLine({ facility, severity, at, host, app, processId, id, text }: SyslogMessage): string {
  const header = [
    `<${facility * 8 + severity}>1`,
    new Date(at).toISOString(),
    field(host, 255),
    field(app, 48),
    field(String(processId), 128),
    field(id, 32),
    '-',
  ]
  return `${header.join(' ')} ${text}`
}

/** A message as it crosses: its length in octets, a blank, the message. */
export const framed = (line: string): string => `${Buffer.byteLength(line)} ${line}`

export interface SyslogPeer {
  readonly host: string
  readonly port: number
  /** PEM texts; null = plain TCP. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null
}

/** For the connection, the bytes and the end of the connection, each. */
const STEP_TIMEOUT_MS = 10_000

/** Resolves when the receiver has taken all lines; rejects with the reason otherwise. The signal ends the attempt. */
export function sendSyslog(
  peer: SyslogPeer,
  lines: readonly string[],
  signal: AbortSignal,
  timeoutMs = STEP_TIMEOUT_MS,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = open(peer)
    let step = 'accept the connection'
    let timer = setTimeout(expire, timeoutMs)
    let isSettled = false

    function settle(error: Error | null): void {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (error) reject(error)
      else resolve()
    }
    function expire(): void {
      settle(new Error(`${peer.host}:${peer.port} did not ${step} within ${timeoutMs / 1000} s`))
    }
    function next(what: string): void {
      step = what
      clearTimeout(timer)
      timer = setTimeout(expire, timeoutMs)
    }
    const onAbort = () => settle(new Error('the attempt was ended'))
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()

    socket.once(peer.tls ? 'secureConnect' : 'connect', () => {
      next('take the messages')
      socket.end(lines.map(framed).join(''), () => {
        if (!isSettled) next('close the connection')
      })
    })
    // A receiver sends nothing; without reading, its end would not be seen.
    socket.resume()
    socket.once('error', settle)
    socket.once('end', () => {
      if (step === 'close the connection') settle(null)
    })
    socket.once('close', () =>
      settle(step === 'close the connection' ? null : new Error(`${peer.host}:${peer.port} closed the connection`)),
    )
  })
}

function open({ host, port, tls }: SyslogPeer): Socket {
  if (!tls) return connectTcp({ host, port })
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    rejectUnauthorized: true,
  })
}
