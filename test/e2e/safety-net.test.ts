/** Failures that nothing announced are found and alerted, and failed tasks are retried, through the executable. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { runToEnd } from '../support/binary.ts'
import { setTaskProperty } from '../support/safety-net.ts'
import {
  alerted,
  change,
  eventsOf,
  HEALTHY,
  HOUR,
  LATELY,
  LONG_AGO,
  MADE_UP,
  MINUTE,
  product,
  RETRIED,
  runAt,
  STUCK,
  sink,
  site,
  startSafetyNet,
  USER_SYNC,
} from '../support/safety-net-scene.ts'
import { until } from '../support/wait.ts'

startSafetyNet()

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
