/** Values of cells for machines, and the row of totals. */
import type { Cell, Column, NumberKind, Row } from '../types.ts'

const NUMBERS: ReadonlySet<NumberKind> = new Set(['number', 'integer', 'money'])

/** The number of a number column, else Qlik's text: the serial number of a date means nothing outside Qlik. Null: empty. */
export function plainValue(cell: Cell, column: Pick<Column, 'type'> | undefined): number | string | null {
  if (cell.number !== null && (column === undefined || NUMBERS.has(column.type))) return cell.number
  return cell.text === '' ? cell.number : cell.text
}

/** The row of totals with a label in its first cell, unless that holds a value. */
export const totalRow = (totals: Row): Row =>
  totals[0] && totals[0].text === '' && totals[0].number === null
    ? [{ text: 'Total', number: null }, ...totals.slice(1)]
    : totals
