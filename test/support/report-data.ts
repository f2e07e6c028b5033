/** A hand-made app for tests of documents: cells, tables and objects in memory. */
import type { Source } from '../../src/reports/entities/fields.ts'
import {
  type AppObject,
  type Cell,
  type Column,
  EvaluationError,
  type ReportData,
  type Row,
  type Table,
  type TableRequest,
} from '../../src/reports/types.ts'

/** A number with Qlik's text, a text, or null. */
export type Value = number | string | null | readonly [number, string]

export function cell(value: Value): Cell {
  if (value === null) return { text: '', number: null }
  if (typeof value === 'string') return { text: value, number: null }
  if (typeof value === 'number') return { text: String(value), number: value }
  return { number: value[0], text: value[1] }
}

export const rowsOf = (rows: readonly (readonly Value[])[]): Row[] => rows.map((row) => row.map(cell))

/** `d:Region`, `m:Sales`, `m:Share:0%` as columns; measures are numbers. */
export function column(text: string): Column {
  const [kind, label = '', format = null] = text.split(':')
  return { label, kind: kind === 'd' ? 'dimension' : 'measure', type: kind === 'd' ? 'text' : 'number', format }
}

export function table(
  columns: readonly (string | Column)[],
  rows: readonly (readonly Value[])[],
  more: Partial<Table> = {},
): Table {
  return {
    columns: columns.map((entry) => (typeof entry === 'string' ? column(entry) : entry)),
    rows: rows.length,
    totalRows: rows.length,
    totals: null,
    async *pages() {
      yield rowsOf(rows)
    },
    ...more,
  }
}

/** A table whose rows are made while they are read. */
export function longTable(columns: readonly string[], count: number, row: (index: number) => readonly Value[]): Table {
  return {
    ...table(columns, []),
    rows: count,
    totalRows: count,
    async *pages() {
      for (let start = 0; start < count; start += 500) {
        yield rowsOf(Array.from({ length: Math.min(500, count - start) }, (_, index) => row(start + index)))
      }
    },
  }
}

export interface FakeApp {
  readonly values?: Readonly<Record<string, Value>>
  /** Tables by the expressions of their columns, joined by `|`. */
  readonly tables?: Readonly<Record<string, Table>>
  readonly objects?: Readonly<Record<string, Partial<AppObject>>>
}

/** Expressions, tables and objects outside `app` reject with an `EvaluationError`. */
export function fakeReportData(app: FakeApp): ReportData {
  const key = (source: Source): string => (typeof source === 'string' ? source : source.libraryId)
  const found = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new EvaluationError(`cannot calculate ${what}`)
    return value
  }
  const data: ReportData = {
    app: {
      id: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
      name: 'Sales',
      lastReload: new Date('2025-11-21T05:12:44.000Z'),
    },
    filterText: 'Region: Nord',
    evaluate: async (expression) => cell(found(app.values?.[expression.replace(/^=/, '')], expression)),
    table: async (request: TableRequest) => {
      const made = found(app.tables?.[request.columns.map(({ expr }) => key(expr)).join('|')], 'table')
      return {
        ...made,
        columns: made.columns.map((own, index) => ({ ...own, label: request.columns[index]?.label || own.label })),
      }
    },
    object: async (objectId) => ({
      objectId,
      visualization: 'table',
      title: '',
      properties: {},
      table: null,
      ...found(app.objects?.[objectId], objectId),
    }),
    labelOf: async (source) => key(source).replace(/^=/, ''),
    fieldValues: async () => [],
    within: (_, work) => work(data),
  }
  return data
}
