/**
 * A thin layer over `node:sqlite`: WAL, cached prepared statements, nested transactions and named migrations.
 * One file has one writing thread; everything here is synchronous and fast.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { keepPrivate } from './private-file.ts'
import { VERSION } from './version.ts'

export interface Migration {
  /** `<feature>-<number>`, for example `events-001`; never changed once released. */
  readonly name: string
  readonly sql: string
}

export interface DatabaseSettings {
  readonly migrations?: readonly Migration[]
  /** FULL survives a power cut after each commit, NORMAL a killed process. */
  readonly synchronous?: 'FULL' | 'NORMAL'
  /** `untouched`: nothing is left behind in the folder either, which may be that of another account. */
  readonly readOnly?: boolean | 'untouched'
  /** The Footman that is noted when migrations are made; default: this one. */
  readonly version?: string
  /** Called when the storage fails a statement: disk full, file gone or damaged. True = repaired, a read may be retried. */
  readonly onFailure?: (error: unknown) => boolean
}

/**
 * A statement is prepared once and kept. But SQLite makes a new plan at every call of one that compares with a parameter and
 * sorts (`a = ? ORDER BY b`, `max(b)`), or has `LIMIT ?`, as it looks at the value for its plan: 3 to 30 times the time of the
 * look-up itself. Statements that run for every event hide the value from the plan: `a = +? ORDER BY b LIMIT +?`.
 */
export interface Database {
  get<T>(sql: string, ...params: SQLInputValue[]): T | undefined
  all<T>(sql: string, ...params: SQLInputValue[]): T[]
  run(sql: string, ...params: SQLInputValue[]): { changes: number; lastId: number }
  exec(sql: string): void
  /** Runs `work` atomically; inside another transaction it becomes a savepoint, so that it can fail on its own. */
  transaction<T>(work: () => T): T
  /** Closes the file; every use fails from then on. */
  close(): void
}

/** A database whose file can be replaced while it is in use. */
export interface FileDatabase extends Database {
  /**
   * Opens the file that is at the path now (a new database when there is none), migrates it and uses it from then on. Throws
   * the error of SQLite when it cannot, and keeps the previous file. Not inside a transaction.
   */
  reopen(): void
  /** Gives the memory of cached pages back. Never throws. */
  shrink(): void
  /** Writes fail with this error from now on; null = they are accepted again. Reads continue. */
  refuseWrites(reason: Error | null): void
}

/** Pages of the log between two write-backs: the ends of indexes, which every row changes, go back once per 16 MB. */
const PAGES_PER_CHECKPOINT = 4000
const PRAGMAS = `PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = ${PAGES_PER_CHECKPOINT};`

const IN_MEMORY = ':memory:'

/** Opens (and creates) a database file and brings its schema up to date. Throws the error of SQLite when it cannot. */
export function openDatabase(file: string, settings: DatabaseSettings = {}): FileDatabase {
  const opened = openFile(file, settings)
  return wrap(opened, () => openFile(file, settings), settings.onFailure ?? (() => false))
}

function openFile(file: string, settings: DatabaseSettings): DatabaseSync {
  const { readOnly = false } = settings
  const raw = new DatabaseSync(readOnly === 'untouched' ? untouched(file) : file, { readOnly: readOnly !== false })
  try {
    if (settings.readOnly) raw.exec('PRAGMA busy_timeout = 5000;')
    else {
      // Before anything is in it. Its companions take over the mode.
      if (file !== IN_MEMORY) keepPrivate(file)
      raw.exec(`${PRAGMAS} PRAGMA synchronous = ${settings.synchronous ?? 'FULL'};`)
    }
    if (settings.migrations) migrate(wrap(raw), settings.migrations, settings.version ?? VERSION)
    return raw
  } catch (error) {
    raw.close()
    throw error
  }
}

/** A reader creates `-wal` and `-shm` when no other process has the database open, but not for an immutable database. */
function untouched(file: string): string {
  if (existsSync(`${file}-wal`)) return file
  const { host, pathname } = pathToFileURL(file)
  return `file:${host === '' ? '' : `////${host}`}${pathname}?immutable=1`
}

type Scope = readonly [begin: string, commit: string, rollback: string]

const savepoint = (n: number): Scope => [`SAVEPOINT s${n}`, `RELEASE s${n}`, `ROLLBACK TO s${n}; RELEASE s${n}`]
/** How a transaction begins and ends, by depth. */
const SCOPES: readonly Scope[] = [['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'], savepoint(1), savepoint(2)]

