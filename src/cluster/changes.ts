/**
 * Notes which rows of the shared tables were changed, in the transaction that changes them: triggers of SQLite add
 * (table, key) to `cluster_change`. They are silent while `cluster_flag` is set, which is when rows of other nodes are stored.
 */
import type { Database } from '../platform/sqlite.ts'
import { noteTriggers, TRIGGER_PREFIX } from './leave.ts'
import { SHARED_TABLES, type SharedTable, sharedRows } from './tables.ts'

/** One note; a row that was changed twice has two. */
export interface NotedChange {
  readonly seq: number
  readonly tbl: string
  readonly key: string
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS cluster_change (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, key TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS cluster_flag (one INTEGER PRIMARY KEY CHECK (one = 1), silent INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS cluster_shipped (tbl TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL,
    epoch INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS cluster_shipped_at ON cluster_shipped (at);
  CREATE TABLE IF NOT EXISTS cluster_orphan (tbl TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;
  INSERT OR IGNORE INTO cluster_flag VALUES (1, 0);`

/** The name under which the keys of settled messages are noted; no table that nodes share. */
export const INBOX_TAKEN = 'inbox_taken'

/** Makes the notes begin. Triggers of another version of Footman are replaced. */
export function installTriggers(db: Database): void {
  db.transaction(() => {
    db.exec(TABLES)
    const wanted = new Map(triggersOf(db).map((sql) => [nameOf(sql), sql]))
    for (const { name, sql } of noteTriggers(db)) {
      if (wanted.get(name) === sql) wanted.delete(name)
      else db.exec(`DROP TRIGGER ${name}`)
    }
    for (const sql of wanted.values()) db.exec(sql)
  })
}

/** Changes of `work` are not noted; in one transaction, so that the silence ends with it in any case. */
export function silently<T>(db: Database, work: () => T): T {
  return db.transaction(() => {
    db.run('UPDATE cluster_flag SET silent = silent + 1')
    const result = work()
    db.run('UPDATE cluster_flag SET silent = silent - 1')
    return result
  })
}

const nameOf = (sql: string): string => sql.split(' ', 3)[2]!

function triggersOf(db: Database): string[] {
  const taken = note(INBOX_TAKEN, 'taken', 'INSERT', `SELECT '${INBOX_TAKEN}', NEW.message_key`)
  return [taken, ...SHARED_TABLES.flatMap((table) => triggersOfTable(db, table))]
}

function triggersOfTable(db: Database, table: SharedTable): string[] {
  const { name } = table
  const columns = columnsOf(db, name)
  if (columns.length === 0) return []
  const own = new Set(table.own)
  const watched = columns.filter((column) => !own.has(column)).join(', ')
  const [before, after] = [keySql(table, 'OLD'), keySql(table, 'NEW')]
  const isNew = table.only ? ` AND ${sharedRows(table, 'NEW')}` : ''
  const wasOld = table.only ? ` AND ${sharedRows(table, 'OLD')}` : ''
  const changes = [
    note(name, 'added', 'INSERT', change(table, 'NEW'), isNew),
    note(name, 'changed', `UPDATE OF ${watched}`, change(table, 'NEW'), isNew),
  ]
  if (table.key.length === 0) return changes
  const removed = note(name, 'removed', 'DELETE', change(table, 'OLD'), wasOld)
  if (table.aged) return [...changes, removed]
  const moved = `UPDATE OF ${table.key.join(', ')}`
  return [
    ...changes,
    note(name, 'moved', moved, change(table, 'OLD'), ` AND ${before} IS NOT ${after}${wasOld}`),
    removed,
  ]
}

function note(table: string, what: string, event: string, select: string, also = ''): string {
  return `CREATE TRIGGER ${TRIGGER_PREFIX}${table}_${what} AFTER ${event} ON ${table} WHEN (SELECT silent FROM cluster_flag) = 0${also} BEGIN INSERT INTO cluster_change (tbl, key) ${select}; END`
}

function change(table: SharedTable, row: 'OLD' | 'NEW'): string {
  const { name, reference } = table
  if (!reference) return `SELECT '${name}', ${keySql(table, row)}`
  // The row that is referred to may be gone: then this one goes in the database with it.
  return `SELECT '${name}', ${reference.id} FROM ${reference.table} WHERE rowid = ${row}.${reference.column}`
}

/** The key of a row as one text: the value of a single column, else a JSON array. `row`: OLD, NEW or the table. */
export function keySql({ key, anyCase, reference }: SharedTable, row: string): string {
  if (reference) return `(SELECT ${reference.id} FROM ${reference.table} WHERE rowid = ${row}.${reference.column})`
  const parts = key.map((column) => (anyCase ? `lower(${row}.${column})` : `${row}.${column}`))
  if (parts.length === 0) return "''"
  return parts.length === 1 ? parts[0]! : `json_array(${parts.join(', ')})`
}

/** The names of the columns of a table in their order; [] for one that does not exist. */
export const columnsOf = (db: Database, table: string): string[] =>
  db.all<{ name: string }>(`SELECT name FROM pragma_table_info(?)`, table).map(({ name }) => name)

/** The notes up to `last`, oldest first. */
export const notesUpTo = (db: Database, after: number, last: number): NotedChange[] =>
  db.all<NotedChange>('SELECT seq, tbl, key FROM cluster_change WHERE seq > ? AND seq <= ? ORDER BY seq', after, last)

/** The number of the newest note ever made; 0 = none. */
export function lastNoted(db: Database): number {
  return db.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'cluster_change'")?.seq ?? 0
}
