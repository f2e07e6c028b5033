import assert from 'node:assert/strict'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { createHttpClient } from '../../../src/platform/http-client.ts'
import type { HttpError } from '../../../src/platform/http-exchange.ts'
import { testCertificates } from './certificates.ts'
import { echo, failure, httpServer, listen } from './http-tools.ts'
import { type Case, signal } from './suite.ts'

export const httpClientFailureCases: readonly Case[] = [
  {
    name: 'reports refused, unknown name and connection cut as different failures',
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
      assert.equal(error.kind, 'timeout')
      // The time that is left when the exchange begins.
      assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${silent.port} did not answer within \\d+ ms$`))
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
]
