import type { Group } from '../calc/evaluate.ts'
import type { Column, DataTable } from '../data/column.ts'

/** The distinct combinations of some columns' values in a table, in load order, with the rows of each. */
export interface Groups {
  readonly count: number
  /** Code of a group in the nth column, -1 for null. */
  code(group: number, column: number): number
  group(index: number): Group
}

export function groupRows(table: DataTable, columns: readonly Column[]): Groups {
  const groupOf = new Uint32Array(table.rowCount)
  const codes: number[] = []
  const keyOf = keyMaker(columns)
  const known = new Map<number | string, number>()
  for (let row = 0; row < table.rowCount; row++) {
    const key = keyOf(row)
    let group = known.get(key)
    if (group === undefined) {
      group = known.size
      known.set(key, group)
      for (const column of columns) codes.push(column.codeAt(row))
    }
    groupOf[row] = group
  }
  const { offsets, rows } = sortByGroup(groupOf, known.size)
  return {
    count: known.size,
    code: (group, column) => codes[group * columns.length + column] ?? -1,
    group: (index) => ({ table, rows: rows.subarray(offsets[index], offsets[index + 1]) }),
  }
}

/** One number for the combination where it fits into a double exactly, else a text. */
function keyMaker(columns: readonly Column[]): (row: number) => number | string {
  const size = columns.reduce((product, column) => product * (column.cardinal + 1), 1)
  if (size > Number.MAX_SAFE_INTEGER) return (row) => columns.map((column) => column.codeAt(row)).join(',')
  return (row) => {
    let key = 0
    for (const column of columns) key = key * (column.cardinal + 1) + column.codeAt(row) + 1
    return key
  }
}

function sortByGroup(groupOf: Uint32Array, count: number) {
  const offsets = new Uint32Array(count + 1)
  for (const group of groupOf) offsets[group + 1] = (offsets[group + 1] ?? 0) + 1
  for (let group = 0; group < count; group++) offsets[group + 1] = (offsets[group + 1] ?? 0) + (offsets[group] ?? 0)
  const next = offsets.slice()
  const rows = new Uint32Array(groupOf.length)
  groupOf.forEach((group, row) => {
    const place = next[group] ?? 0
    rows[place] = row
    next[group] = place + 1
  })
  return { offsets, rows }
}
