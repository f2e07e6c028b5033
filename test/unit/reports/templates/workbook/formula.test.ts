import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  columnLetters,
  columnNumber,
  formatReference,
  sheetPrefix,
  shiftTokens,
  sourceOf,
  tokenize,
} from '../../../../../src/reports/templates/workbook/formula.ts'
import { ALL_COLUMNS, type BlockRange, createLayout } from '../../../../../src/reports/templates/workbook/layout.ts'
import { referTo, type Standpoint } from '../../../../../src/reports/templates/workbook/references.ts'

const references = (formula: string) =>
  tokenize(formula).flatMap((token) => (token.kind === 'reference' ? [sourceOf(token)] : []))

test.each([
  ['SUM(D6:D6)', ['D6:D6']],
  ['LOG10(D6)+ATAN2(A1,B$2)', ['D6', 'A1', 'B$2']],
  ['"D6 ""A1"" "&D6', ['D6']],
  ["'My D6 sheet'!A1+Detail!$B$2:C3", ["'My D6 sheet'!A1", 'Detail!$B$2:C3']],
  ["'It''s A1'!A1", ["'It''s A1'!A1"]],
  ['Table1[[#This Row],[A1]]*A1', ['A1']],
  ["Table1['[A1]+B2", ['B2']],
  ['SUM(Jan:Dec!A1)', ['Jan:Dec!A1']],
  ['A:A+1:3+$B:$C', ['A:A', '1:3', '$B:$C']],
  ['A1#+@B2', ['A1', 'B2']],
  ['XFD1048576+XFE1+A1048577+ABCD1', ['XFD1048576']],
  ['Q1_sales+tax_2025+_A1+A1.b+rate\\A1', []],
  ['1E5+2.5e-3+A1', ['A1']],
  ['#REF!+Sheet1!#REF!+IF(A1=#N/A,1,2)', ['A1']],
  ['{1,2;3,4}+INDEX(A1:B2,1)', ['A1:B2']],
  ['A1:INDEX(B:B,3)', ['A1', 'B:B']],
  ['_xlfn.STDEV.S(A1)', ['A1']],
  ['Übersicht!A1+売上!B2', ['Übersicht!A1', '売上!B2']],
])('finds the references of %s', (formula, expected) => {
  expect(references(formula)).toEqual(expected)
})

test('columns', () => {
  expect(['A', 'Z', 'AA', 'XFD'].map(columnNumber)).toEqual([1, 26, 27, 16_384])
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16_384 }), (number) => columnNumber(columnLetters(number)) === number),
  )
})

test.each([
  ['Detail', 'Detail!'],
  ['Q1 2025', "'Q1 2025'!"],
  ["It's", "'It''s'!"],
  ['A1', "'A1'!"],
  ['2025', "'2025'!"],
  ['R1C1', "'R1C1'!"],
])('the prefix of sheet %s is %s', (name, prefix) => {
  expect(sheetPrefix(name)).toBe(prefix)
  expect(references(`${prefix}A1`)).toEqual([`${prefix}A1`])
})

test.each([
  ['A1+$A1+A$1+$A$1', 2, 1, 'B3+$A3+B$1+$A$1'],
  ['SUM(A1:B2)&"A1"', 1, 0, 'SUM(A2:B3)&"A1"'],
  ['A1', -1, 0, '#REF!'],
  ['A:B+1:$2', 1, 1, 'B:C+2:$2'],
])('%s moved by %p rows and %p columns is %s', (formula, rows, columns, expected) => {
  expect(shiftTokens(tokenize(formula), rows, columns).map(sourceOf).join('')).toBe(expected)
})

/** The formula with its references moved. */
const moveAll = (formula: string, layout: ReturnType<typeof createLayout>, from: Standpoint = {}): string =>
  tokenize(formula)
    .map((token) =>
      token.kind === 'reference'
        ? referTo(token, layout, from)
            .areas?.map((area) => formatReference({ ...area, prefix: token.prefix }))
            .join(',')
        : token.text,
    )
    .join('')

/** A part of a formula, with the references in it. */
const piece: fc.Arbitrary<{ text: string; references: string[] }> = fc.oneof(
  fc.string().map((text) => ({ text: `"${text.replaceAll('"', '""')}"`, references: [] })),
  fc.constantFrom('LOG10(', 'SUM(', 'ATAN2(', '_xlfn.A1(').map((name) => ({ text: `${name}1)`, references: [] })),
  fc
    .constantFrom('TRUE', 'rate_A1', 'Table1[A1]', "T[['#A1]:[B2]]", '#REF!', '1E5', '{1,2;3,4}', 'ABCD12')
    .map((text) => ({ text, references: [] })),
  fc
    .tuple(
      fc.constantFrom('', 'Detail!', "'A1 B2'!", "'x''y'!"),
      fc.constantFrom('', '$'),
      fc.integer({ min: 1, max: 16_384 }),
      fc.constantFrom('', '$'),
      fc.integer({ min: 1, max: 1000 }),
      fc.boolean(),
    )
    .map(([sheet, c, column, r, row, range]) => {
      const cell = `${c}${columnLetters(column)}${r}${row}`
      const text = `${sheet}${cell}${range ? `:${cell}` : ''}`
      return { text, references: [text] }
    }),
)
const formulas = fc.array(fc.tuple(piece, fc.constantFrom('+', '&', ',', ' ', '=')), { minLength: 1, maxLength: 12 })

