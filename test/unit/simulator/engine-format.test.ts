import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  formatDate,
  formatInterval,
  formatNumber,
  formatPattern,
  formatValue,
  fromSerial,
  numberText,
  toSerial,
} from '../../../simulator/engine/format.ts'

const SWEDISH = { decimal: ',', thousands: ' ' }
const ENGLISH = { decimal: '.', thousands: ',' }

describe('number patterns', () => {
  test.each([
    [98213.75, '# ##0,00', SWEDISH, '98 213,75'],
    [1204.5, '# ##0,00', SWEDISH, '1 204,50'],
    [-1204.5, '# ##0,00', SWEDISH, '-1 204,50'],
    [0, '# ##0,00', SWEDISH, '0,00'],
    [0.1234, '0.0%', ENGLISH, '12.3%'],
    [1, '0%', ENGLISH, '100%'],
    [1234567, '#,##0', ENGLISH, '1,234,567'],
    [0.5, '#.##', ENGLISH, '.5'],
    [5, '000', ENGLISH, '005'],
    [1234.5, '$#,##0.00;-$#,##0.00', ENGLISH, '$1,234.50'],
    [-1234.5, '$#,##0.00;-$#,##0.00', ENGLISH, '-$1,234.50'],
    [-0.001, '0.00', ENGLISH, '0.00'],
    [12.5, '0.0#', ENGLISH, '12.5'],
    [99, '#,##0 pcs', ENGLISH, '99 pcs'],
  ])('%p as %p is %p', (num, pattern, marks, expected) => {
    expect(formatPattern(num, pattern, marks)).toBe(expected)
  })

  test('agrees with Intl on grouping and rounding', () => {
    const intl = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (num) => {
        const expected = intl.format(num).replace(/^-(0\.00)$/, '$1')
        expect(formatPattern(num, '#,##0.00', ENGLISH)).toBe(expected)
      }),
    )
  })

  test('whole numbers survive a round trip', () => {
    fc.assert(
      fc.property(fc.integer(), (num) => {
        expect(Number(formatPattern(num, '# ##0', SWEDISH).replaceAll(' ', ''))).toBe(num)
      }),
    )
  })
})

describe('formats without a pattern', () => {
  test.each([
    [{ qType: 'I', qUseThou: 1, qThou: ' ' }, 1234567.4, '1 234 567'],
    [{ qType: 'F', qnDec: 3 }, 1.5, '1.500'],
    [{ qType: 'M' }, 1.5, '1.50'],
    [{ qType: 'R', qnDec: 3 }, 2.34567, '2.35'],
    [{ qType: 'D' }, 46083, '2026-03-02'],
    [{ qType: 6, qFmt: 'D MMM YYYY' }, 46083, '2 Mar 2026'],
    [{ qType: 'TS' }, 46083.25, '2026-03-02 06:00:00'],
    [{ qType: 'IV' }, 1.5, '36:00:00'],
  ])('%p', (format, num, expected) => {
    expect(formatNumber(num, format)).toBe(expected)
  })

  test('texts and nulls keep their own text', () => {
    expect(formatValue({ text: 'Nordic', num: Number.NaN }, { qType: 'M', qFmt: '0.00' })).toBe('Nordic')
    expect(formatValue(null, { qType: 'M' })).toBe('-')
    expect(formatValue({ text: '2026-02', num: 46054 }, {})).toBe('2026-02')
  })

  test('a sum of cents shows no binary dust', () => {
    expect(numberText(0.1 + 0.2)).toBe('0.3')
  })
})

describe('dates', () => {
  test('the first of January 1900 is day 2, as everywhere', () => {
    expect(toSerial(Date.UTC(1900, 0, 1))).toBe(2)
  })

  test('serial numbers survive a round trip to the millisecond', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2099-12-31'), noInvalidDate: true }), (date) => {
        expect(fromSerial(toSerial(date.getTime()))).toBe(date.getTime())
      }),
    )
  })

  test('fractions of seconds appear only where there are any', () => {
    const half = toSerial(Date.UTC(2026, 0, 5, 7, 8, 9, 500))
    expect(formatDate(half, 'YYYY-MM-DD hh:mm:ss[.fff]')).toBe('2026-01-05 07:08:09.500')
    expect(formatDate(46027, 'YY/M/D h[.fff]')).toBe('26/1/5 0')
    expect(formatInterval(2.5, 'D hh:mm:ss')).toBe('2 12:00:00')
  })

  test.each([
    ['MMMM YYYY', 'January 2026'],
    ['WWW WWWW W WW', 'Mon Monday 0 00'],
    ['h:m:s.f ff', '19:8:9.5 50'],
    ['hh:mm TT h tt', '07:08 PM 7 pm'],
  ])('%s of a Monday evening', (pattern, expected) => {
    expect(formatDate(toSerial(Date.UTC(2026, 0, 5, 19, 8, 9, 500)), pattern)).toBe(expected)
  })
})
