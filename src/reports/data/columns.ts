/** Columns of cubes: definitions made from those of reports, and the meaning of the numbers that come back. */

import { displayOf, NUMBERS, patternMarks, writtenMarks } from '../display.ts'
import type { ColumnDefinition } from '../entities/fields.ts'
import { serialFormats, writeSerial } from '../serials.ts'
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

/** `(hex)`, `(rom)`, `(r05)`: numbers in other digits. */
const RADIX = /^\(\s*(?:bin|oct|dec|hex|rom|r\d\d)\s*\)/i
/** Letters of dates in Qlik, and in naming patterns: `yyyy`, `dd`, `EEE`, `HH`. */
const DATE_WORD = /^(?:[YyMDdWEHhmsfT]|tt)+$/

/** A date pattern with the letters of Qlik and tenths of seconds as `f`; null for a pattern of numbers, whose unit may have any letters. */
function datePattern(pattern: string): string | null {
  const tenths = pattern.replace(/(s[.,])(0+)/, (_, before: string, zeros: string) => before + 'f'.repeat(zeros.length))
  if (/[#0]/.test(tenths) || RADIX.test(pattern)) return null
  return tenths.replaceAll(/[A-Za-z]+/g, (word) =>
    DATE_WORD.test(word)
      ? word
          .replaceAll(/E+/g, (days) => 'W'.repeat(Math.max(3, days.length)))
          .replaceAll('y', 'Y')
          .replaceAll('d', 'D')
          .replaceAll('H', 'h')
      : word,
  )
}

/** `qNumFormat` for a pattern such as `# ##0,00`, `0 MWh`, `YYYY-MM-DD hh:mm` or `dd.MM.yyyy`. */
export function numberFormat(pattern: string): Json {
  const tokens = datePattern(pattern)
  const hasDate = tokens !== null && /[YMDW]/.test(tokens)
  const hasTime = tokens !== null && /[hmsf]/.test(tokens)
  const qType = hasDate ? (hasTime ? 'TS' : 'D') : hasTime ? 'T' : 'F'
  return { qType, qnDec: 10, qUseThou: 0, qFmt: tokens ?? pattern, ...separators(pattern) }
}

/** Patterns that Qlik does not write, with the remedy. */
const NO_PATTERN: readonly (readonly [RegExp, string])[] = [
  [/(?<![A-Za-z])Q+(?![A-Za-z])/, 'has no letters for quarters; use an expression such as =Ceil(Month(OrderDate) / 3)'],
  [/(?<![A-Za-z])w+(?![A-Za-z])/, 'has no letters for weeks; use an expression such as =Week(OrderDate)'],
  [/(?<![A-Za-z])S+(?![A-Za-z])/, 'writes seconds as ss and their fractions as .fff'],
  [/[Hh][^A-Za-z]*M{1,2}(?!M)/, 'writes minutes as mm; MM are months'],
  [/^(?=.*m)(?=.*[YyDd])[^Hhs]*$/, 'writes months as MM; mm are minutes beside hours or seconds'],
  [/^[^YyMDdWEHhmsf]*$/, 'shows no number by it: # and 0 stand for digits, YYYY MM DD hh mm ss for parts of a date'],
]

/** The problem with the format of a column or figure, in one line; null when Qlik Sense writes values by it. */
export function numberFormatProblem(pattern: string): string | null {
  if (datePattern(pattern) === null) return null
  const bare = pattern.replaceAll(/"[^"]*"|'[^']*'/g, '')
  const [, remedy = null] = NO_PATTERN.find(([shape]) => shape.test(bare)) ?? []
  return remedy && `"${pattern}" cannot be the format: Qlik Sense ${remedy}`
}

function separators(pattern: string): { readonly qDec: string; readonly qThou: string } {
  const { decimal, group } = patternMarks(pattern) ?? { decimal: '', group: '' }
  return { qDec: decimal || (group === '.' ? ',' : '.'), qThou: group }
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

/** Patterns by which a workbook cannot write numbers; the text of Qlik shows them. `#` alone stands for as many digits as there are. */
const isNoPattern = (format: string, type: NumberKind): boolean =>
  /^#*$/.test(format) || (NUMBERS.has(type) && (!/[#0]/.test(format) || RADIX.test(format)))

/** A column by its entry of `qDimensionInfo` or `qMeasureInfo`; null when its cells must decide on the type. */
export function declaredColumn(kind: Column['kind'], label: string, info: Json): Column | null {
  const { qType, qFmt } = asObject(info.qNumFormat)
  const type = KINDS[asText(qType)]
  const format = asText(qFmt).trim()
  return type ? { label, kind, type, format: isNoPattern(format, type) ? null : format } : null
}

/** A column without a declared format: numbers that their texts show, dates in a usual form, else texts. */
export function sampledColumn(kind: Column['kind'], label: string, cells: readonly Cell[]): Column {
  const filled = cells.filter(({ text, number }) => text !== '' || number !== null)
  const numbers = filled.flatMap(({ text, number }) => (number === null ? [] : [{ text, number }]))
  const column = (type: NumberKind, format: string | null = null): Column => ({ label, kind, type, format })
  if (numbers.length === 0) return column(kind === 'measure' && filled.length === 0 ? 'number' : 'text')
  if (numbers.length < filled.length) return column(kind === 'measure' ? 'number' : 'text')
  const shown = column(numbers.every(({ number }) => Number.isInteger(number)) ? 'integer' : 'number')
  const isShown = (cell: Cell): boolean => displayOf(cell, shown).as !== 'text'
  if (numbers.every(isShown)) {
    const marks = numbers.map((cell) => writtenMarks(cell, shown)).find((one) => one !== null)
    return marks ? { ...shown, marks } : shown
  }
  const [first] = numbers
  const dates = [...serialFormats(first!.text, first!.number)].filter(({ type, format }) =>
    numbers.every(({ text, number }) => writeSerial(number, format, type) === text),
  )
  // Lengths of time below a day look like times, but their total goes on beyond 24 hours.
  const date = (kind === 'measure' && dates.find(({ type }) => type === 'interval')) || dates[0]
  if (date) return column(date.type, date.format)
  // A measure may write some of its numbers as words, such as `none` for 0.
  return kind === 'measure' && numbers.some(isShown) ? column('number') : column('text')
}

/** Columns of a cube, with the first rows where their declaration does not say what the numbers mean. */
export function typedColumns(
  declared: readonly (Pick<Column, 'kind' | 'label' | 'maxLines'> & { readonly info: Json })[],
  sample: readonly Row[],
): readonly Column[] {
  return declared.map(({ kind, label, maxLines, info }, index) => {
    const cells = sample.flatMap((row) => (row[index] ? [row[index]] : []))
    const column = declaredColumn(kind, label, info) ?? sampledColumn(kind, label, cells)
    return maxLines === undefined ? column : { ...column, maxLines }
  })
}
