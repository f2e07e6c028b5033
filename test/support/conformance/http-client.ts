import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createHttpClient, type HttpClientSettings, type HttpRequest } from '../../../src/platform/http-client.ts'
import { HttpError } from '../../../src/platform/http-error.ts'
import { testCertificates } from './certificates.ts'
import { type Case, signal } from './suite.ts'

interface Running {
  readonly port: number
  connections: number
  close(): Promise<void>
}

function listen(server: Server, connectionEvent: 'connection' | 'secureConnection' = 'connection'): Promise<Running> {
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

const httpServer = (handler: RequestListener) => listen(createServer(handler))

async function failure(request: HttpRequest, settings: HttpClientSettings = {}): Promise<HttpError> {
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

const echo = async (request: IncomingMessage, response: ServerResponse) => {
  const body = await bodyOf(request)
  response.setHeader('x-seen', `${request.headers['x-test'] ?? ''}`)
  response.end(`${request.method} ${request.url} ${body}`)
}

const QUICK_RETRY = { attempts: 3, firstMs: 1, maxMs: 2 }

export const httpClientCases: readonly Case[] = [
  {
    name: 'sends method, path, headers and body; hands back status, headers and body',
    async run() {
      const server = await httpServer(echo)
      const client = createHttpClient()
      const base = `http://127.0.0.1:${server.port}`
      const get = await client.request({ url: `${base}/a%20b?c=%27`, headers: { 'X-Test': 'yes' } })
      assert.deepEqual([get.status, get.text(), get.headers['x-seen']], [200, 'GET /a%20b?c=%27 ', 'yes'])
      const post = await client.request({ method: 'POST', url: base, body: 'åäö' })
      assert.equal(post.text(), 'POST / åäö')
      const put = await client.request({ method: 'PUT', url: base, body: new Uint8Array([65, 66]) })
      assert.equal(put.text(), 'PUT / AB')
      client.close()
      await server.close()
    },
  },
  {
    name: 'a hundred requests use no more connections than allowed, and reuse them',
    async run() {
      const server = await httpServer((_request, response) => setTimeout(() => response.end('ok'), 2))
      const client = createHttpClient({ maxSockets: 4 })
      const url = `http://127.0.0.1:${server.port}/`
      await Promise.all(Array.from({ length: 100 }, () => client.request({ url })))
      assert.equal(server.connections, 4)
      await client.request({ url })
      assert.equal(server.connections, 4)
      client.close()
      await server.close()
    },
  },
  {
    name: 'a hundred mutual TLS requests shake hands as often as there are connections',
    async run() {
      const { ca, server: pair, client: own } = await testCertificates()
      const options = {
        key: pair.key.pem,
        cert: pair.cert.pem,
        ca: ca.pem,
        requestCert: true,
        rejectUnauthorized: true,
      }
      const server = await listen(
        createTlsServer(options, (_request, response) => setTimeout(() => response.end('ok'), 2)),
        'secureConnection',
      )
      const tls = { ca: ca.pem, cert: own.cert.pem, key: own.key.pem, rejectUnauthorized: true }
      const client = createHttpClient({ maxSockets: 5, tls })
      const url = `https://127.0.0.1:${server.port}/`
      await Promise.all(Array.from({ length: 100 }, () => client.request({ url })))
      assert.ok(server.connections <= 5, `${server.connections} handshakes`)
      client.close()
      await server.close()
    },
  },
  {
    name: 'tells refused, unknown name and connection cut apart',
    async run() {
      const refused = await failure({ url: 'http://127.0.0.1:1/secret?key=secret' })
      assert.deepEqual([refused.kind, refused.message], ['refused', '127.0.0.1:1 refused the connection'])
      assert.equal((await failure({ url: 'http://no-such-host.invalid/' })).kind, 'dns')
      const cutting = await listen(createTcpServer((socket) => void socket.once('data', () => socket.destroy())))
      assert.equal((await failure({ url: `http://127.0.0.1:${cutting.port}/` })).kind, 'reset')
      await cutting.close()
    },
  },
  {
    name: 'a truncated body and an answer that is not HTTP are errors',
    async run() {
      const truncating = await listen(
        createTcpServer((socket) => {
          socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this'))
        }),
      )
      assert.equal((await failure({ url: `http://127.0.0.1:${truncating.port}/` })).kind, 'reset')
      await truncating.close()
      const odd = await listen(
        createTcpServer((socket) => void socket.once('data', () => socket.end('SSH-2.0\r\n\r\n'))),
      )
      assert.equal((await failure({ url: `http://127.0.0.1:${odd.port}/` })).kind, 'other')
      await odd.close()
    },
  },
  {
    name: 'a silent server and a slow body end with the time-out',
    async run() {
      const silent = await httpServer(() => {})
      const error = await failure({ url: `http://127.0.0.1:${silent.port}/`, timeoutMs: 80 })
      assert.deepEqual([error.kind, error.message], ['timeout', `127.0.0.1:${silent.port} did not answer within 80 ms`])
      await silent.close()
      const slow = await httpServer((_request, response) => void response.write('x'))
      assert.equal((await failure({ url: `http://127.0.0.1:${slow.port}/`, timeoutMs: 80 })).kind, 'timeout')
      await slow.close()
    },
  },
  {
    name: 'a server that never finishes the TLS handshake ends with the connect time-out',
    async run() {
      const mute = await listen(createTcpServer(() => {}))
      const error = await failure({ url: `https://127.0.0.1:${mute.port}/` }, { connectTimeoutMs: 80 })
      assert.deepEqual(
        [error.kind, error.message],
        ['timeout', `127.0.0.1:${mute.port} did not accept the connection within 80 ms`],
      )
      await mute.close()
    },
  },
  {
    name: 'waiting for a free connection counts as time',
    async run() {
      const silent = await httpServer(() => {})
      const client = createHttpClient({ maxSockets: 1 })
      const url = `http://127.0.0.1:${silent.port}/`
      const kinds = await Promise.all(
        [1, 2, 3].map(() => client.request({ url, timeoutMs: 100 }).then(String, (error: HttpError) => error.kind)),
      )
      assert.deepEqual(kinds, ['timeout', 'timeout', 'timeout'])
      client.close()
      await silent.close()
    },
  },
  {
    name: 'cancelling ends a request at once, before and during it',
    async run() {
      const entered = signal()
      const server = await httpServer(() => entered.resolve())
      const url = `http://127.0.0.1:${server.port}/`
      assert.equal((await failure({ url, signal: AbortSignal.abort() })).kind, 'aborted')
      const controller = new AbortController()
      const ending = failure({ url, signal: controller.signal })
      await entered.promise
      controller.abort()
      assert.equal((await ending).kind, 'aborted')
      await server.close()
    },
  },
  {
    name: 'too large a body is an error',
    async run() {
      const server = await httpServer((_request, response) => response.end('x'.repeat(1000)))
      const error = await failure({ url: `http://127.0.0.1:${server.port}/`, maxBodyBytes: 999 })
      assert.equal(error.kind, 'tooLarge')
      await server.close()
    },
  },
  {
    name: 'certificates: unknown authority, expired, plain text behind https, missing client certificate',
    async run() {
      const { ca, server: pair, expiredServer, client: own } = await testCertificates()
      const start = (cert: string, requestCert = false) =>
        listen(
          createTlsServer(
            { key: pair.key.pem, cert, ca: ca.pem, requestCert, rejectUnauthorized: true },
            (_request, response) => response.end('ok'),
          ),
          'secureConnection',
        )
      const good = await start(pair.cert.pem)
      const url = `https://127.0.0.1:${good.port}/`
      assert.equal((await failure({ url })).kind, 'tls')
      const trusting = createHttpClient({ tls: { rejectUnauthorized: false } })
      assert.equal((await trusting.request({ url })).status, 200)
      trusting.close()
      await good.close()

      const expired = await start(expiredServer.pem)
      const expiredUrl = `https://127.0.0.1:${expired.port}/`
      assert.equal((await failure({ url: expiredUrl }, { tls: { ca: ca.pem } })).kind, 'tls')
      await expired.close()

      const plain = await httpServer(echo)
      assert.equal((await failure({ url: `https://127.0.0.1:${plain.port}/` })).kind, 'tls')
      await plain.close()

      const strict = await start(pair.cert.pem, true)
      const strictUrl = `https://127.0.0.1:${strict.port}/`
      const refused = await failure({ url: strictUrl }, { tls: { ca: ca.pem } })
      assert.ok(['tls', 'reset'].includes(refused.kind), refused.kind)
      const welcome = createHttpClient({ tls: { ca: ca.pem, cert: own.cert.pem, key: own.key.pem } })
      assert.equal((await welcome.request({ url: strictUrl })).status, 200)
      welcome.close()
      await strict.close()
    },
  },
  {
    name: 'retries what may be repeated, and nothing else',
    async run() {
      let asked = 0
      const server = await httpServer((_request, response) => {
        asked += 1
        response.statusCode = asked < 3 ? 503 : 200
        response.end()
      })
      const client = createHttpClient()
      const url = `http://127.0.0.1:${server.port}/`
      assert.equal((await client.request({ url, retry: QUICK_RETRY })).status, 200)
      assert.equal(asked, 3)
      asked = 0
      assert.equal((await client.request({ url })).status, 503)
      assert.equal(asked, 1)
      client.close()
      await server.close()
    },
  },
  {
    name: 'honours Retry-After and gives up in time',
    async run() {
      let asked = 0
      const server = await httpServer((_request, response) => {
        asked += 1
        response.writeHead(429, { 'retry-after': '1' }).end()
      })
      const waits: number[] = []
      const client = createHttpClient({}, { sleep: async (ms) => void waits.push(ms) })
      const url = `http://127.0.0.1:${server.port}/`
      assert.equal((await client.request({ url, retry: QUICK_RETRY })).status, 429)
      assert.deepEqual([asked, waits], [3, [1000, 1000]])
      asked = 0
      assert.equal((await client.request({ url, retry: QUICK_RETRY, timeoutMs: 500 })).status, 429)
      assert.equal(asked, 1)
      client.close()
      await server.close()
    },
  },
  {
    name: 'a dead reused connection is replaced for GET; POST never uses one',
    async run() {
      // The first request of a connection is answered, the second one kills it.
      const server = await listen(
        createTcpServer((socket) => {
          let requests = 0
          socket.on('data', () => {
            requests += 1
            if (requests > 1) socket.destroy()
            else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok')
          })
        }),
      )
      const client = createHttpClient()
      const url = `http://127.0.0.1:${server.port}/`
      assert.equal((await client.request({ url })).status, 200)
      assert.equal((await client.request({ url })).status, 200)
      assert.equal(server.connections, 2)
      assert.equal((await client.request({ method: 'POST', url, body: '{}' })).status, 200)
      assert.equal(server.connections, 3)
      client.close()
      await server.close()
    },
  },
  {
    name: 'follows redirects only when asked, and keeps credentials at home',
    async run() {
      const other = await httpServer((request, response) => response.end(`auth: ${request.headers.authorization}`))
      const server = await httpServer(async (request, response) => {
        if (request.url === '/to') return echo(request, response)
        const location = request.url === '/away' ? `http://127.0.0.1:${other.port}/` : '/to'
        response.writeHead(Number(request.url?.slice(1)) || 302, { location }).end()
      })
      const base = `http://127.0.0.1:${server.port}`
      const client = createHttpClient()
      assert.equal((await client.request({ url: `${base}/302` })).status, 302)
      const again = await client.request({ method: 'POST', url: `${base}/307`, body: 'b', redirects: 3 })
      assert.equal(again.text(), 'POST /to b')
      const get = await client.request({ method: 'POST', url: `${base}/303`, body: 'b', redirects: 3 })
      assert.equal(get.text(), 'GET /to ')
      const away = await client.request({ url: `${base}/away`, headers: { Authorization: 'x' }, redirects: 1 })
      assert.equal(away.text(), 'auth: undefined')
      client.close()
      await Promise.all([server.close(), other.close()])
    },
  },
  {
    name: 'speaks to an IPv6 address',
    async run() {
      const server = createServer((request, response) => response.end(request.headers.host))
      await new Promise<void>((resolve) => server.listen(0, '::1', resolve))
      const { port } = server.address() as AddressInfo
      const client = createHttpClient()
      assert.equal((await client.request({ url: `http://[::1]:${port}/` })).text(), `[::1]:${port}`)
      client.close()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  },
  {
    name: 'the idle limit closes unused connections, never a request that waits for its answer',
    async run() {
      const server = await httpServer((request, response) => {
        setTimeout(() => response.end('ok'), request.url === '/slow' ? 400 : 0)
      })
      const client = createHttpClient({ idleTimeoutMs: 100 })
      const base = `http://127.0.0.1:${server.port}`
      assert.equal((await client.request({ url: `${base}/slow` })).status, 200)
      await client.request({ url: base })
      assert.equal(server.connections, 1)
      await new Promise((resolve) => setTimeout(resolve, 400))
      await client.request({ url: base })
      assert.equal(server.connections, 2)
      client.close()
      await server.close()
    },
  },
  {
    name: 'refuses what cannot be sent',
    async run() {
      assert.equal((await failure({ url: 'http://127.0.0.1:1/', headers: { x: 'a\nb' } })).kind, 'other')
      await assert.rejects(createHttpClient().request({ url: 'ftp://127.0.0.1/' }), /only http and https/)
    },
  },
]
