/** One task through the executable and a simulated site: triggers, expected end, durations, strips, filters, its log. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const ETL = '70000000-0000-4000-8000-000000000001'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const QVDS = '70000000-0000-4000-8000-000000000002'
const FTP = '71000000-0000-4000-8000-000000000001'
const REPORT = 'b9c5d234-efe5-6789-abcd-ef0123456789'
const SLOW = '70000000-0000-4000-8000-000000000007'
const UNKNOWN = '70000000-0000-4000-8000-999999999999'

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  product = await footman({ simulator: site.simulator, config: { footman: { dataDirectory: 'data' } } })
  await product.start()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const get = async <T = Record<string, unknown>>(path: string): Promise<T> => {
  const answer = await product.call('GET', path)
  expect(answer.status).toBe(200)
  return (await answer.json()) as T
}

test('a task has its triggers with times and rules, and the tasks that follow', async () => {
  const dashboard = await get(`/v4/tasks/${DASHBOARD}`)
  expect(dashboard).toMatchObject({
    taskId: DASHBOARD,
    taskName: 'Financial Dashboard Reload',
    runningExecution: null,
    stale: false,
    dueBy: [],
    triggers: [
      { kind: 'time', source: 'qlik', name: 'Daily 06:00', text: 'daily at 06:00', enabled: true },
      {
        kind: 'gate',
        name: 'After ETL',
        text: 'after success of Sales ETL hourly',
        broken: false,
        withinMs: 21_600_000,
      },
    ],
    followedBy: [{ taskName: 'Preload Sales Dashboard', on: 'success', alsoNeeds: [] }],
  })
  const [times] = dashboard.triggers as { next: string[] }[]
  expect(times?.next.length).toBe(5)
  const { nextExecution } = (await get<{ tasks: { nextExecution: string }[] }>(`/v4/tasks?taskId=${DASHBOARD}`))
    .tasks[0]!
  expect(Date.parse(times?.next[0] ?? '')).toBe(Date.parse(nextExecution))
  expect(await get(`/v4/tasks/${QVDS}`)).toMatchObject({
    followedBy: [{ taskId: REPORT, alsoNeeds: [{ taskId: FTP, taskName: 'Nightly FTP fetch' }] }],
  })
  expect(await get(`/v4/tasks/${REPORT}`)).toMatchObject({
    triggers: [
      {
        kind: 'gate',
        rules: [
          { taskId: QVDS, on: 'success' },
          { taskId: FTP, on: 'success' },
        ],
      },
    ],
  })
}, 90_000)

test('an unknown task is 404, what is no id 400', async () => {
  expect((await product.call('GET', `/v4/tasks/${UNKNOWN}`)).status).toBe(404)
  expect((await product.call('GET', '/v4/tasks/none')).status).toBe(400)
})

describe('runs', () => {
  test('have points, a strip and a filter for what is slower than usual', async () => {
    site.simulator.setTask(ETL, { outcome: 'success', durationMs: 20 })
    for (let n = 0; n < 7; n += 1) {
      if (n === 6) site.simulator.setTask(ETL, { durationMs: 2500 })
      expect((await product.call('POST', `/v4/reloadtask/${ETL}/start?wait=30`)).status).toBe(200)
    }
    const strip = await until(
      async () => {
        const { strips, usual } = await get<{
          strips: Record<string, { outcome: string; runMs: number }[]>
          usual: Record<string, { p50Ms: number; samples: number }>
        }>(`/v4/tasks/-/strips?taskId=${ETL}&taskId=${UNKNOWN}&n=20`)
        expect(strips[UNKNOWN]).toEqual([])
        expect(usual[UNKNOWN]).toBeUndefined()
        const runs = strips[ETL]!.map(({ runMs }) => runMs).sort((a, b) => a - b)
        // Fewer than five runs: those of other tasks of the type count, too.
        if (runs.length >= 5) expect(usual[ETL]!.p50Ms).toBe(runs[Math.ceil(runs.length / 2) - 1]!)
        return strips[ETL]!.length >= 8 && strips[ETL]!.at(-1)!.runMs >= 2000 ? strips[ETL] : undefined
      },
      { timeout: 30_000 },
    )
    expect(strip.every(({ outcome }) => outcome === 'success')).toBe(true)
    const { points, truncated } = await get<{ points: { stoppedAt: string }[]; truncated: boolean }>(
      `/v4/tasks/${ETL}/durations?from=1h`,
    )
    expect(points.length).toBeGreaterThanOrEqual(7)
    expect(truncated).toBe(false)
    const { tasks } = await get<{ tasks: { taskId: string }[] }>('/v4/tasks?slower=1.5')
    expect(tasks.map(({ taskId }) => taskId)).toContain(ETL)
    expect((await get<{ tasks: unknown[] }>('/v4/tasks?slower=900')).tasks).toEqual([])
  }, 60_000)

  test('that go on are listed first, with their expected end at the task', async () => {
    const id = site.simulator.runTask(SLOW)
    const [first] = await until(
      async () => {
        const { executions } = await get<{ executions: { executionId: string; state: string }[] }>(
          `/v4/executions?taskId=${SLOW}&limit=5`,
        )
        return executions[0]?.state === 'running' ? executions : undefined
      },
      { timeout: 20_000 },
    )
    expect(first).toMatchObject({ executionId: id, taskId: SLOW, stoppedAt: null } as never)
    expect(await get(`/v4/executions?id=${id}&state=running`)).toMatchObject({ executions: [{ executionId: id }] })
    expect(await get(`/v4/executions?state=finished&taskId=${SLOW}&limit=1`)).toMatchObject({
      executions: [{ state: 'finished' }],
    })
    expect(await get(`/v4/tasks/${SLOW}`)).toMatchObject({
      state: 'running',
      runningExecution: { executionId: id, expectedEnd: expect.any(String) },
    })
  }, 90_000)
})

test('the log can be read from a line on', async () => {
  const { executions } = await get<{ executions: { executionId: string }[] }>(`/v4/history?taskId=${ETL}&limit=1`)
  const path = `/v4/execution/${executions[0]?.executionId}/log`
  const whole = await until(async () => {
    const answer = await product.call('GET', path)
    return answer.status === 200 && answer
  })
  const lines = (await whole.text()).split(/(?<=\n)/)
  expect(whole.headers.get('x-log-lines')).toBe(String(lines.length))
  const rest = await product.call('GET', `${path}?fromLine=3`)
  expect(await rest.text()).toBe(lines.slice(2).join(''))
  expect(rest.headers.get('x-log-lines')).toBe(String(lines.length))
  expect(await (await product.call('GET', `${path}?fromLine=${lines.length + 1}`)).text()).toBe('')
}, 90_000)

test('a dry run of a start names each task, and starts nothing', async () => {
  const before = (await get<{ executions: unknown[] }>('/v4/executions?state=running')).executions.length
  const body = { taskId: [QVDS, SLOW, '70000000-0000-4000-8000-000000000009', UNKNOWN] }
  const answer = await product.call('POST', '/v4/reloadtask/-/start?dryRun=true', body)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({
    tasksStarted: [{ taskId: QVDS, taskName: 'Finance QVD nightly', status: 'would start' }],
    tasksDenied: [],
    tasksDisabled: [{ taskId: '70000000-0000-4000-8000-000000000009', taskName: 'Disabled reload' }],
    tasksRunning: [{ taskId: SLOW, taskName: 'Slow Warehouse Load' }],
    tasksNotFound: [UNKNOWN],
    follows: 1,
  })
  expect((await get<{ executions: unknown[] }>('/v4/executions?state=running')).executions.length).toBe(before)
}, 90_000)
