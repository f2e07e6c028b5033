/** Retries with a moved clock: planned, started, refused, and what a crash leaves behind. */
import { afterEach, describe, expect, test } from 'bun:test'
import { storeWholeEvent } from '../../../../src/events/store.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import type { QrsExecutionResult, QrsTask } from '../../../../src/qlik/qrs/types.ts'
import {
  createRetryPlanner,
  createRetryRunner,
  type RetryRunner,
  retrySuppression,
} from '../../../../src/tasks/safety-net/retries.ts'
import * as store from '../../../../src/tasks/safety-net/store.ts'
import type { StartOutcome, StartRequest } from '../../../../src/tasks/start/types.ts'
import { TASK_ID, taskEvent } from '../../../support/events.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import {
  executionId,
  HOUR,
  MINUTE,
  movedClock,
  NOW,
  policiesOf,
  SECOND,
  safetyNetDatabase,
} from '../../../support/safety-net.ts'
import { until } from '../../../support/wait.ts'

const policy = (value: string): Partial<QrsTask> => ({
  customProperties: [{ value, definition: { id: 'p', name: 'retryPolicy' } }],
})

const NOTHING: StartOutcome = {
  started: [],
  failed: [],
  notFound: [],
  heldBack: [],
  selected: [],
  denied: { taskIds: [], tags: [], customProperties: [] },
}

const runners: RetryRunner[] = []
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.stop(0)
})

function scene(settings: { enable?: boolean; maxPerTaskPerDay?: number; maxPerHour?: number } = {}) {
  const db = safetyNetDatabase()
  const clock = movedClock()
  const log = recordingLog()
  const limits = { enable: true, maxPerTaskPerDay: 10, maxPerHour: 20, ...settings }
  const requests: StartRequest[] = []
  const released: string[] = []
  const results: string[] = []
  let task: QrsTask | null = qrsTask()
  /** Execution ids of the last run of each task, which failed. */
  const lastRuns = new Map<string, string>()
  /** What Qlik Sense knows of the execution that failed, when it is not the last one. */
  const known: QrsExecutionResult[] = []
  let answer: () => Promise<StartOutcome> = async () => ({
    ...NOTHING,
    started: [{ taskId: TASK_ID, taskName: 'T', executionId: executionId(100 + requests.length) }],
  })
  const policies = policiesOf(log)
  const planner = createRetryPlanner(
    { clock, log, policyOf: (task) => policies.retryOf(task).value, onPlanned: () => undefined },
    limits,
  )

  function createRunner(): RetryRunner {
    const runner = createRetryRunner(
      {
        db,
        writer: createGroupWriter(db),
        clock,
        log,
        async start(request) {
          requests.push(request)
          return answer()
        },
        qrs: {
          async taskById(id) {
            const lastExecutionResult = executionResult({ id, stopTime: new Date(clock.now()).toISOString() })
            return task && { operational: { lastExecutionResult }, ...task }
          },
          executionResults: async () => known,
          resultsById: async ([id]) => [executionResult({ executionID: lastRuns.get(id ?? '')! })],
        },
        release: (_db, eventId, refused) => void released.push(`${eventId}: ${refused}`),
        released: () => undefined,
        onResult: (result) => void results.push(result),
      },
      limits,
    )
    runners.push(runner)
    return runner
  }

  let n = 0
  const end = (outcome: TaskEvent['outcome'], changes: Partial<TaskEvent> = {}) => {
    n += 1
    const stopTime = new Date(clock.now()).toISOString()
    const execution = executionResult({ stopTime })
    const event = {
      outcome,
      executionId: executionId(n),
      receivedAt: clock.now(),
      execution,
      task: qrsTask(policy('3x/10s')),
      ...changes,
    }
    const whole = taskEvent(event)
    lastRuns.set(whole.taskId, whole.executionId.toUpperCase())
    return planner.plan(db, whole)
  }
  const rows = () =>
    db.all<{ attempt: number; state: string; reason: string | null }>(
      'SELECT attempt, state, reason FROM task_retry ORDER BY due_at, id',
    )

  return {
    db,
    clock,
    log,
    planner,
    requests,
    released,
    results,
    lastRuns,
    known,
    end,
    rows,
    createRunner,
    setTask: (changes: Partial<QrsTask> | null) => {
      task = changes && qrsTask(changes)
    },
    answers: (next: typeof answer) => {
      answer = next
    },
    /** The time of all that is due has come. */
    async run(ms: number, runner: RetryRunner) {
      clock.advance(ms)
      await runner.start()
      await until(() => store.openRetries(db).every(({ dueAt }) => dueAt > clock.now()))
      await until(() => results.length > 0 || requests.length > 0)
      await runner.stop(0)
    },
  }
}

