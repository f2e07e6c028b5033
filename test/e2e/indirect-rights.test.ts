/**
 * What a key reads or causes by way of another part of the executable: triggers, conditions, previews, schedules, imports and
 * the API of the console. Each cause is called with a key of every single scope, and with a session of the console that this key
 * has opened. First come all calls that must be refused, and nothing has happened; then the others.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Key, newKey } from '../support/console.ts'
import { type Everything, everything } from '../support/everything.ts'
import type { Described } from '../support/openapi.ts'
import { opens, SCOPES } from '../support/scopes.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const TASK = '70000000-0000-4000-8000-000000000003'
const APP = 'a1000000-0000-4000-8000-000000000002'
const SECRET = 'Payroll'
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }
const ADMIN = newKey('owner', 'admin')
const keys = new Map(SCOPES.map((scope, index): [string, Key] => [scope, newKey(`key-${index}`, scope)]))

type Headers = Readonly<Record<string, string>>
interface Caller {
  readonly name: string
  readonly scope: string
  /** Before the path. */
  readonly below: string
  readonly headers: Headers
}

let all: Everything
const callers: Caller[] = []
/** Ids of what the causes refer to. */
const ids: Record<string, string> = {}

const bearer = ({ key }: Key): Headers => ({ authorization: `Bearer ${key}` })
const send = (method: string, path: string, body: unknown, headers: Headers) =>
  all.product.call(method, path, body, headers)

async function asAdmin<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await send(method, path, body, bearer(ADMIN))
  const text = await answer.text()
  expect([path, answer.ok, answer.ok ? '' : text]).toEqual([path, true, ''])
  return JSON.parse(text || '{}') as T
}
const created = async (path: string, body: object) => (await asAdmin<{ id: string }>('POST', path, body)).id

/** The same scope by a session of the console. */
async function sessionOf(scope: string, { key }: Key): Promise<Caller> {
  const answer = await send('POST', '/console/api/v4/sessions', { credential: key }, SAME_ORIGIN)
  const { csrf } = (await answer.json()) as { csrf: string }
  const cookie = answer.headers.getSetCookie()[0]!.split(';', 1)[0]!
  const headers = { ...SAME_ORIGIN, cookie, 'x-footman-csrf': csrf }
  return { name: `${scope} in the console`, scope, below: '/console/api', headers }
}

const state = { type: 'taskState', taskId: TASK, is: 'failed' }
const pair = (key: string) => ({ type: 'keyValue', namespace: SECRET, key, op: 'eq', value: 'x' })

beforeAll(async () => {
  all = await everything({
    footman: {
      dataDirectory: 'data',
      api: { rateLimitPerMinute: 0 },
      console: { enable: true },
      mqtt: { receivedTopics: ['reports/#'] },
      reportTask: { enable: true, hub: { enable: true }, baseUrl: 'http://127.0.0.1' },
      access: { enable: true, keys: [ADMIN, ...keys.values()].map(({ entry }) => entry) },
    },
  })
  await all.product.start()
  for (const [scope, key] of keys) {
    callers.push({ name: scope, scope, below: '', headers: bearer(key) }, await sessionOf(scope, key))
  }
  await asAdmin('POST', `/v4/keyvalues/${SECRET}`, { key: 'salary', value: 'x' })
  const report = await created('/v4/report', {
    name: 'R',
    appId: APP,
    blocks: [{ key: 'text', type: 'text', markdown: 'x' }],
  })
  const task = (name: string, more: object) =>
    created('/v4/reporttask', {
      name,
      reports: [{ key: 'r', reportId: report, format: 'pdf' }],
      recipients: [{ type: 'address', address: 'anna@acme.example' }],
      hub: { enabled: true },
      ...more,
    })
  ids.condition = await created('/v4/reportcondition', { name: 'C', appId: null, rules: [pair('salary')] })
  ids.ofTask = await created('/v4/reportcondition', { name: 'S', appId: null, rules: [state] })
  ids.follows = await task('Follows', { conditionIds: [ids.ofTask], enabled: false })
  ids.guarded = await task('Guarded', { conditionIds: [ids.condition] })
  ids.off = await task('Off', { conditionIds: [ids.condition] })
  ids.byTopic = await task('By topic', { triggers: [{ type: 'mqtt', topic: 'reports/go' }] })
  ids.byPair = await task('By pair', { triggers: [{ type: 'keyValue', namespace: 'Open', key: 'go' }] })
  ids.schedule = await created('/v4/schedules', schedule('Stopped'))
  for (const id of [ids.guarded, ids.byTopic, ids.byPair]) await asAdmin('POST', `/v4/reporttask/${id}/enable`)
}, 90_000)
afterAll(async () => all?.[Symbol.asyncDispose]())

