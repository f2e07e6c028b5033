/** Tables of a PDF: widths of columns, page breaks with a repeated header, parts of tables that are too wide for a page. */
import { createDisplayText } from '../display.ts'
import type { Cell, Column, Row, Table } from '../types.ts'
import { COLOR, ellipsis, type Pages, type TextStyle, wrap } from './pdf-page.ts'
import { cutText, totalRow } from './values.ts'

interface TableText {
  readonly title: string
  readonly locale: string
  /** The label or texts of a column end with an ellipsis. */
  readonly onCut: (details: string) => void
}

const SIZES = [8.5, 8, 7.5, 7, 6.5, 6]
const SAMPLE_ROWS = 300
/** In tables with many columns, where long texts would make rows of a few words each. */
const MAX_LINES = 3
const FEW_COLUMNS = 6
const MAX_HEADER_LINES = 3
/** The part of a page that the text of one column asks for before it wraps. */
const MAX_SHARE = 0.35
const MAX_STRETCH = 1.8

/** Above a part: which columns it has. */
const CAPTION_HEIGHT = 12
const PART_GAP = 10

interface LaidColumn {
  readonly index: number
  readonly column: Column
  readonly right: boolean
  width: number
  /** Lines of the label; empty until the width is settled. */
  readonly head: readonly string[]
}

/** Texts that were cut, by their column. */
type Cuts = Map<Column, number>

interface Layout {
  readonly size: number
  readonly padding: number
  readonly lineHeight: number
  /** Columns of each part; several when the table is too wide. */
  readonly parts: readonly (readonly LaidColumn[])[]
  readonly headerHeight: number
}

/** A row, cut into the lines of its cells. */
interface LaidRow {
  readonly cells: readonly (readonly string[])[]
  readonly height: number
  readonly striped: boolean
  readonly total: boolean
}

/** Draws the table from the cursor of `pages`. Rows are read page by page and not kept. */
export async function drawTable(pages: Pages, table: Table, text: TableText): Promise<void> {
  const { columns } = table
  if (columns.length === 0) return
  const display = createDisplayText(text.locale)
  const shown = (row: Row): Row =>
    row.map((cell, index) => ({ number: cell.number, text: display(cell, columns[index] ?? null) }))
  const totals = table.totals && shown(totalRow(table.totals, table, text.locale))
  const iterator = table.pages()[Symbol.asyncIterator]()
  const read: (readonly Row[])[] = []
  let sampled = 0
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    read.push(next.value.map(shown))
    sampled += next.value.length
    if (sampled >= SAMPLE_ROWS) break
  }
  const sample = read.flat().slice(0, SAMPLE_ROWS)
  const layout = layOut(pages, columns, totals ? [...sample, totals] : sample)
  for (const label of pages.fonts.takeCuts()) {
    text.onCut(`column "${label}": the label is longer than ${MAX_HEADER_LINES} lines`)
  }
  const cuts: Cuts = new Map()
  const printer = createPrinter(pages, layout, text)
  await pages.ensure(layout.headerHeight + 3 * rowHeight(layout, 1))

  let number = 0
  async function printAll(rows: readonly Row[]) {
    for (const row of rows) {
      await printer.add(layRow(pages, layout, row, number % 2 === 1, false, cuts))
      number += 1
    }
  }
  for (const rows of read) await printAll(rows)
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    await printAll(next.value.map(shown))
  }
  if (totals) await printer.add(layRow(pages, layout, totals, false, true, cuts))
  await printer.end()
  for (const [column, count] of cuts) {
    const texts = count === 1 ? 'a text is longer' : `${count} texts are longer`
    text.onCut(`column "${column.label}": ${texts} than ${mostLines(pages, layout, column)} lines`)
  }

  if (number === 0) await caption(pages, 'No rows')
  const cut = cutText(table, text.locale, table.totals)
  if (cut !== null) await caption(pages, cut)
}

async function caption(pages: Pages, text: string): Promise<void> {
  await pages.ensure(14)
  pages.text(text, pages.left, pages.y + 10, { size: 7.5, italic: true, color: COLOR.muted })
  pages.y += 14
}

// --- Widths ---

