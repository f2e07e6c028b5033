/** Shared by the lists of events and deliveries: their conditions, and pages over large tables. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { cursorOf, DEFAULT_LIMIT, positionInCursor } from '../../http/endpoint/list-query.ts'
import { refusal } from '../../http/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import { isGuid } from '../../platform/uuid.ts'

interface PagePosition {
  /** Rows stand before this sequence number; null = from the newest. */
  readonly before: number | null
  readonly limit: number
}

/** Throws 400 `INVALID_CURSOR`. */
export function pageOf({ cursor, limit = DEFAULT_LIMIT }: PageParameters): PagePosition {
  return { before: positionInCursor(cursor), limit }
}

interface PageParameters {
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

/** A page as it is answered: without the sequence numbers of its rows. */
export function answered<Row extends { readonly seq: number }>({ rows, next, partial }: Page<Row>) {
  return {
    rows: rows.map(({ seq, ...row }) => row),
    nextCursor: next === null ? null : cursorOf(next),
    partial,
  }
}

/** The id in the path, lower case. Throws 400 `INVALID_ID`. */
export function idOf({ id }: { readonly id: string }): string {
  if (isGuid(id)) return id.toLowerCase()
  throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`)
}

export interface PageQuery extends PagePosition {
  /** Everything between SELECT and WHERE; `seq` is the table's sequence number. */
  readonly select: string
  /** The column of the sequence number, like `event.seq`. */
  readonly seq: string
  /** The table that has it. */
  readonly table: string
  readonly where: Where
  /** The indexed column of the time by which rows are added, and the times that are asked for, [from, to). */
  readonly times?: { readonly column: string; readonly from: number | null; readonly to: number | null }
  /** Milliseconds after which the search ends; default 80. */
  readonly budgetMs?: number
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** The next page has rows before this sequence number; null = there is none. */
  readonly next: number | null
  /** The time was over before the page was full. */
  readonly partial: boolean
}

/** Sequence numbers that the first step reads; between steps the event loop turns. */
const STEP = 20_000
/** A step that is shorter is followed by a longer one: it has used an index. */
const SHORT_MS = 5
const BUDGET_MS = 80
/** Rows may be added so much later than others with a later time. */
const DISORDER = 20_000

/** A page of rows, newest first. A rare match neither blocks other work nor takes longer than the budget. */
export async function readPage<Row extends { readonly seq: number }>(
  db: Database,
  query: PageQuery,
): Promise<Page<Row>> {
  const { select, seq, where, limit } = query
  const sql = `SELECT ${select} WHERE ${seq} < ? AND ${seq} >= ? AND ${where.sql} ORDER BY ${seq} DESC LIMIT ?`
  const rows: Row[] = []
  let next: number | null = null
  for await (const { before, from, isLast } of windowsOf(db, query)) {
    rows.push(...db.all<Row>(sql, before, from, ...where.values, limit + 1 - rows.length))
    if (rows.length > limit) {
      const page = rows.slice(0, limit)
      return { rows: page, next: page.at(-1)?.seq ?? null, partial: false }
    }
    next = isLast ? null : from
  }
  return { rows, next, partial: next !== null }
}

type Search = Pick<PageQuery, 'table' | 'times' | 'before' | 'budgetMs'>

interface SearchWindow {
  /** Exclusive. */
  readonly before: number
  /** Inclusive. */
  readonly from: number
  /** Nothing is older. */
  readonly isLast: boolean
}

/** The sequence numbers to be searched, newest first, a part at a time; ends when the budget is over. */
export async function* windowsOf(db: Database, search: Search): AsyncGenerator<SearchWindow, void> {
  const bounds = boundsOf(db, search)
  if (!bounds) return
  const end = performance.now() + (search.budgetMs ?? BUDGET_MS)
  let before = Math.min(search.before ?? Number.MAX_SAFE_INTEGER, bounds.most + 1)
  let step = STEP
  while (before > bounds.least) {
    const began = performance.now()
    const from = Math.max(before - step, bounds.least)
    yield { before, from, isLast: from === bounds.least }
    const ended = performance.now()
    if (ended > end) return
    if (ended - began < SHORT_MS) step *= 4
    before = from
    await nextTurn()
  }
}

/** The sequence numbers among which the rows of the page are; null when there are no rows. */
function boundsOf(db: Database, { table, times }: Search): { readonly least: number; readonly most: number } | null {
  const all = db.get<{ least: number | null; most: number | null }>(
    // In one SELECT, SQLite would read every row for both.
    `SELECT (SELECT min(seq) FROM ${table}) AS least, (SELECT max(seq) FROM ${table}) AS most`,
  )
  if (all?.least == null || all.most == null) return null
  let { least, most } = all
  // Times and sequence numbers rise together but for small disorder, so that a few rows at each end show where to look.
  const edge = (which: 'min' | 'max', holds: string, order: string, value: number) =>
    db.get<{ seq: number | null }>(
      `SELECT ${which}(seq) AS seq FROM (SELECT seq FROM ${table} WHERE ${times?.column} ${holds} ?
         ORDER BY ${times?.column} ${order} LIMIT ${DISORDER})`,
      value,
    )?.seq
  if (times && times.from !== null) least = edge('min', '>=', 'ASC', times.from) ?? most + 1
  if (times && times.to !== null) most = edge('max', '<', 'DESC', times.to) ?? least - 1
  return least > most ? null : { least, most }
}

export interface Where {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

/** One condition; null = every row fulfils it. */
export type Condition = Where | null

/** All conditions that are not null. */
export function allOf(conditions: readonly Condition[]): Where {
  const given = conditions.filter((condition) => condition !== null)
  if (given.length === 0) return { sql: '1', values: [] }
  return {
    sql: given.map(({ sql }) => `(${sql})`).join(' AND '),
    values: given.flatMap(({ values }) => values),
  }
}

/** The column is one of the values; without a list, any value. */
export function oneOf(column: string, values: readonly string[] | null | undefined): Condition {
  if (!values) return null
  return { sql: `${column} IN (${values.map(() => '?').join(', ')})`, values }
}

/** `oneOf` for ids in the cases in which they are written; uses an index of the column. */
export function oneOfIds(column: string, ids: readonly string[] | null | undefined): Condition {
  return oneOf(column, ids && [...new Set(ids.flatMap((id) => [id, id.toLowerCase(), id.toUpperCase()]))])
}

/** `oneOf` for ids and names that ignore case. */
export function oneOfIgnoringCase(column: string, values: readonly string[] | null | undefined): Condition {
  if (!values) return null
  return { sql: `${column} COLLATE NOCASE IN (${values.map(() => '?').join(', ')})`, values }
}

/** `oneOf` for a column whose index leaves out the most frequent value. */
export function oneOfRare(column: string, values: readonly string[] | null | undefined, frequent: string): Condition {
  const condition = oneOf(column, values)
  if (!condition || values?.includes(frequent)) return condition
  // SQLite uses the index only where the condition of the index stands in the query.
  return { sql: `${condition.sql} AND ${column} <> '${frequent}'`, values: condition.values }
}

/** From inclusive, to exclusive; milliseconds since 1970. */
export function between(column: string, from: number | null, to: number | null): Condition {
  return allOf([
    from === null ? null : { sql: `${column} >= ?`, values: [from] },
    to === null ? null : { sql: `${column} < ?`, values: [to] },
  ])
}

/** One of the columns holds the text, ignoring case. */
export function holds(columns: readonly string[], text: string | undefined): Condition {
  if (!text) return null
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  return {
    sql: columns.map((column) => `${column} LIKE ? ESCAPE '\\'`).join(' OR '),
    values: columns.map(() => pattern),
  }
}