function wrap(
  opened: DatabaseSync,
  open: () => DatabaseSync = () => opened,
  onFailure: (error: unknown) => boolean = () => false,
): FileDatabase {
  const statements = new Map<string, StatementSync>()
  let raw: DatabaseSync | null = opened
  let refusal: Error | null = null
  let depth = 0
  // After some errors (disk full, I/O) SQLite ends the whole transaction by itself; nothing of it may go on then.
  let lost: unknown

  const handle = (): DatabaseSync => {
    if (!raw) throw new StorageError('the database is not open')
    return raw
  }

  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known) return known
    const statement = handle().prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  /** True when the failed statement may be retried at once. */
  function isRepaired(error: unknown): boolean {
    return depth === 0 && isStorageFailure(error) && onFailure(error)
  }

  function undo(rollback: string, reason: unknown): void {
    try {
      handle().exec(rollback)
    } catch {
      lost ??= reason
    }
  }

  function inScope<T>([begin, commit, rollback]: Scope, work: () => T): T {
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
  }

  function close(): void {
    statements.clear()
    raw?.close()
    raw = null
  }

  return {
    get<T>(sql: string, ...params: SQLInputValue[]) {
      try {
        return (prepared(sql).get(...params) ?? undefined) as T | undefined
      } catch (error) {
        if (!isRepaired(error)) throw error
        return (prepared(sql).get(...params) ?? undefined) as T | undefined
      }
    },
    all<T>(sql: string, ...params: SQLInputValue[]) {
      try {
        return prepared(sql).all(...params) as T[]
      } catch (error) {
        if (!isRepaired(error)) throw error
        return prepared(sql).all(...params) as T[]
      }
    },
    run(sql, ...params) {
      if (refusal && depth === 0) throw refusal
      try {
        const { changes, lastInsertRowid } = prepared(sql).run(...params)
        return { changes: Number(changes), lastId: Number(lastInsertRowid) }
      } catch (error) {
        isRepaired(error)
        throw error
      }
    },
    exec: (sql) => handle().exec(sql),
    transaction(work) {
      if (lost) throw lost
      if (refusal && depth === 0) throw refusal
      try {
        return inScope(SCOPES[depth] ?? savepoint(depth), work)
      } catch (error) {
        isRepaired(error)
        throw error
      }
    },
    close,
    reopen() {
      if (depth > 0) throw new Error('A database cannot be opened anew inside a transaction')
      const next = open()
      close()
      raw = next
      refusal = null
    },
    shrink: () => raw?.exec('PRAGMA shrink_memory'),
    refuseWrites(reason) {
      refusal = reason
    },
  }
}

/** Names of the migrations that a database has; [] for a new one. */
export function appliedMigrations(db: Database): string[] {
  if (!db.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'")) return []
  return db.all<{ name: string }>('SELECT name FROM schema_migration').map((row) => row.name)
}

/** All of them or none: a database is never between two layouts. */
function migrate(db: Database, migrations: readonly Migration[], version: string): void {
  const applied = new Set(appliedMigrations(db))
  const pending = migrations.filter(({ name }) => !applied.has(name))
  if (pending.length === 0) return
  db.transaction(() => {
    db.exec(
      'CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) WITHOUT ROWID',
    )
    for (const { name, sql } of pending) {
      db.exec(sql)
      db.run('INSERT INTO schema_migration VALUES (?, ?)', name, new Date().toISOString())
    }
    noteWriter(db, version)
  })
}

/** Notes that a version of Footman writes to the database from now on. */
export function noteWriter(db: Database, version: string): void {
  db.exec('CREATE TABLE IF NOT EXISTS written_by (version TEXT PRIMARY KEY, since TEXT NOT NULL) WITHOUT ROWID')
  db.run('INSERT OR REPLACE INTO written_by VALUES (?, ?)', version, new Date().toISOString())
}

/** The version of Footman that wrote to the database last; '' when it does not say. */
export function lastWriter(db: Database): string {
  if (!db.get("SELECT 1 FROM sqlite_schema WHERE name = 'written_by'")) return ''
  return db.get<{ version: string }>('SELECT version FROM written_by ORDER BY since DESC LIMIT 1')?.version ?? ''
}

/** CORRUPT and NOTADB: the file is damaged. A damaged file is replaced, so this passes like the others. */
const CORRUPT = 11
const DAMAGE = new Set([CORRUPT, 26])
/** Result codes of temporary conditions: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. */
const STORAGE_FAILURES = new Set([5, 6, 7, 8, 10, 13, 14, ...DAMAGE])
/** Those that have nothing to do with the file: BUSY, LOCKED, NOMEM. */
const PASSING = new Set([5, 6, 7])

const codeOf = (error: unknown): number | null => {
  const { errcode, message = '' } = (error ?? {}) as { readonly errcode?: number; readonly message?: string }
  // A header that names an unknown version of the file format comes with the code of a wrong statement.
  if (errcode === 1 && message.includes('unsupported file format')) return CORRUPT
  return errcode === undefined ? null : errcode & 0xff
}

/** Has the code of an SQLite error: the file cannot be used now (CANTOPEN). */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly errcode = 14
}

/** Has the code of an SQLite error: the file is damaged (CORRUPT). */
export class DamageError extends Error {
  override readonly name = 'DamageError'
  readonly errcode = 11
}

/** True when the same work may succeed later: the disk is full or not reachable, not the statement wrong. */
export function isStorageFailure(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && STORAGE_FAILURES.has(code)
}

/** True for a failure of disk or file; false for a lock held by another connection. */
export function isDiskFailure(error: unknown): boolean {
  return isStorageFailure(error) && !PASSING.has(codeOf(error) ?? 0)
}

/** True when the file itself is damaged. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && DAMAGE.has(code)
}

/** Removes records of one kind that are older than their retention time. */
export interface Pruning {
  readonly keepMs: number
  /** Removes up to `limit` records older than `before`, in milliseconds since 1970; returns how many. */
  purge(db: Database, before: number, limit: number): number
}

/**
 * Parses a value that was stored as JSON. Returns `absent` when there is none, or when a failing disk has damaged it: the
 * other rows must stay readable.
 */
export function storedJson<T>(json: unknown, absent: T): T {
  if (typeof json !== 'string') return absent
  try {
    return JSON.parse(json) as T
  } catch {
    return absent
  }
}
