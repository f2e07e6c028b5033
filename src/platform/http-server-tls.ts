/**
 * Serving HTTPS with `node:tls`, because there the certificate of a client can be seen and the server's own can be
 * replaced while connections stay open. The sockets are accepted here and handed to `http.Server`: only then both work
 * under Bun.
 */
import { constants, X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { plainAddress } from './addresses.ts'
import { sendResponse, toRequest } from './http-node.ts'
import type { ClientCertificate, ConnectionLimit, HttpServer, ServeInfo, ServeTls } from './http-server-types.ts'

export interface TlsServeSettings {
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
    // A body that nobody has read would stand in the way of the next request.
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
    return (byAddress.get(address) ?? 0) >= connections.max
  }

  function count(address: string, by: 1 | -1): void {
    const next = (byAddress.get(address) ?? 0) + by
    if (next > 0) byAddress.set(address, next)
    else byAddress.delete(address)
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