function layOut(pages: Pages, columns: readonly Column[], sample: readonly Row[]): Layout {
  for (const size of SIZES) {
    const layout = onePart(pages, columns, sample, size)
    if (layout) return layout
  }
  return severalParts(pages, columns, sample)
}

interface Need {
  /** Without a line break. */
  readonly natural: number
  /** The least that can be read. */
  readonly least: number
}

const paddingOf = (size: number): number => size * 0.55

function needOf(pages: Pages, column: Column, index: number, sample: readonly Row[], size: number): Need {
  const { fonts } = pages
  const padding = 2 * paddingOf(size)
  const isText = isTextColumn(column, index, sample)
  const label = fonts.measure(column.label, size, true)
  const labelWord = Math.max(0, ...column.label.split(/\s+/).map((word) => fonts.measure(word, size, true)))
  let widest = 0
  let widestWord = 0
  for (const [number, row] of sample.entries()) {
    const text = row[index]?.text ?? ''
    // The last row of the sample may be the totals, which are bold.
    widest = Math.max(widest, fonts.measure(text, size, number === sample.length - 1))
    if (isText && text.length < 60) {
      for (const word of text.split(/\s+/)) widestWord = Math.max(widestWord, fonts.measure(word, size))
    }
  }
  const labelNeed = Math.min(label, Math.max(labelWord, label / 2))
  if (!isText)
    return {
      natural: Math.max(widest, labelNeed) + padding,
      least: Math.max(widest, Math.min(labelWord, 9 * size)) + padding,
    }
  const most = pages.width * MAX_SHARE
  const natural = Math.min(most, Math.max(widest, labelNeed)) + padding
  return {
    natural,
    least: Math.min(natural, Math.max(4 * size, Math.min(9 * size, Math.max(widestWord, labelWord))) + padding),
  }
}

/** Texts may wrap, numbers not. */
const isTextColumn = ({ type }: Column, index: number, sample: readonly Row[]): boolean =>
  type === 'text' || sample.every((row) => (row[index]?.number ?? null) === null)

/** Numbers stand at the right; dates are read like texts. */
const isRight = (column: Column, index: number, sample: readonly Row[]): boolean =>
  !['text', 'date', 'timestamp'].includes(column.type) &&
  (column.kind === 'measure' || !isTextColumn(column, index, sample))

/** All columns side by side, or null when they are too wide at that size. */
function onePart(pages: Pages, columns: readonly Column[], sample: readonly Row[], size: number): Layout | null {
  const needs = columns.map((column, index) => needOf(pages, column, index, sample, size))
  const total = needs.reduce((sum, { natural }) => sum + natural, 0)
  const least = needs.reduce((sum, need) => sum + need.least, 0)
  if (least > pages.width) return null
  // Smaller letters are better than cells of three lines.
  if (total > pages.width * 1.25 && size > 7) return null
  const stretch = Math.min(MAX_STRETCH, pages.width / total)
  const share = total > pages.width ? (pages.width - least) / Math.max(1, total - least) : 0
  const laid = columns.map((column, index): LaidColumn => {
    const need = needs[index]!
    const width = total > pages.width ? need.least + (need.natural - need.least) * share : need.natural * stretch
    return { index, column, right: isRight(column, index, sample), width, head: [] }
  })
  return finished(pages, size, [laid])
}

/** Parts of about equal width, as few as the smallest size allows and in the largest size that needs no more of them. */
function severalParts(pages: Pages, columns: readonly Column[], sample: readonly Row[]): Layout {
  const laidAt = (size: number) =>
    columns.map((column, index): LaidColumn => {
      const { natural, least } = needOf(pages, column, index, sample, size)
      const width = Math.min(pages.width * 0.45, Math.max(least, Math.min(natural, pages.width * 0.25)))
      return { index, column, right: isRight(column, index, sample), width, head: [] }
    })
  const fewest = partsOf(laidAt(SIZES.at(-1)!), pages.width).length
  const size = SIZES.find((candidate) => partsOf(laidAt(candidate), pages.width).length === fewest)!
  const laid = laidAt(size)
  let parts = partsOf(laid, pages.width)
  for (let limit = pages.width; limit > 0; limit -= pages.width / 40) {
    const narrower = partsOf(laid, limit)
    if (narrower.length > fewest) break
    parts = narrower
  }
  return finished(
    pages,
    size,
    parts.map((part) => stretched(part, pages.width)),
  )
}

