/** Writes the rows of a filled sheet, one after the other, so that a sheet of any length needs little memory. */
import { ReportError } from '../../codes.ts'
import { sampledColumn } from '../../data/columns.ts'
import { type Display, type DisplayColumn, displayOf } from '../../display.ts'
import {
  cellFormat,
  FIRST_DATE,
  isBeyondExcel,
  negativeTimeFormat,
  numberFormat,
} from '../../documents/xlsx-formats.ts'
import { DAYS_BETWEEN_1900_AND_1904, writeSerial } from '../../serials.ts'
import type { Cell, Column, Warn } from '../../types.ts'
import { createFormatter, parseFormat, type Value } from '../formats.ts'
import type { Scope } from '../scope.ts'
import type { TextTag } from '../tags.ts'
import { escapeAttribute, escapeXml } from '../xml.ts'
import { columnLetters, MAX_ROW, type Token } from './formula.ts'
import { areWithin, type Block, type Columns, type Iterations, type Layout, NO_ITERATIONS } from './layout.ts'
import { formatArea, growArea, type Moves, readArea, type SheetPlace } from './moves.ts'
import { hasValue, type PlanBlock, type PlanCell, placeKey, type SheetPlan, soleTag, type TextPiece } from './plan.ts'
import { type CellFormula, escapeString, firstAt, renumbered, rowAttributes, type SourceRow } from './sheet.ts'
import type { CellKind, Styles } from './styles.ts'

const CHUNK = 65_536
/** Characters of a cell. */
const MAX_TEXT = 32_767

interface RowsRequest {
  readonly plan: SheetPlan
  readonly place: SheetPlace & { readonly layout: Layout<PlanBlock> }
  readonly scope: Scope
  readonly moves: Moves
  readonly styles: Styles
  /** The workbook counts days from 1904. */
  readonly isFrom1904: boolean
  /** Texts of the header cells of tables of Excel, by `placeKey`: Excel wants texts, no numbers. */
  readonly headers: ReadonlyMap<string, string>
  readonly warn: Warn
}

/** The content of `<sheetData>`, in pieces. Cached results of formulas are left out. */
export async function* writeRows(request: RowsRequest): AsyncGenerator<string> {
  const { plan, place, scope } = request
  const { blocks, bands } = place.layout
  const written = bands.map((band) =>
    rowsBetween(
      { ...request, band, looped: new Map(), texts: new Set() },
      blocks,
      1,
      MAX_ROW,
      plan.source.rows,
      scope,
      NO_ITERATIONS,
      [],
    ),
  )
  let chunk = ''
  for await (const row of sideBySide(written)) {
    chunk += row.copied ?? `<row r="${row.number}"${row.attributes}>${row.cells}</row>`
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = ''
  }
  if (chunk) yield chunk
}

/** The cells of a row in columns that move together. */
interface BandRow {
  readonly number: number
  readonly attributes: string
  readonly cells: string
  /** The whole row where it is copied. */
  readonly copied?: string
}

/** A request for the rows of columns that move together. */
interface BandRequest extends RowsRequest {
  readonly band: Columns
  /** Tokens of the formulas in loops. */
  readonly looped: Map<CellFormula, readonly Token[]>
  /** Cells of loops whose numbers were written as texts, which is said once. */
  readonly texts: Set<PlanCell>
}

/** Puts the rows of all bands together by their numbers. */
async function* sideBySide(bands: readonly AsyncGenerator<BandRow>[]): AsyncGenerator<BandRow> {
  const [only, ...others] = bands
  if (only && others.length === 0) return yield* only
  const heads: (BandRow | null)[] = []
  const advance = async (index: number) => {
    const { value, done } = (await bands[index]?.next()) ?? { done: true }
    heads[index] = done ? null : value
  }
  for (const index of bands.keys()) await advance(index)
  for (;;) {
    const number = Math.min(...heads.map((head) => head?.number ?? Number.POSITIVE_INFINITY))
    if (number === Number.POSITIVE_INFINITY) return
    const row = joined(heads.flatMap((head) => (head?.number === number ? [head] : [])))
    if (row.cells !== '' || row.attributes !== '') yield row
    for (const [index, head] of heads.entries()) if (head?.number === number) await advance(index)
  }
}

/** One row of bands whose rows of the template differ: as high as the highest of them, and hidden when all of them are. */
function joined(rows: readonly BandRow[]): BandRow {
  const withCells = rows.filter(({ cells }) => cells !== '')
  const [first, ...others] = withCells.length > 0 ? withCells : rows
  if (!first) throw new RangeError('a row has no cells of any band')
  const highest = others.reduce((high, row) => (heightOf(row) > heightOf(high) ? row : high), first)
  const attributes = [first, ...others].every(isHidden) ? highest.attributes : withoutHidden(highest.attributes)
  return { number: first.number, attributes, cells: rows.map(({ cells }) => cells).join('') }
}

