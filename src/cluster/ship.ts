/**
 * Ships the rows that a leader has changed: what was committed to `footman.db` goes to the shared database in one transaction
 * there, so that the rows of one commit are there together or not at all. One is in flight; what is committed meanwhile goes
 * in the next, several versions of a row as one.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { INBOX_TAKEN, lastNoted, type NotedChange, notesUpTo } from './changes.ts'
import type { ClusterClock } from './clock.ts'
import type { Backlog } from './first-ship.ts'
import { type CommandAnswer, escapedKey, type RowKey, type Shipment, type Shipped, shipAsLeader } from './replica.ts'
import { createRows, type OutgoingRow, sizeOf } from './rows.ts'
import { SHARED_TABLES } from './tables.ts'
import { NotLeaderError, type Term } from './types.ts'

export interface ShipperDeps {
  readonly db: Database
  readonly pool: PostgresPool
  readonly log: Logger
  readonly clock: Pick<ClusterClock, 'monotonic'>
  /** The name of this node. */
  readonly node: string
  readonly term: () => Term | null
  /** Rows of others are stored here up to this rev. */
  readonly seenRev: () => number
  /** The store of a node that was single before; absent = it is in the database. */
  readonly backlog?: Backlog
  /** The database has refused: another node leads. Called once. */
  readonly onFenced: () => void
}

export interface Shipper {
  /**
   * After a commit to `footman.db`. Null: it changed nothing that nodes share. Otherwise resolves when all that is noted is in
   * the database, and rejects with a `NotLeaderError` when another node leads.
   */
  afterCommit(): Promise<void> | null
  /** In a transaction: the messages with these keys are settled together with its rows. */
  settle(messages: readonly { readonly key: string; readonly eventId: string | null }[]): void
  /** Stores the answer of a command with what it has changed. Resolves and rejects as `afterCommit`. */
  answer(answer: CommandAnswer): Promise<void>
  /** Resolves when all that is noted so far is in the database; for a clean stop. Rejects with a `NotLeaderError`. */
  drain(): Promise<void>
  /** Noted and not shipped; a row that was changed twice counts as two. */
  readonly unshipped: number
  readonly shippedRows: number
  /** Of the last shipment; 0 = none yet. */
  readonly shippedRev: number
  /** How long each shipment took, in milliseconds. Returns the function that ends it. */
  onShipped(listener: (durationMs: number, rows: number) => void): () => void
  /** The node has another part: work that waits for a shipment is refused with a `NotLeaderError`. */
  leave(): void
  start(): void
  stop(): Promise<void>
}

/** A message that comes again before it is settled keeps the event that was made of it. */
const TAKE = `INSERT OR REPLACE INTO inbox_taken
  VALUES (?1, coalesce(?2, (SELECT event_id FROM inbox_taken WHERE message_key = ?1)))`
const STATEMENT_ROWS = 500
const STATEMENT_BYTES = 4 * 1024 * 1024
const MAX_ROW_BYTES = 8 * 1024 * 1024
/** Changes that bypass the writer wait for at most this. */
const LOOK_MS = 100
const TIDY_MS = 1000
/** Shipped rows are known for this long: a database that is put back to an earlier state gets them again. */
const KEEP_SHIPPED_MS = 3_600_000
const RETRY_MS = [50, 100, 250, 500, 1000]

interface Waiter {
  readonly seq: number
  resolve(): void
  reject(error: Error): void
}

interface Unit extends Shipment {
  /** The newest note that it has. */
  readonly last: number
}

