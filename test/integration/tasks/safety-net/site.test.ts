/** What the safety net reads from a site: ends without a word, tasks that wait, run, or are due. */
import { afterEach, describe, expect, test } from 'bun:test'
import { taskTypeOf } from '../../../../src/events/task-type.ts'
import { createQrsClient } from '../../../../src/qlik/qrs/client.ts'
import { createEndedReader } from '../../../../src/tasks/executions/history.ts'
import { createLiveReader } from '../../../../src/tasks/safety-net/site.ts'
import { createWatchdog } from '../../../../src/tasks/safety-net/watchdog.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { eventList, policiesOf, safetyNetDatabase, setTaskProperty } from '../../../support/safety-net.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../../support/simulator.ts'
import { until } from '../../../support/wait.ts'

const LOAD_SCRIPT = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const FLAKY = '70000000-0000-4000-8000-000000000008'
const SLOW = '70000000-0000-4000-8000-000000000007'
const USER_SYNC = '72000000-0000-4000-8000-000000000002'

let open: { readonly site: TestSite; close(): void } | null = null
afterEach(async () => {
  open?.close()
  await open?.site[Symbol.asyncDispose]()
  open = null
})

async function scene() {
  const site = await startSite()
  const { pem } = site.simulator.certificates
  const log = recordingLog()
  const qrs = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
    },
  )
  open = { site, close: qrs.close }
  const { simulator } = site
  async function run(task: string, behaviour: Parameters<typeof simulator.setTask>[1]): Promise<string> {
    simulator.setTask(task, { durationMs: 30, ...behaviour })
    const ended = simulator.ended(task)
    const id = simulator.runTask(task)
    await ended
    return id
  }
  return { simulator, qrs, log, run, ended: createEndedReader({ qrs, log }), live: createLiveReader({ qrs }) }
}

const NONE = () => false

describe('what has ended', () => {
  test('is told with all attempts of an execution, whatever its type', async () => {
    const { run, ended } = await scene()
    const from = Date.now() - 1
    const failed = await run(LOAD_SCRIPT, { outcome: 'fail' })
    const flaky = await run(FLAKY, { outcome: 'fail-then-success' })
    const sync = await run(USER_SYNC, { outcome: 'fail' })
    const found = await ended.between(from, Date.now() + 1000, NONE)
    expect(found.map(({ execution }) => execution)).toMatchObject([
      { executionId: failed, outcome: 'failed', taskType: 'reload', taskName: 'Load script started task', attempts: 1 },
      { executionId: flaky, outcome: 'success', attempts: 3 },
      { executionId: sync, outcome: 'failed', taskType: 'userSync', appId: null },
    ])
    expect(found[1]!.resultIds).toHaveLength(3)
    const handled = new Set(found.flatMap(({ resultIds }) => resultIds))
    expect(await ended.between(from, Date.now() + 1000, (id) => handled.has(id))).toEqual([])
  }, 90_000)

  test('is not told while another attempt follows', async () => {
    const { simulator, ended } = await scene()
    const from = Date.now() - 1
    simulator.setModes({ scheduler: { retryDelayMs: 60_000 } })
    simulator.setTask(FLAKY, { durationMs: 20 })
    simulator.runTask(FLAKY)
    await until(() => simulator.site.tasks.get(FLAKY)?.operational.lastExecutionResult.status === 10)
    expect(await ended.between(from, Date.now() + 1000, NONE)).toEqual([])
  })

  test('is complete although the site cuts its lists', async () => {
    const { simulator, ended } = await scene()
    simulator.setModes({ qrs: { maxRecordLimit: 60 } })
    const from = Date.now() - 1
    const tasks = simulator.addTasks(90)
    for (const [n, task] of tasks.entries()) simulator.setTask(task, { durationMs: 100 + n * 10 })
    const all = tasks.map((task) => simulator.ended(task))
    for (const node of simulator.site.nodes.values()) node.maxConcurrentEngines = 200
    for (const task of tasks) simulator.runTask(task)
    await Promise.all(all)
    const found = await ended.between(from, Date.now() + 3000, NONE)
    expect(found).toHaveLength(90)
  }, 90_000)

  test('is asked of the tasks where results cannot be filtered', async () => {
    const { simulator, run, ended } = await scene()
    const from = Date.now() - 1
    const failed = await run(LOAD_SCRIPT, { outcome: 'fail' })
    simulator.fault({
      listener: 'qrs',
      match: 'executionresult/full\\?filter=\\(stopTime',
      mode: 'status',
      args: [400],
    })
    const found = await ended.between(from, Date.now() + 1000, NONE)
    expect(found.map(({ execution }) => execution.executionId)).toEqual([failed])
  })
})

