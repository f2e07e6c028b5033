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
import type { ClientCertificate, HttpServer, ServeInfo, ServeTls } from './http-server.ts'

export interface TlsServeSettings {
  readonly hostname: string
  readonly port: number
  readonly tls: ServeTls
  /** Answers everything; never rejects. */
  readonly answer: (request: Request, info: ServeInfo) => Response | Promise<Response>
}

const KEEP_ALIVE_MS = 72_000
const HANDSHAKE_TIMEOUT_MS = 20_000

export async function serveTls(settings: TlsServeSettings): Promise<HttpServer> {
  const sockets = new Map<TLSSocket, Connection>()
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
    outgoing.on('close', () => {
      connection.running -= 1
      if (stopping && connection.running === 0) socket.end()
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

  const server = createTlsServer(optionsOf(settings.tls), (socket) => {
    sockets.set(socket, { info: infoOf(socket), running: 0 })
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    http.emit('connection', socket)
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(settings.port, settings.hostname, resolve)
  })

  return {
    port: (server.address() as AddressInfo).port,
    setTls: (tls) => server.setSecureContext(optionsOf(tls)),
    async stop(graceMs) {
      stopping = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const [socket, { running }] of sockets) if (running === 0) socket.destroy()
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
