import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { TestSite } from '../../support/simulator.ts'
import { startApps, startAppsSite, type TestApps } from './support.ts'

let site: TestSite
let apps: TestApps

beforeAll(async () => {
  site = await startAppsSite()
  apps = await startApps(site)
})
afterEach(() => site.simulator.reset())
afterAll(async () => {
  await apps?.stop()
  await site?.[Symbol.asyncDispose]()
})

describe('the list of apps', () => {
  for (const path of ['/v4/apps/list', '/v4/senselistapps']) {
    test(`GET ${path} answers id and name in the engine's order`, async () => {
      const answer = await apps.get(path)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      const list = JSON.parse(answer.body) as { id: string; name: string }[]
      expect(answer.body).toStartWith(
        '[{"id":"a1000000-0000-4000-8000-000000000001","name":"Sales ETL"},' +
          '{"id":"a1000000-0000-4000-8000-000000000002","name":"Sales Dashboard"},',
      )
      expect(list.map(({ id }) => id)).toEqual([...site.simulator.site.apps.keys()])
    })
  }

  test('holds only the apps that the configured user may see', async () => {
    const carla = await startApps(site, {
      engine: { headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=LAB;UserId=carla' }] },
    })
    const seen = JSON.parse((await carla.get('/v4/apps/list')).body) as unknown[]
    const all = JSON.parse((await apps.get('/v4/apps/list')).body) as unknown[]
    await carla.stop()
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.length).toBeLessThan(all.length)
  })

  test('connects with the client certificate of the site, to the path of old', async () => {
    await apps.get('/v4/apps/list')
    const [request] = site.simulator.requests({ listener: 'engine' })
    expect(request?.clientSubject).toBe('CN=QlikClient')
    expect(request?.path).toBe('/')
    expect(request?.headers['x-qlik-user']).toBe('UserDirectory=Internal;UserId=sa_repository')
  })

  test('is not there when its switch is off', async () => {
    const off = await startApps(site, { switches: { senseListApps: false } })
    const answer = await off.get('/v4/apps/list?x=1')
    await off.stop()
    expect(answer.status).toBe(404)
    expect(answer.body).toBe('{"message":"Route GET:/v4/apps/list?x=1 not found","error":"Not Found","statusCode":404}')
  })
})

describe('without an engine the list answers', () => {
  const failures = [
    { name: '502 when the port is closed', mode: 'refuse', status: 502, error: 'Bad Gateway' },
    { name: '502 when the handshake is refused', mode: 'status', args: [503], status: 502, error: 'Bad Gateway' },
    { name: '502 when a login page answers', mode: 'html', status: 502, error: 'Bad Gateway' },
    { name: '502 when the connection is reset', mode: 'reset', status: 502, error: 'Bad Gateway' },
    { name: '502 when the session is refused', mode: 'session-limit', status: 502, error: 'Bad Gateway' },
    { name: '502 when the call is rejected', mode: 'engine-error', args: [5], status: 502, error: 'Bad Gateway' },
    { name: '502 when the certificate has ended', mode: 'tls-expired', status: 502, error: 'Bad Gateway' },
    { name: '502 when another authority signed it', mode: 'tls-unknown-ca', status: 502, error: 'Bad Gateway' },
    { name: '504 when it accepts and stays silent', mode: 'hang', status: 504, error: 'Gateway Timeout' },
  ] as const
  for (const { name, mode, status, error, ...more } of failures) {
    test(name, async () => {
      const impatient = await startApps(site, { engine: { connectTimeoutMs: mode === 'hang' ? 500 : 10_000 } })
      const args = 'args' in more ? [...more.args] : []
      site.simulator.fault({ listener: 'engine', mode, args })
      const answer = await untilFaulty(impatient)
      await impatient.stop()
      expect(answer.status).toBe(status)
      expect(JSON.parse(answer.body)).toEqual({
        statusCode: status,
        error,
        message: 'Failed getting list of Sense apps',
        details: expect.stringMatching(/^engine 127\.0\.0\.1:\d+/),
      })
      expect(Object.keys(JSON.parse(answer.body))).toEqual(['statusCode', 'error', 'message', 'details'])
      site.simulator.clearFaults()
    })
  }
})

/** Faults of the port itself take a moment until they act. */
async function untilFaulty(one: TestApps) {
  for (;;) {
    const answer = await one.get('/v4/apps/list')
    if (answer.status !== 200) return answer
  }
}
