/** The lines below the rows of a table: totals, and that it was cut. */
import { localeNumber } from '../display.ts'
import type { Column, Row, Table } from '../types.ts'
import type { ChartContent } from './charts/content.ts'

type Size = Pick<Table, 'rows' | 'totalRows'> & { readonly columns: readonly Pick<Column, 'marks'>[] }

const counter =
  (locale: string, [column]: readonly Pick<Column, 'marks'>[]) =>
  (count: number): string =>
    localeNumber(locale)(count, column?.marks)

/** Whether the label of the totals finds its place: in the first cell, unless that holds a value. */
const isLabelled = ([first]: Row): boolean => first?.text === '' && first.number === null

/** The line below a chart that shows only the largest values of its first dimension; null when it shows all. */
export function cutChartText(
  { cut, dimensions }: Pick<ChartContent, 'cut' | 'dimensions'>,
  locale: string,
): string | null {
  if (!cut) return null
  const counted = counter(locale, dimensions)
  const labels = (cut.ofAll ? dimensions : dimensions.slice(0, 1)).map(({ label }) => label).join(', ')
  const values = `${counted(cut.of)} values of ${labels}`.trimEnd()
  return cut.shown === 0
    ? `None of the ${values} is positive`
    : `Showing the largest ${counted(cut.shown)} of ${values}`
}

/** The row of totals with its label. The engine's totals are of all rows, also of those that are not shown. */
export function totalRow(totals: Row, { rows, totalRows, columns }: Size, locale: string): Row {
  if (!isLabelled(totals)) return totals
  const text = totalRows > rows ? `Total of all ${counter(locale, columns)(totalRows)} rows` : 'Total'
  return [{ text, number: null }, ...totals.slice(1)]
}

/** The line below a table of which only the first rows are shown; null when all are. */
export function cutText({ rows, totalRows, columns }: Size, locale: string, totals: Row | null = null): string | null {
  if (totalRows <= rows) return null
  const counted = counter(locale, columns)
  const all = counted(totalRows)
  const of = totals === null || isLabelled(totals) ? '' : `; the totals are of all ${all} rows`
  return `Showing the first ${counted(rows)} of ${all} rows${of}`
}
