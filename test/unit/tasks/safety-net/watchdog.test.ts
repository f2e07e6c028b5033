/** The watchdog with a moved clock and a site made of tables. */
import { describe, expect, test } from 'bun:test'
import { taskTypeOf } from '../../../../src/events/task-type.ts'
import type { EventOutcome } from '../../../../src/events/types.ts'
import type { QrsExecutionResult, QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { lastSuccesses, recordExecution } from '../../../../src/tasks/executions/store.ts'
import { createLiveReader } from '../../../../src/tasks/safety-net/site.ts'
import { createWatchdog } from '../../../../src/tasks/safety-net/watchdog.ts'
import { TASK_ID } from '../../../support/events.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import {
  endedExecution,
  eventList,
  executionId,
  HOUR,
  MINUTE,
  movedClock,
  NOW,
  pastRuns,
  policiesOf,
  SECOND,
  safetyNetDatabase,
} from '../../../support/safety-net.ts'
import { until } from '../../../support/wait.ts'

const NEVER = '1753-01-01T00:00:00.000Z'
const iso = (at: number) => new Date(at).toISOString()

function scene(options: { isQuiet?: () => boolean; taskPolicies?: readonly object[] } = {}) {
  const db = safetyNetDatabase()
  const clock = movedClock()
  const log = recordingLog()
  const { emitted, events } = eventList(db, clock)
  let task: QrsTask | null = qrsTask()
  let looks = 0
  const live: string[] = []
  /** All attempts of the execution that goes on. */
  const attempts: QrsExecutionResult[] = []
  const resultsById = async ([id]: readonly string[]) => [
    { ...executionResult({ id: id! }), executionID: executionId(1) },
  ]
  const reader = createLiveReader({
    qrs: {
      resultsById,
      resultsOfExecutions: async () => attempts.map((one) => ({ ...one, executionID: executionId(1) })),
      async tasks() {
        looks += 1
        return task ? [task] : []
      },
      allTasks: async () => (task ? [task] : []),
    },
  })
  const policies = policiesOf(log, options.taskPolicies)
  const deps = {
    db,
    clock,
    log,
    live: reader,
    events,
    qrs: {
      tasksById: async () => (task ? [task] : []),
      resultsById,
    },
    successes: (taskId: string, since: number, limit: number) => lastSuccesses(db, taskId, since, limit),
    isQuiet: options.isQuiet ?? (() => false),
    typeOf: ({ taskType }: QrsTask) => taskTypeOf(taskType),
    logTime: iso,
    policyOf: (one: QrsTask) => policies.watchOf(one).value,
    onLiveTasks: (tasks: readonly { type: string; state: string }[]) =>
      void live.splice(0, live.length, ...tasks.map(({ state }) => state)),
  }
  const settings = {
    lateAfter: 15 * MINUTE,
    stuckFactor: 3,
    neverStartedAfter: 30 * MINUTE,
    minRuns: 5,
    firstMs: 0,
    intervalMs: MINUTE,
  }

  /** One look. */
  async function look(): Promise<void> {
    const before = looks
    const watchdog = createWatchdog(deps, settings)
    await watchdog.start()
    await until(() => looks > before)
    await watchdog.stop(0)
  }

  return {
    db,
    clock,
    log,
    emitted,
    look,
    live,
    attempts,
    deps,
    settings,
    set(changes: Partial<QrsTask> | null, result: Partial<QrsExecutionResult> | null = null) {
      const lastExecutionResult = result && executionResult({ id: 'r1', stopTime: NEVER, details: [], ...result })
      task = changes && qrsTask({ operational: { nextExecution: NEVER, lastExecutionResult }, ...changes })
    },
    due(at: number, changes: Partial<QrsTask> = {}) {
      task = qrsTask({ operational: { nextExecution: iso(at), lastExecutionResult: null }, ...changes })
    },
  }
}

const started = (at: number): Partial<QrsExecutionResult> => ({
  status: 2,
  startTime: iso(at - SECOND),
  details: [{ detailsType: 2, message: 'Changing task state from Triggered to Started', detailCreatedDate: iso(at) }],
})
const watchPolicy = (value: string): Partial<QrsTask> => ({
  customProperties: [{ value, definition: { id: 'p', name: 'watchPolicy' } }],
})

