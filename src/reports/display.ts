/** How a value of an app looks: one rule for all documents, of Qlik's number, Qlik's text and the format that the app gives. */
import { writeSerial } from './serials.ts'
import type { Cell, Column, Marks, NumberKind } from './types.ts'

/** The column of a cell. Null for single values, which are measures without a declared format. */
export type DisplayColumn = Pick<Column, 'kind' | 'type' | 'format' | 'marks'> | null

/** How a text shows its number: `(1 234,50 €)`, `3,4 Mio.`. */
export interface Written extends Marks {
  readonly prefix: string
  readonly suffix: string
  readonly decimals: number
  /** How often the number is divided by 1000: 2 for the millions of `3,4 Mio.`. */
  readonly thousands: number
  /** The text shows hundredths: `12 %` of 0.12. */
  readonly isPercent: boolean
  /** The exponent as in number formats: `E+00` for `1.0E+06`. */
  readonly exponent?: string
}

export type Display =
  /** Qlik's text: names, codes, and what only looks like a number. */
  | { readonly as: 'text' }
  /** A date, time or interval; the serial number means nothing outside of a workbook. */
  | { readonly as: 'time'; readonly number: number }
  /** A number with the format of its column. */
  | { readonly as: 'pattern'; readonly number: number }
  /** A number as its text shows it. */
  | { readonly as: 'written'; readonly number: number; readonly written: Written }
  /** The zero of a measure without a digit: `-`, `– €`. */
  | { readonly as: 'dash'; readonly number: number; readonly text: string }
  /** A measure that the app gives no format: in the locale, with its thousands. */
  | { readonly as: 'locale'; readonly number: number }

const TEXT: Display = { as: 'text' }
/** Types of numbers that are no dates and times. */
export const NUMBERS: ReadonlySet<NumberKind> = new Set(['number', 'integer', 'money'])

/** The look of a cell in every document: text, table, workbook, CSV, JSON and chart. */
export function displayOf(cell: Cell, column: DisplayColumn): Display {
  const { number, text, isFormatted = false } = cell
  if (number === null || column?.type === 'text') return TEXT
  if (column && !NUMBERS.has(column.type)) return isOtherDay(cell, column) ? TEXT : { as: 'time', number }
  const isMeasure = column?.kind !== 'dimension'
  const hasPattern = column !== null && column.format !== null
  if (text === '') return hasPattern ? { as: 'pattern', number } : isMeasure ? { as: 'locale', number } : bare(number)
  if (isMeasure && number === 0 && DASH.test(text))
    return hasPattern ? { as: 'pattern', number } : { as: 'dash', number, text }
  const scientific = isMeasure ? scientificNumber(cell) : null
  if (scientific !== null) {
    if (hasPattern) return { as: 'pattern', number }
    if (!isFormatted && ENGINE_EXPONENT.test(text)) return { as: 'locale', number }
    return scientific === 'other' ? bare(number) : { as: 'written', number, written: scientific }
  }
  if (isCode(text, column)) return TEXT
  if (hasPattern && (isMeasure || showsNumber(cell, column))) return { as: 'pattern', number }
  const inLocale = isMeasure && !isFormatted
  if (text === String(number)) return inLocale ? { as: 'locale', number } : bare(number)
  // Units and words are part of a measure; a dimension with letters is a name.
  if (!isMeasure && LETTER.test(text)) return TEXT
  const written = writtenNumber(cell, isMeasure)
  if (written === null || (isMeasure ? isName(written) : isOtherNumber(text, written))) return TEXT
  return inLocale && isUnformatted(cell, written) ? { as: 'locale', number } : { as: 'written', number, written }
}

const PLAIN = { prefix: '', suffix: '', decimal: '.', group: '', thousands: 0, isPercent: false } as const

const bare = (number: number): Display => {
  const [, decimals = ''] = /\.(\d+)$/.exec(String(number)) ?? []
  return { as: 'written', number, written: { ...PLAIN, decimals: decimals.length } }
}

