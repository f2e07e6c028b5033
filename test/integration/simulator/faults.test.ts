import { describe, expect, test } from 'bun:test'
import { get } from 'node:https'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const status = async (site: TestSite) => (await site.qrs('GET', 'about')).status
const failure = (site: TestSite, call = {}) =>
  site.qrs('GET', 'about', call).then(
    (answer) => `status ${answer.status}`,
    (error: Error & { code?: string }) => error.code ?? error.message,
  )

describe('faults of one exchange', () => {
  test.each([
    [{ mode: 'status', args: [401] }, 401, /^<!DOCTYPE html>/],
    [{ mode: 'status', args: [302] }, 302, /html/],
    [{ mode: 'status', args: [403] }, 403, /^$/],
    [{ mode: 'status', args: [404] }, 404, /^$/],
    [{ mode: 'status', args: [409] }, 409, /^Conflict$/],
    [{ mode: 'status', args: [500] }, 500, /^Internal server error$/],
    [{ mode: 'status', args: [502] }, 502, /502 Bad Gateway/],
    [{ mode: 'status', args: [503] }, 503, /^$/],
    [{ mode: 'xrf' }, 403, /^XSRF prevention check failed\. Possible XSRF discovered\.$/],
    [{ mode: 'html' }, 200, /^<!DOCTYPE html>/],
    [{ mode: 'empty' }, 200, /^$/],
    [{ mode: 'truncated-json' }, 200, /^\{"buildVersion"[^}]*$/],
    [{ mode: 'wrong-content-type' }, 200, /"schemaPath":"About"/],
  ] as const)('%j', async (rule, expected, body) => {
    await using site = await startSite()
    site.simulator.fault(rule)
    const answer = await site.qrs('GET', 'about')
    expect(answer.status).toBe(expected)
    expect(answer.text).toMatch(body)
    site.simulator.clearFaults()
    expect(await status(site)).toBe(200)
  })

  test('429 says when to come back', async () => {
    await using site = await startSite()
    site.simulator.fault({ mode: 'status', args: [429, 7] })
    expect((await site.qrs('GET', 'about')).headers['retry-after']).toBe('7')
  })

  test('a wrong content type, a cut list', async () => {
    await using site = await startSite()
    site.simulator.fault({ mode: 'wrong-content-type', times: 1 })
    expect((await site.qrs('GET', 'about')).headers['content-type']).toBe('application/octet-stream')
    site.simulator.fault({ mode: 'list-truncated', args: [3] })
    expect((await site.qrs('GET', 'app')).json<unknown[]>()).toHaveLength(3)
  })

  test('latency, hanging, reset, a dripping body', async () => {
    await using site = await startSite()
    site.simulator.fault({ mode: 'latency', args: [150, 200], times: 1 })
    const started = performance.now()
    expect(await status(site)).toBe(200)
    expect(performance.now() - started).toBeGreaterThan(140)
    site.simulator.fault({ mode: 'hang', times: 1 })
    expect(await failure(site, { timeoutMs: 100 })).toBe('timed out')
    site.simulator.fault({ mode: 'reset', times: 1 })
    expect(await failure(site)).toBe('ECONNRESET')
    site.simulator.fault({ mode: 'slow-body', args: [200], times: 1 })
    const dripping = performance.now()
    expect((await site.qrs('GET', 'about')).json()).toMatchObject({ schemaPath: 'About' })
    expect(performance.now() - dripping).toBeGreaterThan(900)
  })

  test('strike as often, where and as long as they should', async () => {
    await using site = await startSite()
    const { simulator } = site
    simulator.fault({ listener: 'qrs', match: '^/qrs/task', mode: 'status', args: [503], times: 2 })
    expect((await site.qrs('GET', 'task')).status).toBe(503)
    expect((await site.qrs('GET', 'app')).status).toBe(200)
    expect((await site.qrs('GET', 'task', { plain: true })).status).toBe(200)
    expect((await site.qrs('GET', 'task')).status).toBe(503)
    expect((await site.qrs('GET', 'task')).status).toBe(200)
    simulator.fault({ mode: 'status', args: [500], seconds: 0.2 })
    expect(await status(site)).toBe(500)
    await until(async () => (await status(site)) === 200)
  })

  test('an unknown mode is refused', async () => {
    await using site = await startSite()
    expect(() => site.simulator.fault({ mode: 'nonsense' })).toThrow('Unknown fault mode "nonsense"; known: latency')
  })
})

