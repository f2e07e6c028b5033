/** RFC 9112, 3.2: a request has one Host header; over HTTP and HTTPS alike, on every listener that `serveHttp` opens. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type HttpServer, serveHttp } from '../../../src/platform/http-server.ts'
import { certificatePair } from '../../support/certificates.ts'
import { within } from '../../support/wait.ts'

let plain: HttpServer
let secure: HttpServer
beforeAll(async () => {
  const { cert, key } = await certificatePair('127.0.0.1')
  const settings = { hostname: '127.0.0.1', port: 0, handler: () => new Response('here') }
  plain = await serveHttp(settings)
  secure = await serveHttp({ ...settings, tls: { cert, key } })
})
afterAll(() => Promise.all([plain.stop(100), secure.stop(100)]))

const CASES: readonly (readonly [name: string, version: string, hosts: readonly string[], status: number])[] = [
  ['one', '1.1', ['a.example'], 200],
  ['one with a port', '1.1', ['a.example:8080'], 200],
  ['none', '1.1', [], 400],
  ['none of an old client', '1.0', [], 200],
  ['two', '1.1', ['a.example', 'b.example'], 400],
  ['the same twice', '1.1', ['a.example', 'a.example'], 400],
  ['two of an old client', '1.0', ['a.example', 'b.example'], 400],
  ['an empty and another one', '1.1', ['', 'a.example'], 400],
  ['an empty one', '1.1', [''], 400],
  ['a list', '1.1', ['a.example,b.example'], 400],
  ['a path', '1.1', ['a.example/b'], 400],
]

describe.each(['http', 'https'])('%s', (scheme) => {
  test.each(CASES)('Host: %s, HTTP/%s', async (_name, version, hosts, status) => {
    const lines = [`GET / HTTP/${version}`, ...hosts.map((host) => `Host: ${host}`), 'Connection: close', '', '']
    const answered = new Promise<number>((resolve, reject) => {
      const socket =
        scheme === 'http'
          ? connect(plain.port, '127.0.0.1', send)
          : connectTls({ port: secure.port, host: '127.0.0.1', rejectUnauthorized: false }, send)
      function send(): void {
        socket.write(lines.join('\r\n'))
      }
      socket.on('error', reject)
      socket.once('data', (text) => {
        socket.destroy()
        resolve(Number(String(text).split(' ')[1]))
      })
    })
    expect(await within(answered, 10_000, 'an answer')).toBe(status)
  })
})
