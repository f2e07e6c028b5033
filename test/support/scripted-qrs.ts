/** A repository service with the answers of a test, behind mutual TLS. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createQrsClient } from '../../src/qlik/qrs/client.ts'
import type { QrsSettings } from '../../src/qlik/qrs/transport.ts'
import type { QrsClient } from '../../src/qlik/qrs/types.ts'
import { testCertificates } from './conformance/certificates.ts'
import { recordingLog } from './recording-log.ts'

export interface ScriptedRequest {
  readonly method: string
  /** Below `/qrs/`, decoded. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** The address as it came over the wire. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An object or list is sent as JSON; a number is a status without a body. */
export type ScriptedAnswer =
  | number
  | object
  | { readonly status?: number; readonly text: string; readonly headers?: Record<string, string> }
  | ((response: ServerResponse) => void)

export interface ScriptedQrs extends AsyncDisposable {
  readonly settings: QrsSettings
  readonly requests: ScriptedRequest[]
  /** Completed TLS handshakes. */
  handshakes: number
}

/** Listens on a free port of 127.0.0.1; `answer` decides about each request. */
export async function scriptedQrs(
  answer: (request: ScriptedRequest, count: number) => ScriptedAnswer | Promise<ScriptedAnswer>,
  settings: Partial<QrsSettings> = {},
): Promise<ScriptedQrs> {
  const { ca, server: pair, client } = await testCertificates()
  const sockets = new Set<Socket>()
  const requests: ScriptedRequest[] = []
  const tls = { key: pair.key.pem, cert: pair.cert.pem, ca: ca.pem, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, async (request, response) => {
    const asked = await read(request)
    requests.push(asked)
    send(response, await answer(asked, requests.length))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const scripted: ScriptedQrs = {
    settings: {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }],
      rejectUnauthorized: true,
      certificates: { cert: client.cert.pem, key: client.key.pem, ca: ca.pem },
      timeoutMs: 5000,
      ...settings,
    },
    requests,
    handshakes: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  server.on('secureConnection', (socket) => {
    scripted.handshakes += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  return scripted
}

async function read(request: IncomingMessage): Promise<ScriptedRequest> {
  let body = ''
  for await (const chunk of request) body += chunk
  const url = new URL(request.url ?? '/', 'https://qrs')
  return {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname.replace(/^\/qrs\//, '')),
    query: Object.fromEntries(url.searchParams),
    url: request.url ?? '',
    headers: request.headers,
    body,
  }
}

function send(response: ServerResponse, answer: ScriptedAnswer): void {
  if (typeof answer === 'function') {
    answer(response)
    return
  }
  if (typeof answer === 'number') return void response.writeHead(answer).end()
  if ('text' in answer && typeof answer.text === 'string') {
    const { status, headers } = answer as { status?: number; headers?: Record<string, string> }
    return void response.writeHead(status ?? 200, headers).end(answer.text)
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
}

export type Script = (request: ScriptedRequest, count: number) => ScriptedAnswer | Promise<ScriptedAnswer>

/** Runs `use` against a scripted QRS and hands back the requests that it received. */
export async function withQrs(
  script: Script,
  use: (client: QrsClient) => Promise<unknown>,
  settings: Partial<QrsSettings> = {},
): Promise<readonly ScriptedRequest[]> {
  await using qrs = await scriptedQrs(script, settings)
  const client = createQrsClient({ log: recordingLog() }, qrs.settings)
  try {
    await use(client)
  } finally {
    client.close()
  }
  return qrs.requests
}

/** Methods and paths, in order. */
export const paths = (requests: readonly ScriptedRequest[]) => requests.map(({ method, path }) => `${method} ${path}`)
