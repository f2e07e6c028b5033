/** The content of charts: kind, columns and rows. Loading reads the cube and limits its points. */
import type { Source } from '../../entities/fields.ts'
import type { Binding, BlockOf, ChartKind } from '../../entities/report.ts'
import type { Cell, Column, ReportData, Row, Table, Warn } from '../../types.ts'
import { cellLike, valueKey } from './style.ts'

export interface MeasureColumn extends Column {
  /** A line only in combinations. */
  readonly as: 'bar' | 'line'
  readonly axis: 'left' | 'right'
}

/** A chart with its data, ready to be drawn. */
export interface ChartContent {
  readonly kind: ChartKind
  /** Bars that lie; only of objects, `barHorizontal` lies anyway. */
  readonly horizontal?: boolean
  readonly legend: 'top' | 'right' | 'none'
  /** Write the values beside the marks. */
  readonly labels: boolean
  /** 0 (gauge) to 2. */
  readonly dimensions: readonly Column[]
  readonly measures: readonly MeasureColumn[]
  /** A cell for each dimension, then for each measure; in the order of the chart. */
  readonly rows: readonly Row[]
  /** Waterfall: indices of the rows that show the sum so far. */
  readonly totalRows?: readonly number[]
  /** Values of the first dimension, or of all of them, that are shown, of how many; absent when none is left out. */
  readonly cut?: { readonly shown: number; readonly of: number; readonly ofAll?: boolean }
}

/** A chart block of a report, or a chart of a template that is defined there. */
type ChartDefinition = Pick<
  BlockOf<'chart'>,
  'chart' | 'dimension' | 'dimension2' | 'measures' | 'maxPoints' | 'legend' | 'labels'
> & { readonly key?: string }
/** Whether a binding of a template defines its chart, instead of naming an object. */
export const isDefinition = (
  binding: Extract<Binding, { readonly type: 'chart' }> | { readonly objectId: string },
): binding is Extract<Binding, { readonly chart: ChartKind }> => 'chart' in binding

/** Kinds whose marks are parts of a whole: ordered by size, the smaller ones become one mark. */
const PARTS: ReadonlySet<ChartKind> = new Set(['pie', 'donut', 'treemap', 'funnel'])
const isPart = ({ dimensions }: Pick<ChartContent, 'dimensions'>, row: Row): boolean =>
  (row[dimensions.length]?.number ?? 0) > 0

/** Why the chart has no mark, in words; null when it has some. */
export function emptyText(content: ChartContent): string | null {
  if (content.rows.length === 0 && !content.cut) return 'No data'
  const needsPositive = PARTS.has(content.kind) || content.kind === 'sankey'
  return needsPositive && !content.rows.some((row) => isPart(content, row)) ? 'No positive values' : null
}

const OTHERS = 'Others'
const TOTAL = 'Total'

/** Dimensions (least, most) and measures (least, most) of each kind. */
export const NEEDS: Readonly<
  Record<ChartKind, { readonly dimensions: readonly [number, number]; readonly measures: readonly [number, number] }>
> = {
  bar: { dimensions: [1, 2], measures: [1, 8] },
  barHorizontal: { dimensions: [1, 2], measures: [1, 8] },
  barStacked: { dimensions: [1, 2], measures: [1, 8] },
  barGrouped: { dimensions: [1, 2], measures: [1, 8] },
  barPercent: { dimensions: [1, 2], measures: [1, 8] },
  line: { dimensions: [1, 2], measures: [1, 8] },
  area: { dimensions: [1, 2], measures: [1, 8] },
  areaStacked: { dimensions: [1, 2], measures: [1, 8] },
  radar: { dimensions: [1, 2], measures: [1, 8] },
  combo: { dimensions: [1, 1], measures: [2, 8] },
  pie: { dimensions: [1, 1], measures: [1, 1] },
  donut: { dimensions: [1, 1], measures: [1, 1] },
  funnel: { dimensions: [1, 1], measures: [1, 1] },
  waterfall: { dimensions: [1, 1], measures: [1, 1] },
  scatter: { dimensions: [1, 2], measures: [2, 2] },
  bubble: { dimensions: [1, 2], measures: [3, 3] },
  gauge: { dimensions: [0, 0], measures: [1, 3] },
  treemap: { dimensions: [1, 2], measures: [1, 1] },
  heatmap: { dimensions: [2, 2], measures: [1, 1] },
  sankey: { dimensions: [2, 2], measures: [1, 1] },
  boxplot: { dimensions: [2, 2], measures: [1, 1] },
}

