/** The history on its own: what is told twice, how tasks stand, pages, percentiles. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../../src/platform/sqlite.ts'
import { nearestRank } from '../../../../src/tasks/executions/durations.ts'
import { createHistory } from '../../../../src/tasks/executions/history.ts'
import { listHistory, summarise } from '../../../../src/tasks/executions/history-worker.ts'
import {
  historyMigrations,
  purgeExecutions,
  recordExecution,
  standingAt,
  taskStates,
} from '../../../../src/tasks/executions/store.ts'
import type { EndedExecution, HistoryFilter, SummaryQuery } from '../../../../src/tasks/executions/types.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../../support/events.ts'
import { executionResult } from '../../../support/fake-qrs.ts'

const AT = Date.parse('2026-03-02T06:00:00.000Z')
const MINUTE = 60_000
const id = (n: number) => `e5000000-0000-4000-8000-${String(n).padStart(12, '0')}`

const open = (): Database => openDatabase(':memory:', { migrations: historyMigrations })

function ended(changes: Partial<EndedExecution> = {}): EndedExecution {
  return {
    executionId: id(1),
    resultId: null,
    taskId: TASK_ID,
    taskName: 'Financial Dashboard Reload',
    taskType: 'reload',
    appId: APP_ID,
    appName: 'Sales Dashboard',
    statusNum: 7,
    outcome: 'success',
    node: 'qs-central',
    actor: null,
    triggeredAt: AT - 2000,
    startedAt: AT - 1000,
    stoppedAt: AT,
    queueMs: 1000,
    runMs: 1000,
    attempts: 1,
    error: null,
    ...changes,
  }
}

const failed = (changes: Partial<EndedExecution>) => ended({ outcome: 'failed', statusNum: 8, ...changes })

const ALL: HistoryFilter = {
  id: null,
  taskId: null,
  taskName: null,
  appId: null,
  type: null,
  outcome: null,
  node: null,
  actor: null,
  from: null,
  to: null,
}
const list = (db: Database, filter: Partial<HistoryFilter> = {}, limit = 100) =>
  listHistory(db, { kind: 'list', filter: { ...ALL, ...filter }, after: null, limit })
const summary = (db: Database, query: Partial<SummaryQuery> = {}) =>
  summarise(db, {
    kind: 'summary',
    filter: ALL,
    groupBy: 'task',
    sort: null,
    timezone: 'UTC',
    offset: 0,
    limit: 100,
    ...query,
  }).summary

describe('one execution', () => {
  test('told by several is one row with all that was told', () => {
    const db = open()
    const first = recordExecution(db, failed({ statusNum: null, runMs: null, queueMs: null, error: 'Error: no file' }))
    const second = recordExecution(
      db,
      failed({ executionId: id(1).toUpperCase(), attempts: 3, runMs: 4000, actor: 'key:erp', error: 'Exit code 1' }),
    )
    const third = recordExecution(db, failed({ statusNum: null, runMs: null, taskName: 'Unknown yet' }))
    expect([first, second, third]).toEqual([
      { isNew: true, isMeasured: false },
      { isNew: false, isMeasured: true },
      { isNew: false, isMeasured: false },
    ])
    expect(list(db).executions).toEqual([
      {
        executionId: id(1),
        kind: 'task',
        taskId: TASK_ID,
        taskName: 'Financial Dashboard Reload',
        taskType: 'reload',
        appId: APP_ID,
        appName: 'Sales Dashboard',
        state: 'finished',
        outcome: 'failed',
        statusNum: 8,
        statusText: 'FinishedFail',
        node: 'qs-central',
        actor: 'key:erp',
        triggeredAt: '2026-03-02T05:59:58.000Z',
        startedAt: '2026-03-02T05:59:59.000Z',
        stoppedAt: '2026-03-02T06:00:00.000Z',
        queueMs: 1000,
        runMs: 4000,
        attempts: 3,
        error: 'Error: no file',
      },
    ])
  })

  test.each<[string, Partial<EndedExecution>[], string | null]>([
    [
      'of the log stays when Qlik Sense reports later',
      [{ error: 'Error: x', isErrorOfLog: true }, { error: 'Failed' }],
      'Error: x',
    ],
    [
      'of the log replaces the first of Qlik Sense',
      [{ error: 'Failed' }, { error: 'Error: x', isErrorOfLog: true }],
      'Error: x',
    ],
    ['goes when the execution was successful', [{ error: 'Failed' }, { outcome: 'success', statusNum: 7 }], null],
  ])('the error %s', (_, reports, error) => {
    const db = open()
    for (const report of reports) recordExecution(db, failed(report))
    expect(list(db).executions.map((one) => one.error)).toEqual([error])
  })

  test('whose message had no execution id is recognised by its end', () => {
    const db = open()
    recordExecution(db, ended({ executionId: null, statusNum: null, outcome: 'failed' }))
    recordExecution(db, ended({ outcome: 'failed', statusNum: 8, stoppedAt: AT + MINUTE }))
    recordExecution(db, ended({ executionId: id(2), outcome: 'failed', statusNum: 8, stoppedAt: AT + MINUTE }))
    expect(
      list(db)
        .executions.map(({ executionId }) => executionId)
        .toSorted(),
    ).toEqual([id(1), id(2)])
  })
})

describe('how a task stands', () => {
  function complete(outcomes: readonly ('failed' | 'aborted' | 'success')[]) {
    const db = openDatabase(':memory:', { migrations: historyMigrations })
    const history = createHistory({ writer: createGroupWriter(db), records: { byExecution: () => undefined } })
    const histories = outcomes.map((outcome, n) => {
      const status = { success: 7, failed: 8, aborted: 6 }[outcome]
      const stopTime = new Date(AT + n * MINUTE).toISOString()
      const execution = executionResult({ id: id(n), status, stopTime })
      return history.complete(db, taskEvent({ outcome, executionId: id(n), execution })).history
    })
    return { db, history, histories }
  }

  test('counts failures in a row and remembers the last success', () => {
    const { db, histories } = complete(['success', 'failed', 'aborted', 'failed', 'success', 'failed'])
    expect(histories).toEqual([
      { consecutiveFailures: 0, lastSuccessAt: null },
      { consecutiveFailures: 1, lastSuccessAt: AT },
      { consecutiveFailures: 2, lastSuccessAt: AT },
      { consecutiveFailures: 3, lastSuccessAt: AT },
      { consecutiveFailures: 0, lastSuccessAt: AT },
      { consecutiveFailures: 1, lastSuccessAt: AT + 4 * MINUTE },
    ])
    expect(taskStates(db)).toMatchObject([{ taskId: TASK_ID, lastOutcome: 'failed', consecutiveFailures: 1 }])
  })

  test('an abort that is followed by a failure of the same execution counts once', () => {
    const { db, history } = complete(['failed'])
    const execution = executionResult({ id: id(9), status: 6, stopTime: new Date(AT + MINUTE).toISOString() })
    const ends = (['aborted', 'failed'] as const).map(
      (outcome) => history.complete(db, taskEvent({ outcome, executionId: id(9), execution })).history,
    )
    expect(ends.map((one) => one?.consecutiveFailures)).toEqual([2, 2])
  })

  test('test events are told how the task stands and are not counted', () => {
    const { db, history } = complete(['failed'])
    const tested = history.complete(db, taskEvent({ executionId: id(50), test: true }))
    expect(tested.history).toEqual({ consecutiveFailures: 2, lastSuccessAt: null })
    expect(list(db).executions).toHaveLength(1)
  })

  test('events about something else have no history', () => {
    const { db, history } = complete([])
    expect(history.complete(db, taskEvent({ type: 'service', outcome: 'stopped' })).history).toBeNull()
  })
})

describe('an event that is completed in steps', () => {
  const HOUR = 60 * MINUTE
  const stopped = AT + 3 * HOUR

  function standing(outcome: 'failed' | 'success', clockAheadMs: number, inSteps: boolean) {
    const db = open()
    const history = createHistory({ writer: createGroupWriter(db), records: { byExecution: () => undefined } })
    recordExecution(db, ended())
    recordExecution(db, ended({ executionId: id(2), outcome: 'failed', statusNum: 8, stoppedAt: AT + HOUR }))
    const event = taskEvent({ outcome, executionId: id(3), receivedAt: stopped + clockAheadMs })
    const execution = executionResult({
      status: outcome === 'failed' ? 8 : 7,
      startTime: new Date(stopped - MINUTE).toISOString(),
      stopTime: new Date(stopped).toISOString(),
    })
    const early = inSteps ? [history.complete(db, event), history.complete(db, event)] : []
    const last = history.complete(db, { ...event, execution })
    const { executions } = list(db)
    db.close()
    return { early: early.map((one) => one.history), last: last.history, executions }
  }

  test.each([-5000, 0, 300, 60_000])('stands as one that is completed at once; the clocks differ by %d ms', (ahead) => {
    for (const outcome of ['failed', 'success'] as const) {
      const atOnce = standing(outcome, ahead, false)
      const inSteps = standing(outcome, ahead, true)
      expect(atOnce.last).toEqual({ consecutiveFailures: outcome === 'failed' ? 2 : 0, lastSuccessAt: AT })
      expect(inSteps.early).toEqual([atOnce.last, atOnce.last])
      expect(inSteps.last).toEqual(atOnce.last)
      expect(inSteps.executions).toEqual(atOnce.executions)
    }
  })
})

test('property: in whatever order executions are told, the task stands as if they had come in order', () => {
  const told = fc.record({ n: fc.nat(15), outcome: fc.constantFrom('success', 'failed', 'aborted', 'skipped') })
  fc.assert(
    fc.property(fc.array(told, { minLength: 1, maxLength: 40 }), (all) => {
      const db = open()
      const last = new Map<number, (typeof all)[number]>()
      for (const one of all) {
        recordExecution(
          db,
          ended({ executionId: id(one.n), stoppedAt: AT + one.n * 10 * MINUTE, outcome: one.outcome }),
        )
        last.set(one.n, one)
      }
      const inOrder = [...last.values()].sort((a, b) => a.n - b.n)
      const success = inOrder.findLastIndex(({ outcome }) => outcome === 'success')
      const failures = inOrder.slice(success + 1).filter(({ outcome }) => outcome !== 'skipped').length
      expect(taskStates(db)).toMatchObject([
        {
          consecutiveFailures: failures,
          lastSuccessAt: success < 0 ? null : AT + inOrder[success]!.n * 10 * MINUTE,
          lastOutcome: inOrder.at(-1)!.outcome,
        },
      ])
      db.close()
    }),
    { numRuns: 60 },
  )
})

describe('pages', () => {
  test('show each row once, newest first, also when ends are equal', () => {
    const db = open()
    for (let n = 0; n < 25; n += 1) recordExecution(db, ended({ executionId: id(n), stoppedAt: AT + (n % 4) * 1000 }))
    const seen: string[] = []
    let after: ReturnType<typeof list>['next'] = null
    do {
      const page = listHistory(db, { kind: 'list', filter: ALL, after, limit: 4 })
      seen.push(...page.executions.map(({ stoppedAt, executionId }) => `${stoppedAt} ${executionId}`))
      after = page.next
    } while (after)
    expect(seen).toHaveLength(25)
    expect(new Set(seen).size).toBe(25)
    expect(seen.map((one) => one.slice(0, 24))).toEqual(
      seen
        .map((one) => one.slice(0, 24))
        .toSorted()
        .toReversed(),
    )
  })

  test.each([
    [{ taskName: ['sales*'] }, [2]],
    [{ type: ['preload'] }, [3]],
    [{ outcome: ['failed', 'aborted'] }, [2, 3]],
    [{ node: ['QS-RELOAD1'] }, [2]],
    [{ actor: ['key:erp'] }, [1]],
    [{ appId: [APP_ID] }, [1, 2]],
    [{ from: AT + 1, to: AT + 2 }, [2]],
    [{ from: AT, to: AT + 2 }, [1, 2]],
  ] as const)('%p', (filter, wanted) => {
    const db = open()
    recordExecution(db, ended({ actor: 'key:erp' }))
    const sales = {
      taskId: id(70),
      taskName: 'Sales ETL',
      outcome: 'failed',
      node: 'qs-reload1',
      statusNum: 8,
    } as const
    recordExecution(db, ended({ executionId: id(2), ...sales, stoppedAt: AT + 1 }))
    const preload = { taskId: id(71), taskType: 'preload', outcome: 'aborted', appId: null, statusNum: 6 } as const
    recordExecution(db, ended({ executionId: id(3), ...preload, stoppedAt: AT + 2 }))
    const found = list(db, filter as Partial<HistoryFilter>).executions.map(({ executionId }) => executionId)
    expect(found.toSorted()).toEqual(wanted.map(id))
  })
})

describe('summaries', () => {
  test('count, and tell exact percentiles', () => {
    const db = open()
    for (let n = 1; n <= 20; n += 1) {
      recordExecution(
        db,
        ended({
          executionId: id(n),
          stoppedAt: AT + n,
          runMs: n * 10,
          queueMs: n,
          outcome: n > 18 ? 'failed' : 'success',
        }),
      )
    }
    recordExecution(
      db,
      ended({ executionId: id(30), stoppedAt: AT + 30, runMs: null, queueMs: null, outcome: 'aborted' }),
    )
    expect(summary(db)).toEqual([
      {
        key: TASK_ID,
        name: 'Financial Dashboard Reload',
        runs: 21,
        success: 18,
        failed: 2,
        aborted: 1,
        successRate: 0.8571,
        runMs: { min: 10, p50: 100, p95: 190, max: 200, total: 2100 },
        queueMs: { p50: 10, p95: 19, max: 20 },
        lastOutcome: 'aborted',
        lastStoppedAt: new Date(AT + 30).toISOString(),
      },
    ])
  })

  test('by day and hour are on the wall clock of the zone', () => {
    const db = open()
    recordExecution(db, ended({ executionId: id(1), stoppedAt: Date.parse('2026-03-01T23:30:00Z') }))
    recordExecution(db, ended({ executionId: id(2), stoppedAt: Date.parse('2026-03-02T00:30:00Z') }))
    const keys = (timezone: string, groupBy: 'day' | 'hour') => summary(db, { timezone, groupBy }).map(({ key }) => key)
    expect(keys('UTC', 'day')).toEqual(['2026-03-02', '2026-03-01'])
    expect(keys('Europe/Stockholm', 'day')).toEqual(['2026-03-02'])
    expect(keys('Europe/Stockholm', 'hour')).toEqual(['2026-03-02T01:00', '2026-03-02T00:00'])
  })

  test('are sorted as asked and come in pages', () => {
    const db = open()
    const runs = [
      { taskId: id(1), outcome: 'success', runMs: 5 },
      { taskId: id(1), outcome: 'success', runMs: 5 },
      { taskId: id(2), outcome: 'failed', runMs: 100 },
      { taskId: id(3), outcome: 'success', runMs: 7 },
    ] as const
    for (const [n, run] of runs.entries())
      recordExecution(db, ended({ executionId: id(100 + n), stoppedAt: AT + n * 10 * MINUTE, ...run }))
    const keys = (query: Partial<SummaryQuery>) => summary(db, query).map(({ key }) => key)
    expect(keys({})).toEqual([id(1), id(2), id(3)])
    expect(keys({ sort: 'failures' })).toEqual([id(2), id(1), id(3)])
    expect(keys({ sort: 'p95' })).toEqual([id(2), id(3), id(1)])
    expect(keys({ sort: 'total' })).toEqual([id(2), id(1), id(3)])
    expect(keys({ limit: 1, offset: 1 })).toEqual([id(2)])
  })

  test('property: the percentile is the smallest value that enough values do not exceed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const sorted = values.toSorted((a, b) => a - b)
          const reached = (limit: number) =>
            values.filter((value) => value <= limit).length * 100 >= percent * values.length
          expect(nearestRank(sorted, percent)).toBe(sorted.find(reached)!)
        },
      ),
    )
  })
})

describe('retention', () => {
  test('forgets what ended before, and tasks of which nothing is left', () => {
    const db = open()
    for (let n = 0; n < 5; n += 1) recordExecution(db, ended({ executionId: id(n), stoppedAt: AT + n * 10 * MINUTE }))
    recordExecution(db, ended({ executionId: id(9), taskId: id(70), stoppedAt: AT }))
    expect(purgeExecutions(db, AT + 20 * MINUTE, 2)).toBe(2)
    expect(purgeExecutions(db, AT + 20 * MINUTE, 2)).toBe(1)
    expect(list(db).executions.map(({ executionId }) => executionId)).toEqual([id(4), id(3), id(2)])
    expect(taskStates(db).map(({ taskId }) => taskId)).toEqual([TASK_ID])
  })
})

describe('the standing of a task', () => {
  const outcomes = fc.constantFrom('success' as const, 'failed' as const, 'aborted' as const)
  /** Few executions and few instants: the same one is reported again, later ends come first, many end together. */
  const reports = fc.array(
    fc.record({ n: fc.integer({ min: 0, max: 12 }), minute: fc.integer({ min: 0, max: 6 }), outcome: outcomes }),
    { maxLength: 40 },
  )

  test('is that of a count of its executions, in whatever order they are reported', () => {
    fc.assert(
      fc.property(reports, (all) => {
        const db = open()
        for (const { n, minute, outcome } of all) {
          const stoppedAt = AT + minute * 10 * MINUTE
          recordExecution(db, ended({ executionId: id(n), outcome, statusNum: null, stoppedAt, resultId: null }))
          const rows = db.all<{ at: number; outcome: string }>('SELECT stopped_at AS at, outcome FROM execution')
          const successes = rows.filter((row) => row.outcome === 'success').map(({ at }) => at)
          const lastSuccessAt = successes.length > 0 ? Math.max(...successes) : null
          const [state] = taskStates(db)
          expect(state).toMatchObject({
            lastSuccessAt,
            lastStoppedAt: Math.max(...rows.map(({ at }) => at)),
            consecutiveFailures: rows.filter((row) => row.outcome !== 'success' && row.at > (lastSuccessAt ?? 0))
              .length,
          })
          for (const at of [AT, AT + 25 * MINUTE, AT + 60 * MINUTE]) {
            const before = Math.max(0, ...successes.filter((one) => one <= at))
            const failures = rows.filter((row) => row.outcome !== 'success' && row.at > before && row.at <= at).length
            expect(standingAt(db, TASK_ID, at)).toEqual({ failures, lastSuccessAt: before || null })
          }
        }
        db.close()
      }),
      { numRuns: 150 },
    )
  })
})