/** The first column, which says what a row is, stands at the left of each part. */
function partsOf([first, ...rest]: readonly LaidColumn[], limit: number): LaidColumn[][] {
  const parts: LaidColumn[][] = [[first!]]
  let used = first!.width
  for (const column of rest) {
    if (used + column.width > limit && parts.at(-1)!.length > 1) {
      parts.push([first!])
      used = first!.width
    }
    parts.at(-1)!.push(column)
    used += column.width
  }
  return parts
}

function stretched([first, ...rest]: readonly LaidColumn[], width: number): readonly LaidColumn[] {
  const factor = Math.min(MAX_STRETCH, (width - first!.width) / Math.max(1, widthOf(rest)))
  return [first!, ...rest.map((column) => ({ ...column, width: column.width * factor }))]
}

function finished(pages: Pages, size: number, parts: readonly (readonly LaidColumn[])[]): Layout {
  const padding = paddingOf(size)
  const lineHeight = size * 1.25
  const style: TextStyle = { size, bold: true }
  const headed = parts.map((part) =>
    part.map((laid): LaidColumn => {
      const room = laid.width - 2 * padding
      return { ...laid, head: wrap(pages.fonts, laid.column.label, room, style, MAX_HEADER_LINES) }
    }),
  )
  const lines = Math.max(1, ...headed.flat().map(({ head }) => head.length))
  return { size, padding, lineHeight, parts: headed, headerHeight: lines * lineHeight + 2 * size * 0.5 }
}

const rowHeight = ({ lineHeight, size }: Layout, lines: number): number => lines * lineHeight + size * 0.55

// --- Rows ---

/** The most lines of a text of the column; never more than a page has room for. */
function mostLines(pages: Pages, { parts, headerHeight, lineHeight, size }: Layout, { maxLines }: Column): number {
  const room = pages.bodyHeight - headerHeight - (parts.length > 1 ? CAPTION_HEIGHT : 0) - size
  const fitting = Math.max(1, Math.floor(room / lineHeight))
  const wanted = maxLines ?? (columnCount(parts) > FEW_COLUMNS ? MAX_LINES : fitting)
  return Math.min(wanted, fitting)
}

function layRow(pages: Pages, layout: Layout, row: Row, striped: boolean, total: boolean, cuts: Cuts): LaidRow {
  const cells: (readonly string[])[] = []
  let lines = 1
  const style: TextStyle = { size: layout.size, bold: total }
  for (const part of layout.parts) {
    for (const { index, column, width, right } of part) {
      if (cells[index]) continue
      const most = mostLines(pages, layout, column)
      cells[index] = cellLines(pages, row[index], width - 2 * layout.padding, right, style, most)
      lines = Math.max(lines, cells[index].length)
      if (pages.fonts.takeCuts().length > 0) cuts.set(column, (cuts.get(column) ?? 0) + 1)
    }
  }
  return { cells, height: rowHeight(layout, lines), striped, total }
}

function cellLines(
  pages: Pages,
  cell: Cell | undefined,
  width: number,
  right: boolean,
  style: TextStyle,
  most: number,
): readonly string[] {
  const text = cell?.text ?? ''
  if (text === '') return []
  // A number that is too wide is drawn smaller: a part of it would be another number.
  if (right && cell?.number !== null) return [text]
  return wrap(pages.fonts, text, width, style, most)
}

interface Printer {
  add(row: LaidRow): Promise<void>
  end(): Promise<void>
}