export function createShipper(deps: ShipperDeps): Shipper {
  const { db, pool, log, clock, node, backlog } = deps
  const rowsOf = createRows(db)
  const stopping = new AbortController()
  const listeners = new Set<(durationMs: number, rows: number) => void>()
  let waiters: Waiter[] = []
  let answers: (CommandAnswer & Omit<Waiter, 'seq'>)[] = []
  let noted = lastNoted(db)
  let shipped = firstUnshipped(db) ?? noted
  let token: string | null = null
  let running: Promise<void> | null = null
  let isFenced = false
  let hasLeft = false
  let shippedRows = 0
  let shippedRev = 0
  /** Rows that the server cannot store. */
  const bad = new Set<string>()
  let tidy = createTidying(db)

  function pump(): void {
    if (isFenced || stopping.signal.aborted) return
    running ??= run().finally(() => {
      running = null
    })
  }

  async function run(): Promise<void> {
    for (let failures = 0; isWaiting(); ) {
      try {
        // Also after the own clock ended the term: the database decides.
        token = deps.term()?.token ?? token
        if (token === null) return
        if (isChanged()) await shipOnce(token)
        if (backlog?.isLeft && !isFenced) await shipPage(token, backlog)
        failures = 0
      } catch (error) {
        if (isBadValue(error) && (await leaveOutBad())) continue
        if (failures === 0) log.warn(`CLUSTER Changes cannot be stored in the shared database: ${errorText(error)}`)
        await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)], undefined, { signal: stopping.signal }).catch(
          () => undefined,
        )
        failures += 1
      }
    }
  }

  const isChanged = () => shipped < noted || answers.length > 0
  const isWaiting = () => !isFenced && !stopping.signal.aborted && (isChanged() || backlog?.isLeft === true)

  /** Read when nothing is in flight, so that an older version of a row never comes after a newer one. */
  async function shipPage(of: string, pages: Backlog): Promise<void> {
    const rows = pages.next().filter(isShippable)
    const by = { token: of, seenRev: deps.seenRev() }
    if (rows.length > 0 && (await shipAsLeader(pool, node, by, { rows, settled: [], answers: [] })) === null) {
      return fenced()
    }
    pages.shipped()
    shippedRows += rows.length
    if (!pages.isLeft) log.info('CLUSTER The store of this node is in the shared database')
  }

  async function shipOnce(of: string): Promise<void> {
    const unit = collect()
    const answering = answers.slice(0, unit.answers.length)
    const began = clock.monotonic()
    const parts = await send(unit, of)
    if (parts === null) return fenced()
    shipped = unit.last
    shippedRows += unit.rows.length
    shippedRev = parts.at(-1)?.rev ?? shippedRev
    answers = answers.slice(answering.length)
    tidy.add(unit, parts)
    for (const listener of listeners) listener(clock.monotonic() - began, unit.rows.length)
    const done = waiters.filter(({ seq }) => seq <= shipped)
    waiters = waiters.filter(({ seq }) => seq > shipped)
    for (const waiter of [...done, ...answering]) waiter.resolve()
  }

  /** Everything that is noted, as it is now: a part of it would show a commit by halves. */
  function collect(): Unit {
    noted = Math.max(noted, lastNoted(db))
    const notes = notesUpTo(db, shipped, noted)
    const found = distinct(notes.filter(({ tbl }) => tbl !== INBOX_TAKEN)).flatMap(rowOf)
    const isAged = ({ tbl, body }: OutgoingRow) => body === null && rowsOf.get(tbl)?.table.aged
    const rows = found.filter((row) => !isAged(row))
    const aged = found.filter(isAged).flatMap(withBelongings)
    const settled = notes.filter(({ tbl }) => tbl === INBOX_TAKEN).map(({ key }) => key)
    return { last: noted, rows, settled, aged, answers: [...answers] }
  }

  function rowOf({ tbl, key }: RowKey): OutgoingRow[] {
    const row = rowsOf.get(tbl)?.read(key)
    return row && isShippable(row) ? [row] : []
  }

  /** One row that the server cannot read must not keep all others here. False: there is none. */
  async function leaveOutBad(): Promise<boolean> {
    const { rows } = collect()
    const before = bad.size
    for (const { tbl, key, body } of [...rows, ...(backlog?.isLeft ? backlog.next() : [])]) {
      const error = await pool.query('SELECT $1::jsonb, $2::text', [body, escapedKey(key)]).catch((reason) => reason)
      if (!isBadValue(error)) continue
      bad.add(`${tbl} ${key}`)
      log.error(`CLUSTER A row of ${tbl} stays on this node, as the server cannot store it: ${errorText(error)}`)
    }
    return bad.size > before
  }

  function isShippable(row: OutgoingRow): boolean {
    if (bad.has(`${row.tbl} ${row.key}`)) return false
    if (sizeOf(row) <= MAX_ROW_BYTES) return true
    log.error(`CLUSTER A row of ${row.tbl} is larger than 8 MB and stays on this node: ${row.key}`)
    return false
  }

  /** Null: another node leads. */
  async function send(unit: Unit, of: string): Promise<(Shipped & { readonly rows: number })[] | null> {
    const chunks = inChunks(unit.rows)
    const by = { token: of, seenRev: deps.seenRev() }
    const last = chunks.length - 1
    const shipmentOf = (index: number): Shipment =>
      index === last ? { ...unit, rows: chunks[index]! } : { rows: chunks[index]!, settled: [], answers: [] }
    if (last === 0) {
      const one = await shipAsLeader(pool, node, by, shipmentOf(0))
      return one && [{ ...one, rows: unit.rows.length }]
    }
    return pool.transaction(async (tx) => {
      const done: (Shipped & { readonly rows: number })[] = []
      for (const [index, { length }] of chunks.entries()) {
        const one = await shipAsLeader(tx, node, by, shipmentOf(index))
        if (one === null) return null
        done.push({ ...one, rows: length })
      }
      return done
    })
  }

  function fenced(): void {
    isFenced = true
    rejectWaiters()
    log.warn('CLUSTER Changes were refused: another node leads now')
    deps.onFenced()
  }

  function rejectWaiters(): void {
    const refused = new NotLeaderError()
    for (const waiter of [...waiters.splice(0), ...answers.splice(0)]) waiter.reject(refused)
  }

  function waitUntil(seq: number): Promise<void> {
    if (isFenced || hasLeft) return Promise.reject(new NotLeaderError())
    return new Promise((resolve, reject) => {
      waiters.push({ seq, resolve, reject })
      pump()
    })
  }

  function look(): void {
    const last = lastNoted(db)
    if (last > noted) noted = last
    if (isWaiting()) pump()
  }

  const looking = createRecurringJob({ everyMs: LOOK_MS, unref: true }, look)
  const tidying = createRecurringJob({ everyMs: TIDY_MS, unref: true, onError: untidy }, () => tidy.run(shipped))

  function untidy(error: unknown): void {
    log.verbose(`CLUSTER What is shipped could not be noted: ${errorText(error)}`)
  }

  return {
    afterCommit() {
      const last = lastNoted(db)
      if (last <= noted) return null
      noted = last
      return waitUntil(last)
    },
    settle(messages) {
      for (const { key, eventId } of messages) db.run(TAKE, key, eventId)
    },
    answer(answer) {
      if (isFenced || hasLeft) return Promise.reject(new NotLeaderError())
      return new Promise((resolve, reject) => {
        answers.push({ ...answer, resolve, reject })
        pump()
      })
    },
    async drain() {
      noted = Math.max(noted, lastNoted(db))
      if (noted > shipped) await waitUntil(noted)
    },
    get unshipped() {
      return noted - shipped
    },
    get shippedRev() {
      return shippedRev
    },
    get shippedRows() {
      return shippedRows
    },
    onShipped(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    leave() {
      hasLeft = true
      rejectWaiters()
    },
    start() {
      looking.start()
      tidying.start()
    },
    async stop() {
      stopping.abort()
      await Promise.all([looking.stop(), tidying.stop()])
      await running
      tidy.run(shipped)
      tidy = createTidying(db)
      rejectWaiters()
    },
  }
}

