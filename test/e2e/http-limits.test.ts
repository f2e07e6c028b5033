/** Clients that are slow, many, or gone: what the REST API of the executable does about them. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { footmanBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { freeTcpPort } from '../support/ports.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { atMost, until } from '../support/wait.ts'

const SLOW = '70000000-0000-4000-8000-000000000007'
const TIMEOUT_S = 2
const PATIENCE = { timeout: 30_000 }

interface Line {
  readonly socket: Socket
  /** What came so far. */
  readonly text: () => string
  readonly isClosed: () => boolean
  readonly openMs: () => number
}

type Opener = () => Socket

/** A connection that sends what it is given, piece by piece. */
function line(open: Opener, ...pieces: readonly string[]): Line {
  const socket = open()
  const began = performance.now()
  let text = ''
  let closedAt: number | null = null
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closedAt = performance.now()
  })
  for (const piece of pieces) socket.write(piece.replaceAll('\n', '\r\n'))
  return {
    socket,
    text: () => text,
    isClosed: () => closedAt !== null,
    openMs: () => (closedAt ?? performance.now()) - began,
  }
}

/** Sends the piece again and again, until the connection is closed. */
function drip({ socket, isClosed }: Line, piece: string): void {
  const timer = setInterval(() => (isClosed() ? clearInterval(timer) : socket.write(piece)), 300)
}

const bodyOf = (text: string): Record<string, unknown> => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))

const post = (headers: string) =>
  `POST /v4/keyvalues/slow HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\n${headers}\n\n{"key":`

let site: TestSite
let plain: Footman
let secure: Footman

beforeAll(async () => {
  site = await startSite()
  site.simulator.setTask(SLOW, { durationMs: 3_600_000, queueMs: 0 })
  const settings = {
    restServerEndpointsEnable: { keyValueStore: true },
    footman: { api: { requestTimeout: `${TIMEOUT_S}s`, connectionsPerAddress: 6 } },
  }
  plain = await footman({ simulator: site.simulator, config: settings })
  secure = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: { ...settings, restServerConfig: { tls: { enable: true, cert: 'rest.pem', key: 'rest-key.pem' } } },
  })
  const { server } = site.simulator.certificates.pem
  writeFileSync(secure.directory.join('rest.pem'), server.cert.pem)
  writeFileSync(secure.directory.join('rest-key.pem'), server.key.pem)
  await Promise.all([plain.start(), secure.start()])
}, 60_000)
afterAll(async () => {
  await Promise.all([plain, secure].map((one) => one?.[Symbol.asyncDispose]()))
  await site?.[Symbol.asyncDispose]()
})

const openers: Readonly<Record<string, Opener>> = {
  HTTP: () => connect(plain.restPort, '127.0.0.1'),
  HTTPS: () => tlsConnect({ port: secure.restPort, host: '127.0.0.1', rejectUnauthorized: false }),
}

/** RFC 9112, 3.2: a request has one Host header with a host and perhaps a port. */
const HOSTS: readonly (readonly [version: string, headers: readonly string[], status: number])[] = [
  ['1.1', ['Host: 127.0.0.1'], 200],
  ['1.1', ['hOsT:\t127.0.0.1:80 '], 200],
  ['1.1', ['Host: [::1]:8080'], 200],
  ['1.1', [], 400],
  ['1.1', ['Host:'], 400],
  ['1.1', ['Host: a.example', 'HOST: b.example'], 400],
  ['1.1', ['Host: a.example', 'Host: a.example'], 400],
  ['1.1', ['Host:', 'Host: a.example'], 400],
  ['1.1', ['Host: a.example, b.example'], 400],
  ['1.1', ['Host: a.example,'], 400],
  ['1.1', ['Host: user@a.example'], 400],
  ['1.1', ['Host: a.example/b'], 400],
  ['1.1', ['Host: a.example b.example'], 400],
  ['1.1', ['Host: a.example:80:80'], 400],
  ['1.1', ['Host : a.example'], 400],
  ['1.0', [], 200],
  ['1.0', ['Host: a.example', 'Host: b.example'], 400],
]

