import { afterEach, describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { runHealthcheck } from '../../../src/cli/healthcheck.ts'
import { createHealthListener } from '../../../src/monitors/health-listener.ts'
import { withFolder } from '../../support/config.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { rawHttp } from '../../support/raw-http.ts'
import { recordingLog } from '../../support/recording-log.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const CHECKS = { udp: 'up', rest: 'up', qrs: 'down', mqtt: 'off' }

async function listener(options: { healthy?: boolean; seesChecks?: boolean; port?: number } = {}) {
  const log = recordingLog()
  const service = createHealthListener(
    {
      log,
      health: () => ({ healthy: options.healthy ?? true, checks: CHECKS }),
      maySeeChecks: () => options.seesChecks ?? false,
    },
    { host: 'localhost', port: options.port ?? 0 },
  )
  await service.start()
  cleanups.push(() => service.stop(200))
  return { service, log, get: (path: string, method = 'GET') => rawHttp(service.port, { path, method }) }
}

describe('the health listener', () => {
  test('tells that all is well', async () => {
    const { get, log, service } = await listener()
    const answer = await get('/health')
    expect([answer.status, answer.body]).toEqual([200, '{"statusCode":200,"status":"ok"}'])
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(log.of('info')).toEqual([`MAIN: Started Docker healthcheck server on port ${service.port}.`])
  })

  test('adds the states of the parts for callers who may see them', async () => {
    const { get } = await listener({ seesChecks: true })
    expect((await get('/health')).body).toBe(
      '{"statusCode":200,"status":"ok","checks":{"udp":"up","rest":"up","qrs":"down","mqtt":"off"}}',
    )
  })

  test('is 503 when a vital part is down, while the process lives', async () => {
    const { get } = await listener({ healthy: false })
    const answer = await get('/health')
    expect([answer.status, answer.body]).toEqual([503, '{"statusCode":503,"status":"ko"}'])
    expect((await get('/health/live')).status).toBe(200)
  })

  test('answers HEAD without a body', async () => {
    const { get } = await listener()
    const answer = await get('/health', 'HEAD')
    expect([answer.status, answer.body]).toEqual([200, ''])
  })

  test.each([
    ['GET', '/nope?x=1'],
    ['POST', '/health'],
    ['GET', '/'],
  ])('%s %s is a 404', async (method, path) => {
    const { get } = await listener()
    const answer = await get(path, method)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      404,
      { message: `Route ${method}:${path} not found`, error: 'Not Found', statusCode: 404 },
    ])
  })

  test('cannot start on a port that is taken', async () => {
    const port = await freeTcpPort()
    const other = createServer().listen(port, '127.0.0.1')
    await new Promise((done) => other.once('listening', done))
    cleanups.push(() => other.close())
    await expect(listener({ port })).rejects.toThrow(`cannot listen on TCP 127.0.0.1:${port}`)
  })
})

describe('footman healthcheck', () => {
  async function check(butler: object, env: Record<string, string> = {}) {
    const out: string[] = []
    const err: string[] = []
    const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) }
    const code = await withFolder({ 'c.yaml': JSON.stringify({ Butler: butler }) }, (cwd) =>
      runHealthcheck({ configfile: 'c.yaml' }, io, { env, cwd }),
    )
    return { code, out, err }
  }

  test('takes the port from the configuration', async () => {
    const { service } = await listener()
    expect(await check({ dockerHealthCheck: { enable: true, port: service.port } })).toEqual({
      code: 0,
      out: ['STATUS Docker health: 200'],
      err: [],
    })
  })

  test('names the parts that are down', async () => {
    const degraded = await listener({ seesChecks: true })
    const one = await check({ dockerHealthCheck: { enable: true, port: degraded.service.port } })
    expect([one.code, one.out]).toEqual([0, ['STATUS Docker health: 200', 'degraded: qrs down']])
    const broken = await listener({ seesChecks: true, healthy: false })
    const two = await check({ dockerHealthCheck: { enable: true, port: broken.service.port } })
    expect([two.code, two.out[1]]).toEqual([1, 'unhealthy: qrs down'])
  })

  test('says healthy when every part is up', async () => {
    const api = await startHttpSink()
    cleanups.push(api.stop)
    api.answer({ body: '{"status":"ok","checks":{"rest":"up","mqtt":"off"}}' })
    const { out } = await check({ restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: api.port } })
    expect(out).toEqual(['STATUS Docker health: 200', 'healthy'])
  })

  test('asks the REST API when the health listener is off', async () => {
    const api = await startHttpSink()
    cleanups.push(api.stop)
    const rest = { enable: true, serverHost: '0.0.0.0', serverPort: api.port }
    expect((await check({ restServerConfig: rest })).code).toBe(0)
    expect(api.requests.map(({ url }) => url)).toEqual(['/health'])
  })

  test('asks the configuration page when there is nothing else', async () => {
    const page = await startHttpSink()
    cleanups.push(page.stop)
    const configVisualisation = { enable: true, host: '127.0.0.1', port: page.port }
    expect((await check({ configVisualisation })).code).toBe(0)
    expect(page.requests.map(({ url }) => url)).toEqual(['/'])
  })

  test('is 1 when a vital part is down', async () => {
    const { service } = await listener({ healthy: false })
    const { code, out, err } = await check({ dockerHealthCheck: { enable: true, port: service.port } })
    expect([code, out]).toEqual([1, ['STATUS Docker health: 503']])
    expect(err[0]).toContain('"status":"ko"')
  })

  test('is 1 when nobody answers', async () => {
    const port = await freeTcpPort()
    const { code, err } = await check({ dockerHealthCheck: { enable: true, port } })
    expect(code).toBe(1)
    expect(err[0]).toStartWith(`ERROR Docker health: http://localhost:${port}/health: localhost:${port} refused`)
  })

  test('is 1 when there is nobody to ask, and says what to do', async () => {
    const { code, err } = await check({})
    expect(code).toBe(1)
    expect(err).toEqual(['ERROR Docker health: nothing to ask: set Butler.dockerHealthCheck.enable to true'])
  })

  test('is 1 when the configuration cannot be read', async () => {
    const io = { out: () => {}, err: () => {} }
    const code = await withFolder({}, (cwd) => runHealthcheck({ configfile: 'no.yaml' }, io, { env: {}, cwd }))
    expect(code).toBe(1)
  })
})
