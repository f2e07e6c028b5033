/** Dumps that are too large to be held in memory, against an engine that can be made to misbehave. */
import { afterEach, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { appRoutes } from '../../../src/apps/http.ts'
import { createApi } from '../../../src/http/server.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { createEngineClient } from '../../../src/qlik/engine/client.ts'
import { largeApp, SHEET_BYTES, SILENT } from '../../support/large-app.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type EngineCall, type ScriptedEngine, scriptedEngine } from '../../support/scripted-engine.ts'
import { until } from '../../support/wait.ts'

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** Engine and caller share one thread, so that an answer may take long on a busy machine. */
const UNHURRIED_MS = 20_000

async function start(answer: (call: EngineCall) => unknown, callTimeoutMs = UNHURRIED_MS) {
  const engine = await scriptedEngine({ answer })
  running.push(engine)
  const log = recordingLog()
  const client = createEngineClient(
    { log },
    {
      host: '127.0.0.1',
      port: engine.port,
      useSSL: false,
      headers: [],
      rejectUnauthorized: true,
      certificates: () => null,
      callTimeoutMs,
    },
  )
  const stopping = new AbortController()
  const api = createApi(
    {
      log,
      clock: systemClock,
      version: '1.2.3',
      readFile: async () => '',
      routes: appRoutes(
        {
          engine: client,
          reloads: { begin: () => Promise.reject(new Error('not part of this test')) },
          log,
          stopping: stopping.signal,
          deniedTasks: async () => [],
        },
        { shadow: false },
      ),
      health: () => ({ healthy: true, checks: {} }),
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '' },
      },
      restServerEndpointsEnable: { senseAppDump: true },
      api: { rateLimitPerMinute: 0, trustedProxies: [] },
      accessLog: false,
    },
  )
  await api.start()
  running.push({ [Symbol.asyncDispose]: () => api.stop(100) })
  return { engine, api, log, stopping, url: `http://127.0.0.1:${api.port}/v4/app/large/dump` }
}

const sessionEnded = (engine: ScriptedEngine) => until(() => engine.open === 0, { what: 'the end of the session' })

describe('a dump of 100 MB', () => {
  test('is written while it is read, in order, eight objects at a time', async () => {
    const { url, engine } = await start(largeApp(2000))
    let bytes = 0
    const numbers: number[] = []
    const answer = await fetch(url)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.headers.get('content-length')).toBeNull()
    let rest = ''
    for await (const chunk of answer.body!) {
      bytes += chunk.length
      rest += Buffer.from(chunk)
        .toString('latin1')
        .replaceAll(/x{10,}/g, 'x')
      let end = 0
      for (const match of rest.matchAll(/"number":(\d+),/g)) {
        numbers.push(Number(match[1]))
        end = match.index + match[0].length
      }
      // A number may be cut by the end of a chunk.
      rest = rest.slice(end)
    }
    expect(bytes).toBeGreaterThan(2000 * SHEET_BYTES)
    expect(rest).toEndWith('"variables":[],"appId":"large"}')
    expect(numbers).toEqual(Array.from({ length: 2000 }, (_, number) => number))
    expect(engine.mostAtOnce).toBe(8)
    await sessionEnded(engine)
    expect(engine.closings).toEqual([1000])
  }, 90_000)

  test('waits for a slow reader instead of piling up', async () => {
    const { api, engine } = await start(largeApp(2000))
    const socket = connect(api.port, '127.0.0.1')
    socket.write('GET /v4/app/large/dump HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.pause()
    const calls = await settled(() => engine.calls.length)
    // Two calls for each sheet; what fits into the buffers of the system is a few megabytes.
    expect((calls / 2) * SHEET_BYTES).toBeLessThan(30_000_000)
    socket.destroy()
    await sessionEnded(engine)
  }, 90_000)
})

describe('a dump that breaks off midway', () => {
  const breaks = [
    {
      name: 'the engine is lost',
      spoil({ socket }: EngineCall) {
        socket.terminate()
        return SILENT
      },
    },
    { name: 'the engine falls silent', spoil: () => SILENT },
  ]
  for (const { name, spoil } of breaks) {
    test(`never ends as JSON when ${name}`, async () => {
      const { api, engine, log } = await start(
        largeApp(200, (call) => (call.method === 'GetObject' && call.params[0] === '100' ? spoil(call) : undefined)),
        1000,
      )
      const text = await readRaw(api.port)
      expect(text).toStartWith('HTTP/1.1 200 OK')
      expect(text).toContain('"number":20,')
      // Neither the end of the object nor the chunk that ends an answer.
      expect(text).not.toContain('"appId"')
      expect(text).not.toEndWith('0\r\n\r\n')
      const outcome = await fetch(`http://127.0.0.1:${api.port}/v4/app/large/dump`)
        .then((answer) => answer.text())
        .then(
          () => 'complete',
          () => 'broken off',
        )
      expect(outcome).toBe('broken off')
      expect(log.of('error')[0]).toStartWith('APPDUMP: Failed dumping app, the answer is cut off: engine 127.0.0.1:')
      await sessionEnded(engine)
    }, 90_000)
  }

  test('ends the session when the caller hangs up', async () => {
    const { api, engine, log } = await start(largeApp(2000))
    const socket = connect(api.port, '127.0.0.1')
    socket.write('GET /v4/app/large/dump HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    await sessionEnded(engine)
    expect(log.of('error')).toEqual([])
  })

  test('ends the session when the caller hangs up before the first byte', async () => {
    const { api, engine } = await start(largeApp(10, ({ method }) => (method === 'OpenDoc' ? SILENT : undefined)))
    const socket = connect(api.port, '127.0.0.1')
    socket.write('GET /v4/app/large/dump HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => engine.calls.length > 0)
    socket.destroy()
    await sessionEnded(engine)
  })

  test('is cut off when Footman stops', async () => {
    const { api, engine, stopping } = await start(largeApp(2000))
    const socket = connect(api.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /v4/app/large/dump HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    stopping.abort()
    await sessionEnded(engine)
    socket.destroy()
  })
})

test('a dump that takes longer than ten seconds is answered all the same', async () => {
  // The runtime closes connections that are idle for ten seconds.
  const slow = ({ method }: EngineCall) => (method === 'OpenDoc' ? Bun.sleep(10_300) : undefined)
  const { url, engine } = await start(largeApp(3, slow))
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ appId: 'large' })
  await sessionEnded(engine)
}, 90_000)

test('an app whose list cannot be read has no dump', async () => {
  const { url } = await start(largeApp(0, ({ method }) => (method === 'GetLayout' ? { qLayout: {} } : undefined)))
  const answer = await fetch(url)
  expect(answer.status).toBe(502)
  expect(await answer.json()).toMatchObject({ message: 'Failed dumping app' })
})

/** All that comes until the connection ends, one way or the other. */
function readRaw(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket: Socket = connect(port, '127.0.0.1')
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
    socket.write('GET /v4/app/large/dump HTTP/1.1\r\nHost: x\r\n\r\n')
  })
}

/** The number once it has not grown for 200 ms of real time. */
async function settled(read: () => number): Promise<number> {
  let last = -1
  return until(
    async () => {
      const before = last
      last = read()
      await Bun.sleep(200)
      return last > 0 && last === before ? last : null
    },
    { timeout: 15_000, what: 'a standstill' },
  )
}
