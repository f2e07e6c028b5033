import { afterEach, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { loadCertificates } from '../../../simulator/certificates.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { rawHttp } from '../../support/raw-http.ts'
import { tempDirectory } from '../../support/temp.ts'
import { type ApiOptions, makeApi } from './support.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function started(options: ApiOptions = {}) {
  const made = makeApi(options)
  cleanups.push(() => made.api.stop(500))
  await made.api.start()
  return { ...made, get: (path: string, headers = {}) => rawHttp(made.api.port, { path, headers }) }
}

const api = (rateLimitPerMinute: number) => ({ api: { rateLimitPerMinute, trustedProxies: [] } })

describe('rate limit', () => {
  test('headers count down, then 429 until the window ends', async () => {
    let now = 1_000_000
    const { get, log } = await started({ settings: api(2), now: () => now })
    const limits = async () => {
      const { status, headers } = await get('/v4/butlerping')
      return [status, headers['x-ratelimit-limit'], headers['x-ratelimit-remaining'], headers['x-ratelimit-reset']]
    }
    expect(await limits()).toEqual([200, '2', '1', '60'])
    now += 500
    expect(await limits()).toEqual([200, '2', '0', '60'])
    now += 500
    const refused = await get('/v4/butlerping')
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toBe('59')
    expect(refused.body).toBe(
      '{"statusCode":429,"error":"Too Many Requests","message":"Rate limit exceeded, retry in 59 seconds"}',
    )
    expect(log.of('warn')).toEqual([
      'API: Rate limit exceeded for source IP address 127.0.0.1. Method=GET, endpoint=/v4/butlerping',
    ])
    now += 59_000
    expect(await limits()).toEqual([200, '2', '1', '60'])
  })

  test('a whole minute is called a minute', async () => {
    const { get } = await started({ settings: api(1), now: () => 0 })
    await get('/v4/butlerping')
    expect((await get('/v4/butlerping')).body).toContain('retry in 1 minute"')
  })

  test('unknown routes and health do not count, refused bodies do', async () => {
    const { api: server, get } = await started({ settings: api(3), now: () => 0 })
    await get('/v4/nope')
    await get('/health')
    const bad = await rawHttp(server.port, { method: 'PUT', path: '/v4/copy' })
    expect(bad.headers['x-ratelimit-remaining']).toBe('2')
    expect((await get('/v4/nope')).headers['x-ratelimit-limit']).toBeUndefined()
  })

  test('0 = no limit, no headers; the option wins', async () => {
    const { get, log } = await started({ settings: { ...api(1), rateLimitOption: 0 } })
    for (let n = 0; n < 5; n++) expect((await get('/v4/butlerping')).status).toBe(200)
    expect((await get('/v4/butlerping')).headers['x-ratelimit-limit']).toBeUndefined()
    expect(log.of('info')).toContain('API rate limit    : none')
    const limited = await started({ settings: { rateLimitOption: 200 } })
    expect((await limited.get('/v4/butlerping')).headers['x-ratelimit-limit']).toBe('200')
    expect(limited.log.of('info')).toContain('API rate limit    : 200 calls per minute')
  })

  test('counts per client behind a trusted proxy, and ignores the header from anyone else', async () => {
    const trusted = { api: { rateLimitPerMinute: 1, trustedProxies: ['127.0.0.0/8'] } }
    const { get, log } = await started({ settings: trusted, now: () => 0 })
    const from = async (client: string) => (await get('/v4/butlerping', { 'X-Forwarded-For': client })).status
    expect([await from('10.0.0.1'), await from('10.0.0.2'), await from('10.0.0.1')]).toEqual([200, 200, 429])
    expect(await from('10.9.9.9, 10.0.0.1')).toBe(429)
    expect(log.of('info')).toContain('/v4/butlerping called from 10.0.0.2')
    const open = await started({ settings: api(1), now: () => 0 })
    expect((await open.get('/v4/butlerping', { 'X-Forwarded-For': '10.0.0.1' })).status).toBe(200)
    expect((await open.get('/v4/butlerping', { 'X-Forwarded-For': '10.0.0.2' })).status).toBe(429)
  })
})

