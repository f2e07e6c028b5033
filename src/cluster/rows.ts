/**
 * Rows of the shared tables as they cross: the JSON of their columns by name, and the bytes of one column beside it. Reads
 * them from and writes them to the SQLite of this node.
 */
import { Buffer } from 'node:buffer'
import type { SQLInputValue } from 'node:sqlite'
import { ownJson } from '../platform/json.ts'
import type { Database } from '../platform/sqlite.ts'
import { columnsOf, keySql } from './changes.ts'
import { SHARED_TABLES, type SharedTable, sharedRows } from './tables.ts'

/** A row as it ships. `body` null = the row is gone. */
export interface OutgoingRow {
  readonly tbl: string
  readonly key: string
  /** JSON */
  readonly body: string | null
  readonly blob: Uint8Array | null
}

/** In bytes, as far as texts are ASCII. */
export const sizeOf = ({ body, blob }: OutgoingRow): number => (body?.length ?? 0) + (blob?.byteLength ?? 0)

/** A row as the shared database has it. */
export interface IncomingRow {
  readonly tbl: string
  readonly key: string
  readonly deleted: boolean
  readonly body: Readonly<Record<string, unknown>>
  readonly blob: Uint8Array | null
}

/** The rows of one shared table here. */
export interface TableRows {
  readonly table: SharedTable
  read(key: string): OutgoingRow
  /** Keys after `after` (null = from the beginning) in the order of their columns, as many as `limit`. */
  keys(after: string | null, limit: number): string[]
  /** The value of a column, or of another SQL expression over the row, as it is here; undefined = no such row. */
  value(key: string, expression: string): unknown
  /** True when the row is here, and is added to the database though only a leader changes those of its table. */
  stays(key: string): boolean
  /** Adds or changes the row, or removes it. Rows in its way are removed: their newer versions follow. */
  write(row: IncomingRow): void
  /** True when the row names one of another table that is not here. */
  isOrphan(key: string): boolean
  remove(key: string): void
}

/** The tables that this store has. A table of a newer version is not among them. */
export function createRows(db: Database): ReadonlyMap<string, TableRows> {
  const known = SHARED_TABLES.map((table) => [table, columnsOf(db, table.name)] as const)
  return new Map(
    known
      .filter(([, columns]) => columns.length > 0)
      .map(([table, columns]) => [table.name, rowsOf(db, table, columns)]),
  )
}

