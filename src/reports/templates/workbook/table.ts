/** The first sheet of a workbook as a table of texts: what its cells show, not what they are made of. */
import { refuseOtherArchive, TextError } from '../../../platform/encodings.ts'
import type { TableRow } from '../../../platform/table.ts'
import { DAYS_BETWEEN_1900_AND_1904 } from '../../serials.ts'
import { createFormatter, dateOfSerial, parseFormat } from '../formats.ts'
import { type OfficePackage, openForReading } from '../package.ts'
import { kindOf } from '../parts.ts'
import { TemplateError } from '../problems.ts'
import { attributesOf, localName, readXml, type XmlVisitor } from '../xml.ts'
import { columnLetters, columnNumber } from './formula.ts'
import { unescapeString } from './sheet.ts'

/** The rows of a table; the sheet may be longer when the rest is empty. */
const MAX_ROWS = 100_000
const MAX_COLUMNS = 256
/** Unpacked. */
const MAX_SHEET_MB = 64
const MEGABYTE = 1024 * 1024

/**
 * Reads the first visible sheet. Dates and numbers are as shown, but without thousands separators, and dates in the format of the
 * reader's country as 2026-12-24. Rows without any value are left out. Throws a `TextError`.
 */
export async function readWorkbookTable(bytes: Uint8Array<ArrayBuffer>, maxMb: number): Promise<TableRow[]> {
  refuseOtherArchive(bytes)
  try {
    const source = await openForReading(bytes, { maxTemplateMb: maxMb })
    if (source.format !== 'xlsx') throw new TextError(`it is a ${source.format} file, not a workbook`)
    const { path, isFrom1904 } = await firstSheet(source)
    const related = await source.relationships(source.mainPart)
    const partOf = async (kind: string) => {
      const target = related.find((one) => kindOf(one) === kind)?.target
      return target && source.has(target) ? read(source, target) : ''
    }
    const strings = stringsIn(await partOf('sharedStrings'))
    const shown = createShown(await partOf('styles'), isFrom1904)
    return rowsIn(await read(source, path), strings, shown)
  } catch (error) {
    throw error instanceof TemplateError ? new TextError(error.details) : error
  }
}

async function read(source: OfficePackage, path: string): Promise<string> {
  if (source.size(path) <= MAX_SHEET_MB * MEGABYTE) return source.text(path)
  throw new TextError(`${path} has more than ${MAX_SHEET_MB} MB unpacked; keep only the table in the workbook`)
}

async function firstSheet(source: OfficePackage): Promise<{ readonly path: string; readonly isFrom1904: boolean }> {
  const ids: string[] = []
  let isFrom1904 = false
  visit(await source.text(source.mainPart), source.mainPart, {
    start(name, attributes) {
      if (name === 'workbookPr') isFrom1904 = isTrue(attributes().get('date1904'))
      if (name !== 'sheet' || /hidden/i.test(attributes().get('state') ?? '')) return
      const id = [...attributes()].find(([key]) => key.includes(':') && localName(key) === 'id')
      if (id) ids.push(id[1])
    },
  })
  const sheets = (await source.relationships(source.mainPart)).filter((one) => kindOf(one) === 'worksheet')
  const path = ids.flatMap((id) => sheets.find((one) => one.id === id)?.target ?? [])[0]
  if (path === undefined || !source.has(path)) throw new TextError('the workbook has no visible sheet with cells')
  return { path, isFrom1904 }
}

const isTrue = (text: string | undefined): boolean => text === '1' || text === 'true'

interface Visitor {
  /** Name without a prefix. */
  start?(name: string, attributes: () => ReadonlyMap<string, string>): void
  end?(name: string): void
  text?(piece: string): void
}

function visit(xml: string, place: string, { start, end, text }: Visitor): void {
  const visitor: XmlVisitor = {
    start: (_name, attributes, local) => start?.(local, () => attributesOf(attributes)),
    end: (_name, local) => end?.(local),
    text: (piece) => text?.(piece()),
  }
  readXml(xml, place, visitor)
}

/** Collects the text of `<si>` and `<is>`, without the readings of Japanese text. */
function createText() {
  let pieces: string[] = []
  let isIn = false
  let inReading = 0
  return {
    start(name: string): void {
      if (name === 'rPh') inReading += 1
      isIn = name === 't' && inReading === 0
    },
    end(name: string): void {
      if (name === 'rPh') inReading -= 1
      isIn = false
    },
    text(piece: string): void {
      if (isIn) pieces.push(piece)
    },
    take(): string {
      const text = unescapeString(pieces.join(''))
      pieces = []
      return text
    },
  }
}

