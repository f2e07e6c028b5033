/** Workbooks of block reports (ECMA-376 part 1, SpreadsheetML): a sheet for each block, rows streamed into the archive. */

import type { Token, Tokens } from 'marked'
import { type DisplayColumn, displayOf } from '../display.ts'
import type { BlockReport } from '../entities/report.ts'
import type { Cell, Column, Row, Table, Warn } from '../types.ts'
import type { BlockContent, ContentOf } from './blocks.ts'
import type { ChartContent } from './charts/content.ts'
import { chartSvg, svgToPng } from './charts/index.ts'
import type { KpiItem } from './charts/kpi.ts'
import { type FontSet, reportCuts } from './fonts.ts'
import { markdownTokens, markOf, unescaped } from './markdown.ts'
import { cutChartText, cutText, totalRow } from './values.ts'
import { type CategoryCells, chartData, chartXml, isNative, pointRows } from './xlsx-charts.ts'
import { cellFormat, isBeyondExcel, type KnownFormats, negativeTimeFormat, numberFormat } from './xlsx-formats.ts'
import {
  bytesOf,
  escapeXml,
  lettersOf,
  packageParts,
  type SheetFacts,
  sheetNames,
  stylesXml,
  XML,
} from './xlsx-parts.ts'
import { writeZip, type ZipEntry } from './zip.ts'

export interface WorkbookRequest {
  readonly report: Pick<BlockReport, 'name' | 'page'>
  readonly blocks: readonly BlockContent[]
  readonly autofilter: boolean
  /** Date in the properties of the workbook; equal data gives equal bytes. */
  readonly lastReload: Date | null
  /** Path of the file to write. */
  readonly file: string
  readonly fonts: FontSet
  /** The language of numbers in charts. */
  readonly locale: string
  readonly warn: Warn
  readonly signal?: AbortSignal
}

/** The most that Excel can open. */
const MAX_ROWS = 1_048_576
const MAX_COLUMNS = 16_384
const MAX_TEXT = 32_767
const ROWS_FOR_WIDTHS = 200
const MIN_WIDTH = 8
const MAX_WIDTH = 60
const CHUNK = 1 << 16

type SheetBlock = Exclude<BlockContent, ContentOf<'pageBreak'>>

/** Writes the workbook and resolves with its size in bytes. Page breaks are left out. */
export async function writeWorkbook(request: WorkbookRequest): Promise<number> {
  const shown = request.blocks.filter((block): block is SheetBlock => block.type !== 'pageBreak')
  // A workbook without a sheet cannot be opened.
  const blocks: readonly SheetBlock[] =
    shown.length > 0 ? shown : [{ type: 'note', key: 'empty', title: request.report.name, text: '' }]
  const names = sheetNames(blocks.map(({ title, key }) => title || key))
  return writeZip(request.file, entries(request, blocks, names), { signal: request.signal })
}

async function* entries(
  request: WorkbookRequest,
  blocks: readonly SheetBlock[],
  names: readonly string[],
): AsyncGenerator<ZipEntry> {
  const cells = createCells(request.fonts)
  const sheets: SheetFacts[] = names.map((name) => ({ name, columns: 0, rows: 0, filter: false, drawing: 'none' }))
  for (const [index, block] of blocks.entries()) {
    if (block.type === 'chart') sheets[index]!.drawing = isNative(block.chart) ? 'chart' : 'picture'
  }
  const { first, last } = packageParts({ title: request.report.name, created: request.lastReload, sheets })
  yield* first()
  for (const [index, block] of blocks.entries()) {
    const facts = sheets[index]!
    const name = `xl/worksheets/sheet${index + 1}.xml`
    if (block.type === 'chart') {
      yield* facts.drawing === 'chart'
        ? chartParts(index + 1, block, facts.name)
        : pictureParts(index + 1, block, request)
      const data = facts.drawing === 'chart' ? chartTable(block.chart) : null
      yield { name, content: bytesOf(drawingSheet(request, block, data, cells)) }
    } else if (block.type === 'text')
      yield { name, content: bytesOf(textSheet(request, block, await textRows(block.markdown), cells)) }
    else if (block.type === 'note') yield { name, content: bytesOf(noteSheet(request, block, cells)) }
    else {
      const table = block.type === 'kpi' ? kpiTable(block.items) : sheetTable(block.table)
      yield { name, content: tableSheet(request, block.key, table, facts, cells) }
    }
    // The sheet has been written when the next entry is asked for.
    reportCuts(request.fonts, request.warn, block.key)
  }
  yield { name: 'xl/styles.xml', content: bytesOf(stylesXml(cells.formats)) }
  yield* last()
}

