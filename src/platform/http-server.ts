/**
 * Serving HTTP with the runtime's own server (`Bun.serve` or `Deno.serve`), and HTTPS with `node:tls` where that server
 * cannot do it all; handlers see standard requests and responses only.
 */
import type { X509Certificate } from 'node:crypto'
import { plainAddress } from './addresses.ts'
import { serveTls } from './http-server-tls.ts'
import { familyOf, type ListenTarget, toListenError } from './listen-error.ts'

export interface ServeInfo {
  /**
   * Address of the peer, IPv4 in dotted form; empty when the connection is gone already. Asked for when it is looked at
   * first, so look before the first `await`.
   */
  readonly remoteAddress: string
  /** What the client has shown, where certificates are asked for. */
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
  /** Seconds without traffic after which a connection is closed; 0 (default) never. Bun only. */
  readonly idleTimeout?: number
  /** Larger bodies are answered with 413; default 128 MiB. Bun only; handlers limit what they read themselves. */
  readonly maxBodyBytes?: number
  /** A throwing handler is answered with 500 and reported to `onError`. */
  readonly handler: (request: Request, info: ServeInfo) => Response | Promise<Response>
  readonly onError?: (error: unknown) => void
}

export interface HttpServer {
  readonly port: number
  /** New connections get these certificates, open ones stay. Throws when they are unusable. Absent where impossible. */
  readonly setTls?: (tls: ServeTls) => void
  /** Takes no more connections, lets requests under way finish for `graceMs`, then cuts what is left. */
  stop(graceMs: number): Promise<void>
}

const MAX_BODY_BYTES = 128 * 1024 * 1024

/** Rejects with a `ListenError` when the port cannot be opened or the TLS files are unusable. */
export async function serveHttp(settings: ServeSettings): Promise<HttpServer> {
  const serve = typeof Bun === 'undefined' ? serveWithDeno : settings.tls ? serveWithNode : serveWithBun
  const target: ListenTarget = { protocol: 'TCP', address: settings.hostname, port: settings.port }
  await familyOf(target)
  try {
    return await serve(settings)
  } catch (error) {
    throw toListenError(target, error)
  }
}

function serveWithBun(settings: ServeSettings): HttpServer {
  const answer = createAnswer(settings)
  const server = Bun.serve({
    hostname: settings.hostname,
    port: settings.port,
    development: false,
    // Without this, Bun lets a second server share the port in silence, also one of another process.
    reusePort: false,
    idleTimeout: settings.idleTimeout ?? 0,
    maxRequestBodySize: settings.maxBodyBytes ?? MAX_BODY_BYTES,
    fetch: (request, self) => answer(request, new BunInfo(request, self)),
    error: (error) => failed(settings, error),
  })
  return {
    port: server.port ?? settings.port,
    stop: (graceMs) => finishWithin(server.stop(false), graceMs, () => server.stop(true)),
  }
}

/** Asking for the address costs a tenth of a ping, and many requests are answered without it. */
class BunInfo implements ServeInfo {
  private address: string | undefined
  constructor(
    private readonly request: Request,
    private readonly server: Pick<Bun.Server<undefined>, 'requestIP'>,
  ) {}

  get remoteAddress(): string {
    this.address ??= plainAddress(this.server.requestIP(this.request)?.address ?? '')
    return this.address
  }
}

function serveWithNode(settings: ServeSettings): Promise<HttpServer> {
  const { hostname, port, tls } = settings
  if (!tls) throw new Error('serving HTTPS needs a certificate')
  return serveTls({ hostname, port, tls, answer: createAnswer(settings) })
}

interface DenoServer {
  readonly addr: { readonly port: number }
  readonly finished: Promise<void>
}
type DenoHandler = (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>
declare const Deno: { serve(options: object, handler: DenoHandler): DenoServer }

/** Deno can stop softly or hard but not softly first, so requests under way are counted here. */
async function serveWithDeno(settings: ServeSettings): Promise<HttpServer> {
  const { hostname, port, tls } = settings
  if (tls?.clients) throw new Error('client certificates are supported by the Footman executable only, not under Deno')
  const answer = createAnswer(settings)
  const cut = new AbortController()
  let running = 0
  let stopping = false
  const idle = Promise.withResolvers<void>()
  const options = {
    hostname,
    port,
    signal: cut.signal,
    onListen() {},
    ...(tls ? { cert: tls.cert, key: tls.key } : {}),
  }
  const server = Deno.serve(options, async (request, info) => {
    if (stopping) return Response.json({ error: 'Service Unavailable', details: 'Footman stops.' }, { status: 503 })
    running += 1
    try {
      return await answer(request, { remoteAddress: plainAddress(info.remoteAddr.hostname ?? '') })
    } finally {
      running -= 1
      if (stopping && running === 0) idle.resolve()
    }
  })
  return {
    port: server.addr.port,
    async stop(graceMs) {
      stopping = true
      if (running > 0) await finishWithin(idle.promise, graceMs, async () => {})
      // The last answer leaves before the connections are closed.
      await new Promise<void>((resolve) => setTimeout(resolve, 20))
      cut.abort()
      await server.finished
    },
  }
}

async function finishWithin(finished: Promise<void>, graceMs: number, cut: () => Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), graceMs)
  })
  const outcome = await Promise.race([finished, late])
  clearTimeout(timer)
  if (outcome === 'late') await cut()
}

/** Never rejects. */
function createAnswer(settings: ServeSettings): (request: Request, info: ServeInfo) => Response | Promise<Response> {
  const isWhole = createUrlCheck()
  return (request, info) => {
    const usable = isWhole(request.url) ? request : withAbsoluteUrl(request)
    if (!usable) {
      return Response.json({ error: 'Bad Request', details: 'The Host header is not valid.' }, { status: 400 })
    }
    try {
      const result = settings.handler(usable, info)
      return result instanceof Response ? result : result.catch((error) => failed(settings, error))
    } catch (error) {
      return failed(settings, error)
    }
  }
}

/** Whether a request's URL is one. Only what stands before the path can be wrong, and most clients send the same. */
function createUrlCheck(): (url: string) => boolean {
  let known = ' '
  return (url) => {
    if (url.startsWith(known)) return true
    if (!URL.canParse(url)) return false
    known = url.slice(0, url.indexOf('/', 'http://'.length) + 1) || ' '
    return true
  }
}

function failed(settings: ServeSettings, error: unknown): Response {
  settings.onError?.(error)
  return Response.json({ error: 'Internal Server Error', details: 'The log of Footman says more.' }, { status: 500 })
}

/** HTTP/1.0 clients may leave out the Host header; Bun then gives the bare path. Null when Host is malformed. */
function withAbsoluteUrl(request: Request): Request | null {
  const url = `http://localhost${request.url}`
  if (request.headers.has('host') || !request.url.startsWith('/') || !URL.canParse(url)) return null
  return new Request(url, request)
}