function stringsIn(xml: string): string[] {
  const strings: string[] = []
  if (xml === '') return strings
  const text = createText()
  visit(xml, 'shared strings', {
    ...text,
    end(name) {
      text.end(name)
      if (name === 'si') strings.push(text.take())
    },
  })
  return strings
}

interface OpenCell {
  readonly column: number
  readonly type: string
  readonly style: number
  /** The text in `<v>`. */
  value: string
}

function rowsIn(xml: string, strings: readonly string[], shown: Shown): TableRow[] {
  const rows: TableRow[] = []
  const text = createText()
  let row = { line: 0, cells: [] as string[], problem: undefined as string | undefined }
  let cell: OpenCell | null = null
  let inValue = false
  const close = ({ column, type, style, value }: OpenCell): void => {
    const inline = text.take()
    const content = type === 's' ? (strings[Number(value)] ?? '') : type === 'inlineStr' ? inline : value
    if (content === '') return
    const place = `cell ${columnLetters(column)}${row.line}`
    if (column > MAX_COLUMNS) throw new TextError(`${place}: more than ${MAX_COLUMNS} columns`, row.line, column)
    while (row.cells.length < column - 1) row.cells.push('')
    if (type === 'e') row.problem ??= `${place} shows the error ${content}`
    row.cells[column - 1] = type === 'n' ? shown(content, style) : type === 'b' ? logical(content) : content
  }
  visit(xml, 'sheet', {
    start(name, attributes) {
      if (name === 'row') {
        row = { line: Number(attributes().get('r') ?? row.line + 1), cells: [], problem: undefined }
      } else if (name === 'c') {
        const given = attributes()
        const reference = /^[A-Z]+/i.exec(given.get('r') ?? '')?.[0]
        const column = reference ? columnNumber(reference.toUpperCase()) : row.cells.length + 1
        cell = { column, type: given.get('t') ?? 'n', style: Number(given.get('s') ?? 0), value: '' }
      }
      inValue = name === 'v'
      text.start(name)
    },
    text(piece) {
      if (cell && inValue) cell.value += piece
      else text.text(piece)
    },
    end(name) {
      inValue = false
      text.end(name)
      if (name === 'c' && cell) {
        close(cell)
        cell = null
      }
      if (name !== 'row' || !row.cells.some((value) => value.trim() !== '')) return
      if (rows.length >= MAX_ROWS) throw new TextError(`more than ${MAX_ROWS} rows`, row.line, 1)
      const { line, cells, problem } = row
      rows.push({ line, cells, ...(problem !== undefined && { problem }) })
    },
  })
  return rows
}

const logical = (value: string): string => (value === '1' ? 'TRUE' : 'FALSE')

/** The text of a number in the format of a style. */
type Shown = (number: string, style: number) => string

/** Formats that workbooks name by number and do not spell (ECMA-376 part 1, 18.8.30); 14 and 22 differ from country to country. */
const BUILT_IN: Readonly<Record<number, string>> = {
  1: '0',
  2: '0.00',
  3: '#,##0',
  4: '#,##0.00',
  9: '0%',
  10: '0.00%',
  37: '#,##0',
  38: '#,##0',
  39: '#,##0.00',
  40: '#,##0.00',
  14: 'yyyy-mm-dd',
  15: 'd-mmm-yy',
  16: 'd-mmm',
  17: 'mmm-yy',
  18: 'h:mm AM/PM',
  19: 'h:mm:ss AM/PM',
  20: 'h:mm',
  21: 'h:mm:ss',
  22: 'yyyy-mm-dd hh:mm',
  45: 'mm:ss',
  46: 'h:mm:ss',
  47: 'mm:ss',
}

function createShown(styles: string, isFrom1904: boolean): Shown {
  const formats = formatsIn(styles)
  const known = new Map<string, (value: number) => string>()
  return (text, style) => {
    const value = Number(text)
    if (!Number.isFinite(value)) return text
    const format = formats[style] ?? ''
    const write = known.get(format) ?? writerOf(format, isFrom1904)
    known.set(format, write)
    return write(value)
  }
}

/** The number format of each style. */
function formatsIn(xml: string): string[] {
  const own = new Map<number, string>()
  const formats: string[] = []
  if (xml === '') return formats
  let inCells = false
  visit(xml, 'styles', {
    start(name, attributes) {
      if (name === 'numFmt') own.set(Number(attributes().get('numFmtId')), attributes().get('formatCode') ?? '')
      if (name === 'cellXfs') inCells = true
      if (name !== 'xf' || !inCells) return
      const id = Number(attributes().get('numFmtId') ?? 0)
      formats.push(own.get(id) ?? BUILT_IN[id] ?? '')
    },
    end(name) {
      if (name === 'cellXfs') inCells = false
    },
  })
  return formats
}

