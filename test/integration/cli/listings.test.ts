/** Listings of a running Footman: they fit the terminal, or 100 columns; ids are short, and accepted like that. */
import { describe, expect, test } from 'bun:test'
import { runDeliveryCancel, runDeliveryShow, runEventShow } from '../../../src/cli/remote/events.ts'
import { runHistory } from '../../../src/cli/remote/history.ts'
import { runList } from '../../../src/cli/remote/list.ts'
import type { ListOptions } from '../../../src/cli/remote/list-parts.ts'
import type { ListName } from '../../../src/cli/remote/lists.ts'
import { runSchedulePreview, runScheduleRun } from '../../../src/cli/remote/schedules.ts'
import { runSnoozeLift } from '../../../src/cli/remote/snooze.ts'
import { listing, shortIds } from '../../../src/cli/table.ts'
import { heard, restStub, type StubRequest } from '../../support/rest-stub.ts'

const AT = '2026-03-02T06:03:11.520Z'
/** Made at AT, and 37 ms later. */
const [FIRST, SECOND] = ['019cad24-bb20-78e1-b80b-d70ae0784c78', '019cad24-bb45-7b7c-b06b-c8fb46460cb1'] as const
const [TASK, SCHEDULE] = ['a8b4c123-def4-4678-9abc-def012345678', 'f1b2c3d4-0000-4000-8000-000000000001'] as const
const LONG = 'Sales and Finance 4711 '.repeat(12)

const event = (id: string, title: string, more: object = {}) => ({
  id,
  title,
  receivedAt: AT,
  state: 'routed',
  reason: null,
  source: 'udp',
  host: 'qs1',
  taskId: TASK,
  deliveryCounts: { pending: 0, delivered: 2, dead: 1 },
  ...more,
})
const delivery = (id: string, target: string, more: object = {}) => ({
  id,
  eventId: FIRST,
  createdAt: AT,
  kind: 'alert',
  route: 'night',
  destination: 'ops-mail',
  target,
  state: 'delivered',
  reason: null,
  detail: null,
  nextAttemptAt: null,
  ...more,
})