/** Rows go to the page at once; with several parts a page of rows is collected, then drawn once for each part. */
function createPrinter(pages: Pages, layout: Layout, { title }: TableText): Printer {
  const { parts } = layout
  let collected: LaidRow[] = []
  let height = 0
  let open = false
  const room = () => pages.bottom - pages.y

  async function addDirect(row: LaidRow) {
    if (!open) drawHeader(pages, layout, parts[0]!)
    else if (row.height > room()) {
      closePart(pages, parts[0]!)
      await pages.newPage()
      drawHeader(pages, layout, parts[0]!)
    }
    open = true
    drawRow(pages, layout, parts[0]!, row)
  }

  async function drawCollected() {
    const rows = collected
    const needed = CAPTION_HEIGHT + layout.headerHeight + height
    collected = []
    height = 0
    for (const [number, part] of parts.entries()) {
      if (number > 0) {
        pages.y += PART_GAP
        await pages.ensure(needed)
      }
      const from = part[1]?.index ?? 0
      const to = part.at(-1)!.index
      const range = `${title === '' ? 'Columns' : `${title}, columns`} ${(number === 0 ? 0 : from) + 1}–${to + 1} of ${columnCount(parts)}`
      pages.text(range, pages.left, pages.y + 7, { size: 7, italic: true, color: COLOR.muted })
      pages.y += CAPTION_HEIGHT
      drawHeader(pages, layout, part)
      for (const row of rows) drawRow(pages, layout, part, row)
      closePart(pages, part)
    }
  }

  return {
    async add(row) {
      if (parts.length === 1) return addDirect(row)
      if (CAPTION_HEIGHT + layout.headerHeight + height + row.height > room()) {
        await drawCollected()
        await pages.newPage()
      }
      collected.push(row)
      height += row.height
    },
    async end() {
      if (parts.length > 1) await drawCollected()
      else {
        if (!open) drawHeader(pages, layout, parts[0]!)
        closePart(pages, parts[0]!)
      }
      pages.y += 4
    },
  }
}

const columnCount = (parts: readonly (readonly LaidColumn[])[]): number => parts.at(-1)!.at(-1)!.index + 1
const widthOf = (part: readonly LaidColumn[]): number => part.reduce((sum, { width }) => sum + width, 0)

function drawHeader(pages: Pages, layout: Layout, part: readonly LaidColumn[]): void {
  const { size, padding, lineHeight, headerHeight } = layout
  const style: TextStyle = { size, bold: true, color: COLOR.accent }
  pages.rect(pages.left, pages.y, widthOf(part), headerHeight, COLOR.head)
  let x = pages.left
  for (const { head: lines, width, right } of part) {
    // Short labels stand at the bottom, beside the values.
    let base = pages.y + headerHeight - size * 0.75 - (lines.length - 1) * lineHeight
    for (const line of lines) {
      const at = right ? x + width - padding - pages.fonts.measure(line, size, true) : x + padding
      pages.text(line, at, base, style)
      base += lineHeight
    }
    x += width
  }
  pages.y += headerHeight
  pages.line(pages.left, pages.y, pages.left + widthOf(part), pages.y, COLOR.accent, 0.8)
}

function drawRow(pages: Pages, layout: Layout, part: readonly LaidColumn[], row: LaidRow): void {
  const { size, padding, lineHeight } = layout
  const full = widthOf(part)
  if (row.striped) pages.rect(pages.left, pages.y, full, row.height, COLOR.zebra)
  if (row.total) pages.line(pages.left, pages.y, pages.left + full, pages.y, COLOR.strong, 0.8)
  let x = pages.left
  for (const { index, width, right } of part) {
    const room = width - 2 * padding
    let base = pages.y + size * 0.28 + size * 0.95
    for (const line of row.cells[index] ?? []) {
      const measured = pages.fonts.measure(line, size, row.total)
      const fitted = right && measured > room ? (size * room) / measured : size
      const at = right ? x + width - padding - Math.min(measured, room) : x + padding
      pages.text(line, at, base, { size: fitted, bold: row.total })
      base += lineHeight
    }
    x += width
  }
  pages.y += row.height
  if (!row.total) pages.line(pages.left, pages.y, pages.left + full, pages.y, COLOR.line, 0.3)
}

const closePart = (pages: Pages, part: readonly LaidColumn[]): void =>
  pages.line(pages.left, pages.y, pages.left + widthOf(part), pages.y, COLOR.strong, 0.6)

/** Title of a block, kept together with what follows. */
export async function drawTitle(pages: Pages, title: string, following: number): Promise<void> {
  if (title === '') return
  const style: TextStyle = { size: 12, bold: true, color: COLOR.accent }
  await pages.ensure(24 + following)
  pages.text(ellipsis(pages.fonts, title, pages.width, style), pages.left, pages.y + 12, style)
  pages.y += 20
}
