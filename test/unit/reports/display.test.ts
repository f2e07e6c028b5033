/** How a value of an app looks: the same text before and after a document. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  createDisplayText,
  createRunningText,
  type DisplayColumn,
  displayOf,
  plainValue,
} from '../../../src/reports/display.ts'
import { cellFormat, numberFormat } from '../../../src/reports/documents/xlsx-formats.ts'
import type { Cell } from '../../../src/reports/types.ts'
import { amounts, duals, LOCALES, plain, spreadsheetText } from '../../support/duals.ts'

const dimension: DisplayColumn = { kind: 'dimension', type: 'number', format: null }
const measure: DisplayColumn = { kind: 'measure', type: 'number', format: null }

describe('what a document shows', () => {
  test.each([
    ['007', 7, dimension, 'text'],
    ['007', 7, measure, 'text'],
    ['1234567890123456', 1_234_567_890_123_456, dimension, 'text'],
    ['+46701234567', 46_701_234_567, dimension, 'text'],
    ['46 70 123 45 67', 46_701_234_567, dimension, 'text'],
    ['1E5', 100_000, dimension, 'text'],
    ['Q1', 1, dimension, 'text'],
    ['2024', 5, dimension, 'text'],
    ['2024', null, measure, 'text'],
    ['2024', 2024, dimension, 'written'],
    ['12,5', 12.5, dimension, 'written'],
    ['4006381333931', 4_006_381_333_931, dimension, 'written'],
    ['0,5', 0.5, dimension, 'written'],
    ['1234.5', 1234.5, measure, 'locale'],
    ['1234.50', 1234.5, measure, 'written'],
    ['1235', 1234.567, measure, 'written'],
    ['1.2345678901235e+17', 123_456_789_012_345_680, measure, 'locale'],
    ['12.5%', 0.125, measure, 'written'],
    ['1,234.50 kr', 1234.5, measure, 'written'],
    ['1.2M', 1_234_567, measure, 'written'],
    ['123,456,789,012.3400', 123_456_789_012.34, measure, 'written'],
    ['123,456,789,012.3401', 123_456_789_012.3401, measure, 'text'],
    ['1234567890123450', 1_234_567_890_123_450, dimension, 'text'],
    ['FY2024', 2024, measure, 'written'],
    ['FY2024', 2024, dimension, 'text'],
    ['5 kr', 5, dimension, 'text'],
    ['Q1', 1, measure, 'text'],
    ['A-17', -17, measure, 'text'],
    ['1E5', 100_000, measure, 'written'],
    ['1.0E+06', 1_000_000, measure, 'written'],
    ['10e3', 10_000, measure, 'written'],
    ['>100', 100, dimension, 'text'],
    ['6+', 6, dimension, 'text'],
    ['1 000:-', 1000, dimension, 'written'],
    ['(1.234,50) €', -1234.5, dimension, 'written'],
    ['10e3', 10_000, dimension, 'text'],
    ['10e3', 10, measure, 'text'],
    ['5x5', 5, measure, 'text'],
    ['10x20', 10, measure, 'text'],
    ['5 x5', 5, measure, 'text'],
    ['2e6 kg', 2_000_000, measure, 'text'],
    ['5m2', 5, measure, 'written'],
    ['5 kg/m2', 5, measure, 'written'],
    ['-', 0, measure, 'dash'],
    ['– €', 0, measure, 'dash'],
    ['kr -', 0, null, 'dash'],
    ['-', 0, { kind: 'measure', type: 'number', format: '#,##0;(#,##0);-' }, 'pattern'],
    ['none', 0, { kind: 'measure', type: 'number', format: '#,##0;(#,##0);none' }, 'pattern'],
    ['-', 5, measure, 'text'],
    ['n/a', 0, measure, 'text'],
    ['-', null, measure, 'text'],
    ['-', 0, dimension, 'text'],
    ['1.10', 1.1, dimension, 'text'],
    ['2.0', 2, dimension, 'text'],
    ['-2,50', -2.5, dimension, 'text'],
    ['.5', 0.5, dimension, 'text'],
    [' 7', 7, dimension, 'text'],
    ['1.1', 1.1, dimension, 'written'],
    ['1.10', 1.1, measure, 'written'],
    ['1.10', 1.1, { kind: 'dimension', type: 'number', format: '0.00' }, 'pattern'],
    ['1.10', 1.1, { kind: 'dimension', type: 'number', format: '0.##' }, 'text'],
    ['+46 70 123 45 67', 46_701_234_567, measure, 'text'],
    ['+1,234.5', 1234.5, measure, 'written'],
    ['+1234', 1234, dimension, 'text'],
    ['1 234,5 kr', 1234.5, { kind: 'measure', type: 'money', format: '# ##0,0 kr' }, 'pattern'],
    ['W14', 45_383, { kind: 'dimension', type: 'date', format: 'YYYY-MM-DD' }, 'text'],
    ['2024-04-01', 45_383, { kind: 'dimension', type: 'date', format: 'YYYY-MM-DD' }, 'time'],
  ] as const)('%p of %p in %j is a %s', (text, number, column, expected) => {
    expect(displayOf({ text, number }, column).as).toBe(expected)
  })

  test('a measure that its expression formats looks as the app says', () => {
    const year = { text: '2026', number: 2026, isFormatted: true } as const
    expect(createDisplayText('en')(year, measure)).toBe('2026')
    expect(createRunningText('en')({ ...year, text: '12345', number: 12_345 })).toBe('12345')
    expect(cellFormat(displayOf(year, measure), 'General')).toBe('0')
  })

  test('a measure without a format is written in the locale, a dimension never', () => {
    const show = createDisplayText('de-DE')
    expect(show({ text: '1234567.5', number: 1_234_567.5 }, measure)).toBe('1.234.567,5')
    expect(show({ text: '2024', number: 2024 }, dimension)).toBe('2024')
  })
})

describe('a single value in a sentence or a title', () => {
  test.each([
    ['1234567.5', 1_234_567.5, '1.234.567,5'],
    ['2026', 2026, '2026'],
    ['007', 7, '007'],
    ['1,234.50 €', 1234.5, '1,234.50 €'],
    ['Nord', null, 'Nord'],
  ])('%p is %p', (text, number, shown) => {
    expect(createRunningText('de-DE')({ text, number })).toBe(shown)
  })

  test('has the separators of its page', () => {
    expect(createRunningText('de-DE', { decimal: '.', group: '' })({ text: '1234567.5', number: 1_234_567.5 })).toBe(
      '1,234,567.5',
    )
  })
})

describe.each([...LOCALES])('2,000 amounts of an app in $locale', (marks) => {
  test('are numbers in a measure, which a workbook shows as the app does', () => {
    const formatted = (cell: Cell): Cell => ({ ...cell, isFormatted: true })
    fc.assert(
      fc.property(amounts(marks).map(formatted), (cell) => {
        const display = displayOf(cell, measure)
        const format = cellFormat(display, 'General')
        expect([display.as, plainValue(cell, measure)]).toEqual(['written', cell.number])
        expect(plain(spreadsheetText(cell.number!, format, marks))).toBe(plain(cell.text))
      }),
      { numRuns: 2000 },
    )
  })
})

describe.each([...LOCALES])('2,000 duals of an app in $locale', (marks) => {
  test('are the same text in a workbook and in CSV', () => {
    fc.assert(
      fc.property(duals(marks), (cell) => {
        const display = displayOf(cell, dimension)
        if (display.as === 'text') return expect(plainValue(cell, dimension)).toBe(cell.text)
        // The file holds the number and its format.
        const format = cellFormat(display, numberFormat(dimension) ?? '')
        expect(plain(spreadsheetText(Number(String(display.number)), format, marks))).toBe(plain(cell.text))
        expect(plainValue(cell, dimension)).toBe(display.number)
      }),
      { numRuns: 2000 },
    )
  })
})
