/**
 * Messages about tasks that Footman does not know. A sender's first ones of a minute become events at once, as any other
 * message does; the others wait here, on disk, until Qlik Sense says which of the tasks exist. Many are asked about with
 * few requests, so made-up task ids delay no other event.
 */
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, isStorageFailure } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import type { IngestCounters } from './counters.ts'
import { createSenderRates } from './ingest/sender-checks.ts'
import { recordDrops } from './intake-state.ts'

/** A message that waits; `journalId` is null when its journal was replaced meanwhile. */
export interface UnverifiedMessage {
  readonly journalId: number | null
  readonly receivedAt: number
  readonly sender: string
  readonly raw: Uint8Array
}

export interface UnverifiedDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly qrs: Pick<QrsClient, 'existingTasks' | 'allTaskIds'>
  readonly isUnreachable: (error: unknown) => boolean
  readonly clock: Clock
  readonly log: Logger
  readonly counters: IngestCounters
  /** True when an earlier answer of Qlik Sense proves that the task exists. */
  readonly knowsTask: (db: Database, taskId: string) => boolean
  /** Makes an event of each message, in the transaction that removes them here; false while that is not possible. */
  readonly admit: (tx: Database, messages: readonly UnverifiedMessage[]) => boolean
  readonly onAdmitted: () => void
}

export interface UnverifiedSettings {
  /** So many messages may wait; beyond them each sender keeps an equal share. */
  readonly maxWaiting: number
}

export interface Unverified {
  /**
   * True when the message waits now, or was refused: it must not become an event yet. In the transaction of the intake.
   * `key`: of a message of this node, by which a cluster knows it; null = it comes from the inbox of one.
   */
  hold(tx: Database, message: UnverifiedMessage, taskId: string, key: string | null): boolean
  /** Messages may wait: starts to ask about them. */
  wake(): void
  readonly waiting: number
  /** When the message arrived that waits the longest, milliseconds since 1970; null when none waits. */
  readonly oldestAt: number | null
  stop(): Promise<void>
}

/** Messages about unknown tasks that become events at once, per minute: of one sender, and of all together. */
const DIRECT_PER_SENDER = 100
const DIRECT_IN_ALL = 1000
/** For more task ids than these, four requests full, reading the list of all tasks is cheaper. */
const MOST_ASKED = 200
/** Time between two rounds of questions. */
const PAUSE_MS = 1000
const RETRY_MS = 5000
/** Messages per transaction. */
const PAGE = 500
/** Refused messages of one page that are kept for inspection. */
const SAMPLES = 20
/** Task ids that were found to exist and are remembered. */
const REMEMBERED = 20_000

interface Row extends UnverifiedMessage {
  readonly seq: number
  readonly taskId: string
}