describe('what goes on', () => {
  test('tells which tasks wait, run and are due', async () => {
    const { simulator, live } = await scene()
    for (const node of simulator.site.nodes.values()) node.maxConcurrentEngines = 1
    const busy = ['01', '02', '03'].map((nn) => `70000000-0000-4000-8000-0000000000${nn}`)
    for (const task of busy) simulator.setTask(task, { durationMs: 60_000 })
    for (const task of busy) simulator.runTask(task)
    const statusOf = (id: string) => simulator.site.tasks.get(id)!.operational.lastExecutionResult.status
    await until(() => statusOf(busy[0]!) === 2 && statusOf(busy[1]!) === 2 && statusOf(busy[2]!) === 3)
    const soon = Date.now() + 60_000
    simulator.site.tasks.get(SLOW)!.operational.nextExecution = soon
    const look = await live.read(Date.now() + 120_000)
    const found = new Map(look.map((one) => [one.task.id, one]))
    expect(busy.map((id) => found.get(id)?.state)).toEqual(['running', 'running', 'queued'])
    for (const id of busy) expect(Math.abs(Date.now() - found.get(id)!.since!)).toBeLessThan(10_000)
    expect(found.get(SLOW)).toMatchObject({ state: 'idle', dueAt: soon })
    expect(look).toHaveLength(4)
  })
})

describe('a run of several attempts', () => {
  test('runs since its first attempt has started', async () => {
    const { simulator, live } = await scene()
    const flaky = '70000000-0000-4000-8000-000000000008'
    simulator.setTask(flaky, { durationMs: 50 })
    const executionId = simulator.runTask(flaky)
    const attempts = () => simulator.site.executions.byExecution(executionId)
    await until(() => {
      // The second attempt goes on until the test has ended.
      if (attempts().length === 1) simulator.setTask(flaky, { durationMs: 50 })
      else simulator.setTask(flaky, { durationMs: 60_000 })
      return attempts().length >= 2 && attempts().at(-1)!.status === 2
    })
    const [first] = attempts()
    const started = first!.details.find(({ message }) => message.includes('to Started'))!.at
    const found = (await live.read(Date.now())).find(({ task }) => task.id === flaky)
    expect(found).toMatchObject({ state: 'running', since: started, firstResultId: first!.id })
  })
})

