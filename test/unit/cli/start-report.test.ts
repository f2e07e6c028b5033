import { describe, expect, test } from 'bun:test'
import { executionExitCode } from '../../../src/cli/remote/execution.ts'
import { refusals, startExitCode } from '../../../src/cli/remote/start-task.ts'
import { span, table } from '../../../src/cli/table.ts'
import type { ObjectAnswer } from '../../../src/tasks/start/contract.ts'

type Outcome = 'success' | 'failed' | 'aborted' | 'skipped' | null

const task = { taskId: 't', taskName: 'Sales ETL hourly' }
const started = (outcome: Outcome) => ({
  ...task,
  status: 'started' as const,
  executionId: 'e',
  execution: {
    state: outcome ? ('finished' as const) : ('running' as const),
    outcome,
    statusText: '',
    queueMs: null,
    runMs: null,
  },
})
const answer = (outcomes: readonly Outcome[], more: Partial<ObjectAnswer> = {}): ObjectAnswer => ({
  tasksStarted: outcomes.map(started),
  tasksNotFound: [],
  totalTasksStarted: outcomes.length,
  ...more,
})
const tasksQueued = [{ ...task, status: 'queued' as const, queueId: 'q' }]
const tasksFailed = [{ ...task, status: 'failed' as const, error: 'The task is disabled' }]

describe('the exit code of a start: the highest that applies', () => {
  test.each<[string, number, ObjectAnswer, boolean, string[]?]>([
    ['started, not waited for', 0, answer([null]), false],
    ['queued, not waited for', 0, answer([], { tasksQueued }), false],
    ['failed later, not waited for', 0, answer(['failed']), false],
    ['all succeeded', 0, answer(['success', 'success']), true],
    ['an unknown id', 3, answer(['success'], { tasksNotFound: ['x'] }), true],
    ['a denied tag', 3, answer(['success'], { tasksDenied: [{ tag: 'x' }] }), true],
    ['a refused start', 3, answer(['success'], { tasksFailed }), true],
    ['an unknown name', 3, answer(['success']), true, ['Nothing']],
    ['nothing selected', 3, answer([]), false],
    ['a failure', 4, answer(['success', 'failed']), true],
    ['an abort', 4, answer(['aborted']), true],
    ['a skipped run', 4, answer(['skipped']), true],
    ['a failure and a refused start', 4, answer(['failed'], { tasksFailed }), true],
    ['still running', 5, answer(['success', null]), true],
    ['still queued', 5, answer(['success'], { tasksQueued }), true],
    ['still running, with a failure', 5, answer(['failed', null]), true],
  ])('%s: %i', (_, expected, given, waited, unknown = []) => {
    expect(startExitCode(given, unknown, waited)).toBe(expected)
  })

  test('each refusal is a line', () => {
    const given = answer([], {
      tasksNotFound: ['id'],
      tasksDenied: [{ tag: 'x' }, { taskId: 'y' }, { customProperty: { name: 'a', value: 'b' } }],
      tasksFailed,
    })
    expect(refusals(given, ['Nothing']).map((line) => line.split(':')[0]!)).toEqual([
      'task id',
      'task "Nothing"',
      'tag "x"',
      'task y',
      'custom property a=b',
      'task "Sales ETL hourly"',
    ])
    expect(refusals(answer([]), [])).toEqual(['no task was selected; check tags, properties and names'])
    expect(refusals(answer(['success']), [])).toEqual([])
  })
})

test.each([
  ['finished', 'success', false, 0],
  ['finished', 'failed', false, 4],
  ['finished', 'aborted', true, 4],
  ['running', null, false, 0],
  ['running', null, true, 5],
  ['queued', null, true, 5],
] as const)('the exit code of an execution that is %s, %p (waited: %p): %i', (state, outcome, waited, expected) => {
  expect(executionExitCode({ state, outcome }, waited)).toBe(expected)
})

test('tables and lengths of time', () => {
  expect(
    table([
      ['TASK', 'RAN'],
      ['Sales ETL hourly', ''],
    ]),
  ).toBe('TASK              RAN\nSales ETL hourly')
  expect([null, 1500, 125_000, 11_400_000].map(span)).toEqual(['', '1.5 s', '2 m 5 s', '3 h 10 m'])
})
