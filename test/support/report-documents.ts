/** Tables and pages for the tests of report documents. */

import type { BlockContent } from '../../src/reports/documents/blocks.ts'
import { type FontSet, loadFonts } from '../../src/reports/documents/fonts.ts'
import { type PdfRequest, writePdf } from '../../src/reports/documents/pdf.ts'
import { type WorkbookRequest, writeWorkbook } from '../../src/reports/documents/xlsx.ts'
import type { ChartKind } from '../../src/reports/entities/report.ts'
import type { Cell, Column, Row, Table } from '../../src/reports/types.ts'

export const textCell = (text: string): Cell => ({ text, number: null })
export const numberCell = (number: number, text = String(number)): Cell => ({ text, number })
export const EMPTY_CELL: Cell = { text: '', number: null }

export const column = (label: string, members: Partial<Column> = {}): Column => ({
  label,
  kind: members.type === undefined || members.type === 'text' ? 'dimension' : 'measure',
  type: 'text',
  format: null,
  ...members,
})

interface TableMembers {
  readonly totals?: Row
  readonly totalRows?: number
  readonly pageSize?: number
}

export function tableOf(columns: readonly Column[], rows: readonly Row[], members: TableMembers = {}): Table {
  const { totals = null, totalRows = rows.length, pageSize = 100 } = members
  return generatedTable(columns, rows.length, (index) => rows[index]!, { totals, totalRows, pageSize })
}

/** Rows are made while they are read, as with an engine. */
export function generatedTable(
  columns: readonly Column[],
  rows: number,
  row: (index: number) => Row,
  {
    totals = null,
    totalRows = rows,
    pageSize = 1000,
  }: { totals?: Row | null; totalRows?: number; pageSize?: number } = {},
): Table {
  return {
    columns,
    rows,
    totalRows,
    totals,
    async *pages() {
      for (let first = 0; first < rows; first += pageSize) {
        yield Array.from({ length: Math.min(pageSize, rows - first) }, (_, index) => row(first + index))
      }
    },
  }
}

export const tableBlock = (table: Table, title = 'Detail', key = 'detail'): BlockContent => ({
  type: 'table',
  key,
  title,
  table,
})

const MONTHS = ['January', 'February', 'March', 'April', 'Май', 'Ιούνιος']

/** A chart of six months and two measures. */
export const chartBlock = (kind: ChartKind, title = 'Trend', key = 'trend'): BlockContent => ({
  type: 'chart',
  key,
  title,
  heightMm: 80,
  chart: {
    kind,
    legend: 'top',
    labels: false,
    dimensions: [column('Month')],
    measures: ['Sales', 'Budget'].map((label) => ({ ...column(label, { type: 'number' }), as: 'bar', axis: 'left' })),
    rows: MONTHS.map((month, index) => [
      textCell(month),
      numberCell(1200 + 250 * index),
      numberCell(1400 + 180 * index),
    ]),
  },
})

const PAGE = { size: 'A4', orientation: 'portrait', marginMm: 15, title: null, footer: null } as const

export const writeTestWorkbook = async (request: Pick<WorkbookRequest, 'file' | 'blocks'> & Partial<WorkbookRequest>) =>
  writeWorkbook({
    report: { name: 'Sales pack', page: PAGE },
    autofilter: true,
    lastReload: new Date('2025-11-21T06:00:00Z'),
    fonts: await testFonts(),
    locale: 'en-GB',
    warn: (code, details) => {
      throw new Error(`unexpected warning ${code}: ${details}`)
    },
    ...request,
  })

let fonts: Promise<FontSet> | undefined
/** The fonts of all tests; nothing is noted as cut. */
export const testFonts = async (): Promise<FontSet> => {
  fonts ??= loadFonts()
  const set = await fonts
  set.takeCuts()
  return set
}

export const writeTestPdf = async (
  request: Pick<PdfRequest, 'file' | 'blocks'> & Partial<Omit<PdfRequest, 'report'>> & { readonly page?: object },
) =>
  writePdf({
    fonts: await testFonts(),
    title: null,
    subtitle: '',
    footer: null,
    created: new Date('2025-11-21T06:00:00Z'),
    locale: 'en-GB',
    compress: true,
    archive: false,
    warn: () => undefined,
    ...request,
    report: { name: 'Sales pack', page: { ...PAGE, ...request.page } },
  })