// --- Styles ---

/** Indexes into `cellXfs`, as `stylesXml` writes them; formats of numbers follow in pairs, plain and for totals. */
const STYLE = {
  plain: 0,
  header: 1,
  headerRight: 2,
  title: 3,
  wrapped: 4,
  totalText: 5,
  heading: 6,
  formats: 7,
} as const

/** Writes the cells of a workbook; keeps its number formats, and notes the texts that a cell has no room for. */
interface Cells {
  readonly formats: readonly string[]
  number(place: string, number: number, format: string, total: boolean): string
  text(place: string, text: string, style: number): string
}

function createCells(fonts: Pick<FontSet, 'noteCut'>): Cells {
  const formats: string[] = []
  return {
    formats,
    number(place, number, format, total) {
      let index = formats.indexOf(format)
      if (index < 0) index = formats.push(format) - 1
      return `<c r="${place}" s="${STYLE.formats + 2 * index + (total ? 1 : 0)}"><v>${number}</v></c>`
    },
    text(place, text, style) {
      if (text.length > MAX_TEXT) fonts.noteCut(text)
      const content = escapeXml(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text)
      const space = /^\s|\s$|\n/.test(content) ? ' xml:space="preserve"' : ''
      return `<c r="${place}"${style === STYLE.plain ? '' : ` s="${style}"`} t="inlineStr"><is><t${space}>${content}</t></is></c>`
    },
  }
}

// --- Sheets with rows ---

interface SheetTable {
  readonly columns: readonly Pick<Column, 'label' | 'type' | 'marks'>[]
  readonly rightAligned: readonly boolean[]
  readonly rows: number
  /** Rows that there are; more than `rows` when the table was cut. */
  readonly totalRows: number
  readonly totals: Row | null
  pages(): AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>
  /** The number format of a cell that is a number; null for a text. */
  format(index: number, cell: Cell, row: Row, known: KnownFormats): string | null
}

function sheetTable(table: Table): SheetTable {
  const { columns, rows, totalRows, totals } = table
  const patterns = columns.map(numberFormat)
  return {
    columns,
    rightAligned: columns.map(({ type }) => type !== 'text'),
    rows,
    totalRows,
    totals,
    pages: () => table.pages(),
    format: (index, cell, _row, known) => formatOf(cell, columns[index] ?? null, known, patterns[index]),
  }
}

function formatOf(
  cell: Cell,
  column: DisplayColumn,
  known: KnownFormats,
  pattern = column ? numberFormat(column) : 'General',
): string | null {
  const display = displayOf(cell, column)
  if (display.as === 'text' || pattern === null) return null
  if (!isBeyondExcel(display, column)) return cellFormat(display, pattern)
  const isDay = column?.type === 'date' || column?.type === 'timestamp'
  return isDay || cell.text === '' ? null : negativeTimeFormat(pattern, cell.text, known)
}

const CHANGE = '+0.0%;-0.0%;0.0%'

function kpiTable(items: readonly KpiItem[]): SheetTable {
  const compared = items.some(({ compare }) => compare !== null)
  const labels = compared ? ['Figure', 'Value', 'Comparison', 'Change'] : ['Figure', 'Value']
  const empty: Cell = { text: '', number: null }
  const rows = items.map(({ label, value, compare }): Row => {
    const change = compare?.change ?? null
    const cells = [{ text: label, number: null }, value]
    if (!compared) return cells
    return [
      ...cells,
      compare?.value ?? empty,
      { text: change === null ? '' : `${(change * 100).toFixed(1)} %`, number: change },
    ]
  })
  const columnOf = new Map(rows.map((row, index) => [row, items[index]!.column]))
  return {
    columns: labels.map((label, index) => ({ label, type: index === 0 ? 'text' : 'number' })),
    rightAligned: labels.map((_, index) => index > 0),
    rows: rows.length,
    totalRows: rows.length,
    totals: null,
    pages: () => [rows],
    format: (index, cell, row, known) => {
      if (index === 0) return null
      return index === 3 ? CHANGE : formatOf(cell, columnOf.get(row) ?? null, known)
    },
  }
}