const held = (event: TaskEvent) => retrySuppression(undefined as never, { event } as never)

describe('a failure of a task with a policy', () => {
  test('is followed by retries until the last; the alert waits for that', async () => {
    const { end, clock, run, createRunner, requests, rows } = scene()
    const first = end('failed')
    expect(first.retry).toEqual({ attempt: 0, max: 3, nextAt: clock.now() + 10 * SECOND, refused: null })
    expect(held(first)).toMatchObject({ reason: 'RETRY_PENDING', detail: expect.stringContaining('try 1 of 3') })
    for (const attempt of [1, 2, 3]) {
      await run(10 * SECOND, createRunner())
      expect(requests).toHaveLength(attempt)
      const failed = end('failed', { executionId: executionId(100 + attempt) })
      const nextAt = attempt < 3 ? clock.now() + 10 * SECOND : null
      expect(failed.retry).toEqual({ attempt, max: 3, nextAt, refused: null })
      expect(held(failed) === null).toBe(attempt === 3)
    }
    expect(rows().map(({ state }) => state)).toEqual(['started', 'started', 'started'])
    expect(requests[0]).toMatchObject({ origin: 'retry', actor: 'retry', taskIds: [TASK_ID], match: 'any' })
    expect(new Set(requests.map(({ id }) => id)).size).toBe(3)
  })

  test('is over when a retry succeeds; the next failure begins anew', async () => {
    const { end, run, createRunner, clock } = scene()
    end('failed')
    await run(10 * SECOND, createRunner())
    expect(end('success', { executionId: executionId(101) }).retry).toBeNull()
    clock.advance(HOUR)
    expect(end('failed').retry).toMatchObject({ attempt: 0, max: 3 })
  })

  test.each(['success', 'aborted', 'failed'] as const)('goes on waiting when a message says %s', (outcome) => {
    const { end, rows } = scene()
    end('failed')
    end(outcome)
    expect(rows()[0]).toEqual({ attempt: 1, state: 'due', reason: null })
  })

  test('that failed again by itself goes on with the same try', () => {
    const { end, rows } = scene()
    end('failed')
    const again = end('failed')
    expect(again.retry).toMatchObject({ attempt: 0, max: 3 })
    expect(rows().map(({ attempt, state }) => `${attempt} ${state}`)).toEqual(['1 due', '1 due'])
  })

  test.each([
    ['after an abort', 'aborted', {}],
    ['of a test', 'failed', { test: true }],
    ['without the property', 'failed', { task: qrsTask() }],
    ['while the task is not known', 'failed', { task: null }],
    ['with a policy that makes no sense', 'failed', { task: qrsTask(policy('often')) }],
    ['of a service', 'stopped', { type: 'service' }],
  ] as const)('is not planned %s', (_when, outcome, changes) => {
    const { end, rows } = scene()
    const event = end(outcome, changes)
    expect([event.retry, rows()]).toEqual([null, []])
  })

  test.each([
    ['left alone', 16, 16],
    ['left alone, also when it is reported now', 16, 0],
  ])('more than a quarter of an hour ago is %s', (_how, endedAgo, reportedAgo) => {
    const { end, rows, clock } = scene()
    const stopTime = new Date(clock.now() - endedAgo * MINUTE).toISOString()
    const event = { execution: executionResult({ stopTime }), receivedAt: clock.now() - reportedAgo * MINUTE }
    expect([end('failed', event).retry, rows()]).toEqual([null, []])
  })

  test('a policy that makes no sense is told once', () => {
    const { end, log } = scene()
    for (let n = 0; n < 3; n += 1) end('failed', { task: qrsTask(policy('often')) })
    expect(log.of('warn').filter((line) => line.includes('retryPolicy of task'))).toHaveLength(1)
  })

  test.each([
    ['the script log', { scriptLog: { lines: ['Error: CONNECTION lost'], characters: 22 } }, true],
    ['the message', { logMessage: 'Connection refused' }, true],
    ['nothing', { scriptLog: { lines: ['Error: no such field', 'connection was fine'], characters: 40 } }, false],
  ])('with "if connection" when %s says so', (_what, changes, planned) => {
    const { end, planner } = scene()
    const task = qrsTask(policy('3x/5m*2 if connection'))
    expect(end('failed', { task, ...changes }).retry !== null).toBe(planned)
    expect(planner.needs(task, 'failed')).toEqual(['execution', 'scriptLog'])
    expect(planner.needs(task, 'success')).toEqual([])
  })
})

