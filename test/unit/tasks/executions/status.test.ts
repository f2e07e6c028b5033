import { describe, expect, test } from 'bun:test'
import { errorLine } from '../../../../src/qlik/qrs/execution.ts'
import { NEVER, type QrsExecutionResult } from '../../../../src/qlik/qrs/types.ts'
import { excerpt } from '../../../../src/tasks/executions/http.ts'
import { mayBeRetried, meaningOf, progressOf, statusTextOf } from '../../../../src/tasks/executions/status.ts'
import { executionResult } from '../../../support/fake-qrs.ts'

describe('what a status of QRS means', () => {
  test.each([
    [0, 'NeverStarted', 'queued', null],
    [1, 'Triggered', 'queued', null],
    [2, 'Started', 'running', null],
    [3, 'Queued', 'queued', null],
    [4, 'AbortInitiated', 'running', null],
    [5, 'Aborting', 'running', null],
    [6, 'Aborted', 'finished', 'aborted'],
    [7, 'FinishedSuccess', 'finished', 'success'],
    [8, 'FinishedFail', 'finished', 'failed'],
    [9, 'Skipped', 'finished', 'skipped'],
    [10, 'Retry', 'running', null],
    [11, 'Error', 'finished', 'failed'],
    [12, 'Reset', 'finished', 'aborted'],
    [13, 'DistributionQueue', 'running', null],
    [14, 'DistributionRunning', 'running', null],
    [15, 'Status 15', 'running', null],
  ] as const)('%i is %s: %s, %p', (status, text, state, outcome) => {
    expect(statusTextOf(status)).toBe(text)
    expect(meaningOf(status)).toEqual({ state, outcome })
  })
})

const detail = (detailCreatedDate: string, message: string, detailsType = 2) => ({
  id: 'x',
  detailsType,
  message,
  detailCreatedDate,
})

/** The failed run of the documentation of QRS. */
const FAILED = executionResult({
  taskID: 'a8b4c123-def4-5678-9abc-def012345678',
  details: [
    detail('2026-03-02T06:03:10.870Z', 'Message from ReloadProvider: Reload failed in Engine.', 0),
    detail('2026-03-02T06:00:01.902Z', 'Changing task state from Triggered to Started'),
    detail('2026-03-02T06:00:01.120Z', 'Changing task state to Triggered'),
    detail('2026-03-02T06:03:11.455Z', 'Changing task state from Started to FinishedFail'),
  ],
})

describe('how far an execution is', () => {
  test('from the details come the start, and from it waiting and running time', () => {
    expect(progressOf([FAILED], false)).toMatchObject({
      state: 'finished',
      outcome: 'failed',
      statusText: 'FinishedFail',
      statusNum: 8,
      queueMs: 782,
      runMs: 189580,
      node: 'qs-central',
      attempts: 1,
      triggeredAt: Date.parse('2026-03-02T06:00:01.120Z'),
      startedAt: Date.parse('2026-03-02T06:00:01.902Z'),
      stoppedAt: Date.parse('2026-03-02T06:03:11.482Z'),
    })
  })

  test('details are told in order, with words for their levels', () => {
    expect(progressOf([FAILED], false)?.details.map(({ level, message }) => [level, message.slice(0, 20)])).toEqual([
      ['info', 'Changing task state '],
      ['info', 'Changing task state '],
      ['error', 'Message from ReloadPr'.slice(0, 20)],
      ['info', 'Changing task state '],
    ])
  })

  test('retries are one execution, from the first start to the last end', () => {
    const second = executionResult({
      status: 7,
      startTime: '2026-03-02T06:03:12.000Z',
      stopTime: '2026-03-02T06:04:01.902Z',
      details: [detail('2026-03-02T06:03:13.000Z', 'Changing task state from Triggered to Started')],
    })
    expect(progressOf([FAILED, second], false)).toMatchObject({
      outcome: 'success',
      attempts: 2,
      queueMs: 782,
      runMs: 240_000,
    })
  })

  test('a failed attempt that is followed by another is running', () => {
    expect(progressOf([FAILED], true)).toMatchObject({ state: 'running', outcome: null, runMs: null, stoppedAt: null })
  })

  test('a run that has not started yet', () => {
    const triggered = executionResult({ status: 1, stopTime: NEVER, duration: 0 })
    expect(progressOf([triggered], false)).toMatchObject({ state: 'queued', outcome: null, queueMs: null, runMs: null })
  })

  test('without the change of state the duration of QRS has to do', () => {
    expect(progressOf([executionResult()], false)).toMatchObject({ queueMs: null, runMs: 190362 })
  })

  test('nothing is known without results', () => {
    expect(progressOf([], false)).toBeNull()
  })

  const END = Date.parse('2026-03-02T06:03:11.482Z')
  test.each<[string, Partial<QrsExecutionResult>, number, boolean]>([
    ['a failure a moment ago', {}, END + 1000, true],
    ['a failure long ago', {}, END + 120_000, false],
    ['a failure that has not stopped', { stopTime: NEVER }, END, true],
    ['a success', { status: 7 }, END, false],
    ['an error', { status: 11 }, END, false],
  ])('%s may be followed by another attempt', (_, changes, now, expected) => {
    expect(mayBeRetried([executionResult(changes)], now)).toBe(expected)
  })
})

describe('the script log', () => {
  const LOG = [
    '20260302T070002.118+0100 0017 FROM [lib://ERP/orders.qvd] (qvd)',
    "20260302T070310.702+0100       Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
    '20260302T070310.803+0100      General Script Error',
    '20260302T070310.804+0100      Execution finished.',
    '',
  ].join('\r\n')

  test('tells what went wrong', () => {
    expect(errorLine(LOG.split('\r\n'))).toBe(
      "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
    )
    expect(errorLine(['all is well'])).toBeNull()
  })

  test.each([
    [undefined, undefined, 'a\r\nb\nc'],
    [1, undefined, 'a\r\n'],
    [undefined, 1, 'c'],
    [1, 1, 'a\r\nc'],
    [2, 2, 'a\r\nb\nc'],
    [9, 9, 'a\r\nb\nc'],
  ])('head %p and tail %p', (head, tail, expected) => {
    expect(excerpt('a\r\nb\nc', head, tail)).toBe(expected)
  })
})
