/**
 * Messages about tasks that Footman does not know, and about apps that were reloaded without a task. A sender's first ones
 * of a minute become events at once, as any other message does; the others wait here, on disk, until Qlik Sense says which of the tasks exist. Many are asked about with
 * few requests, so made-up ids delay no other event. The ids of all tasks are read soon after the start and every
 * hour, and are kept on disk: a task that Qlik Sense knows is known at once, although it has never failed before.
 */
import { limitedClient } from '../platform/addresses.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, isStorageFailure } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import type { IngestCounters } from './counters.ts'
import { createSenderRates } from './ingest/sender-checks.ts'
import { readMeta, recordDrops, writeMeta } from './store.ts'
import type { DropReason } from './types.ts'

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
  readonly qrs: Pick<QrsClient, 'existingTasks' | 'existingApps' | 'allTaskIds'>
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
   * `subject`: the id of its task, or `appSubject` of its app. `key`: of a message of this node, by which a cluster knows it; null = it comes from the inbox of one.
   */
  hold(tx: Database, message: UnverifiedMessage, subject: string, key: string | null): boolean
  /** Messages may wait: starts to ask about them. */
  wake(): void
  /** Does the same as `wake`; also reads the list of all tasks when that is due. */
  refresh(): void
  readonly waiting: number
  /** When the message arrived that waits the longest, milliseconds since 1970; null when none waits. */
  readonly oldestAt: number | null
  stop(): Promise<void>
}

/** Messages about unknown tasks and apps that become events at once, per minute: of one sender, and of all together. */
const DIRECT_PER_SENDER = 100
const DIRECT_IN_ALL = 1000
/** For more task ids than these, four requests full, reading the list of all tasks is cheaper. */
const MOST_ASKED = 200
/** There is no such list of apps: so many are asked about in a round, in two requests. */
const MOST_APPS_ASKED = 100
/** Time between two rounds of questions. */
const PAUSE_MS = 1000
const RETRY_MS = 5000
/** Messages per transaction. */
const PAGE = 500
/** Refused messages of one page that are kept for inspection. */
const SAMPLES = 20
/** The list of all tasks is read so often, and so long after it could not be read. */
const LIST_EVERY_MS = 3_600_000
const LIST_AGAIN_MS = 60_000
/** When the list of all tasks was read, milliseconds since 1970. */
const LISTED_KEY = 'tasks.listedAt'

interface Row extends UnverifiedMessage {
  readonly seq: number
  readonly subject: string
}

/** In the column `task_id`, where the ids of tasks stand as they are. */
const APP = 'app:'

/** Names an app beside the ids of tasks. */
export const appSubject = (appId: string): string => `${APP}${appId}`

const isApp = (subject: string): boolean => subject.startsWith(APP)

/** The subjects that exist, and whether an answer says so about a subject that is not among them. */
interface Answer {
  readonly existing: ReadonlySet<string>
  readonly isAnswered: (subject: string) => boolean
  /** The answer holds for every task. */
  readonly isList: boolean
}

