/** Numbers and dates as texts of Office templates: `{{revenue | #,##0.00}}`, `{{Date | yyyy-MM-dd}}`. */
import { createDateFormat, dateFormatProblem } from '../date-format.ts'
import { type DisplayColumn, partsOf } from '../display.ts'
import type { Cell, Marks } from '../types.ts'

export type TextFormat =
  | { readonly kind: 'text' }
  | {
      readonly kind: 'number'
      readonly pattern: string
      readonly positive: Section
      readonly negative: Section | null
      readonly zero: Section | null
    }
  | { readonly kind: 'date'; readonly pattern: string }

/** A number format as in Excel, for one sign. */
interface Section {
  /** The sections for negative numbers and zero may be texts alone. */
  readonly hasDigits: boolean
  readonly prefix: string
  readonly suffix: string
  readonly minimumIntegerDigits: number
  readonly minimumFractionDigits: number
  readonly maximumFractionDigits: number
  readonly useGrouping: boolean
  /** 100 for each `%`, 1/1000 for each comma after the digits. */
  readonly factor: number
}

/** A cell with the column that it comes from; null for single values. */
export interface Value {
  readonly cell: Cell
  readonly column: DisplayColumn
}

/** Excel takes no longer ones. */
const MAX_FORMAT = 255
const QUOTED = /["“”„]([^"“”„]*)["“”„]/g
/** Texts, the digits with grouping and scaling commas, decimals, texts. */
const SECTION = /^([^#0,.]*)([#0](?:[#0,]*[#0])?)?(,*)(?:\.([0#]*)(,*))?([^#0,.]*)$/
const LITERAL = /^[\s%+\-()\p{Sc}\ue000-\uf8ff]*$/u

/** Reads the part of a tag after `|`. Returns the problem as text when it is no format. */
export function parseFormat(source: string): TextFormat | string {
  const pattern = source.trim()
  if (pattern.length > MAX_FORMAT) return `a format has at most ${MAX_FORMAT} characters`
  if (pattern === 'text') return { kind: 'text' }
  const bare = pattern.replaceAll(QUOTED, '')
  if (/[#0]/.test(bare)) return numberFormat(pattern)
  if (!/[A-Za-z]/.test(bare.replaceAll(/'[^']*'/g, ''))) return unknown(pattern)
  const problem = dateFormatProblem(datePattern(pattern))
  return problem === null ? { kind: 'date', pattern: datePattern(pattern) } : `the date format "${pattern}" ${problem}`
}

const unknown = (pattern: string) =>
  `unknown format "${pattern}"; formats are text, numbers such as #,##0.00 and dates such as yyyy-MM-dd HH:mm`

/** Typographic quotes, which Office programs make while one types, stand for plain ones. */
const datePattern = (pattern: string) =>
  pattern.replaceAll(QUOTED, (_, text: string) => `'${text.replaceAll("'", "''")}'`).replaceAll(/[‘’]/g, "'")

function numberFormat(pattern: string): TextFormat | string {
  // Quoted texts stand aside as characters of the private use area, so that their letters are no part of the format.
  const texts: string[] = []
  const coded = pattern.replaceAll(QUOTED, (_, text: string) => {
    texts.push(text)
    return String.fromCharCode(0xe000 + texts.length - 1)
  })
  const sections = coded.split(';').map((section) => sectionOf(section, texts))
  const [positive, negative = null, zero = null] = sections
  if (!positive?.hasDigits || sections.length > 3 || sections.includes(null)) return unknown(pattern)
  return { kind: 'number', pattern, positive, negative, zero }
}

function sectionOf(coded: string, texts: readonly string[]): Section | null {
  const match = SECTION.exec(coded)
  if (!match) return null
  const [, before = '', digits = '', commas = '', decimals = '', more = '', after = ''] = match
  if (!LITERAL.test(before) || !LITERAL.test(after)) return null
  const integer = digits.replaceAll(',', '')
  // Zeros stand at the decimal point: 0# and #.#0 are no formats.
  if (!/^#*0*$/.test(integer) || !/^0*#*$/.test(decimals) || decimals.length > 20 || integer.length > 20) return null
  const literal = (text: string) => text.replaceAll(/[\ue000-\uf8ff]/g, (code) => texts[code.charCodeAt(0) - 0xe000]!)
  return {
    hasDigits: digits + decimals !== '',
    prefix: literal(before),
    suffix: literal(after),
    minimumIntegerDigits: count(integer, '0'),
    minimumFractionDigits: count(decimals, '0'),
    maximumFractionDigits: decimals.length,
    useGrouping: digits.includes(','),
    factor: 100 ** (count(before, '%') + count(after, '%')) / 1000 ** (commas + more).length,
  }
}

const count = (text: string, char: string) => text.split(char).length - 1

export interface Formatter {
  /** The text of a value: by the format, else Qlik's own. A format of a number or date leaves texts as they are. */
  text(value: Value, format: TextFormat | null): string
}

/**
 * `locale`: BCP 47; `marks`: separators instead of those of the locale. Formatters are kept, because making one costs more than
 * using it.
 */
export function createFormatter(locale: string, marks: Marks | null = null): Formatter {
  const numbers = new Map<string, Intl.NumberFormat>()
  const dates = new Map<string, (date: Date) => string>()

  function numberIn(options: Intl.NumberFormatOptions): Intl.NumberFormat {
    const key = JSON.stringify(options)
    const format = numbers.get(key) ?? new Intl.NumberFormat(locale, options)
    numbers.set(key, format)
    return format
  }

  function formatted(number: number, { positive, negative, zero }: TextFormat & { readonly kind: 'number' }): string {
    const section = (number < 0 ? negative : number === 0 ? zero : null) ?? positive
    if (!section.hasDigits) return section.prefix + section.suffix
    const { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits } = section
    const format = numberIn({
      minimumIntegerDigits: Math.max(1, minimumIntegerDigits),
      minimumFractionDigits,
      maximumFractionDigits,
      useGrouping: section.useGrouping ? 'always' : false,
      signDisplay: section === negative ? 'never' : 'negative',
    })
    const parts = partsOf(format, number * section.factor, marks)
    const isSign = ({ type }: Intl.NumberFormatPart) => type === 'minusSign'
    const isShown = ({ type, value }: Intl.NumberFormatPart) =>
      !(minimumIntegerDigits === 0 && maximumFractionDigits > 0 && type === 'integer' && Number(value) === 0)
    const textOf = (chosen: readonly Intl.NumberFormatPart[]) => chosen.map(({ value }) => value).join('')
    const digits = textOf(parts.filter((part) => !isSign(part) && isShown(part)))
    return `${textOf(parts.filter(isSign))}${section.prefix}${digits}${section.suffix}`
  }

  function date(serial: number, pattern: string): string | null {
    const instant = dateOfSerial(serial)
    if (Number.isNaN(instant.getTime())) return null
    const format = dates.get(pattern) ?? createDateFormat(pattern, { timezone: 'UTC', locale })
    dates.set(pattern, format)
    return format(instant)
  }

  return {
    text({ cell }, format) {
      if (cell.number === null || format === null || format.kind === 'text') return cell.text
      if (format.kind === 'number') return formatted(cell.number, format)
      return date(cell.number, format.pattern) ?? cell.text
    },
  }
}

const DAY_MS = 86_400_000
/** Serial number of 1970-01-01. */
const UNIX_SERIAL = 25_569

/** The date of a Qlik serial number as an instant in UTC, because dates of Qlik have no zone. */
export const dateOfSerial = (serial: number): Date => new Date(Math.round((serial - UNIX_SERIAL) * DAY_MS))
/** The opposite: the serial number of a wall time, as if it were UTC. */
export const serialOfDate = (wall: Date): number => wall.getTime() / DAY_MS + UNIX_SERIAL