const EVENTS = [
  event(FIRST, 'Reload failed: Financial Dashboard Reload'),
  event(SECOND, `Reload failed: ${LONG}`, { state: 'dropped', reason: 'DUPLICATE', deliveryCounts: {} }),
]
const DELIVERIES = [
  delivery(FIRST, 'anna@acme.example'),
  delivery(SECOND, 'https://hooks.acme.example/', { state: 'suppressed', reason: 'RATE_LIMITED', route: null }),
]
const last = { state: 'finished', outcome: 'success', stoppedAt: AT, runMs: 1500 }
const TASKS = [
  { taskId: TASK, taskName: 'Sales ETL hourly', taskType: 'reload', enabled: true, last },
  { taskId: FIRST, taskName: LONG, taskType: 'externalProgram', enabled: false, last: null },
]
const SCHEDULES = [
  {
    id: SCHEDULE,
    name: 'Every morning',
    cronSchedule: '0 6 * * 1-5',
    timezone: 'Europe/Stockholm',
    nextRun: AT,
    lastRun: AT,
    lastResult: 'started',
  },
  { id: 'hook', name: LONG, cronSchedule: '*/30 0-6,18-23 1,2,3,4,5 * *', timezone: 'UTC' },
]
const run = { runId: FIRST, dueAt: AT, trigger: 'time', state: 'done', outcome: 'started', reason: null }
const RUNS = [
  { ...run, firedAt: '2026-03-02T06:03:13.020Z', tasks: [{}], detail: null },
  { ...run, firedAt: null, outcome: null, reason: 'MISSED', tasks: [], detail: LONG },
]
const snooze = { from: AT, until: AT, untilSuccess: false, createdBy: 'local', suppressed: 4 }
const SNOOZES = [
  { ...snooze, id: FIRST, match: { task: ['Sales*'] }, reason: 'the database is being moved' },
  { ...snooze, id: SECOND, match: { taskId: [TASK, FIRST, SECOND] }, reason: LONG },
]
const ROUTES = [
  { name: 'night', origin: 'footman', enable: true, to: ['ops-mail', 'on-call'] },
  { name: 'butler.emailNotification.reloadTaskFailure', origin: 'butler', enable: false, to: LONG.trim().split(' ') },
]
const fares = { type: 'email', up: true, pending: 0, dead: 2, lastDeliveredAt: AT, lastError: null }
const DESTINATIONS = [
  { ...fares, name: 'ops-mail' },
  { ...fares, name: 'on-call', type: 'pagerduty', up: false, pending: 3, lastDeliveredAt: null, lastError: LONG },
]
const AUDIT = [
  {
    at: AT,
    actor: 'key:erp',
    address: '10.0.0.5',
    action: 'task.start',
    target: [TASK, FIRST],
    outcome: 'ok',
    status: 200,
    detail: null,
  },
  {
    at: AT,
    actor: LONG,
    address: 'fe80::1234:5678:9abc:def0:1234%eth0',
    action: 'config.reload',
    target: [],
    outcome: 'denied',
    status: 403,
    detail: LONG,
  },
]
const KEYS = [
  { id: 'erp', scopes: ['task:run'], expiresAt: AT, lastUsedAt: AT, lastAddress: '10.0.0.5' },
  { id: LONG, scopes: ['kv:*', 'task:run', 'schedule:read'], expiresAt: null, lastUsedAt: null, lastAddress: null },
]
const DROPPED = [{ at: AT, from: '10.0.0.5', reason: 'UNKNOWN_TYPE', raw: `/scheduler-x/;${LONG}` }]
const EXECUTIONS = [
  {
    executionId: FIRST,
    taskName: 'Sales ETL hourly',
    taskType: 'reload',
    outcome: 'success',
    node: 'Central',
    stoppedAt: AT,
    queueMs: 100,
    runMs: 1500,
  },
  {
    executionId: SECOND,
    taskName: LONG,
    taskType: 'externalProgram',
    outcome: 'aborted',
    node: LONG,
    stoppedAt: AT,
    queueMs: 125_000,
    runMs: 11_400_000,
  },
]

const answers: Readonly<Record<string, unknown>> = {
  '/v4/events': { events: EVENTS, nextCursor: null },
  '/v4/events/dropped': { dropped: DROPPED, nextCursor: null },
  '/v4/deliveries': { deliveries: DELIVERIES, nextCursor: null },
  '/v4/audit': { audit: AUDIT, nextCursor: null },
  '/v4/access/keys': { keys: KEYS },
  '/v4/tasks': { tasks: TASKS, nextCursor: null },
  '/v4/schedules': SCHEDULES,
  [`/v4/schedules/${SCHEDULE}/runs`]: { runs: RUNS },
  [`/v4/schedules/${SCHEDULE}/run`]: { runId: FIRST },
  '/v4/alertroutes': { alertRoutes: ROUTES },
  '/v4/destinations': { destinations: DESTINATIONS },
  '/v4/snoozes': { snoozes: SNOOZES, nextCursor: null },
  '/v4/history': { executions: EXECUTIONS, nextCursor: null },
  [`/v4/snoozes/${SECOND}`]: {},
  [`/v4/deliveries/${SECOND}`]: { ...DELIVERIES[1], message: null, attempts: [] },
  [`/v4/deliveries/${FIRST}/cancel`]: {},
  [`/v4/events/${FIRST}`]: { ...EVENTS[0], missingParts: [], deliveries: DELIVERIES },
}
const api = ({ path }: StubRequest): readonly [number, unknown] | null => {
  const answer = answers[new URL(path, 'http://x').pathname]
  return answer === undefined ? null : [200, answer]
}

const NONE = { type: [], outcome: [], source: [], reason: [], state: [], destination: [], tag: [] }

