/** Names on the command line: tasks, destinations and routes that there are, and what may be meant by others. */
import { describe, expect, test } from 'bun:test'
import { runDeliveriesResend } from '../../../src/cli/remote/events.ts'
import { runFire } from '../../../src/cli/remote/fire.ts'
import { runList } from '../../../src/cli/remote/list.ts'
import { runRoutesExplain } from '../../../src/cli/remote/routes.ts'
import { heard, restStub, type StubRequest } from '../../support/rest-stub.ts'

const [ETL, TWIN, OTHER] = [1, 2, 3].map((n) => `70000000-0000-4000-8000-00000000000${n}`) as [string, string, string]
const TASKS = [
  { taskId: ETL, taskName: 'Sales ETL hourly' },
  { taskId: TWIN, taskName: 'Twin' },
  { taskId: OTHER, taskName: 'twin' },
]
const DESTINATIONS = [
  {
    name: 'ops-mail',
    type: 'email',
    up: true,
    pending: 0,
    dead: 2,
    lastDeliveredAt: '2026-03-02T03:00:00.000Z',
    lastError: null,
  },
  {
    name: 'on-call',
    type: 'pagerduty',
    up: false,
    pending: 3,
    dead: 0,
    lastDeliveredAt: null,
    lastError: 'connection refused',
  },
]
const delivery = (destination: string) => ({
  id: 'd',
  createdAt: '2026-03-02T03:00:00.000Z',
  kind: 'alert',
  route: null,
  destination,
  target: 'x',
  state: 'dead',
  reason: null,
  detail: null,
  nextAttemptAt: null,
})

const refusal = (status: number, code: string, details: string) => [status, { error: 'No', code, details }] as const

function api({ method, path, body }: StubRequest): readonly [number, unknown] | null {
  const { pathname, searchParams } = new URL(path, 'http://x')
  if (pathname === '/v4/tasks') {
    const name = searchParams.get('name')?.toLowerCase()
    return [200, { tasks: TASKS.filter((one) => !name || one.taskName.toLowerCase() === name), nextCursor: null }]
  }
  if (pathname === '/v4/destinations') return [200, { destinations: DESTINATIONS }]
  if (pathname === '/v4/alertroutes') return [200, { alertRoutes: [{ name: 'finance-night' }] }]
  if (pathname === '/v4/deliveries' && method === 'GET') {
    const wanted = searchParams.getAll('destination')
    const deliveries = wanted.includes('ops-mail') ? [delivery('ops-mail')] : []
    return [200, { deliveries, nextCursor: null }]
  }
  if (pathname === '/v4/deliveries/-/resend') return [202, { resent: 0 }]
  if (pathname === '/v4/alertroutes/explain') {
    return refusal(400, 'VALIDATION', 'sample.taskName is of no task in Qlik Sense')
  }
  if (pathname === '/v4/events/fire') return fired(body as { to: string[]; routes: string[]; taskId?: string })
  return null
}

function fired({ to, routes, taskId }: { to: string[]; routes: string[]; taskId?: string }) {
  if (routes.some((name) => name !== 'finance-night')) return refusal(404, 'ROUTE_NOT_FOUND', 'No route')
  if (to.some((name) => name !== 'ops-mail')) return refusal(404, 'DESTINATION_NOT_FOUND', 'No destination')
  if (taskId && taskId !== ETL) return refusal(400, 'VALIDATION', 'taskId is of no task in Qlik Sense')
  return [202, { eventId: 'e', deliveries: [] }] as const
}

const FIRED = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const common = (url: string) => ({ url, key: 'fm_test', timeout: 10_000 })
const fireOptions = (url: string, more: object) => ({
  ...common(url),
  to: [],
  route: [],
  value: [],
  command: 'fire',
  ...more,
})

describe('fire', () => {
  test('takes the name of a task', async () => {
    await using stub = await restStub(api)
    expect(await runFire(fireOptions(stub.url, { task: 'sales etl HOURLY' }), heard())).toBe(0)
    expect(stub.requests.at(-1)).toMatchObject({ path: '/v4/events/fire', body: { taskId: ETL } })
  })

  test.each<[what: string, more: object, code: number, error: string]>([
    [
      'an unknown task',
      { task: 'Sales ETL hurly' },
      3,
      'no task is called "Sales ETL hurly"; did you mean "Sales ETL hourly"?',
    ],
    ['an unknown id', { task: TWIN }, 3, `no task has the id ${TWIN}`],
    ['two tasks', { task: 'Twin' }, 1, `several tasks are called "Twin"; name one by its id: ${TWIN}, ${OTHER}`],
    [
      'an unknown destination',
      { to: ['ops-mial'] },
      3,
      'no destination is called "ops-mial"; did you mean "ops-mail"?',
    ],
    ['an unknown route', { route: ['finance'] }, 3, 'no rule is called "finance"'],
  ])('%s', async (_, more, code, error) => {
    await using stub = await restStub(api)
    const io = heard()
    expect(await runFire(fireOptions(stub.url, more), io)).toBe(code)
    expect(io.stderr()).toBe(`error: fire: ${error}`)
  })
})

