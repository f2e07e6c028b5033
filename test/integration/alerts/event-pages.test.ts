/** What pages about events and destinations ask: counts, script logs, one destination and its test. */
import { afterEach, describe, expect, test } from 'bun:test'
import { destinationRoutes, routesTo } from '../../../src/alerts/history/destinations.ts'
import { replayRoutes } from '../../../src/alerts/history/replay.ts'
import { scriptLogRoutes } from '../../../src/alerts/history/script-log.ts'
import { summaryRoutes } from '../../../src/alerts/history/summaries.ts'
import { createDestinationHealth } from '../../../src/alerts/outbox/destination-health.ts'
import { loadTaskEvent, storeWholeEvent } from '../../../src/events/store.ts'
import { auditMigrations } from '../../../src/http/audit.ts'
import { closeRoutes, type RoutesSetup, startRoutes } from '../../support/alert-routes.ts'
import { fullEvent } from '../../support/alerts.ts'
import { TASK_ID } from '../../support/events.ts'
import { executionResult } from '../../support/fake-qrs.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'

const apis: RoutesApi[] = []
const UNKNOWN = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const DAY = 86_400_000
const LOG = ['Started', "Error: Cannot open file 'sales.qvd'", 'General Script Error', 'Execution Failed']

afterEach(async () => {
  for (const api of apis.splice(0)) await api[Symbol.asyncDispose]()
  await closeRoutes()
})

const SETUP: RoutesSetup = {
  destinations: { mail: 'email', data: 'otlp' },
  start: '2026-03-02T06:30:00Z',
  routes: [
    { name: 'mine', match: { outcome: '*' }, to: ['mail', 'data'], limit: 'none' },
    { name: 'off', enable: false, to: ['mail'] },
  ],
}

async function serve(setup: RoutesSetup = SETUP, qlik: () => Promise<string> = async () => '') {
  const box = startRoutes(setup)
  for (const { sql } of auditMigrations) box.db.exec(sql)
  const health = createDestinationHealth(box.clock)
  const loadEvent = (id: string) => loadTaskEvent(box.db, id)
  const common = { ...box, health, loadEvent, keepMs: 30 * DAY }
  const qrs = { scriptLog: qlik, taskById: async () => null, tasks: async () => [], appById: async () => null }
  const api = await routesApi([
    ...summaryRoutes({ ...common, recording: () => ['data'] }),
    ...scriptLogRoutes({ ...common, qrs, results: { resultsOfExecutions: async () => [] } }),
    ...destinationRoutes({
      ...common,
      nextProbeAt: () => Date.parse('2026-03-02T06:31:00Z'),
      settings: () => ({
        mail: { type: 'webhook', url: 'https://user:secret@hook.example/x', bearerToken: 'very-secret-1' },
      }),
    }),
    ...replayRoutes({
      ...common,
      qrs: { ...qrs, owner: async () => null },
      destination: (_rule, name) => box.destinations.get(name),
      destinationNames: () => ['data'],
      routesTo: (name) => routesTo(box.listed, name),
      storeEvent: storeWholeEvent,
    }),
  ])
  apis.push(api)
  const json = async (method: string, path: string, body?: unknown) => {
    const answer = await api.send(method, path, body)
    return { status: answer.status, body: JSON.parse(answer.body) }
  }
  return { ...box, health, json }
}

describe('GET /v4/events/summary', () => {
  test('counts outcomes in buckets, with the filters of the list', async () => {
    const { fire, move, json } = await serve()
    await fire({ outcome: 'failed' })
    await fire({ outcome: 'success' })
    move(3_600_000)
    await fire({ outcome: 'aborted' })
    await fire({ outcome: 'failed' })
    await fire({ outcome: 'failed' })
    await fire({ outcome: 'neverStarted' })
    const all = await json('GET', '/v4/events/summary')
    const bucket = { success: 0, failed: 0, aborted: 0, other: 0 }
    expect(all.body).toEqual({
      buckets: [
        { ...bucket, at: '2026-03-02T06:00:00.000Z', failed: 1, success: 1 },
        { ...bucket, at: '2026-03-02T07:00:00.000Z', failed: 2, aborted: 1, other: 1 },
      ],
      partial: false,
    })
    const failed = await json('GET', '/v4/events/summary?bucket=1d&outcome=failed&from=2026-03-02T07:00:00Z')
    expect(failed.body.buckets).toEqual([{ ...bucket, at: '2026-03-02T00:00:00.000Z', failed: 2 }])
    expect((await json('GET', '/v4/events/summary?to=2026-03-02T06:00:00Z')).body.buckets).toEqual([])
    expect((await json('GET', '/v4/events/summary?bucket=5m&from=90d')).status).toBe(400)
    expect((await json('GET', '/v4/events/summary?bucket=2m')).status).toBe(400)
  })
})

