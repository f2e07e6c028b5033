/** Bodies of unknown callers: the answer comes before the body does, whatever is announced. */
import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { newKey, visitorOf } from '../../support/console.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { until, within } from '../../support/wait.ts'

const OPS = newKey('ops', 'admin')
const MIB = 1_048_576

const running: Footman[] = []
afterAll(() => Promise.all(running.map((one) => one[Symbol.asyncDispose]())))

async function start(own: object): Promise<Footman> {
  const product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: {
      logLevel: 'info',
      restServerEndpointsEnable: { keyValueStore: true },
      footman: { dataDirectory: 'data', watchConfig: false, ...own },
    },
  })
  running.push(product)
  await product.start()
  return product
}

interface Announced {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Announced; null = in chunks. */
  readonly bytes: number | null
}

/** The status of an answer to a head without its body. */
function statusOf(port: number, { method, path, headers = {}, bytes }: Announced): Promise<number> {
  const size = bytes === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', size, ...lines, '', ''].join('\r\n')
  const answered = new Promise<number>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(head))
    socket.on('error', reject)
    socket.once('data', (text) => {
      socket.destroy()
      resolve(Number(String(text).split(' ')[1]))
    })
  })
  return within(answered, 10_000, `an answer to ${method} ${path}`)
}

