/** Columns of cubes: definitions made from those of reports, and the meaning of the numbers that come back. */
import type { ColumnDefinition } from '../entities/fields.ts'
import type { Cell, Column, NumberKind, Row } from '../types.ts'
import { asObject, asText, type Json } from './app.ts'

/** Kinds of number formats of Qlik, by their letter. `U` (unknown) and `A` (text) say nothing about the numbers. */
const KINDS: Readonly<Record<string, NumberKind>> = {
  I: 'integer',
  R: 'number',
  F: 'number',
  M: 'money',
  D: 'date',
  T: 'time',
  TS: 'timestamp',
  IV: 'interval',
}

/** `qNumFormat` for a pattern such as `# ##0,00`, `0.0%` or `YYYY-MM-DD hh:mm`. */
export function numberFormat(pattern: string): Json {
  const hasDate = /[YMD]/.test(pattern)
  const hasTime = /[hs]/.test(pattern)
  const qType = hasDate ? (hasTime ? 'TS' : 'D') : hasTime ? 'T' : 'F'
  return { qType, qnDec: 10, qUseThou: 0, qFmt: pattern, ...separators(pattern) }
}

/** Decimal and thousands separators as the first section of a pattern uses them. */
function separators(pattern: string): { readonly qDec: string; readonly qThou: string } {
  const [section = ''] = pattern.split(';')
  const core = /[#0](?:.*[#0])?/.exec(section)?.[0] ?? ''
  const marks = [...core.matchAll(/[^#0]/g)].map((match) => ({ mark: match[0], after: core.slice(match.index + 1) }))
  const last = marks.at(-1)
  const others = marks.slice(0, -1).map(({ mark }) => mark)
  // `#,##0` groups, `0,000` has decimals; a mark that occurs before groups too.
  const groups = last !== undefined && (others.includes(last.mark) || last.after === '##0')
  const qDec = last && !groups ? last.mark : '.'
  const qThou = (groups ? last?.mark : others[0]) ?? ''
  return { qDec: qDec === qThou ? ',' : qDec, qThou }
}

/** The item of `qDimensions` for a column; `definition` is a quoted field or `=expression`. */
export function dimensionItem(column: ColumnDefinition, definition: string, sort: Json): Json {
  const formats = column.format === undefined ? [] : [numberFormat(column.format)]
  const library = typeof column.expr === 'string' ? {} : { qLibraryId: column.expr.libraryId }
  const source = typeof column.expr === 'string' ? { qFieldDefs: [definition], qFieldLabels: [column.label] } : {}
  return { ...library, qDef: { ...source, qNumberFormats: formats, qSortCriterias: [sort] } }
}

/** The item of `qMeasures` for a column. */
export function measureItem(column: ColumnDefinition, sort: Json): Json {
  const format = column.format === undefined ? {} : { qNumFormat: numberFormat(column.format) }
  if (typeof column.expr !== 'string') return { qLibraryId: column.expr.libraryId, qDef: format, qSortBy: sort }
  const qDef = { qDef: column.expr.replace(/^\s*=/, ''), qLabel: column.label, ...format }
  return { qDef, qSortBy: sort }
}

/** A column by its entry of `qDimensionInfo` or `qMeasureInfo`; null when its cells must decide on the type. */
export function declaredColumn(kind: Column['kind'], label: string, info: Json): Column | null {
  const { qType, qFmt } = asObject(info.qNumFormat)
  const type = KINDS[asText(qType)]
  return type ? { label, kind, type, format: asText(qFmt) || null } : null
}

/** A column without a declared format: numbers whose text is that number, dates in a usual form, else texts. */
export function sampledColumn(kind: Column['kind'], label: string, cells: readonly Cell[]): Column {
  const filled = cells.filter(({ text, number }) => text !== '' || number !== null)
  const numbers = filled.flatMap(({ text, number }) => (number === null ? [] : [{ text, number }]))
  const column = (type: NumberKind, format: string | null = null): Column => ({ label, kind, type, format })
  if (numbers.length === 0) return column(kind === 'measure' && filled.length === 0 ? 'number' : 'text')
  if (numbers.length < filled.length) return column(kind === 'measure' ? 'number' : 'text')
  if (numbers.every(({ text, number }) => isPlain(text, number))) {
    return column(numbers.every(({ number }) => Number.isInteger(number)) ? 'integer' : 'number')
  }
  const date = DATE_FORMATS.find(({ write }) => numbers.every(({ text, number }) => write(number) === text))
  return date ? column(date.type, date.format) : column('text')
}

/** Texts such as `1234.5`, `1 234,5`, `1,234.5`; rounded texts count as well. */
function isPlain(text: string, number: number): boolean {
  const digits = text.replace(/[\s'’\u00a0\u202f]/g, '')
  const last = Math.max(digits.lastIndexOf('.'), digits.lastIndexOf(','))
  const whole = Number(digits.replace(/[.,]/g, ''))
  const split = last < 0 ? whole : Number(`${digits.slice(0, last).replace(/[.,]/g, '')}.${digits.slice(last + 1)}`)
  const near = (value: number) => Math.abs(value - number) <= Math.abs(number) * 1e-9
  return near(whole) || near(split)
}

const DAY_MS = 86_400_000
const EPOCH_MS = Date.UTC(1899, 11, 30)

/** Usual forms of dates, written for comparison with the cells. */
const DATE_FORMATS = [
  'YYYY-MM-DD',
  'DD/MM/YYYY',
  'MM/DD/YYYY',
  'DD.MM.YYYY',
  'YYYY-MM-DD hh:mm:ss',
  'YYYY-MM-DD hh:mm',
  'DD/MM/YYYY hh:mm:ss',
  'DD.MM.YYYY hh:mm:ss',
].map((format) => ({
  format,
  type: (format.includes('hh') ? 'timestamp' : 'date') as NumberKind,
  write: (serial: number) => writeDate(serial, format),
}))

function writeDate(serial: number, format: string): string {
  const date = new Date(Math.round(serial * DAY_MS) + EPOCH_MS)
  if (Number.isNaN(date.getTime())) return ''
  const [day, time] = date.toISOString().split('T')
  const [year, month, dayOfMonth] = day?.split('-') ?? []
  const parts: Readonly<Record<string, string | undefined>> = {
    YYYY: year,
    MM: month,
    DD: dayOfMonth,
    hh: time?.slice(0, 2),
    mm: time?.slice(3, 5),
    ss: time?.slice(6, 8),
  }
  return format.replace(/YYYY|MM|DD|hh|mm|ss/g, (token) => parts[token] ?? token)
}

/** Columns of a cube, with the first rows where their declaration does not say what the numbers mean. */
export function typedColumns(
  declared: readonly { readonly kind: Column['kind']; readonly label: string; readonly info: Json }[],
  sample: readonly Row[],
): readonly Column[] {
  return declared.map(({ kind, label, info }, index) => {
    const cells = sample.flatMap((row) => (row[index] ? [row[index]] : []))
    return declaredColumn(kind, label, info) ?? sampledColumn(kind, label, cells)
  })
}
