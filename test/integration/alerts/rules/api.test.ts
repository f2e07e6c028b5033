/** The endpoints over alert routes, destinations and snoozes. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createDestinationHealth } from '../../../../src/alerts/outbox/destination-health.ts'
import { alertRouteApi } from '../../../../src/alerts/rules/http.ts'
import { snoozeEnds, snoozeRoutes } from '../../../../src/alerts/snoozes.ts'
import { loadTaskEvent } from '../../../../src/events/store.ts'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { closeRoutes, type RoutesSetup, startRoutes } from '../../../support/alert-routes.ts'
import { fullEvent } from '../../../support/alerts.ts'
import { TASK_ID } from '../../../support/events.ts'
import { type RoutesApi, routesApi } from '../../../support/routes-api.ts'

const { task: plain, app } = fullEvent()
const task = { ...plain, app: { id: app?.id, name: app?.name } }
const DAY = 86_400_000
const SENT = { reason: null, detail: null, suppressedBy: null }
const UNKNOWN = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const DATAGRAM = [
  '/scheduler-reload-failed/',
  'pro2-win1',
  'Nightly',
  'Sales',
  'LAB\\goran',
  TASK_ID,
  UNKNOWN,
  '2024-10-10 15:35:25,117',
  'INFO',
  UNKNOWN,
  'Max retries reached',
].join(';')
const apis: RoutesApi[] = []

afterEach(async () => {
  for (const api of apis.splice(0)) await api[Symbol.asyncDispose]()
  await closeRoutes()
})

async function serve(setup: RoutesSetup, qrs: { down?: boolean } = {}) {
  const box = startRoutes(setup)
  const health = createDestinationHealth()
  const answer = <T>(value: T) => {
    if (qrs.down) throw new Error('QRS is down')
    return Promise.resolve(value)
  }
  const api = await routesApi([
    ...alertRouteApi({
      db: box.db,
      router: box.router,
      clock: box.clock,
      listed: box.listed,
      storeEvent: box.storeEvent,
      health,
      destinations: new Map(box.destinations),
      draft: async () => ({ routing: null, problems: [] }),
      loadEvent: (id) => loadTaskEvent(box.db, id),
      keepMs: 30 * DAY,
      qrs: {
        taskById: async (id) => answer(id === TASK_ID ? (task as QrsTask) : null),
        tasks: async (filter) => answer(filter === "name eq 'Anna\\'s reload'" ? [task as QrsTask] : []),
        appById: async () => answer(app),
        owner: async () => answer(null),
      },
    }),
    ...snoozeRoutes({ ...box, loadEvent: (id) => loadTaskEvent(box.db, id), recording: () => ['data'] }),
  ])
  apis.push(api)
  const json = async (method: string, path: string, body?: unknown) => {
    const { status, body: text } = await api.send(method, path, body)
    return { status, body: text === '' ? null : JSON.parse(text) }
  }
  return { ...box, health, json }
}

const setup: RoutesSetup = {
  destinations: { mail: 'email', hook: 'webhook' },
  windows: { nights: { from: '22:00', to: '06:00' } },
  routes: [
    { name: 'finance', match: { stream: 'Finance' }, except: { during: 'nights' }, to: ['mail', 'hook'] },
    { name: 'off', enable: false, to: ['hook'] },
  ],
}
const explain = '/v4/alertroutes/explain'

describe('/v4/alertroutes', () => {
  test('lists the routes in order of evaluation', async () => {
    const { json } = await serve(setup)
    expect(await json('GET', '/v4/alertroutes')).toEqual({
      status: 200,
      body: {
        alertRoutes: [
          { name: 'finance', origin: 'footman', enable: true, to: ['mail', 'hook'] },
          { name: 'off', origin: 'footman', enable: false, to: ['hook'] },
        ],
      },
    })
  })

  test('explains a sample about a real task, now and at another time, and leaves nothing behind', async () => {
    const { json, db } = await serve(setup)
    const sample = { type: 'reload', outcome: 'failed', taskId: TASK_ID }
    const { status, body } = await json('POST', explain, { sample })
    expect(status).toBe(200)
    expect(body).toEqual({
      routes: [
        {
          name: 'finance',
          matched: true,
          because: null,
          fields: [
            { field: 'outcome', wanted: 'all but success, started, status, cleared', found: 'failed', holds: true },
            { field: 'stream', wanted: 'Finance', found: 'Finance', holds: true },
            { field: 'except.outcome', wanted: '*', found: 'failed', holds: true },
            { field: 'except.during', wanted: 'nights', found: '2026-03-02T06:00:00.000Z', holds: false },
          ],
          deliveries: [
            { destination: 'mail', target: 'mail', wouldBe: 'pending', ...SENT },
            { destination: 'hook', target: 'hook', wouldBe: 'pending', ...SENT },
          ],
        },
        { name: 'off', matched: false, because: 'enable is false', deliveries: [] },
      ],
      stoppedBy: null,
    })
    const night = await json('POST', explain, { sample, at: '2026-03-02T05:59:59Z' })
    expect(night.body.routes[0]).toMatchObject({
      matched: false,
      because: 'an exception holds: during',
      deliveries: [],
    })
    for (const table of ['event', 'delivery', 'rate_limit', 'rate_limit_slot']) {
      expect(db.all(`SELECT * FROM ${table}`)).toEqual([])
    }
  })

  test('explains a datagram: with the task of Qlik Sense, and with its own names where that has none', async () => {
    const routes = [
      ...(setup.routes ?? []),
      { name: 'named', match: { task: 'Night*', message: '*retries*', host: 'pro2*' }, to: ['mail'] },
    ]
    const { json } = await serve({ ...setup, routes })
    const known = await json('POST', explain, { raw: DATAGRAM })
    expect(known.body.routes[0]).toMatchObject({
      name: 'finance',
      matched: true,
      fields: [{}, { found: 'Finance' }, {}, {}],
    })
    const own = await json('POST', explain, { raw: DATAGRAM.replace(TASK_ID, UNKNOWN) })
    expect(own.body.routes[2]).toMatchObject({ name: 'named', matched: true, deliveries: [{ target: 'mail' }] })
    expect(own.body.routes[0]).toMatchObject({ matched: true, fields: [{}, { holds: 'unknown' }, {}, {}] })
  })

  test('a name with an apostrophe, and QRS down: then the data are not known', async () => {
    const { json } = await serve(setup)
    const found = await json('POST', explain, { sample: { taskName: "Anna's reload" } })
    expect(found.body.routes[0].matched).toBe(true)
    const down = await serve(setup, { down: true })
    const { body } = await down.json('POST', explain, { sample: { taskName: "Anna's reload" } })
    expect(body.routes[0]).toMatchObject({ matched: true, fields: [{}, { holds: 'unknown', found: null }, {}, {}] })
  })

  test('a second failure would be limited; the event that holds the slot would not', async () => {
    const { json, fire } = await serve(setup)
    const event = await fire({ app })
    const stored = await json('POST', explain, { eventId: event.id.toUpperCase() })
    expect(stored.body.routes[0].deliveries[0]).toMatchObject({ wouldBe: 'pending' })
    const next = await json('POST', explain, { sample: { taskId: TASK_ID } })
    expect(next.body.routes[0].deliveries[0]).toMatchObject({ wouldBe: 'suppressed', reason: 'RATE_LIMITED' })
  })

  test.each([
    ['nothing', {}, 400, 'VALIDATION'],
    ['both', { eventId: UNKNOWN, sample: {} }, 400, 'VALIDATION'],
    ['a sample and a datagram', { raw: DATAGRAM, sample: {} }, 400, 'VALIDATION'],
    ['a datagram of an unknown type', { raw: '/scheduler-nonsense/;a;b' }, 400, 'VALIDATION'],
    ['a datagram of an engine', { raw: DATAGRAM.replace('scheduler-reload', 'engine-reload') }, 400, 'VALIDATION'],
    ['a distribution under way', { raw: DATAGRAM.replace('reload-failed', 'distribute') }, 400, 'VALIDATION'],
    ['an unknown member', { sample: { colour: 'red' } }, 400, 'VALIDATION'],
    ['a wrong outcome', { sample: { outcome: 'broken' } }, 400, 'VALIDATION'],
    ['a wrong time', { sample: {}, at: 'yesterday' }, 400, 'VALIDATION'],
    ['a time for a stored event', { eventId: UNKNOWN, at: '2026-03-02T05:59:59Z' }, 400, 'VALIDATION'],
    ['no id', { eventId: '42' }, 400, 'INVALID_ID'],
    ['an unknown event', { eventId: UNKNOWN }, 404, 'EVENT_NOT_FOUND'],
    ['an unknown task', { sample: { taskId: UNKNOWN } }, 400, 'VALIDATION'],
  ])('%s', async (_name, body, status, code) => {
    const { json } = await serve(setup)
    expect(await json('POST', explain, body)).toMatchObject({ status, body: { code, statusCode: status } })
  })
})

test('/v4/destinations tells what waits, what is dead, and whether it works', async () => {
  const { json, fire, health, outbox, settled, changes } = await serve({
    ...setup,
    routes: [{ name: 'all', to: ['mail', 'hook'] }],
    deliver: (name) =>
      name === 'hook' ? { outcome: 'rejected', detail: 'HTTP 400' } : { outcome: 'delivered', detail: 'ok' },
  })
  await fire()
  const none = { state: 'up', up: true, dead: 0, lastDeliveredAt: null, lastError: null }
  expect((await json('GET', '/v4/destinations')).body.destinations).toEqual([
    { name: 'mail', type: 'email', ...none, pending: 1 },
    { name: 'hook', type: 'webhook', ...none, pending: 1 },
  ])
  outbox.start()
  await settled()
  for (const change of changes) health.observe(change)
  const [mail] = changes
  health.observe({ ...mail!, destination: 'mail', result: 'retry', detail: '450 greylisted' })
  expect((await json('GET', '/v4/destinations')).body.destinations).toEqual([
    {
      name: 'mail',
      type: 'email',
      state: 'down',
      up: false,
      pending: 0,
      dead: 0,
      lastDeliveredAt: '2026-03-02T06:00:00.000Z',
      lastError: '450 greylisted',
    },
    {
      name: 'hook',
      type: 'webhook',
      state: 'refuses',
      up: true,
      pending: 0,
      dead: 1,
      lastDeliveredAt: null,
      lastError: 'HTTP 400',
    },
  ])
})

describe('/v4/alertroutes?hits', () => {
  test('counts the events of each route since then, however many receivers they had', async () => {
    const { json, fire, move } = await serve({
      ...setup,
      routes: [
        { name: 'all', to: ['mail', 'hook'], limit: '1/1h' },
        { name: 'aborted', match: { outcome: 'aborted' }, to: ['hook'] },
      ],
    })
    await fire()
    move(2 * DAY)
    await fire()
    await fire({ outcome: 'aborted' })
    const hits = async (since: string) => {
      const { body } = await json('GET', `/v4/alertroutes?hits=${since}`)
      return [body.alertRoutes.map((one: { name: string; hits: number }) => [one.name, one.hits]), body.partial]
    }
    expect(await hits('7d')).toEqual([
      [
        ['all', 3],
        ['aborted', 1],
      ],
      false,
    ])
    expect(await hits('1d')).toEqual([
      [
        ['all', 2],
        ['aborted', 1],
      ],
      false,
    ])
    expect((await json('GET', '/v4/alertroutes?hits=x')).status).toBe(400)
  })
})

describe('/v4/snoozes', () => {
  const body = { match: { taskId: [TASK_ID] }, for: '2h', reason: 'source database is being moved' }

  test('a dry run counts the alerts that it would have held back, by task, and sets nothing', async () => {
    const { json, fire, move, db } = await serve({
      ...setup,
      destinations: { mail: 'email', data: 'otlp' },
      routes: [{ name: 'all', to: ['mail', 'data'], limit: '2/1h' }],
    })
    const other = { taskId: '22222222-2222-4333-8444-555555555555', taskName: 'Other' }
    await fire({ taskName: 'Sales' })
    // What is not sent yet keeps its slot of the rate limit.
    db.run(`UPDATE delivery SET state = 'delivered'`)
    move(2 * DAY)
    await fire({ taskName: 'Sales' })
    await fire({ taskName: 'Sales' })
    await fire({ taskName: 'Sales' })
    await fire(other)
    const dry = async (match: object, over = '') => json('POST', `/v4/snoozes?dryRun=true${over}`, { match, for: '2h' })
    const sales = { taskId: TASK_ID, taskName: 'Sales' }
    expect(await dry({ taskId: [TASK_ID] })).toEqual({
      status: 200,
      body: { wouldHaveHeld: 2, tasks: [{ ...sales, count: 2 }], partial: false },
    })
    expect((await dry({ task: '*' }, '&over=7d')).body).toEqual({
      wouldHaveHeld: 4,
      tasks: [
        { ...sales, count: 3 },
        { ...other, count: 1 },
      ],
      partial: false,
    })
    expect((await dry({ host: 'elsewhere' })).body).toEqual({ wouldHaveHeld: 0, tasks: [], partial: false })
    expect((await dry({ colour: 'red' })).status).toBe(400)
    expect((await json('GET', '/v4/snoozes')).body.snoozes).toEqual([])
  })

  test('are set, listed newest first in pages, counted and lifted', async () => {
    const { json, fire, move, rows } = await serve({ ...setup, routes: [{ name: 'all', to: ['mail'] }] })
    const set = await json('POST', '/v4/snoozes', body)
    expect(set).toEqual({
      status: 201,
      body: {
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
        match: { taskId: [TASK_ID] },
        from: '2026-03-02T06:00:00.000Z',
        until: '2026-03-02T08:00:00.000Z',
        untilSuccess: false,
        reason: 'source database is being moved',
        createdBy: 'anonymous',
        suppressed: 0,
      },
    })
    await fire()
    move(1000)
    const later = { match: { outcome: 'success' }, from: '2026-03-03T00:00:00Z', until: '2026-03-04T00:00:00Z' }
    await json('POST', '/v4/snoozes', later)
    const first = await json('GET', '/v4/snoozes?limit=1')
    expect(first.body.snoozes).toMatchObject([{ match: { outcome: 'success' }, reason: '' }])
    const second = await json('GET', `/v4/snoozes?limit=1&cursor=${first.body.nextCursor}`)
    expect(second.body).toEqual({ snoozes: [{ ...set.body, suppressed: 1 }], nextCursor: null })

    expect(await json('DELETE', `/v4/snoozes/${set.body.id}`)).toEqual({ status: 204, body: null })
    expect(await json('DELETE', `/v4/snoozes/${set.body.id}`)).toMatchObject({
      status: 404,
      body: { code: 'SNOOZE_NOT_FOUND' },
    })
    await fire()
    expect(rows().map(({ reason }) => reason)).toEqual(['SNOOZED', null])
    move(3 * DAY)
    expect((await json('GET', '/v4/snoozes')).body.snoozes).toEqual([])
  })

  test('end with the first success of their task after they have begun, at the latest after 30 days', async () => {
    const { json, fire, move, rows, clock, writer } = await serve({
      ...setup,
      routes: [{ name: 'all', to: ['mail'], limit: 'none' }],
    })
    const before = clock.now()
    move(1000)
    const set = await json('POST', '/v4/snoozes', { match: { taskId: TASK_ID.toUpperCase() }, untilSuccess: true })
    expect(set).toMatchObject({ status: 201, body: { untilSuccess: true, until: '2026-04-01T06:00:01.000Z' } })
    const bounded = await json('POST', '/v4/snoozes', { ...body, untilSuccess: true })
    expect(bounded.body).toMatchObject({ untilSuccess: true, until: '2026-03-02T08:00:01.000Z' })
    const timed = await json('POST', '/v4/snoozes', { ...body, match: { taskId: [UNKNOWN] } })
    const end = snoozeEnds(clock)
    const ended = (taskId: string, outcome: string, stoppedAt = clock.now()) =>
      writer.write((tx) => end({ taskId, outcome, stoppedAt }, null, tx))
    const listed = async () => (await json('GET', '/v4/snoozes')).body.snoozes.map(({ id }: { id: string }) => id)
    const all = [timed, bounded, set].map((one) => one.body.id)
    move(1000)
    await ended(TASK_ID, 'failed')
    await ended(UNKNOWN, 'success')
    await ended(TASK_ID, 'success', before)
    expect((await listed()).sort()).toEqual(all.sort())
    await fire()
    expect(rows().map(({ reason }) => reason)).toEqual(['SNOOZED'])
    await ended(TASK_ID, 'success')
    expect(await listed()).toEqual([timed.body.id])
    move(1000)
    await fire()
    expect(rows().map(({ reason }) => reason)).toEqual(['SNOOZED', null])
  })

  test.each([
    ['an empty match', { ...body, match: {} }, 'match must not be empty'],
    ['no match', { for: '2h' }, 'match'],
    ['an unknown field', { ...body, match: { colour: 'red' } }, 'match.colour is unknown'],
    ['a wrong value', { ...body, match: { outcome: 'broken' } }, 'match.outcome'],
    ['a regular expression', { ...body, match: { message: '/(a+)+$/' } }, 'match.message must be a glob'],
    ['no task id', { ...body, match: { taskId: ['Sales'] } }, 'match.taskId must be an id (a GUID); found "Sales"'],
    ['no app id', { ...body, match: { appId: 'Sales' } }, 'match.appId must be an id (a GUID); found "Sales"'],
    ['an unknown window', { ...body, match: { during: 'weekends' } }, 'match.during There is no window "weekends"'],
    ['no length', { match: body.match }, 'for or until must be given'],
    ['both lengths', { ...body, until: '2026-03-04T00:00:00Z' }, 'for or until must be given'],
    ['too short', { ...body, for: '59s' }, 'for must make it 1m to 30d long'],
    ['too long', { ...body, for: '31d' }, 'for must make it 1m to 30d long'],
    [
      'the success of several tasks',
      { match: { taskId: [TASK_ID, TASK_ID.replace('a', 'b')] }, untilSuccess: true },
      'untilSuccess needs the id of one task in match.taskId',
    ],
    [
      'the success of names',
      { match: { task: ['Sales'] }, untilSuccess: true },
      'untilSuccess needs the id of one task',
    ],
    ['a bare number', { ...body, for: '2' }, 'for cannot be used: "2" has no unit'],
    [
      'the past',
      { match: body.match, from: '2026-03-01T00:00:00Z', until: '2026-03-02T00:00:00Z' },
      'until lies in the past',
    ],
    ['no time', { match: body.match, until: 'tomorrow' }, 'until must be an ISO 8601 time'],
    ['an unknown member', { ...body, who: 'me' }, 'who is unknown'],
    ['no object', [], 'body must be object'],
  ])('%s', async (_name, wrong, expected) => {
    const { json, db } = await serve(setup)
    const answer = await json('POST', '/v4/snoozes', wrong)
    expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION' } })
    expect(answer.body.details).toContain(expected)
    expect(db.all('SELECT * FROM snooze')).toEqual([])
  })
})
