/** Tables as text, in the encodings and with the delimiters that spreadsheets write. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { strictText, TextError } from '../../../src/platform/encodings.ts'
import { parseTable } from '../../../src/platform/table.ts'
import { ENCODINGS, encoded, type FileEncoding } from '../../support/encodings.ts'

const DELIMITERS = [',', ';', '\t'] as const
const ENDS = ['\n', '\r\n', '\r'] as const

const written = (cell: string): string => (/[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
const readBack = (bytes: Uint8Array) => parseTable(strictText(bytes).text).map(({ cells }) => cells)

/** Letters that Windows-1252 has, and that are no UTF-8 side by side. */
const LETTERS = ['a', '"', ',', ';', '\t', '\n', '\r\n', '\r', ' ', 'é', 'ß', 'Ö', 'ø']
const UNICODE = [...LETTERS, '€', 'ł', '字', '👍', '\u00a0']
const alphabetOf = (encoding: FileEncoding) => (encoding === 'windows-1252' ? LETTERS : UNICODE)

describe.each(ENCODINGS.flatMap((encoding) => DELIMITERS.map((delimiter) => [encoding, delimiter] as const)))(
  '%s with %j',
  (encoding, delimiter) => {
    test('cells come back as they were written', () => {
      const cell = fc.string({ unit: fc.constantFrom(...alphabetOf(encoding)) })
      const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 })
      fc.assert(
        fc.property(rows, fc.constantFrom(...ENDS), fc.boolean(), (given, end, named) => {
          // The first line decides about the delimiter.
          const all = [['x', 'y'], ...given]
          const head = named ? `sep=${delimiter}${end}` : ''
          const text = head + all.map((row) => row.map(written).join(delimiter)).join(end)
          expect(readBack(encoded(text, encoding))).toEqual(
            all.filter((row) => row.some((value) => value.trim() !== '')),
          )
        }),
        { numRuns: 150 },
      )
    })
  },
)

test('any text is read, or refused with a place', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r') }), (text) => {
      try {
        parseTable(text)
      } catch (error) {
        expect(error).toBeInstanceOf(TextError)
        expect((error as TextError).line).toBeGreaterThan(0)
      }
    }),
    { numRuns: 2000 },
  )
})

test.each<[string, readonly { line: number; cells: readonly string[] }[]]>([
  [
    'a,b\n\n"x\ny",""\r\nz',
    [
      { line: 1, cells: ['a', 'b'] },
      { line: 3, cells: ['x\ny', ''] },
      { line: 5, cells: ['z'] },
    ],
  ],
  [
    'a;b\r1;"2;3"\r;;\r4;5;',
    [
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1', '2;3'] },
      { line: 4, cells: ['4', '5', ''] },
    ],
  ],
  ['"sep=|"\r\na|b;c', [{ line: 2, cells: ['a', 'b;c'] }]],
  ['"a;b;c",d\n', [{ line: 1, cells: ['a;b;c', 'd'] }]],
  ['a;b;c,d', [{ line: 1, cells: ['a', 'b', 'c,d'] }]],
  ['a;b,c', [{ line: 1, cells: ['a', 'b,c'] }]],
  [
    'email\nx@y',
    [
      { line: 1, cells: ['email'] },
      { line: 2, cells: ['x@y'] },
    ],
  ],
  ['', []],
  ['\r\n;;\n', []],
])('%j', (text, rows) => expect(parseTable(text)).toEqual(rows as never))

test.each([
  ['a,b\nc,"d', 'line 2, column 3: a quote is not closed'],
  ['a,b\r\n\r\nc"d', 'line 3, column 2: a quote stands in the middle of a value'],
  ['a,b\r"c"d', 'line 2, column 4: a value goes on behind its closing quote'],
])('%j is refused', (text, message) => expect(() => parseTable(text)).toThrow(message))

test('a value of megabytes', () => {
  const value = 'x""'.repeat(500_000)
  expect(parseTable(`a,b\n"${value}",c`)[1]?.cells[0]).toHaveLength(1_000_000)
})
