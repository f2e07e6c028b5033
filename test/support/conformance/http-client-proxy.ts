import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { createHttpClient, type HttpClientSettings } from '../../../src/platform/http-client.ts'
import { testCertificates } from './certificates.ts'
import { echo, failure, httpServer, listen } from './http-tools.ts'
import type { Case } from './suite.ts'

type Behaviour = 'forward' | 'refuse' | 'hang'

/** A proxy that records the requested hosts and the credentials. */
async function startProxy(behaviour: Behaviour) {
  const seen: string[] = []
  const note = (request: IncomingMessage) =>
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? '-'}`)
  const server = createServer((request, response) => {
    note(request)
    response.end('by proxy')
  })
  server.on('connect', (request, socket: Socket, head: Uint8Array) => {
    note(request)
    socket.on('error', () => {})
    if (behaviour === 'hang') return
    if (behaviour === 'refuse') {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const port = Number(request.url?.split(':')[1])
    const up = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      up.write(head)
      socket.pipe(up).pipe(socket)
    })
    up.on('error', () => socket.destroy())
    socket.on('close', () => up.destroy())
  })
  const running = await listen(server)
  return { ...running, seen }
}

async function secureServer() {
  const { ca, server } = await testCertificates()
  const running = await listen(
    createTlsServer({ cert: server.cert.pem, key: server.key.pem }, echo),
    'secureConnection',
  )
  return { ...running, ca, url: `https://localhost:${running.port}/here` }
}

async function textOf(url: string, settings: HttpClientSettings): Promise<string> {
  const client = createHttpClient(settings)
  const response = await client.request({ url, method: 'POST', body: 'hello' })
  client.close()
  return response.text()
}

export const httpClientProxyCases: readonly Case[] = [
  {
    name: 'https goes through a tunnel of the proxy, with its user and password',
    async run() {
      const [proxy, target] = [await startProxy('forward'), await secureServer()]
      const proxyEnv = { HTTPS_PROXY: `http://us%40er:pa%3Ass@127.0.0.1:${proxy.port}` }
      assert.equal(await textOf(target.url, { proxyEnv, tls: { ca: target.ca.pem } }), 'POST /here hello')
      const login = Buffer.from('us@er:pa:ss').toString('base64')
      assert.deepEqual(proxy.seen, [`CONNECT localhost:${target.port} Basic ${login}`])
      await Promise.all([proxy.close(), target.close()])
    },
  },
  {
    name: 'http is asked of the proxy; names in small letters win',
    async run() {
      const proxy = await startProxy('forward')
      const target = await httpServer(echo)
      const proxyEnv = { http_proxy: `http://127.0.0.1:${proxy.port}`, HTTP_PROXY: 'http://127.0.0.1:1' }
      const url = `http://127.0.0.1:${target.port}/here`
      assert.equal(await textOf(url, { proxyEnv }), 'by proxy')
      assert.deepEqual(proxy.seen, [`POST ${url} -`])
      await Promise.all([proxy.close(), target.close()])
    },
  },
  {
    name: 'NO_PROXY, an empty variable and one that is no address mean a direct connection',
    async run() {
      const proxy = await startProxy('forward')
      const target = await httpServer(echo)
      const url = `http://127.0.0.1:${target.port}/here`
      const address = `http://127.0.0.1:${proxy.port}`
      for (const proxyEnv of [
        { HTTP_PROXY: address, NO_PROXY: 'other.example,127.0.0.1' },
        { HTTP_PROXY: address, no_proxy: '*' },
        { HTTP_PROXY: '' },
        { HTTP_PROXY: 'nonsense' },
        { HTTPS_PROXY: address },
      ]) {
        assert.equal(await textOf(url, { proxyEnv }), 'POST /here hello')
      }
      assert.equal(await textOf(url, {}), 'POST /here hello')
      assert.deepEqual(proxy.seen, [])
      await Promise.all([proxy.close(), target.close()])
    },
  },
  {
    name: 'the certificate is checked through the tunnel too',
    async run() {
      const [proxy, target] = [await startProxy('forward'), await secureServer()]
      const proxyEnv = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }
      assert.equal((await failure({ url: target.url }, { proxyEnv })).kind, 'tls')
      await Promise.all([proxy.close(), target.close()])
    },
  },
  {
    name: 'a proxy that refuses, hangs or is down is reported without its password',
    async run() {
      const [refusing, hanging] = [await startProxy('refuse'), await startProxy('hang')]
      const through = (port: number) => ({ proxyEnv: { HTTPS_PROXY: `http://user:secret@127.0.0.1:${port}` } })
      const url = 'https://localhost:9/secret?key=secret'
      const refused = await failure({ url }, through(refusing.port))
      assert.deepEqual(
        [refused.kind, refused.message],
        ['refused', 'localhost:9 could not be reached: the proxy refused to connect to it'],
      )
      const hung = await failure({ url, timeoutMs: 100 }, through(hanging.port))
      assert.equal(hung.kind, 'timeout')
      const down = await failure({ url }, through(1))
      assert.deepEqual([down.kind, /secret/.test(down.message)], ['refused', false])
      await Promise.all([refusing.close(), hanging.close()])
    },
  },
]
