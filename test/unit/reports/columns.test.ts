/** Types and formats of columns. */
import { describe, expect, test } from 'bun:test'
import { declaredColumn, numberFormat, numberFormatProblem, sampledColumn } from '../../../src/reports/data/columns.ts'
import type { Cell } from '../../../src/reports/types.ts'

describe('number formats by their pattern', () => {
  test.each([
    ['# ##0,00', { qType: 'F', qDec: ',', qThou: ' ' }],
    ['#,##0.00', { qType: 'F', qDec: '.', qThou: ',' }],
    ['#.##0,000', { qType: 'F', qDec: ',', qThou: '.' }],
    ['#,##0', { qType: 'F', qDec: '.', qThou: ',' }],
    ['# ##0', { qType: 'F', qDec: '.', qThou: ' ' }],
    ['#.##0', { qType: 'F', qDec: ',', qThou: '.' }],
    ['#,##0,##0', { qType: 'F', qDec: '.', qThou: ',' }],
    ['0', { qType: 'F', qDec: '.', qThou: '' }],
    ['0.0%', { qType: 'F', qDec: '.', qThou: '' }],
    ['0,000', { qType: 'F', qDec: ',', qThou: '' }],
    ['$#,##0.00;-$#,##0.00', { qType: 'F', qDec: '.', qThou: ',' }],
    ['#,##0 "Mio."', { qType: 'F', qDec: '.', qThou: ',' }],
    ['#,##0.0 MWh', { qType: 'F', qDec: '.', qThou: ',' }],
    ['USD #,##0', { qType: 'F', qDec: '.', qThou: ',' }],
    ['# ##0 MSEK', { qType: 'F', qThou: ' ' }],
    ['0 days', { qType: 'F' }],
    ['#,##0 Days;-#,##0 Days', { qType: 'F' }],
    ['0 "h"', { qType: 'F' }],
    ['YYYY-MM-DD', { qType: 'D' }],
    ['WWWW', { qType: 'D' }],
    ['D/M YYYY', { qType: 'D' }],
    ['YYYY-MM-DD hh:mm', { qType: 'TS' }],
    ['hh:mm:ss', { qType: 'T' }],
    ['hh, MMM D', { qType: 'TS' }],
    ['h MMMM', { qType: 'TS' }],
    ['mm', { qType: 'T' }],
    ['(hex)', { qType: 'F' }],
    ['(ROM)', { qType: 'F' }],
    ['D de MMMM', { qType: 'D' }],
  ])('%s', (pattern, expected) => {
    expect(numberFormat(pattern)).toMatchObject({ ...expected, qFmt: pattern })
    expect(numberFormatProblem(pattern)).toBeNull()
  })

  test.each([
    ['yyyy', 'D', 'YYYY'],
    ['dd.MM.yy', 'D', 'DD.MM.YY'],
    ['yyyyMMdd', 'D', 'YYYYMMDD'],
    ['EEE d. MMMM', 'D', 'WWW D. MMMM'],
    ['EEEE', 'D', 'WWWW'],
    ['yyyy-MM-ddTHH:mm', 'TS', 'YYYY-MM-DDThh:mm'],
    ['HH:mm', 'T', 'hh:mm'],
    ['ss.0', 'T', 'ss.f'],
    ['HH:mm:ss,000', 'T', 'hh:mm:ss,fff'],
  ])('%s is a %s of Qlik: %s', (pattern, qType, qFmt) => {
    expect(numberFormat(pattern)).toMatchObject({ qType, qFmt })
    expect(numberFormatProblem(pattern)).toBeNull()
  })

  test.each(['Q', "'Q'Q yyyy", 'w', 'ww/yyyy', 'HH:MM', 'hh:mm:SS', 'dd.mm.yyyy', 'n', '€', 'text', ' '])(
    '%p is refused',
    (pattern) => {
      expect(numberFormatProblem(pattern)).toStartWith(`"${pattern}" cannot be the format: Qlik Sense `)
    },
  )

  test.each([
    ['F', 'YYYY', null],
    ['F', '(hex)', null],
    ['F', '(r05)', null],
    ['M', '€', null],
    ['F', '0 "Q"', '0 "Q"'],
    ['D', 'YYYY', 'YYYY'],
  ])('a column of the app of the kind %s by %s has the format %p', (qType, qFmt, format) => {
    expect(declaredColumn('measure', 'X', { qNumFormat: { qType, qFmt } })?.format).toBe(format)
  })
})

