/** Charts that exist in an app: which of our kinds shows them. */

import type { ChartKind } from '../../entities/report.ts'
import type { AppObject, Cell, Column, Row, Table, Warn } from '../../types.ts'
import { type ChartContent, chartProblem, limitPoints, type MeasureColumn, rowsOf, seriesOf } from './content.ts'
import type { KpiItem } from './kpi.ts'

/** Points of an object's chart; more are not readable on a page. */
const MOST_POINTS = 200

type Properties = AppObject['properties']
type Shape = Pick<ChartContent, 'kind' | 'horizontal'>

/** Our kind of each type of object. */
const KINDS: Readonly<Record<string, (properties: Properties, dimensions: number, measures: number) => Shape>> = {
  barchart: (properties, dimensions, measures) => {
    const several = dimensions > 1 || measures > 1
    const stacked = several && member(properties, 'barGrouping', 'grouping') === 'stacked'
    const horizontal = member(properties, 'orientation') === 'horizontal'
    return { kind: stacked ? 'barStacked' : several ? 'barGrouped' : 'bar', horizontal }
  },
  linechart: (properties, dimensions, measures) => {
    const area = member(properties, 'lineType') === 'area'
    return { kind: area ? (dimensions > 1 || measures > 1 ? 'areaStacked' : 'area') : 'line' }
  },
  combochart: () => ({ kind: 'combo' }),
  piechart: (properties) => ({ kind: member(properties, 'donut', 'showAsDonut') === true ? 'donut' : 'pie' }),
  scatterplot: (_, __, measures) => ({ kind: measures > 2 ? 'bubble' : 'scatter' }),
  gauge: () => ({ kind: 'gauge' }),
  treemap: () => ({ kind: 'treemap' }),
  waterfallchart: () => ({ kind: 'waterfall' }),
  boxplot: () => ({ kind: 'boxplot' }),
  'qlik-heatmap-chart': () => ({ kind: 'heatmap' }),
  'qlik-funnel-chart': () => ({ kind: 'funnel' }),
  'qlik-funnel-chart-ext': () => ({ kind: 'funnel' }),
}

/** Types that are tables in the app too: shown as a table without a warning. */
const TABLES: ReadonlySet<string> = new Set(['table', 'sn-table', 'pivot-table', 'sn-pivot-table', 'straight-table'])

export const isTable = ({ visualization }: AppObject): boolean => TABLES.has(visualization)
export const isKpi = ({ visualization }: AppObject): boolean => visualization === 'kpi'

/** The measures of a KPI object as figures; the first is the value, the others stand beside it. */
export async function kpisOfObject({ table }: AppObject): Promise<KpiItem[]> {
  const [row] = table ? await rowsOf(table) : []
  return (table?.columns ?? []).flatMap((column, index) => {
    if (column.kind !== 'measure') return []
    return [{ label: column.label, value: row?.[index] ?? { text: '', number: null }, column, compare: null }]
  })
}

/** The chart of an object, or null when we do not draw its type or its columns do not fit the kind. */
export async function chartOfObject(object: AppObject, warn: Warn, block?: string): Promise<ChartContent | null> {
  const { table, properties, visualization } = object
  const shapeOf = Object.hasOwn(KINDS, visualization) ? KINDS[visualization] : undefined
  if (!table || !shapeOf) return null
  const count = (kind: Column['kind']) => table.columns.filter((column) => column.kind === kind).length
  const shape = shapeOf(properties, count('dimension'), count('measure'))
  const { dimensions, measures } = columnsOf(table, properties, shape.kind)
  const legend = { legend: legendOf(properties), labels: labelsOf(properties) }
  if (shape.kind === 'waterfall' && dimensions.length === 0) {
    const [row] = await rowsOf(table)
    return row ? { ...shape, ...legend, ...waterfallOf(measures, row, properties) } : null
  }
  const used = shape.kind === 'gauge' ? measures.slice(0, 1) : cut(shape.kind, measures)
  if (chartProblem(shape.kind, dimensions.length, used.length) !== null) return null
  const rows = (await rowsOf(table)).map((row) => row.slice(0, dimensions.length + used.length))
  const content = { ...shape, ...legend, dimensions, measures: used, rows }
  if (shape.kind === 'gauge') return gaugeOf(content, properties)
  return limitPoints(content, MOST_POINTS, (code, details) => warn(code, details, block))
}

/** Measures beyond those of the kind, which objects have for colours and sizes. */
const cut = (kind: ChartKind, measures: readonly MeasureColumn[]): readonly MeasureColumn[] =>
  kind === 'bubble' ? measures.slice(0, 3) : measures.slice(0, kind === 'scatter' ? 2 : 8)

function columnsOf({ columns }: Table, properties: Properties, kind: ChartKind) {
  const dimensions = columns.filter(({ kind }) => kind === 'dimension')
  const measures = columns
    .filter(({ kind }) => kind === 'measure')
    .map((column, index): MeasureColumn => {
      const series = member(measureDefinition(properties, index), 'qDef', 'series')
      if (member(series, 'type') === undefined && member(series, 'axis') === undefined) {
        return { ...column, ...seriesOf(kind, index) }
      }
      return {
        ...column,
        as: member(series, 'type') === 'line' || member(series, 'type') === 'marker' ? 'line' : 'bar',
        axis: member(series, 'axis') === 1 ? 'right' : 'left',
      }
    })
  return { dimensions, measures }
}

const measureDefinition = (properties: Properties, index: number): unknown => {
  const measures = member(properties, 'qHyperCubeDef', 'qMeasures')
  return Array.isArray(measures) ? measures[index] : undefined
}

/** A waterfall of the app has a measure for each step (`valueType`: `NORMAL` adds, `INVERSE` subtracts, `SUBTOTAL`). */
function waterfallOf(measures: readonly MeasureColumn[], row: Row, properties: Properties) {
  const totalRows: number[] = []
  let sum = 0
  const rows = measures.map((measure, index): Row => {
    const cell = row[index] ?? { text: '', number: null }
    const type = member(measureDefinition(properties, index), 'qDef', 'valueType')
    const value = type === 'SUBTOTAL' ? (cell.number ?? sum) : (cell.number ?? 0) * (type === 'INVERSE' ? -1 : 1)
    if (type === 'SUBTOTAL') totalRows.push(index)
    sum = type === 'SUBTOTAL' ? value : sum + value
    return [
      { text: measure.label, number: null },
      { text: type === 'INVERSE' ? '' : cell.text, number: value },
    ]
  })
  const dimension: Column = { label: '', kind: 'dimension', type: 'text', format: null }
  return {
    dimensions: [dimension],
    measures: measures.slice(0, 1).map((column) => ({ ...column, label: '' })),
    rows,
    totalRows,
  }
}

/** The scale of a gauge stands in its properties. */
function gaugeOf(content: ChartContent, properties: Properties): ChartContent {
  const end = (name: 'min' | 'max'): Cell => {
    const value = member(properties, 'measureAxis', name)
    return { text: '', number: typeof value === 'number' && Number.isFinite(value) ? value : null }
  }
  const [measure] = content.measures
  const [row] = content.rows
  if (!measure || !row) return content
  return { ...content, measures: [measure, measure, measure], rows: [[...row, end('min'), end('max')]] }
}

const legendOf = (properties: Properties): ChartContent['legend'] =>
  member(properties, 'legend', 'show') === false ? 'none' : 'top'

const labelsOf = (properties: Properties): boolean => {
  const point = member(properties, 'dataPoint')
  return member(point, 'showLabels') === true
}

/** A member of nested properties of unknown shape. */
function member(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Record<string, unknown>)[name]
  }
  return found
}
