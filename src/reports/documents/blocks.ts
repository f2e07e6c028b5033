/** The blocks of a report with their data, as every format writes them. */

import { sampledColumn } from '../data/columns.ts'
import { createRunningText, marksOf } from '../display.ts'
import type { Block, BlockOf, BlockReport } from '../entities/report.ts'
import {
  type Cell,
  type Column,
  EvaluationError,
  type Marks,
  type NumberKind,
  type ReportData,
  type Table,
  type Warn,
} from '../types.ts'
import { type ChartContent, loadChart, rowsOf } from './charts/content.ts'
import type { KpiItem } from './charts/kpi.ts'
import { chartOfObject, isKpi, isTable, kpisOfObject } from './charts/objects.ts'
import { allowedText } from './markup.ts'

export type { KpiItem }

interface Content<Type extends string> {
  readonly type: Type
  readonly key: string
  /** '' when the block has none. Of objects: the title in the app. */
  readonly title: string
}

export type BlockContent =
  /** Markdown whose `{{=expression}}` are replaced; see `markdown.ts`. */
  | (Content<'text'> & { readonly markdown: string })
  | (Content<'kpi'> & { readonly items: readonly KpiItem[] })
  /** Its pages are read from the engine while the document is written. */
  | (Content<'table'> & { readonly table: Table })
  | (Content<'chart'> & { readonly chart: ChartContent; readonly heightMm: number })
  /** Stands for a block that cannot be shown; the warning has been given. */
  | (Content<'note'> & { readonly text: string })
  | Content<'pageBreak'>

export type ContentOf<Type extends BlockContent['type']> = Extract<BlockContent, { readonly type: Type }>

/** The request of a document, as far as blocks need it. */
interface BlocksRequest {
  readonly report: Pick<BlockReport, 'blocks'>
  /** Only this block; all when absent. */
  readonly block?: string
  /** Show objects as tables, regardless of their kind in the app. */
  readonly tablesOnly?: boolean
  readonly data: ReportData
  /** The language of numbers in texts. */
  readonly locale: string
  readonly warn: Warn
  readonly maxRowsPerTable: number
  readonly signal?: AbortSignal
}

const DEFAULT_HEIGHT_MM = 90

/**
 * Loads the blocks in their order, and gives all of them the separators of `pageMarks`. A block that the engine cannot calculate becomes a note, with the warning `BLOCK_ERROR`;
 * rejects with a `ReportError` when the document cannot be made at all.
 */
export async function loadBlocks(request: BlocksRequest): Promise<readonly BlockContent[]> {
  const { report, block: only, warn, signal } = request
  const loaded: BlockContent[] = []
  const texts = new Map<number, BlockOf<'text'>>()
  for (const block of report.blocks) {
    if (only !== undefined && block.key !== only) continue
    signal?.throwIfAborted()
    if (block.type === 'text') texts.set(loaded.length, block)
    loaded.push(await orNote(block, warn, () => loadBlock(block, request)))
  }
  const marks = pageMarks(loaded)
  // The numbers in texts follow those of the other blocks.
  for (const [index, block] of texts) {
    loaded[index] = await orNote(block, warn, () => loadText(block, request, marks))
  }
  return marks ? loaded.map((block) => withMarks(block, marks)) : loaded
}

async function orNote(block: Block, warn: Warn, load: () => Promise<BlockContent>): Promise<BlockContent> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error
    warn('BLOCK_ERROR', error.message, block.key)
    return note(block, `This part could not be calculated: ${error.message}`)
  }
}

/** The separators that the app or the report uses first on the page: one kind on a page. Undefined = those of the locale. */
export function pageMarks(blocks: readonly BlockContent[]): Marks | undefined {
  return blocks.flatMap(marksIn).find((marks) => marks !== null)
}

function marksIn(block: BlockContent): (Marks | null)[] {
  switch (block.type) {
    case 'table':
      return block.table.columns.map((column) => marksOf(null, column))
    case 'chart':
      return block.chart.measures.map((column, index) => {
        const cell = block.chart.rows[0]?.[block.chart.dimensions.length + index] ?? null
        return marksOf(cell, column)
      })
    case 'kpi':
      return block.items.map(({ value, column }) => marksOf(value, column))
    default:
      return []
  }
}

function withMarks(block: BlockContent, marks: Marks): BlockContent {
  const marked = <C extends object>(column: C): C => ({ marks, ...column })
  switch (block.type) {
    case 'table':
      return { ...block, table: { ...block.table, columns: block.table.columns.map(marked) } }
    case 'chart': {
      const { dimensions, measures } = block.chart
      return { ...block, chart: { ...block.chart, dimensions: dimensions.map(marked), measures: measures.map(marked) } }
    }
    case 'kpi':
      return { ...block, items: block.items.map((item) => ({ ...item, column: marked(item.column ?? SINGLE_VALUE) })) }
    default:
      return block
  }
}

/** The column of a figure without one. */
const SINGLE_VALUE = { kind: 'measure', type: 'number', format: null } as const

const headOf = ({ key, title = '' }: Pick<Block, 'key' | 'title'>) => ({ key, title })
const note = (block: Pick<Block, 'key' | 'title'>, text: string): BlockContent => ({
  type: 'note',
  ...headOf(block),
  text,
})