export function createUnverified(deps: UnverifiedDeps, { maxWaiting }: UnverifiedSettings): Unverified {
  const { db, writer, qrs, clock, log, counters } = deps
  const direct = createSenderRates(DIRECT_PER_SENDER)
  const directInAll = createSenderRates(DIRECT_IN_ALL)
  const stopping = new AbortController()
  const verified = new Set<string>()
  /** Waiting messages by sender. */
  let waiting = countWaiting(db)
  let total = sum(waiting)
  let running: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let isComplaining = false
  let canListAll = true

  function hold(tx: Database, message: UnverifiedMessage, taskId: string, key: string | null): boolean {
    if (verified.has(taskId.toLowerCase()) || deps.knowsTask(tx, taskId)) return false
    const { sender, receivedAt, journalId, raw } = message
    const now = clock.now()
    if (direct.take(sender, now) && directInAll.take('', now)) return false
    const own = waiting.get(sender) ?? 0
    if (total >= maxWaiting && own >= maxWaiting / waiting.size) {
      counters.dropped.BACKLOG_FULL += 1
      recordDrops(tx, [{ at: receivedAt, sender, reason: 'BACKLOG_FULL', raw }])
      return true
    }
    tx.run(
      'INSERT INTO unverified (journal_id, received_at, sender, task_id, raw, message_key) VALUES (?, ?, ?, ?, ?, ?)',
      ...[journalId, receivedAt, sender, taskId.toLowerCase(), raw, key],
    )
    waiting.set(sender, own + 1)
    total += 1
    return true
  }

  async function verify(): Promise<number | null> {
    try {
      // More may have come while Qlik Sense was asked: what it says holds for what arrived before.
      const upTo = db.get<{ seq: number | null }>('SELECT max(seq) AS seq FROM unverified')?.seq ?? null
      if (upTo === null) return null
      const { asked, existing } = await ask(upTo)
      await sortOut(upTo, asked, existing)
      isComplaining = false
      return PAUSE_MS
    } catch (error) {
      if (!stopping.signal.aborted) complain(error)
      return RETRY_MS
    }
  }

  /** `asked` = null: the answer holds for every task. */
  async function ask(upTo: number): Promise<{ asked: ReadonlySet<string> | null; existing: ReadonlySet<string> }> {
    if (canListAll && isMany(db)) {
      try {
        return { asked: null, existing: await qrs.allTaskIds(stopping.signal) }
      } catch (error) {
        if (deps.isUnreachable(error)) throw error
        log.warn(`[QSEOW] UDP HANDLER: QRS does not list all tasks, each is asked for: ${errorText(error)}`)
        canListAll = false
      }
    }
    const asked = taskIdsInTurn(db, upTo, MOST_ASKED)
    return { asked: new Set(asked), existing: await qrs.existingTasks(asked, stopping.signal) }
  }

  async function sortOut(
    upTo: number,
    asked: ReadonlySet<string> | null,
    existing: ReadonlySet<string>,
  ): Promise<void> {
    for (let after = 0; after < upTo && !stopping.signal.aborted; ) {
      const page = pageOf(db, after, upTo)
      if (page.length === 0) break
      after = page.at(-1)!.seq
      const decided = page.filter(({ taskId }) => asked === null || asked.has(taskId))
      const found = decided.filter(({ taskId }) => existing.has(taskId))
      const refused = decided.filter(({ taskId }) => !existing.has(taskId))
      if (!(await writer.write((tx) => settle(tx, found, refused)))) throw new Error('the journal is not open')
      counters.dropped.TASK_NOT_FOUND += refused.length
      for (const { taskId } of found) remember(taskId)
      if (found.length > 0) deps.onAdmitted()
    }
    waiting = countWaiting(db)
    total = sum(waiting)
  }

  function settle(tx: Database, found: readonly Row[], refused: readonly Row[]): boolean {
    if (found.length > 0 && !deps.admit(tx, found)) return false
    for (const { seq } of [...found, ...refused]) tx.run('DELETE FROM unverified WHERE seq = ?', seq)
    const samples = refused.slice(-SAMPLES)
    recordDrops(
      tx,
      samples.map(({ receivedAt: at, sender, raw }) => ({ at, sender, reason: 'TASK_NOT_FOUND', raw })),
    )
    return true
  }

  function remember(taskId: string): void {
    verified.add(taskId)
    const oldest = verified.size > REMEMBERED ? verified.values().next().value : undefined
    if (oldest !== undefined) verified.delete(oldest)
  }

  function complain(error: unknown): void {
    if (isComplaining || isStorageFailure(error)) return
    isComplaining = true
    log.warn(
      `[QSEOW] UDP HANDLER: ${total} messages about tasks that Footman does not know wait until QRS says whether these exist: ${errorText(error)}`,
    )
  }

  function wake(): void {
    if (running || timer || total === 0 || stopping.signal.aborted) return
    running = verify().then((next) => {
      running = null
      if (next === null || stopping.signal.aborted) return
      timer = setTimeout(() => {
        timer = undefined
        wake()
      }, next)
    })
  }

  return {
    hold,
    wake,
    get waiting() {
      return total
    },
    get oldestAt() {
      return db.get<{ at: number }>('SELECT received_at AS at FROM unverified ORDER BY seq LIMIT 1')?.at ?? null
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}

/** Task ids that wait, each once, at most `limit`: one of each sender in turn, those of a sender in order of arrival. */
export function taskIdsInTurn(db: Database, upTo: number, limit: number): string[] {
  return db
    .all<{ taskId: string }>(
      `SELECT task_id AS taskId FROM (
         SELECT task_id, min(turn) AS turn, min(first) AS first FROM (
           SELECT task_id, min(seq) AS first, row_number() OVER (PARTITION BY sender ORDER BY min(seq)) AS turn
             FROM unverified WHERE seq <= ? GROUP BY sender, task_id
         ) GROUP BY task_id
       ) ORDER BY turn, first LIMIT ?`,
      ...[upTo, limit],
    )
    .map(({ taskId }) => taskId)
}

function isMany(db: Database): boolean {
  const sql = 'SELECT count(*) AS n FROM (SELECT DISTINCT task_id FROM unverified LIMIT ?)'
  return (db.get<{ n: number }>(sql, MOST_ASKED + 1)?.n ?? 0) > MOST_ASKED
}

function pageOf(db: Database, after: number, upTo: number): Row[] {
  return db.all<Row>(
    `SELECT seq, journal_id AS journalId, received_at AS receivedAt, sender, task_id AS taskId, raw FROM unverified
       WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    ...[after, upTo, PAGE],
  )
}

function countWaiting(db: Database): Map<string, number> {
  const counts = db.all<{ sender: string; n: number }>('SELECT sender, count(*) AS n FROM unverified GROUP BY sender')
  return new Map(counts.map(({ sender, n }) => [sender, n]))
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, n) => all + n, 0)
