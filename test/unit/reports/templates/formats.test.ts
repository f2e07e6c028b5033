import { describe, expect, test } from 'bun:test'
import { createFormatter, dateOfSerial, parseFormat, serialOfDate } from '../../../../src/reports/templates/formats.ts'

/** Any kind of space as a plain one: locales group digits with several. */
const spaced = (text: string) => text.replaceAll(/\s/g, ' ').replaceAll('\u2212', '-')

function formatted(number: number | null, format: string, locale = 'en-GB', text = 'Qlik'): string {
  const parsed = parseFormat(format)
  if (typeof parsed === 'string') throw new Error(parsed)
  return spaced(createFormatter(locale).text({ cell: { text, number }, column: null }, parsed))
}

describe('formats of numbers', () => {
  test.each([
    [1234.5, '#,##0.00', 'en-GB', '1,234.50'],
    [1234.5, '#,##0.00', 'de-DE', '1.234,50'],
    [1234.5, '#,##0.00', 'sv-SE', '1 234,50'],
    [1234.5, '#,##0.00', 'pl-PL', '1 234,50'],
    [1234.5, '0', 'en-GB', '1235'],
    [1234.5, '0.0', 'en-GB', '1234.5'],
    [1234.5, '#,##0.##', 'en-GB', '1,234.5'],
    [7, '000', 'en-GB', '007'],
    [0.5, '#.00', 'en-GB', '.50'],
    [0.1234, '0.0%', 'en-GB', '12.3%'],
    [0.1234, '0.0 %', 'de-DE', '12,3 %'],
    [-1234.5, '#,##0.00', 'en-GB', '-1,234.50'],
    [-1234.5, '#,##0.00', 'sv-SE', '-1 234,50'],
    [-1234.5, '#,##0.00;(#,##0.00)', 'en-GB', '(1,234.50)'],
    [1234.5, '#,##0.00;(#,##0.00)', 'en-GB', '1,234.50'],
    [0, '#,##0.00;(#,##0.00);-', 'en-GB', '-'],
    [0, '#,##0;-#,##0;"none"', 'en-GB', 'none'],
    [-1, '0;(0);-', 'en-GB', '(1)'],
    [-1, '0;-', 'en-GB', '-'],
    [0, '0;(0)', 'en-GB', '0'],
    [-0.001, '0.00', 'en-GB', '0.00'],
    [1_234_567, '#,##0,"k"', 'en-GB', '1,235k'],
    [1_234_567, '0.0,, "Mio."', 'en-GB', '1.2 Mio.'],
    [12, '€ #,##0', 'en-GB', '€ 12'],
    [12, '#,##0 "0 left, #"', 'en-GB', '12 0 left, #'],
    [12, '#,##0 “pieces”', 'en-GB', '12 pieces'],
    [1e21, '#,##0', 'en-GB', '1,000,000,000,000,000,000,000'],
  ])('%p as %p in %s is %p', (number, format, locale, expected) => {
    expect(formatted(number, format, locale)).toBe(expected)
  })

  test.each(['0.00.0', '0 0', '#0#', '0x', '0;0;0;0', '-;0', '', '-', '0.#0', 'zz', "yyyy'", 'a#'])(
    '%p is no format',
    (format) => {
      expect(parseFormat(format)).toBeString()
    },
  )
})

describe('formats of dates', () => {
  test.each([
    [45_658, 'yyyy-MM-dd', '2025-01-01'],
    [45_658.354_166_666_67, 'dd.MM.yy HH:mm:ss', '01.01.25 08:30:00'],
    [45_658, '"week" ww', 'week 01'],
    [45_658, "EEE d'd'".replace('d', 'dd'), 'Wed 01d'],
    [0, 'yyyy-MM-dd', '1899-12-30'],
    [1e12, 'yyyy', 'Qlik'],
  ])('%p as %p is %p', (number, format, expected) => {
    expect(formatted(number, format)).toBe(expected)
  })

  test('serial numbers and dates', () => {
    expect(dateOfSerial(45_658.5).toISOString()).toBe('2025-01-01T12:00:00.000Z')
    expect(serialOfDate(new Date('2025-01-01T12:00:00Z'))).toBe(45_658.5)
  })
})

test('text is the text of Qlik; texts have no format', () => {
  expect(formatted(12, 'text', 'en-GB', '12 kg')).toBe('12 kg')
  expect(formatted(null, '#,##0', 'en-GB', 'none')).toBe('none')
  expect(formatted(null, 'yyyy', 'en-GB', 'none')).toBe('none')
})

test.each([
  [1234.5, '1234.5'],
  [0.124, '12,4 %'],
  [7, '007'],
  [2024, '2024'],
  [45_658, '2025-01-01'],
  [1, 'Jan'],
  [null, ''],
])('without a format %p is the text of Qlik: %p', (number, text) => {
  expect(createFormatter('en-GB').text({ cell: { text, number }, column: null }, null)).toBe(text)
})
