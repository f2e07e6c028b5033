/**
 * Ships the rows that a leader has changed: what was committed to `footman.db` goes to the shared database in one transaction
 * there, so that the rows of one commit are there together or not at all. One is in flight; what is committed meanwhile goes
 * in the next, several versions of a row as one.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../platform/errors.ts'
import { createListeners } from '../platform/listeners.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { lastNoted } from './changes.ts'
import type { ClusterClock } from './clock.ts'
import type { Backlog } from './first-ship.ts'
import { type CommandAnswer, type RowKey, shipAsLeader } from './replica.ts'
import { NotLeaderError, type Term } from './types.ts'
import { createCollector, isBadValue, type Sent, send, type Unit } from './unit.ts'

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
  /** Revision of the last shipment; 0 = none yet. */
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
/** Changes that bypass the writer wait for at most this. */
const LOOK_MS = 100
const TIDY_MS = 1000
/** Shipped rows are known for this long: a database that is put back to an earlier state gets them again. */
const KEEP_SHIPPED_MS = 3_600_000
const RETRY_MS = [50, 100, 250, 500, 1000]

export function createShipper(deps: ShipperDeps): Shipper {
  const { db, pool, log, clock, node, backlog } = deps
  const collector = createCollector({ db, pool, log })
  const stopping = new AbortController()
  const listeners = createListeners<[durationMs: number, rows: number]>()
  const callers = createCallers()
  let noted = lastNoted(db)
  let shipped = firstUnshipped(db) ?? noted
  let token: string | null = null
  let running: Promise<void> | null = null
  let isFenced = false
  let shippedRows = 0
  let shippedRev = 0
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
        if (isBadValue(error) && (await collector.leaveOutBad(nextRows()))) continue
        if (failures === 0) log.warn(`CLUSTER Changes cannot be stored in the shared database: ${errorText(error)}`)
        await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)], undefined, { signal: stopping.signal }).catch(
          () => undefined,
        )
        failures += 1
      }
    }
  }

  const isChanged = () => shipped < noted || callers.answers.length > 0
  const isWaiting = () => !isFenced && !stopping.signal.aborted && (isChanged() || backlog?.isLeft === true)

  /** Read when nothing is in flight, so that an older version of a row never comes after a newer one. */
  async function shipPage(of: string, pages: Backlog): Promise<void> {
    const rows = pages.next().filter(collector.isShippable)
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
    const began = clock.monotonic()
    const parts = await send({ pool, node }, { token: of, seenRev: deps.seenRev() }, unit)
    if (parts === null) return fenced()
    shipped = unit.last
    shippedRows += unit.rows.length
    shippedRev = parts.at(-1)?.rev ?? shippedRev
    tidy.add(unit, parts)
    listeners.call(clock.monotonic() - began, unit.rows.length)
    callers.shipped(unit)
  }

  function collect(): Unit {
    noted = Math.max(noted, lastNoted(db))
    return collector.collect(shipped, noted, callers.answers)
  }

  const nextRows = () => [...collect().rows, ...(backlog?.isLeft ? backlog.next() : [])]

  function fenced(): void {
    isFenced = true
    callers.end()
    log.warn('CLUSTER Changes were refused: another node leads now')
    deps.onFenced()
  }

  function waited(shipment: Promise<void>): Promise<void> {
    pump()
    return shipment
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
      return waited(callers.waitFor(last))
    },
    settle(messages) {
      for (const { key, eventId } of messages) db.run(TAKE, key, eventId)
    },
    answer: (answer) => waited(callers.answer(answer)),
    async drain() {
      noted = Math.max(noted, lastNoted(db))
      if (noted > shipped) await waited(callers.waitFor(noted))
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
    onShipped: listeners.add,
    leave: callers.end,
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
      callers.refuse()
    },
  }
}

interface Caller {
  resolve(): void
  reject(error: Error): void
}

/** Those who wait for a shipment, by the note or with the answer that it has to have. */
function createCallers() {
  let waiting: (Caller & { readonly seq: number })[] = []
  let answers: (Caller & CommandAnswer)[] = []
  let isOver = false

  function called(add: (caller: Caller) => void): Promise<void> {
    if (isOver) return Promise.reject(new NotLeaderError())
    return new Promise((resolve, reject) => add({ resolve, reject }))
  }

  function refuse(): void {
    const refused = new NotLeaderError()
    for (const caller of [...waiting.splice(0), ...answers.splice(0)]) caller.reject(refused)
  }

  return {
    get answers(): readonly CommandAnswer[] {
      return answers
    },
    waitFor: (seq: number) => called((caller) => waiting.push({ ...caller, seq })),
    answer: (answer: CommandAnswer) => called((caller) => answers.push({ ...answer, ...caller })),
    shipped(unit: Unit): void {
      const answered = answers.slice(0, unit.answers.length)
      answers = answers.slice(answered.length)
      const { done = [], left = [] } = Object.groupBy(waiting, ({ seq }) => (seq <= unit.last ? 'done' : 'left'))
      waiting = left
      for (const caller of [...done, ...answered]) caller.resolve()
    },
    /** Another node leads, or is to lead: those who come later are refused as well. */
    end(): void {
      isOver = true
      refuse()
    },
    refuse,
  }
}

/** The note before the oldest that is kept; null = there is none. */
function firstUnshipped(db: Database): number | null {
  const first = db.get<{ seq: number | null }>('SELECT min(seq) AS seq FROM cluster_change')?.seq ?? null
  return first === null ? null : first - 1
}

/** Forgets what is shipped now and then: each commit would cost another one. A note that comes back is shipped again. */
function createTidying(db: Database) {
  let done: { readonly keys: readonly RowKey[]; readonly rev: number; readonly epoch: number }[] = []
  let settled: string[] = []
  return {
    add(unit: Unit, parts: readonly Sent[]): void {
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
