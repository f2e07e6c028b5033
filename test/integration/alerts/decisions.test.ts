/** The decisions of the routes about an event, kept as they were; and the reasons of suppressed deliveries with their numbers. */
import { afterEach, describe, expect, test } from 'bun:test'
import { decisionRoutes, purgeConfigurations } from '../../../src/alerts/history/decisions.ts'
import { listDeliveries } from '../../../src/alerts/history/deliveries.ts'
import { type Chains, usualStart } from '../../../src/alerts/rules/chains.ts'
import { insertSnooze } from '../../../src/alerts/snoozes.ts'
import { retrySuppression } from '../../../src/tasks/safety-net/retries.ts'
import { closeRoutes, type RoutesSetup, startRoutes, successAt } from '../../support/alert-routes.ts'
import { fullEvent } from '../../support/alerts.ts'
import { TASK_ID } from '../../support/events.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'

const apis: RoutesApi[] = []
const UNKNOWN = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const DAY = 86_400_000

afterEach(async () => {
  for (const api of apis.splice(0)) await api[Symbol.asyncDispose]()
  await closeRoutes()
})

async function serve(setup: RoutesSetup) {
  const box = startRoutes(setup)
  const api = await routesApi(decisionRoutes({ db: box.db, keepMs: 30 * DAY }))
  apis.push(api)
  return {
    ...box,
    async decisions(id: string) {
      const { status, body } = await api.send('GET', `/v4/events/${id}/decisions`)
      return { status, body: JSON.parse(body) }
    },
  }
}

const finance = { name: 'finance', match: { stream: 'Finance' }, to: ['mail', 'hook'], limit: 'none' }
const setup: RoutesSetup = {
  destinations: { mail: 'email', hook: 'webhook' },
  start: '2026-03-02T06:00:00Z',
  routes: [
    { name: 'quiet', match: { host: 'other' }, to: ['mail'], stop: true },
    { ...finance, stop: true },
    { name: 'rest', to: ['hook'] },
    { name: 'licences', match: { type: 'license' }, to: ['mail'] },
    { name: 'off', enable: false, to: ['hook'] },
  ],
}

describe('GET /v4/events/{id}/decisions', () => {
  test('says which routes matched, why the others did not, and what they made', async () => {
    const box = await serve(setup)
    const event = await box.fire(fullEvent())
    const { status, body } = await box.decisions(event.id)
    expect(status).toBe(200)
    const ids = box.db.all<{ id: string }>('SELECT id FROM delivery ORDER BY seq').map(({ id }) => id)
    expect(ids).toHaveLength(2)
    const outcome = {
      field: 'outcome',
      wanted: 'all but success, started, status, cleared',
      found: 'failed',
      holds: true,
    }
    expect(body).toEqual({
      recorded: true,
      decidedAt: '2026-03-02T06:00:00.000Z',
      configuration: expect.stringMatching(/^[0-9a-f]{16}$/),
      configurationFrom: '2026-03-02T06:00:00.000Z',
      stoppedBy: 'finance',
      routes: [
        {
          name: 'quiet',
          origin: 'footman',
          matched: false,
          because: 'host is "qs-prod-1, qs-sched-2", wanted other',
          fields: [outcome, { field: 'host', wanted: 'other', found: 'qs-prod-1, qs-sched-2', holds: false }],
          deliveries: [],
        },
        {
          name: 'finance',
          origin: 'footman',
          matched: true,
          because: null,
          fields: [outcome, { field: 'stream', wanted: 'Finance', found: 'Finance', holds: true }],
          deliveries: ids,
        },
        {
          name: 'rest',
          origin: 'footman',
          matched: false,
          because: 'rule finance stops the evaluation',
          fields: [outcome],
          deliveries: [],
        },
      ],
      notConcerned: 2,
      off: [{ name: 'off', because: 'enable is false' }],
    })
  })

  test('an old event keeps the decision of then when a route changes', async () => {
    const box = await serve(setup)
    const before = await box.fire(fullEvent())
    box.move(60_000)
    box.follow([{ ...finance, match: { stream: 'Sales' } }])
    const after = await box.fire({ ...fullEvent(), id: UNKNOWN })
    const [then, now] = [(await box.decisions(before.id)).body, (await box.decisions(after.id)).body]
    expect(then.routes[1]).toMatchObject({ name: 'finance', matched: true, fields: [{}, { wanted: 'Finance' }] })
    expect(now.routes).toMatchObject([{ name: 'finance', matched: false, fields: [{}, { wanted: 'Sales' }] }])
    expect(now.configuration).not.toBe(then.configuration)
    expect([then.configurationFrom, now.configurationFrom]).toEqual([
      '2026-03-02T06:00:00.000Z',
      '2026-03-02T06:01:00.000Z',
    ])
    // The first configuration was in use until a minute ago: its events may still be kept.
    expect(purgeConfigurations(box.db, Date.parse('2026-03-02T06:00:59Z'))).toBe(0)
    expect(purgeConfigurations(box.db, Date.parse('2026-03-02T06:01:01Z'))).toBe(1)
  })

  test('a recovery is listed under its route', async () => {
    const box = await serve({ ...setup, routes: [{ ...finance, recovery: true }] })
    await box.fire(fullEvent())
    const success = await box.fire({
      ...fullEvent(),
      id: UNKNOWN,
      outcome: 'success',
      execution: successAt(box.clock.now()),
    })
    const { body } = await box.decisions(success.id)
    expect(body.routes).toMatchObject([
      { name: 'finance', matched: true, deliveries: [{}, {}].map(() => expect.any(String)) },
    ])
  })

  test('an event that still waits, one without any, an unknown one, no id', async () => {
    const box = await serve(setup)
    const event = await box.fire(fullEvent())
    box.db.run('DELETE FROM event_decision')
    expect((await box.decisions(event.id)).body).toMatchObject({ recorded: false, decidedAt: null, routes: [] })
    expect((await box.decisions(UNKNOWN)).status).toBe(404)
    expect((await box.decisions('x')).status).toBe(400)
  })

  test('thirty routes about a long message take less than 2 KB, and go with their event', async () => {
    const routes = Array.from({ length: 30 }, (_, n) => ({
      name: `team-${n}`,
      match: { task: `Team ${n} *`, message: '*timeout*', stream: `Stream ${n}` },
      to: ['mail'],
    }))
    const box = await serve({ ...setup, routes })
    await box.fire({ ...fullEvent(), logMessage: 'x'.repeat(10_000) })
    const size = box.db.get<{ bytes: number }>('SELECT length(routes) AS bytes FROM event_decision')!
    expect(size.bytes).toBeLessThan(2048)
    box.db.run('DELETE FROM event')
    expect(box.db.all('SELECT * FROM event_decision')).toEqual([])
  })
})

