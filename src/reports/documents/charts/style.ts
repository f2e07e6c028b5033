/** Look of charts: colours, sizes of text, numbers. */
import {
  compactLocale,
  createDisplayText,
  displayOf,
  knownLocale,
  marksOf,
  nameText,
  partsWith,
  patternMarks,
} from '../../display.ts'
import { writeSerial } from '../../serials.ts'
import { createFormatter, parseFormat } from '../../templates/formats.ts'
import type { Cell, Column } from '../../types.ts'
import type { FontSet } from '../fonts.ts'
import { cellFormat, numberFormat as workbookFormat } from '../xlsx-formats.ts'

/**
 * Colours of series, dark and light ones in turn, so that neighbours differ in grayscale as well; chosen from hues that readers
 * with a red-green deficiency keep apart.
 */
export const PALETTE = [
  '#1f5a96',
  '#e8a33d',
  '#5aa9c9',
  '#8c3b4a',
  '#a9c77f',
  '#5d4a8a',
  '#e9c9a1',
  '#2f7d6b',
  '#d98c80',
  '#5f6b76',
  '#b9c6e0',
  '#7a5c2e',
] as const
export const GOOD = '#2f7d6b'
export const BAD = '#c0563f'
export const INK = '#1f2933'
export const MUTED = '#5b6670'
export const GRID = '#e3e7eb'
export const AXIS = '#9aa5b1'
/** From few to many. */
export const SHADES = ['#edf3f8', '#a9cbe3', '#5b9ac9', '#1f5a96', '#123a63'] as const

export const TEXT = 12
export const SMALL = 11
export const TITLE = 14
/** Distance of the chart from the edge of its picture. */
export const EDGE = 10

/** The size and surroundings of a chart, for the builders of options. */
export interface Canvas {
  readonly width: number
  readonly height: number
  readonly title: string
  readonly locale: string
  readonly fonts: FontSet
}

/** Text of the dimension value; `-` for null, as Qlik shows it. */
export const nameOf = (cell: Cell | undefined): string => (cell && nameText(cell)) || '-'

/** Several values of a field may have one text: the days that an app shows as months, empty texts beside `-`. */
export const valueKey = (cell: Cell | undefined): string => `${cell?.number ?? ''} ${cell?.text ?? ''}`

/** The text of a value as in tables; numbers of our own, such as totals, are written in the format of their column. */
export function valueText(cell: Cell, column: Column | undefined, locale: string): string {
  if (cell.text !== '' || cell.number === null || !column) return createDisplayText(locale)(cell, column ?? null)
  if (TIMES.has(column.type)) return numberFormat(column, locale, [cell.number])(cell.number)
  const format = column.format === null ? null : parseFormat(workbookFormat(column) ?? 'General')
  if (format === null || typeof format === 'string') return createDisplayText(locale)(cell, column)
  return createFormatter(locale, marksOf(null, column)).text({ cell, column }, format)
}

/** A number of our own, such as a total, as the app writes the numbers beside it: `1,234 kr`. */
export function cellLike(number: number, cell: Cell | undefined, column: Column | undefined): Cell {
  const display = cell && displayOf(cell, column ?? null)
  if (display?.as !== 'written') return { text: '', number }
  const format = parseFormat(cellFormat(display, 'General'))
  if (typeof format === 'string') return { text: '', number }
  return {
    text: createFormatter('en', display.written).text({ cell: { text: '', number }, column: null }, format),
    number,
  }
}

const TIMES: ReadonlySet<Column['type']> = new Set(['date', 'timestamp', 'time', 'interval'])
/** A date in digits. */
const DATE_PATTERN = /^[YMDhms:./\s-]*$/
const PERCENT = /%/
const HOUR_MINUTES = 24 * 60

/**
 * Writes numbers at an axis, with the separators of the column or of its page: percentages, times and dates by the column's type;
 * large ones shortened (1.25M), with decimals that keep marks distinct.
 */
export function numberFormat(
  column: Pick<Column, 'type' | 'format' | 'marks'> | undefined,
  locale: string,
  values: readonly number[],
): (value: number) => string {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
  const isCompact = largest >= 1_000_000 && !PERCENT.test(column?.format ?? '')
  const known = isCompact ? compactLocale(knownLocale(locale)) : knownLocale(locale)
  const pattern = column?.format ?? null
  if (column?.type === 'date' || column?.type === 'timestamp') {
    const isDigits = pattern !== null && DATE_PATTERN.test(pattern) && !pattern.includes('MMM')
    if (isDigits) return (value) => writeSerial(value, pattern)
    // Without names of months, which would be in the language of the locale beside those of the app.
    const date = new Intl.DateTimeFormat(known, { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: 'UTC' })
    return (value) => date.format(new Date((value - 25_569) * 86_400_000))
  }
  if (column?.type === 'time' || column?.type === 'interval') {
    return (value) => {
      const minutes = Math.round(Math.abs(value) * HOUR_MINUTES)
      return `${value < 0 ? '-' : ''}${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`
    }
  }
  const format = new Intl.NumberFormat(
    known,
    PERCENT.test(pattern ?? '')
      ? { style: 'percent', maximumFractionDigits: largest < 0.05 ? 2 : largest < 0.5 ? 1 : 0 }
      : isCompact
        ? { notation: 'compact', maximumFractionDigits: 3 }
        : { maximumFractionDigits: largest < 1 ? 4 : largest < 10 ? 2 : largest < 100 ? 1 : 0 },
  )
  const write = partsWith(patternMarks(pattern) ?? column?.marks ?? null)
  return (value) => write(format, value)
}

/** Black or white text, whichever is readable on the colour (`#rrggbb`). */
export function inkOn(colour: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.3 ? INK : '#ffffff'
}
