import { describe, expect, test } from 'bun:test'
import { createSimClock, createSimulator, type SimulatorSettings } from '../../../simulator/index.ts'
import type { SiteEvents } from '../../../simulator/types.ts'
import { recordingLog } from '../../support/recording-log.ts'

const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const SALES_REPORT = 'b9c5d234-efe5-6789-abcd-ef0123456789'
const LOAD_SCRIPT = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const ZERO = '00000000-0000-0000-0000-000000000000'
const id = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`
const HOUR_MS = 3_600_000

/** A site whose time stands still, never started: the scheduler needs no port. */
function standing(settings: Partial<SimulatorSettings> = {}) {
  const clock = createSimClock({ now: Date.parse('2026-03-02T05:30:00.000Z'), speed: 0 })
  const simulator = createSimulator({ log: recordingLog(), clock }, { certificateDirectory: '/nowhere', ...settings })
  const { site } = simulator
  const logged: SiteEvents['schedulerLog'][] = []
  const states: [string, number][] = []
  site.on('schedulerLog', (line) => void logged.push(line))
  site.on('state', ({ task, execution, final }) => {
    if (!final) states.push([task.id, execution.status])
  })
  const task = (taskId: string) => site.tasks.get(taskId)!
  return {
    simulator,
    clock,
    site,
    logged,
    task,
    last: (taskId: string) => task(taskId).operational.lastExecutionResult,
    statesOf: (taskId: string) => states.filter(([one]) => one === taskId).map(([, status]) => status),
    messages: (taskId: string) => task(taskId).operational.lastExecutionResult.details.map((one) => one.message),
    lines: () => logged.map((line) => [line.kind, line.task.id, line.message]),
  }
}

describe('one run', () => {
  test('that succeeds', () => {
    const { simulator, clock, site, last, messages, statesOf, lines } = standing()
    const session = simulator.runTask('Sales ETL hourly', 'LAB\\anna')
    expect(site.sessions.get(session)?.task.name).toBe('Sales ETL hourly')
    expect(last(id(70, 1)).status).toBe(1)
    clock.advance(30)
    expect(last(id(70, 1)).status).toBe(2)
    const before = site.apps.get('a1000000-0000-4000-8000-000000000001')!
    const reloaded = before.lastReloadTime
    clock.advance(1500)
    expect(statesOf(id(70, 1))).toEqual([1, 2, 7])
    expect(messages(id(70, 1))).toEqual([
      'Changing task state to Triggered',
      'Trying to start task. Sending task to slave-node qs-central.acme.local',
      'Changing task state from Triggered to Started',
      'Reference to scriptlog added',
      'Changing task state from Started to FinishedSuccess',
    ])
    expect(lines()).toEqual([['success', id(70, 1), 'Execution State Change to FinishedSuccess']])
    expect(last(id(70, 1)).executionID).toBe(session)
    expect(site.sessions.size).toBe(0)
    expect(before.lastReloadTime).toBeGreaterThan(reloaded)
    expect(before.modifiedByUserName).toBe('LAB\\anna')
  })

  test('that fails', () => {
    const { simulator, clock, site, last, messages, lines } = standing()
    const app = site.apps.get('a1000000-0000-4000-8000-000000000006')!
    const reloaded = app.lastReloadTime
    simulator.runTask(id(70, 6))
    clock.advance(1530)
    expect(last(id(70, 6)).status).toBe(8)
    expect(messages(id(70, 6))).toEqual([
      'Changing task state to Triggered',
      'Trying to start task. Sending task to slave-node qs-central.acme.local',
      'Changing task state from Triggered to Started',
      'Message from ReloadProvider: Reload failed in Engine. Check engine or script logs.',
      'Reference to scriptlog added',
      'Changing task state from Started to FinishedFail',
      'Max retries reached',
    ])
    const times = last(id(70, 6)).details.map((one) => one.at)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    expect(lines()).toEqual([['failed', id(70, 6), 'Max retries reached']])
    expect(app.lastReloadTime).toBe(reloaded)
  })

  test('that fails twice and then succeeds, in one session with three results and one log line', () => {
    const { simulator, clock, site, statesOf, lines } = standing()
    const session = simulator.runTask('Flaky reload')
    clock.advance(10_000)
    expect(statesOf(id(70, 8))).toEqual([1, 2, 8, 10, 1, 2, 8, 10, 1, 2, 7])
    expect(site.executions.byExecution(session).map((one) => one.status)).toEqual([10, 10, 7])
    expect(lines()).toEqual([['success', id(70, 8), 'Execution State Change to FinishedSuccess']])
  })

  test('that fails for good logs once, after the last attempt', () => {
    const { simulator, clock, site, lines } = standing()
    const session = simulator.runTask('Broken batch')
    clock.advance(10_000)
    expect(site.executions.byExecution(session)).toHaveLength(3)
    expect(lines()).toEqual([['failed', id(71, 2), 'Max retries reached']])
  })

  test.each([
    ['error', 11, [['failed', id(70, 1), 'Failed to start session']]],
    ['skipped', 9, []],
  ] as const)('with the outcome %s ends in %i', (outcome, status, expected) => {
    const { simulator, clock, last, lines } = standing({ tasks: { [id(70, 1)]: { outcome } } })
    simulator.runTask(id(70, 1))
    clock.advance(5000)
    expect(last(id(70, 1)).status).toBe(status)
    expect(lines()).toEqual(expected as unknown as string[][])
  })

  test('shows its end later than the log line when the state lags', () => {
    const { simulator, clock, last, logged } = standing({ modes: { scheduler: { stateLagMs: 2000 } } })
    simulator.runTask(id(70, 1))
    clock.advance(1530)
    expect(logged).toHaveLength(1)
    expect(last(id(70, 1)).status).toBe(2)
    clock.advance(2000)
    expect(last(id(70, 1)).status).toBe(7)
  })
})

describe('starts that start nothing', () => {
  test('a disabled task, a running task, a site without scheduler', () => {
    const { simulator, site } = standing()
    expect(simulator.runTask('Disabled reload')).toBe(ZERO)
    expect(simulator.runTask(id(70, 1))).not.toBe(ZERO)
    expect(simulator.runTask(id(70, 1))).toBe(ZERO)
    for (const node of site.nodes.values()) node.schedulerEnabled = false
    expect(simulator.runTask(id(70, 2))).toBe(ZERO)
  })
})

describe('the queue', () => {
  test('ten starts on four engines: six wait, and get their turn in order', () => {
    const { simulator, clock, site } = standing()
    for (const node of site.nodes.values()) node.schedulerEnabled = node.isCentral
    const tasks = simulator.addTasks(10)
    for (const one of tasks) simulator.runTask(one)
    clock.advance(100)
    const status = (wanted: number) =>
      tasks.filter((one) => site.tasks.get(one)!.operational.lastExecutionResult.status === wanted)
    expect(status(2)).toEqual(tasks.slice(0, 4))
    expect(status(3)).toEqual(tasks.slice(4))
    clock.advance(1600)
    expect(status(2)).toEqual(tasks.slice(4, 8))
    clock.advance(5000)
    expect(status(7)).toEqual([...tasks])
  })

  test('external programs need no engine', () => {
    const { simulator, clock, site, last } = standing()
    for (const node of site.nodes.values()) node.maxConcurrentEngines = 1
    for (const one of simulator.addTasks(3)) simulator.runTask(one)
    simulator.runTask('Nightly FTP fetch')
    clock.advance(50)
    expect(last(id(71, 1)).status).toBe(2)
  })

  test('queueMs keeps a task waiting although engines are free', () => {
    const { simulator, clock, statesOf, messages } = standing()
    simulator.runTask('Queued behind others')
    clock.advance(2999)
    expect(statesOf(id(70, 13))).toEqual([1, 3])
    clock.advance(2000)
    expect(statesOf(id(70, 13))).toEqual([1, 3, 2, 7])
    expect(messages(id(70, 13))).toContain('Changing task state from Queued to Started')
  })
})

describe('aborting', () => {
  test('goes through 4 and 5 to 6 and logs who did it', () => {
    const { simulator, clock, site, statesOf, logged } = standing()
    const session = simulator.runTask('Slow Warehouse Load')
    clock.advance(5000)
    expect(simulator.abort('Slow Warehouse Load', 'LAB\\bertil')).toBe(true)
    expect(site.sessions.get(session)?.abortReason).toBe(1)
    clock.advance(1000)
    expect(statesOf(id(70, 7))).toEqual([1, 2, 4, 5, 6])
    expect(logged.map((line) => [line.kind, line.message, line.user])).toEqual([
      ['aborted', 'Execution State Change to Aborting', 'LAB\\bertil'],
    ])
    expect(simulator.abort('Slow Warehouse Load')).toBe(false)
  })

  test('a run longer than its time-out is stopped by the scheduler', () => {
    const { simulator, clock, last, logged } = standing({ tasks: { [id(71, 1)]: { outcome: 'hang' } } })
    simulator.runTask(id(71, 1))
    clock.advance(61 * 60_000)
    expect(last(id(71, 1)).status).toBe(6)
    expect(logged.map((line) => line.user)).toEqual(['INTERNAL\\sa_scheduler'])
  })

  test('can be followed by a failure with the same execution id', () => {
    const { simulator, clock, logged } = standing({ modes: { scheduler: { failAfterAbort: true } } })
    const session = simulator.runTask('Slow Warehouse Load')
    clock.advance(5000)
    simulator.abort('Slow Warehouse Load')
    clock.advance(1000)
    expect(logged.map((line) => [line.kind, line.execution.executionID])).toEqual([
      ['aborted', session],
      ['failed', session],
    ])
  })
})

describe('the other task types', () => {
  test.each([
    ['Distribute of HR Insights', [1, 2, 13, 14, 7]],
    ['Distribute of R&D', [1, 2, 13, 14, 8]],
  ])('%s goes through its own queue and logs once, when the request is done', (name, expected) => {
    const { simulator, clock, statesOf, lines } = standing()
    const { id: taskId } = [...simulator.site.tasks.values()].find((one) => one.name === name)!
    simulator.runTask(name)
    clock.advance(480)
    expect(lines()).toEqual([['distribute', taskId, 'Exiting execute of Distribute task request.']])
    clock.advance(5000)
    expect(statesOf(taskId)).toEqual(expected)
    expect(lines()).toHaveLength(1)
  })

  test('a preload that finds no executor fails without having started', () => {
    const { simulator, clock, statesOf, lines } = standing()
    simulator.runTask('Preload HR')
    clock.advance(5000)
    expect(statesOf(id(74, 2))).toEqual([1, 8])
    expect(lines()).toEqual([['failed', id(74, 2), 'Could not reserve an executor for task']])
  })

  test('a failed user sync is silent, unless told otherwise', () => {
    const { simulator, clock, last, lines } = standing()
    simulator.runTask('ERP_UserSync')
    clock.advance(5000)
    expect(last(id(72, 2)).status).toBe(8)
    expect(lines()).toEqual([])
    simulator.setModes({ scheduler: { userSyncFailures: true } })
    simulator.runTask('ERP_UserSync')
    clock.advance(5000)
    expect(lines()).toEqual([['failed', id(72, 2), 'Max retries reached']])
  })
})

describe('chains', () => {
  test('start the next task within a second, and the one after that', () => {
    const { simulator, clock, statesOf } = standing()
    simulator.runTask(id(70, 1))
    clock.advance(1530 + 1000)
    expect(statesOf(DASHBOARD)).toEqual([1, 2])
    clock.advance(10_000)
    expect(statesOf(DASHBOARD)).toEqual([1, 2, 7])
    expect(statesOf(id(74, 1))).toEqual([1, 2, 7])
  })

  test('with two rules wait for both, for six hours at most', () => {
    const { simulator, clock, statesOf } = standing()
    simulator.runTask(id(70, 2))
    clock.advance(6 * HOUR_MS + 10_000)
    simulator.runTask(id(71, 1))
    clock.advance(10_000)
    expect(statesOf(SALES_REPORT)).toEqual([])
    simulator.runTask(id(70, 2))
    clock.advance(10_000)
    expect(statesOf(SALES_REPORT)).toEqual([1, 2, 7])
  })

  test('follow failures too', () => {
    const { simulator, clock, statesOf } = standing()
    simulator.runTask(id(70, 6))
    clock.advance(10_000)
    expect(statesOf(LOAD_SCRIPT)).toEqual([1, 2, 7])
  })

  test('turn in a ring while its tasks do what closes it', () => {
    const { simulator, clock, site } = standing({ tasks: { [id(70, 12)]: { outcome: 'fail' } } })
    simulator.runTask(id(70, 11))
    clock.advance(60_000)
    expect(site.executions.byTask(id(70, 11)).length).toBeGreaterThan(10)
  })
})

describe('schedules', () => {
  test('start tasks by the site clock and tell when next', () => {
    const { clock, task, statesOf } = standing({ schedules: true })
    expect(new Date(task(DASHBOARD).operational.nextExecution).toISOString()).toBe('2026-03-03T05:00:00.000Z')
    clock.set(Date.parse('2026-03-03T05:00:10.000Z'))
    expect(statesOf(DASHBOARD).slice(-3)).toEqual([1, 2, 7])
    expect(new Date(task(DASHBOARD).operational.nextExecution).toISOString()).toBe('2026-03-04T05:00:00.000Z')
  })

  test('only tell when, if they are switched off', () => {
    const { clock, task, statesOf } = standing()
    clock.advance(48 * HOUR_MS)
    expect(statesOf(DASHBOARD)).toEqual([])
    expect(task(DASHBOARD).operational.nextExecution).toBeGreaterThan(0)
  })
})