/** Whether the kind draws series: of several measures, or of one measure for the values of a second dimension. */
export function hasSeries(kind: ChartKind): boolean {
  const { dimensions, measures } = NEEDS[kind]
  return dimensions[1] === 2 && measures[0] === 1 && measures[1] > 1
}

/** Why the dimensions and measures do not fit the kind (table of the kinds in the documentation), or null. */
export function chartProblem(kind: ChartKind, dimensions: number, measures: number): string | null {
  const needs = NEEDS[kind]
  const [fewest, most] = needs.dimensions
  if (dimensions < fewest || dimensions > most)
    return `${kind} needs ${range(fewest, most)} dimensions, not ${dimensions}`
  const [least, highest] = hasSeries(kind) && dimensions === 2 ? [1, 1] : needs.measures
  if (measures >= least && measures <= highest) return null
  const two = hasSeries(kind) && dimensions === 2 ? ' with a second dimension' : ''
  return `${kind} needs ${range(least, highest)} measures${two}, not ${measures}`
}

const range = (from: number, to: number): string => (from === to ? `${from}` : `${from} to ${to}`)

/** Reads the data of a defined chart. Rejects with an `EvaluationError` when the engine cannot calculate it. */
export async function loadChart(
  definition: ChartDefinition,
  data: ReportData,
  warn: (code: 'POINTS_TRUNCATED', details: string) => void,
): Promise<ChartContent> {
  const { chart: kind, dimension, dimension2, legend, labels, maxPoints } = definition
  const dimensions = [dimension, dimension2].filter((source): source is Source => source !== undefined)
  const measures = definition.measures.map((measure) =>
    typeof measure === 'string'
      ? { expr: measure, as: undefined, axis: undefined, label: undefined, format: undefined }
      : measure,
  )
  const labelOf = async (source: Source, label?: string): Promise<string> => label ?? (await data.labelOf(source))
  const table = await data.table({
    ...(definition.key !== undefined && { name: definition.key }),
    columns: [
      ...(await Promise.all(
        dimensions.map(async (expr) => ({ expr, label: await labelOf(expr), kind: 'dimension' as const })),
      )),
      ...(await Promise.all(
        measures.map(async ({ expr, label, format }) => ({
          expr,
          label: await labelOf(expr, label),
          kind: 'measure' as const,
          format,
        })),
      )),
    ],
  })
  const content = contentOf(kind, await rowsOf(table), {
    dimensions: table.columns.slice(0, dimensions.length),
    measures: table.columns.slice(dimensions.length).map((column, index) => ({
      ...column,
      ...seriesOf(kind, index, measures[index]),
    })),
    legend,
    labels,
  })
  return limitPoints(content, maxPoints, warn)
}

/** A combination has bars, then lines on an axis of their own, as Qlik Sense draws it; other kinds have one axis. */
export function seriesOf(
  kind: ChartKind,
  index: number,
  {
    as,
    axis,
  }: { readonly as?: MeasureColumn['as'] | undefined; readonly axis?: MeasureColumn['axis'] | undefined } = {},
): Pick<MeasureColumn, 'as' | 'axis'> {
  const isFurther = kind === 'combo' && index > 0
  return { as: as ?? (isFurther ? 'line' : 'bar'), axis: axis ?? (isFurther ? 'right' : 'left') }
}

/** All rows of a table; charts are small. */
export async function rowsOf(table: Table): Promise<Row[]> {
  const rows: Row[] = []
  for await (const page of table.pages()) rows.push(...page)
  return rows
}

/** Puts the rows into the order of the kind; a waterfall gets its total. */
function contentOf(
  kind: ChartKind,
  rows: readonly Row[],
  rest: Pick<ChartContent, 'dimensions' | 'measures' | 'legend' | 'labels'>,
): ChartContent {
  const [measure] = rest.measures
  if (kind !== 'waterfall' || !measure) return { kind, rows, ...rest }
  const sum = rows.reduce((total, row) => total + (row[1]?.number ?? 0), 0)
  return {
    kind,
    rows: [...rows, [label(TOTAL), cellLike(sum, rows[0]?.[1], measure)]],
    totalRows: [rows.length],
    ...rest,
  }
}

