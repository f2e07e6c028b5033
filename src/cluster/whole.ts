/** Reads tables of the shared database as a whole, where the changes since the last position are not all that is needed. */
import type { Queryable } from '../platform/postgres/types.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type { Applier } from './apply.ts'
import { columnsOf, silently } from './changes.ts'
import { readTable } from './replica.ts'
import { SHARED_TABLES } from './tables.ts'

const KNOWN = 'cluster.tables'

/** The columns by table with which this store has followed until now. */
type KnownColumns = Readonly<Record<string, readonly string[]>>

/** Tables that an upgrade has added or given new columns: what other nodes have in these was left out. */
export function grownTables(db: Database): readonly string[] {
  const stored = db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', KNOWN)?.value
  const known = storedJson<KnownColumns | null>(stored, null)
  if (known === null) return []
  return Object.entries(columnsNow(db))
    .filter(([table, columns]) => columns.some((column) => !known[table]?.includes(column)))
    .map(([table]) => table)
}

/** From now on nothing of these tables and columns is missing. */
export function saveKnownTables(db: Database): void {
  const columns = JSON.stringify(columnsNow(db))
  const stored = db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', KNOWN)?.value
  if (stored !== columns) db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', KNOWN, columns)
}

const columnsNow = (db: Database): KnownColumns =>
  Object.fromEntries(
    SHARED_TABLES.map(({ name }) => [name, columnsOf(db, name)] as const).filter(([, columns]) => columns.length > 0),
  )

/** Stores all rows of the table; returns their keys. Rejects with a `PostgresError`. */
export async function readWhole(pool: Queryable, applier: Applier, table: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  let after: string | null = null
  for (;;) {
    const rows = await readTable(pool, table, after)
    if (rows.length === 0) return keys
    applier.apply(rows, null)
    for (const { key } of rows) keys.add(key)
    after = rows.at(-1)!.key
  }
}

/** Removes rows that only a leader makes and that the database does not have. */
export function removeOthers(db: Database, applier: Applier, table: string, keys: ReadonlySet<string>): void {
  const rows = applier.tables.get(table)
  if (rows?.table.class !== 'leader' || rows.table.key.length === 0) return
  const missing = rows.keys(null, Number.MAX_SAFE_INTEGER).filter((key) => !keys.has(key))
  if (missing.length > 0) silently(db, () => missing.forEach(rows.remove))
}