async function* tableSheet(
  { report, autofilter, locale, warn, signal }: WorkbookRequest,
  key: string,
  table: SheetTable,
  facts: SheetFacts,
  cells: Cells,
): AsyncGenerator<Uint8Array> {
  const letters = table.columns.slice(0, MAX_COLUMNS).map((_, index) => lettersOf(index + 1))
  const below = (table.totals ? 1 : 0) + (table.totalRows > MAX_ROWS - 2 || table.totalRows > table.rows ? 1 : 0)
  const places = MAX_ROWS - 1 - below
  const size = { rows: Math.min(places, table.rows), totalRows: table.totalRows, columns: table.columns }
  if (table.rows > places) warn('ROWS_TRUNCATED', `${places} of ${table.rows} rows: a sheet has no more`, key)

  const pages = asyncIterator(table.pages())
  const sample: Row[] = []
  let page = await pages.next()
  const head: (readonly Row[])[] = []
  while (!page.done) {
    head.push(page.value)
    sample.push(...page.value.slice(0, ROWS_FOR_WIDTHS - sample.length))
    if (sample.length >= ROWS_FOR_WIDTHS) break
    page = await pages.next()
  }

  let text = `${sheetStart(true)}${colsXml(table, sample)}<sheetData>${headerRow(table, letters, cells)}`
  let number = 1
  const addRows = (rows: readonly Row[]) => {
    for (const row of rows) {
      if (number > places) return
      number += 1
      text += rowXml(row, number, table, letters, cells, false)
    }
  }
  const drained = function* (): Generator<Uint8Array> {
    if (text.length < CHUNK) return
    yield bytesOf(text)
    text = ''
  }
  for (const rows of head) {
    for (let at = 0; at < rows.length; at += 100) {
      addRows(rows.slice(at, at + 100))
      yield* drained()
    }
  }
  for (page = await pages.next(); !page.done && number <= places; page = await pages.next()) {
    signal?.throwIfAborted()
    addRows(page.value)
    yield* drained()
  }
  await pages.return?.()
  facts.columns = letters.length
  facts.rows = number
  facts.filter = autofilter && letters.length > 0
  let last = number
  if (table.totals) {
    last += 1
    text += rowXml(totalRow(table.totals, size, locale), last, table, letters, cells, true)
  }
  const cut = cutText(size, locale, table.totals)
  if (cut !== null) text += `<row r="${last + 1}">${cells.text(`A${last + 1}`, cut, STYLE.plain)}</row>`
  const range = `A1:${letters.at(-1) ?? 'A'}${number}`
  yield bytesOf(
    `${text}</sheetData>${facts.filter ? `<autoFilter ref="${range}"/>` : ''}${sheetEnd(report)}</worksheet>`,
  )
}

function asyncIterator<T>(values: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> {
  if (Symbol.asyncIterator in values) return values[Symbol.asyncIterator]()
  const iterator = values[Symbol.iterator]()
  return { next: async () => iterator.next(), return: async () => ({ done: true, value: undefined }) }
}

function headerRow({ columns, rightAligned }: SheetTable, letters: readonly string[], cells: Cells, row = 1): string {
  const labels = letters.map((letter, index) =>
    cells.text(`${letter}${row}`, columns[index]!.label, rightAligned[index] ? STYLE.headerRight : STYLE.header),
  )
  // Cells beside those of a table below a chart keep their look.
  return `<row r="${row}"${row === 1 ? ` s="${STYLE.header}" customFormat="1"` : ''}>${labels.join('')}</row>`
}

function rowXml(
  row: Row,
  number: number,
  table: SheetTable,
  letters: readonly string[],
  cells: Cells,
  total: boolean,
): string {
  let written = ''
  for (let index = 0; index < letters.length; index += 1) {
    const cell = row[index]
    if (!cell) continue
    const place = `${letters[index]}${number}`
    const format = cell.number === null ? null : table.format(index, cell, row, cells.formats)
    if (format !== null && cell.number !== null) written += cells.number(place, cell.number, format, total)
    else if (cell.text !== '') written += cells.text(place, cell.text, total ? STYLE.totalText : STYLE.plain)
    else if (total) written += `<c r="${place}" s="${STYLE.totalText}"/>`
  }
  return `<row r="${number}">${written}</row>`
}

/** Widths in characters, of the first rows as Qlik shows them; wide characters count twice. */
function colsXml({ columns, totals, format }: SheetTable, sample: readonly Row[]): string {
  if (columns.length === 0) return ''
  const cols = columns.slice(0, MAX_COLUMNS).map(({ label }, index) => {
    // The button of the filter covers the end of a label.
    let widest = textWidth(label) + 3
    for (const row of totals ? [...sample, totals] : sample) {
      const cell = row[index]
      if (!cell) continue
      const width = textWidth(cell.text)
      // The format may add separators that Qlik's text lacks.
      const grouped = cell.number !== null && format(index, cell, row, [])?.includes(',')
      widest = Math.max(widest, grouped ? width + Math.floor(width / 3) : width)
    }
    const width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, widest + 1.7))
    return `<col min="${index + 1}" max="${index + 1}" width="${width.toFixed(1)}" customWidth="1"/>`
  })
  return `<cols>${cols.join('')}</cols>`
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/gu
const textWidth = (text: string): number => {
  const line = text.length > 200 ? text.slice(0, 200) : text
  return line.length + (line.match(WIDE)?.length ?? 0)
}

