/** What needs attention and the timeline, through the executable and a simulated site: a broken chain and its repair. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { atMost, until } from '../support/wait.ts'

const ETL = '70000000-0000-4000-8000-000000000001'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const PRELOAD = '74000000-0000-4000-8000-000000000001'
const SLOW = '70000000-0000-4000-8000-000000000007'

interface Item {
  readonly key: string
  readonly kind: string
  readonly parent: string | null
  readonly count: number
  readonly eventId: string
  readonly behind: readonly { readonly taskId: string }[]
}
interface Attention {
  readonly items: readonly Item[]
  readonly hidden: readonly string[]
  readonly count: number
}
interface Timeline {
  readonly summary: Readonly<Record<string, number>>
  readonly groups: readonly {
    readonly key: string | null
    readonly problems: number
    readonly rows: readonly {
      readonly taskId: string
      readonly state: string
      readonly bars: readonly { readonly kind: string }[]
    }[]
  }[]
}

let site: TestSite
let sink: HttpSink
let product: Footman

beforeAll(async () => {
  ;[site, sink] = await Promise.all([startSite(), startHttpSink()])
  product = await footman({
    simulator: site.simulator,
    webhookUrl: sink.url,
    config: {
      footman: {
        dataDirectory: 'data',
        destinations: { ops: { type: 'webhook', url: sink.url } },
        alertRoutes: [{ name: 'failures', match: { outcome: ['failed'] }, to: ['ops'] }],
      },
    },
  })
  await product.start()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await sink?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const get = async <T>(path: string): Promise<T> => {
  const answer = await product.call('GET', path)
  expect(answer.status).toBe(200)
  return (await answer.json()) as T
}
const itemOf = async (key: string, query = '') =>
  (await get<Attention>(`/v4/attention${query}`)).items.find((item) => item.key === key)
const KEY = `taskFailed:${ETL}`

test('a failed task is an item with its cause, its alerts and the tasks behind it', async () => {
  site.simulator.setTask(ETL, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(ETL)
  const item = await until(
    async () => {
      const found = await itemOf(KEY)
      return found && (found as unknown as { alerted: unknown[] }).alerted.length > 1 ? found : undefined
    },
    { timeout: 30_000 },
  )
  expect(item).toMatchObject({
    kind: 'taskFailed',
    severity: 'error',
    title: 'Sales ETL hourly',
    count: 1,
    parent: null,
    quiet: null,
    task: { taskId: ETL, taskName: 'Sales ETL hourly' },
    retry: null,
    taken: null,
    recovered: null,
    alerted: expect.arrayContaining([expect.objectContaining({ destination: 'ops', at: expect.any(String) })]),
    cause: expect.any(String),
    executionId: expect.any(String),
    eventId: expect.any(String),
  } as never)
  expect(item.behind.map(({ taskId }) => taskId)).toEqual([DASHBOARD, PRELOAD])
  const { hidden, count } = await get<Attention>('/v4/attention')
  expect(hidden).toEqual([])
  expect((await get<{ count: number }>('/v4/attention/count')).count).toBe(count)
}, 60_000)

test('an item can be taken and given back, and both are in the audit', async () => {
  const path = `/v4/attention/${encodeURIComponent(KEY)}/taken`
  const taken = await product.call('PUT', path, { note: 'I look at it' })
  expect(taken.status).toBe(200)
  expect(await taken.json()).toMatchObject({ key: KEY, taken: { by: 'anonymous', note: 'I look at it' } })
  expect(await itemOf(KEY)).toMatchObject({ taken: { note: 'I look at it' } } as never)
  expect((await product.call('DELETE', path)).status).toBe(204)
  expect((await product.call('DELETE', path)).status).toBe(404)
  expect((await product.call('PUT', '/v4/attention/taskFailed%3Anone/taken', {})).status).toBe(404)
  const { audit } = await get<{ audit: { action: string; target: string[] }[] }>('/v4/audit?action=attention.*')
  expect(audit.map(({ action }) => action)).toContain('attention.take')
  expect(audit.map(({ action }) => action)).toContain('attention.giveBack')
}, 90_000)

test('a snooze shows at the item', async () => {
  const set = await product.call('POST', '/v4/snoozes', { match: { taskId: [ETL] }, for: '2h', reason: 'known' })
  const { id } = (await set.json()) as { id: string }
  expect(await itemOf(KEY)).toMatchObject({ quiet: { reason: 'SNOOZED' } } as never)
  await product.call('DELETE', `/v4/snoozes/${id}`)
  expect(await itemOf(KEY)).toMatchObject({ quiet: null } as never)
}, 90_000)

test('the timeline shows the failure first, and planned starts after now', async () => {
  const { summary, groups } = await get<Timeline>('/v4/timeline?from=1h&group=task&only=all&future=24h')
  expect(summary).toMatchObject({ failed: 1, recovered: 0, stillFailing: 1 })
  const [first] = groups
  expect(first).toMatchObject({ key: 'Sales ETL hourly', problems: 1, rows: [{ taskId: ETL, state: 'failed' }] })
  expect(first?.rows[0]?.bars.map(({ kind }) => kind)).toContain('forecast')
  const runs = (await get<{ executions: unknown[] }>('/v4/history?from=1h&limit=500')).executions.length
  expect(summary.runs).toBe(runs)
  const byStream = await get<Timeline>('/v4/timeline?from=1h&only=all&future=24h')
  expect(byStream.groups.length).toBeGreaterThan(1)
  const problems = await get<Timeline & { rowsLeftOut: number }>('/v4/timeline?from=1h&only=problems')
  expect(problems.groups.flatMap(({ rows }) => rows).every(({ taskId }) => taskId === ETL)).toBe(true)
}, 90_000)

test('a task that runs has a bar with its expected end', async () => {
  site.simulator.runTask(SLOW)
  const bar = await until(
    async () => {
      const { groups } = await get<Timeline>('/v4/timeline?from=1h&only=all')
      const row = groups.flatMap(({ rows }) => rows).find(({ taskId }) => taskId === SLOW)
      return row?.bars.find(({ kind }) => kind === 'running')
    },
    { timeout: 20_000 },
  )
  expect(bar).toMatchObject({
    state: 'running',
    over: expect.any(Boolean),
    expectedEnd: expect.any(String),
    executionId: expect.any(String),
  } as never)
}, 90_000)

test.each([
  ['/v4/timeline?from=2026-01-01&to=2025-01-01', 'from must be before to'],
  ['/v4/timeline?from=60d', 'from must be at most 31 days before to'],
  ['/v4/timeline?group=colour', 'group must be stream, task, app, node, type, tag:<prefix> or property:<name>'],
  ['/v4/timeline?future=9d', 'future must be a length of time like 3h, at most 48h'],
])('%s is refused', async (path, details) => {
  const answer = await product.call('GET', path)
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ code: 'VALIDATION', details })
})

test('a success ends the item, which is well again then', async () => {
  site.simulator.setTask(ETL, { outcome: 'success', durationMs: 50 })
  site.simulator.runTask(ETL)
  await until(async () => ((await itemOf(KEY)) ? undefined : true), { timeout: 30_000 })
  expect(await itemOf(KEY, '?state=recovered&from=1h')).toMatchObject({
    recovered: { how: 'itself', by: null },
  } as never)
  expect((await get<Timeline>('/v4/timeline?from=1h')).summary).toMatchObject({ recovered: 1, stillFailing: 0 })
}, 60_000)

test('Qlik Sense down: the list and the timeline go on with what is known', async () => {
  site.simulator.setTask(ETL, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(ETL)
  await until(() => itemOf(KEY), { timeout: 30_000 })
  site.simulator.fault({ listener: 'qrs', match: '.*', mode: 'hang', times: 1000 } as never)
  const startedAt = Date.now()
  expect(await itemOf(KEY)).toMatchObject({ title: 'Sales ETL hourly' } as never)
  expect((await get<Timeline & { stale: boolean }>('/v4/timeline?from=1h')).groups.length).toBeGreaterThan(0)
  expect(Date.now() - startedAt).toBeLessThan(atMost(10_000))
}, 60_000)