/** Points of a row without a height of its own. */
const USUAL_HEIGHT = 15
const heightOf = ({ attributes }: BandRow): number => Number(/\sht="([^"]*)"/.exec(attributes)?.[1] ?? USUAL_HEIGHT)
const HIDDEN = /\shidden="([^"]*)"/
const isHidden = ({ attributes }: BandRow): boolean => /^(1|true)$/.test(HIDDEN.exec(attributes)?.[1] ?? '')
const withoutHidden = (attributes: string): string => attributes.replace(HIDDEN, '')

async function* rowsBetween(
  request: BandRequest,
  blocks: readonly Block<PlanBlock>[],
  first: number,
  last: number,
  rows: readonly SourceRow[],
  scope: Scope,
  within: Iterations,
  cleared: readonly Columns[],
): AsyncGenerator<BandRow> {
  const pending = blocks.filter((block) => areWithin(request.band, block))
  for (let index = firstAt(rows, first); index < rows.length; index++) {
    const row = rows[index]
    if (!row || row.number > last) break
    const block = pending[0]
    if (block && row.number >= block.first) {
      pending.shift()
      yield* writeBlock(request, block, rows, scope, within, cleared)
      index = firstAt(rows, block.last + 1) - 1
    } else yield await writeRow(request, row, scope, within, cleared)
  }
}

async function* writeBlock(
  request: BandRequest,
  block: Block<PlanBlock>,
  rows: readonly SourceRow[],
  scope: Scope,
  within: Iterations,
  cleared: readonly Columns[],
): AsyncGenerator<BandRow> {
  const { open, loop, covers } = block.range
  const write = (inner: Scope, index: number, without: readonly Columns[]) =>
    rowsBetween(
      request,
      block.children,
      block.first,
      block.last,
      rows,
      inner,
      new Map([...within, [block, index]]),
      without,
    )
  if (!loop) {
    // A condition keeps its rows, so that references to them stay valid: its cells are empty when it is not met.
    yield* write(scope, 0, (await scope.repeatCount(open)) === 0 ? [...cleared, covers] : cleared)
    return
  }
  if (block.collapsed) {
    const row = rows[firstAt(rows, block.first)]
    const isEmpty = within.size === 0 ? () => true : isPartOf(block.range, scope)
    if (row && row.number <= block.last) yield await writeRow(request, row, scope, within, cleared, isEmpty)
    return
  }
  let index = 0
  if (cleared.some((columns) => areWithin(covers, columns))) {
    while (index < block.count) yield* write(scope, index++, cleared)
  } else {
    for await (const inner of scope.repeat(open)) {
      if (index < block.count) yield* write(inner, index, cleared)
      index++
    }
  }
  if (index !== block.count) {
    throw new ReportError(
      'TEMPLATE_DATA_FAILED',
      `${open.source}: ${index} rows were read, ${block.count} were announced`,
    )
  }
}

const HAS_CELLS = /<(?:\w+:)?c[\s/>]/

/** Whether a cell is one of the loop; the others of its row are those of the loop around it, which `scope` has the values of. */
const isPartOf =
  ({ covers, claimed, touching }: PlanBlock, scope: Scope) =>
  ({ column, content }: PlanCell): boolean => {
    if ((covers.left <= column && column <= covers.right) || touching.includes(column)) return true
    return claimed.has(column) && !(content.kind === 'text' && content.pieces.every((piece) => isKnown(piece, scope)))
  }

const isKnown = (piece: TextPiece, { names }: Scope): boolean =>
  typeof piece === 'string' || !('kind' in piece) || piece.kind !== 'value' || hasValue(piece, names)

/**
 * @param cleared columns of conditions that are not met; a row with nothing else is hidden
 * @param isEmpty the cells of a loop without rows
 */
async function writeRow(
  request: BandRequest,
  row: SourceRow,
  scope: Scope,
  within: Iterations,
  cleared: readonly Columns[],
  isEmpty: (cell: PlanCell) => boolean = () => false,
): Promise<BandRow> {
  const { band } = request
  const number = request.place.layout.rowOf(row.number, band, 'first', within)
  if (number > MAX_ROW) {
    // The height of an empty row at the very end of the sheet.
    if (!HAS_CELLS.test(row.source)) return { number, attributes: '', cells: '', copied: '' }
    throw new ReportError('TEMPLATE_TOO_LARGE', `${request.place.name}: more than ${MAX_ROW} rows`)
  }
  const cells = request.plan.cells.get(row.number)
  const attributes = rowAttributes(row)
  if (!cells) {
    return { number, attributes, cells: '', copied: number === row.number ? row.source : renumbered(row, number) }
  }
  let written = ''
  let hasContent = false
  for (const cell of cells) {
    if (cell.column < band.left || band.right < cell.column) continue
    const reference = `${columnLetters(cell.column)}${number}`
    const isCleared = cleared.some(({ left, right }) => left <= cell.column && cell.column <= right)
    if (!isCleared) hasContent ||= cell.content.kind !== 'static' || cell.inner !== ''
    written +=
      isCleared || isEmpty(cell) ? emptyCell(cell, reference) : await writeCell(request, cell, reference, scope, within)
  }
  // A row whose cells are all in other bands has its height and format there.
  if (written === '' && cells.length > 0) return { number, attributes: '', cells: '' }
  return {
    number,
    attributes: cleared.length > 0 && !hasContent ? `${withoutHidden(attributes)} hidden="1"` : attributes,
    cells: written,
  }
}

