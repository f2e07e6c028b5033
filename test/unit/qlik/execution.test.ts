/** The whole run of an execution, and the reason of its failure. */
import { describe, expect, test } from 'bun:test'
import { errorLine, executionOf, failureReason, runOf } from '../../../src/qlik/qrs/execution.ts'
import { NEVER } from '../../../src/qlik/qrs/types.ts'
import { executionResult } from '../../support/fake-qrs.ts'

const at = (text: string) => `20260302T070310.803+0100 ${text}`

test.each([
  [[], null],
  [[at('     Execution started.')], null],
  [
    [at('0042 LOAD *'), at("     Error: Field 'Amount' not found"), at('     Execution Failed')],
    "Error: Field 'Amount' not found",
  ],
  [[at('     Error: first'), at('0007 Error: second')], 'Error: second'],
  [
    [at('     Error: Cannot open file'), at('     General Script Error'), at('     Execution Failed')],
    'Error: Cannot open file',
  ],
  [[at('     General Script Error')], 'General Script Error'],
  [['2025-10-14 09:28:43  0042 Error: old form'], 'Error: old form'],
])('%j: %p', (lines, error) => {
  expect(errorLine(lines)).toBe(error)
})

describe('the reason of a failure', () => {
  const detail = (detailsType: number, message: string, second: number) => ({
    detailsType,
    message,
    detailCreatedDate: `2026-03-02T06:00:0${second}.000Z`,
  })
  const DETAILS = [detail(2, 'Max retries reached', 3), detail(0, 'Exit code 1', 2), detail(0, 'first try', 1)]

  test.each([
    ['the last error of the log', 'failed', [at(' Error: x')], DETAILS, 'Error: x'],
    ['else the last detail that is an error', 'failed', [at(' Done')], DETAILS, 'Exit code 1'],
    ['never a detail that only reports', 'failed', [], DETAILS.slice(0, 1), null],
    ['not an error that the script went on after', 'aborted', [at(' Error: x')], DETAILS, 'Exit code 1'],
    ['none after a success', 'success', [at(' Error: x')], DETAILS, null],
  ])('is %s', (_, outcome, log, details, reason) => {
    expect(failureReason({ outcome, log, details })).toBe(reason)
  })
})

describe('the run of an execution', () => {
  const attempt = (from: number, to: number) =>
    executionResult({
      startTime: `2026-03-02T06:00:0${from}.000Z`,
      stopTime: `2026-03-02T06:00:0${to}.000Z`,
      duration: (to - from) * 1000,
    })

  test('lasts from the trigger of the first attempt to the end of the last', () => {
    expect(runOf(executionOf([attempt(1, 2), attempt(4, 5), attempt(7, 9)])!)).toEqual({
      startTime: '2026-03-02T06:00:01.000Z',
      stopTime: '2026-03-02T06:00:09.000Z',
      durationMs: 8000,
    })
  })

  test('is the result itself where there was one attempt, or where a time is missing', () => {
    expect(executionOf([])).toBeNull()
    expect(runOf(executionOf([{ ...attempt(1, 2), duration: 990 }])!).durationMs).toBe(990)
    expect(runOf(executionOf([attempt(1, 2), { ...attempt(4, 5), stopTime: NEVER }])!).durationMs).toBe(1000)
    expect(runOf(executionOf([{ ...attempt(1, 2), startTime: '' }, attempt(4, 5)])!).durationMs).toBe(1000)
  })
})
