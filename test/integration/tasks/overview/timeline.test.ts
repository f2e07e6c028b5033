/** The timeline from a stored history: its numbers agree with `/v4/history`, and it has never too many shapes. */
import { afterEach, describe, expect, test } from 'bun:test'
import { type Database, openDatabase } from '../../../../src/platform/sqlite.ts'
import { listHistory } from '../../../../src/tasks/executions/history-worker.ts'
import { historyMigrations, recordExecution } from '../../../../src/tasks/executions/store.ts'
import { durationsOf, slowerTasks, type TimelineQuery, timelineOf } from '../../../../src/tasks/overview/queries.ts'
import { endedExecution, HOUR, MINUTE, NOW } from '../../../support/safety-net.ts'

const open: Database[] = []
afterEach(() => {
  for (const db of open.splice(0)) db.close()
})

function history(): Database {
  const db = openDatabase(':memory:', { migrations: historyMigrations })
  open.push(db)
  return db
}

let number = 0
/** Ended so many minutes before now. */
function ran(
  db: Database,
  taskId: string,
  minutesAgo: number,
  outcome: 'success' | 'failed' | 'aborted',
  runMs = MINUTE,
) {
  number += 1
  const stoppedAt = NOW - minutesAgo * MINUTE
  recordExecution(
    db,
    endedExecution({
      executionId: `e-${number}`,
      resultId: `r-${number}`,
      taskId,
      taskName: `Task ${taskId}`,
      outcome,
      triggeredAt: stoppedAt - runMs - 1000,
      startedAt: stoppedAt - runMs,
      stoppedAt,
      runMs,
      queueMs: 1000,
    }),
  )
}

const ask = (db: Database, changes: Partial<TimelineQuery> = {}) =>
  timelineOf(db, {
    kind: 'timeline',
    from: NOW - 12 * HOUR,
    to: NOW,
    now: NOW,
    name: null,
    only: 'all',
    maxShapes: 2000,
    timezone: 'UTC',
    running: [],
    planned: {},
    gates: [],
    known: [NOW - 12 * HOUR, NOW - 30 * MINUTE],
    limits: {},
    limitMs: 30 * MINUTE,
    coming: {},
    names: {},
    ...changes,
  })

test('the summary counts what ended in the range, and what is well again', () => {
  const db = history()
  ran(db, 'a', 300, 'failed')
  ran(db, 'a', 200, 'aborted')
  ran(db, 'a', 100, 'success')
  ran(db, 'b', 90, 'failed')
  ran(db, 'b', 60, 'failed')
  ran(db, 'c', 30, 'success')
  ran(db, 'c', 800, 'failed')
  const { summary, rows } = ask(db)
  expect(summary).toEqual({
    runs: 6,
    success: 2,
    failed: 3,
    aborted: 1,
    recovered: 2,
    stillFailing: 1,
    neverStarted: 0,
  })
  expect(rows.map(({ taskId, state, failingSince, problem }) => ({ taskId, state, failingSince, problem }))).toEqual([
    { taskId: 'c', state: 'success', failingSince: null, problem: false },
    { taskId: 'b', state: 'failed', failingSince: NOW - 90 * MINUTE, problem: true },
    { taskId: 'a', state: 'success', failingSince: null, problem: true },
  ])
  const page = listHistory(db, {
    kind: 'list',
    after: null,
    limit: 500,
    filter: {
      id: null,
      taskId: null,
      taskName: null,
      appId: null,
      type: null,
      outcome: null,
      node: null,
      actor: null,
      from: NOW - 12 * HOUR,
      to: NOW,
    },
  })
  expect(page.executions.length).toBe(summary.runs)
})

test('48 hours with 20,000 executions are 2,000 shapes at most, and no execution is lost', () => {
  const db = history()
  db.transaction(() => {
    for (let n = 0; n < 20_000; n += 1)
      ran(db, `task-${n % 250}`, (n * 48 * 60) / 20_000, n % 97 === 0 ? 'failed' : 'success')
  })
  const { rows, summary, partial } = ask(db, { from: NOW - 48 * HOUR, to: NOW + 1 })
  const bars = rows.flatMap((row) => row.bars)
  expect(bars.length).toBeLessThanOrEqual(2000)
  expect(summary.runs).toBe(20_000)
  expect(bars.reduce((sum, bar) => sum + (bar.kind === 'batch' ? bar.count : 1), 0)).toBe(20_000)
  expect(partial).toBe(false)
}, 60_000)

