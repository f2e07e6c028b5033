/** Failures that nobody announced, and what is done about those that were, through the executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { createSimClock } from '../../src/simulator/clock.ts'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { setTaskProperty } from '../support/safety-net.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const LONG_AGO = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const LATELY = '70000000-0000-4000-8000-000000000011'
const STUCK = '70000000-0000-4000-8000-000000000007'
const USER_SYNC = '72000000-0000-4000-8000-000000000002'
const HEALTHY = '70000000-0000-4000-8000-000000000013'
const MADE_UP = '0bad2222-0000-4000-8000-000000000001'
const RETRIED = '70000000-0000-4000-8000-000000000012'

interface EventRow {
  readonly source: string
  readonly outcome: string
  readonly state: string
  readonly reason: string | null
  readonly taskId: string
}

let site: TestSite
let sink: HttpSink
let product: Footman

/** Changes the database of a Footman that is not running. */
function change(sql: string, ...values: number[]): void {
  const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
  db.prepare(sql).run(...values)
  db.close()
}

/** Runs a task at that time of the site's clock; resolves with its execution id. */
async function runAt(
  at: number,
  task: string,
  behaviour: Parameters<TestSite['simulator']['setTask']>[1],
): Promise<string> {
  const { simulator } = site
  simulator.clock.set(at)
  simulator.setTask(task, { durationMs: 30, ...behaviour })
  const ended = simulator.ended(task)
  const id = simulator.runTask(task)
  await ended
  return id
}

const eventsOf = async (query: string): Promise<EventRow[]> => {
  const answer = await product.call('GET', `/v4/events?limit=500&${query}`)
  return ((await answer.json()) as { events: EventRow[] }).events
}
const alerted = (): string[] =>
  sink.requests
    .filter(({ url }) => !url.includes('tickets'))
    .map(({ body }) => (JSON.parse(body) as { executionId: string }).executionId)

beforeAll(async () => {
  sink = await startHttpSink()
  // Behind the clock of Footman: what ends has ended long enough ago at once.
  site = await startSite({}, { clock: createSimClock({ now: Date.now() - 3 * MINUTE }) })
  product = await footman({
    simulator: site.simulator,
    webhookUrl: sink.url,
    config: {
      footman: {
        reconciler: { interval: '10s' },
        destinations: { tickets: { type: 'webhook', url: `${sink.url}/tickets` } },
        alertRoutes: [{ name: 'syncs', match: { type: 'userSync' }, to: ['tickets'] }],
      },
    },
  })
  await product.start()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
  await product.process.kill9()
  const now = Date.now()
  change('UPDATE safety_net_mark SET at = ?', now - 4 * HOUR)
  change(
    'INSERT OR REPLACE INTO safety_net_mark VALUES (?, ?)'.replace('?, ?', "'reconciler.looked', ?"),
    now - 4 * HOUR,
  )
}, 40_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
  await sink?.stop()
})

describe('after an outage', () => {
  test('what failed within the last hour is alerted once, what failed before is recorded', async () => {
    const { simulator } = site
    const longAgo = await runAt(Date.now() - 3 * HOUR, LONG_AGO, { outcome: 'fail' })
    const lately = await runAt(Date.now() - 30 * MINUTE, LATELY, { outcome: 'fail' })
    setTaskProperty(simulator, STUCK, 'watchPolicy', 'stuck=2m')
    simulator.setTask(STUCK, { outcome: 'hang' })
    simulator.runTask(STUCK)
    simulator.clock.set(Date.now() - 3 * MINUTE)
    await product.start()

    await until(() => alerted().length > 0, { timeout: 30_000 })
    expect(alerted()).toEqual([lately])
    expect(await eventsOf('source=reconciler')).toMatchObject([
      { taskId: LATELY, outcome: 'failed', state: 'routed', reason: null },
      { taskId: LONG_AGO, outcome: 'failed', state: 'ignored', reason: 'TOO_OLD' },
    ] as never)
    const history = await product.call('GET', `/v4/history?taskId=${LONG_AGO}&from=1d`)
    expect(((await history.json()) as { executions: { executionId: string }[] }).executions[0]?.executionId).toBe(
      longAgo,
    )
  }, 60_000)

  test('a task that has run for too long is found, and listed by the command', async () => {
    await until(async () => (await eventsOf('source=watchdog&state=routed')).length > 0, { timeout: 40_000 })
    const listed = await runToEnd(['events', 'list', '--source', 'watchdog', '-c', product.configFile, '--json'])
    expect(JSON.parse(listed.stdout)).toMatchObject({
      events: [{ taskId: STUCK, outcome: 'stuck', severity: 'warning' }],
    })
    expect(sink.requests).toHaveLength(1)
  }, 60_000)
})

