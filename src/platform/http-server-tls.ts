/**
 * Serves HTTPS with `node:tls`, which gives access to client certificates and can replace the server's certificate while
 * connections stay open. This module accepts the sockets and passes them to `http.Server`: only then both work under Bun.
 */
import { constants, X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { limitedClient, plainAddress } from './addresses.ts'
import type { ClientCertificate, ConnectionLimit, HttpServer, ServeInfo, ServeTls } from './http-server-types.ts'

interface TlsServeSettings {
  readonly hostname: string
  readonly port: number
  readonly tls: ServeTls
  readonly connections?: ConnectionLimit
  /** See `idleTimeout` of `ServeSettings`; 0 = the connection is closed when it has been idle for a while. */
  readonly idleTimeoutMs: number
  /** Answers everything; never rejects. */
  readonly answer: (request: Request, info: ServeInfo) => Response | Promise<Response>
}

const KEEP_ALIVE_MS = 72_000
const HANDSHAKE_TIMEOUT_MS = 20_000

export async function serveTls(settings: TlsServeSettings): Promise<HttpServer> {
  const { connections, idleTimeoutMs } = settings
  const sockets = new Map<TLSSocket, Connection>()
  const byAddress = new Map<string, number>()
  let stopping = false

  const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, outgoing) => {
    exchange(incoming, outgoing).catch(() => outgoing.destroy())
  })
  http.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    else socket.destroy()
  })

  async function exchange(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const socket = incoming.socket as TLSSocket
    const connection = sockets.get(socket)
    if (!connection) return void socket.destroy()
    connection.running += 1
    clearTimeout(connection.deadline)
    outgoing.on('close', () => {
      connection.running -= 1
      if (connection.running > 0) return
      if (stopping) socket.end()
      else expectRequest(socket, connection)
    })
    if (stopping) outgoing.setHeader('connection', 'close')
    const request = toRequest(incoming, outgoing)
    const response = request
      ? await settings.answer(request, connection.info)
      : Response.json(
          { error: 'Bad Request', details: 'The request line or the Host header is not valid.' },
          { status: 400 },
        )
    await sendResponse(response, outgoing)
    // An unread body would block the next request.
    if (!incoming.readableEnded) incoming.resume()
  }

  /** Counted to the end of the headers, however slowly they come. */
  function expectRequest(socket: TLSSocket, connection: Connection): void {
    if (idleTimeoutMs === 0 || !sockets.has(socket)) return
    clearTimeout(connection.deadline)
    connection.deadline = setTimeout(() => socket.destroy(), idleTimeoutMs)
  }

  function isTooMany(address: string): boolean {
    if (!connections || connections.max === 0 || connections.isExempt(address)) return false
    return (byAddress.get(limitedClient(address)) ?? 0) >= connections.max
  }

  function count(address: string, by: 1 | -1): void {
    const client = limitedClient(address)
    const next = (byAddress.get(client) ?? 0) + by
    if (next > 0) byAddress.set(client, next)
    else byAddress.delete(client)
  }

  const server = createTlsServer(optionsOf(settings.tls), (socket) => {
    const connection: Connection = { info: infoOf(socket), running: 0, deadline: undefined }
    const { remoteAddress } = connection.info
    socket.on('error', () => socket.destroy())
    if (isTooMany(remoteAddress)) {
      connections?.onRefused(remoteAddress)
      return void socket.destroy()
    }
    sockets.set(socket, connection)
    count(remoteAddress, 1)
    socket.on('close', () => {
      clearTimeout(connection.deadline)
      if (sockets.delete(socket)) count(remoteAddress, -1)
    })
    expectRequest(socket, connection)
    http.emit('connection', socket)
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, settings.hostname, () => {
        server.off('error', reject)
        resolve()
      })
    })
  await listen(settings.port)
  const { port } = server.address() as AddressInfo
  const closeIdle = (): void => {
    for (const [socket, { running }] of sockets) if (running === 0) socket.destroy()
  }

  return {
    port,
    pause() {
      server.close()
      closeIdle()
    },
    resume: () => (server.listening ? Promise.resolve() : listen(port)),
    setTls: (tls) => server.setSecureContext(optionsOf(tls)),
    async stop(graceMs) {
      stopping = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closeIdle()
      const cut = setTimeout(() => {
        for (const socket of sockets.keys()) socket.destroy()
      }, graceMs)
      await closed
      clearTimeout(cut)
    },
  }
}