async function screen(name: ListName | 'history', more: object = {}, columns?: number): Promise<string[]> {
  await using stub = await restStub(api)
  const io = { ...heard(), ...(columns !== undefined && { columns }) }
  const options: ListOptions = { ...NONE, url: stub.url, key: 'fm_test', timeout: 10_000, limit: 50, ...more }
  const id = name === 'schedules runs' ? SCHEDULE.slice(0, 8) : undefined
  const code =
    name === 'history'
      ? await runHistory(undefined, { ...options, from: '7d', outcome: [], format: 'table' }, io)
      : await runList(name, id, options, io)
  expect([code, io.stderr()]).toEqual([0, ''])
  return io.stdout().split('\n')
}

const SCREENS: readonly (readonly [ListName, readonly string[]])[] = [
  [
    'events list',
    [
      'RECEIVED             EVENT                         STATE             DELIVERIES        ID',
      '2026-03-02 06:03:11  Reload failed: Financial Da…  routed            2 delivered, 1 …  019cad24-bb20',
      '2026-03-02 06:03:11  Reload failed: Sales and Fi…  dropped (DUPLIC…  -                 019cad24-bb45',
    ],
  ],
  [
    'deliveries list',
    [
      'CREATED              DESTINATION  TO                     STATE                  RULE   ID',
      '2026-03-02 06:03:11  ops-mail     anna@acme.example      delivered              night  019cad24-bb20',
      '2026-03-02 06:03:11  ops-mail     https://hooks.acme.e…  suppressed (RATE_LIM…  -      019cad24-bb45',
    ],
  ],
  [
    'schedules list',
    [
      'SCHEDULE            CRON                 NEXT RUN             LAST RUN             RESULT   ID',
      'Every morning       0 6 * * 1-5          2026-03-02 06:03:11  2026-03-02 06:03:11  started  f1b2c3d4',
      'Sales and Finance…  */30 0-6,18-23 1,2…  stopped              never                         hook',
    ],
  ],
]

test('times are on the clock of the site, which a line names; in details too', async () => {
  const detail = `snoozed until ${AT}`
  const audit = [{ ...AUDIT[0], actor: `schedule:${SCHEDULE}`, action: 'snooze.set', detail }]
  await using stub = await restStub(
    (request) => (request.path.startsWith('/v4/audit') ? [200, { audit, nextCursor: null }] : api(request)),
    undefined,
    'Asia/Kolkata',
  )
  const io = { ...heard(), columns: 200 }
  const options = { ...NONE, url: stub.url, key: 'fm_test', timeout: 10_000, limit: 50, from: '2026-03-02 11:30' }
  expect(await runList('audit', undefined, options, io)).toBe(0)
  const [, row = '', , zone] = io.stdout().split('\n')
  expect(row).toStartWith('2026-03-02 11:33:11  schedule:Every morning  10.0.0.5  snooze.set')
  expect(row).toEndWith('Sales ETL hourly and 1 more  snoozed until 2026-03-02 11:33:11 Asia/Kolkata')
  expect(zone).toBe('Times are in the zone Asia/Kolkata.')
  const asked = new URL(stub.requests[0]!.path, 'http://x').searchParams
  expect(asked.get('from')).toBe('2026-03-02T06:00:00.000Z')
})

test('a preview of a schedule names the zone of its times', async () => {
  const next = ['2026-03-02T00:30:00.000Z']
  await using stub = await restStub(() => [200, { text: 'at 06:00', next }], undefined, 'Asia/Kolkata')
  const io = heard()
  const options = { url: stub.url, key: 'fm_test', timeout: 10_000, count: 1 }
  expect(await runSchedulePreview('0 6 * * *', options, io)).toBe(0)
  expect(io.stdout()).toBe('at 06:00\n2026-03-02 06:00:00 Asia/Kolkata')
  expect(stub.requests[0]!.body).toMatchObject({ timezone: 'Asia/Kolkata' })
})

test('a snooze shows its match as text, with names in the place of ids', async () => {
  expect((await screen('snooze list', { wide: true })).join('\n')).toContain('  task Sales ETL hourly or ')
  const lines = await screen('snooze list', { all: true })
  expect(lines.join('\n')).toContain(' task Sales*  ')
  expect(lines.join('\n')).not.toContain('{')
})

