/** Hash of the data of a table, for the detection of changes between runs. */
import { createHash } from 'node:crypto'
import type { Cell, Row, Table } from './types.ts'

const CELL = '\u001f'
const ROW = '\u001e'
const NULL = '\u0000'
const TEXT = '\u001d'

/**
 * Numbers as their shortest decimal, with the text where it says more, as `dual(1, 'Open')` does; other cells as text. Null and
 * the empty text are the same to the engine client.
 */
const canonicalCell = ({ text, number }: Cell): string => {
  if (number === null) return text === '' ? NULL : text
  return text === '' || text === String(number) ? String(number) : `${number}${TEXT}${text}`
}

const canonicalRow = (row: Row): string => row.map(canonicalCell).join(CELL)

/** SHA-256, hex, of labels and rows. `ignoreOrder` sorts the rows bytewise, which keeps their text in memory. */
export async function tableHash(table: Table, ignoreOrder: boolean): Promise<string> {
  const hash = createHash('sha256').update(table.columns.map(({ label }) => label).join(CELL))
  const rows = ignoreOrder ? sortedRows(table) : rowTexts(table)
  for await (const row of rows) hash.update(ROW).update(row)
  return hash.digest('hex')
}

/** SHA-256, hex, of a row of values under the expressions that they come from. */
export function valuesHash(expressions: readonly string[], values: Row): string {
  const labels = expressions.join(CELL)
  return createHash('sha256').update(labels).update(ROW).update(canonicalRow(values)).digest('hex')
}

async function* rowTexts(table: Table): AsyncGenerator<Buffer> {
  for await (const page of table.pages()) for (const row of page) yield Buffer.from(canonicalRow(row))
}

/** All rows in one growing buffer: much smaller than an object for each of them. */
async function* sortedRows(table: Table): AsyncGenerator<Buffer> {
  let bytes = Buffer.alloc(64 * 1024)
  const ends: number[] = []
  let used = 0
  for await (const row of rowTexts(table)) {
    if (used + row.length > bytes.length) {
      const larger = Buffer.alloc(Math.max(bytes.length * 2, used + row.length))
      bytes.copy(larger, 0, 0, used)
      bytes = larger
    }
    used += row.copy(bytes, used)
    ends.push(used)
  }
  const rowAt = (index: number) => bytes.subarray(ends[index - 1] ?? 0, ends[index])
  const order = Uint32Array.from(ends, (_, index) => index)
  order.sort((left, right) => Buffer.compare(rowAt(left), rowAt(right)))
  for (const index of order) yield rowAt(index)
}
