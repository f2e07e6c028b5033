/** Servers that behave and misbehave, and a client call that must fail. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createHttpClient, type HttpClientSettings, type HttpRequest } from '../../../src/platform/http-client.ts'
import { HttpError } from '../../../src/platform/http-exchange.ts'

export interface Running {
  readonly port: number
  connections: number
  close(): Promise<void>
}

export function listen(
  server: Server,
  connectionEvent: 'connection' | 'secureConnection' = 'connection',
): Promise<Running> {
  const sockets = new Set<Socket>()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const running: Running = {
        port: (server.address() as AddressInfo).port,
        connections: 0,
        close: () =>
          new Promise((closed) => {
            for (const socket of sockets) socket.destroy()
            server.close(() => closed())
          }),
      }
      server.on(connectionEvent, (socket: Socket) => {
        running.connections += 1
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => sockets.delete(socket))
      })
      resolve(running)
    })
  })
}

export const httpServer = (handler: RequestListener) => listen(createServer(handler))

export async function failure(request: HttpRequest, settings: HttpClientSettings = {}): Promise<HttpError> {
  const client = createHttpClient(settings)
  const error = await client.request(request).then(
    (response) => assert.fail(`answered ${response.status}`),
    (caught) => caught,
  )
  client.close()
  assert.ok(error instanceof HttpError, `not an HttpError: ${error}`)
  return error
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

export const echo = async (request: IncomingMessage, response: ServerResponse) => {
  const body = await bodyOf(request)
  response.setHeader('x-seen', `${request.headers['x-test'] ?? ''}`)
  response.end(`${request.method} ${request.url} ${body}`)
}
