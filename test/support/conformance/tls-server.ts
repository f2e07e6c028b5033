import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { connect } from 'node:tls'
import { type HttpServer, type ServeSettings, type ServeTls, serveHttp } from '../../../src/platform/http-server.ts'
import { testCertificates } from './certificates.ts'
import { type Case, signal } from './suite.ts'

type Handler = ServeSettings['handler']

const NOT_DENO = { deno: 'Deno.serve has neither client certificates nor exchangeable ones' } as const

async function serverTls(changes: Partial<ServeTls> = {}): Promise<ServeTls> {
  const { server } = await testCertificates()
  return { cert: server.cert.pem, key: server.key.pem, ...changes }
}

async function withServer(handler: Handler, tls: ServeTls, use: (server: HttpServer) => Promise<void>): Promise<void> {
  const server = await serveHttp({ hostname: '127.0.0.1', port: 0, tls, handler })
  try {
    await use(server)
  } finally {
    await server.stop(0)
  }
}

/** Resolves with the head of the answer; the body is read by `textOf`. */
async function send(port: number, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> {
  const { ca } = await testCertificates()
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host: '127.0.0.1', port, path: '/', ca: ca.pem, agent: false, ...options }, resolve)
    request.on('error', reject)
    request.end(body)
  })
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += chunk
  return text
}

const clientFiles = async () => {
  const { client } = await testCertificates()
  return { cert: client.cert.pem, key: client.key.pem }
}

const echo: Handler = async (request) => {
  const url = new URL(request.url)
  return new Response(`${request.method} ${url.protocol} ${url.pathname}${url.search} ${await request.text()}`)
}

