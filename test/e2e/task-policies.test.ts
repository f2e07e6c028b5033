/** Policies of tasks by match, through the executable: retried without a custom property, and changed by a reload. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import type { TaskDetail } from '../../src/tasks/overview/contract.ts'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { setTaskProperty } from '../support/safety-net.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const FLAKY = '70000000-0000-4000-8000-000000000008'
const OTHER = '70000000-0000-4000-8000-000000000012'

interface Policy {
  readonly name: string
  readonly [key: string]: unknown
}

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  const { name, app } = site.simulator.site.tasks.get(FLAKY)!
  const stream = site.simulator.site.apps.get(app?.id ?? '')?.stream?.name ?? ''
  const policy: Policy = {
    name: 'flaky',
    match: { task: name, stream, type: 'reload' },
    retry: '1x/10s',
    watch: { stuck: '2h', dueBy: 'mon-sun 07:30' },
  }
  product = await footman({
    simulator: site.simulator,
    config: { footman: { watchConfig: false, taskPolicies: [policy] } },
  })
  await product.start()
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const retries = (taskId: string) =>
  product.rows<{ execution_id: string; attempt: number; max: number; state: string }>(
    `SELECT execution_id, attempt, max, state FROM task_retry WHERE task_id = '${taskId}' ORDER BY id`,
  )
const failures = (taskId: string) =>
  product.rows<{ state: string }>(
    `SELECT state FROM event WHERE task_id = '${taskId}' AND outcome = 'failed' AND state = 'routed'`,
  ).length

async function fail(taskId: string): Promise<void> {
  const before = failures(taskId)
  site.simulator.setTask(taskId, { outcome: 'fail', durationMs: 50, maxRetries: 0 })
  site.simulator.runTask(taskId)
  await until(() => failures(taskId) > before, { timeout: 30_000 })
}

async function detail(taskId: string): Promise<TaskDetail> {
  const answer = await product.call('GET', `/v4/tasks/${taskId}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as TaskDetail
}

function write(...taskPolicies: readonly Policy[]): void {
  const whole = JSON.parse(readFileSync(product.configFile, 'utf8')) as { Butler: { footman: object } }
  Object.assign(whole.Butler.footman, { taskPolicies })
  writeFileSync(product.configFile, JSON.stringify(whole))
}

test('a failed task without a custom property is started again by the policy that covers it', async () => {
  await fail(FLAKY)
  await until(() => retries(FLAKY)[0]?.state === 'started', { timeout: 40_000, state: () => retries(FLAKY) })
  await until(() => failures(FLAKY) === 2, { timeout: 30_000 })
  expect(retries(FLAKY)).toMatchObject([{ attempt: 1, max: 1, state: 'started' }])
}, 90_000)

test('one that no policy covers is not', async () => {
  await fail(OTHER)
  expect(retries(OTHER)).toEqual([])
}, 60_000)

test('the API and the page of the task name the policy', async () => {
  const from = { kind: 'policy', name: 'flaky' } as const
  expect(await detail(FLAKY)).toMatchObject({
    retryPolicy: '1x/10s',
    watchPolicy: 'stuck=2h',
    dueBy: ['mon-sun 07:30'],
    policySources: { retry: from, watch: from, dueBy: from },
  })
  expect(await detail(OTHER)).toMatchObject({
    retryPolicy: null,
    watchPolicy: null,
    policySources: { retry: null, watch: null, dueBy: null },
  })
  const page = await (await product.call('GET', `/console/tasks/${FLAKY}`)).text()
  expect(page.replaceAll(/<[^>]*>/g, '')).toMatch(
    /Retry1x\/10s policy flaky.*Watchstuck=2h policy flaky.*Due bymon-sun 07:30 policy flaky/s,
  )
}, 60_000)

test('a reload changes policies at once: switched off, then for another task', async () => {
  write({ name: 'silent', match: { taskId: FLAKY }, retry: 'none' }, { name: 'all', retry: '2x/1h' })
  const answer = await product.call('POST', '/v4/config/reload')
  expect((await answer.json()) as object).toMatchObject({ changed: ['Butler.footman.taskPolicies'], needsRestart: [] })
  const before = retries(FLAKY)
  await fail(FLAKY)
  expect(retries(FLAKY)).toEqual(before)
  expect(await detail(FLAKY)).toMatchObject({
    retryPolicy: 'none',
    policySources: { retry: { kind: 'policy', name: 'silent' }, watch: null },
  })
  await fail(OTHER)
  expect(retries(OTHER)).toMatchObject([{ attempt: 1, max: 2, state: 'due' }])
}, 90_000)

test('a custom property of the task wins', async () => {
  const [task] = site.simulator.addTasks(1)
  setTaskProperty(site.simulator, task!, 'retryPolicy', '5x/2h')
  await fail(task!)
  expect(retries(task!)).toMatchObject([{ attempt: 1, max: 5, state: 'due' }])
}, 60_000)

test('a wrong policy changes nothing, and the check names its place', async () => {
  write({ name: 'all', retry: '2x/1h' }, { name: 'typo', retry: '3x5m' })
  const answer = await product.call('POST', '/v4/config/reload')
  expect(answer.status).toBe(400)
  const place = 'Butler.footman.taskPolicies[1].retry: must be a retry policy; "3x5m" is neither none nor'
  expect(JSON.stringify(await answer.json()).replaceAll('\\"', '"')).toContain(place)
  const { code, stdout, stderr } = await runToEnd(['check', '-c', product.configFile])
  expect([code, stdout + stderr]).toEqual([1, expect.stringContaining(place)])
  expect((await detail(FLAKY)).policySources.retry).toEqual({ kind: 'policy', name: 'silent' })
}, 60_000)
