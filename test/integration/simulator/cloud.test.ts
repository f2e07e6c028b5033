/** The about service and the Qlik Cloud tenant of the simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { request } from 'node:https'
import { createAboutListener } from '../../../simulator/about.ts'
import { type CloudListener, createCloudListener } from '../../../simulator/cloud/listener.ts'
import { CLOUD_APP } from '../../../simulator/cloud/tenant.ts'
import type { Listener } from '../../../simulator/types.ts'
import { createTestSite, type TestSite } from '../../support/simulated-engine.ts'
import { startSite } from '../../support/simulator.ts'

const FAILED = '65f1a2b3c4d5e6f708192a3b'
const CANCELED = '65f1a2b3c4d5e6f708192a3c'
const EXCEEDED = '65f1a2b3c4d5e6f708192a3d'
const SUCCEEDED = '65f1a2b3c4d5e6f708192a3a'
const TENANT = 'KyYpXz1tTenantIdxxxxxxxxxxxxxxx'
const ANNA = '65aa00bb11cc22dd33ee44ff'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at in every direction
  readonly body: any
}

let site: TestSite
let about: Listener
let cloud: CloudListener

beforeAll(async () => {
  site = await createTestSite()
  about = createAboutListener(site.deps, { port: 0 })
  cloud = createCloudListener(site.deps, { port: 0, token: 'secret', requestsPerMinute: 100 })
  await about.start()
  await cloud.start()
})
afterAll(async () => {
  await about.stop()
  await cloud.stop()
  site.remove()
})

function https(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: unknown; certificate?: boolean } = {},
) {
  const { client, ca } = site.tls
  const certificate = options.certificate ? { cert: client.cert.pem, key: client.key.pem } : {}
  return new Promise<Answer>((resolve, reject) => {
    const { method = 'GET', headers } = options
    const call = request({ host: 'localhost', port, path, method, headers, ca: ca.pem, ...certificate }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const isJson = String(response.headers['content-type']).includes('json')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: isJson ? JSON.parse(text) : null,
        })
      })
    })
    call.on('error', reject)
    call.end(options.body === undefined ? undefined : JSON.stringify(options.body))
  })
}

const api = (path: string, options: { method?: string; body?: unknown; token?: string } = {}) =>
  https(cloud.port, `/api/v1/${path}`, {
    ...options,
    headers: { authorization: `Bearer ${options.token ?? 'secret'}` },
  })

describe('about service', () => {
  test('tells the version to who has a certificate', async () => {
    const { status, body } = await https(about.port, '/v1/systeminfo', { certificate: true })
    expect(status).toBe(200)
    expect(body).toEqual({
      contentHash: 'aeec25c5394920d0f5f4d6',
      senseId: 'qliksenseserver:14.187.6',
      originalClassName: 'Composition',
      version: '14.187.6',
      deploymentType: 'QlikSenseServer',
      releaseLabel: 'May 2024 Patch 4',
      deprecatedProductVersion: '4.0.X',
      productName: 'Qlik Sense',
      copyrightYearRange: '1993-2024',
    })
    expect((await https(about.port, '/v1/other', { certificate: true })).status).toBe(404)
    expect((await https(about.port, '/v1/systeminfo', { certificate: true, method: 'POST' })).status).toBe(405)
    await expect(https(about.port, '/v1/systeminfo')).rejects.toThrow()
  })
})

describe('cloud REST API', () => {
  test('lets nobody in without the token', async () => {
    expect((await https(cloud.port, `/api/v1/reloads/${FAILED}`)).status).toBe(401)
    const { status, body } = await api(`reloads/${FAILED}`, { token: 'wrong' })
    expect(status).toBe(401)
    expect(body).toEqual({ errors: [{ code: 'AUTH-1', title: 'Unauthorized' }] })
  })

  test('reloads of every final status', async () => {
    const { status, body } = await api(`reloads/${FAILED}`)
    expect(status).toBe(200)
    expect(body).toEqual({
      id: FAILED,
      appId: CLOUD_APP(1),
      tenantId: TENANT,
      userId: ANNA,
      type: 'chronos',
      status: 'FAILED',
      partial: false,
      weight: 1,
      log: 'Started loading data\nOrders << orders 125,331 lines fetched\nThe following error occurred:\nCannot open file\n',
      errorCode: 'EngineConnectorError',
      errorMessage: 'Reload failed',
      creationTime: '2026-03-02T05:45:00.000Z',
      startTime: '2026-03-02T05:45:00.900Z',
      endTime: '2026-03-02T05:45:44.412Z',
      links: { self: { href: `https://acme.eu.qlikcloud.com/api/v1/reloads/${FAILED}` } },
    })
    const statuses = await Promise.all(
      [SUCCEEDED, CANCELED, EXCEEDED].map(async (id) => (await api(`reloads/${id}`)).body),
    )
    expect(statuses.map(({ status, type }) => [status, type])).toEqual([
      ['SUCCEEDED', 'hub'],
      ['CANCELED', 'external'],
      ['EXCEEDED_LIMIT', 'data-refresh'],
    ])
    expect((await api('reloads/none')).body.errors[0]).toMatchObject({ code: 'RELOADS-007', title: 'Not found' })
    const filter = encodeURIComponent('status eq "FAILED"')
    const { data } = (await api(`reloads?appId=${CLOUD_APP(1)}&filter=${filter}&limit=100&log=false`)).body
    expect(data.map((one: { id: string; log?: string }) => [one.id, one.log])).toEqual([[FAILED, undefined]])
    expect((await api('reloads?filter=nonsense')).status).toBe(400)
  })

  test('script log, app, metadata, items, user', async () => {
    const log = await api(`apps/${CLOUD_APP(1)}/reloads/logs/${FAILED}`)
    expect(log.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(log.text).toContain('Error: Cannot open file\r\n')
    expect((await api(`apps/${CLOUD_APP(2)}/reloads/logs/${FAILED}`)).status).toBe(404)
    expect((await api(`apps/${CLOUD_APP(1)}`)).body.attributes).toMatchObject({
      name: 'Cloud Sales',
      ownerId: ANNA,
      published: false,
      publishTime: '',
      hasSectionAccess: false,
    })
    expect((await api(`apps/${CLOUD_APP(1)}/data/metadata`)).body.tables[0]).toMatchObject({
      name: 'Orders',
      no_of_rows: 125_331,
    })
    const items = async (number: number) =>
      (await api(`items?resourceType=app&resourceId=${CLOUD_APP(number)}&noActions=true&limit=100`)).body.data
    const [sales] = await items(1)
    expect(sales).toMatchObject({
      resourceId: CLOUD_APP(1),
      resourceSize: { appFile: 1_048_576 },
      resourceReloadStatus: 'FAILED',
    })
    expect(sales.meta.tags[0].name).toBe('Butler alert')
    expect((await items(2))[0].meta.tags).toEqual([])
    expect(await items(3)).toHaveLength(2)
    expect((await api(`users/${ANNA}`)).body).toMatchObject({ name: 'Anna Andersson', email: 'anna@acme.example' })
    expect((await api('users/none')).status).toBe(404)
    expect((await api('unknown')).status).toBe(404)
  })

  test('starts and cancels reloads by the clock', async () => {
    const started = await api('reloads', { method: 'POST', body: { appId: CLOUD_APP(2), partial: true } })
    expect(started.status).toBe(201)
    expect(started.body).toMatchObject({ status: 'QUEUED', partial: true })
    expect(started.body.endTime).toBeUndefined()
    const status = async () => (await api(`reloads/${started.body.id}`)).body.status
    site.clock.advance(600)
    expect(await status()).toBe('RELOADING')
    site.clock.advance(2_000)
    expect(await status()).toBe('SUCCEEDED')
    expect((await api(`reloads/${started.body.id}/actions/cancel`, { method: 'POST' })).status).toBe(409)
    const second = (await api('reloads', { method: 'POST', body: { appId: CLOUD_APP(2) } })).body
    expect((await api(`reloads/${second.id}/actions/cancel`, { method: 'POST' })).status).toBe(202)
    site.clock.advance(5_000)
    expect((await api(`reloads/${second.id}`)).body.status).toBe('CANCELED')
    expect((await api('reloads', { method: 'POST', body: {} })).status).toBe(400)
    expect((await api('reloads', { method: 'POST', body: { appId: 'x' } })).status).toBe(403)
  })

  test('too many requests a minute', async () => {
    site.clock.advance(60_000)
    const answers = await Promise.all(Array.from({ length: 105 }, () => api(`users/${ANNA}`)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(5)
    expect(refused[0]?.headers['retry-after']).toBe('60')
    site.clock.advance(60_000)
    expect((await api(`users/${ANNA}`)).status).toBe(200)
  })
})

describe('cloud events', () => {
  const data = {
    name: 'Cloud Sales',
    reloadId: FAILED,
    status: 'error',
    duration: 43_512,
    endedWithMemoryConstraint: false,
    errors: ['Cannot open file'],
    warnings: [],
    isDirectQueryMode: false,
    isPartialReload: false,
    isSessionApp: false,
    isSkipStore: false,
    peakMemoryBytes: 73_400_320,
    rowLimit: -1,
    size: { memory: 5_242_880 },
    statements: [],
    usage: 'ANALYTICS',
  }
  const legacy = {
    cloudEventsVersion: '0.1',
    source: 'com.qlik/engine',
    contentType: 'application/json',
    eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    eventTime: '2026-03-02T05:45:44Z',
    eventTypeVersion: '1.0.0',
    eventType: 'com.qlik.v1.app.reload.finished',
    extensions: {
      ownerId: ANNA,
      tenantId: TENANT,
      userId: ANNA,
      spaceId: '65cc0000aaaabbbbccccddd1',
      topLevelResourceId: CLOUD_APP(1),
    },
  }
  const cloudEvent = {
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    specversion: '1.0',
    type: 'com.qlik.v1.app.reload.finished',
    source: 'com.qlik/engine',
    time: '2026-03-02T05:45:44Z',
    datacontenttype: 'application/json',
    tenantid: TENANT,
    userid: ANNA,
    ownerid: ANNA,
    spaceid: '65cc0000aaaabbbbccccddd1',
    toplevelresourceid: CLOUD_APP(1),
  }
  const ended = { ...data, endTime: '2026-03-02T05:45:44Z' }

  test('the envelopes of the engine event', () => {
    expect(cloud.event(FAILED, '0.1')).toEqual({ ...legacy, data })
    expect(cloud.event(FAILED, '1.0')).toEqual({ ...cloudEvent, data: ended })
    expect(cloud.event(FAILED, 'hybrid')).toEqual({ ...legacy, ...cloudEvent, data: ended })
  })

  test('the event of the reload service', () => {
    expect(cloud.event(FAILED, 'reload')).toEqual({
      ...cloudEvent,
      type: 'com.qlik.v1.reload.finished',
      source: 'com.qlik/reloads',
      data: {
        id: FAILED,
        appId: CLOUD_APP(1),
        tenantId: TENANT,
        userId: ANNA,
        type: 'chronos',
        status: 'FAILED',
        succeeded: false,
        partial: false,
        errorCode: 'EngineConnectorError',
        errorMessage: 'Reload failed',
        creationTime: '2026-03-02T05:45:00.000Z',
        startTime: '2026-03-02T05:45:00.900Z',
        endTime: '2026-03-02T05:45:44.412Z',
        durationSeconds: 44,
        taskId: '',
      },
    })
    expect(cloud.event(SUCCEEDED, '0.1')).toMatchObject({ data: { status: 'ok' } })
    expect(cloud.event(EXCEEDED, '1.0')).toMatchObject({ data: { status: 'error', endedWithMemoryConstraint: true } })
    expect(() => cloud.event('none', '0.1')).toThrow('has no reload none')
  })
})

describe('as part of the site', () => {
  test('every listener has a port, the control API makes events', async () => {
    await using whole = await startSite({ cloud: { tls: false } })
    const { ports } = whole.simulator
    expect(Object.values(ports).every((port) => port > 0)).toBe(true)
    const plain = await fetch(`http://127.0.0.1:${ports.cloud}/api/v1/users/${ANNA}`, {
      headers: { authorization: 'Bearer any' },
    })
    expect(plain.status).toBe(200)
    const event = (body: unknown) =>
      fetch(`http://127.0.0.1:${ports.control}/_sim/cloud/event`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect(await (await event({ reloadId: FAILED })).json()).toMatchObject({ cloudEventsVersion: '0.1' })
    expect(await (await event({ reloadId: FAILED, envelope: 'hybrid' })).json()).toMatchObject({ specversion: '1.0' })
    expect((await event({ reloadId: FAILED, envelope: '2.0' })).status).toBe(400)
    expect((await event({ reloadId: 'none' })).status).toBe(400)
  })
})