test('a user sync that failed, which no log appender tells, is alerted', async () => {
  const { simulator } = site
  simulator.setTask(USER_SYNC, { outcome: 'fail', durationMs: 50 })
  const ended = simulator.ended(USER_SYNC)
  simulator.runTask(USER_SYNC)
  await ended
  const [call] = await sink.received(1, { timeout: 30_000, match: ({ url }) => url.includes('tickets') })
  expect(call!.body).toContain('ERP_UserSync')
  expect(await eventsOf(`taskId=${USER_SYNC}`)).toMatchObject([
    { source: 'reconciler', type: 'userSync', outcome: 'failed' },
  ] as never)
}, 60_000)

describe('when one message in five is lost', () => {
  test('every failure is alerted, and once', async () => {
    const { simulator } = site
    sink.requests.length = 0
    simulator.setModes({ udp: { dropPercent: 20 } })
    for (const node of simulator.site.nodes.values()) node.maxConcurrentEngines = 50
    const tasks = simulator.addTasks(40)
    const ends = tasks.map((task) => {
      simulator.setTask(task, { outcome: 'fail', durationMs: 100 })
      return simulator.ended(task)
    })
    const executions = tasks.map((task) => simulator.runTask(task))
    await Promise.all(ends)
    simulator.setModes({ udp: { dropPercent: 0 } })
    await until(() => alerted().length >= executions.length, { timeout: 60_000, state: () => alerted().length })
    expect(alerted().toSorted()).toEqual(executions.toSorted())
    expect((await eventsOf('source=reconciler')).length).toBeGreaterThan(2)
  }, 90_000)
})

describe('a retry', () => {
  test('that is due when Footman is killed happens once; the alert comes after it and says so', async () => {
    const { simulator } = site
    sink.requests.length = 0
    setTaskProperty(simulator, RETRIED, 'retryPolicy', '1x/10m')
    simulator.clearRequests()
    const first = await runAt(Date.now() - 3 * MINUTE, RETRIED, { outcome: 'fail' })
    await until(async () => product.rows<{ state: string }>('SELECT state FROM task_retry')[0]?.state === 'due', {
      timeout: 20_000,
    })
    const held = await product.call('GET', `/v4/deliveries?taskId=${RETRIED}`)
    expect(((await held.json()) as { deliveries: object[] }).deliveries).toMatchObject([
      { state: 'suppressed', reason: 'RETRY_PENDING' },
    ])
    await product.process.kill9()
    change('UPDATE task_retry SET due_at = ?', Date.now() - 1000)
    const ended = simulator.ended(RETRIED)
    await product.start()
    const retried = await ended
    // A task that follows this one in the site fails as well.
    const ofRetried = () => alerted().filter((id) => id === first || id === retried.executionID)
    await until(() => ofRetried().length > 0, { timeout: 30_000 })
    expect(ofRetried()).toEqual([retried.executionID])
    expect(retried.executionID).not.toBe(first)
    const starts = simulator
      .requests({ listener: 'qrs' })
      .filter(({ method, path }) => method === 'POST' && /\/start/.test(path))
    expect(starts).toHaveLength(1)
    const audit = await product.call('GET', '/v4/audit?actor=retry')
    expect(((await audit.json()) as { audit: object[] }).audit).toMatchObject([{ action: 'task.start', outcome: 'ok' }])
    const [event] = await eventsOf(`executionId=${retried.executionID}&outcome=failed`)
    const detail = await product.call('GET', `/v4/events/${(event as unknown as { id: string }).id}`)
    expect(((await detail.json()) as { record: object }).record).toMatchObject({
      retryAttempt: 1,
      retryMax: 1,
      retryNextAt: '',
    })
    const metrics = await (await product.call('GET', '/metrics')).text()
    expect(metrics).toContain('footman_task_retries_total{result="started"} 1')
  }, 90_000)
})