describe.each(Object.keys(openers))('over %s', (scheme) => {
  const open: Opener = () => openers[scheme]!()

  test.each(HOSTS)('HTTP/%s with the headers %j', async (version, headers, status) => {
    const head = [`GET /v4/butlerping HTTP/${version}`, ...headers, 'Connection: close', '', ''].join('\n')
    const asked = line(open, head)
    await until(() => asked.isClosed() || asked.text() !== '', { ...PATIENCE, what: 'an answer' })
    expect(Number(asked.text().split(' ')[1])).toBe(status)
    asked.socket.destroy()
  })

  test.each([
    ['with a length', 'Content-Length: 100'],
    ['with a great length', 'Content-Length: 900000'],
    ['in chunks', 'Transfer-Encoding: chunked'],
  ])(
    'a body %s that stands still is answered with 408',
    async (_what, headers) => {
      const request = post(headers)
      const slow = line(open, headers.includes('chunked') ? request.replace('{"key":', '7\n{"key":\n') : request)
      await until(slow.isClosed, { ...PATIENCE, what: 'the end of the connection' })
      expect(slow.text()).toStartWith('HTTP/1.1 408 ')
      expect(slow.text().toLowerCase()).toContain('connection: close')
      expect(bodyOf(slow.text())).toMatchObject({ statusCode: 408, code: 'REQUEST_TIMEOUT', error: 'Request Timeout' })
      expect(slow.openMs()).toBeGreaterThan(TIMEOUT_S * 1000 - 100)
    },
    60_000,
  )

  test('a great body that comes slowly but steadily is taken', async () => {
    const value = 'x'.repeat(200_000)
    const body = JSON.stringify({ key: 'steady', value })
    const steady = line(
      open,
      `POST /v4/keyvalues/slow HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\nConnection: close\nContent-Length: ${body.length}\n\n`,
    )
    const PIECES = 10
    const size = Math.ceil(body.length / PIECES)
    for (let n = 0; n < PIECES; n += 1) {
      steady.socket.write(body.slice(n * size, (n + 1) * size))
      // The pieces really take longer together than the limit.
      await Bun.sleep((TIMEOUT_S * 1000) / 5)
    }
    await until(steady.isClosed, PATIENCE)
    expect(steady.text()).toStartWith('HTTP/1.1 201 ')
    expect(steady.openMs()).toBeGreaterThan(TIMEOUT_S * 1000)
  }, 60_000)

  test('a connection that sends its headers slowly is closed, be it the first request or a later one', async () => {
    const begun = line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n')
    const dripping = line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n')
    const later = line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n\n', 'GET /v4/butlerping HTTP/1.1\n')
    const idle = line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n\n')
    for (const one of [dripping, later]) drip(one, 'X-Slow: 1\r\n')
    await until(() => [begun, dripping, later, idle].every((one) => one.isClosed()), {
      ...PATIENCE,
      what: 'the end of slow connections',
    })
    // The runtime looks every four seconds.
    for (const one of [begun, dripping, later]) expect(one.openMs()).toBeLessThan(atMost(TIMEOUT_S * 1000 + 10_000))
    for (const one of [later, idle]) expect(one.text()).toStartWith('HTTP/1.1 200 ')
  }, 60_000)
})

describe('what takes its time', () => {
  const start = `/v4/reloadtask/${SLOW}/start?wait=600`

  test('waiting answers and streams outlive the limit', async () => {
    const base = `http://127.0.0.1:${plain.restPort}`
    const stream = await fetch(`${base}/v4/keyvalues/streamed/watch`)
    const reader = stream.body!.getReader()
    const waiting = plain.call('PUT', start, [])
    await until(() => site.simulator.site.sessions.size === 1, PATIENCE)
    let lines = ''
    const reading = (async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        lines += new TextDecoder().decode(next.value)
      }
    })()
    // Longer than the limit and the four seconds of the runtime.
    await Bun.sleep(TIMEOUT_S * 1000 + 6000)
    await plain.call('POST', '/v4/keyvalues/streamed', { key: 'late', value: 'news' })
    await until(() => lines.includes('news'), { ...PATIENCE, state: () => lines })
    site.simulator.abort(SLOW)
    const answer = await waiting
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ executions: [{ execution: { outcome: 'aborted' } }] })
    await reader.cancel()
    await reading
  }, 60_000)

  test('more requests of one address than are allowed at a time are refused with 429, and told once a minute', async () => {
    const open = () => connect(plain.restPort, '127.0.0.1')
    const id = '019cad24-bb20-78e1-b80b-d70ae0784c78'
    const bodies = Array.from({ length: 6 }, () => line(open, post('Content-Length: 100')))
    const refused = await until(async () => {
      const response = await plain.call('GET', '/v4/butlerping')
      return response.status === 429 && response
    }, PATIENCE)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.json()).toMatchObject({ statusCode: 429, code: 'RATE_LIMITED', error: 'Too Many Requests' })
    expect((await plain.call('GET', `/v4/events/${id}`)).status).toBe(429)
    const warnings = () => plain.process.stdout.filter((text) => text.includes('and more are refused'))
    await until(() => warnings().length > 0)
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]).toContain('127.0.0.1 has 6 requests under way and more are refused')
    for (const { socket } of bodies) socket.destroy()
    await until(async () => (await plain.call('GET', '/v4/butlerping')).status === 200, PATIENCE)
  }, 60_000)

  test('more HTTPS connections of one address than are allowed are closed', async () => {
    const open = openers.HTTPS!
    const held = Array.from({ length: 6 }, () => line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n'))
    await secure.process.waitForLine(/127\.0\.0\.1 has 6 connections and more are refused/, 1).catch(() => {})
    const refused = await until(() => {
      const one = line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n\n')
      return until(one.isClosed, { timeout: 500 }).then(() => one.text() === '' && one)
    }, PATIENCE)
    expect(refused.text()).toBe('')
    await secure.process.waitForLine(/127\.0\.0\.1 has 6 connections and more are refused/)
    for (const { socket } of held) socket.destroy()
    const answered = () => line(open, 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n')
    await until(async () => {
      const one = answered()
      await until(one.isClosed)
      return one.text().startsWith('HTTP/1.1 200 ')
    }, PATIENCE)
  }, 60_000)
})