const schedule = (name: string, more: object = { qlikSenseTaskId: TASK }) => ({
  name,
  cronSchedule: '0 0 1 1 *',
  timezone: 'Europe/Paris',
  startupState: 'stopped',
  ...more,
})

let count = 0
const unique = () => `N${count++}`

interface Cause {
  readonly operation: string
  readonly causes: string
  /** Scopes beside that of the operation. */
  readonly also: readonly string[]
  readonly path?: () => string
  readonly body?: () => unknown
}

const CAUSES: readonly Cause[] = [
  {
    operation: 'PUT /v4/mqttpublishmessage',
    causes: 'a message starts a report task',
    also: ['report:run'],
    body: () => ({ topic: 'reports/go', message: 'go' }),
  },
  {
    operation: 'PUT /v4/mqttpublishmessage',
    causes: 'a message starts a Qlik task',
    also: ['task:run'],
    body: () => ({ topic: 'qliksense/start_task', message: TASK }),
  },
  {
    operation: 'POST /v4/reportcondition',
    causes: 'a condition reads a pair',
    also: ['kv:read'],
    body: () => ({ name: unique(), appId: null, rules: [pair('salary')] }),
  },
  {
    operation: 'PATCH /v4/reportcondition/{id}',
    causes: 'a changed condition reads a pair',
    also: ['kv:read'],
    path: () => `/v4/reportcondition/${ids.condition}`,
    body: () => ({ rules: [pair('salary')] }),
  },
  {
    operation: 'POST /v4/reportcondition/{id}/test',
    causes: 'a test shows a pair',
    also: ['kv:read'],
    path: () => `/v4/reportcondition/${ids.condition}/test`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/plan',
    causes: 'a plan shows a pair',
    also: ['kv:read'],
    path: () => `/v4/reporttask/${ids.guarded}/plan`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/plan',
    causes: 'a plan of a task that is not saved evaluates expressions',
    also: ['report:write'],
    path: () => '/v4/reporttask/-/plan',
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/start',
    causes: 'a start compares a pair',
    also: ['kv:read'],
    path: () => `/v4/reporttask/${ids.guarded}/start`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/start',
    causes: 'a start with others compares a pair',
    also: ['kv:read'],
    body: () => ({ taskId: [ids.guarded] }),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/enable',
    causes: 'a task that is on compares a pair',
    also: ['kv:read'],
    path: () => `/v4/reporttask/${ids.off}/enable`,
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/copy',
    causes: 'a copy compares a pair',
    also: ['kv:read'],
    path: () => `/v4/reporttask/${ids.guarded}/copy`,
    body: () => ({ name: unique() }),
  },
  {
    operation: 'PATCH /v4/reporttask/{taskId}',
    causes: 'a changed task compares a pair',
    also: ['kv:read'],
    path: () => `/v4/reporttask/${ids.guarded}`,
    body: () => ({ tags: ['t'] }),
  },
  {
    operation: 'POST /v4/reporttask',
    causes: 'a trigger shows that a pair changed',
    also: ['kv:read'],
    body: () => ({ name: unique(), triggers: [{ type: 'keyValue', namespace: SECRET, key: 'salary' }] }),
  },
  {
    operation: 'POST /v4/reporttask/import',
    causes: 'an imported condition reads a pair',
    also: ['kv:read'],
    body: () => ({
      format: 'footman-reports',
      version: 1,
      reportConditions: [{ id: crypto.randomUUID(), name: unique(), appId: null, rules: [pair('salary')] }],
    }),
  },
  {
    operation: 'POST /v4/reportcondition',
    causes: 'a condition reads the state of a Qlik task',
    also: ['task:read'],
    body: () => ({ name: unique(), appId: null, rules: [state] }),
  },
  {
    operation: 'PATCH /v4/reportcondition/{id}',
    causes: 'a changed condition reads the state of a Qlik task',
    also: ['task:read'],
    path: () => `/v4/reportcondition/${ids.ofTask}`,
    body: () => ({ rules: [state] }),
  },
  {
    operation: 'POST /v4/reportcondition/{id}/test',
    causes: 'a test shows the state of a Qlik task',
    also: ['task:read'],
    path: () => `/v4/reportcondition/${ids.ofTask}/test`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/plan',
    causes: 'a plan shows the state of a Qlik task',
    also: ['task:read'],
    path: () => `/v4/reporttask/${ids.follows}/plan`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/start',
    causes: 'a start compares the state of a Qlik task',
    also: ['task:read'],
    path: () => `/v4/reporttask/${ids.follows}/start`,
    body: () => ({}),
  },
  {
    operation: 'POST /v4/reporttask/{taskId}/enable',
    causes: 'a task that is on compares the state of a Qlik task',
    also: ['task:read'],
    path: () => `/v4/reporttask/${ids.follows}/enable`,
  },
  {
    operation: 'POST /v4/reporttask',
    causes: 'a trigger shows that a Qlik task ended',
    also: ['task:read'],
    body: () => ({ name: unique(), triggers: [{ type: 'qlikEvent', event: 'taskFailed', match: { taskId: [TASK] } }] }),
  },
  {
    operation: 'POST /v4/reporttask',
    causes: 'a trigger shows that a message came',
    also: ['message:read'],
    body: () => ({ name: unique(), triggers: [{ type: 'mqtt', topic: 'reports/other' }] }),
  },
  {
    operation: 'POST /v4/reporttask/import',
    causes: 'an imported condition reads the state of a Qlik task',
    also: ['task:read'],
    body: () => ({
      format: 'footman-reports',
      version: 1,
      reportConditions: [{ id: crypto.randomUUID(), name: unique(), appId: null, rules: [state] }],
    }),
  },
  { operation: 'POST /v4/report/-/preview', causes: 'a preview evaluates expressions', also: [], body: () => ({}) },
  { operation: 'POST /v4/reporttask/-/preview', causes: 'a preview evaluates expressions', also: [], body: () => ({}) },
  {
    operation: 'POST /v4/keyvalues/{namespace}',
    causes: 'a pair starts a report task',
    also: [],
    path: () => '/v4/keyvalues/Open',
    body: () => ({ key: 'go', value: unique() }),
  },
  {
    operation: 'POST /v4/reloadtask/{taskId}/start',
    causes: 'a start sets a pair',
    also: ['kv:write'],
    path: () => `/v4/reloadtask/${TASK}/start`,
    body: () => [{ type: 'keyvaluestore', payload: { namespace: 'Open', key: 'go', value: unique(), ttl: 0 } }],
  },
  {
    operation: 'POST /v4/schedules',
    causes: 'a schedule starts tasks',
    also: ['task:run'],
    body: () => schedule(unique()),
  },
  {
    operation: 'PUT /v4/schedules/{id}/start',
    causes: 'an activated schedule starts tasks',
    also: ['task:run'],
    path: () => `/v4/schedules/${ids.schedule}/start`,
  },
  {
    operation: 'POST /v4/schedules/{id}/run',
    causes: 'a run of a schedule starts tasks',
    also: ['task:run'],
    path: () => `/v4/schedules/${ids.schedule}/run`,
  },
  {
    operation: 'PUT /v4/schedules/startall',
    causes: 'all schedules start tasks',
    also: ['task:run'],
  },
  {
    operation: 'PUT /v4/app/{appId}/reload',
    causes: 'a reload starts tasks that follow',
    also: ['task:run'],
    path: () => `/v4/app/${APP}/reload`,
    body: () => ({ startQSEoWTaskOnSuccess: [TASK] }),
  },
  // From now on all schedules together need `app:read`, too.
  {
    operation: 'POST /v4/schedules',
    causes: 'a schedule dumps apps',
    also: ['app:read'],
    body: () => schedule(unique(), { qlikSenseTaskId: '', action: { type: 'appDump', folder: 'nightly', keep: 2 } }),
  },
]

