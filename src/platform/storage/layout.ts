/**
 * Root pages of the tables of a database, kept in a file beside it: they make its rows readable even when its first page, or
 * the pages that describe the tables, are lost. Formats: "Database File Format" of SQLite, 1.3 (header) and 4
 * (write-ahead log).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Database } from '../sqlite.ts'

const PAGE = 4096
const REPAIRED = '.repaired'
const HEADER = { pages: 28, freeList: 32, freePages: 36 } as const
const WAL = { header: 32, frameHeader: 24, salts: 16, pageSize: 8 } as const

type Entry = readonly [type: string, name: string, table: string, rootPage: number, sql: string | null]

const layoutFile = (file: string): string => `${file}-layout`

/** Writes the layout when it has changed. Throws the error of the system. */
export function keepLayout(db: Database, file: string): void {
  const entries = db
    .all<{ type: string; name: string; tbl_name: string; rootpage: number; sql: string | null }>(
      'SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid',
    )
    .map(({ type, name, tbl_name, rootpage, sql }): Entry => [type, name, tbl_name, rootpage, sql])
  const text = JSON.stringify(entries)
  const path = layoutFile(file)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  // Atomic, because an incomplete layout is useless after a crash; a new file, never one that a link of this name leads to.
  rmSync(`${path}.new`, { force: true })
  writeFileSync(`${path}.new`, text, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}.new`, path)
}

/**
 * Makes a copy of a damaged database with a first page and a list of tables that are in order; null when it has no layout.
 * The caller removes it with `dropCopy`.
 */
export function repairedCopy(damagedFile: string): string | null {
  if (!existsSync(layoutFile(damagedFile))) return null
  const copy = `${damagedFile}${REPAIRED}`
  try {
    const entries = JSON.parse(readFileSync(layoutFile(damagedFile), 'utf8')) as readonly Entry[]
    const first = emptyPage(copy)
    copyFileSync(damagedFile, copy)
    const fd = openSync(copy, 'r+')
    try {
      applyLog(fd, `${damagedFile}-wal`)
      first.writeUInt32BE(Math.floor(fstatSync(fd).size / PAGE), HEADER.pages)
      first.writeUInt32BE(0, HEADER.freeList)
      first.writeUInt32BE(0, HEADER.freePages)
      writeSync(fd, first, 0, PAGE, 0)
    } finally {
      closeSync(fd)
    }
    describeTables(copy, entries)
    return copy
  } catch {
    dropCopy(copy)
    return null
  }
}

/** Removes the file if it is a copy of `repairedCopy`. */
export function dropCopy(file: string): void {
  if (!file.endsWith(REPAIRED)) return
  for (const companion of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${companion}`, { force: true })
}

/** Writes the pages of all complete transactions in the log to the file. */
function applyLog(fd: number, logFile: string): void {
  if (!existsSync(logFile)) return
  const log = readFileSync(logFile)
  if (log.length < WAL.header || log.readUInt32BE(WAL.pageSize) !== PAGE) return
  const salts = log.subarray(WAL.salts, WAL.salts + 8)
  let open: [page: number, content: Buffer][] = []
  for (let at: number = WAL.header; at + WAL.frameHeader + PAGE <= log.length; at += WAL.frameHeader + PAGE) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) return
    const content = at + WAL.frameHeader
    open.push([log.readUInt32BE(at), log.subarray(content, content + PAGE)])
    if (log.readUInt32BE(at + 4) === 0) continue
    for (const [page, bytes] of open) writeSync(fd, bytes, 0, PAGE, (page - 1) * PAGE)
    open = []
  }
}

/** The first page of a database without tables. */
function emptyPage(file: string): Buffer {
  const empty = new DatabaseSync(file)
  empty.exec(`PRAGMA page_size = ${PAGE}; PRAGMA user_version = 1`)
  empty.close()
  return readFileSync(file).subarray(0, PAGE)
}

/** The descriptions of tables are written to new pages behind all others. */
function describeTables(file: string, entries: readonly Entry[]): void {
  const db = new DatabaseSync(file)
  try {
    db.enableDefensive(false)
    db.exec('PRAGMA writable_schema = ON; BEGIN')
    const insert = db.prepare('INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)')
    for (const entry of entries) insert.run(...entry)
    db.exec('COMMIT')
  } finally {
    db.close()
  }
}