describe('the reason of a suppressed delivery', () => {
  const START = '2026-03-01T02:00:00Z'
  const ROOT = '70000000-0000-4000-8000-000000000001'
  const chains: Chains = { downstream: (id) => (id === ROOT ? [{ id: TASK_ID, name: 'Next' }] : []), usualStart }

  async function suppressedBy(changes: RoutesSetup, fire: (box: ReturnType<typeof startRoutes>) => Promise<unknown>) {
    const box = startRoutes({
      destinations: { mail: 'email' },
      start: START,
      routes: [{ name: 'mine', to: ['mail'], limit: 'none' }],
      ...changes,
    })
    await fire(box)
    const filter = { state: ['suppressed' as const], from: null, to: null }
    const context = { typeOf: () => null, retryOf: () => 'e5000000-0000-4000-8000-000000000001' }
    const { rows } = await listDeliveries(box.db, filter, { before: null, limit: 10 }, context)
    return rows.map((row) => [row.reason, row.suppressedBy])
  }

  test('a rate limit: the limit, and when the next slot is free', async () => {
    const routes = [{ name: 'mine', to: ['mail'], limit: '2/10m' }]
    const rows = await suppressedBy({ routes }, async (box) => {
      await box.fire()
      box.move(60_000)
      await box.fire()
      await box.fire()
    })
    expect(rows).toEqual([
      ['RATE_LIMITED', { limit: { count: 2, windowMs: 600_000, nextSlotAt: '2026-03-01T02:10:00.000Z' } }],
    ])
  })

  test('a snooze: its id, reason and end', async () => {
    const until = Date.parse('2026-03-01T04:00:00Z')
    const rows = await suppressedBy({}, (box) => {
      const times = { from: box.clock.now(), until, createdAt: box.clock.now() }
      insertSnooze(box.db, {
        id: UNKNOWN,
        match: '{"task":"*"}',
        successOf: null,
        reason: 'database moves',
        createdBy: 'x',
        ...times,
      })
      return box.fire()
    })
    const snooze = { id: UNKNOWN, reason: 'database moves', until: '2026-03-01T04:00:00.000Z' }
    expect(rows).toEqual([['SNOOZED', { snooze }]])
  })

  test.each([
    ['a window', { days: 'sun', from: '01:30', to: '06:10' }, '2026-03-01T06:10:00.000Z'],
    [
      'two windows in a row',
      [
        { from: '01:00', to: '03:00' },
        { from: '03:00', to: '04:20' },
      ],
      '2026-03-01T04:20:00.000Z',
    ],
    ['a single one', { start: '2026-03-01T01:00:00Z', end: '2026-03-03T01:00:00Z' }, '2026-03-03T01:00:00.000Z'],
    ['without end', {}, null],
  ])('maintenance: its name and end, %s', async (_name, during, until) => {
    const rows = await suppressedBy({ maintenance: [{ name: 'patching', during }] }, (box) => box.fire())
    expect(rows).toEqual([['MAINTENANCE', { maintenance: { name: 'patching', until } }]])
  })

  test('a group: the event that opened it', async () => {
    const routes = [{ name: 'mine', to: ['mail'], limit: 'none', group: 'chain' }]
    let root = ''
    const rows = await suppressedBy({ routes, chains }, async (box) => {
      root = (await box.fire({ taskId: ROOT, taskName: 'First' })).id
      await box.fire({ taskId: TASK_ID })
    })
    expect(rows).toEqual([['GROUPED', { group: { eventId: root, taskId: ROOT, taskName: 'First' } }]])
  })

  test('a retry: which one, when, and its execution', async () => {
    const at = Date.parse('2026-03-01T02:05:00Z')
    const rows = await suppressedBy({ holds: [{ suppression: retrySuppression }] }, (box) =>
      box.fire({ retry: { attempt: 0, max: 3, nextAt: at, refused: null } }),
    )
    const retry = { attempt: 1, max: 3, at: '2026-03-01T02:05:00.000Z' }
    expect(rows).toEqual([
      ['RETRY_PENDING', { retry: { ...retry, executionId: 'e5000000-0000-4000-8000-000000000001' } }],
    ])
  })
})
