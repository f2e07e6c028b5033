/** Stores rows of the shared database here, with the position up to which they are known, in one transaction. */
import type { Database } from '../platform/sqlite.ts'
import { silently } from './changes.ts'
import { deliveryRank, type ReplicaRow } from './replica.ts'
import { createRows, type TableRows } from './rows.ts'

export interface Applier {
  /** The position that is stored; 0 = none. */
  readonly position: number
  /**
   * Stores rows in their order, and the position when it is given. Returns the tables that it changed. Own changes whose notes
   * are up to `forget` are not newer than the rows; the notes are removed.
   */
  apply(rows: readonly ReplicaRow[], position: number | null, forget?: number): Set<string>
  /** Stores that all rows up to here are known; removes rows that have lost the one they belong to. */
  atHead(position: number): void
  readonly tables: ReadonlyMap<string, TableRows>
}

const POSITION = 'cluster.applied'

export function createApplier(db: Database): Applier {
  const tables = createRows(db)
  let position = Number(db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', POSITION)?.value ?? 0)

  function savePosition(next: number): void {
    if (next === position) return
    db.run(
      'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      POSITION,
      String(next),
    )
  }

  /** Own changes that are not shipped yet are newer, unless the delivery has come further elsewhere. */
  function isOlder({ tbl, key, body }: ReplicaRow, rows: TableRows, noted: ReadonlySet<string>): boolean {
    if (rows.table.class !== 'union' || !noted.has(`${tbl} ${key}`)) return false
    const here = rows.value(key, tbl === 'delivery' ? 'state' : '1')
    if (here === undefined) return false
    return tbl !== 'delivery' || deliveryRank(here) >= deliveryRank(body.state)
  }

  function store(rows: readonly ReplicaRow[]): Set<string> {
    const changed = new Set<string>()
    const noted = notedKeys(db)
    for (const row of rows) {
      const table = tables.get(row.tbl)
      if (!table || isOlder(row, table, noted)) continue
      table.write(row)
      changed.add(row.tbl)
      if (!row.deleted && table.isOrphan(row.key)) {
        db.run('INSERT OR IGNORE INTO cluster_orphan VALUES (?, ?)', row.tbl, row.key)
      }
    }
    return changed
  }

  function removeOrphans(): void {
    const orphans = db.all<{ tbl: string; key: string }>('SELECT tbl, key FROM cluster_orphan')
    for (const { tbl, key } of orphans) {
      const table = tables.get(tbl)
      if (table?.isOrphan(key)) table.remove(key)
    }
    if (orphans.length > 0) db.run('DELETE FROM cluster_orphan')
  }

  return {
    tables,
    get position() {
      return position
    },
    apply(rows, next, forget = 0) {
      const changed = withoutForeignKeys(db, () =>
        silently(db, () => {
          if (forget > 0) db.run('DELETE FROM cluster_change WHERE seq <= ?', forget)
          const stored = store(rows)
          if (next !== null) savePosition(next)
          return stored
        }),
      )
      if (next !== null) position = next
      return changed
    },
    atHead(head) {
      const hasOrphans = db.get('SELECT 1 FROM cluster_orphan LIMIT 1') !== undefined
      if (head === position && !hasOrphans) return
      silently(db, () => {
        removeOrphans()
        savePosition(head)
      })
      position = head
    },
  }
}

/** Rows come in the order of their last change, in which a row may stand before the one that it belongs to. */
function withoutForeignKeys<T>(db: Database, work: () => T): T {
  db.exec('PRAGMA foreign_keys = OFF')
  try {
    return work()
  } finally {
    db.exec('PRAGMA foreign_keys = ON')
  }
}

const notedKeys = (db: Database): ReadonlySet<string> =>
  new Set(
    db.all<{ tbl: string; key: string }>('SELECT tbl, key FROM cluster_change').map(({ tbl, key }) => `${tbl} ${key}`),
  )