/** Sends a body of that length, until the other end has it or hangs up. */
async function pour(port: number, path: string, bytes: number): Promise<void> {
  const piece = Buffer.alloc(65_536, 97)
  await new Promise<void>((resolve) => {
    let sent = 0
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${bytes}\r\n\r\n`)
      const go = (): void => {
        while (sent < bytes) {
          sent += piece.length
          if (!socket.write(piece)) return void socket.once('drain', go)
        }
        socket.end()
      }
      go()
    })
    socket.on('data', () => {})
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
  })
}

/** Memory of a process, MiB; Linux only. */
const memoryOf = ({ process: { pid } }: Footman): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

const DOORS = [
  '/console/',
  '/console/form/kv.import',
  '/console/theme',
  '/console/logout',
  '/console/nothing',
  '/console/api/v4/keyvaluesimport',
  '/console/login/0123456789',
  '/hub/login',
  '/nothing',
  '/v4/reloadtask/-/start',
  '/v4/keyvaluesimport',
  '/v4/recipient/import',
  '/v4/newrelic/event',
]

describe('bodies of strangers', () => {
  test.each([
    ['access control and console', { access: { enable: true, keys: [OPS.entry] }, console: { enable: true } }],
    ['access control, no console', { access: { enable: true, keys: [OPS.entry] }, console: { enable: false } }],
  ])(
    'with %s every door answers before the body',
    async (_name, own) => {
      const { restPort: port } = await start(own)
      for (const path of DOORS) {
        for (const bytes of [60 * MIB, null]) {
          const status = await statusOf(port, { method: 'POST', path, bytes })
          expect([303, 401, 403, 404], path).toContain(status)
        }
      }
      // The forms of the sign-in are read, but small ones only.
      const status = await statusOf(port, { method: 'POST', path: '/console/login', bytes: 65_537 })
      expect(status).toBe(own.console.enable ? 413 : 404)
    },
    60_000,
  )

  test('without access control a console that is off reads nothing', async () => {
    const { restPort: port } = await start({ console: { enable: false } })
    for (const path of ['/console/', '/console/form/x', '/console/login']) {
      expect(await statusOf(port, { method: 'POST', path, bytes: 60 * MIB })).toBe(404)
    }
  })

  test('without access control callers from elsewhere are answered before the body, and nothing signs in', async () => {
    const product = await start({
      console: { enable: true },
      api: { trustedProxies: ['127.0.0.1'] },
      reportTask: {
        enable: true,
        baseUrl: 'http://127.0.0.1',
        fromAddress: 'reports@acme.example',
        hub: { enable: true },
      },
    })
    const status = (path: string, bytes: number | null, client: string) =>
      statusOf(product.restPort, { method: 'POST', path, bytes, headers: { 'x-forwarded-for': client } })
    const OWN_FORMS = ['/console/login', '/console/api/v4/sessions']
    // Those of the predecessor answer everybody then.
    const closed = DOORS.filter((door) => !/^\/(hub\/login|v4\/(reloadtask|newrelic))/.test(door))
    for (const path of [...closed, ...OWN_FORMS]) {
      for (const bytes of [100, 60 * MIB, null]) {
        expect([401, 403, 404], path).toContain(await status(path, bytes, '203.0.113.9'))
      }
    }
    for (const path of OWN_FORMS) expect(await status(path, 60 * MIB, '127.0.0.1')).toBe(400)
    // The hub has a sign-in of its own, whose form is read.
    expect(await status('/hub/login', 16_385, '203.0.113.9')).toBe(413)
    for (const path of ['/hub/login/0123456789', '/hub/logout', '/hub/items/x']) {
      for (const bytes of [60 * MIB, null]) {
        expect([200, 404, 410], path).toContain(await status(path, bytes, '203.0.113.9'))
      }
    }
  }, 60_000)

  test.skipIf(process.platform !== 'linux').each([
    ['60', true],
    ['64', false],
  ])('twelve connections with %s MiB each take no memory, console on: %p', async (size, enable) => {
    const product = await start({ access: { enable: true, keys: [OPS.entry] }, console: { enable } })
    const before = memoryOf(product)
    let most = 0
    const look = setInterval(() => {
      most = Math.max(most, memoryOf(product))
    }, 20)
    const paths = ['/console/form/x', '/console/login', '/console/api/v4/sessions', '/console/%66orm/x']
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => pour(product.restPort, paths[n % paths.length]!, Number(size) * MIB)),
    )
    clearInterval(look)
    // One such body alone has 60.
    expect(most - before).toBeLessThan(60)
    expect((await product.call('GET', '/v4/butlerping')).status).toBe(200)
  })

  test('bodies of known callers have 128 MiB together; 503 beyond, small ones and strangers go on', async () => {
    const product = await start({ access: { enable: true, keys: [OPS.entry] }, console: { enable: true } })
    const SIZE = 9 * MIB
    const sockets = Array.from({ length: 14 }, () => connect(product.restPort, '127.0.0.1'))
    try {
      for (const socket of sockets) {
        const head = [
          'POST /v4/keyvaluesimport HTTP/1.1',
          'Host: 127.0.0.1',
          `Authorization: Bearer ${OPS.key}`,
          `Content-Length: ${SIZE}`,
        ]
        socket.on('error', () => {})
        socket.write([...head, '', ''].join('\r\n'))
        // All but the last byte, so that the body is under way.
        await new Promise((sent) => socket.write(Buffer.alloc(SIZE - 1, 32), sent))
      }
      const more = () =>
        product.call(
          'POST',
          '/v4/keyvaluesimport',
          { format: 'footman.kv/1', namespaces: {}, more: 'x'.repeat(3 * MIB) },
          { authorization: `Bearer ${OPS.key}` },
        )
      const full = await until(async () => ((await more()).status === 503 ? more() : null), { what: 'a full budget' })
      expect([full.status, full.headers.get('retry-after'), (await full.json()).code]).toEqual([
        503,
        '5',
        'TOO_MANY_BODIES',
      ])
      expect((await product.call('GET', '/v4/butlerping')).status).toBe(200)
      expect((await visitorOf(product).signIn(OPS.key)).status).toBe(303)
      for (const socket of sockets) socket.destroy()
      await until(async () => (await more()).status !== 503, { what: 'room again' })
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  }, 60_000)

  test('people who have signed in send forms larger than that of a sign-in', async () => {
    const product = await start({ access: { enable: true, keys: [OPS.entry] }, console: { enable: true } })
    const person = visitorOf(product)
    expect((await person.signIn(OPS.key)).status).toBe(303)
    const csrf = await person.csrf('/console/system/about')
    const answer = await person.post('/console/theme', { csrf, theme: 'dark', unused: 'x'.repeat(100_000) })
    expect([answer.status, person.cookies.get('footman_theme')]).toEqual([303, 'dark'])
  })
})
