/** Who may read `/metrics`, and what the server counts. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { AccessSettings } from '../../../src/http/auth/build.ts'
import { createApi } from '../../../src/http/server.ts'
import { metricsRoutes } from '../../../src/metrics/prometheus/http.ts'
import { createHttpMetrics } from '../../../src/metrics/prometheus/requests.ts'
import { rawHttp } from '../../support/raw-http.ts'
import { recordingLog } from '../../support/recording-log.ts'

const OPEN: AccessSettings = {
  enable: false,
  keys: [],
  anonymous: { scopes: [] },
  allowFrom: [],
  auditKeyValues: false,
}
const keyOf = (letter: string) => `fm_${letter.repeat(43)}`
const hashOf = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`
const [METRICS, TASKS, OLD] = [keyOf('m'), keyOf('t'), keyOf('o')]
const CLOSED: AccessSettings = {
  ...OPEN,
  enable: true,
  keys: [
    { id: 'prometheus', hash: hashOf(METRICS), scopes: ['metrics:read'] },
    { id: 'erp', hash: hashOf(TASKS), scopes: ['task:run'] },
    { id: 'old', hash: hashOf(OLD), scopes: ['*:*'], expires: '2020-01-01' },
  ],
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function served(access: AccessSettings, allowFrom: readonly string[] = []) {
  const http = createHttpMetrics()
  const api = createApi(
    {
      log: recordingLog(),
      clock: { now: Date.now },
      version: '1.2.3',
      readFile: async () => '',
      routes: metricsRoutes(http.families, { allowFrom }),
      health: () => ({ healthy: true, checks: {} }),
      observer: http.observer,
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '' },
      },
      restServerEndpointsEnable: { butlerping: true },
      api: { rateLimitPerMinute: 6000, trustedProxies: [] },
      access,
      accessLog: false,
    },
  )
  await api.start()
  cleanups.push(() => api.stop(500))
  const get = (headers: Readonly<Record<string, string>> = {}, path = '/metrics') =>
    rawHttp(api.port, { path, headers })
  return { get, port: api.port }
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

describe('without access control', () => {
  test('only callers on this machine read them', async () => {
    const { get } = await served(OPEN)
    expect((await get()).status).toBe(200)
    expect((await get({ 'X-Forwarded-For': '10.1.2.3' })).status).toBe(403)
    expect((await get({ Host: 'evil.example' })).status).toBe(403)
  })

  test('addresses of allowFrom read them wherever they are', async () => {
    const { get } = await served(OPEN, ['127.0.0.0/8'])
    expect((await get({ 'X-Forwarded-For': '10.1.2.3' })).status).toBe(200)
  })
})

describe('with access control', () => {
  test('the scope decides, and every refusal is counted by its reason', async () => {
    const { get } = await served(CLOSED)
    expect((await get()).status).toBe(401)
    expect((await get(bearer(keyOf('x')))).status).toBe(401)
    expect((await get(bearer(OLD))).status).toBe(401)
    expect((await get(bearer(TASKS))).status).toBe(403)
    const { status, headers, body } = await get(bearer(METRICS))
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(body.split('\n').filter((line) => line.startsWith('footman_auth_failures_total'))).toEqual([
      'footman_auth_failures_total{reason="missing"} 1',
      'footman_auth_failures_total{reason="invalid"} 1',
      'footman_auth_failures_total{reason="expired"} 1',
      'footman_auth_failures_total{reason="scope"} 1',
      'footman_auth_failures_total{reason="address"} 0',
      'footman_auth_failures_total{reason="browser"} 0',
    ])
    expect(body).not.toContain('fm_')
  })

  test('an address that may not call is counted', async () => {
    const { get } = await served({ ...CLOSED, allowFrom: ['10.0.0.0/8'] }, ['127.0.0.1/32'])
    expect((await get()).status).toBe(403)
  })

  test('addresses of allowFrom need no credentials, but wrong ones are wrong', async () => {
    const { get } = await served(CLOSED, ['127.0.0.1/32'])
    expect((await get()).status).toBe(200)
    expect((await get(bearer(keyOf('x')))).status).toBe(401)
  })
})

test('what is answered is counted by endpoint, unknown paths together, HEAD apart', async () => {
  const { get, port } = await served(OPEN)
  await get({}, '/v4/butlerping')
  await get({}, '/v4/butlerping?x=1')
  await get({}, '/v4/nope')
  await get({}, '/v4/keyvalues/%zz')
  await rawHttp(port, { method: 'HEAD', path: '/v4/butlerping' })
  const { body, headers } = await get({ Accept: 'application/openmetrics-text' })
  expect(headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(body.split('\n').filter((line) => line.startsWith('footman_http_requests_total'))).toEqual([
    'footman_http_requests_total{method="GET",route="/v4/butlerping",status="200"} 2',
    'footman_http_requests_total{method="HEAD",route="/v4/butlerping",status="200"} 1',
    'footman_http_requests_total{method="GET",route="none",status="404"} 1',
    'footman_http_requests_total{method="GET",route="none",status="400"} 1',
  ])
  expect(body).toEndWith('# EOF\n')
})