describe('any formula', () => {
  test('is the texts of its tokens', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'A1$:!\'"[](),.# ') }),
    )
    fc.assert(
      fc.property(anything, (text) => tokenize(text).map(sourceOf).join('').toUpperCase() === text.toUpperCase()),
    )
  })

  test('loses no reference, and nothing else is taken for one', () => {
    fc.assert(
      fc.property(formulas, (pieces) => {
        const formula = pieces.map(([{ text }, operator]) => text + operator).join('')
        expect(references(formula)).toEqual(pieces.flatMap(([part]) => part.references))
      }),
    )
  })

  test('keeps strings, functions and names when references move', () => {
    const layout = createLayout([loop(3, 3)], () => 5)
    fc.assert(
      fc.property(formulas, (pieces) => {
        const moved = moveAll(pieces.map(([{ text }, operator]) => text + operator).join(''), layout)
        const others = (text: string) =>
          tokenize(text).flatMap((token) => (token.kind === 'reference' ? [] : [token.text]))
        expect(others(moved)).toEqual(
          pieces.flatMap(([part, operator]) => [...(part.references.length ? [] : others(part.text)), operator]),
        )
      }),
    )
  })
})

const loop = (first: number, last: number, children: readonly BlockRange[] = []): BlockRange => ({
  first,
  last,
  ...ALL_COLUMNS,
  loop: true,
  children,
})

describe('rows of a loop', () => {
  const layout = createLayout([loop(6, 6)], () => 12)
  const move = (formula: string, iteration?: number) => {
    return moveAll(
      formula,
      layout,
      iteration === undefined ? {} : { within: new Map([[layout.blocks[0]!, iteration]]) },
    )
  }
  test.each([
    ['D5', 'D5'],
    ['D6', 'D6'],
    ['D7', 'D18'],
    ['D6:D6', 'D6:D17'],
    ['$D$6:$D$6', '$D$6:$D$17'],
    ['D5:D7', 'D5:D18'],
    ['SUM(D6)', 'SUM(D6:D17)'],
    ['SUM(A1,D6 )', 'SUM(A1,D6:D17 )'],
    ['SUM(D6*2)', 'SUM(D6*2)'],
    ['ROUND(D6,2)', 'ROUND(D6,2)'],
    ['D:D', 'D:D'],
    ['$6:$6', '$6:$17'],
    ['D7:D6', 'D18:D6'],
  ])('from outside %s becomes %s', (formula, expected) => expect(move(formula)).toBe(expected))
  test.each([
    ['D6*2', 'D9*2'],
    ['D6/SUM(D$6:D$6)', 'D9/SUM(D$6:D$17)'],
    ['SUM(D$6:D6)', 'SUM(D$6:D9)'],
    ['SUM(A6:C6)', 'SUM(A9:C9)'],
    ['D6*$B$2+D8', 'D9*$B$2+D19'],
  ])('in the fourth iteration %s becomes %s', (formula, expected) => expect(move(formula, 3)).toBe(expected))
})

test('an empty loop keeps one row, whatever its height', () => {
  const layout = createLayout([loop(6, 8)], () => 0)
  expect([5, 6, 7, 8, 9].map((row) => layout.rowOf(row, ALL_COLUMNS, 'last'))).toEqual([5, 6, 6, 6, 7])
})

test('nested loops', () => {
  const outer = loop(3, 6, [loop(4, 4)])
  const layout = createLayout([outer, loop(8, 8)], (block) => (block === outer ? 2 : 3))
  // Row 3 head, row 4 three times, rows 5 and 6; twice; then row 7, row 8 three times, row 9.
  expect([3, 4, 5, 6, 7, 8, 9].map((row) => layout.rowOf(row, ALL_COLUMNS, 'first'))).toEqual([3, 4, 7, 8, 15, 16, 19])
  expect([3, 4, 5, 6, 7, 8, 9].map((row) => layout.rowOf(row, ALL_COLUMNS, 'last'))).toEqual([
    9, 12, 13, 14, 15, 18, 19,
  ])
  const second = new Map([[layout.blocks[0]!, 1]])
  expect(moveAll('D4:D4', layout, { within: second })).toBe('D10:D12')
  expect(moveAll('D$4:D$4', layout, { within: second })).toBe('D$4:D$6,D$10:D$12')
})