export const tlsServerCases: readonly Case[] = [
  {
    name: 'methods, paths and bodies reach the handler, with a length where it is known',
    run: async () =>
      withServer(echo, await serverTls(), async ({ port }) => {
        const put = await send(port, { method: 'PUT', path: '/v4/x%20y?a=%2F' }, 'body')
        assert.equal(await textOf(put), 'PUT https: /v4/x%20y?a=%2F body')
        assert.equal(put.headers['content-length'], '31')
        const head = await send(port, { method: 'HEAD', path: '/v4/x' })
        assert.deepEqual([head.statusCode, await textOf(head)], [200, ''])
      }),
  },
  {
    name: 'an unread body does not stand in the way of the next request',
    run: async () =>
      withServer(
        () => new Response('ok'),
        await serverTls(),
        async ({ port }) => {
          const agent = new Agent({ keepAlive: true, maxSockets: 1 })
          for (const size of [5_000_000, 10, 300_000]) {
            const answer = await send(port, { method: 'POST', agent }, 'x'.repeat(size))
            assert.equal(await textOf(answer), 'ok')
          }
          agent.destroy()
        },
      ),
  },
  {
    name: 'a stream is sent as it grows, and ends when the caller hangs up',
    async run() {
      const release = signal()
      const cancelled = signal()
      const aborted = signal()
      const handler: Handler = (request) => {
        request.signal.addEventListener('abort', () => aborted.resolve())
        const encoder = new TextEncoder()
        const body = new ReadableStream({
          async start(controller) {
            controller.enqueue(encoder.encode('first '))
            await release.promise
            controller.enqueue(encoder.encode('second'))
          },
          cancel: () => cancelled.resolve(),
        })
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
      }
      await withServer(handler, await serverTls(), async ({ port }) => {
        const answer = await send(port)
        const chunks = answer[Symbol.asyncIterator]()
        assert.equal(String((await chunks.next()).value), 'first ')
        release.resolve()
        assert.equal(String((await chunks.next()).value), 'second')
        answer.destroy()
        await Promise.all([cancelled.promise, aborted.promise])
      })
    },
  },
  {
    name: 'a throwing handler is answered with 500, a nonsense request with 400',
    run: async () =>
      withServer(
        () => Promise.reject(new Error('later')),
        await serverTls(),
        async ({ port }) => {
          assert.equal((await send(port)).statusCode, 500)
          const text = await new Promise<string>((resolve, reject) => {
            const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
              socket.write('NONSENSE\r\n\r\n'),
            )
            socket.on('data', (chunk) => {
              resolve(chunk.toString())
              socket.destroy()
            })
            socket.on('error', reject)
          })
          assert.match(text, /^HTTP\/1\.1 400 /)
        },
      ),
  },
  {
    name: 'stop lets a request under way finish, refuses new ones and does not wait for idle connections',
    async run() {
      const entered = signal()
      const release = signal()
      const handler: Handler = async (request) => {
        if (request.url.endsWith('/idle')) return new Response('idle')
        entered.resolve()
        await release.promise
        return new Response('finished')
      }
      const server = await serveHttp({ hostname: '127.0.0.1', port: 0, tls: await serverTls(), handler })
      const agent = new Agent({ keepAlive: true })
      await textOf(await send(server.port, { path: '/idle', agent }))
      const answer = send(server.port).then(textOf)
      await entered.promise
      const stopped = server.stop(10_000)
      release.resolve()
      assert.equal(await answer, 'finished')
      await stopped
      agent.destroy()
      await assert.rejects(send(server.port))
    },
  },
  {
    name: 'stop cuts what hangs when the grace is over',
    async run() {
      const entered = signal()
      const handler: Handler = () => {
        entered.resolve()
        return new Promise<Response>(() => {})
      }
      const server = await serveHttp({ hostname: '127.0.0.1', port: 0, tls: await serverTls(), handler })
      const answer = send(server.port)
      answer.catch(() => {})
      await entered.promise
      await server.stop(50)
      await assert.rejects(answer)
    },
  },
  {
    name: 'the handler sees the certificate of a client, and whether it can be trusted',
    skip: NOT_DENO,
    async run() {
      const { ca, foreign } = await testCertificates()
      const handler: Handler = (_request, { clientCertificate: shown }) =>
        Response.json(shown ? [shown.trusted, shown.x509.subject, shown.problem === ''] : null)
      const ask = async (port: number, options: RequestOptions = {}) =>
        JSON.parse(await textOf(await send(port, options))) as unknown
      const files = await clientFiles()
      const optional = await serverTls({ clients: { ca: ca.pem, required: false } })
      await withServer(handler, optional, async ({ port }) => {
        assert.equal(await ask(port), null)
        assert.deepEqual(await ask(port, files), [true, 'CN=QlikClient', true])
      })
      const others = await serverTls({ clients: { ca: foreign.ca.pem, required: false } })
      await withServer(handler, others, async ({ port }) => {
        assert.deepEqual(await ask(port, files), [false, 'CN=QlikClient', false])
      })
      const required = await serverTls({ clients: { ca: ca.pem, required: true } })
      await withServer(handler, required, async ({ port }) => {
        assert.deepEqual(await ask(port, files), [true, 'CN=QlikClient', true])
        await assert.rejects(ask(port))
      })
    },
  },
  {
    name: 'changed certificates are for new connections, open ones stay; unusable ones are refused',
    skip: NOT_DENO,
    async run() {
      const { foreign, server: files } = await testCertificates()
      const issuerOf = (port: number) =>
        new Promise<string>((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
            resolve(String(socket.getPeerCertificate().issuer.CN))
            socket.destroy()
          })
          socket.on('error', reject)
        })
      await withServer(
        () => new Response('ok'),
        await serverTls(),
        async (server) => {
          const agent = new Agent({ keepAlive: true, maxSockets: 1 })
          const kept = async () => textOf(await send(server.port, { agent }))
          await kept()
          assert.equal(await issuerOf(server.port), 'qs-central.acme.local-CA')
          server.setTls?.({ cert: foreign.server.pem, key: files.key.pem })
          assert.equal(await issuerOf(server.port), 'Unknown-CA')
          assert.equal(await kept(), 'ok')
          assert.throws(() => server.setTls?.({ cert: 'no certificate', key: files.key.pem }))
          assert.equal(await issuerOf(server.port), 'Unknown-CA')
          agent.destroy()
        },
      )
    },
  },
]