async function loadBlock(block: Block, request: BlocksRequest): Promise<BlockContent> {
  const { data, warn, maxRowsPerTable } = request
  switch (block.type) {
    case 'pageBreak':
      return { type: 'pageBreak', ...headOf(block) }
    case 'text':
      return { type: 'text', ...headOf(block), markdown: '' }
    case 'kpi':
      return { type: 'kpi', ...headOf(block), items: await loadKpis(block, data) }
    case 'chart': {
      const chart = await loadChart(block, data, (code, details) => warn(code, details, block.key))
      return { type: 'chart', ...headOf(block), chart, heightMm: block.heightMm }
    }
    case 'table': {
      const { columns, sort, totals } = block
      const maxRows = Math.min(block.maxRows ?? maxRowsPerTable, maxRowsPerTable)
      return {
        type: 'table',
        ...headOf(block),
        table: await data.table({ name: block.key, columns, sort, totals, maxRows }),
      }
    }
    case 'object':
      return loadObject(block, request)
  }
}

async function loadText(
  { markdown, ...block }: BlockOf<'text'>,
  { data, locale }: BlocksRequest,
  marks: Marks | undefined,
): Promise<BlockContent> {
  const show = createRunningText(locale, marks)
  return { type: 'text', ...headOf(block), markdown: allowedText(await expandMarkdown(markdown, data, show)) }
}

async function loadKpis({ items }: BlockOf<'kpi'>, data: ReportData): Promise<KpiItem[]> {
  const loaded: KpiItem[] = []
  for (const { label, expr, compareExpr, format } of items) {
    const { cell: value, column: own } = await figureOf(expr, format, data)
    const compared = compareExpr === undefined ? null : (await figureOf(compareExpr, format, data)).cell
    const column = own ?? sampledColumn('measure', '', compared ? [value, compared] : [value])
    loaded.push({
      label,
      value,
      column,
      compare: compared && { value: compared, change: changeOf(value, compared, column) },
    })
  }
  return loaded
}

/** A figure with a pattern is the only cell of a cube, because the engine formats cells by their column alone. */
async function figureOf(expr: string, format: string | undefined, data: ReportData) {
  if (format === undefined) return { cell: await data.evaluate(expr), column: null }
  const table = await data.table({ columns: [{ label: '', expr, kind: 'measure', format }] })
  const [row] = await rowsOf(table)
  return { cell: row?.[0] ?? { text: '', number: null }, column: table.columns[0] ?? null }
}

/** Columns whose numbers are no amounts: a share of a serial number, or of the number behind a name, means nothing. */
const WITHOUT_CHANGE: ReadonlySet<NumberKind> = new Set(['date', 'timestamp', 'text'])

function changeOf({ number: value }: Cell, { number: compared }: Cell, { type }: Pick<Column, 'type'>): number | null {
  if (WITHOUT_CHANGE.has(type)) return null
  if (value === null || compared === null || compared === 0) return null
  return (value - compared) / Math.abs(compared)
}

async function loadObject(block: BlockOf<'object'>, request: BlocksRequest): Promise<BlockContent> {
  const { data, warn, maxRowsPerTable, tablesOnly = false } = request
  const maxRows = Math.min(block.maxRows ?? maxRowsPerTable, maxRowsPerTable)
  const object = await data.object(block.objectId, { name: block.key, maxRows })
  const head = { key: block.key, title: block.title ?? object.title }
  const what = `object ${block.objectId} (${object.visualization})`
  if (!tablesOnly && block.as !== 'table') {
    if (isKpi(object) && object.table) return { type: 'kpi', ...head, items: await kpisOfObject(object) }
    const chart = await chartOfObject(object, warn, block.key)
    if (chart) return { type: 'chart', ...head, chart, heightMm: DEFAULT_HEIGHT_MM }
    if (object.table && (block.as === 'chart' || !isTable(object))) {
      warn('CHART_AS_TABLE', `${what} is shown as a table`, block.key)
    }
  }
  if (object.table) return { type: 'table', ...head, table: withLines(object.table, block.maxLines) }
  warn('BLOCK_NOT_TABULAR', `${what} has no data that could be a table`, block.key)
  return note(head, `The object ${block.objectId} of the app has no data that could be shown here.`)
}

const withLines = (table: Table, maxLines: number | undefined): Table =>
  maxLines === undefined ? table : { ...table, columns: table.columns.map((column) => ({ ...column, maxLines })) }

const OPENING = '{{='

/** Replaces `{{=expression}}` by the text of its value, which is never markup. Braces inside the expression are balanced. */
export async function expandMarkdown(
  markdown: string,
  data: Pick<ReportData, 'evaluate'>,
  show: (cell: Cell) => string,
): Promise<string> {
  let text = ''
  let at = 0
  for (;;) {
    const start = markdown.indexOf(OPENING, at)
    const end = start < 0 ? -1 : closing(markdown, start + OPENING.length)
    if (end < 0) return text + markdown.slice(at)
    const value = await data.evaluate(markdown.slice(start + OPENING.length, end).trim())
    text += markdown.slice(at, start) + escapeMarkdown(show(value))
    at = end + 2
  }
}

/** Index of the `}}` that ends the expression at `from`, or -1. */
function closing(markdown: string, from: number): number {
  let depth = 0
  for (let at = from; at < markdown.length; at += 1) {
    if (markdown[at] === '{') depth += 1
    else if (markdown[at] === '}' && depth > 0) depth -= 1
    else if (markdown.startsWith('}}', at)) return at
  }
  return -1
}

/** Only the characters that mean something, so that amounts and dates stay readable inside code. */
const escapeMarkdown = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]<>#|~!&]/g, '\\$&')
    .replace(/^(\s*)([-+=])/, '$1\\$2')
    .replace(/^(\s*\d+)([.)]\s)/, '$1\\$2')
