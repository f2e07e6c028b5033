/**
 * Follows the shared database: rows that other nodes have shipped are stored here in the order of their revs, together with
 * the position, so that a crash repeats nothing and misses nothing. The leader follows too, for rows of other nodes.
 */
import { errorText } from '../platform/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { createApplier } from './apply.ts'
import type { ClusterClock } from './clock.ts'
import { readPage } from './replica.ts'
import { grownTables, readWhole, removeOthers, saveKnownTables } from './whole.ts'

export interface FollowerDeps {
  readonly db: Database
  readonly pool: PostgresPool
  readonly log: Logger
  readonly clock: Pick<ClusterClock, 'monotonic'>
  /** The name of this node. */
  readonly node: string
  /** The leader has its own rows already. */
  readonly isLeader: () => boolean
  /** The database has fewer rows than this node knows of: it was put back to an earlier state. */
  readonly onForgotten: (head: number) => void
  /** Rows of others are stored: the tables, after the commit. */
  readonly onApplied: (tables: ReadonlySet<string>) => void
}

export interface Follower {
  /**
   * Stores all that is in the database at the time of the call; resolves with the rev. Rejects with a `PostgresError`, and when
   * it is stopped before.
   */
  toHead(): Promise<number>
  /** Runs `work`, which stores rows that it reads by itself: rows that are followed meanwhile would be newer than those. */
  whilePaused<T>(work: () => Promise<T>): Promise<T>
  /** Reads from this revision on again, at the next look. Resolves when what is under way has ended. */
  goBackTo(rev: number): Promise<void>
  /** Something new is in the database: it is read soon, together with what comes until then. */
  wake(): void
  readonly appliedRev: number
  /** The newest rev that is known to exist. */
  readonly headRev: number
  readonly appliedRows: number
  /** For how long this node has not had everything, as far as it knows; 0 while it has. */
  readonly lagMs: number
  start(): void
  stop(): Promise<void>
}

/** Without notifications. */
const LOOK_MS = 1000
/** One failure is shipped in several steps, of which each is notified; a look at the database costs it as much as a shipment. */
const WAKE_MS = 50
/** An answer of the database is as good as the newest for this long. */
const FRESH_MS = 2000
/** A leader, which has the rows, stores its position this often. */
const POSITION_MS = 5000

export function createFollower(deps: FollowerDeps): Follower {
  const { db, pool, log, clock } = deps
  const applier = createApplier(db)
  let head = applier.position
  /** Further than the stored position where all rows between are own ones. */
  let applied = applier.position
  let atHeadAt = clock.monotonic()
  let savedAt = Number.NEGATIVE_INFINITY
  let appliedRows = 0
  /** Ends when what stores rows now has ended. */
  let turn: Promise<unknown> = Promise.resolve()
  let running: Promise<number> | null = null
  let next: Promise<number> | null = null
  let waking: ReturnType<typeof setTimeout> | undefined
  let isStopped = false
  let isFailing = false
  let isComplete = false

  function toHead(): Promise<number> {
    if (running === null) return run()
    // The run under way may have looked before.
    next ??= running.then(run, run)
    return next
  }

  function run(): Promise<number> {
    next = null
    running = inTurn(catchUp).finally(() => {
      running = null
    })
    return running
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  async function catchUp(): Promise<number> {
    goOn()
    await readGrown()
    for (;;) {
      const page = await readPage(pool, applied, deps.isLeader() ? deps.node : '')
      goOn()
      if (page.head < applied) {
        deps.onForgotten(page.head)
        return applied
      }
      head = page.head
      if (applied > 0 && page.pruned > applied) {
        await startAnew(page.head)
        continue
      }
      const last = page.rows.at(-1)
      if (last) {
        const changed = applier.apply(page.rows, last.rev)
        applied = last.rev
        appliedRows += page.rows.length
        deps.onApplied(changed)
      }
      if (!last || last.rev >= head) break
    }
    reachedHead()
    return applied
  }

  /** Its store is closed soon after its end. */
  function goOn(): void {
    if (isStopped) throw new Stopped()
  }

  /** Once per process: an upgrade has new tables and columns, which other nodes had before. */
  async function readGrown(): Promise<void> {
    if (isComplete) return
    for (const table of applied > 0 ? grownTables(db) : []) {
      log.info(`CLUSTER Table ${table} is new or has new columns: it is read from the shared database as a whole`)
      await readWhole(pool, applier, table)
      goOn()
      deps.onApplied(new Set([table]))
    }
    saveKnownTables(db)
    isComplete = true
  }

  /** Deletions since the position are not known any more. Rows that change meanwhile come again. */
  async function startAnew(from: number): Promise<void> {
    log.warn('CLUSTER This node was away for long: it reads all of the shared database')
    for (const table of applier.tables.keys()) {
      removeOthers(db, applier, table, await readWhole(pool, applier, table))
      goOn()
    }
    applier.apply([], from)
    applied = from
    deps.onApplied(new Set(applier.tables.keys()))
  }

  function reachedHead(): void {
    applied = head
    atHeadAt = clock.monotonic()
    if (deps.isLeader() && atHeadAt - savedAt < POSITION_MS) return
    savedAt = atHeadAt
    applier.atHead(head)
  }

  async function look(): Promise<void> {
    try {
      await toHead()
      if (isFailing) log.info('CLUSTER The shared database is followed again')
      isFailing = false
    } catch (error) {
      if (error instanceof Stopped) return
      if (!isFailing) log.warn(`CLUSTER The shared database cannot be followed: ${errorText(error)}`)
      isFailing = true
    }
  }

  const looking = createRecurringJob({ everyMs: LOOK_MS, firstMs: 0, unref: true }, look)

  return {
    toHead,
    whilePaused: inTurn,
    goBackTo: (rev) =>
      inTurn(async () => {
        applied = Math.min(applied, rev)
        head = applied
        applier.apply([], applied)
      }),
    wake() {
      if (isStopped) return
      waking ??= setTimeout(() => {
        waking = undefined
        void look()
      }, WAKE_MS)
    },
    get appliedRev() {
      return applied
    },
    get headRev() {
      return Math.max(head, applied)
    },
    get appliedRows() {
      return appliedRows
    },
    get lagMs() {
      const since = clock.monotonic() - atHeadAt
      return head > applied || since > FRESH_MS ? since : 0
    },
    start() {
      if (!isStopped) looking.start()
    },
    async stop() {
      isStopped = true
      clearTimeout(waking)
      await looking.stop()
      await turn
    },
  }
}

class Stopped extends Error {
  override readonly message = 'this part of the node has ended'
}