/** Without what belongs to a value: metadata of rich values. */
const styleOf = ({ attributes }: PlanCell): string => attributes.replace(/\s(vm|cm)="[^"]*"/g, '')
const emptyCell = (cell: PlanCell, reference: string): string => `<c r="${reference}"${styleOf(cell)}/>`

async function writeCell(
  request: BandRequest,
  cell: PlanCell,
  reference: string,
  scope: Scope,
  within: Iterations,
): Promise<string> {
  const { content } = cell
  if (content.kind === 'static') {
    const type = cell.type === 'n' ? '' : ` t="${cell.type}"`
    return `<c r="${reference}"${cell.attributes}${type}>${cell.inner}</c>`
  }
  if (content.kind === 'formula') {
    const { layout } = request.place
    const text = request.moves.formula(tokensOf(content.formula, within, request), request.place, {
      within,
      cell,
    })
    const attributes = Array.from(content.formula.attributes, ([name, value]) => {
      const area = /^(ref|r1|r2)$/.test(name) ? readArea(value) : null
      return ` ${name}="${escapeAttribute(area ? formatArea(growArea(area, layout, within)) : value)}"`
    })
    return `<c r="${reference}"${cell.attributes}><f${attributes.join('')}>${escapeXml(text)}</f></c>`
  }
  const header = request.headers.get(placeKey(cell))
  if (header !== undefined) return textCell(request, cell, reference, header, content.properties)
  const sole = soleTag(content.pieces)
  if (sole && !isFormatted(sole, scope))
    return valueCell(request, cell, reference, await scope.value(sole), within.size > 0)
  return textCell(request, cell, reference, await renderText(content.pieces, scope), content.properties)
}

/** Tokens of formulas in loops are kept, as they are written again and again. */
function tokensOf(formula: CellFormula, within: Iterations, { looped }: BandRequest): readonly Token[] {
  if (within.size === 0) return formula.tokens()
  const tokens = looped.get(formula) ?? formula.tokens()
  looped.set(formula, tokens)
  return tokens
}

const isFormatted = (tag: TextTag, scope: Scope): boolean =>
  tag.kind === 'value' && (tag.format !== null || scope.names.value(tag.path).asText)

/** The text of pieces: tags replaced, conditions decided. `adapt` is applied to the values of tags. */
export async function renderText(
  pieces: readonly TextPiece[],
  scope: Scope,
  adapt: (value: string) => string = (value) => value,
): Promise<string> {
  let text = ''
  for (const piece of pieces) {
    if (typeof piece === 'string') text += piece
    else if ('kind' in piece) text += adapt(await scope.text(piece))
    else if ((await scope.repeatCount(piece.open)) > 0) text += await renderText(piece.content, scope, adapt)
  }
  return text
}

function valueCell(
  request: BandRequest,
  cell: PlanCell,
  reference: string,
  { cell: value, column: own }: Value,
  isLooped: boolean,
): string {
  const { styles, isFrom1904 } = request
  const column = own ?? sampledColumn('measure', '', [value])
  // Duals such as the month Jan and codes such as 007 have a number too; as text they show what Qlik shows.
  const display = displayOf(value, column)
  const style = styleOf(cell)
  const kind = styles.kind(style)
  const asText = () => {
    const isFigure = own?.kind === 'measure' || kind !== 'general'
    if (isLooped && kind !== 'text' && own && isFigure && value.number !== null)
      warnOfText(request, cell, reference, value.text, own.kind)
    return textCell(request, cell, reference, value.text, '')
  }
  const serial = display.as === 'text' ? (dayOf(value, kind) ?? plainNumberOf(value, kind)) : display.number
  if (serial === null) return asText()
  const isDate = dayOf(value, kind) !== null || column.type === 'date' || column.type === 'timestamp'
  const isNegative = isBeyondExcel(display, column)
  const number = serial - (isFrom1904 && isDate ? DAYS_BETWEEN_1900_AND_1904 : 0)
  if (isDate && (number < 0 || isNegative)) return asText()
  // A cell for texts would show the number of a day.
  if (display.as === 'time' && kind === 'text') return asText()
  const asNumber = (attributes: string) => `<c r="${reference}"${attributes}><v>${number}</v></c>`
  const pattern = numberFormat(column)
  if (isNegative && !isFrom1904 && kind !== 'number' && pattern !== null) {
    return asNumber(styles.formatted(style, negativeTimeFormat(pattern, value.text, styles.added)))
  }
  if (display.as === 'locale' || kind !== 'general') return asNumber(style)
  const format = exactFormat(value, column, display, pattern)
  if (format === null) return asText()
  return asNumber(format === 'General' ? style : styles.formatted(style, format))
}