// --- Parts of all sheets ---

const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

function sheetStart(table: boolean): string {
  const view = table
    ? '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView>'
    : '<sheetView showGridLines="0" workbookViewId="0"/>'
  return `${XML}<worksheet xmlns="${MAIN}" xmlns:r="${RELATIONS}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews>${view}</sheetViews><sheetFormatPr defaultRowHeight="15"/>`
}

const PAPER = { A4: 9, A3: 8, Letter: 1 } as const

function sheetEnd({ page }: WorkbookRequest['report']): string {
  const inches = (page.marginMm / 25.4).toFixed(2)
  return `<pageMargins left="${inches}" right="${inches}" top="${inches}" bottom="0.75" header="0.3" footer="0.3"/><pageSetup paperSize="${PAPER[page.size]}" orientation="${page.orientation}" fitToHeight="0"/><headerFooter><oddFooter>&amp;L&amp;A&amp;R&amp;P / &amp;N</oddFooter></headerFooter>`
}

const titleRow = (title: string, cells: Cells): string =>
  `<row r="1" ht="24" customHeight="1">${cells.text('A1', title, STYLE.title)}</row>`

function noteSheet({ report }: WorkbookRequest, { title, text }: ContentOf<'note'>, cells: Cells): string {
  const rows = `${titleRow(title, cells)}<row r="3">${cells.text('A3', text, STYLE.wrapped)}</row>`
  return `${sheetStart(false)}<cols><col min="1" max="1" width="90" customWidth="1"/></cols><sheetData>${rows}</sheetData>${sheetEnd(report)}</worksheet>`
}

/** Lines of a text block: a heading, or cells that stand side by side. */
interface TextRow {
  readonly texts: readonly string[]
  readonly isHeading: boolean
}

/** The lines of Markdown as plain text; tables keep their columns. */
async function textRows(markdown: string): Promise<readonly TextRow[]> {
  const lineOf = (text: string, isHeading = false): TextRow => ({ texts: [text], isHeading })
  const rowsOf = (tokens: readonly Token[], indent = ''): TextRow[] =>
    tokens.flatMap((token): TextRow[] => {
      if (token.type === 'space' || token.type === 'hr') return [lineOf('')]
      if (token.type === 'heading') return [lineOf(plainText(token), true)]
      if (token.type === 'table') {
        const { header, rows } = token as Tokens.Table
        return [header, ...rows].map((cells, index) => ({ texts: cells.map(plainText), isHeading: index === 0 }))
      }
      if (token.type === 'list') {
        const { items, ordered, start } = token as Tokens.List
        return items.flatMap((item, index) => {
          const content = item.tokens.filter(({ type }) => type !== 'checkbox')
          const [first, ...others] = rowsOf(content, `${indent}    `)
          const mark = markOf(item, ordered ? `${Number(start || 1) + index}.` : '•')
          return [lineOf(`${indent}${mark} ${first?.texts.join(' ').trimStart() ?? ''}`), ...others]
        })
      }
      if (token.type === 'blockquote') return rowsOf((token as Tokens.Blockquote).tokens, `${indent}    `)
      return plainText(token)
        .split('\n')
        .map((line) => lineOf(`${indent}${line}`))
    })
  return rowsOf(await markdownTokens(markdown))
}

/** The text of a token without its marks; a picture is its alternative text. */
function plainText(token: Token | Tokens.TableCell): string {
  const {
    tokens,
    text = '',
    raw = '',
    type,
  } = token as { tokens?: Token[]; text?: string; raw?: string; type?: string }
  if (type === 'br') return '\n'
  if (type === 'checkbox') return ''
  if (tokens) return tokens.map(plainText).join('')
  return type === 'text' ? unescaped(text) : text || raw
}