describe('100 columns', () => {
  const HEADS: readonly (readonly [ListName | 'history', RegExp])[] = [
    ['events list', /^RECEIVED +EVENT +STATE +DELIVERIES +ID$/],
    ['events dropped', /^AT +FROM +REASON +TEXT$/],
    ['deliveries list', /^CREATED +DESTINATION +TO +STATE +RULE +ID$/],
    ['audit', /^AT +WHO +FROM +WHAT +RESULT +TARGET +DETAIL$/],
    ['key list', /^KEY +SCOPES +LAST USED +FROM +ENDS$/],
    ['tasks', /^TASK +TYPE +LAST RUN +ENDED +RAN$/],
    ['schedules list', /^SCHEDULE +CRON +NEXT RUN +LAST RUN +RESULT +ID$/],
    ['schedules runs', /^DUE +LATE +TRIGGER +STATE +TASKS +DETAIL +RUN$/],
    ['snooze list', /^UNTIL +MATCH +HELD BACK +BY +REASON +ID$/],
    ['routes list', /^RULE +ORIGIN +TO$/],
    ['destinations', /^DESTINATION +TYPE +STATE +PENDING +DEAD +LAST DELIVERED +LAST ERROR$/],
    ['history', /^TASK +TYPE +OUTCOME +NODE +ENDED +QUEUED +RAN +ID$/],
  ]

  test.each(HEADS)('%s', async (name, head) => {
    const lines = await screen(name, { all: true })
    expect(lines[0]).toMatch(head)
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.filter((line) => line.length > 100)).toEqual([])
    // The long row uses the whole width.
    expect(Math.max(...lines.map((line) => line.length))).toBeGreaterThan(name === 'schedules runs' ? 90 : 84)
  })

  test.each(HEADS)('%s --wide cuts nothing', async (name) => {
    const lines = await screen(name, { all: true, wide: true })
    expect(Math.max(...lines.map((line) => line.length))).toBeGreaterThan(100)
    const text = lines.join('\n')
    expect(text).not.toContain('…')
    for (const id of text.match(/\b019cad24[0-9a-f-]*/g) ?? []) expect([FIRST, SECOND] as string[]).toContain(id)
  })

  test.each(SCREENS)('the screen of %s', async (name, expected) => {
    expect(await screen(name)).toEqual([...expected, '', 'Times are in the zone UTC.'])
  })
})

describe('times', () => {
  test('are UTC with --utc, to the second', async () => {
    const lines = await screen('events list', { utc: true })
    expect(lines[1]).toStartWith('2026-03-02T06:03:11Z  ')
    const wide = await screen('events list', { utc: true, wide: true })
    expect(wide[1]).toStartWith('2026-03-02T06:03:11Z  ')
  })

  test('of an event that the reconciler found: discovery and end of the task', async () => {
    const executionId = TASK.replace('a8', 'e8')
    await using stub = await restStub(({ path }) => {
      const { pathname, searchParams } = new URL(path, 'http://x')
      if (pathname === '/v4/events') {
        const found = event(FIRST, 'Reload failed: Sales', { source: 'reconciler', executionId })
        return [200, { events: [found, EVENTS[1]], nextCursor: null }]
      }
      expect([pathname, searchParams.getAll('taskId')]).toEqual(['/v4/history', [TASK]])
      return [200, { executions: [{ executionId, stoppedAt: '2026-03-02T02:00:00.000Z' }], nextCursor: null }]
    })
    const io = heard()
    const options = { ...NONE, url: stub.url, key: 'fm_test', timeout: 10_000, limit: 50 }
    expect(await runList('events list', undefined, options, io)).toBe(0)
    const [head, first, second] = io.stdout().split('\n')
    expect(head).toMatch(/^RECEIVED +TASK ENDED +EVENT /)
    expect(first).toStartWith('2026-03-02 06:03:11  2026-03-02 02:00:00  Reload failed: Sales')
    expect(second).toMatch(/^2026-03-02 06:03:11 {23}Reload failed/)
  })
})