describe('switches', () => {
  test('a disabled endpoint does not exist and costs no rate-limit count', async () => {
    const switches = { butlerping: false, apiListEnabledEndpoints: true, sample: false, group: { inner: false } }
    const { get } = await started({ switches })
    for (const path of ['/v4/butlerping', '/v4/values/ns', '/v4/values/all']) {
      const answer = await get(path)
      expect(answer.body).toBe(`{"message":"Route GET:${path} not found","error":"Not Found","statusCode":404}`)
      expect(answer.headers['x-ratelimit-limit']).toBeUndefined()
    }
    expect((await get('/v4/configfile/endpointsenabled')).body).toBe('["apiListEnabledEndpoints"]')
  })

  test('the list is logged at the start, indented', async () => {
    const { log } = await started({ switches: { butlerping: true, group: { inner: true } } })
    expect(log.of('info')).toContain('Enabled API endpoints: ["butlerping","inner"]')
  })

  test('a missing switch is off', async () => {
    const { get } = await started({ switches: {} })
    expect((await get('/v4/butlerping')).status).toBe(404)
    expect((await get('/health')).status).toBe(200)
  })
})

describe('health', () => {
  test('200 or 503, checks for local callers only', async () => {
    let healthy = true
    const health = () => ({ healthy, checks: { udp: 'up', qrs: 'down' } as const })
    const { get } = await started({ health })
    const remote = { 'X-Forwarded-For': '10.0.0.1' }
    expect(JSON.parse((await get('/health')).body)).toEqual({
      statusCode: 200,
      status: 'ok',
      checks: { udp: 'up', qrs: 'down' },
      footman: { version: expect.any(String), configuration: null },
    })
    expect((await get('/health', remote)).body).toBe('{"statusCode":200,"status":"ok"}')
    expect((await get('/health', { Origin: 'https://evil.example' })).status).toBe(403)
    healthy = false
    const down = await get('/health', remote)
    expect(down.status).toBe(503)
    expect(down.body).toBe('{"statusCode":503,"status":"ko"}')
    expect((await get('/health/live')).status).toBe(200)
  })
})

describe('CORS', () => {
  const cors = { api: { rateLimitPerMinute: 0, trustedProxies: [], cors: { origins: ['https://qs.acme.example'] } } }
  const preflight = (port: number, origin: string) =>
    rawHttp(port, {
      method: 'OPTIONS',
      path: '/v4/copy',
      headers: { Origin: origin, 'Access-Control-Request-Method': 'PUT' },
    })

  test('off by default: no headers, foreign pages are refused, OPTIONS is unknown', async () => {
    const { api: server, get } = await started()
    expect((await preflight(server.port, 'https://qs.acme.example')).status).toBe(403)
    expect((await preflight(server.port, 'http://127.0.0.1')).status).toBe(404)
    const { headers } = await get('/v4/butlerping', { Origin: 'https://qs.acme.example' })
    expect(headers['access-control-allow-origin']).toBeUndefined()
    expect(headers.vary).toBeUndefined()
  })

  test('a listed origin may ask and read, another may not', async () => {
    const { api: server, get } = await started({ settings: cors })
    const allowed = await preflight(server.port, 'https://qs.acme.example')
    expect(allowed.status).toBe(204)
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://qs.acme.example',
      vary: 'Origin',
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
    })
    expect(allowed.headers['access-control-allow-headers']).toContain('X-HTTP-Method-Override')
    expect(allowed.headers['access-control-allow-credentials']).toBeUndefined()
    const answer = await get('/v4/butlerping', { Origin: 'https://qs.acme.example' })
    expect(answer.headers['access-control-allow-origin']).toBe('https://qs.acme.example')
    expect(answer.headers['access-control-expose-headers']).toContain('X-RateLimit-Limit')
    expect((await preflight(server.port, 'https://evil.example')).status).toBe(403)
    const evil = await get('/v4/butlerping', { Origin: 'https://evil.example' })
    expect(evil.headers['access-control-allow-origin']).toBeUndefined()
    expect(evil.headers.vary).toBe('Origin')
  })
})