interface Connection {
  readonly info: ServeInfo
  running: number
  /** When its next request must have come. */
  deadline: ReturnType<typeof setTimeout> | undefined
}

function optionsOf({ cert, key, passphrase, clients }: ServeTls): TlsOptions {
  return {
    cert,
    key,
    passphrase,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    ...(clients && {
      ca: clients.ca,
      requestCert: true,
      rejectUnauthorized: clients.required,
      // A resumed session would skip the look at chain and dates.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }),
  }
}

function infoOf(socket: TLSSocket): ServeInfo {
  const clientCertificate = certificateOf(socket)
  return { remoteAddress: plainAddress(socket.remoteAddress ?? ''), ...(clientCertificate && { clientCertificate }) }
}

function certificateOf(socket: TLSSocket): ClientCertificate | null {
  const { raw } = socket.getPeerCertificate() ?? {}
  if (!raw) return null
  const problem = String(socket.authorizationError ?? '')
  return { trusted: socket.authorized, problem, x509: new X509Certificate(raw) }
}

/** A Host header that would say more of the address than the host, or leaves it to the path. */
const NO_HOST = /^$|[/?#@\\\s]/

/** The standard request; null when request line and Host header are no URL. The signal aborts when the caller hangs up. */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | null {
  const { method = 'GET', url = '', headers, httpVersion } = incoming
  if (headers.host === undefined ? httpVersion !== '1.0' : NO_HOST.test(headers.host)) return null
  const absolute = `https://${headers.host ?? 'localhost'}${url}`
  if (!url.startsWith('/') || !URL.canParse(absolute)) return null
  const hangUp = new AbortController()
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) hangUp.abort()
  })
  const hasBody = method !== 'GET' && method !== 'HEAD' && (headers['content-length'] ?? '0') !== '0'
  const chunked = headers['transfer-encoding'] !== undefined && method !== 'GET' && method !== 'HEAD'
  const body = hasBody || chunked ? Readable.toWeb(incoming) : null
  return new Request(absolute, {
    method,
    headers: headersOf(incoming),
    signal: hangUp.signal,
    ...(body && { body, duplex: 'half' }),
  } as RequestInit)
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  return headers
}

/** Sends status, headers and body; what is there at once gets a length, the rest is sent as it grows. */
async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status
  response.headers.forEach((value, name) => {
    outgoing.setHeader(name, value)
  })
  if (!response.body) return void outgoing.end()
  const reader = response.body.getReader()
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) reader.cancel().catch(() => {})
  })
  // Seen at once, also while the peer takes nothing and nothing is read.
  reader.closed.catch(() => outgoing.socket?.destroy())
  const first = await reader.read()
  if (first.done) return void outgoing.end()
  const second = reader.read()
  const soon = await Promise.race([second, nextTurn(null)])
  if (soon?.done) {
    outgoing.setHeader('content-length', first.value.length)
    return void outgoing.end(first.value)
  }
  await write(outgoing, first.value)
  for (let next = await second; !next.done; next = await reader.read()) await write(outgoing, next.value)
  outgoing.end()
}

/** Waits while the peer takes no more; resolves, too, when it is gone. */
async function write(outgoing: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (outgoing.write(chunk) || outgoing.destroyed) return
  await new Promise<void>((resolve) => {
    const done = () => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('drain', done)
    outgoing.on('close', done)
  })
}
