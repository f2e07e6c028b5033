/**
 * Serving HTTP with the runtime's own server (`Bun.serve` or `Deno.serve`), and HTTPS with `node:tls` where that server
 * cannot do it all; handlers see standard requests and responses only.
 */

import { plainAddress } from './addresses.ts'
import { within } from './deadline.ts'
import type {
  ClientCertificate,
  ConnectionLimit,
  HttpServer,
  ServeInfo,
  ServeSettings,
  ServeTls,
} from './http-server-types.ts'
import { familyOf, type ListenTarget, toListenError } from './listen-error.ts'

export type { ClientCertificate, ConnectionLimit, HttpServer, ServeInfo, ServeSettings, ServeTls }

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

type BunServer = Bun.Server<undefined>

function serveWithBun(settings: ServeSettings): HttpServer {
  const answer = createAnswer(settings)
  const { idleTimeout = 0 } = settings
  let { port } = settings

  const open = (): BunServer =>
    Bun.serve({
      hostname: settings.hostname,
      port,
      development: false,
      // Without this, Bun lets a second server share the port in silence, also one of another process.
      reusePort: false,
      idleTimeout,
      maxRequestBodySize: settings.maxBodyBytes ?? MAX_BODY_BYTES,
      fetch: (request, self) => withoutHurry(self, request, idleTimeout, answer(request, new BunInfo(request, self))),
      error: (error) => failed(settings, error),
    })

  let server: BunServer | null = open()
  port = server.port ?? port
  /** Paused, with requests under way. */
  const finishing = new Set<BunServer>()
  const each = async (work: (server: BunServer) => Promise<void>): Promise<void> => {
    await Promise.all([...finishing, ...(server ? [server] : [])].map(work))
  }

  return {
    port,
    pause() {
      const paused = server
      if (!paused) return
      server = null
      paused.closeIdleConnections()
      finishing.add(paused)
      void paused.stop(false).finally(() => finishing.delete(paused))
    },
    async resume() {
      server ??= open()
    },
    stop: (graceMs) =>
      within(
        each((one) => one.stop(false)),
        graceMs,
        () => each((one) => one.stop(true)),
      ),
  }
}

/** The idle time of Bun (0 = none) goes on while a handler works, so it is suspended until there is an answer to send. */
function withoutHurry(
  server: BunServer,
  request: Request,
  idleTimeout: number,
  answer: Response | Promise<Response>,
): Response | Promise<Response> {
  if (answer instanceof Response) return answer
  if (idleTimeout > 0) server.timeout(request, 0)
  return answer.then((response) => {
    if (response.body && staysOpen(response)) return endless(server, request, response, response.body)
    if (idleTimeout > 0) server.timeout(request, idleTimeout)
    return response
  })
}

const staysOpen = (response: Response): boolean =>
  response.headers.get('content-type')?.startsWith('text/event-stream') ?? false

/** Its connection has no idle time any more, so it serves no other request. It ends when the stream fails. */
function endless(
  server: BunServer,
  request: Request,
  { status, headers }: Response,
  body: ReadableStream<Uint8Array>,
): Response {
  server.timeout(request, 0)
  headers.set('connection', 'close')
  const reader = body.getReader()
  // Bun looks at a stream only when the client takes something; the idle time is its one way to end such a connection.
  reader.closed.catch(() => server.timeout(request, CUT_SECONDS))
  const watched = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return new Response(watched, { status, headers })
}

/** The least that Bun takes; it ends a connection up to four seconds later. */
const CUT_SECONDS = 1

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

async function serveWithNode(settings: ServeSettings): Promise<HttpServer> {
  const { hostname, port, tls, connections, idleTimeout = 0 } = settings
  if (!tls) throw new Error('serving HTTPS needs a certificate')
  const { serveTls } = await import('./http-server-tls.ts')
  return serveTls({
    hostname,
    port,
    tls,
    connections,
    answer: createAnswer(settings),
    idleTimeoutMs: idleTimeout * 1000,
  })
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
      if (running > 0) await within(idle.promise, graceMs, () => undefined)
      // The last answer leaves before the connections are closed.
      await new Promise<void>((resolve) => setTimeout(resolve, 20))
      cut.abort()
      await server.finished
    },
  }
}

/** Never rejects. */
function createAnswer(settings: ServeSettings): (request: Request, info: ServeInfo) => Response | Promise<Response> {
  const isWhole = createUrlCheck()
  return (request, info) => {
    // Several Host headers are joined by commas, which no name has.
    const isOne = !request.headers.get('host')?.includes(',')
    const usable = isWhole(request.url) ? request : withAbsoluteUrl(request)
    if (!usable || !isOne) {
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
