/** Empties the store of a node of all that nodes share, so that it reads the database anew. */
import { type Database, openDatabase } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { backUp, type UpgradableDatabase } from '../platform/upgrade.ts'
import { columnsOf, installTriggers, silently } from './changes.ts'
import { readIdentity, storeIdentity } from './identity.ts'
import { SHARED_TABLES, sharedRows } from './tables.ts'

export interface ResetSettings {
  readonly dataDirectory: string
  readonly store: UpgradableDatabase
  readonly backupDirectory: string
  readonly version: string
}

/** The position of the node in the shared database, and the rows that it still has to add. */
const FORGOTTEN = ['cluster.applied', 'cluster.first_ship', 'cluster.returning', 'cluster.tables']

/**
 * For a database that was put back to an earlier state on purpose: nothing of what this node knows better is added to it.
 * Saves the store first. Must run before the store is opened, in the process that holds the lock. Throws errors of SQLite.
 */
export function resetShared(log: Logger, { dataDirectory, store, backupDirectory, version }: ResetSettings): void {
  const db = openDatabase(store.file, { migrations: store.migrations })
  try {
    const saved = backUp(db, { directory: backupDirectory, name: store.name, version, now: Date.now() })
    emptyShared(db)
    log.warn(`CLUSTER The shared rows of this node are removed, and are read from the database anew; saved as ${saved}`)
  } finally {
    db.close()
  }
  // Another server is expected.
  storeIdentity(dataDirectory, { ...readIdentity(dataDirectory), timeline: null, history: null })
}

function emptyShared(db: Database): void {
  installTriggers(db)
  db.exec('PRAGMA foreign_keys = OFF')
  silently(db, () => {
    // A table of one row keeps it until that of the database comes.
    const tables = SHARED_TABLES.filter(({ name, key }) => key.length > 0 && columnsOf(db, name).length > 0)
    for (const table of tables) db.run(`DELETE FROM ${table.name} WHERE ${sharedRows(table, table.name)}`)
    for (const name of ['cluster_change', 'cluster_shipped', 'cluster_orphan', 'inbox_taken'])
      db.run(`DELETE FROM ${name}`)
    for (const key of FORGOTTEN) db.run('DELETE FROM meta WHERE key = ?', key)
  })
  db.exec('PRAGMA foreign_keys = ON')
}