/** Excel keeps 15 digits. */
const GENERAL = new Intl.NumberFormat('en', { useGrouping: false, maximumSignificantDigits: 15 })
/** Excel takes no longer ones. */
const MAX_FORMAT = 255

function writerOf(format: string, isFrom1904: boolean): (value: number) => string {
  if (format.length > MAX_FORMAT) return (value) => GENERAL.format(value)
  const tokens = tokensOf(format.split(';', 1)[0] ?? '')
  if (tokens.some(({ kind }) => kind === 'date')) {
    return (value) => dateText(tokens, dateOfSerial(isFrom1904 ? value + DAYS_BETWEEN_1900_AND_1904 : value))
  }
  const bare = format
    .split(';')
    .slice(0, 2)
    .map((section) =>
      tokensOf(section)
        .map(({ kind, text }) => (kind === 'literal' ? quoted(text) : text))
        .join(''),
    )
    .join(';')
  const parsed = /[#0]/.test(bare) ? parseFormat(bare) : 'no number'
  if (typeof parsed === 'string' || parsed.kind !== 'number') return (value) => GENERAL.format(value)
  const plain = (section: typeof parsed.positive) => ({ ...section, useGrouping: false })
  const { positive, negative } = parsed
  const ungrouped = { ...parsed, positive: plain(positive), negative: negative && plain(negative) }
  const formatter = createFormatter('en')
  return (value) => formatter.text({ cell: { text: '', number: value }, column: null }, ungrouped).trim()
}

const quoted = (text: string): string => (/^[\s%+\-()]*$/.test(text) ? text : `"${text.replaceAll('"', '')}"`)

interface Token {
  readonly kind: 'literal' | 'date' | 'other'
  readonly text: string
}

/** Quoted and escaped text, padding, colours and countries, parts of dates, or one character. */
const PIECE = /"([^"]*)"|\\(.)|[_*].|\[([hms]+)\]|\[[^\]]{0,255}\]|(am\/pm|a\/p|y+|m+|d+|h+|s+(?:\.0+)?)|General|./gis

function tokensOf(section: string): Token[] {
  return [...section.matchAll(PIECE)].flatMap(([piece, text, escaped, elapsed, date]): Token[] => {
    if (text !== undefined || escaped !== undefined) return [{ kind: 'literal', text: text ?? escaped ?? '' }]
    if (elapsed !== undefined || date !== undefined)
      return [{ kind: 'date', text: (elapsed ?? date ?? '').toLowerCase() }]
    return /^[_*[]/.test(piece) || /^general$/i.test(piece) ? [] : [{ kind: 'other', text: piece }]
  })
}

const two = (value: number): string => String(value).padStart(2, '0')
const word = (date: Date, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat('en', { ...options, timeZone: 'UTC' }).format(date)

function dateText(tokens: readonly Token[], instant: Date): string {
  if (Number.isNaN(instant.getTime())) return ''
  // A serial number of a full second may be a little less.
  const date = new Date(Math.round(instant.getTime() / 1000) * 1000)
  const parts = tokens.filter(({ kind }) => kind === 'date')
  const isTwelve = parts.some(({ text }) => /^a/.test(text))
  const isMinute = (token: Token): boolean => {
    const at = parts.indexOf(token)
    return /^h/.test(parts[at - 1]?.text ?? '') || /^s/.test(parts[at + 1]?.text ?? '')
  }
  return tokens
    .map((token) =>
      token.kind === 'date' ? datePart(token.text, date, { isTwelve, isMinute: isMinute(token) }) : token.text,
    )
    .join('')
    .trim()
}

function datePart(text: string, date: Date, { isTwelve, isMinute }: { isTwelve: boolean; isMinute: boolean }): string {
  const padded = (value: number) => (text.length > 1 ? two(value) : String(value))
  const hours = date.getUTCHours()
  switch (text[0]) {
    case 'y':
      return text.length > 2 ? String(date.getUTCFullYear()).padStart(4, '0') : two(date.getUTCFullYear() % 100)
    case 'm':
      if (isMinute) return padded(date.getUTCMinutes())
      if (text.length > 2) return word(date, { month: text.length === 3 ? 'short' : 'long' })
      return padded(date.getUTCMonth() + 1)
    case 'd':
      if (text.length > 2) return word(date, { weekday: text.length === 3 ? 'short' : 'long' })
      return padded(date.getUTCDate())
    case 'h':
      return padded(isTwelve ? hours % 12 || 12 : hours)
    case 's':
      return padded(date.getUTCSeconds()).slice(0, 2)
    default:
      return hours < 12 ? 'AM' : 'PM'
  }
}