function textSheet(
  { report }: WorkbookRequest,
  { title }: ContentOf<'text'>,
  lines: readonly TextRow[],
  cells: Cells,
): string {
  const first = title === '' ? 1 : 3
  const rows = lines.map(({ texts, isHeading }, index) => {
    const number = first + index
    const style = isHeading ? STYLE.heading : STYLE.wrapped
    const written = texts.map((text, at) =>
      text === '' ? '' : cells.text(`${lettersOf(at + 1)}${number}`, text, style),
    )
    return `<row r="${number}">${written.join('')}</row>`
  })
  const isWide = lines.every(({ texts }) => texts.length === 1)
  const head = title === '' ? '' : titleRow(title, cells)
  return `${sheetStart(false)}<cols><col min="1" max="1" width="${isWide ? 90 : 40}" customWidth="1"/></cols><sheetData>${head}${rows.join('')}</sheetData>${sheetEnd(report)}</worksheet>`
}

/** The numbers of a native chart as a table below it. */
function chartTable(content: ChartContent): SheetTable {
  if (content.kind === 'scatter') return pointTable(content)
  const { categories, series } = chartData(content)
  const { format, numbers } = categoryCells(content)
  const rows = categories.map(
    (name, at): Row => [
      { text: name, number: numbers[at] ?? null },
      ...series.map(({ cells }) => cells[at] ?? { text: '', number: null }),
    ],
  )
  return {
    columns: [
      { label: content.dimensions[0]?.label ?? '', type: 'text' },
      ...series.map(({ name, column }) => ({ label: name, type: column.type })),
    ],
    rightAligned: [format !== null, ...series.map(() => true)],
    rows: rows.length,
    totalRows: rows.length,
    totals: null,
    pages: () => [rows],
    format: (index, cell, _row, known) =>
      index === 0 ? format : formatOf(cell, series[index - 1]?.column ?? null, known),
  }
}

/**
 * Categories are numbers in one format, as an axis has one: General where it shows all of them, else the most frequent. The others are
 * texts, and so are negative times, which Excel shows at no axis.
 */
function categoryCells(content: ChartContent): CategoryCells {
  const { values } = chartData(content)
  const [column = null] = content.dimensions
  const formats = values.map((cell) =>
    cell && !isBeyondExcel(displayOf(cell, column), column) ? formatOf(cell, column, []) : null,
  )
  const groups = [...Map.groupBy(formats, (format) => format)].filter(([format]) => format !== null)
  const isPlain = values.every((cell, at) => formats[at] === null || isBareNumber(cell!))
  const [[format] = [null]] = groups.sort(([, one], [, other]) => other.length - one.length)
  const isGeneral = groups.length > 1 && isPlain
  const isShown = (at: number) => formats[at] !== null && (isGeneral || formats[at] === format)
  return {
    format: isGeneral ? 'General' : format,
    numbers: values.map((cell, at) => (isShown(at) ? (cell?.number ?? null) : null)),
  }
}

const isBareNumber = ({ text, number }: Cell): boolean => text.replace(',', '.') === String(number)

function pointTable(content: ChartContent): SheetTable {
  const { dimensions, measures } = content
  const columns = [...dimensions, ...measures]
  const rows = pointRows(content)
  const isMeasure = (index: number) => index >= dimensions.length
  return {
    columns,
    rightAligned: columns.map((_, index) => isMeasure(index)),
    rows: rows.length,
    totalRows: rows.length,
    totals: null,
    pages: () => [rows],
    format: (index, cell, _row, known) => formatOf(cell, columns[index] ?? null, known),
  }
}

/** The number formats of the series, or of the measures of a scatter chart. */
function chartFormats(content: ChartContent): string[] {
  const first = content.dimensions.length
  const series =
    content.kind === 'scatter'
      ? content.measures.map((column, at) => ({ column, cells: content.rows.map((row) => row[first + at] ?? null) }))
      : chartData(content).series
  return series.map(({ cells, column }) => {
    // The text of one negative time is no format for an axis.
    const shown = cells.values().filter((cell) => cell && !isBeyondExcel(displayOf(cell, column), column))
    const formats = shown.map((cell) => cell && formatOf(cell, column, []))
    return formats.find((format) => typeof format === 'string') ?? 'General'
  })
}