test('a client that goes away while it sends a body is no error, and has a reason', async () => {
  const before = plain.process.stdout.length
  const start = (headers: string, body: string) =>
    line(
      () => connect(plain.restPort, '127.0.0.1'),
      `PUT /v4/reloadtask/${SLOW}/start HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\n${headers}\n\n${body}`,
    )
  const aborted = [
    start('Content-Length: 100', '['),
    start('Content-Length: 900000', '['),
    start('Transfer-Encoding: chunked', '1\n[\n'),
  ]
  await Promise.all(aborted.map(({ socket }) => until(() => !socket.pending && socket.writableLength === 0)))
  for (const { socket } of aborted) socket.end()
  const sample = /method="PUT",route="\/v4\/reloadtask\/\{\w+\}\/start",status="499"\} 3$/m
  await until(async () => sample.test(await (await plain.call('GET', '/metrics')).text()), {
    ...PATIENCE,
    what: 'three calls with the status 499',
  })
  const rows = await until(() => {
    const found = plain.rows<object>('SELECT action, outcome, detail FROM audit WHERE status = 499')
    return found.length === 3 && found
  }, PATIENCE)
  const row = { action: 'task.start', outcome: 'failed', detail: 'client closed request' }
  expect(rows).toEqual([row, row, row])
  const lines = plain.process.stdout.slice(before)
  expect(lines.filter((text) => /\b(error|warn):/i.test(text))).toEqual([])
}, 60_000)

const isLinux = process.platform === 'linux'

test.skipIf(!isLinux)(
  'connections that take all file descriptors do not keep alerts from leaving',
  async () => {
    await using sink = await startHttpSink()
    const host = {
      command: 'bash',
      args: ['-c', 'ulimit -n 256; exec "$0" "$@"', footmanBinary()],
      env: {},
      path: (local: string) => local,
    }
    const healthPort = await freeTcpPort()
    await using product = await footman({
      simulator: null,
      host,
      args: ['--no-qs-connection'],
      config: {
        restServerEndpointsEnable: { keyValueStore: true },
        dockerHealthCheck: { enable: true, port: healthPort },
        footman: {
          api: { requestTimeout: '10s' },
          destinations: { ops: { type: 'webhook', url: `${sink.url}/self` } },
          selfAlerts: { to: ['ops'] },
        },
      },
    })
    await product.start()
    const flood = Array.from({ length: 400 }, () =>
      line(() => connect(product.restPort, '127.0.0.1'), 'GET /v4/butlerping HTTP/1.1\nHost: 127.0.0.1\n'),
    )
    const [text] = await product.process.waitForLine(/DESCRIPTORS: 256 of 256 file descriptors.*/, 30_000)
    expect(text).toContain('(EMFILE)')
    expect(text).toContain('LimitNOFILE')
    const [alert] = await sink.received(1, { match: ({ url }) => url === '/self', timeout: 30_000 })
    expect(JSON.parse(alert!.body)).toMatchObject({ key: 'footman:self:DESCRIPTORS_LOW', outcome: 'raised' })
    const health = (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()) as Record<string, unknown>
    expect(health).toMatchObject({ statusCode: 200, checks: { descriptors: 'degraded', rest: 'up' } })
    expect(JSON.stringify(health.reasons)).toContain('file descriptors of Footman are used (EMFILE)')
    // It left while the connections were still there.
    expect(flood.filter((one) => !one.isClosed()).length).toBeGreaterThan(150)

    await product.process.waitForLine(/DESCRIPTORS: .*takes connections again/, 40_000)
    const answer = await product.call('GET', '/v4/butlerping')
    expect(answer.status).toBe(200)
    for (const { socket } of flood) socket.destroy()
    expect(await product.process.stop()).toBe(0)
  },
  120_000,
)