/** `allowed`, or `FORBIDDEN`: whether the caller may, whatever becomes of it. */
async function verdict(cause: Cause, { below, headers }: Caller): Promise<string> {
  const [method = '', path = ''] = cause.operation.split(' ')
  const answer = await send(method, below + (cause.path?.() ?? path), cause.body?.(), headers)
  const { code } = (answer.status === 204 ? {} : await answer.json().catch(() => ({}))) as { code?: string }
  return answer.status === 403 ? (code ?? 'FORBIDDEN') : 'allowed'
}

async function cellsBy(isAllowed: boolean): Promise<{ found: string[]; expected: string[] }> {
  const { paths } = await asAdmin<Described>('GET', '/documentation/json')
  const own = (operation: string): string => {
    const [method = '', path = ''] = operation.split(' ')
    return Object.values(paths[path]?.[method.toLowerCase()]?.security?.[0] ?? {})[0]?.[0] ?? 'none is documented'
  }
  const [found, expected]: [string[], string[]] = [[], []]
  for (const cause of CAUSES) {
    const wanted = [own(cause.operation), ...cause.also]
    const cells = callers.filter(({ scope }) => wanted.every((one) => opens(scope, one)) === isAllowed)
    expect([cause.operation, cells.length > 0]).toEqual([cause.operation, true])
    while (cells.length > 0) {
      const batch = cells.splice(0, 8).map(async (caller) => [caller.name, await verdict(cause, caller)] as const)
      for (const [name, result] of await Promise.all(batch)) {
        found.push(`${cause.operation} (${cause.causes}) by ${name}: ${result}`)
        expected.push(`${cause.operation} (${cause.causes}) by ${name}: ${isAllowed ? 'allowed' : 'FORBIDDEN'}`)
      }
    }
  }
  return { found, expected }
}