/** A spreadsheet keeps no more. */
const MOST_DIGITS = 15
const MOST_TEXT = 60
const LEADING_ZERO = /^(?:[^\d.,]|(?<=\p{L})\.)*0\d/u
/** `+46701234567` is a phone number, `+12.3%` a change; a measure may change by more. */
const PLUS = /^\s*\+[^%]*$/
const PHONE = /^\s*\+(?:[\s()/-]*\d){7,}$/
/** A number in the form of data: `1E5` is an article. */
const EXPONENT = /\dE[+-]?\d/
/** The engine's own form of large and small numbers. */
const ENGINE_EXPONENT = /^[-−]?\d(?:[.,]\d+)?e[+-]\d+$/
const LETTER = /\p{L}/u
/** Accounts write zero as a dash, with or without the currency. */
const DASH = /^(?:\p{L}{1,4}\.?(?=\s)|[\s\p{Sc}])*[-–—−]+(?:(?<=\s)\p{L}{1,4}\.?|[\s\p{Sc}%])*$/u
const SCIENTIFIC = /^([-−]?)(\d+)(?:([.,])(\d+))?e([+-]?)(\d+)$/i

/** The look of `1.0E+06`; `other` when a spreadsheet would write it in another way, such as `10e3`. Null for another number. */
function scientificNumber({ text, number }: Cell): Written | 'other' | null {
  const found = SCIENTIFIC.exec(text)
  if (found === null || number === null) return null
  const [, prefix = '', whole = '', decimal = '', fraction = '', sign = '', power = ''] = found
  const value = Number(text.replace(',', '.').replace('−', '-'))
  if (whole.length > 1) return Math.abs(value - number) <= Math.abs(number) * 1e-12 ? 'other' : null
  // A spreadsheet would round the number to these digits, and show others.
  if (Number(number.toExponential(Math.min(fraction.length, 20))) !== value) return null
  return {
    ...PLAIN,
    prefix,
    decimal,
    decimals: fraction.length,
    exponent: `E${sign || '-'}${'0'.repeat(power.length)}`,
  }
}

/** Texts whose number is another text: a spreadsheet that gets the number of `007` or of 16 digits loses a part of it. */
function isCode(text: string, column: DisplayColumn): boolean {
  if (text.length > MOST_TEXT) return true
  if (LEADING_ZERO.test(text) || EXPONENT.test(text)) return true
  const phone = column?.kind === 'dimension' ? PLUS : PHONE
  if (phone.test(text) && !column?.format?.includes('+')) return true
  if (text.length <= MOST_DIGITS || ENGINE_EXPONENT.test(text)) return false
  const lost = text.replaceAll(/\D/g, '').replace(/^0+/, '').slice(MOST_DIGITS)
  // An amount such as 123,456,789,012.3400 keeps all that it shows.
  return column?.kind === 'dimension' ? lost !== '' : /[1-9]/.test(lost)
}

/** A dual such as the week `W14` of a day. Patterns with names of months are not written again. */
function isOtherDay({ text, number }: Cell, { type, format }: Pick<Column, 'type' | 'format'>): boolean {
  if (type !== 'date' || text === '' || format === null) return false
  const isPlain = /[YMD]/.test(format) && !/[^YMD./\s-]|M{3}/.test(format)
  return isPlain && writeSerial(number!, format) !== text
}

