import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { createHttpClient } from '../../../src/platform/http-client.ts'
import { testCertificates } from './certificates.ts'
import { echo, failure, httpServer, listen } from './http-tools.ts'
import type { Case } from './suite.ts'

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
        response.writeHead(429, { 'retry-after': '10' }).end()
      })
      const waits: number[] = []
      const client = createHttpClient({}, { sleep: async (ms) => void waits.push(ms) })
      const url = `http://127.0.0.1:${server.port}/`
      assert.equal((await client.request({ url, retry: QUICK_RETRY })).status, 429)
      assert.deepEqual([asked, waits], [3, [10_000, 10_000]])
      asked = 0
      assert.equal((await client.request({ url, retry: QUICK_RETRY, timeoutMs: 8000 })).status, 429)
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
    name: 'a POST that the caller repeats anyway reuses connections, and a dead one is replaced once',
    async run() {
      let received = 0
      // The third request of a connection kills it.
      const server = await listen(
        createTcpServer((socket) => {
          let requests = 0
          socket.on('data', () => {
            received += 1
            requests += 1
            if (requests > 2) socket.destroy()
            else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok')
          })
        }),
      )
      const client = createHttpClient()
      const post = { method: 'POST', url: `http://127.0.0.1:${server.port}/`, body: '{}', repeatable: true }
      for (const connections of [1, 1, 2, 2]) {
        assert.equal((await client.request(post)).status, 200)
        assert.equal(server.connections, connections)
      }
      assert.equal(received, 5)
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
