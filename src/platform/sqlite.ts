/**
 * A thin layer over `node:sqlite`: WAL, cached prepared statements, nested transactions and named migrations.
 * One file has one writing thread; everything here is synchronous and fast.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'

export interface Migration {
  /** `<feature>-<number>`, for example `events-001`; never changed once released. */
  readonly name: string
  readonly sql: string
}

export interface DatabaseSettings {
  readonly migrations?: readonly Migration[]
  /** FULL survives a power cut after each commit, NORMAL a killed process. */
  readonly synchronous?: 'FULL' | 'NORMAL'
  readonly readOnly?: boolean
}

export interface Database {
  get<T>(sql: string, ...params: SQLInputValue[]): T | undefined
  all<T>(sql: string, ...params: SQLInputValue[]): T[]
  run(sql: string, ...params: SQLInputValue[]): { changes: number; lastId: number }
  exec(sql: string): void
  /** Runs `work` atomically; inside another transaction it becomes a savepoint, so that it can fail on its own. */
  transaction<T>(work: () => T): T
  close(): void
}

/** Pages of the log between two write-backs: the ends of indexes, which every row changes, go back once per 16 MB. */
const PAGES_PER_CHECKPOINT = 4000
const PRAGMAS = `PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = ${PAGES_PER_CHECKPOINT};`

/** Opens (and creates) a database file and brings its schema up to date. Throws what SQLite says when it cannot. */
export function openDatabase(file: string, settings: DatabaseSettings = {}): Database {
  const raw = new DatabaseSync(file, { readOnly: settings.readOnly ?? false })
  if (settings.readOnly) raw.exec('PRAGMA busy_timeout = 5000;')
  else raw.exec(`${PRAGMAS} PRAGMA synchronous = ${settings.synchronous ?? 'FULL'};`)
  const db = wrap(raw)
  if (settings.migrations) migrate(db, settings.migrations)
  return db
}

type Scope = readonly [begin: string, commit: string, rollback: string]

const savepoint = (n: number): Scope => [`SAVEPOINT s${n}`, `RELEASE s${n}`, `ROLLBACK TO s${n}; RELEASE s${n}`]
/** How a transaction begins and ends, by depth. */
const SCOPES: readonly Scope[] = [['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'], savepoint(1), savepoint(2)]

function wrap(raw: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()
  let depth = 0
  // After some errors (disk full, I/O) SQLite ends the whole transaction by itself; nothing of it may go on then.
  let lost: unknown

  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known) return known
    const statement = raw.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  function undo(rollback: string, reason: unknown): void {
    try {
      raw.exec(rollback)
    } catch {
      lost ??= reason
    }
  }

  return {
    get: <T>(sql: string, ...params: SQLInputValue[]) => (prepared(sql).get(...params) ?? undefined) as T | undefined,
    all: <T>(sql: string, ...params: SQLInputValue[]) => prepared(sql).all(...params) as T[],
    run(sql, ...params) {
      const { changes, lastInsertRowid } = prepared(sql).run(...params)
      return { changes: Number(changes), lastId: Number(lastInsertRowid) }
    },
    exec: (sql) => raw.exec(sql),
    transaction(work) {
      if (lost) throw lost
      const [begin, commit, rollback] = SCOPES[depth] ?? savepoint(depth)
      prepared(begin).run()
      depth += 1
      try {
        const result = work()
        if (lost) throw lost
        prepared(commit).run()
        return result
      } catch (error) {
        undo(rollback, error)
        throw lost ?? error
      } finally {
        depth -= 1
        if (depth === 0) lost = undefined
      }
    },
    close() {
      statements.clear()
      raw.close()
    },
  }
}

function migrate(db: Database, migrations: readonly Migration[]): void {
  db.exec('CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) WITHOUT ROWID')
  const applied = new Set(db.all<{ name: string }>('SELECT name FROM schema_migration').map((row) => row.name))
  for (const migration of migrations) {
    if (applied.has(migration.name)) continue
    db.transaction(() => {
      db.exec(migration.sql)
      db.run('INSERT INTO schema_migration VALUES (?, ?)', migration.name, new Date().toISOString())
    })
  }
}

/** Result codes that pass when somebody makes room or lets go: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. */
const STORAGE_TROUBLE = new Set([5, 6, 7, 8, 10, 13, 14])

/** True when the same work may succeed later: the disk is full or not reachable, not the statement wrong. */
export function isStorageTrouble(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { readonly errcode?: number }
  return errcode !== undefined && STORAGE_TROUBLE.has(errcode & 0xff)
}