describe('the watchdog, when times of the site make no sense', () => {
  const DAY = 86_400_000

  /** Looks twenty times a second. */
  async function watching() {
    const all = await scene()
    const db = safetyNetDatabase()
    const clock = { now: Date.now }
    const { emitted, events } = eventList(db, clock)
    let looks = 0
    const policies = policiesOf(all.log)
    const watchdog = createWatchdog(
      {
        db,
        clock,
        log: all.log,
        events,
        qrs: all.qrs,
        live: all.live,
        successes: () => [],
        isQuiet: () => false,
        typeOf: ({ taskType }) => taskTypeOf(taskType),
        policyOf: (task) => policies.watchOf(task).value,
        logTime: (at) => new Date(at).toISOString(),
        onLiveTasks() {
          looks += 1
        },
      },
      {
        lateAfter: 900_000,
        stuckFactor: 3,
        neverStartedAfter: 1_800_000,
        minRuns: 5,
        intervalMs: 50,
        firstMs: 0,
      },
    )
    const tasks = all.simulator.addTasks(40)
    for (const task of tasks) {
      setTaskProperty(all.simulator, task, 'watchPolicy', 'stuck=30m; late=30m')
      all.simulator.setTask(task, { outcome: 'hang' })
    }
    const next = (id: string, at: number) => {
      all.simulator.site.tasks.get(id)!.operational.nextExecution = at
    }
    const moreLooks = async (count: number) => {
      const wanted = looks + count
      await until(() => looks >= wanted)
    }
    const warnings = () => all.log.of('warn').filter((line) => line.startsWith('WATCHDOG'))
    return { ...all, watchdog, tasks, next, moreLooks, emitted, warnings }
  }

  test('a clock that is set back by 90 days makes one line and no alerts; the site is asked no more than before', async () => {
    const { simulator, watchdog, tasks, next, moreLooks, emitted, warnings } = await watching()
    await watchdog.start()
    await moreLooks(2)
    simulator.clock.set(Date.now() - 90 * DAY)
    for (const node of simulator.site.nodes.values()) node.maxConcurrentEngines = 10
    for (const task of tasks.slice(0, 20)) simulator.runTask(task)
    for (const task of tasks.slice(20)) next(task, simulator.clock.now() + 60_000)
    await until(() => warnings().length > 0)
    simulator.clearRequests()
    await moreLooks(10)
    await watchdog.stop(0)
    expect(emitted).toEqual([])
    expect(warnings()).toEqual([
      expect.stringMatching(/starts in the past.*20 tasks, for example "[^"]+" since 20.*clock/),
    ])
    const asked = simulator.requests({ listener: 'qrs' }).map(({ path }) => path.split('?')[0])
    expect(new Set(asked)).toEqual(new Set(['/qrs/task/full']))
    expect(asked.length).toBeLessThan(15)
  }, 90_000)

  test('a snapshot of 90 days ago makes one line and no alerts', async () => {
    const { simulator, watchdog, tasks, next, moreLooks, emitted, warnings } = await watching()
    simulator.clock.set(Date.now() - 90 * DAY)
    for (const task of tasks.slice(0, 20)) simulator.runTask(task)
    for (const task of tasks.slice(20)) next(task, simulator.clock.now() + 60_000)
    await until(() => simulator.site.tasks.get(tasks[19]!)!.operational.lastExecutionResult.status > 0)
    await watchdog.start()
    await until(() => warnings().length > 0)
    simulator.clearRequests()
    await moreLooks(10)
    await watchdog.stop(0)
    expect(emitted).toEqual([])
    expect(warnings()).toEqual([expect.stringMatching(/for more than a day all at once: 40 tasks, for example "/)])
    const asked = simulator.requests({ listener: 'qrs' }).map(({ path }) => path.split('?')[0])
    expect(new Set(asked)).toEqual(new Set(['/qrs/task/full']))
  }, 90_000)

  test('a clock that is 90 days ahead makes no alerts', async () => {
    const { simulator, watchdog, tasks, moreLooks, emitted, warnings } = await watching()
    await watchdog.start()
    await moreLooks(1)
    simulator.clock.advance(90 * DAY)
    for (const task of tasks.slice(0, 20)) simulator.runTask(task)
    await moreLooks(5)
    await watchdog.stop(0)
    expect([emitted, warnings()]).toEqual([[], []])
  }, 90_000)

  test('two tasks that have been stuck for three days are alerted one by one', async () => {
    const { simulator, watchdog, tasks, emitted, moreLooks } = await watching()
    simulator.clock.set(Date.now() - 3 * DAY)
    const two = tasks.slice(0, 2)
    for (const task of two) simulator.runTask(task)
    const statusOf = (id: string) => simulator.site.tasks.get(id)!.operational.lastExecutionResult.status
    await until(() => two.every((task) => statusOf(task) === 2))
    await watchdog.start()
    await until(() => emitted.length === 2)
    await moreLooks(3)
    await watchdog.stop(0)
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['stuck', 'stuck'])
  }, 90_000)
})
