/** Pages over large tables, newest first, in steps so that nobody else waits for a rare match. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database } from '../../platform/sqlite.ts'
import type { Where } from './where.ts'

export interface PageQuery {
  /** Everything between SELECT and WHERE; `seq` is the table's sequence number. */
  readonly select: string
  /** The column of the sequence number, like `event.seq`. */
  readonly seq: string
  /** The table that has it. */
  readonly table: string
  readonly where: Where
  /** Rows stand before this sequence number; null = from the newest. */
  readonly before: number | null
  readonly limit: number
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Sequence number of the last row when there is another page. */
  readonly next: number | null
}

/** Sequence numbers looked at before others get their turn. */
const STEP = 20_000

/** Newest first. */
export async function readPage<Row extends { readonly seq: number }>(
  db: Database,
  query: PageQuery,
): Promise<Page<Row>> {
  const { select, seq, table, where, limit } = query
  const bounds = db.get<{ least: number | null; most: number | null }>(
    // Asked for together they would be looked for in every row.
    `SELECT (SELECT min(seq) FROM ${table}) AS least, (SELECT max(seq) FROM ${table}) AS most`,
  )
  if (bounds?.least == null || bounds.most == null) return { rows: [], next: null }
  const rows: Row[] = []
  let before = Math.min(query.before ?? Number.MAX_SAFE_INTEGER, bounds.most + 1)
  while (before > bounds.least && rows.length <= limit) {
    const sql = `SELECT ${select} WHERE ${seq} < ? AND ${seq} >= ? AND ${where.sql} ORDER BY ${seq} DESC LIMIT ?`
    rows.push(...db.all<Row>(sql, before, before - STEP, ...where.values, limit + 1 - rows.length))
    before -= STEP
    await nextTurn()
  }
  const page = rows.slice(0, limit)
  return { rows: page, next: rows.length > limit ? (page.at(-1)?.seq ?? null) : null }
}
