/** Suggestions for fields of forms: what is found, in which order, by whom, and while Qlik Sense is away. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { newKey } from '../support/console.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const ETL = '70000000-0000-4000-8000-000000000001'
const OPS = newKey('ops', 'admin')
const EVENTS = newKey('events', 'event:read')
const TASKS = newKey('tasks', 'task:read')
const REPORTS = newKey('reports', 'report:read')

interface Suggestion {
  readonly value: string
  readonly label: string
  readonly detail?: string
}

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  const keys = [OPS, EVENTS, TASKS, REPORTS].map(({ entry }) => entry)
  product = await footman({
    simulator: site.simulator,
    config: {
      footman: {
        access: { enable: true, keys },
        api: { rateLimitPerMinute: 0 },
        destinations: { 'on-call': { type: 'webhook', url: 'http://127.0.0.1:9/' } },
        calendars: { holidays: { dates: ['2026-12-25'] } },
        windows: { nights: { from: '22:00', to: '06:00' } },
        reportTask: { enable: true },
      },
    },
  })
  await product.start()
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const call = (method: string, path: string, { key } = OPS, body?: unknown) =>
  product.call(method, path, body, { authorization: `Bearer ${key}` })

async function found(path: string, who = OPS): Promise<readonly Suggestion[]> {
  const answer = await call('GET', `/v4/lookup/${path}`, who)
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { suggestions: Suggestion[] }).suggestions
}

test('names that begin so come first, then words that do, then the rest; at most 20', async () => {
  const tasks = await found('task?q=SALES')
  expect(tasks[0]).toEqual({ value: 'Sales ETL hourly', label: 'Sales ETL hourly', detail: 'Sales ETL' })
  const ranks = tasks.map(({ label }) => (/^sales/i.test(label) ? 0 : /\bsales/i.test(label) ? 1 : 2))
  expect(ranks).toEqual(ranks.toSorted())
  expect(new Set(ranks).size).toBe(3)
  const all = await found('timezone')
  expect(all.length).toBe(20)
  expect(all.map(({ label }) => label)).toEqual(
    all.map(({ label }) => label).toSorted((a, b) => a.localeCompare(b, 'en')),
  )
})

test.each<[string, Suggestion]>([
  ['taskId?q=sales+etl', { value: ETL, label: 'Sales ETL hourly', detail: 'Sales ETL' }],
  [`taskId?q=${ETL.toUpperCase()}`, { value: ETL, label: 'Sales ETL hourly', detail: 'Sales ETL' }],
  ['app?q=sales+dash', { value: 'Sales Dashboard', label: 'Sales Dashboard', detail: expect.any(String) }],
  ['appId?q=sales+dash', { value: expect.any(String), label: 'Sales Dashboard', detail: expect.any(String) }],
  ['stream?q=fin', { value: 'Finance', label: 'Finance' }],
  ['tag?q=daily-ref', { value: 'daily-refresh', label: 'daily-refresh' }],
  ['calendar?q=holi', { value: 'holidays', label: 'holidays' }],
  ['window', { value: 'nights', label: 'nights' }],
  ['destination?q=call', { value: 'on-call', label: 'on-call', detail: 'webhook' }],
  ['timezone?q=stock', { value: 'Europe/Stockholm', label: 'Europe/Stockholm' }],
])('%s', async (path, expected) => {
  expect((await found(path))[0]).toEqual(expected)
})

test('custom properties, and the values of one', async () => {
  const [property] = await found('customProperty')
  const { value: name } = property!
  const values = await found(`customPropertyValue?${new URLSearchParams({ of: name })}`)
  const used = [...site.simulator.site.tasks.values()].flatMap(({ customProperties }) =>
    customProperties.filter(({ definition }) => definition.name === name).map(({ value }) => value),
  )
  expect(values.length).toBeGreaterThan(0)
  expect(used).toContain(values[0]!.value)
  expect((await call('GET', '/v4/lookup/customPropertyValue?q=a')).status).toBe(400)
})

test('nodes and users of events, and recipients of reports', async () => {
  site.simulator.setTask(ETL, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(ETL)
  const { user } = await until(
    () => product.rows<{ user: string }>("SELECT user FROM event WHERE user <> '' LIMIT 1")[0],
    { timeout: 30_000 },
  )
  expect((await found('node')).length).toBeGreaterThan(0)
  expect((await found('person')).map(({ value }) => value)).toContain(user)
  const qlikUser = { userDirectory: 'ACME', userId: 'anna' }
  const person = { name: 'Anna Berg', email: 'anna@acme.example', qlikUser }
  expect((await call('POST', '/v4/recipient', OPS, person)).status).toBe(201)
  expect(await found('person?q=berg', REPORTS)).toEqual([
    { value: 'ACME\\anna', label: 'Anna Berg', detail: 'anna@acme.example' },
    { value: 'anna@acme.example', label: 'Anna Berg' },
  ])
  expect(await found('person?q=berg', EVENTS)).toEqual([])
})

test('each kind needs the scope of its things, and the refusal names it', async () => {
  for (const [path, who, scope] of [
    ['task', EVENTS, 'task:read'],
    ['customPropertyValue?of=a', EVENTS, 'task:read'],
    ['destination', TASKS, 'event:read'],
    ['node', TASKS, 'event:read'],
    ['person', TASKS, 'event:read'],
    ['calendar', TASKS, 'schedule:read'],
  ] as const) {
    const answer = await call('GET', `/v4/lookup/${path}`, who)
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain(scope)
  }
  expect((await found('timezone?q=utc', EVENTS))[0]?.value).toBe('UTC')
  expect((await call('GET', '/v4/lookup/colour')).status).toBe(400)
})

test('a snooze ends when its task succeeds', async () => {
  const set = await call('POST', '/v4/snoozes', OPS, { match: { taskId: [ETL] }, untilSuccess: true })
  expect(set.status).toBe(201)
  const snoozes = async () => ((await (await call('GET', '/v4/snoozes')).json()) as { snoozes: unknown[] }).snoozes
  expect(await snoozes()).toMatchObject([{ untilSuccess: true }])
  site.simulator.setTask(ETL, { outcome: 'success', durationMs: 50 })
  site.simulator.runTask(ETL)
  await until(async () => (await snoozes()).length === 0, { timeout: 60_000 })
}, 90_000)

test('what is known stays while Qlik Sense is away', async () => {
  const known = await found('task?q=sales')
  await site[Symbol.asyncDispose]()
  expect(await found('task?q=sales')).toEqual(known)
})
