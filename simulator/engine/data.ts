/**
 * Columnar data whose columns are pure functions of the row number: a table of any size costs nothing until a cell is
 * read, and the same row always holds the same value.
 */
import type { Json } from './json.ts'

/** A Qlik value: text, and a number when it has one (else NaN). */
export interface Dual {
  readonly text: string
  readonly num: number
}

export interface Column {
  readonly name: string
  /** Codes run from 0 to `cardinal` - 1, in load order; -1 is null. */
  readonly cardinal: number
  readonly numeric: boolean
  /** `qNumFormat` that the script gave the field; absent = unknown. */
  readonly format?: Json
  /** Absent = by `numeric`. */
  readonly tags?: readonly string[]
  codeAt(row: number): number
  symbol(code: number): Dual
  /** The number of a code without making its text; NaN for texts and for null. */
  number(code: number): number
}

export interface DataTable {
  readonly name: string
  readonly rowCount: number
  readonly columns: readonly Column[]
}

export interface DataField {
  readonly table: DataTable
  readonly column: Column
}

/** Tables stand beside each other without associations. */
export interface DataModel {
  readonly tables: readonly DataTable[]
  /** Field names are case-sensitive, as in the engine. */
  field(name: string): DataField | null
}

export function createDataModel(tables: readonly DataTable[]): DataModel {
  const fields = new Map(
    tables.flatMap((table) => table.columns.map((column) => [column.name, { table, column }] as const)),
  )
  return { tables, field: (name) => fields.get(name) ?? null }
}

/** Well-spread 32-bit hash of a row number. */
export function hash(row: number, seed: number): number {
  let h = Math.imul(row + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}

export type CodeAt = (row: number) => number

export function textColumn(name: string, values: readonly string[], codeAt: CodeAt): Column {
  return {
    name,
    cardinal: values.length,
    numeric: false,
    codeAt,
    symbol: (code) => ({ text: values[code] ?? '', num: Number.NaN }),
    number: () => Number.NaN,
  }
}

/** Numbers `offset + code * step`. */
export function numberColumn(
  name: string,
  range: { readonly cardinal: number; readonly step?: number; readonly offset?: number },
  codeAt: CodeAt,
): Column {
  const { cardinal, step = 1, offset = 0 } = range
  return {
    name,
    cardinal,
    numeric: true,
    codeAt,
    symbol: (code) => {
      const num = offset + code * step
      return { text: String(num), num }
    },
    number: (code) => (code < 0 ? Number.NaN : offset + code * step),
  }
}

/** Values with a text and a number of their own, such as months. */
export function dualColumn(name: string, values: readonly Dual[], codeAt: CodeAt): Column {
  const empty: Dual = { text: '', num: Number.NaN }
  const symbol = (code: number) => values[code] ?? empty
  return { name, cardinal: values.length, numeric: true, codeAt, symbol, number: (code) => symbol(code).num }
}

/** Tags of a field. */
export const tagsOf = ({ tags, numeric }: Column): readonly string[] =>
  tags ?? (numeric ? ['$numeric'] : ['$ascii', '$text'])

/** Texts `prefix` + number from 1. */
export function sequenceColumn(name: string, prefix: string, cardinal: number, codeAt: CodeAt): Column {
  const width = String(cardinal).length
  return {
    name,
    cardinal,
    numeric: false,
    codeAt,
    symbol: (code) => ({ text: `${prefix}${String(code + 1).padStart(width, '0')}`, num: Number.NaN }),
    number: () => Number.NaN,
  }
}

/** The rows of a table that a section access lets through. */
export function reduceTable(table: DataTable, keep: (row: number) => boolean): DataTable {
  const rows: number[] = []
  for (let row = 0; row < table.rowCount; row++) if (keep(row)) rows.push(row)
  const kept = Uint32Array.from(rows)
  return {
    name: table.name,
    rowCount: kept.length,
    columns: table.columns.map((column) => ({ ...column, codeAt: (row) => column.codeAt(kept[row] ?? 0) })),
  }
}

/** Which codes occur in a table, as one byte a code. */
export function presentCodes({ table, column }: DataField): Uint8Array {
  const present = new Uint8Array(column.cardinal)
  for (let row = 0; row < table.rowCount; row++) {
    const code = column.codeAt(row)
    if (code >= 0) present[code] = 1
  }
  return present
}