/** Formulas over a column would be wrong by what such a cell has. */
function warnOfText(
  { texts, place, warn }: BandRequest,
  cell: PlanCell,
  reference: string,
  text: string,
  kind: Column['kind'],
): void {
  if (texts.has(cell)) return
  texts.add(cell)
  const what = `${place.name}!${reference}: ${JSON.stringify(text)} of a ${kind} stays a text`
  const remedy =
    kind === 'measure'
      ? 'give the measure a number format in the app'
      : 'take a measure such as Only(field), or format the cell as text'
  warn('TEMPLATE_REFERENCE', `${what}, which formulas leave out; ${remedy}`)
}

/** The day of a dual with a text of its own, such as `Jan 2024`, for a cell that the author formats as a date. */
const dayOf = ({ number }: Cell, kind: CellKind): number | null =>
  kind === 'date' && number !== null && number >= FIRST_DATE ? number : null

/** The number of a field that has texts, too, where it is its text, for a cell that the author formats as a number. */
const plainNumberOf = ({ text, number }: Cell, kind: CellKind): number | null =>
  kind === 'number' && text === String(number) ? number : null

/** The number format that shows Qlik's text; null when Excel has none. */
function exactFormat(
  cell: Cell,
  column: NonNullable<DisplayColumn>,
  display: Display,
  pattern: string | null,
): string | null {
  if (display.as === 'text' || pattern === null) return null
  const format = cellFormat(display, pattern)
  if (display.as === 'written' || display.as === 'dash' || display.as === 'locale') return format
  if (display.as === 'time') return isPlainDate(cell, column) || isDuration(cell, column) ? format : null
  if (showsText(cell, format)) return format
  // Excel has no pattern such as `0.0A`, but a format for the text that Qlik wrote by it: 1.2M.
  // The column explains the letters of a dimension: EUR -5.
  const bare = { ...column, kind: 'measure', format: null } as const
  return exactFormat(cell, bare, displayOf({ ...cell, isFormatted: true }, bare), 'General')
}

/** Excel cannot count the days of `1 12:30`, so the hours go on beyond 24. */
const isDuration = ({ text }: Cell, { type }: Pick<Column, 'type'>): boolean =>
  type === 'interval' && !/\p{L}/u.test(text)

/** Names of months are in the language of the reader, and other parts of a date may be missing in Excel. */
function isPlainDate({ number, text }: Cell, { type, format }: Pick<Column, 'type' | 'format'>): boolean {
  if (number === null || format === null || /M{3}/.test(format)) return false
  return writeSerial(number, format, type) === text
}

const formatter = createFormatter('en')
/** Separators differ from reader to reader; the quotes around a unit of a pattern may stand in the text of Qlik, too. */
const withoutMarks = (text: string): string => text.replaceAll(/[.,'’"\s]/g, '').replaceAll('−', '-')

/** Whether a number format shows the text of the value. */
function showsText(cell: Value['cell'], format: string): boolean {
  if (format === 'General' || cell.text === '') return true
  const parsed = parseFormat(format)
  if (typeof parsed === 'string') return false
  const shown = formatter.text({ cell: { text: '', number: cell.number }, column: null }, parsed)
  return withoutMarks(shown) === withoutMarks(cell.text)
}

function textCell(request: RowsRequest, cell: PlanCell, reference: string, text: string, properties: string): string {
  if (text === '') return emptyCell(cell, reference)
  const lines = text.replace(/\r\n?/g, '\n')
  const isCut = lines.length > MAX_TEXT
  if (isCut) {
    const { name } = request.place
    request.warn(
      'TEXT_TRUNCATED',
      `${name}!${reference}: a cell has room for ${MAX_TEXT} of ${lines.length} characters`,
    )
  }
  const cut = isCut ? `${lines.slice(0, MAX_TEXT - 1)}…` : lines
  const attributes = cut.includes('\n') ? request.styles.wrapped(styleOf(cell)) : styleOf(cell)
  const element = `<t xml:space="preserve">${escapeXml(escapeString(cut))}</t>`
  const content = properties ? `<r>${properties}${element}</r>` : element
  return `<c r="${reference}"${attributes} t="inlineStr"><is>${content}</is></c>`
}