export function createUnverified(deps: UnverifiedDeps, { maxWaiting }: UnverifiedSettings): Unverified {
  const { db, writer, clock, log, counters } = deps
  const direct = createSenderRates(DIRECT_PER_SENDER)
  const directInAll = createSenderRates(DIRECT_IN_ALL)
  const stopping = new AbortController()
  /** Waiting messages by sender. */
  let waiting = countWaiting(db)
  let total = sum(waiting)
  let running: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let isComplaining = false
  const questions = createQuestions(deps, stopping.signal)

  function hold(tx: Database, message: UnverifiedMessage, subject: string, key: string | null): boolean {
    if (isListed(tx, subject.toLowerCase()) || (!isApp(subject) && deps.knowsTask(tx, subject))) return false
    const { sender, receivedAt, journalId, raw } = message
    const now = clock.now()
    if (direct.take(limitedClient(sender), now) && directInAll.take('', now)) return false
    const client = limitedClient(sender)
    const own = waiting.get(client) ?? 0
    if (total >= maxWaiting && own >= maxWaiting / waiting.size) {
      counters.dropped.BACKLOG_FULL += 1
      recordDrops(tx, [{ at: receivedAt, sender, reason: 'BACKLOG_FULL', raw }])
      return true
    }
    tx.run(KEEP, journalId, receivedAt, sender, subject.toLowerCase(), raw, key)
    waiting.set(client, own + 1)
    total += 1
    return true
  }

  async function verify(): Promise<number | null> {
    try {
      // More may have come while Qlik Sense was asked: that a subject is missing holds for what arrived before.
      const upTo = db.get<{ seq: number | null }>('SELECT max(seq) AS seq FROM unverified')?.seq ?? null
      if (upTo === null && !questions.isListDue()) return null
      const answer = await questions.ask(upTo ?? 0)
      await store(answer)
      const { found, refused } = await sortOut(upTo ?? 0, answer)
      isComplaining = false
      // Subjects that exist are not kept waiting by the brake on made-up ones.
      return !answer.isList && found > refused ? 0 : PAUSE_MS
    } catch (error) {
      if (!stopping.signal.aborted) complain(error)
      return RETRY_MS
    }
  }

  /** Remembers what exists; a list of all tasks also says which are gone. Apps are asked about anew after an hour. */
  async function store({ existing, isList }: Answer): Promise<void> {
    const at = clock.now()
    const ids = [...existing]
    for (let from = 0; from < ids.length && !stopping.signal.aborted; from += PAGE) {
      await inJournal((tx) => {
        for (const id of ids.slice(from, from + PAGE)) tx.run(LIST_TASK, id, at)
      })
    }
    if (!isList || stopping.signal.aborted) return
    await inJournal((tx) => {
      tx.run('DELETE FROM listed_task WHERE listed_at < ?', at)
      writeMeta(tx, LISTED_KEY, String(at))
    })
    questions.noteListed(at)
  }

  /** Messages whose subjects exist become events, also those that came meanwhile; of those up to `upTo` the others are refused. */
  async function sortOut(
    upTo: number,
    { existing, isAnswered }: Answer,
  ): Promise<{ readonly found: number; readonly refused: number }> {
    const counts = { found: 0, refused: 0 }
    const isMissing = ({ seq, subject }: Row) => seq <= upTo && isAnswered(subject) && !existing.has(subject)
    for (let after = 0; !stopping.signal.aborted; ) {
      const page = pageOf(db, after)
      if (page.length === 0) break
      after = page.at(-1)!.seq
      const found = page.filter(({ subject }) => existing.has(subject))
      const refused = page.filter(isMissing)
      if (found.length + refused.length === 0) continue
      await inJournal((tx) => settle(tx, found, refused))
      for (const row of refused) counters.dropped[missing(row)] += 1
      counts.found += found.length
      counts.refused += refused.length
      if (found.length > 0) deps.onAdmitted()
    }
    waiting = countWaiting(db)
    total = sum(waiting)
    return counts
  }

  async function inJournal(write: (tx: Database) => unknown): Promise<void> {
    if ((await writer.write(write)) === false) throw new Error('the journal is not open')
  }

  function settle(tx: Database, found: readonly Row[], refused: readonly Row[]): boolean {
    if (found.length > 0 && !deps.admit(tx, found)) return false
    for (const { seq } of [...found, ...refused]) tx.run('DELETE FROM unverified WHERE seq = ?', seq)
    const samples = refused.slice(-SAMPLES)
    recordDrops(
      tx,
      samples.map((row) => ({ at: row.receivedAt, sender: row.sender, reason: missing(row), raw: row.raw })),
    )
    return true
  }

  function complain(error: unknown): void {
    if (isComplaining || total === 0 || isStorageFailure(error)) return
    isComplaining = true
    log.warn(
      `[QSEOW] UDP HANDLER: ${total} messages about tasks and apps that Footman does not know wait until QRS says whether these exist: ${errorText(error)}`,
    )
  }

  function wake(): void {
    if (total > 0) begin()
  }

  function begin(): void {
    if (running || timer || stopping.signal.aborted) return
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
    refresh() {
      if (total > 0 || questions.isListDue()) begin()
    },
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

/** The questions to Qlik Sense: which of the subjects that wait exist, and now and then which tasks there are at all. */
function createQuestions({ db, qrs, clock, log, isUnreachable }: UnverifiedDeps, signal: AbortSignal) {
  let canListAll = true
  let listDueAt = Number(readMeta(db, LISTED_KEY) ?? Number.NEGATIVE_INFINITY) + LIST_EVERY_MS
  const isListDue = () => clock.now() >= listDueAt

  async function ask(upTo: number): Promise<Answer> {
    const tasks = await askTasks(upTo)
    const apps = subjectsInTurn(db, upTo, MOST_APPS_ASKED, 'app')
    if (apps.length === 0) return tasks
    const ids = await qrs.existingApps(
      apps.map((subject) => subject.slice(APP.length)),
      signal,
    )
    const asked = new Set(apps)
    return {
      ...tasks,
      existing: tasks.existing.union(new Set([...ids].map(appSubject))),
      isAnswered: (subject) => (isApp(subject) ? asked.has(subject) : tasks.isAnswered(subject)),
    }
  }

  async function askTasks(upTo: number): Promise<Answer> {
    if (isListDue() || (canListAll && isMany(db))) {
      try {
        const existing = await qrs.allTaskIds(signal)
        canListAll = true
        return { existing, isAnswered: (subject) => !isApp(subject), isList: true }
      } catch (error) {
        listDueAt = clock.now() + LIST_AGAIN_MS
        if (isUnreachable(error)) throw error
        listDueAt = clock.now() + LIST_EVERY_MS
        if (canListAll) {
          log.warn(`[QSEOW] UDP HANDLER: QRS does not list all tasks, each is asked for: ${errorText(error)}`)
        }
        canListAll = false
      }
    }
    const asked = new Set(subjectsInTurn(db, upTo, MOST_ASKED, 'task'))
    const existing = asked.size === 0 ? new Set<string>() : await qrs.existingTasks([...asked], signal)
    return { existing, isAnswered: (subject) => asked.has(subject), isList: false }
  }

  return {
    isListDue,
    ask,
    noteListed(at: number): void {
      listDueAt = at + LIST_EVERY_MS
    },
  }
}

const missing = ({ subject }: Row): DropReason => (isApp(subject) ? 'APP_NOT_FOUND' : 'TASK_NOT_FOUND')

/** Subjects that wait, each once, at most `limit`: one of each sender in turn, those of a sender in order of arrival. */
export function subjectsInTurn(db: Database, upTo: number, limit: number, kind: 'task' | 'app'): string[] {
  return db
    .all<{ subject: string }>(
      `SELECT task_id AS subject FROM (
         SELECT task_id, min(turn) AS turn, min(first) AS first FROM (
           SELECT task_id, min(seq) AS first, row_number() OVER (PARTITION BY sender ORDER BY min(seq)) AS turn
             FROM unverified WHERE seq <= ? AND task_id ${kind === 'app' ? 'LIKE' : 'NOT LIKE'} '${APP}%' GROUP BY sender, task_id
         ) GROUP BY task_id
       ) ORDER BY turn, first LIMIT ?`,
      upTo,
      limit,
    )
    .map(({ subject }) => subject)
}

const KEEP =
  'INSERT INTO unverified (journal_id, received_at, sender, task_id, raw, message_key) VALUES (?, ?, ?, ?, ?, ?)'

const LIST_TASK =
  'INSERT INTO listed_task VALUES (?, ?) ON CONFLICT (task_id) DO UPDATE SET listed_at = excluded.listed_at'

const isListed = (db: Database, subject: string): boolean =>
  db.get('SELECT 1 FROM listed_task WHERE task_id = ?', subject) !== undefined

function isMany(db: Database): boolean {
  const sql = `SELECT count(*) AS n FROM (SELECT DISTINCT task_id FROM unverified WHERE task_id NOT LIKE '${APP}%' LIMIT ?)`
  return (db.get<{ n: number }>(sql, MOST_ASKED + 1)?.n ?? 0) > MOST_ASKED
}

function pageOf(db: Database, after: number): Row[] {
  return db.all<Row>(
    `SELECT seq, journal_id AS journalId, received_at AS receivedAt, sender, task_id AS subject, raw FROM unverified
       WHERE seq > ? ORDER BY seq LIMIT ?`,
    after,
    PAGE,
  )
}

function countWaiting(db: Database): Map<string, number> {
  const counts = db.all<{ sender: string; n: number }>('SELECT sender, count(*) AS n FROM unverified GROUP BY sender')
  const waiting = new Map<string, number>()
  for (const { sender, n } of counts) {
    const client = limitedClient(sender)
    waiting.set(client, (waiting.get(client) ?? 0) + n)
  }
  return waiting
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, n) => all + n, 0)