const label = (text: string): Cell => ({ text, number: null })

/**
 * Keeps the `most` values of the first dimension with the largest sums of the first measure; the others become "Others" where
 * the marks are parts of a whole, and are left out elsewhere. Kinds ordered by size are sorted.
 */
export function limitPoints(
  drawn: ChartContent,
  most: number,
  warn: (code: 'POINTS_TRUNCATED', details: string) => void,
): ChartContent {
  const { kind, dimensions } = drawn
  if (dimensions.length === 0) return drawn
  const value = (row: Row): number => row[dimensions.length]?.number ?? 0
  const content = PARTS.has(kind) ? withoutNegative(drawn, warn) : drawn
  // Each row of one dimension is a point, as several may have one text.
  const pointOf = (row: Row): Row | string => (dimensions.length === 1 ? row : valueKey(row[0]))
  const sums = new Map<Row | string, number>()
  for (const row of content.rows) sums.set(pointOf(row), (sums.get(pointOf(row)) ?? 0) + value(row))
  const bySize = [...sums].sort(([, one], [, other]) => Math.abs(other) - Math.abs(one)).map(([point]) => point)
  const rank = new Map(bySize.map((point, index) => [point, index]))
  const rows = PARTS.has(kind)
    ? [...content.rows].sort((one, other) => rank.get(pointOf(one))! - rank.get(pointOf(other))!)
    : content.rows
  // The total of a waterfall is not a point.
  const points = sums.size - (content.totalRows?.length ?? 0)
  if (points <= most) return { ...content, rows }

  warn('POINTS_TRUNCATED', `${most} of ${points} values of ${dimensions[0]?.label}`)
  const cut = { shown: most, of: points }
  if (kind === 'waterfall') return { ...shortWaterfall(content, most), cut }
  const kept = new Set(bySize.slice(0, most))
  const shown = rows.filter((row) => kept.has(pointOf(row)))
  // Marks that are parts of a whole have a mark for the rest.
  if (!PARTS.has(kind)) return { ...content, rows: shown, cut }
  const rest = rows.filter((row) => !kept.has(pointOf(row))).reduce((sum, row) => sum + value(row), 0)
  const blank = dimensions.slice(1).map(() => label(''))
  return {
    ...content,
    rows: [...shown, [label(OTHERS), ...blank, cellLike(rest, shown[0]?.[dimensions.length], content.measures[0])]],
  }
}

/** A part of a whole cannot be negative: programs for workbooks would draw it as if it were not. Zeros have no mark, and go along. */
function withoutNegative(
  content: ChartContent,
  warn: (code: 'POINTS_TRUNCATED', details: string) => void,
): ChartContent {
  const { dimensions } = content
  if (content.rows.every((row) => (row[dimensions.length]?.number ?? 0) >= 0)) return content
  const rows = content.rows.filter((row) => isPart(content, row))
  const [shown, of] = [rows.length, content.rows.length]
  const values = dimensions.map(({ label: name }) => name).join(', ')
  warn('POINTS_TRUNCATED', `${shown} of ${of} values of ${values}, as parts of a whole are positive`)
  return { ...content, rows, cut: { shown, of, ofAll: true } }
}

/** The steps with the largest changes, in their order, and the total of all. */
function shortWaterfall(content: ChartContent, most: number): ChartContent {
  const totals = new Set(content.totalRows)
  const size = (index: number): number => Math.abs(content.rows[index]?.[1]?.number ?? 0)
  const steps = content.rows.map((_, index) => index).filter((index) => !totals.has(index))
  const kept = new Set(steps.sort((one, other) => size(other) - size(one)).slice(0, most))
  const rows: Row[] = []
  const totalRows: number[] = []
  content.rows.forEach((row, index) => {
    if (totals.has(index)) totalRows.push(rows.length)
    if (totals.has(index) || kept.has(index)) rows.push(row)
  })
  return { ...content, rows, totalRows }
}

/** A `Warn` of a whole document for one block. */
export const warnOf =
  (warn: Warn, block: string | undefined) =>
  (code: Parameters<Warn>[0], details: string): void =>
    warn(code, details, block)