describe('a task that runs', () => {
  test('for 12 minutes after 30 runs of a minute is stuck, once', async () => {
    const { db, look, set, clock, emitted } = scene()
    pastRuns(db, 30, (n) => ({ runMs: 60 * SECOND + ((n % 3) - 1) * 5 * SECOND }))
    set({}, started(NOW))
    clock.advance(10.5 * MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(1.5 * MINUTE)
    await look()
    clock.advance(MINUTE)
    await look()
    expect(emitted).toEqual([
      expect.objectContaining({
        source: 'watchdog',
        type: 'reload',
        outcome: 'stuck',
        enrich: true,
        details: { kind: 'watchdog', elapsedMs: 12 * MINUTE, limitMs: 11 * MINUTE, usualMs: MINUTE, dueAt: null },
        message: expect.objectContaining({
          taskId: TASK_ID,
          taskName: 'Financial Dashboard Reload',
          executionId: executionId(1),
          logMessage: 'Running for longer than 11 min',
        }),
      }),
    ])
  })

  test('is not judged after four runs', async () => {
    const { db, look, set, clock, emitted } = scene()
    pastRuns(db, 4, () => ({ runMs: MINUTE }))
    set({}, started(NOW))
    clock.advance(12 * HOUR)
    await look()
    expect(emitted).toEqual([])
  })

  test('is stuck after the time that its custom property says, without any run before', async () => {
    const { look, set, clock, emitted } = scene()
    set(watchPolicy('stuck=2m'), started(NOW))
    clock.advance(2 * MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(SECOND)
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['stuck'])
  })

  test('has run since its first attempt, whatever the present one took', async () => {
    const { db, look, set, clock, emitted, attempts } = scene()
    pastRuns(db, 30, () => ({ runMs: 60 * SECOND }))
    attempts.push(executionResult({ id: 'r1', ...started(NOW) }))
    attempts.push(executionResult({ id: 'r2', ...started(NOW + 11 * MINUTE) }))
    set({ maxRetries: 2 }, { id: 'r2', ...started(NOW + 11 * MINUTE) })
    clock.advance(12 * MINUTE)
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['stuck'])
    expect(emitted[0]!.details).toMatchObject({ elapsedMs: 12 * MINUTE })
  })

  test.each<[what: string, Partial<QrsTask>, EventOutcome[]]>([
    ['a policy', {}, ['stuck']],
    ['its custom property before a policy', watchPolicy('stuck=off'), []],
  ])('is judged by %s', async (_what, changes, outcomes) => {
    const { look, set, clock, emitted } = scene({
      taskPolicies: [{ name: 'short', match: { taskTag: 'hourly-*' }, watch: { stuck: '2m' } }],
    })
    set(changes, started(NOW))
    clock.advance(2 * MINUTE + SECOND)
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(outcomes)
  })

  test.each(['off', 'stuck=off'])('is let alone with watchPolicy=%s', async (policy) => {
    const { db, look, set, clock, emitted } = scene()
    pastRuns(db, 30, () => ({ runMs: MINUTE }))
    set(watchPolicy(policy), started(NOW))
    clock.advance(12 * HOUR)
    await look()
    expect(emitted).toEqual([])
  })

  test('with a policy that makes no sense is judged as usual, and somebody is told', async () => {
    const { db, look, set, clock, emitted, log } = scene()
    pastRuns(db, 5, () => ({ runMs: MINUTE }))
    set(watchPolicy('stuck=soon'), started(NOW))
    clock.advance(12 * MINUTE)
    await look()
    expect(emitted).toHaveLength(1)
    expect(log.of('warn').join()).toContain('watchPolicy of task "Financial Dashboard Reload"')
  })

  test.each([{ enabled: false }])('is left out with %p', async (changes) => {
    const { db, look, set, clock, emitted } = scene()
    pastRuns(db, 5, () => ({ runMs: MINUTE }))
    set(changes, started(NOW))
    clock.advance(HOUR)
    await look()
    expect(emitted).toEqual([])
  })

  test('is left out during maintenance', async () => {
    const { db, look, set, clock, emitted } = scene({ isQuiet: () => true })
    pastRuns(db, 5, () => ({ runMs: MINUTE }))
    set({}, started(NOW))
    clock.advance(HOUR)
    await look()
    expect(emitted).toEqual([])
  })
})