describe('columns without a format, by their cells', () => {
  const column = (kind: 'dimension' | 'measure', cells: readonly (readonly [string, number | null])[]) => {
    const given: Cell[] = cells.map(([text, number]) => ({ text, number }))
    const { type, format } = sampledColumn(kind, 'X', given)
    return [type, format]
  }
  test.each([
    ['dimension', [['Nord', null]], ['text', null]],
    [
      'measure',
      [
        ['31:30', 1.3125],
        ['-00:45', -0.031_25],
      ],
      ['interval', 'hh:mm'],
    ],
    [
      'measure',
      [
        ['-', 0],
        ['200', 200],
      ],
      ['integer', null],
    ],
    [
      'dimension',
      [
        ['1.1', 1.1],
        ['1.10', 1.1],
      ],
      ['text', null],
    ],
    [
      'dimension',
      [
        ['2024', 2024],
        ['2025', 2025],
      ],
      ['integer', null],
    ],
    [
      'dimension',
      [
        ['3/1/2026', 46_082],
        ['2/28/2026', 46_081],
      ],
      ['date', 'M/D/YYYY'],
    ],
    ['dimension', [['2026-03-03', 46_084]], ['date', 'YYYY-MM-DD']],
    ['dimension', [['20:30', 46_081.854_166_666_66]], ['time', 'hh:mm']],
    ['measure', [['2/28/2026 8:30:00 PM', 46_081.854_166_666_66]], ['timestamp', 'M/D/YYYY h:mm:ss TT']],
    [
      'measure',
      [
        ['12:00:00', 0.5],
        ['36:30:00', 1.520_833_333_333_33],
      ],
      ['interval', 'hh:mm:ss'],
    ],
    // Their total goes on beyond 24 hours.
    ['measure', [['12:00:00', 0.5]], ['interval', 'hh:mm:ss']],
    ['measure', [['12:31', 0.5]], ['text', null]],
    [
      'measure',
      [
        ['1,234 kr', 1234],
        ['none', 0],
      ],
      ['number', null],
    ],
    // A month has a number, but its text is the value to show.
    [
      'dimension',
      [
        ['Jan', 1],
        ['Feb', 2],
      ],
      ['text', null],
    ],
    ['dimension', [['2026-02', 46_054]], ['text', null]],
    [
      'dimension',
      [
        ['2026-02-28', 46_081],
        ['2026-03-01', 46_082],
      ],
      ['date', 'YYYY-MM-DD'],
    ],
    ['dimension', [['28.02.2026', 46_081]], ['date', 'DD.MM.YYYY']],
    ['dimension', [['2026-02-28 12:00:00', 46_081.5]], ['timestamp', 'YYYY-MM-DD hh:mm:ss']],
    // Day and month could be exchanged: the first form that fits all cells counts.
    ['dimension', [['28/02/2026', 46_081]], ['date', 'DD/MM/YYYY']],
    ['dimension', [['02/28/2026', 46_081]], ['date', 'MM/DD/YYYY']],
    [
      'dimension',
      [
        ['7', 7],
        ['unknown', null],
      ],
      ['text', null],
    ],
    ['measure', [['12.5', 12.5]], ['number', null]],
    ['measure', [['12,5', 12.5]], ['number', null]],
    ['measure', [['1 234,5', 1234.5]], ['number', null]],
    ['measure', [['1,234,567', 1_234_567]], ['integer', null]],
    ['measure', [['12%', 0.12]], ['number', null]],
    ['measure', [['', null]], ['number', null]],
    ['measure', [['Anna', null]], ['text', null]],
    [
      'measure',
      [
        ['5', 5],
        ['n/a', null],
      ],
      ['number', null],
    ],
    ['dimension', [], ['text', null]],
  ] as const)('%s %j', (kind, cells, expected) => {
    expect(column(kind, cells)).toEqual([...expected])
  })
})