describe('starting', () => {
  test('warns when it listens for everybody', async () => {
    const restServerConfig = {
      enable: true,
      // The loopback address in a spelling that the check does not know: the test must not open a port to the network.
      serverHost: '127.1',
      serverPort: 0,
      tls: { enable: false, cert: '', key: '', ca: '' },
    }
    const { api: server, log } = await started({ settings: { restServerConfig } })
    expect(log.of('warn')).toEqual([
      `ACCESS: The REST API listens on 127.1:${server.port} without access control. See Butler.footman.access.`,
    ])
  })

  test('tells where it listens', async () => {
    const { api: server, log } = await started()
    expect(log.of('info')).toContain(`MAIN: REST server listening on http://127.0.0.1:${server.port}`)
    expect(server.server.healthy).toBe(true)
  })

  test('opens nothing when it is disabled', async () => {
    const port = await freeTcpPort()
    const restServerConfig = {
      enable: false,
      serverHost: '127.0.0.1',
      serverPort: port,
      tls: { enable: true, cert: '/nowhere', key: '/nowhere', ca: '' },
    }
    const { log } = await started({ settings: { restServerConfig } })
    expect(log.of('info')).toEqual(['MAIN: Will not set up REST server as it is disabled in the config file.'])
    await expect(rawHttp(port, { path: '/' })).rejects.toThrow()
  })

  test('a taken port is a start error with exit code 2', async () => {
    const first = await started()
    const second = makeApi({ port: first.api.port })
    await expect(second.api.start()).rejects.toMatchObject({
      name: 'StartError',
      exitCode: 2,
      message: expect.stringContaining('already in use'),
    })
    expect(second.api.server.healthy).toBe(false)
  })
})

const PAGES = [
  { name: 'Console', path: '/console/', publicUrl: '' },
  { name: 'Report hub', path: '/hub/', publicUrl: 'https://qs.acme.example/footman/' },
]
test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', 'localhost'],
])('the log of a server on %s names the pages for browsers with host and port', async (serverHost, host) => {
  const { api, log } = await started({ host: serverHost, pages: () => PAGES })
  const origin = `http://${host}:${api.port}`
  expect(log.of('info')).toContain(`MAIN: Console at ${origin}/console/`)
  expect(log.of('info')).toContain(
    `MAIN: Report hub at ${origin}/hub/, for other machines https://qs.acme.example/footman/hub/`,
  )
  const { log: without } = await started()
  expect(without.of('info').join()).not.toContain('Console at')
})

describe('TLS', () => {
  test('serves https only', async () => {
    await using directory = tempDirectory()
    const { ca, server: files } = await loadCertificates(directory.path)
    const { api: server, log } = await started({
      tls: { enable: true, cert: files.cert.path, key: files.key.path, ca: ca.path },
      pages: () => PAGES,
    })
    const status = await new Promise<number | undefined>((resolve, reject) => {
      httpsRequest(`https://127.0.0.1:${server.port}/v4/butlerping`, { ca: ca.pem }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    expect(log.of('info')).toContain(`MAIN: REST server listening on https://127.0.0.1:${server.port}`)
    expect(log.of('info')).toContain(`MAIN: Console at https://127.0.0.1:${server.port}/console/`)
    const expiresAt = Date.parse(new X509Certificate(readFileSync(files.cert.path)).validTo)
    expect(server.server.certificates()).toEqual([{ name: 'rest', expiresAt }])
    const plain = await rawHttp(server.port, { path: '/v4/butlerping' }).catch(() => ({ status: 0 }))
    expect(plain.status).not.toBe(200)
  })

  test.each([
    ['cert', { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem', ca: '' }, '/nowhere/cert.pem'],
    ['key', { cert: import.meta.path, key: '/nowhere/key.pem', ca: '' }, '/nowhere/key.pem'],
    ['CA', { cert: import.meta.path, key: import.meta.path, ca: '/nowhere/ca.pem' }, '/nowhere/ca.pem'],
  ])('an unreadable %s file is a start error', async (what, tls, path) => {
    const { api: server } = makeApi({ tls: { enable: true, ...tls } })
    await expect(server.start()).rejects.toMatchObject({
      name: 'StartError',
      exitCode: 2,
      message: `REST API TLS ${what} file could not be loaded (${path}): ENOENT: no such file or directory, open '${path}'`,
    })
  })
})
