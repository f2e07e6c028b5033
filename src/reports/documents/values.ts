/** Values of cells for machines. */
import type { Cell, Column, NumberKind } from '../types.ts'

const NUMBERS: ReadonlySet<NumberKind> = new Set(['number', 'integer', 'money'])

/** The number of a number column, else Qlik's text: the serial number of a date means nothing outside Qlik. Null: empty. */
export function plainValue(cell: Cell, column: Pick<Column, 'type'> | undefined): number | string | null {
  if (cell.number !== null && (column === undefined || NUMBERS.has(column.type))) return cell.number
  return cell.text === '' ? cell.number : cell.text
}
