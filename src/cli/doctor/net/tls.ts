/** A TLS handshake as an examination: what the server shows, and whether a client would accept it. */
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type PeerCertificate } from 'node:tls'
import { timeOver } from './connect.ts'

export interface TlsSettings {
  /** PEM; absent = the public authorities. */
  readonly ca?: string | readonly string[]
  readonly cert?: string
  readonly key?: string
  /** Name that the certificate has to carry; default: the host. */
  readonly servername?: string
}

export interface TlsLook {
  /** Null when a client with these authorities accepts the certificate; else OpenSSL's or Node's code. */
  readonly refusal: string | null
  readonly certificate: {
    readonly subject: string
    readonly issuer: string
    /** Names that it is made for. */
    readonly names: string
    /** Milliseconds since 1970; null when the server shows none. */
    readonly notAfter: number | null
    readonly notBefore: number | null
  }
}

/** Shakes hands over a connected socket and closes it. Rejects when the other side speaks no TLS or refuses. */
export function lookAtTls(socket: Socket, host: string, settings: TlsSettings, timeoutMs: number): Promise<TlsLook> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(timeOver(timeoutMs, 'no TLS handshake'))), timeoutMs)
    const secure = connect(optionsFor(socket, host, settings), () => {
      const peer = secure.getPeerCertificate()
      const refusal = secure.authorized ? null : codeOf(secure.authorizationError)
      finish(() => resolve({ refusal, certificate: certificateOf(peer) }))
    })
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      secure.destroy()
      socket.destroy()
      settle()
    }
    secure.on('error', (error) => finish(() => reject(error)))
  })
}

function optionsFor(socket: Socket, host: string, { servername, ca, cert, key }: TlsSettings): ConnectionOptions {
  const name = servername ?? host
  return {
    socket,
    host,
    ...(isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca: [...(typeof ca === 'string' ? [ca] : ca)] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // To be judged by us, with words.
    rejectUnauthorized: false,
  }
}

function codeOf(error: unknown): string {
  if (typeof error === 'string') return error
  return (error as NodeJS.ErrnoException | null)?.code ?? String((error as Error | null)?.message ?? 'not verified')
}

function certificateOf(peer: PeerCertificate): TlsLook['certificate'] {
  const time = (text: string | undefined) => (text ? Date.parse(text) : null)
  return {
    subject: nameOf(peer.subject),
    issuer: nameOf(peer.issuer),
    names: peer.subjectaltname ?? '',
    notAfter: time(peer.valid_to),
    notBefore: time(peer.valid_from),
  }
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const value = name?.CN ?? name?.O ?? ''
  return Array.isArray(value) ? value.join(', ') : value
}
