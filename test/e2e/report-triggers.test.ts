/** Triggers of report tasks with the compiled executable: events by UDP and by polling, a kill, chains, schedules, pairs. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { type Footman, footman } from '../support/footman.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const SALES_APP = 'a1000000-0000-4000-8000-000000000002'
const LOAD = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const WAIT = { timeout: 60_000 }
const space = tempDirectory()
let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  mkdirSync(space.join('finance'))
  product = await footman({
    simulator: site.simulator,
    config: {
      configEngine: {
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      restServerEndpointsEnable: { keyValueStore: true },
      footman: {
        dataDirectory: 'data',
        reportTask: {
          enable: true,
          qlikEventPollSeconds: 10,
          storageSpaces: [{ id: 'finance', name: 'Finance', directory: space.join('finance') }],
        },
      },
    },
  })
  await product.start()
}, 60_000)

afterAll(async () => {
  await product[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await product.call(method, path, body)
  const text = await answer.text()
  expect([path, answer.ok, answer.ok ? '' : text]).toEqual([path, true, ''])
  return JSON.parse(text) as T
}

interface RunAnswer {
  readonly outcome: string | null
  readonly reason: string | null
  readonly trigger: { readonly type: string; readonly key: string }
}

/** A task with this trigger that writes a CSV file. */
async function task(name: string, trigger: object): Promise<string> {
  const columns = [{ label: 'Region', expr: 'Region', kind: 'dimension' }]
  const blocks = [{ key: 'table', type: 'table', columns }]
  const report = await call<{ id: string }>('POST', '/v4/report', { name, appId: SALES_APP, blocks })
  const { id } = await call<{ id: string }>('POST', '/v4/reporttask', {
    name,
    enabled: true,
    reports: [{ key: 'list', reportId: report.id, format: 'csv', fileName: '{report}' }],
    storage: [{ spaceId: 'finance' }],
    triggers: [trigger],
  })
  return id
}

/** Resolves with the runs of the task, oldest first, when there are so many and all have ended. */
async function runs(taskId: string, count: number): Promise<readonly RunAnswer[]> {
  const read = async () => (await call<{ runs: RunAnswer[] }>('GET', `/v4/reporttask/${taskId}/runs`)).runs.toReversed()
  const state = () => product.process.stdout.filter((line) => line.includes('REPORTTASK')).slice(-5)
  return until(
    async () => {
      const all = await read()
      return all.length >= count && all.every(({ outcome }) => outcome !== null) ? all : null
    },
    { ...WAIT, state },
  )
}

async function reload(): Promise<string> {
  site.simulator.setTask(LOAD, { durationMs: 20, outcome: 'success' })
  const ended = site.simulator.ended(LOAD)
  const id = site.simulator.runTask(LOAD)
  await ended
  return id
}

test('a reload starts a task once, also when its message is lost or Footman is killed, and the task starts the next', async () => {
  const first = await task('After reload', { type: 'qlikEvent', event: 'taskSucceeded', match: { taskId: [LOAD] } })
  const next = await task('Chained', { type: 'reportTask', taskId: first, on: ['success'] })
  const pushed = await reload()
  await runs(first, 1)
  // Lost messages are found by polling.
  site.simulator.setUdpTarget(null)
  const lost = await reload()
  await runs(first, 2)
  await product.process.kill9()
  const down = await reload()
  await product.start()
  const all = await runs(first, 3)
  expect(all.map(({ outcome, trigger }) => [outcome, trigger.type, trigger.key])).toEqual(
    [pushed, lost, down].map((id) => ['success', 'qlikEvent', id]),
  )
  expect((await runs(next, 3)).map(({ outcome, trigger }) => [outcome, trigger.type])).toEqual([
    ['success', 'reportTask'],
    ['success', 'reportTask'],
    ['success', 'reportTask'],
  ])
}, 180_000)

test('a key-value pair and a schedule start tasks; the list shows the next time', async () => {
  const byPair = await task('By pair', { type: 'keyValue', namespace: 'Sales', key: 'ready' })
  const bySchedule = await task('By schedule', { type: 'schedule', cron: '* * * * * *' })
  await call('POST', '/v4/keyvalues/Sales', { key: 'ready', value: '1' })
  expect((await runs(byPair, 1)).map(({ trigger }) => trigger.type)).toEqual(['keyValue'])
  const { reportTasks } = await call<{ reportTasks: { nextRunAt: string | null }[] }>(
    'GET',
    '/v4/reporttask?name=By%20schedule',
  )
  expect(Date.parse(reportTasks[0]?.nextRunAt ?? '')).toBeGreaterThan(0)
  await until(async () => (await call<{ total: number }>('GET', `/v4/reporttask/${bySchedule}/runs`)).total > 0, WAIT)
  await call('POST', `/v4/reporttask/${bySchedule}/disable`)
  const [one] = await runs(bySchedule, 1)
  expect(one).toMatchObject({ outcome: 'success', trigger: { type: 'schedule' } })
}, 120_000)

test('a schedule that Footman missed fires once while it may be late, else it is one skipped run', async () => {
  const once = new Date(Date.now() + 5000).toISOString()
  const late = await task('Late', { type: 'schedule', once, maxDelayMinutes: 60 })
  const tooLate = await task('Too late', { type: 'schedule', once, maxDelayMinutes: 0 })
  expect(await product.process.stop()).toBe(0)
  expect(Date.now()).toBeLessThan(Date.parse(once))
  await until(() => Date.now() > Date.parse(once))
  for (const start of ['first', 'second']) {
    await product.start()
    const seen = (await Promise.all([runs(late, 1), runs(tooLate, 1)])).map((all) =>
      all.map(({ outcome, reason, trigger }) => [outcome, reason, trigger.type, trigger.key]),
    )
    expect([start, ...seen]).toEqual([
      start,
      [['success', null, 'schedule', once]],
      [['skipped', 'MISSED_SCHEDULE', 'schedule', `missed until ${once}`]],
    ])
    if (start === 'first') await product.process.kill9()
  }
}, 120_000)

test('killed as soon as the write of a key-value pair is answered: the task starts once', async () => {
  const byPair = await task('By pair, killed', { type: 'keyValue', namespace: 'Sales', key: 'killed' })
  for (const round of [1, 2, 3]) {
    await call('POST', '/v4/keyvalues/Sales', { key: 'killed', value: `round ${round}` })
    await product.process.kill9()
    await product.start()
    const all = await runs(byPair, round)
    expect(all.map(({ outcome, trigger }) => [outcome, trigger.type])).toEqual(
      Array(round).fill(['success', 'keyValue']),
    )
  }
  expect(new Set((await runs(byPair, 3)).map(({ trigger }) => trigger.key)).size).toBe(3)
}, 120_000)
