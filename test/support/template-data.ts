/** An app in memory, for tests of templates: rows with fields; measures are sums, `Sum(Sales)`. */
import type { TemplateReport } from '../../src/reports/entities/report.ts'
import { report as reportSchema } from '../../src/reports/entities/report.ts'
import {
  type Cell,
  type Column,
  EvaluationError,
  type ReportData,
  type Row,
  type Selection,
  type Table,
  type TableRequest,
} from '../../src/reports/types.ts'

export type Facts = readonly Readonly<Record<string, string | number>>[]

export const SALES: Facts = [
  { Region: 'Nord', Product: 'Screws', Year: 2024, Sales: 1200.5, OrderDate: 45_658 },
  { Region: 'Nord', Product: 'Nails', Year: 2025, Sales: 300, OrderDate: 45_700 },
  { Region: 'Süd', Product: 'Screws', Year: 2025, Sales: 2500, OrderDate: 45_710 },
  { Region: 'West', Product: '=1+1', Year: 2024, Sales: 10, OrderDate: 45_720 },
]

export interface AppData extends ReportData {
  /** Expressions, tables and objects that were evaluated, with the selections: `Region=Nord: Sum(Sales)`. */
  readonly evaluated: readonly string[]
}

/** `texts`: results of further expressions; an `Error` cannot be calculated. */
export function appData(facts: Facts = SALES, texts: Readonly<Record<string, string | Error>> = {}): AppData {
  const evaluated: string[] = []
  const dataOf = (rows: Facts, selected: string): ReportData => ({
    app: { id: 'app', name: 'Sales app', lastReload: new Date('2025-11-21T06:00:00Z') },
    filterText: 'Year: 2024, 2025',
    async evaluate(expression) {
      evaluated.push(`${selected}${expression}`)
      const text = texts[expression]
      if (text instanceof Error) throw new EvaluationError(text.message)
      return text === undefined ? aggregate(expression, rows) : { text, number: null }
    },
    async table(request) {
      evaluated.push(`${selected}table ${request.columns.map(({ label }) => label).join(', ')}`)
      return tableOf(request, rows)
    },
    async object(objectId, options) {
      evaluated.push(`${selected}object ${objectId}`)
      const request: TableRequest = {
        columns: [
          { label: 'Product', expr: 'Product', kind: 'dimension' },
          { label: 'Sales amount', expr: '=Sum(Sales)', kind: 'measure' },
        ],
        ...options,
      }
      return {
        objectId,
        visualization: 'table',
        title: `Title of ${objectId}`,
        properties: {},
        table: tableOf(request, rows),
      }
    },
    labelOf: async (source) => (typeof source === 'string' ? source : source.libraryId),
    fieldValues: async (field) => distinct(rows, field),
    within: (selections, work) =>
      work(
        dataOf(
          rows.filter((row) => selections.every((one) => matches(row, one))),
          `${selected}${textOf(selections)}: `,
        ),
      ),
  })
  return { ...dataOf(facts, ''), evaluated }
}

const textOf = (selections: readonly Selection[]) =>
  selections.map(({ field, values }) => `${field}=${values.map(({ text }) => text).join(',')}`).join('; ')

const cell = (value: string | number | undefined): Cell =>
  typeof value === 'number' ? { text: String(value), number: value } : { text: value ?? '', number: null }

const matches = (row: Facts[number], { field, values }: Selection) =>
  values.some(({ text }) => text === cell(row[field]).text)

function distinct(rows: Facts, field: string): Cell[] {
  return [...new Set(rows.map((row) => row[field]))].filter((value) => value !== undefined).map(cell)
}

function aggregate(expression: string, rows: Facts): Cell {
  const [, aggregation, field = ''] = /^=?(Sum|Max)\((\w+)\)$/.exec(expression) ?? []
  if (!aggregation) throw new EvaluationError(`error in expression ${expression}`)
  const numbers = rows.map((row) => Number(row[field]))
  const number = aggregation === 'Sum' ? numbers.reduce((sum, one) => sum + one, 0) : Math.max(...numbers)
  // The app formats its measures.
  return { text: number.toLocaleString('en-GB'), number }
}

function tableOf({ columns, maxRows = Number.POSITIVE_INFINITY, totals = false }: TableRequest, facts: Facts): Table {
  const fields = columns.filter(({ kind }) => kind === 'dimension').map(({ expr }) => String(expr))
  const groups = Map.groupBy(facts, (row) => JSON.stringify(fields.map((field) => row[field])))
  const rowOf = (group: Facts): Row =>
    columns.map(({ kind, expr }) =>
      kind === 'dimension' ? cell(group[0]?.[String(expr)]) : aggregate(String(expr), group),
    )
  const all = [...groups.values()].map(rowOf)
  const rows = all.slice(0, maxRows)
  return {
    columns: columns.map(
      ({ label, kind, expr }): Column => ({
        label,
        kind,
        type: expr === 'OrderDate' ? 'date' : 'number',
        format: null,
      }),
    ),
    rows: rows.length,
    totalRows: all.length,
    totals: totals
      ? columns.map(({ kind, expr }) => (kind === 'measure' ? aggregate(String(expr), facts) : cell('')))
      : null,
    async *pages() {
      for (let at = 0; at < rows.length; at += 2) yield rows.slice(at, at + 2)
    },
  }
}

/** A template report over `appData`: value `revenue`, table `detail`, object `top`, chart `salesChart`, level `region`. */
export function templateReport(changes: Partial<TemplateReport> = {}): TemplateReport {
  const report = reportSchema().parse({
    name: 'Sales pack',
    type: 'template',
    appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
    filterIds: [],
    template: { source: 'file', file: 'sales.docx' },
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      {
        key: 'detail',
        type: 'table',
        totals: true,
        columns: [
          { key: 'Product', expr: 'Product', kind: 'dimension' },
          { key: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        ],
      },
      { key: 'top', type: 'object', objectId: 'JzKpQm' },
      { key: 'salesChart', type: 'chart', chart: 'bar', dimension: 'Product', measures: ['=Sum(Sales)'] },
      { key: 'logo', type: 'image', file: 'logo.png' },
    ],
    levels: [
      { key: 'region', field: 'Region' },
      { key: 'product', field: 'Product', within: 'region' },
    ],
    ...changes,
  })
  if (report.type !== 'template') throw new Error('not a template report')
  return report
}