describe('the width', () => {
  test('of the terminal is used up, and not exceeded', async () => {
    for (const columns of [90, 120, 160]) {
      const lines = await screen('events list', {}, columns)
      expect(Math.max(...lines.map(({ length }) => length))).toBe(columns)
    }
  })

  test('below what the columns need: each keeps its least width, and ids stay whole', async () => {
    const lines = await screen('events list', {}, 40)
    expect(lines[1]).toBe('2026-03-02 06:03:11  Reload failed: Financial Da…  routed      2 deliver…  019cad24-bb20')
  })

  test('of wide characters counts twice', () => {
    const columns = [
      { head: 'NAME', cell: (row: string) => row, least: 6 },
      { head: 'ID', cell: () => 'x' },
    ]
    expect(listing(columns, ['売上データの更新', 'e\u0301te\u0301'], { width: 10 })).toBe(
      'NAME    ID\n売上…   x\ne\u0301te\u0301     x',
    )
  })
})

describe('nothing there', () => {
  test.each([
    ['events list', '/v4/events', { events: [], nextCursor: null }, 'No events.'],
    ['events dropped', '/v4/events/dropped', { dropped: [], nextCursor: null }, 'No datagram was dropped.'],
    ['deliveries list', '/v4/deliveries', { deliveries: [], nextCursor: null }, 'No deliveries.'],
    ['audit', '/v4/audit', { audit: [], nextCursor: null }, 'The audit has no such entries.'],
    ['key list', '/v4/access/keys', { keys: [] }, 'There are no keys, or access control is off.'],
    ['tasks', '/v4/tasks', { tasks: [], nextCursor: null }, 'No tasks.'],
    ['schedules list', '/v4/schedules', [], 'No schedules.'],
    ['schedules runs', '/v4/schedules/x/runs', { runs: [] }, 'The schedule has not run yet.'],
    ['snooze list', '/v4/snoozes', { snoozes: [], nextCursor: null }, 'No snoozes.'],
    ['destinations', '/v4/destinations', { destinations: [] }, 'No destinations.'],
    [
      'routes list',
      '/v4/alertroutes',
      { alertRoutes: [ROUTES[1]] },
      'No rules; --all also lists those that are switched off.',
    ],
  ] as const)('%s', async (name, path, answer, expected) => {
    await using stub = await restStub((request) => (request.path.split('?')[0] === path ? [200, answer] : null))
    const options = { ...NONE, url: stub.url, key: 'fm_test', timeout: 10_000, limit: 50 }
    const io = heard()
    expect(await runList(name, 'x', options, io)).toBe(0)
    expect(io.stdout()).toBe(expected)
    const json = heard()
    expect(await runList(name, 'x', { ...options, json: true }, json)).toBe(0)
    expect(JSON.parse(json.stdout())).toEqual(answer)
  })

  test('history', async () => {
    await using stub = await restStub(() => [200, { executions: [], nextCursor: null }])
    const io = heard()
    const options = {
      url: stub.url,
      key: 'fm_test',
      timeout: 10_000,
      from: '7d',
      outcome: [],
      format: 'table',
    } as const
    expect([await runHistory(undefined, options, io), io.stdout()]).toEqual([0, 'No executions.'])
  })
})

test('all pages are read, as far as the limit wants', async () => {
  await using stub = await restStub(({ path }) => {
    const query = new URL(path, 'http://x').searchParams
    const [count, page] = [Number(query.get('limit')), Number(query.get('cursor') ?? 0)]
    const events = Array.from({ length: count }, (_, n) => event(FIRST, `Event ${page}-${n}`))
    return [200, { events, nextCursor: String(page + 1) }]
  })
  const io = heard()
  const options = { ...NONE, url: stub.url, key: 'fm_test', timeout: 10_000, limit: 750, json: true }
  expect(await runList('events list', undefined, options, io)).toBe(0)
  const { events } = JSON.parse(io.stdout()) as { events: { title: string }[] }
  expect([events.length, events[749]!.title]).toEqual([750, 'Event 1-249'])
  expect(stub.requests.map(({ path }) => new URL(path, 'http://x').searchParams.get('limit'))).toEqual(['500', '250'])
})