const runsOf = async (id: string): Promise<number> =>
  (await asAdmin<{ total: number }>('GET', `/v4/reportrun?taskId=${id}`)).total
const startsOf = () =>
  all.site.simulator.requests({ listener: 'qrs' }).filter(({ path }) => path.includes('/start')).length

test('a scope alone causes nothing that another one guards, by a key and in the console', async () => {
  const { found, expected } = await cellsBy(false)
  expect(found).toEqual(expected)
  // A message on a topic of its own comes back after all messages that were let through.
  await asAdmin('PUT', '/v4/mqttpublishmessage', { topic: 'reports/last', message: 'x' })
  await until(async () => JSON.stringify(await asAdmin('GET', '/v4/mqttmessages')).includes('reports/last'))
  expect(await Promise.all(['guarded', 'byTopic', 'byPair'].map((name) => runsOf(ids[name]!)))).toEqual([0, 0, 0])
  expect(startsOf()).toBe(0)
}, 120_000)

test('the scopes together do, and it happens', async () => {
  const { found, expected } = await cellsBy(true)
  expect(found).toEqual(expected)
  for (const name of ['guarded', 'byTopic', 'byPair']) {
    await until(async () => (await runsOf(ids[name]!)) > 0, { what: `a run of ${name}` })
  }
  await until(() => startsOf() > 0, { what: 'a start of the task' })
}, 120_000)

test('lists of everything show pairs to callers that may read them', async () => {
  const found: string[] = []
  for (const { name, below, headers } of callers) {
    const search = await send('GET', `${below}/v4/search?q=${SECRET}`, undefined, headers)
    const stream = await send('GET', `${below}/v4/stream?topic=keyValue`, undefined, headers)
    await stream.body?.cancel()
    found.push(`${name}: ${(await search.text()).includes(`"${SECRET}"`)} ${stream.status < 300}`)
  }
  expect(found).toEqual(
    callers.map(({ name, scope }) => `${name}: ${opens(scope, 'kv:read')} ${opens(scope, 'kv:read')}`),
  )
})

test('the cookie of a session opens nothing outside of the console, and writes nothing without the token of a page', async () => {
  const { headers } = callers.find(({ name }) => name === 'admin in the console')!
  const { 'x-footman-csrf': _, ...cookie } = headers
  const pairOf = (key: string) => ({ key, value: 'x' })
  const outside = await send('POST', '/v4/keyvalues/Open', pairOf('cookie'), headers)
  const read = await send('GET', `/v4/keyvalues/${SECRET}?key=salary`, undefined, headers)
  const without = await send('POST', '/console/api/v4/keyvalues/Open', pairOf('cookie'), cookie)
  expect([outside.status, read.status, without.status]).toEqual([401, 401, 403])
  expect(await asAdmin<object>('GET', '/v4/keyvalues/Open/keyexists?key=cookie')).toMatchObject({ keyExists: false })
})