describe('a retry that is due', () => {
  test('comes at its time when the timer is a moment early, as the clock of the cluster has moved', async () => {
    const { end, clock, createRunner, requests } = scene()
    end('failed')
    clock.advance(10 * SECOND - 3)
    const read = clock.now
    // Each look at the clock is a millisecond later.
    clock.now = () => {
      clock.advance(1)
      return read()
    }
    await createRunner().start()
    await until(() => requests.length === 1, { timeout: 5000, what: 'the start' })
  })

  test('and cannot be made is tried again within a second or two, and holds up no other', async () => {
    const { end, clock, answers, createRunner, requests, rows } = scene()
    end('failed')
    clock.advance(10 * SECOND)
    let isLost = true
    answers(async () => {
      if (isLost && requests.at(-1)?.taskIds[0] === TASK_ID) throw new Error('the database of the cluster is away')
      return { ...NOTHING, started: [{ taskId: '', taskName: '', executionId: executionId(200 + requests.length) }] }
    })
    const runner = createRunner()
    await runner.start()
    await until(() => requests.length === 1, { what: 'the first attempt' })
    const other = executionId(900)
    end('failed', { taskId: other })
    clock.advance(10 * SECOND)
    runner.wake()
    await until(() => requests.some(({ taskIds }) => taskIds[0] === other), { timeout: 5000, what: 'the other one' })
    isLost = false
    clock.advance(2 * SECOND)
    runner.wake()
    await until(() => rows().every(({ state }) => state === 'started'), { timeout: 5000, what: 'both starts' })
  })

  test('goes on after a crash: before, during and after the start', async () => {
    const { end, run, createRunner, db, requests, rows, clock } = scene()
    end('failed')
    store.markStarting(db, store.openRetries(db)[0]!.id)
    await run(0, createRunner())
    expect(requests).toHaveLength(1)
    expect(rows()).toMatchObject([{ state: 'started' }])
    clock.advance(MINUTE)
    const after = createRunner()
    await after.start()
    await after.stop(0)
    expect(requests).toHaveLength(1)
  })

  test('that Qlik Sense has started without an answer is not started twice', async () => {
    const { end, run, createRunner, db, requests, results, rows, setTask } = scene()
    end('failed')
    store.markStarting(db, store.openRetries(db)[0]!.id)
    setTask({ operational: { lastExecutionResult: executionResult({ status: 2 }) } })
    await run(10 * SECOND, createRunner())
    expect([requests.length, results]).toEqual([0, ['started']])
    expect(rows()).toMatchObject([{ state: 'started' }])
    expect(store.retryOfExecution(db, TASK_ID, executionId(2))).toMatchObject({ attempt: 1 })
  })

  test('when Footman was away for long is refused, and the alert leaves', async () => {
    const { end, run, createRunner, requests, released, results } = scene()
    const event = end('failed')
    await run(20 * MINUTE, createRunner())
    expect([requests.length, results]).toEqual([0, ['refused']])
    expect(released).toEqual([`${event.id}: Footman was away when it was due`])
  })

  test.each([
    ['the task is gone', null, {}, 'the task does not exist any more'],
    ['the task is disabled', { enabled: false }, {}, 'the task is disabled'],
    [
      'the filter denies it',
      {},
      { denied: { taskIds: [TASK_ID], tags: [], customProperties: [] } },
      'Butler.startTaskFilter does not allow it',
    ],
    ['Qlik Sense refuses', {}, { failed: [{ taskId: TASK_ID, taskName: 'T', error: 'no scheduler' }] }, 'no scheduler'],
  ] as const)('is refused when %s', async (_when, task, outcome, reason) => {
    const { end, run, createRunner, released, setTask, answers, rows } = scene()
    const event = end('failed')
    setTask(task)
    answers(async () => ({ ...NOTHING, ...outcome }))
    await run(10 * SECOND, createRunner())
    expect(released).toEqual([`${event.id}: ${reason}`])
    expect(rows()).toEqual([{ attempt: 1, state: 'refused', reason }])
  })

  const UNKNOWN = 'Qlik Sense does not know of this failure'
  const OTHER = 'another'
  test.each([
    ['did not fail', { status: 7 }, [], 'refused', UNKNOWN],
    ['was aborted', { status: 6 }, [], 'refused', UNKNOWN],
    ['is another one, and nothing is known of this one', { id: OTHER }, [], 'refused', UNKNOWN],
    ['is another one, and this one has succeeded', { id: OTHER }, [{ status: 7 }], 'refused', UNKNOWN],
    ['is another one, and this one is of another task', { id: OTHER }, [{ taskID: OTHER }], 'refused', UNKNOWN],
    [
      'ended long ago',
      { stopTime: new Date(NOW - 16 * MINUTE).toISOString() },
      [],
      'refused',
      'the task failed long before it was reported',
    ],
    ['is a later one', { id: OTHER, status: 7 }, [{}], 'superseded', 'the task has run again since'],
    ['is a later one that failed', { id: OTHER }, [{}], 'superseded', 'the task has run again since'],
  ])('is not made when the last run of the task in Qlik Sense %s', async (_how, last, known, state, reason) => {
    const { end, run, createRunner, requests, released, rows, setTask, lastRuns, known: results, db, clock } = scene()
    const event = end('failed', { execution: null })
    storeWholeEvent(db, event)
    lastRuns.set(OTHER, executionId(999))
    results.push(...known.map((changes) => executionResult({ taskID: TASK_ID, ...changes })))
    setTask({
      operational: {
        lastExecutionResult: executionResult({ id: TASK_ID, stopTime: new Date(clock.now()).toISOString(), ...last }),
      },
    })
    await run(10 * SECOND, createRunner())
    expect([requests.length, released]).toEqual([0, state === 'refused' ? [`${event.id}: ${reason}`] : []])
    expect(rows()).toEqual([{ attempt: 1, state, reason }])
  })

  test('was started before a crash and has ended since: it is not started twice', async () => {
    const { end, run, createRunner, db, requests, rows, setTask, lastRuns, known } = scene()
    end('failed')
    store.markStarting(db, store.openRetries(db)[0]!.id)
    lastRuns.set(OTHER, executionId(999))
    known.push(executionResult({ taskID: TASK_ID }))
    setTask({ operational: { lastExecutionResult: executionResult({ id: OTHER, status: 7 }) } })
    await run(10 * SECOND, createRunner())
    expect([requests.length, rows()]).toEqual([0, [{ attempt: 1, state: 'started', reason: null }]])
  })

  test('is refused when retries were switched off meanwhile', async () => {
    const { end, run, createRunner, released, requests } = scene({ enable: false })
    const event = end('failed')
    await run(10 * SECOND, createRunner())
    expect([requests.length, released]).toEqual([0, [`${event.id}: retryPolicy.enable is false`]])
  })

  test('is not needed while the task runs', async () => {
    const { end, run, createRunner, requests, released, results, setTask } = scene()
    end('failed')
    setTask({ operational: { lastExecutionResult: executionResult({ status: 2 }) } })
    await run(10 * SECOND, createRunner())
    expect([requests.length, released, results]).toEqual([0, [], ['superseded']])
  })

  test('waits in the start queue for its turn', async () => {
    const { end, run, createRunner, answers, db } = scene()
    end('failed')
    const settled = Promise.resolve({ executionId: executionId(7) })
    answers(async () => ({ ...NOTHING, queued: [{ taskId: TASK_ID, taskName: 'T', queueId: 'q', settled }] }))
    await run(10 * SECOND, createRunner())
    expect(store.retryOfExecution(db, TASK_ID, executionId(7))).toMatchObject({ attempt: 1, state: 'started' })
  })

  test('that fails before its start is noted counts as that try', () => {
    const { end, db } = scene()
    const task = qrsTask(policy('1x/10s'))
    const first = end('failed', { task })
    store.markStarting(db, store.openRetries(db)[0]!.id)
    expect(store.retryOfExecution(db, TASK_ID, first.executionId)).toBeUndefined()
    const again = end('failed', { task })
    expect(again.retry).toEqual({ attempt: 1, max: 1, nextAt: null, refused: null })
    expect(held(again)).toBeNull()
  })

  test('that Qlik Sense cannot be asked about is tried again', async () => {
    const { end, clock, createRunner, answers, requests, rows } = scene()
    end('failed')
    answers(async () => {
      throw new Error('connect ECONNREFUSED')
    })
    clock.advance(10 * SECOND)
    const runner = createRunner()
    await runner.start()
    await until(() => requests.length === 1)
    await runner.stop(0)
    expect(rows()).toMatchObject([{ state: 'starting' }])
  })
})

