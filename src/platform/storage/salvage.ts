/** Copies the readable rows of a damaged database, table by table and row by row. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { dropCopy, repairedCopy } from './layout.ts'

export interface Salvaged {
  readonly rows: number
  /** Tables of which something could not be read. */
  readonly incomplete: readonly string[]
}

/**
 * Copies the rows of all tables that both databases have from the damaged file into one that has its schema already and is
 * otherwise new. A row that is there, or does not fit, is left out. Throws when the new file cannot be written.
 */
export function salvage(damagedFile: string, newFile: string): Salvaged {
  const target = new DatabaseSync(newFile, { enableForeignKeyConstraints: false })
  try {
    const tables = tablesOf(target)
    return readDamaged(damagedFile, (source) => copyAll(source, target, tables)) ?? { rows: 0, incomplete: tables }
  } finally {
    target.close()
  }
}

/** Returns the result of `work` on a damaged database, or on a repaired copy of it; null when nothing in it is readable. */
export function readDamaged<T>(file: string, work: (source: DatabaseSync) => T): T | null {
  return withSource(file, work) ?? withSource(repairedCopy(file), work)
}

/** Removes the file when it is a repaired copy. */
function withSource<T>(file: string | null, work: (source: DatabaseSync) => T): T | null {
  const source = file === null ? null : openDamaged(file)
  try {
    return source ? work(source) : null
  } finally {
    source?.close()
    if (file !== null) dropCopy(file)
  }
}

/** Opens for reading; null when nothing in it is readable. */
function openDamaged(file: string): DatabaseSync | null {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(file, { readOnly: true })
    db.prepare('SELECT count(*) FROM sqlite_master').get()
    return db
  } catch {
    db?.close()
    return null
  }
}

function copyAll(source: DatabaseSync, target: DatabaseSync, tables: readonly string[]): Salvaged {
  let rows = 0
  const incomplete: string[] = []
  target.exec('PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE')
  try {
    for (const table of tables) {
      const copied = copyTable(source, target, table)
      rows += copied.rows
      if (!copied.complete) incomplete.push(table)
    }
    keepSequences(source, target)
    target.exec('COMMIT')
  } catch (error) {
    if (target.isTransaction) target.exec('ROLLBACK')
    throw error
  }
  return { rows, incomplete }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

function tablesOf(db: DatabaseSync): string[] {
  const names = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid`).all() as {
    name: string
  }[]
  return names.map(({ name }) => name).filter((name) => !name.startsWith('sqlite_') && name !== 'schema_migration')
}

/** Longest gap of row ids that is searched. */
const FARTHEST = 2n ** 40n

interface Column {
  readonly name: string
  readonly type: string
  /** Place in the primary key, from 1; 0 = not in it. */
  readonly pk: number
}

function columnsOf(db: DatabaseSync, table: string): Column[] {
  try {
    return db.prepare(`PRAGMA table_info(${quoted(table)})`).all() as unknown as Column[]
  } catch {
    return []
  }
}

/** A damaged page loses the rows on it, and few others. */
function copyTable(source: DatabaseSync, target: DatabaseSync, table: string): { rows: number; complete: boolean } {
  const known = new Set(columnsOf(source, table).map(({ name }) => name))
  const columns = columnsOf(target, table).filter(({ name }) => known.has(name))
  if (columns.length === 0) return { rows: 0, complete: false }
  const names = columns.map(({ name }) => quoted(name)).join(', ')
  const marks = columns.map(() => '?').join(', ')
  const insert = target.prepare(`INSERT OR IGNORE INTO ${quoted(table)} (${names}) VALUES (${marks})`)
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  const number = key.length === 1 && key[0]?.type.toUpperCase() === 'INTEGER' ? key[0].name : null
  let rows = 0
  let last = 0n

  /** Reads the rows from the table alone, because indexes may be damaged too. False when it stopped at a damaged page. */
  function copy(order: 'ASC' | 'DESC', where = ''): boolean {
    const by = key.map(({ name }) => `${quoted(name)} ${order}`).join(', ') || `rowid ${order}`
    const reading = rowsOf(source, `SELECT ${names} FROM ${quoted(table)} NOT INDEXED ${where} ORDER BY ${by}`)
    for (;;) {
      const row = reading()
      if (row === 'broken') return false
      if (row === null) return true
      if (number !== null) last = row[number] as bigint
      rows += Number(insert.run(...columns.map(({ name }) => row[name] as SQLInputValue)).changes)
    }
  }

  /** Continues behind the damaged page, searching with growing steps. */
  function skip(column: string): void {
    let step = 1n
    let from = last
    while (step < FARTHEST) {
      from += step
      const before = rows
      if (copy('ASC', `WHERE ${quoted(column)} > ${from}`)) return
      if (rows > before) {
        step = 1n
        from = last
      } else step *= 2n
    }
  }

  const complete = copy('ASC')
  if (!complete && number !== null) skip(number)
  if (!complete) copy('DESC')
  return { rows, complete }
}

type Row = Record<string, unknown>

/** One row at a time; null at the end, `broken` when no more can be read. */
function rowsOf(source: DatabaseSync, sql: string): () => Row | null | 'broken' {
  let rows: Iterator<unknown>
  return () => {
    try {
      if (!rows) {
        const statement = source.prepare(sql)
        statement.setReadBigInts(true)
        rows = statement.iterate()[Symbol.iterator]()
      }
      const { done, value } = rows.next()
      return done ? null : (value as Row)
    } catch {
      return 'broken'
    }
  }
}

/** Keeps the counters of AUTOINCREMENT, so that no number is used twice. */
function keepSequences(source: DatabaseSync, target: DatabaseSync): void {
  const reading = rowsOf(source, 'SELECT name, seq FROM sqlite_sequence')
  for (let row = reading(); row !== null && row !== 'broken'; row = reading()) {
    const { name, seq } = row as { name: string; seq: bigint }
    const { changes } = target.prepare('UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?').run(seq, name)
    const isTable = target.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`).get(name)
    if (changes === 0 && isTable) target.prepare('INSERT INTO sqlite_sequence VALUES (?, ?)').run(name, seq)
  }
}