/** Whether a dimension with a pattern shows its number by it; a dual may have any text. */
function showsNumber(cell: Cell, { format }: Pick<Column, 'format'>): boolean {
  const written = writtenNumber(cell, true)
  if (written === null || format === null) return false
  const letters = (written.prefix + written.suffix).match(/\p{L}+/gu) ?? []
  if (!letters.every((part) => format.includes(part))) return false
  const [, zeros = ''] = /[.,](0+)[^#0]*$/.exec(format.split(';')[0]!) ?? []
  return letters.length > 0 || zeros.length === written.decimals || !isOtherNumber(cell.text, written)
}

/** Whether a dimension is not the number that it stands for: `1.10` is another version than `1.1`, and `>100` and `6+` are more. */
const isOtherNumber = (text: string, { prefix, suffix, group }: Written): boolean =>
  !/^[\s\p{Sc}%()+−–—-]*$/u.test(prefix) ||
  !/^[\s\p{Sc}%().,:−–—-]*$/u.test(suffix) ||
  (group === '' && suffix.trim() === '' && /^\s*[-−]?$/.test(prefix) && !/^[-−]?\d+(?:[.,]\d*[1-9])?$/.test(text))

/** `Q1` and `A-17` are names also as measures; `R5` is money. */
const isName = ({ prefix, group, decimals }: Written): boolean =>
  group === '' && decimals === 0 && /^[A-QS-Z][-−]?$/.test(prefix)

/** The dot of `Rs.500` belongs to the unit. */
const DIGITS = /\d(?:[\d.,'’\s]*\d)?|(?<![\p{L}\p{Cf}])[.,]\d+/u
/** Dots belong to abbreviations: `Rs.`, `Mio.`, `د.إ.`. */
const PREFIX = /^(?:[^.,]|(?<=[\p{L}\p{Cf}])\.)*$/u
/** Also `5,-`, `5.–` and `5 kg/m2`. */
const SUFFIX = /^(?:[.,][-–—])?(?:[^\d.,]|(?<=\p{L})\.|(?<=\p{L})(?<![xX])\d)*$/u
/** Behind the digits of `5x5`, `10e3` and `1h5`, not of `5m2`. */
const NOTATION = /^(?!m[23](?!\d))\p{L}\d/u
/** Thousands; in India also lakhs: `12,34,567`. */
const GROUPS = /^\d{1,3}(?:([.,'’\s])\d{3})(?:\1\d{3})*$|^\d{1,2}(?:,\d{2})+(,)\d{3}$/u
const MINUS = /[-−(]/
const MINUS_BEHIND = /^\s*[-−]$/

/** Reads a text as its number; null when it shows another one. `rounded`: the text may have fewer decimals than the number. */
function writtenNumber({ text, number }: Cell, rounded: boolean): Written | null {
  const found = DIGITS.exec(text)
  if (number === null || found === null) return null
  const [digits] = found
  const prefix = text.slice(0, found.index)
  const suffix = text.slice(found.index + digits.length)
  if ((prefix !== '' && !PREFIX.test(prefix)) || (suffix !== '' && !SUFFIX.test(suffix))) return null
  if (NOTATION.test(suffix)) return null
  const isNegative = MINUS.test(prefix) || MINUS_BEHIND.test(suffix)
  if (isNegative && number >= 0) return null
  for (const { thousands, isPercent } of scalesOf(prefix, suffix, rounded)) {
    const factor = isPercent ? 0.01 : 1000 ** thousands
    for (const { whole, fraction, decimal } of readings(digits)) {
      const [, mark, lakh] = GROUPS.exec(whole) ?? []
      const group = mark ?? lakh ?? ''
      if (group === '' ? /\D/.test(whole) : group === decimal) continue
      const value = Number(`${whole.replaceAll(/\D/g, '') || '0'}.${fraction}`) * (isNegative ? -factor : factor)
      const exact = Math.abs(number) * 1e-12
      const tolerance = rounded ? exact + factor * 0.500_001 * 10 ** -fraction.length : exact
      if (Math.abs(value - number) > tolerance) continue
      return { prefix, suffix, decimals: fraction.length, decimal, group, thousands, isPercent }
    }
  }
  return null
}

type Scale = Pick<Written, 'thousands' | 'isPercent'>
const scale = (thousands: number, isPercent = false): Scale => ({ thousands, isPercent })
const AS_IS = [scale(0)]
const PERCENT = [scale(0, true), scale(0)]
const scales = (...order: readonly number[]): readonly Scale[] => order.map((thousands) => scale(thousands))
/** Known units, with what they may stand for; the first that fits counts. */
const UNITS: readonly (readonly [unit: RegExp, readonly Scale[]])[] = [
  // `k`, `kEUR`, `Tsd.`, `тыс.`, `tys.`
  [/^[\s\p{Sc}]*[kKtTтТ]/u, scales(0, 1, 2, 3, 4)],
  // `Mrd.`, `Md`, `mld`, `bn`, `B`, `млрд`
  [/^[\s\p{Sc}]*(?:Mr?d|m(?:ld|rd)|bn|B\b|млрд)/u, scales(0, 3, 4, 2, 1)],
  // `M`, `MEUR`, `Mio.`, `mln`, `млн`
  [/^[\s\p{Sc}]*(?:M|m(?:io|ill|ln|n\b)|млн)/u, scales(0, 2, 4, 3, 1)],
]
const LARGEST_FIRST = scales(0, 4, 3, 2, 1)

/**
 * `12 %` is 0.12 or 12; words may stand for thousands and millions, in any language: the known ones are tried first, as
 * `1.000 Mio.` is a thousand of them and not one milliard.
 */
function scalesOf(prefix: string, suffix: string, rounded: boolean): readonly Scale[] {
  if (prefix.includes('%') || suffix.includes('%')) return PERCENT
  if (!rounded || !(LETTER.test(prefix) || LETTER.test(suffix))) return AS_IS
  return UNITS.find(([unit]) => unit.test(suffix) || unit.test(prefix))?.[1] ?? LARGEST_FIRST
}

/** `1,234` is a thousand or one and a bit. */
function readings(digits: string) {
  const last = Math.max(digits.lastIndexOf('.'), digits.lastIndexOf(','))
  const all = { whole: digits, fraction: '', decimal: '' }
  if (last < 0) return [all]
  return [all, { whole: digits.slice(0, last), fraction: digits.slice(last + 1), decimal: digits.charAt(last) }]
}

/** A number as the engine writes it without a format. `1234.50` and the `1235` of 1234.567 have one. */
function isUnformatted({ text, number }: Cell, { prefix, suffix, group, decimals }: Written): boolean {
  if (group !== '' || suffix !== '' || !/^[-−]?$/.test(prefix)) return false
  const shown = Number(text.replace(',', '.').replace('−', '-'))
  // The engine writes 14 digits.
  return Math.abs(shown - number!) <= Math.abs(number!) * 1e-13 && (decimals === 0 || !text.endsWith('0'))
}

/** The value of a cell for machines: the number, else Qlik's text; null when it is empty. */
export function plainValue(cell: Cell, column: DisplayColumn): number | string | null {
  const display = displayOf(cell, column)
  if (display.as !== 'text' && display.as !== 'time') return display.number
  return cell.text === '' ? cell.number : cell.text
}

/** Text of names: values of dimensions, cycles and labels, and what a file name takes from the app. Qlik's, never grouped. */
export const nameText = ({ text, number }: Cell): string => text || (number === null ? '' : String(number))

export type DisplayText = (cell: Cell, column: DisplayColumn) => string

/** Text of cells in tables, figures and charts: Qlik's, but a measure that the app gives no format is written in the locale. */
export function createDisplayText(locale: string): DisplayText {
  const write = localeNumber(locale)
  return (cell, column) => {
    const display = displayOf(cell, column)
    return display.as === 'locale' ? write(display.number, column?.marks) : nameText(cell)
  }
}

/** Text of single values in sentences, titles and subjects: as in tables, but four digits stay together, as a year has them. */
export function createRunningText(locale: string, marks?: Marks): (cell: Cell) => string {
  const write = localeNumber(locale, 'min2')
  return (cell) => {
    const display = displayOf(cell, null)
    return display.as === 'locale' ? write(display.number, marks) : nameText(cell)
  }
}

/** Writes numbers in a locale (BCP 47; `en` when the runtime does not know it), with `decimalsOf` decimals. */
export function localeNumber(
  locale: string,
  useGrouping: 'auto' | 'min2' = 'auto',
): (number: number, marks?: Marks) => string {
  const known = new Map<number, Intl.NumberFormat>()
  const formatOf = (maximumFractionDigits: number): Intl.NumberFormat => {
    const format = known.get(maximumFractionDigits)
    if (format) return format
    const made = new Intl.NumberFormat(knownLocale(locale), {
      maximumFractionDigits,
      signDisplay: 'negative',
      useGrouping,
    })
    known.set(maximumFractionDigits, made)
    return made
  }
  let own: Marks | null = null
  /** Whether the locale writes these separators itself, which is several times faster than to replace them. */
  const isOwn = (marks: Marks): boolean => {
    own ??= ownMarks(formatOf(1))
    const { decimal, group } = completed(marks)
    return decimal === own.decimal && group === own.group
  }
  return (number, marks) => {
    const format = formatOf(decimalsOf(number))
    return marks === undefined || isOwn(marks) ? format.format(number) : partsWith(marks)(format, number)
  }
}

function ownMarks(format: Intl.NumberFormat): Marks {
  const parts = format.formatToParts(1_234_567.5)
  const mark = (type: 'decimal' | 'group') => parts.find((part) => part.type === type)?.value ?? ''
  return { decimal: mark('decimal'), group: mark('group') }
}

/** Decimals of a number without a format: as many as 10 significant digits have room for. */
export function decimalsOf(number: number): number {
  const integerDigits = Math.abs(number) < 1 ? 0 : Math.floor(Math.log10(Math.abs(number))) + 1
  const most = Math.max(0, 10 - integerDigits)
  return /\.(\d*[1-9])?0*$/.exec(number.toFixed(most))?.[1]?.length ?? 0
}

/** The locale, or `en` when the runtime does not know it. */
export function knownLocale(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? 'en'
  } catch {
    return 'en'
  }
}

/** The separators that the first section of a pattern uses; null when it shows none. `#,##0` groups, `0,000` has decimals. */
export function patternMarks(pattern: string | null): Marks | null {
  const [section = ''] = (pattern ?? '').split(';')
  const core = /[#0](?:.*[#0])?/.exec(section)?.[0] ?? ''
  const marks = [...core.matchAll(/[^#0]/g)].map((match) => ({ mark: match[0], after: core.slice(match.index + 1) }))
  const last = marks.at(-1)
  if (last === undefined) return null
  const others = marks.slice(0, -1).map(({ mark }) => mark)
  const groups = others.includes(last.mark) || last.after === '##0'
  return { decimal: groups ? '' : last.mark, group: (groups ? last.mark : others[0]) ?? '' }
}

/** The separators of a value in the app, by its format or text; else those of its page. Null = those of the locale. */
export function marksOf(cell: Cell | null, column: DisplayColumn): Marks | null {
  return patternMarks(column?.format ?? null) ?? (cell && writtenMarks(cell, column)) ?? column?.marks ?? null
}

/** The separators in the text of a number; null when it shows none that the app chose. */
export function writtenMarks(cell: Cell, column: DisplayColumn): Marks | null {
  const display = displayOf(cell, column)
  if (display.as !== 'written' || column?.kind === 'dimension') return null
  const { decimal, group } = display.written
  return decimal + group === '' ? null : { decimal, group }
}

/** The locale for numbers such as `1.2M`: millions are `m` in British English, and Indian English counts in lakhs. */
export const compactLocale = (locale: string): string => (/^en\b/.test(locale) ? 'en' : locale)

/** Writes numbers in the format of a locale, with the separators of the app where these are known: one kind on a page. */
export const partsWith = (marks: Marks | null) => (format: Intl.NumberFormat, number: number) =>
  partsOf(format, number, marks)
    .map(({ value }) => value)
    .join('')

/** The parts of a number with the separators; null: those of the locale. */
export function partsOf(format: Intl.NumberFormat, number: number, marks: Marks | null): Intl.NumberFormatPart[] {
  const own = marks && completed(marks)
  return format.formatToParts(number).map((part) => {
    return own && (part.type === 'decimal' || part.type === 'group') ? { ...part, value: own[part.type] } : part
  })
}

/** With the separator that goes with the known one. */
function completed({ decimal, group }: Marks): Marks {
  const comma = decimal === ',' || group === '.' || /^\s$/.test(group)
  return { decimal: decimal || (comma ? ',' : '.'), group: group || (comma ? '\u00a0' : ',') }
}