/** The note before the oldest that is kept; null = there is none. */
function firstUnshipped(db: Database): number | null {
  const first = db.get<{ seq: number | null }>('SELECT min(seq) AS seq FROM cluster_change')?.seq ?? null
  return first === null ? null : first - 1
}

/** SQLSTATE class 22: the server cannot make sense of a value. */
const isBadValue = (error: unknown): boolean =>
  error instanceof PostgresError && (error.code?.startsWith('22') ?? false)

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

/** Forgets what is shipped now and then: each commit would cost another one. A note that comes back is shipped again. */
function createTidying(db: Database) {
  let done: { readonly keys: readonly RowKey[]; readonly rev: number; readonly epoch: number }[] = []
  let settled: string[] = []
  return {
    add(unit: Unit, parts: readonly (Shipped & { readonly rows: number })[]): void {
      let from = 0
      for (const { rev, epoch, rows } of parts) {
        const keys = unit.rows.slice(from, from + rows).map(({ tbl, key }) => ({ tbl, key }))
        done.push({ keys, rev, epoch })
        from += rows
      }
      settled.push(...unit.settled)
    },
    run(shipped: number): void {
      if (done.length === 0) return
      const now = Date.now()
      db.transaction(() => {
        for (const { keys, rev, epoch } of done) {
          for (const { tbl, key } of keys) {
            db.run('INSERT OR REPLACE INTO cluster_shipped VALUES (?, ?, ?, ?, ?)', tbl, key, rev, epoch, now)
          }
        }
        for (const key of settled) db.run('DELETE FROM inbox_taken WHERE message_key = ?', key)
        db.run('DELETE FROM cluster_change WHERE seq <= ?', shipped)
        db.run('DELETE FROM cluster_shipped WHERE at < ?', now - KEEP_SHIPPED_MS)
      })
      done = []
      settled = []
    },
  }
}