describe('faults of a whole port', () => {
  test.each([
    ['refuse', 'ECONNREFUSED'],
    ['tls-expired', 'CERT_HAS_EXPIRED'],
    ['tls-unknown-ca', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['tls-require-client-cert', 'ECONNRESET'],
  ])('%s: %s', async (mode, expected) => {
    await using site = await startSite()
    const { qrs } = site.simulator.ports
    expect(await failure(site)).toBe('status 200')
    site.simulator.fault({ listener: 'qrs', mode })
    await until(async () => (await failure(site)) === expected, { state: () => failure(site) })
    expect((await site.qrs('GET', 'about', { plain: true })).status).toBe(200)
    site.simulator.clearFaults()
    await until(async () => (await failure(site)) === 'status 200')
    expect(site.simulator.ports.qrs).toBe(qrs)
  })

  test('a restart closes what is open, answers 503 for a while and keeps its state', async () => {
    await using site = await startSite()
    const { simulator } = site
    simulator.setTask('Never ran', { name: 'Kept' })
    expect(await failure(site)).toBe('status 200')
    simulator.fault({ listener: 'qrs', mode: 'restart', seconds: 0.5 })
    await until(async () => (await failure(site)) === 'status 503')
    await until(async () => (await failure(site)) === 'status 200')
    expect((await site.qrs('GET', 'task', { filter: "name eq 'Kept'" })).json<unknown[]>()).toHaveLength(1)
    expect(new Set(simulator.requests({ listener: 'qrs' }).map((entry) => entry.connection)).size).toBeGreaterThan(1)
  })

  test('as the port of the proxy it asks for no certificate and leads to the login page', async () => {
    await using site = await startSite()
    site.simulator.fault({ listener: 'qrs', mode: 'proxy' })
    await until(async () => (await failure(site)) === 'status 302')
    expect((await site.qrs('GET', 'about')).headers.location).toBe('/internal_forms_authentication/')
    const { ca } = site.simulator.certificates.pem
    const options = { host: '127.0.0.1', port: site.simulator.ports.qrs, path: '/qrs/about', ca: ca.pem }
    const answered = await new Promise((resolve, reject) => {
      get(options, (response) => resolve(response.resume().statusCode)).on('error', reject)
    })
    expect(answered).toBe(302)
    site.simulator.clearFaults()
    await until(async () => (await failure(site)) === 'status 200')
  })

  test('the answers tell the time of the site', async () => {
    await using site = await startSite()
    site.simulator.advance(600_000)
    const date = Date.parse(String((await site.qrs('GET', 'about')).headers.date))
    expect(Math.abs(date - site.simulator.clock.now())).toBeLessThan(30_000)
    expect(date - Date.now()).toBeGreaterThan(570_000)
  })

  test('flapping goes up and down', async () => {
    await using site = await startSite()
    site.simulator.fault({ listener: 'qrs', mode: 'flap', args: [0.3, 0.3] })
    await until(async () => (await failure(site)) === 'ECONNREFUSED')
    await until(async () => (await failure(site)) === 'status 200')
    await until(async () => (await failure(site)) === 'ECONNREFUSED')
    site.simulator.clearFaults()
    await until(async () => (await failure(site)) === 'status 200')
  })

  test('failover makes another node central', async () => {
    await using site = await startSite()
    site.simulator.fault({ mode: 'failover' })
    const nodes = (await site.qrs('GET', 'servernodeconfiguration/full')).json<{ name: string; isCentral: boolean }[]>()
    expect(nodes.filter((node) => node.isCentral).map((node) => node.name)).toEqual(['qs-reload1'])
  })
})