test('above 60 rows only problems are shown, and the others are counted', () => {
  const db = history()
  for (let n = 0; n < 70; n += 1) ran(db, `task-${n}`, 10, n < 3 ? 'failed' : 'success')
  expect(ask(db, { only: 'auto' })).toMatchObject({ rowsLeftOut: 67, rows: [{}, {}, {}] })
  expect(ask(db, { only: 'all' })).toMatchObject({ rowsLeftOut: 0 })
  expect(ask(db, { name: ['*task-6?'] }).rows.length).toBe(10)
})

describe('planned starts', () => {
  const at = (minutesAgo: number) => ({ at: NOW - minutesAgo * MINUTE, trigger: 'Hourly' })

  test('without an execution are missing', () => {
    const db = history()
    ran(db, 'a', 118, 'success')
    const { rows, summary } = ask(db, { planned: { a: [at(180), at(120)] } })
    expect(summary.neverStarted).toBe(1)
    expect(rows).toMatchObject([
      { problem: true, bars: [{ kind: 'execution' }, { kind: 'missing', dueAt: NOW - 180 * MINUTE }] },
    ])
  })

  test('of a task that never ran have its name', () => {
    const { rows } = ask(history(), { planned: { n: [at(60)] }, names: { n: 'Never ran' } })
    expect(rows).toMatchObject([{ taskName: 'Never ran', state: null, bars: [{ kind: 'missing', trigger: 'Hourly' }] }])
  })

  test('a gate that fired without an execution is missing too', () => {
    const db = history()
    ran(db, 'a', 120, 'success')
    const gate = {
      id: 'g',
      name: 'After A',
      enabled: true,
      taskId: 'b',
      taskName: 'B',
      modifiedAt: null,
      withinMs: null,
      rules: [{ taskId: 'a', taskName: 'A', on: 'success' as const }],
    }
    expect(ask(db, { gates: [gate] }).summary.neverStarted).toBe(1)
    ran(db, 'b', 118, 'success')
    expect(ask(db, { gates: [gate] }).summary.neverStarted).toBe(0)
  })

  test('after now end after the usual wait and run', () => {
    const db = history()
    for (let n = 1; n <= 6; n += 1) ran(db, 'a', n * 60, 'success', 5 * MINUTE)
    const { rows } = ask(db, { coming: { a: [{ at: NOW + HOUR, trigger: 'Hourly' }] } })
    expect(rows[0]?.bars.at(-1)).toEqual({
      kind: 'forecast',
      plannedAt: NOW + HOUR,
      expectedEnd: NOW + HOUR + 1000 + 5 * MINUTE,
      trigger: 'Hourly',
    })
  })

  test('what runs has an expected end, or is over', () => {
    const db = history()
    for (let n = 1; n <= 10; n += 1) ran(db, 'a', n * 60, 'success', 5 * MINUTE)
    const since = (minutes: number) => ({
      taskId: 'a',
      taskName: 'Task a',
      taskType: 'reload',
      executionId: 'e-r',
      state: 'running' as const,
      since: NOW - minutes * MINUTE,
    })
    const running = (minutes: number) => ask(db, { running: [since(minutes)] }).rows[0]?.bars.at(-1)
    expect(running(2)).toMatchObject({ kind: 'running', over: false, expectedEnd: NOW + 3 * MINUTE })
    expect(running(28)).toMatchObject({ kind: 'running', over: true, overByMs: 23 * MINUTE })
  })
})

test('durations have points and the band of the 30 successes before each day', () => {
  const db = history()
  for (let n = 1; n <= 40; n += 1) ran(db, 'a', n * 24 * 60, 'success', n * 1000)
  const { points, band, truncated } = durationsOf(db, {
    kind: 'durations',
    taskId: 'a',
    from: NOW - 5 * 24 * HOUR,
    timezone: 'UTC',
  })
  expect(points.map(({ runMs }) => runMs)).toEqual([1000, 2000, 3000, 4000, 5000])
  // Before the day of the run of 5 s those of 6 to 35 s ended: the 15th and the 29th of 30.
  expect(band[0]).toEqual({ day: '2026-02-25', p50Ms: 20_000, p95Ms: 34_000 })
  expect(band.length).toBe(5)
  expect(truncated).toBe(false)
})

test('slower tasks are those whose last run took longer than so many times the usual', () => {
  const db = history()
  for (const [task, last] of [
    ['a', 3],
    ['b', 1],
  ] as const) {
    for (let n = 1; n <= 6; n += 1) ran(db, task, n * 60, 'success')
    ran(db, task, 1, 'success', last * MINUTE)
  }
  expect(slowerTasks(db, { kind: 'slower', factor: 1.5, now: NOW }).taskIds).toEqual(['a'])
})
