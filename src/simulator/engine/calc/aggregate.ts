import type { DataTable } from '../data/column.ts'
import { compareValues, ofNumber, ofText, type Value } from './functions.ts'
import type { AggregationName } from './syntax.ts'

/** How an aggregation reads a row; `number` is the fast way, NaN where there is none. */
export interface RowReaders {
  number(row: number): number
  value(row: number): Value
  /** Separator of Concat. */
  readonly separator: string
  readonly distinct: boolean
}

/** Calls back for each row of a group. */
export type RowVisitor = (visit: (row: number) => void) => void

type Aggregate = (rows: RowVisitor, readers: RowReaders) => Value

/** The aggregation functions over the rows of a group. Nulls are left out; without any value Sum and Count are 0. */
export const AGGREGATE: Readonly<Record<AggregationName, Aggregate>> = {
  sum: (rows, readers) => ofNumber(numbers(rows, readers).sum),
  avg: (rows, readers) => {
    const { sum, count } = numbers(rows, readers)
    return count === 0 ? null : ofNumber(sum / count)
  },
  min: (rows, readers) => finite(numbers(rows, readers).min),
  max: (rows, readers) => finite(numbers(rows, readers).max),
  count: (rows, readers) => {
    if (readers.distinct) return ofNumber(distinctValues(rows, readers).length)
    let count = 0
    rows((row) => {
      if (readers.value(row) !== null) count += 1
    })
    return ofNumber(count)
  },
  only: (rows, readers) => {
    const values = distinctValues(rows, readers)
    return values.length === 1 ? (values[0] ?? null) : null
  },
  concat: (rows, readers) => {
    const values = readers.distinct ? distinctValues(rows, readers) : allValues(rows, readers)
    const texts = [...values].sort(compareValues).map((value) => value.text)
    return ofText(texts.join(readers.separator))
  },
}

type Present = NonNullable<Value>

const finite = (num: number) => (Number.isFinite(num) ? ofNumber(num) : null)

function numbers(rows: RowVisitor, readers: RowReaders) {
  const seen = readers.distinct ? new Set<number>() : null
  const result = { sum: 0, count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }
  rows((row) => {
    const num = readers.number(row)
    if (Number.isNaN(num) || seen?.has(num)) return
    seen?.add(num)
    result.sum += num
    result.count += 1
    if (num < result.min) result.min = num
    if (num > result.max) result.max = num
  })
  return result
}

function allValues(rows: RowVisitor, readers: RowReaders): Present[] {
  const values: Present[] = []
  rows((row) => {
    const value = readers.value(row)
    if (value) values.push(value)
  })
  return values
}

function distinctValues(rows: RowVisitor, readers: RowReaders): Present[] {
  const values = new Map<string, Present>()
  rows((row) => {
    const value = readers.value(row)
    if (value && !values.has(value.text)) values.set(value.text, value)
  })
  return [...values.values()]
}

/** The rows that a mask lets through, of all rows of a table or of a list of them. */
export function visitRows(table: DataTable, mask: Uint8Array | null, only: Uint32Array | null): RowVisitor {
  return (visit) => {
    if (only) {
      for (const row of only) if (!mask || mask[row]) visit(row)
      return
    }
    for (let row = 0; row < table.rowCount; row++) if (!mask || mask[row]) visit(row)
  }
}
