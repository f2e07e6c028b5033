/** A proxy behind which every https address is this machine: it records the requests and sends the answers that a test sets. */
import 'reflect-metadata'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import * as x509 from '@peculiar/x509'
import { createAuthority, createKeys, sign } from '../../simulator/pki.ts'
import { until } from './wait.ts'

export interface ProxiedRequest {
  /** `https://host/path?query` */
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface TlsProxy {
  /** For `HTTPS_PROXY`. */
  readonly url: string
  /** PEM of the authority that has signed for all hosts. */
  readonly authority: string
  readonly requests: ProxiedRequest[]
  /** The first request to this host, as soon as it has come. */
  received(host: string): Promise<ProxiedRequest>
  stop(): Promise<void>
}

/** `answers` by host: status and body. */
export async function startTlsProxy(
  answers: Readonly<Record<string, { readonly status: number; readonly body: string }>>,
): Promise<TlsProxy> {
  const { authority, cert, key } = await certificates(Object.keys(answers))
  const requests: ProxiedRequest[] = []
  const sockets = new Set<Socket>()
  const target = createTlsServer({ cert, key }, async (request, response) => {
    const host = request.headers.host ?? ''
    requests.push({ url: `https://${host}${request.url}`, headers: request.headers, body: await textOf(request) })
    const answer = answers[host]
    response.writeHead(answer?.status ?? 404).end(answer?.body ?? '')
  })
  const proxy = createServer((_request, response) => void response.writeHead(400).end())
  proxy.on('connect', (_request, socket: Socket, head: Uint8Array) => {
    const up = connect((target.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      up.write(head)
      socket.pipe(up).pipe(socket)
    })
    up.on('error', () => socket.destroy())
    socket.on('error', () => up.destroy())
    for (const one of [socket, up]) {
      sockets.add(one)
      one.once('close', () => sockets.delete(one))
    }
  })
  for (const server of [target, proxy]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    authority,
    requests,
    received: (host) =>
      until(() => requests.find(({ url }) => new URL(url).host === host) ?? false, {
        timeout: 20_000,
        what: `a request to ${host}`,
      }),
    async stop() {
      for (const socket of sockets) socket.destroy()
      for (const server of [proxy, target]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

async function certificates(hosts: readonly string[]) {
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) }
  const authority = await createAuthority('Test services', validity)
  const keys = await createKeys()
  const names = hosts.map((value) => ({ type: 'dns' as const, value }))
  const extensions = () => [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(names),
  ]
  const cert = await sign(authority, 'CN=services', keys.publicKey, validity, extensions)
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { authority: authority.certificate.toString('pem'), cert, key }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
