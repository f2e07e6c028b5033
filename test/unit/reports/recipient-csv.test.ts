import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Refusal } from '../../../src/http/errors.ts'
import { parseCsv } from '../../../src/reports/recipient-import.ts'

const written = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

test('cells come back as they were written', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r\n', ' ', 'é') })
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(rows, fc.constantFrom('\n', '\r\n'), (given, end) => {
      // The first line decides about the separator.
      const all = [['x', 'y'], ...given]
      const text = all.map((row) => row.map(written).join(',')).join(end)
      expect(parseCsv(text).map(({ cells }) => cells)).toEqual(all)
    }),
    { numRuns: 500 },
  )
})

test('any text is read or refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r') }), (text) => {
      try {
        parseCsv(text)
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a value of megabytes', () => {
  const value = 'x""'.repeat(500_000)
  expect(parseCsv(`a,b\n"${value}",c`)[1]?.cells[0]).toHaveLength(1_000_000)
})
