import { expect, test } from 'bun:test'
import { errorLine } from '../../../src/alerts/script-log.ts'
import { scriptLog } from '../../support/alerts.ts'

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
  expect(errorLine(scriptLog(lines))).toBe(error)
})
