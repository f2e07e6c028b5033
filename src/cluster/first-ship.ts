/**
 * The first shipment of a store that was that of a single node: all its shared tables, page by page between the changes of
 * the moment. Open events and deliveries go first, then the tables in their order; the position survives the process.
 */
import { type Database, storedJson } from '../platform/sqlite.ts'
import { createRows, type OutgoingRow, sizeOf } from './rows.ts'
import { SHARED_TABLES } from './tables.ts'

export interface Backlog {
  /** False once everything is shipped. */
  readonly isLeft: boolean
  /** The next rows; [] = there are none left. The same ones until `shipped`. */
  next(): readonly OutgoingRow[]
  /** The rows of `next` are in the shared database. */
  shipped(): void
}

interface Cursor {
  readonly table: string
  /** The last key that is shipped; null = none of the table. */
  readonly key: string | null
}

const CURSOR = 'cluster.first_ship'
const PAGE_ROWS = 500
const PAGE_BYTES = 4 * 1024 * 1024

const OPEN_EVENTS = `SELECT id FROM event WHERE state = 'pending'
  UNION SELECT event_id FROM delivery WHERE state IN ('pending', 'sending')`
/** In the order of their foreign keys. */
const NOTE_OPEN = [
  `INSERT INTO cluster_change (tbl, key) SELECT 'event', id FROM (${OPEN_EVENTS})`,
  `INSERT INTO cluster_change (tbl, key) SELECT 'delivery', id FROM delivery WHERE event_id IN (${OPEN_EVENTS})`,
]

/** In a transaction: the store is to be shipped, beginning with what is open. */
export function beginFirstShip(db: Database): void {
  for (const sql of NOTE_OPEN) db.run(sql)
  save(db, { table: SHARED_TABLES[0]!.name, key: null })
}

/** True while a first shipment is not complete. */
export const isFirstShipUnderWay = (db: Database): boolean => cursorOf(db) !== null

export function createBacklog(db: Database): Backlog {
  const tables = createRows(db)
  let cursor = cursorOf(db)
  let following: Cursor | null = cursor

  function next(): readonly OutgoingRow[] {
    while (cursor) {
      const rows = tables.get(cursor.table)
      const keys = rows?.keys(cursor.key, PAGE_ROWS) ?? []
      if (rows && keys.length > 0) return page(keys.map((key) => rows.read(key)))
      cursor = behind(cursor.table)
    }
    following = null
    return []
  }

  /** At least one row. */
  function page(rows: readonly OutgoingRow[]): readonly OutgoingRow[] {
    let bytes = 0
    const end = rows.findIndex((row, index) => {
      bytes += sizeOf(row)
      return index > 0 && bytes > PAGE_BYTES
    })
    const taken = end < 0 ? rows : rows.slice(0, end)
    following = { table: cursor!.table, key: taken.at(-1)!.key }
    return taken.filter(({ body }) => body !== null)
  }

  return {
    get isLeft() {
      return cursor !== null
    },
    next,
    shipped() {
      cursor = following
      if (cursor) save(db, cursor)
      else db.run('DELETE FROM meta WHERE key = ?', CURSOR)
    },
  }
}

function behind(table: string): Cursor | null {
  const next = SHARED_TABLES[SHARED_TABLES.findIndex(({ name }) => name === table) + 1]
  return next ? { table: next.name, key: null } : null
}

const save = (db: Database, cursor: Cursor): unknown =>
  db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', CURSOR, JSON.stringify(cursor))

const cursorOf = (db: Database): Cursor | null =>
  storedJson<Cursor | null>(db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', CURSOR)?.value, null)