describe('a message that anybody could have sent about a task with a retry policy', () => {
  const send = (type: string, execution: string) =>
    site.simulator.sendRaw(
      `/scheduler-task-${type}/;QS9;Made up;App;LAB\\x;${HEALTHY};${HEALTHY};2026-03-02 07:03:11,482;INFO;${execution};x`,
    )
  const retries = () =>
    product.rows<{ execution_id: string; state: string; reason: string | null }>(
      `SELECT execution_id, state, reason FROM task_retry WHERE task_id = '${HEALTHY}' ORDER BY id`,
    )
  const starts = () =>
    site.simulator.requests({ listener: 'qrs' }).filter(({ method, path }) => method === 'POST' && /\/start/.test(path))
  let succeeded: string

  beforeAll(async () => {
    sink.requests.length = 0
    setTaskProperty(site.simulator, HEALTHY, 'retryPolicy', '1x/10s')
  })

  test('starts nothing: a failure of hours ago, of a run that succeeded, of none', async () => {
    const longAgo = await runAt(Date.now() - 5 * HOUR, HEALTHY, { outcome: 'fail' })
    await until(() => alerted().includes(longAgo), { timeout: 40_000, state: retries })
    succeeded = await runAt(Date.now() - 3 * MINUTE, HEALTHY, { outcome: 'success' })
    site.simulator.clearRequests()
    for (const execution of [succeeded, MADE_UP]) await send('failed', execution)
    await until(() => [succeeded, MADE_UP].every((id) => alerted().includes(id)), { timeout: 90_000, state: retries })
    const ended = retries().map(({ execution_id, state, reason }) => ({ execution_id, state, reason }))
    // Which of the two is understood first does not matter.
    expect(ended).toHaveLength(3)
    expect(new Set(ended)).toEqual(
      new Set([
        { execution_id: longAgo, state: 'refused', reason: 'the task failed long before it was reported' },
        { execution_id: succeeded, state: 'refused', reason: 'Qlik Sense does not know of this failure' },
        { execution_id: MADE_UP, state: 'refused', reason: 'Qlik Sense does not know of this failure' },
      ]),
    )
    expect(starts()).toEqual([])
  }, 180_000)

  test('ends no retry: a success that came before, an abort of nothing, another failure', async () => {
    site.simulator.clearRequests()
    const failed = await runAt(Date.now() - 3 * MINUTE, HEALTHY, { outcome: 'fail' })
    await until(() => retries().some(({ execution_id }) => execution_id === failed), { timeout: 20_000 })
    site.simulator.setTask(HEALTHY, { outcome: 'success' })
    await send('success', succeeded)
    await send('aborted', MADE_UP)
    await send('failed', MADE_UP.replace('0001', '0002'))
    const isStarted = () => retries().some(({ execution_id, state }) => execution_id === failed && state === 'started')
    await until(isStarted, { timeout: 60_000, state: retries })
    expect(starts()).toHaveLength(1)
  }, 120_000)
})

describe('a satellite', () => {
  test('leaves reconciling, watching and retrying to the primary', async () => {
    await using satellite = await footman({
      simulator: site.simulator,
      config: { footman: { node: { role: 'satellite' } } },
    })
    await satellite.start()
    await satellite.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
    expect(satellite.rows('SELECT * FROM safety_net_mark')).toEqual([])
  }, 40_000)
})

describe('a swap after a run in shadow, with its data', () => {
  test('alerts what failed in between, and nothing that the shadow has seen', async () => {
    await using ownSite = await startSite({}, { clock: createSimClock({ now: Date.now() - 3 * MINUTE }) })
    const ownSink = await startHttpSink()
    const { simulator } = ownSite
    const settings = { simulator, webhookUrl: ownSink.url, config: { footman: { reconciler: { interval: '10s' } } } }
    await using shadowed = await footman(settings)
    const fail = async (task: string): Promise<string> => {
      simulator.setTask(task, { durationMs: 30, outcome: 'fail' })
      const ended = simulator.ended(task)
      const id = simulator.runTask(task)
      await ended
      return id
    }
    await shadowed.start(['--shadow'])
    const seen = await fail(LONG_AGO)
    await until(() => shadowed.rows(`SELECT 1 FROM delivery WHERE reason = 'SHADOW_MODE'`).length > 0, {
      timeout: 20_000,
    })
    await shadowed.process.kill9()
    const db = new DatabaseSync(shadowed.directory.join('data', 'footman.db'))
    // As if the shadow had run for hours.
    db.prepare('UPDATE safety_net_mark SET at = ?').run(Date.now() - 2 * HOUR)
    db.close()
    const between = await fail(LATELY)
    await shadowed.start([])
    const [call] = await ownSink.received(1, { timeout: 40_000 })
    expect(JSON.parse(call!.body)).toMatchObject({ executionId: between })
    await shadowed.process.waitForLine(/RECONCILER: Task .* without a message/, 20_000)
    expect(ownSink.requests.map(({ body }) => body).join()).not.toContain(seen)
    expect(ownSink.requests).toHaveLength(1)
    await ownSink.stop()
  }, 90_000)
})
