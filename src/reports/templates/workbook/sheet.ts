/** A worksheet as text: its rows one by one, and everything around them. Sheets may be large, so there is no tree of their cells. */
import { attributesOf, unescapeXml, withoutPrefix } from '../xml.ts'
import { columnNumber, shiftTokens, type Token, tokenize } from './formula.ts'

export interface SheetSource {
  /** The sheet with an empty `<sheetData/>`. */
  readonly frame: string
  readonly rows: readonly SourceRow[]
}

export interface SourceRow {
  readonly number: number
  /** `<row r="6" ...>...</row>` */
  readonly source: string
}

export interface SourceCell {
  readonly column: number
  /** From 1. */
  readonly row: number
  /** All but `r` and `t`: ` s="3"`. */
  readonly attributes: string
  readonly type: string
  /** The content between the tags. */
  readonly inner: string
}

const ROW = /<row(?![^\s/>])((?:[^>"]|"[^"]*")*?)(?:\/>|>(.*?)<\/row>)/gs
const CELL = /<c(?![^\s/>])((?:[^>"]|"[^"]*")*?)(?:\/>|>(.*?)<\/c>)/gs

/** Splits the text of a sheet, in one spelling and without prefixes of the main namespace. */
export function readSheet(text: string): SheetSource {
  const plain = withoutPrefix(text)
  const begin = /<sheetData\b[^>]*>/.exec(plain)
  if (!begin) return { frame: plain, rows: [] }
  const end = begin[0].endsWith('/>')
    ? begin.index + begin[0].length
    : plain.indexOf('</sheetData>') + '</sheetData>'.length
  const frame = `${plain.slice(0, begin.index)}<sheetData/>${plain.slice(end)}`
  const rows: SourceRow[] = []
  for (const match of plain.slice(begin.index + begin[0].length, end).matchAll(ROW)) {
    const number = Number(attributesOf(match[1] ?? '').get('r') ?? (rows.at(-1)?.number ?? 0) + 1)
    rows.push({ number, source: match[0] })
  }
  return { frame, rows }
}

/** Index of the first row with this number or a higher one. */
export function firstAt(rows: readonly SourceRow[], number: number): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.number ?? 0) < number) low = middle + 1
    else high = middle
  }
  return low
}

/** Attributes of the row without `r` and `spans`, as they are written: ` ht="30" customHeight="1"`. */
export function rowAttributes({ source }: SourceRow): string {
  const attributes = /^<row(?![^\s/>])((?:[^>"]|"[^"]*")*?)\/?>/.exec(source)?.[1] ?? ''
  return without(attributes, ['r', 'spans'])
}

const without = (attributes: string, names: readonly string[]): string =>
  attributes.replace(/\s([\w:.-]+)="[^"]*"/g, (source, name) => (names.includes(name) ? '' : source)).trimEnd()

export function cellsOf({ source, number }: SourceRow): SourceCell[] {
  const cells: SourceCell[] = []
  const inner = source.slice(source.indexOf('>') + 1)
  if (source.endsWith('/>') && !source.includes('</row>')) return cells
  for (const [, written = '', content = ''] of inner.matchAll(CELL)) {
    const attributes = attributesOf(written)
    const reference = attributes.get('r')
    const column =
      reference === undefined ? (cells.at(-1)?.column ?? 0) + 1 : columnNumber(/^[A-Z]*/i.exec(reference)![0])
    const type = attributes.get('t') ?? 'n'
    cells.push({ column, row: number, attributes: without(written, ['r', 't']), type, inner: content })
  }
  return cells
}

/** The row in another place, its content unchanged. */
export const renumbered = ({ source, number }: SourceRow, target: number): string =>
  source
    .replace(/^(<row\b[^>]*?\sr=)"\d+"/, `$1"${target}"`)
    .replace(/(<c\b[^<>]*?\sr="[A-Za-z]+)(\d+)(?=")/g, (whole, before: string, row: string) =>
      Number(row) === number ? `${before}${target}` : whole,
    )

export interface CellFormula {
  /** Its tokens, read anew at each call: only few of the formulas of a large workbook are read at all. */
  readonly tokens: () => readonly Token[]
  /** Whether its text, or that of the formula that it shares, may hold a tag. */
  readonly mayHaveTag: boolean
  /** Attributes to keep, without those of shared formulas: ` t="array" ref="A1:A3"`. */
  readonly attributes: ReadonlyMap<string, string>
}

const FORMULA = /<f(?![^\s/>])((?:[^>"]|"[^"]*")*?)(?:\/>|>([^<]*)<\/f>)/
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()

interface SharedFormula {
  readonly text: string
  readonly cell: SourceCell
  tokens: readonly Token[] | null
}

/** The formulas of a sheet; cells that share one get their own references. */
export class Formulas {
  private readonly shared = new Map<string, SharedFormula>()

  /** Reads the formula of a cell; cells in the order of the sheet, as the first one of a shared formula holds the text. */
  of(cell: SourceCell): CellFormula | null {
    const match = FORMULA.exec(cell.inner)
    if (!match) return null
    const text = unescapeXml(match[2] ?? '')
    const own = { tokens: () => tokenize(text), mayHaveTag: text.includes('{{'), attributes: NO_ATTRIBUTES }
    if (!match[1]) return own
    const attributes = new Map(attributesOf(match[1]))
    if (attributes.get('t') !== 'shared') return { ...own, attributes }
    const index = attributes.get('si') ?? ''
    for (const name of ['t', 'si', 'ref']) attributes.delete(name)
    if (text !== '') {
      this.shared.set(index, { text, cell, tokens: null })
      return { ...own, attributes }
    }
    const master = this.shared.get(index)
    if (!master) return { ...own, attributes }
    const [rows, columns] = [cell.row - master.cell.row, cell.column - master.cell.column]
    return {
      tokens() {
        master.tokens ??= tokenize(master.text)
        return shiftTokens(master.tokens, rows, columns)
      },
      mayHaveTag: master.text.includes('{{'),
      attributes,
    }
  }
}

export interface StringItem {
  readonly text: string
  /** `<rPr>...</rPr>` of the first run of a rich text; '' for a plain one. */
  readonly properties: string
}

/** The strings that cells refer to by index. */
export function readSharedStrings(xml: string): StringItem[] {
  return Array.from(withoutPrefix(xml).matchAll(/<si(?![^\s/>])[^>]*?(?:\/>|>(.*?)<\/si>)/gs), ([, content = '']) =>
    readString(content),
  )
}

/** The content of `<si>` or `<is>`. */
export function readString(content: string): StringItem {
  const spoken = content.replace(/<rPh\b.*?<\/rPh>/gs, '')
  const texts = Array.from(spoken.matchAll(/<t(?![^\s/>])[^>]*?(?:\/>|>([^<]*)<\/t>)/g), ([, text = '']) =>
    unescapeXml(text),
  )
  const properties = /^\s*<r>\s*(<rPr>.*?<\/rPr>)/s.exec(spoken)?.[1] ?? ''
  return { text: unescapeString(texts.join('')), properties }
}

/** Strings of workbooks write control characters as `_x000D_`, and an underscore that would begin one as `_x005F_`. */
export const unescapeString = (text: string): string =>
  text.replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
export const escapeString = (text: string): string => text.replace(/_(?=x[0-9A-Fa-f]{4}_)/g, '_x005F_')
