import { expect, test } from 'bun:test'
import { displayOf } from '../../../../src/reports/display.ts'
import { cellFormat, numberFormat } from '../../../../src/reports/documents/xlsx-formats.ts'
import type { NumberKind } from '../../../../src/reports/types.ts'

test.each<[NumberKind, string | null, string]>([
  ['number', null, 'General'],
  ['integer', null, '#,##0'],
  ['money', null, '#,##0.00'],
  ['date', null, 'yyyy\\-mm\\-dd'],
  ['timestamp', null, 'yyyy\\-mm\\-dd\\ hh:mm:ss'],
  ['time', null, 'hh:mm:ss'],
  ['interval', null, '[h]:mm:ss'],
  ['text', '#,##0', 'General'],
  ['number', '#,##0.00', '#,##0.00'],
  ['number', '#.##0,00', '#,##0.00'],
  ['number', '# ##0,00', '#,##0.00'],
  ['number', "#'##0.0", '#,##0.0'],
  ['number', '#\u00a0##0', '#,##0'],
  ['integer', '#,##0', '#,##0'],
  ['integer', '#.##0', '#,##0'],
  ['number', '#,##0,000', '#,##0'],
  ['number', '0,00', '0.00'],
  ['number', '0.0', '0.0'],
  ['number', '0.###', '0.###'],
  ['integer', '0', '0'],
  ['number', '0,0%', '0.0%'],
  ['number', '# ##0,0 %', '#,##0.0 %'],
  ['money', '# ##0,00 kr;-# ##0,00 kr', '#,##0.00 "kr";-#,##0.00 "kr"'],
  ['money', '$#,##0.00;($#,##0.00)', '$#,##0.00;($#,##0.00)'],
  ['money', '€ #.##0', '"€" #,##0'],
  ['number', '#,##0.0A', '#,##0.0'],
  ['number', '0.0 "of" target', '0.0 "of" "target"'],
  ['date', 'YYYY-MM-DD', 'yyyy\\-mm\\-dd'],
  ['date', 'DD/MM/YYYY', 'dd\\/mm\\/yyyy'],
  ['date', 'D.M.YY', 'd\\.m\\.yy'],
  ['date', 'WWW D MMM YYYY', 'ddd d mmm yyyy'],
  ['date', 'MMMM YYYY', 'mmmm yyyy'],
  ['timestamp', 'YYYY-MM-DD hh:mm:ss[.fff]', 'yyyy\\-mm\\-dd hh:mm:ss.000'],
  ['timestamp', 'M/D/YYYY h:mm:ss TT', 'm\\/d\\/yyyy h:mm:ss AM/PM'],
  ['time', 'hh:mm', 'hh:mm'],
  ['date', '---', 'yyyy\\-mm\\-dd'],
  ['interval', 'hh:mm', '[hh]:mm'],
  ['interval', 'D hh:mm:ss', '[hh]:mm:ss'],
  ['interval', 'mm:ss', '[mm]:ss'],
])('a %s with the pattern %p has the format %p', (type, format, expected) => {
  expect(numberFormat({ type, format })).toBe(expected)
})

test.each([
  ['n/a', 3, 'General'],
  ['812', 812, '#,##0'],
  ['8912.5', 8912.5, '#,##0.0'],
  ['8912.50', 8912.5, '0.00'],
  ['8 912', 8912, '#,##0'],
  ['12 345 678,90 €', 12_345_678.9, '#,##0.00 "€"'],
  ['$1,234.5', 1234.5, '$#,##0.0'],
  ['1.234', 1234, '#,##0'],
  ['1.234', 1.234, '#,##0.000'],
  ['12,4 %', 0.124, '0.0 %'],
  ['-34%', -0.34, '0%'],
  ['(1,234)', -1234, '#,##0;(#,##0)'],
  ['$-5', -5, '$0;$-0'],
  ['+12.3%', 0.123, '+0.0%'],
  ['007', 7, 'General'],
])('a figure shown as %p of %p has the format %p', (text, number, expected) => {
  expect(cellFormat(displayOf({ text, number }, null), 'General')).toBe(expected)
})