describe('ids', () => {
  test('are as long as they need to be', () => {
    const other = 'f1b2c3d4-0000-4000-8000-000000000002'
    expect(shortIds([SCHEDULE, 'hook'])).toEqual(['f1b2c3d4', 'hook'])
    expect(shortIds([SCHEDULE, other])).toEqual([SCHEDULE, other])
    expect(shortIds([FIRST, SECOND, FIRST])).toEqual(['019cad24-bb20', '019cad24-bb45', '019cad24-bb20'])
    expect(shortIds([FIRST, '019cad24-bb20-7000-8000-000000000000'])).toEqual(['019cad24-bb20-78', '019cad24-bb20-70'])
  })

  const CASES: readonly (readonly [
    string,
    (options: Options, io: ReturnType<typeof heard>) => Promise<number>,
    string,
  ])[] = [
    ['an event', (options, io) => runEventShow('019CAD24-bb20', options, io), `GET /v4/events/${FIRST}`],
    ['a delivery', (options, io) => runDeliveryShow('019cad24-bb45', options, io), `GET /v4/deliveries/${SECOND}`],
    [
      'a delivery to call off',
      (options, io) => runDeliveryCancel('019cad24-bb20-7', options, io),
      `POST /v4/deliveries/${FIRST}/cancel`,
    ],
    ['a snooze', (options, io) => runSnoozeLift('019cad24-bb45', options, io), `DELETE /v4/snoozes/${SECOND}`],
    ['a schedule', (options, io) => runScheduleRun('f1b2c3d4', options, io), `POST /v4/schedules/${SCHEDULE}/run`],
    [
      'the event of deliveries',
      (options, io) => runList('deliveries list', undefined, { ...NONE, ...options, event: '019cad24-bb20' }, io),
      `GET /v4/deliveries?eventId=${FIRST}&limit=500`,
    ],
  ]
  type Options = { readonly url: string; readonly key: string; readonly timeout: number }

  test.each(CASES)('%s is named by the beginning of its id', async (_, command, expected) => {
    await using stub = await restStub(api)
    const io = heard()
    const code = await command({ url: stub.url, key: 'fm_test', timeout: 10_000 }, io)
    expect([code, io.stderr()]).toEqual([0, ''])
    const { method, path } = stub.requests.at(-1)!
    expect(`${method} ${path}`).toBe(expected)
  })

  test.each([
    ['7', 1, 'an id is a UUID; its beginning, as the list shows it, is enough'],
    ['019cad24', 1, `2 ids begin like this; name one of them: ${FIRST}, ${SECOND}`],
    ['019cad24-cccc', 3, 'Footman does not know it (any more)'],
    ['ffffffff-ffff', 3, 'Footman does not know it (any more)'],
  ] as const)('%s: exit code %i', async (id, code, why) => {
    await using stub = await restStub(api)
    const io = heard()
    expect(await runEventShow(id, { url: stub.url, key: 'fm_test', timeout: 10_000 }, io)).toBe(code)
    expect(io.stderr()).toBe(`error: event ${id}: ${why}`)
  })

  test('latest names the newest', async () => {
    await using stub = await restStub(api)
    const io = heard()
    expect(await runEventShow('latest', { url: stub.url, key: 'fm_test', timeout: 10_000 }, io)).toBe(0)
    expect(stub.requests.map(({ path }) => path)).toEqual(['/v4/events?limit=1', `/v4/events/${FIRST}`])
  })

  test('only what may begin like this is asked for', async () => {
    await using stub = await restStub(api)
    await runEventShow('019cad24-bb20', { url: stub.url, key: 'fm_test', timeout: 10_000 }, heard())
    const { searchParams } = new URL(stub.requests[0]!.path, 'http://x')
    expect([searchParams.get('from'), searchParams.get('to')]).toEqual([
      '2026-03-02T05:53:11.520Z',
      '2026-03-02T06:13:11.520Z',
    ])
  })
})