describe('breakers', () => {
  test('the eleventh retry of a task within a day is not made; the alert names the setting', async () => {
    const { end, run, createRunner, clock, requests } = scene()
    const task = qrsTask(policy('10x/10s'))
    for (let n = 0; n < 10; n += 1) {
      expect(
        end('failed', { task, executionId: n === 0 ? executionId(1) : executionId(100 + n) }).retry?.nextAt,
      ).toBeNumber()
      await run(10 * SECOND, createRunner())
    }
    expect(requests).toHaveLength(10)
    const last = end('failed', { task, executionId: executionId(110) })
    expect(last.retry).toMatchObject({ attempt: 10, max: 10, nextAt: null })
    const next = end('failed', { task })
    expect(next.retry).toMatchObject({ attempt: 0, nextAt: null, refused: expect.stringContaining('maxPerTaskPerDay') })
    expect(held(next)).toBeNull()
    clock.advance(24 * HOUR)
    expect(end('failed', { task }).retry).toMatchObject({ refused: null, nextAt: expect.any(Number) })
  })

  test('of all tasks hold beyond so many an hour, also when the time of a retry has come', async () => {
    const { end, run, createRunner, released } = scene({ maxPerHour: 1 })
    const other = '70000000-0000-4000-8000-000000000001'
    end('failed')
    const second = end('failed', { taskId: other, task: qrsTask({ id: other, ...policy('3x/30s') }) })
    await run(10 * SECOND, createRunner())
    await run(20 * SECOND, createRunner())
    expect(released).toEqual([`${second.id}: tasks were started again 1 times within an hour (retryPolicy.maxPerHour)`])
  })
})