describe('fire --wait', () => {
  const base = {
    id: FIRED,
    route: null,
    destination: 'ops-mail',
    target: 'ops@acme.example',
    reason: null,
    detail: null,
    nextAttemptAt: null,
    attempts: [],
  }
  const failedOnce = { attempts: [{ detail: 'connection refused' }], nextAttemptAt: '2099-01-01T00:00:00.000Z' }
  const waiting = (states: readonly object[]) => {
    const left = [...states]
    return restStub(({ path }) => {
      if (path === '/v4/events/fire') return [202, { eventId: 'e', deliveries: [{ ...base, state: 'pending' }] }]
      return [200, { ...base, ...(left.length > 1 ? left.shift() : left[0]) }]
    })
  }

  test('reports each change once, and ends with the delivery', async () => {
    await using stub = await waiting([
      { state: 'pending' },
      { state: 'pending' },
      { state: 'delivered', detail: '250 received' },
    ])
    const io = heard()
    expect(await runFire(fireOptions(stub.url, { wait: true }), io)).toBe(0)
    expect(stub.requests[0]?.body).toEqual({ to: [], routes: [], values: {}, dryRun: false })
    expect(io.stderr().split('\n')).toEqual([
      'ops-mail ops@acme.example: pending',
      'ops-mail ops@acme.example: delivered, 250 received',
    ])
    expect(io.stdout()).toContain('delivered')
  })

  test('says nothing but JSON with --json', async () => {
    await using stub = await waiting([{ state: 'dead', detail: 'HTTP 401' }])
    const io = heard()
    expect(await runFire(fireOptions(stub.url, { wait: true, json: true }), io)).toBe(4)
    expect(io.stderr()).toBe('')
    expect(JSON.parse(io.stdout())).toMatchObject({ deliveries: [{ state: 'dead' }] })
  })

  test('does not wait for an attempt after its time', async () => {
    await using stub = await waiting([{ state: 'pending', ...failedOnce }])
    const io = heard()
    expect(await runFire(fireOptions(stub.url, { wait: true }), io)).toBe(4)
    expect(io.stderr()).toBe(
      'ops-mail ops@acme.example: attempt 1 failed: connection refused. The next one is at 2099-01-01T00:00:00.000Z',
    )
  })
})

test('explain: an unknown task', async () => {
  await using stub = await restStub(api)
  const io = heard()
  expect(await runRoutesExplain({ ...common(stub.url), task: 'Sales ETL' }, io)).toBe(3)
  expect(io.stderr()).toMatch(/^error: routes explain: no task is called "Sales ETL"/)
})

describe('deliveries', () => {
  const list = (url: string, destination: string[]) => ({
    ...common(url),
    destination,
    state: [],
    limit: 50,
    command: 'deliveries list',
  })

  test('of an unknown destination: exit code 3', async () => {
    await using stub = await restStub(api)
    const io = heard()
    expect(await runList('deliveries list', undefined, list(stub.url, ['on-cal']), io)).toBe(3)
    expect(io.stderr()).toBe(
      'error: deliveries list: no destination is called "on-cal"; did you mean "on-call"? (footman destinations)',
    )
  })

  test('of an unknown one among others: a note', async () => {
    await using stub = await restStub(api)
    const io = heard()
    expect(await runList('deliveries list', undefined, list(stub.url, ['ops-mail', 'nowhere']), io)).toBe(0)
    expect(io.stdout()).toContain('ops-mail')
    expect(io.stderr()).toBe('note: no destination is called "nowhere"')
  })

  test('of a known one that has none: nothing to say', async () => {
    await using stub = await restStub(api)
    expect(await runList('deliveries list', undefined, list(stub.url, ['on-call']), heard())).toBe(0)
  })

  test('resend to an unknown one: exit code 3', async () => {
    await using stub = await restStub(api)
    const options = { ...common(stub.url), dead: true, destination: ['ops-mial'], reason: [] }
    const io = heard()
    expect(await runDeliveriesResend([], options, io)).toBe(3)
    expect(io.stderr()).toContain('did you mean "ops-mail"?')
  })
})