const ROW_PIXELS = 20
/** The row of the header of the table below a chart, which begins in row 3. */
const dataRow = ({ heightMm }: ContentOf<'chart'>): number => 4 + Math.ceil((heightMm * PIXELS_PER_MM) / ROW_PIXELS)

function drawingSheet(
  { report, locale }: WorkbookRequest,
  block: ContentOf<'chart'>,
  table: SheetTable | null,
  cells: Cells,
): string {
  let rows = titleRow(block.title, cells)
  const note = cutChartText(block.chart, locale)
  if (table) {
    if (note !== null) rows += `<row r="2">${cells.text('A2', note, STYLE.plain)}</row>`
    const [data] = [...(table.pages() as Iterable<readonly Row[]>)]
    const letters = table.columns.map((_, index) => lettersOf(index + 1))
    const head = dataRow(block)
    rows += headerRow(table, letters, cells, head)
    rows += (data ?? []).map((row, at) => rowXml(row, head + 1 + at, table, letters, cells, false)).join('')
    const widths = colsXml(table, data?.slice(0, ROWS_FOR_WIDTHS) ?? [])
    return `${sheetStart(false)}${widths}<sheetData>${rows}</sheetData>${sheetEnd(report)}<drawing r:id="rId1"/></worksheet>`
  }
  return `${sheetStart(false)}<sheetData>${rows}</sheetData>${sheetEnd(report)}<drawing r:id="rId1"/></worksheet>`
}

const EMU_PER_PIXEL = 9525
const PICTURE_WIDTH = 800
const PIXELS_PER_MM = 96 / 25.4

const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006'

/** The drawing of a sheet with one chart or picture below its title. `object` may refer to `rId1`. */
function drawingXml(height: number, object: string): Uint8Array {
  const size = `cx="${PICTURE_WIDTH * EMU_PER_PIXEL}" cy="${height * EMU_PER_PIXEL}"`
  return bytesOf(
    `${XML}<xdr:wsDr xmlns:xdr="${DRAWING}/spreadsheetDrawing" xmlns:a="${DRAWING}/main" xmlns:r="${RELATIONS}"><xdr:oneCellAnchor><xdr:from><xdr:col>0</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>2</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext ${size}/>${object}<xdr:clientData/></xdr:oneCellAnchor></xdr:wsDr>`,
  )
}

const pixelsOf = ({ heightMm }: ContentOf<'chart'>): number => Math.round(heightMm * PIXELS_PER_MM)
const propertiesOf = (id: number, { title, key }: ContentOf<'chart'>): string =>
  `<xdr:cNvPr id="${id}" name="${escapeXml(key)}" descr="${escapeXml(title || key)}"/>`

function* chartParts(number: number, block: ContentOf<'chart'>, sheet: string): Generator<ZipEntry> {
  yield {
    name: `xl/drawings/drawing${number}.xml`,
    content: drawingXml(
      pixelsOf(block),
      `<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr>${propertiesOf(2, block)}<xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic><a:graphicData uri="${DRAWING}/chart"><c:chart xmlns:c="${DRAWING}/chart" r:id="rId1"/></a:graphicData></a:graphic></xdr:graphicFrame>`,
    ),
  }
  const place = {
    sheet,
    row: dataRow(block),
    formats: chartFormats(block.chart),
    categories: categoryCells(block.chart),
  }
  yield { name: `xl/charts/chart${number}.xml`, content: bytesOf(chartXml(block.chart, place)) }
}

async function* pictureParts(
  number: number,
  block: ContentOf<'chart'>,
  { fonts, locale }: WorkbookRequest,
): AsyncGenerator<ZipEntry> {
  const height = pixelsOf(block)
  const svg = await chartSvg(block.chart, { width: PICTURE_WIDTH, height, idPrefix: block.key, locale, fonts })
  const size = `cx="${PICTURE_WIDTH * EMU_PER_PIXEL}" cy="${height * EMU_PER_PIXEL}"`
  yield { name: `xl/media/image${number}.png`, content: await svgToPng(svg, 2, fonts) }
  yield {
    name: `xl/drawings/drawing${number}.xml`,
    content: drawingXml(
      height,
      `<xdr:pic><xdr:nvPicPr>${propertiesOf(1, block)}<xdr:cNvPicPr><a:picLocks noChangeAspect="1"/></xdr:cNvPicPr></xdr:nvPicPr><xdr:blipFill><a:blip r:embed="rId1"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext ${size}/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic>`,
    ),
  }
}
