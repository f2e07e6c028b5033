/** The content of a shipment: the rows that were noted, as they are now, without those that the server cannot store. */
import { errorText } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { INBOX_TAKEN, type NotedChange, notesUpTo } from './changes.ts'
import { type CommandAnswer, escapedKey, type RowKey, type Shipment, type Shipped, shipAsLeader } from './replica.ts'
import { createRows, type OutgoingRow, sizeOf } from './rows.ts'
import { SHARED_TABLES } from './tables.ts'

export interface Unit extends Shipment {
  /** The newest note that it has. */
  readonly last: number
}

/** A part of a unit that is in the database. */
export interface Sent extends Shipped {
  /** So many of the rows of the unit, in their order. */
  readonly rows: number
}

const STATEMENT_ROWS = 500
const STATEMENT_BYTES = 4 * 1024 * 1024
const MAX_ROW_BYTES = 8 * 1024 * 1024

interface CollectorDeps {
  readonly db: Database
  readonly pool: Pick<PostgresPool, 'query'>
  readonly log: Logger
}

export interface Collector {
  /** Everything that was noted after `after`: a part of it would show a commit by halves. */
  collect(after: number, last: number, answers: readonly CommandAnswer[]): Unit
  isShippable(row: OutgoingRow): boolean
  /** One row that the server cannot read must not keep all others here. False: there is none among them. */
  leaveOutBad(rows: readonly OutgoingRow[]): Promise<boolean>
}

export function createCollector({ db, pool, log }: CollectorDeps): Collector {
  const rowsOf = createRows(db)
  /** Rows that the server cannot store. */
  const bad = new Set<string>()

  function isShippable(row: OutgoingRow): boolean {
    if (bad.has(`${row.tbl} ${row.key}`)) return false
    if (sizeOf(row) <= MAX_ROW_BYTES) return true
    log.error(`CLUSTER A row of ${row.tbl} is larger than 8 MB and stays on this node: ${row.key}`)
    return false
  }

  function rowOf({ tbl, key }: RowKey): OutgoingRow[] {
    const row = rowsOf.get(tbl)?.read(key)
    return row && isShippable(row) ? [row] : []
  }

  return {
    isShippable,
    collect(after, last, answers) {
      const notes = notesUpTo(db, after, last)
      const found = distinct(notes.filter(({ tbl }) => tbl !== INBOX_TAKEN)).flatMap(rowOf)
      const isAged = ({ tbl, body }: OutgoingRow) => body === null && rowsOf.get(tbl)?.table.aged
      const rows = found.filter((row) => !isAged(row))
      const aged = found.filter(isAged).flatMap(withBelongings)
      const settled = notes.filter(({ tbl }) => tbl === INBOX_TAKEN).map(({ key }) => key)
      return { last, rows, settled, aged, answers: [...answers] }
    },
    async leaveOutBad(rows) {
      const before = bad.size
      for (const { tbl, key, body } of rows) {
        const error = await pool.query('SELECT $1::jsonb, $2::text', [body, escapedKey(key)]).catch((reason) => reason)
        if (!isBadValue(error)) continue
        bad.add(`${tbl} ${key}`)
        log.error(`CLUSTER A row of ${tbl} stays on this node, as the server cannot store it: ${errorText(error)}`)
      }
      return bad.size > before
    },
  }
}

/** SQLSTATE class 22: the server cannot make sense of a value. */
export const isBadValue = (error: unknown): boolean =>
  error instanceof PostgresError && (error.code?.startsWith('22') ?? false)

/** In one transaction. Null: another node leads. */
export async function send(
  { pool, node }: { readonly pool: PostgresPool; readonly node: string },
  by: { readonly token: string; readonly seenRev: number },
  unit: Unit,
): Promise<readonly Sent[] | null> {
  const chunks = inChunks(unit.rows)
  const last = chunks.length - 1
  const shipmentOf = (index: number): Shipment =>
    index === last ? { ...unit, rows: chunks[index]! } : { rows: chunks[index]!, settled: [], answers: [] }
  if (last === 0) {
    const one = await shipAsLeader(pool, node, by, shipmentOf(0))
    return one && [{ ...one, rows: unit.rows.length }]
  }
  return pool.transaction(async (tx) => {
    const done: Sent[] = []
    for (const [index, { length }] of chunks.entries()) {
      const one = await shipAsLeader(tx, node, by, shipmentOf(index))
      if (one === null) return null
      done.push({ ...one, rows: length })
    }
    return done
  })
}

/** Rows that name another one by a number of this node have its id as their key. */
const withBelongings = ({ tbl, key }: RowKey): RowKey[] => [
  { tbl, key },
  ...SHARED_TABLES.filter(({ reference }) => reference?.table === tbl).map(({ name }) => ({ tbl: name, key })),
]

function distinct(notes: readonly NotedChange[]): RowKey[] {
  const byKey = new Map(notes.toReversed().map((note) => [`${note.tbl} ${note.key}`, note]))
  return [...byKey.values()].sort((a, b) => a.seq - b.seq)
}

/** At least one, which may be empty. */
function inChunks(rows: readonly OutgoingRow[]): OutgoingRow[][] {
  const chunks: OutgoingRow[][] = [[]]
  let bytes = 0
  for (const row of rows) {
    const size = sizeOf(row)
    if (chunks.at(-1)!.length === STATEMENT_ROWS || (bytes > 0 && bytes + size > STATEMENT_BYTES)) {
      chunks.push([])
      bytes = 0
    }
    chunks.at(-1)!.push(row)
    bytes += size
  }
  return chunks
}
