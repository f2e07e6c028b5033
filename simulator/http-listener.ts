/** The HTTP server of every service of the site, and the log of requests. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import type { SimulatorCertificates } from './certificates.ts'
import type {
  Fault,
  HttpListenerSettings,
  Listener,
  ListenerDeps,
  LoggedRequest,
  Reply,
  RequestLog,
  SimRequest,
  Tls,
} from './types.ts'

type Deps = Pick<ListenerDeps, 'tls' | 'clock' | 'faults' | 'requests' | 'log'>

interface Client {
  readonly number: number
  readonly subject: string | null
}

const MAX_LOGGED_BODY = 100_000

/**
 * One HTTP or HTTPS port of the simulated site, WebSocket upgrades included. Sockets are accepted here and handed to
 * `http.Server`, because only then the certificate of a client can be seen. Every request is logged; every fault of the
 * table is applied before the handler's answer goes out.
 */
export function createHttpListener(deps: Deps, settings: HttpListenerSettings): Listener {
  const { name, host = '127.0.0.1' } = settings
  const { faults, requests, clock, log } = deps
  const clients = new WeakMap<Duplex, Client>()
  const sockets = new Set<Socket>()
  const http: Server = createServer((request, response) => {
    // A client that goes away in the middle of its body needs no answer.
    serve(request, response).catch((error: unknown) => log.debug(`Simulator: listener ${name}: ${String(error)}`))
  })
  let acceptor: NetServer | null = null
  let port = 0
  let connections = 0
  let unsubscribe = () => {}
  let door: { readonly fault: Fault | null; flap: ReturnType<typeof setInterval> | null } = { fault: null, flap: null }
  let moving: Promise<void> = Promise.resolve()

  http.keepAliveTimeout = 60_000
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(request, socket, head))
  http.on('clientError', (_error, socket) => socket.destroy())

  function accept(socket: Socket) {
    const peer = settings.security === 'mutual' ? (socket as TLSSocket).getPeerCertificate() : null
    const commonName = peer?.subject?.CN
    clients.set(socket, { number: ++connections, subject: commonName ? `CN=${commonName}` : null })
    http.emit('connection', socket)
  }

  function track(socket: Socket) {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  function listen(fault: Fault | null): Promise<void> {
    const options = tlsOptions(deps.tls as SimulatorCertificates, settings.security, fault)
    const server = options ? createTlsServer(options, accept) : createTcpServer(accept)
    server.on('connection', track)
    if (options) server.on('secureConnection', track)
    server.on('tlsClientError', () => {})
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port || settings.port, host, () => {
        server.off('error', reject)
        acceptor = server
        port = (server.address() as { port: number }).port
        resolve()
      })
    })
  }

  async function shut() {
    const server = acceptor
    acceptor = null
    for (const socket of sockets) socket.destroy()
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  async function reopen(fault: Fault | null) {
    await shut()
    await listen(fault)
  }

  /** Opens, closes or re-keys the port as the connection fault of the moment says. */
  function followFaults() {
    const fault = faults.connection(name)
    if (fault?.id === door.fault?.id) return
    const before = door.fault
    if (door.flap) clearInterval(door.flap)
    door = { fault, flap: null }
    move(async () => {
      if (fault?.mode === 'refuse') return shut()
      if (fault?.mode === 'restart') return reopen(null)
      if (fault?.mode === 'flap') return startFlapping(fault)
      if (fault || before?.mode !== 'restart') await reopen(fault)
    })
  }

  function move(step: () => Promise<void>) {
    moving = moving.then(step).catch((error: unknown) => log.error(`Simulator: listener ${name}: ${String(error)}`))
  }

  function startFlapping(fault: Fault): Promise<void> {
    const [up, down] = fault.args.map(Number)
    const phases = [(up || 5) * 1000, (down || 5) * 1000] as const
    const started = Date.now()
    const isUp = () => (Date.now() - started) % (phases[0] + phases[1]) < phases[0]
    const flap = setInterval(() => {
      const open = acceptor !== null
      if (isUp() !== open) move(() => (open ? shut() : listen(null)))
    }, 50)
    flap.unref()
    door = { fault, flap }
    return Promise.resolve()
  }

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const client = clients.get(request.socket) ?? { number: 0, subject: null }
    const body = await readBody(request)
    const url = request.url ?? '/'
    const entry = record(request, url, body, client)
    const incoming = toSimRequest(request, url, body, client)
    const fault = faults.match(name, url)
    try {
      if (!fault) {
        const reply = await settings.handle(incoming)
        entry.finish(reply.status, Buffer.byteLength(reply.body ?? ''))
        return write(response, reply)
      }
      const verdict = await faults.apply(fault, () => settings.handle(incoming))
      if (verdict.do === 'hang') return
      if (verdict.do === 'reset') return reset(request.socket)
      entry.finish(verdict.reply.status)
      if (!verdict.slow) return write(response, verdict.reply)
      await writeSlowly(response, verdict.reply, verdict.slow)
    } catch (error) {
      log.error(`Simulator: listener ${name}: ${request.method} ${url} failed: ${String(error)}`)
      entry.finish(500)
      write(response, { status: 500, headers: { 'content-type': 'text/plain' }, body: String(error) })
    }
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const client = clients.get(request.socket) ?? { number: 0, subject: null }
    const url = request.url ?? '/'
    const entry = record(request, url, Buffer.alloc(0), client)
    const fault = faults.match(name, url)
    const proceed = { status: settings.upgrade ? 101 : 426 }
    const verdict = fault ? await faults.apply(fault, () => proceed) : { do: 'reply' as const, reply: proceed }
    if (verdict.do === 'hang') return
    if (verdict.do === 'reset') return reset(request.socket)
    entry.finish(verdict.reply.status)
    if (verdict.reply.status !== 101) {
      socket.end(`HTTP/1.1 ${verdict.reply.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    settings.upgrade?.(request, socket, head, { clientSubject: client.subject, connection: client.number })
  }

  function record(request: IncomingMessage, url: string, body: Buffer, client: Client) {
    return requests.append({
      at: clock.now(),
      listener: name,
      method: request.method ?? 'GET',
      path: url,
      decodedFilter: filterOf(url),
      headers: request.headers,
      body: body.toString('utf8', 0, MAX_LOGGED_BODY),
      clientSubject: client.subject,
      connection: client.number,
    })
  }

  return {
    name,
    get port() {
      return port
    },
    async start() {
      await listen(null)
      unsubscribe = faults.subscribe(followFaults)
      followFaults()
    },
    async stop() {
      unsubscribe()
      if (door.flap) clearInterval(door.flap)
      door = { fault: null, flap: null }
      await moving
      await shut()
      port = 0
    },
  }
}

function tlsOptions(
  tls: SimulatorCertificates | Tls,
  security: HttpListenerSettings['security'],
  fault: Fault | null,
): TlsOptions | null {
  if (security === 'none') return null
  const full = tls as SimulatorCertificates
  const certificates: Readonly<Record<string, string>> = {
    'tls-expired': full.expiredServer?.pem,
    'tls-unknown-ca': full.foreign?.server.pem,
  }
  const isProxy = fault?.mode === 'proxy'
  const mutual = (security === 'mutual' && !isProxy) || fault?.mode === 'tls-require-client-cert'
  return {
    key: tls.server.key.pem,
    cert: certificates[fault?.mode ?? ''] ?? tls.server.cert.pem,
    ca: fault?.mode === 'tls-require-client-cert' ? full.foreign.ca.pem : tls.ca.pem,
    requestCert: mutual,
    rejectUnauthorized: mutual,
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (request.method === 'GET' || request.method === 'HEAD') return Buffer.alloc(0)
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function toSimRequest(request: IncomingMessage, url: string, body: Buffer, client: Client): SimRequest {
  const mark = url.indexOf('?')
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? '' : url.slice(mark + 1),
    headers: request.headers,
    body,
    clientSubject: client.subject,
    connection: client.number,
  }
}

function filterOf(url: string): string | null {
  const raw = /[?&]filter=([^&]*)/i.exec(url)?.[1]
  if (raw === undefined) return null
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

function write(response: ServerResponse, reply: Reply) {
  const body = reply.body ?? ''
  response.writeHead(reply.status, { ...reply.headers, ...lengthOf(reply.status, body) })
  response.end(reply.status === 204 ? undefined : body)
}

/** One byte (or `rate` bytes) a second, until the client gives up. */
async function writeSlowly(response: ServerResponse, reply: Reply, rate: number) {
  const body = Buffer.from(reply.body ?? '')
  response.writeHead(reply.status, { ...reply.headers, ...lengthOf(reply.status, body) })
  for (let offset = 0; offset < body.length && isOpen(response); offset += rate) {
    response.write(body.subarray(offset, offset + rate))
    await delay(1000)
  }
  response.end()
}

const isOpen = (response: ServerResponse) => !response.destroyed && response.socket?.destroyed === false

function lengthOf(status: number, body: string | Buffer): Record<string, string> {
  return status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) }
}

function reset(socket: Socket) {
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}

type Entry = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] }

/** Remembers the newest `limit` requests (default 20,000) in a ring. */
export function createRequestLog(limit = 20_000): RequestLog {
  let ring: Entry[] = []
  let seq = 0

  return {
    append(entry) {
      const logged: Entry = { ...entry, seq: ++seq, status: null, bytes: null }
      ring[(logged.seq - 1) % limit] = logged
      return {
        finish: (status, bytes) => {
          logged.status = status
          logged.bytes = bytes ?? null
        },
      }
    },
    list({ listener, since = 0 } = {}) {
      const found: LoggedRequest[] = []
      const oldest = Math.max(1, seq - limit + 1, since + 1)
      for (let number = oldest; number <= seq; number++) {
        const entry = ring[(number - 1) % limit]
        if (entry && (!listener || entry.listener === listener)) found.push(entry)
      }
      return found
    },
    clear() {
      ring = []
    },
  }
}
