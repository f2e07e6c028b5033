/** Settings and interface of an HTTP or HTTPS server. */
import type { X509Certificate } from 'node:crypto'

export interface ServeInfo {
  /**
   * Address of the peer, IPv4 in dotted form; empty when the connection is gone already. Asked for when it is looked at
   * first, so look before the first `await`.
   */
  readonly remoteAddress: string
  /** The certificate of the client, when the server requests certificates. */
  readonly clientCertificate?: ClientCertificate
}

export interface ClientCertificate {
  /** The chain leads to the given authority, and the certificate was valid when the connection was made. */
  readonly trusted: boolean
  /** Why not. */
  readonly problem: string
  readonly x509: X509Certificate
}

/** PEM texts. */
export interface ServeTls {
  readonly cert: string
  readonly key: string
  readonly passphrase?: string
  /** Clients are asked for a certificate of this authority. */
  readonly clients?: {
    readonly ca: string
    /** The handshake fails without a good certificate; else the handler decides. */
    readonly required: boolean
  }
}

export interface ServeSettings {
  readonly hostname: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly tls?: ServeTls
  /**
   * Seconds that a client has for sending the headers of a request, counted from the connection or the answer before, and
   * that an answer may stand still; then the connection is closed. A handler may take as long as it likes, and event
   * streams stay open. 0 (default) = no limit. Not under Deno.
   */
  readonly idleTimeout?: number
  /** Connections of one address above `max` are closed at once. HTTPS only: `Bun.serve` shows no connections. */
  readonly connections?: ConnectionLimit
  /** Larger bodies are answered with 413; default 128 MiB. Bun only; handlers limit what they read themselves. */
  readonly maxBodyBytes?: number
  /**
   * A throwing handler is answered with 500 and reported to `onError`. An event stream must be returned as a promise:
   * answers that are there at once are not searched for its content type.
   */
  readonly handler: (request: Request, info: ServeInfo) => Response | Promise<Response>
  readonly onError?: (error: unknown) => void
}

export interface ConnectionLimit {
  /** 0 = no limit. */
  readonly max: number
  /** Addresses without a limit, like those of proxies. */
  readonly isExempt: (address: string) => boolean
  readonly onRefused: (address: string) => void
}

export interface HttpServer {
  readonly port: number
  /** Closes the port and the connections without a request; requests under way go on. Absent under Deno. */
  readonly pause?: () => void
  /** Opens the port again. Rejects when another program has taken it. */
  readonly resume?: () => Promise<void>
  /** New connections get these certificates, open ones stay. Throws when they are unusable. Absent where impossible. */
  readonly setTls?: (tls: ServeTls) => void
  /** Takes no more connections, lets requests under way finish for `graceMs`, then cuts what is left. */
  stop(graceMs: number): Promise<void>
}