describe('GET /v4/deliveries/summary', () => {
  test('counts states, reasons and destinations', async () => {
    const { fire, move, json, db } = await serve({
      ...SETUP,
      routes: [{ name: 'mine', to: ['mail', 'data'], limit: '1/1h' }],
    })
    await fire()
    move(60_000)
    await fire()
    db.run(`UPDATE delivery SET state = 'dead', reason = 'REJECTED' WHERE destination = 'mail' AND state = 'pending'`)
    db.run(`UPDATE delivery SET state = 'delivered' WHERE state = 'pending'`)
    const { body } = await json('GET', '/v4/deliveries/summary')
    expect(body).toEqual({
      states: { pending: 0, sending: 0, delivered: 1, suppressed: 2, dead: 1 },
      reasons: { RATE_LIMITED: 2, REJECTED: 1 },
      destinations: [
        { name: 'data', delivered: 1, suppressed: 1, dead: 0, oldestDead: null },
        { name: 'mail', delivered: 0, suppressed: 1, dead: 1, oldestDead: '2026-03-02T06:30:00.000Z' },
      ],
      partial: false,
    })
    const dead = await json('GET', `/v4/deliveries/summary?state=dead&taskId=${TASK_ID}`)
    expect(dead.body.destinations.map(({ name }: { name: string }) => name)).toEqual(['mail'])
    expect((await json('GET', '/v4/deliveries/summary?taskId=x')).body.reasons).toEqual({})
  })
})

describe('GET /v4/events/{id}/scriptlog', () => {
  const stored = async (box: Awaited<ReturnType<typeof serve>>, changes: object) => {
    const event = { ...fullEvent(), id: UNKNOWN, ...changes }
    await box.writer.write((tx) => storeWholeEvent(tx, event))
    return `/v4/events/${event.id}/scriptlog`
  }

  test('gives a part of the log that was kept, with the numbers of its error lines', async () => {
    const box = await serve()
    const path = await stored(box, { scriptLog: { lines: LOG, characters: 90 } })
    expect((await box.json('GET', `${path}?from=2&limit=2`)).body).toEqual({
      source: 'stored',
      lines: 4,
      from: 2,
      text: LOG.slice(1, 3),
      errorLines: [2, 3],
      errorText: LOG[1],
    })
    expect((await box.json('GET', `${path}?from=9`)).body.text).toEqual([])
    expect((await box.json('GET', `${path}?from=0`)).status).toBe(400)
  })

  test('else Qlik Sense is asked: it has one, has none, does not answer, or cannot be asked', async () => {
    const without = { scriptLog: null, execution: executionResult() }
    const has = await serve(SETUP, async () => LOG.join('\r\n'))
    expect((await has.json('GET', await stored(has, without))).body).toMatchObject({ source: 'qlik', text: LOG })
    const empty = await serve(SETUP)
    expect((await empty.json('GET', await stored(empty, without))).status).toBe(404)
    const down = await serve(SETUP, () => Promise.reject(new Error('QRS is down')))
    expect((await down.json('GET', await stored(down, without))).status).toBe(502)
    const unknown = await serve(SETUP, () => Promise.reject(new Error('must not be asked')))
    expect((await unknown.json('GET', await stored(unknown, { scriptLog: null, execution: null }))).status).toBe(404)
    expect((await unknown.json('GET', `/v4/events/${TASK_ID}/scriptlog`)).status).toBe(404)
  })
})

describe('/v4/destinations/{name}', () => {
  test('shows how it fares, its routes, its settings without secrets, and its last day', async () => {
    const { fire, db, health, json } = await serve()
    await fire()
    db.run(`UPDATE delivery SET state = 'delivered' WHERE destination = 'mail'`)
    health.observe({ destination: 'mail', result: 'retry', detail: 'timeout' } as never)
    const { status, body } = await json('GET', '/v4/destinations/mail')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      name: 'mail',
      type: 'email',
      up: false,
      lastError: 'timeout',
      downSince: '2026-03-02T06:30:00.000Z',
      nextProbeAt: '2026-03-02T06:31:00.000Z',
      routes: ['mine'],
      hours: [{ at: '2026-03-02T06:00:00.000Z', delivered: 1, suppressed: 0, dead: 0 }],
    })
    expect(body.settings.type).toBe('webhook')
    expect(JSON.stringify(body.settings)).not.toMatch(/very-secret-1|:secret@/)
    health.observe({ destination: 'mail', result: 'delivered', detail: '' } as never)
    expect((await json('GET', '/v4/destinations/mail')).body).toMatchObject({ up: true, downSince: null })
    expect((await json('GET', '/v4/destinations/data')).body.settings).toBeNull()
    expect((await json('GET', '/v4/destinations/other')).status).toBe(404)
  })

  test('a test of a notification section sends the messages of its routes', async () => {
    const routes = [{ name: 'mine', to: ['mail'] }]
    const { rows, json } = await serve({ ...SETUP, routes })
    const { status, body } = await json('POST', '/v4/destinations/mail/test', { values: { taskName: 'My test' } })
    expect([status, body.deliveries]).toMatchObject([202, [{ route: 'mine', destination: 'mail', state: 'pending' }]])
    expect(rows()).toMatchObject([{ kind: 'test', route: 'mine', destination: 'mail', event_id: body.eventId }])
    const dry = await json('POST', '/v4/destinations/mail/test', { dryRun: true })
    expect([dry.status, dry.body.messages]).toMatchObject([200, [{ route: 'mine' }]])
    expect((await json('POST', '/v4/destinations/other/test', {})).status).toBe(404)
    expect((await json('POST', '/v4/destinations/mail/test', { to: ['data'] })).status).toBe(400)
  })
})