describe('a task that waits', () => {
  test('is late after 15 minutes, once; when it starts that is told', async () => {
    const { look, set, clock, emitted, live } = scene()
    set({}, { status: 3, startTime: iso(NOW) })
    clock.advance(15 * MINUTE)
    await look()
    expect([emitted, live]).toEqual([[], ['queued']])
    clock.advance(MINUTE)
    await look()
    await look()
    expect(emitted.map(({ outcome, details }) => [outcome, details?.elapsedMs])).toEqual([['late', 16 * MINUTE]])
    set({}, started(clock.now()))
    await look()
    await look()
    expect(emitted.slice(1)).toEqual([
      expect.objectContaining({ source: 'watchdog', type: 'reload', outcome: 'started' }),
    ])
    expect(emitted[1]!.message.executionId).toBe(executionId(1))
    expect(live).toEqual(['running'])
  })

  test('is not late while it usually waits as long', async () => {
    const { db, look, set, clock, emitted } = scene()
    pastRuns(db, 10, (n) => ({ queueMs: (40 + (n % 3)) * MINUTE }))
    set({}, { status: 3, startTime: iso(NOW) })
    clock.advance(40 * MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(20 * MINUTE)
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['late'])
  })

  test('and ends before anybody has looked again is not said to run', async () => {
    const { look, set, clock, emitted } = scene()
    set({}, { status: 3, startTime: iso(NOW) })
    clock.advance(16 * MINUTE)
    await look()
    set({}, { status: 8, startTime: iso(NOW), stopTime: iso(clock.now()) })
    await look()
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['late'])
  })
})

describe('a task that is due', () => {
  const DUE = NOW + MINUTE

  test('and has not started half an hour later has never started, once', async () => {
    const { look, due, set, clock, emitted } = scene()
    due(DUE)
    await look()
    // The scheduler has moved on although nothing was started.
    due(DUE + HOUR)
    clock.advance(31 * MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(MINUTE)
    await look()
    await look()
    expect(emitted).toEqual([
      expect.objectContaining({
        outcome: 'neverStarted',
        source: 'watchdog',
        details: { kind: 'watchdog', elapsedMs: 31 * MINUTE, limitMs: 30 * MINUTE, usualMs: null, dueAt: DUE },
      }),
    ])
    set({}, started(clock.now()))
    await look()
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['neverStarted', 'started'])
  })

  test('is reported by the next look when Footman ends, or the disk is full, before the alert is stored', async () => {
    const { look, due, clock, emitted, deps } = scene()
    due(DUE)
    await look()
    due(DUE + HOUR)
    clock.advance(32 * MINUTE)
    const { emit } = deps.events
    deps.events.emit = async () => {
      throw new Error('database or disk is full')
    }
    await look()
    deps.events.emit = emit
    await look()
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['neverStarted'])
  })

  test.each([
    ['an execution in the history', { inHistory: true }],
    ['the last result of the task', { inHistory: false }],
  ])('and has run, as %s tells, is let alone', async (_what, { inHistory }) => {
    const { db, look, due, set, clock, emitted } = scene()
    due(DUE)
    await look()
    clock.advance(45 * MINUTE)
    if (inHistory) {
      recordExecution(db, endedExecution({ stoppedAt: DUE + 2 * MINUTE }))
      due(DUE + HOUR)
    } else set({}, { status: 7, startTime: iso(DUE + SECOND), stopTime: iso(DUE + 2 * MINUTE) })
    await look()
    await look()
    expect(emitted).toEqual([])
  })

  test('while its run before goes on is let alone', async () => {
    const { look, due, set, clock, emitted } = scene()
    due(DUE)
    await look()
    clock.advance(45 * MINUTE)
    set({}, started(NOW - HOUR))
    await look()
    expect(emitted).toEqual([])
  })

  test.each([
    ['was disabled', { enabled: false }],
    ['is not watched', watchPolicy('neverStarted=off')],
  ])('and %s since is let alone', async (_what, changes) => {
    const { look, due, set, clock, emitted } = scene()
    due(DUE)
    await look()
    clock.advance(45 * MINUTE)
    set(changes, null)
    await look()
    expect(emitted).toEqual([])
  })

  test('and was put off before its time is let alone until then', async () => {
    const { look, due, clock, emitted } = scene()
    due(DUE)
    await look()
    due(NOW + 2 * MINUTE)
    await look()
    clock.advance(31.5 * MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(MINUTE)
    await look()
    expect(emitted[0]!.details?.dueAt).toBe(NOW + 2 * MINUTE)
  })

  test('by a schedule of Footman is watched too', async () => {
    const { look, set, clock, emitted, deps, settings } = scene()
    set({}, null)
    createWatchdog(deps, settings).expect(TASK_ID.toUpperCase(), NOW)
    clock.advance(31 * MINUTE)
    await look()
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['neverStarted'])
  })
})