function rowsOf(db: Database, table: SharedTable, columns: readonly string[]): TableRows {
  const { name, key, blob, reference, stays = 'false', computed = {} } = table
  const own = new Set([...(table.own ?? []), ...(reference ? [reference.column] : [])])
  const shared = columns.filter((column) => !own.has(column))
  const localKey = reference ? [reference.column] : key
  const isNumber = numericColumns(db, name)
  const where = localKey.length > 0 ? `WHERE ${localKey.map((column) => `${column} = ?`).join(' AND ')}` : ''
  const parents = db.all<Parent>(`SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)`, name)
  const orphaned = parents.map(
    ({ table: parent, from, to }) => `SELECT 1 FROM ${name} AS child ${where}
      AND NOT EXISTS (SELECT 1 FROM ${parent} AS parent WHERE parent.${to} = child.${from})`,
  )
  const SQL = {
    read: `SELECT ${shared.join(', ')} FROM ${name} ${where}`,
    remove: `DELETE FROM ${name} ${where}`,
    keys: `SELECT ${keySql(table, name)} AS key FROM ${name} WHERE ${sharedRows(table, name)}`,
    order: localKey.length > 0 ? `ORDER BY ${localKey.join(', ')}` : '',
    after: `(${localKey.join(', ')}) > (${localKey.map(() => '?').join(', ')})`,
  }

  /** The values of the key columns; null when the row that it refers to is not here. */
  function partsOf(text: string): SQLInputValue[] | null {
    if (reference) {
      const sql = `SELECT rowid AS id FROM ${reference.table} WHERE ${reference.id} = ?`
      const found = db.get<{ id: number }>(sql, text)
      return found ? [found.id] : null
    }
    if (key.length === 0) return []
    if (key.length > 1) return ownJson<SQLInputValue[]>(text)
    return [isNumber.has(key[0]!) ? Number(text) : text]
  }

  function read(text: string): OutgoingRow {
    const parts = partsOf(text)
    const row = parts && db.get<Record<string, unknown>>(SQL.read, ...parts)
    if (!row) return { tbl: name, key: text, body: null, blob: null }
    const bytes = blob === undefined ? null : (row[blob] as Uint8Array | null)
    const body: Record<string, unknown> = {}
    for (const column of shared) body[column] = column === blob ? bytes !== null : encoded(row[column])
    if (reference) body[reference.as] = encoded(text)
    return { tbl: name, key: text, body: JSON.stringify(body), blob: bytes }
  }

  function value(text: string, expression: string): unknown {
    const parts = partsOf(text)
    return parts && db.get<{ value: unknown }>(`SELECT ${expression} AS value FROM ${name} ${where}`, ...parts)?.value
  }

  const computedColumns = Object.keys(computed)
  const statementsOf = (known: readonly string[]): Statements => {
    const names = [...known, ...(reference ? [reference.column] : [])]
    const values = [...names.map(() => '?'), ...computedColumns.map((column) => `(${computed[column]})`)]
    return {
      known,
      update: `UPDATE OR REPLACE ${name} SET ${known.map((column) => `${column} = ?`).join(', ')} ${where}`,
      insert: `INSERT OR REPLACE INTO ${name} (${[...names, ...computedColumns].join(', ')}) VALUES (${values.join(', ')})`,
    }
  }
  const ofThisVersion = statementsOf(shared)

  function write({ key: text, deleted, body, blob: bytes }: IncomingRow): void {
    const parts = partsOf(text)
    if (parts === null) return
    if (deleted) {
      db.run(SQL.remove, ...parts)
      return
    }
    // Columns of a newer version are left out, and an older one has fewer.
    const isComplete = shared.every((column) => column in body)
    const { known, update, insert } = isComplete
      ? ofThisVersion
      : statementsOf(shared.filter((column) => column in body))
    const values = known.map((column) => (column === blob ? (body[column] ? bytes : null) : decoded(body[column])))
    const { changes } = db.run(update, ...values, ...parts)
    if (changes > 0) return
    db.run(insert, ...values, ...(reference ? parts : []), ...computedColumns.map(() => parts[0]!))
  }

  return {
    table,
    read,
    write,
    keys(after, limit) {
      const parts = after === null ? [] : partsOf(after)
      if (after !== null && (parts === null || parts.length === 0)) return []
      const sql = `${SQL.keys} ${after === null ? '' : `AND ${SQL.after}`} ${SQL.order} LIMIT ?`
      return db.all<{ key: unknown }>(sql, ...parts!, limit).map((row) => String(row.key))
    },
    value,
    stays: (text) => value(text, stays) === 1,
    isOrphan(text) {
      if (orphaned.length === 0) return false
      const parts = partsOf(text)
      if (parts === null) return false
      return orphaned.some((sql) => db.get(sql, ...parts) !== undefined)
    },
    remove(text) {
      const parts = partsOf(text)
      if (parts) db.run(SQL.remove, ...parts)
    },
  }
}

interface Statements {
  /** The columns whose values are given. */
  readonly known: readonly string[]
  readonly update: string
  readonly insert: string
}

interface Parent {
  readonly table: string
  readonly from: string
  readonly to: string
}

const numericColumns = (db: Database, table: string): ReadonlySet<string> =>
  new Set(
    db
      .all<{ name: string }>(`SELECT name FROM pragma_table_info(?) WHERE type = 'INTEGER'`, table)
      .map(({ name }) => name),
  )

/** JSON of the server has no sign for the character 0, and JSON none for bytes. */
function encoded(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') }
  if (typeof value === 'string' && value.includes('\u0000')) return { text: Buffer.from(value).toString('base64') }
  return value
}

function decoded(value: unknown): SQLInputValue {
  if (value === null || typeof value !== 'object') return value as SQLInputValue
  const { bytes, text } = value as { readonly bytes?: string; readonly text?: string }
  if (bytes !== undefined) return Buffer.from(bytes, 'base64')
  return Buffer.from(text ?? '', 'base64').toString()
}
