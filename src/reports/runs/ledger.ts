/**
 * The ledger of runs in SQLite: runs, their documents and deliveries, firings of triggers, state of conditions. Every step
 * with an effect outside is written here before it happens and after it has happened, so that a restart knows what to do.
 */

import { createLastingWrite, type GroupWriter } from '../../platform/group-commit.ts'
import { ownJson } from '../../platform/json.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import type { RunCode } from '../codes.ts'
import type { Format } from '../entities/report.ts'
import type { Definition, Outcome } from '../entities/task.ts'
import type { RunDocument } from '../types.ts'
import type {
  Delivery,
  DeliveryChannel,
  DeliveryState,
  ListedRun,
  Run,
  RunCounts,
  RunEvent,
  RunOptions,
  RunState,
  RunTrigger,
} from './contract.ts'
import type { KeptStates } from './gate.ts'

const RUN = `id, task_id AS taskId, task_name AS taskName, task_revision AS taskRevision, project, priority, trigger, merged,
  options, state, outcome, reason, test, cancelled, attempt, repeats, queued_at AS queuedAt, started_at AS startedAt,
  sealed_at AS sealedAt, finished_at AS finishedAt, sealed, counts`
const DELIVERY = `id, run_id AS runId, position, channel, target, documents, payload, state, attempts,
  next_at AS nextAt, last_error AS lastError`
/** States after which nothing more happens to a delivery by itself. */
const OPEN_DELIVERY = `state IN ('planned', 'sending', 'retry')`

/** Runs by which others are judged: dry runs and those that repeat deliveries never are, test runs for tests alone (the parameter). */
const COUNTS = `(test = 0 OR ?) AND NOT coalesce(options ->> '$.dryRun', 0) AND trigger ->> '$.type' <> 'resend'`

const SQL = {
  addRun: `INSERT INTO report_run (id, task_id, task_name, task_revision, project, priority, trigger, options, state, outcome,
    reason, test, repeats, queued_at, started_at, finished_at, definition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  run: `SELECT ${RUN} FROM report_run WHERE id = ?`,
  definition: 'SELECT definition FROM report_run WHERE id = ?',
  open: `SELECT ${RUN} FROM report_run WHERE state <> 'finished' ORDER BY priority DESC, queued_at, rowid`,
  waiting: `SELECT ${RUN} FROM report_run WHERE task_id = ? AND state = 'queued' ORDER BY queued_at`,
  list: `SELECT ${RUN} FROM report_run WHERE (?1 IS NULL OR task_id = ?1) AND (?2 IS NULL OR outcome = ?2)
    AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR project = ?4) ORDER BY id DESC LIMIT ?5 OFFSET ?6`,
  count: `SELECT count(*) AS n FROM report_run WHERE (?1 IS NULL OR task_id = ?1) AND (?2 IS NULL OR outcome = ?2)
    AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR project = ?4)`,
  lastFinished: `SELECT ${RUN} FROM report_run WHERE task_id = ? AND state = 'finished'
    AND outcome <> 'skipped' ORDER BY finished_at DESC LIMIT 1`,
  lastJudged: `SELECT outcome FROM report_run WHERE task_id = ? AND state = 'finished' AND id <> ?
    AND outcome IN ('success', 'error') AND ${COUNTS} ORDER BY finished_at DESC LIMIT 1`,
  laterEnd: `SELECT id FROM report_run WHERE task_id = ? AND id > ? AND state = 'finished' AND outcome <> 'skipped' AND ${COUNTS} LIMIT 1`,
  lastDelivered: `SELECT max(r.started_at) AS at FROM report_run r WHERE r.task_id = ? AND r.outcome IN ('success', 'warning')
    AND r.test = 0 AND EXISTS (SELECT 1 FROM report_delivery d WHERE d.run_id = r.id AND d.state = 'sent' AND d.channel <> 'notification')`,
  lastSkipped: `SELECT id FROM report_run WHERE task_id = ? AND outcome = 'skipped' AND reason = ? AND queued_at > ?
    ORDER BY queued_at DESC LIMIT 1`,
  repeat: 'UPDATE report_run SET repeats = repeats + 1 WHERE id = ?',
  merge: "UPDATE report_run SET merged = json_insert(merged, '$[#]', json(?)) WHERE id = ?",
  begin: `UPDATE report_run SET state = 'running', started_at = coalesce(started_at, ?), attempt = attempt + 1,
    definition = coalesce(definition, ?) WHERE id = ?`,
  requeue: "UPDATE report_run SET state = 'queued' WHERE id = ?",
  park: "UPDATE report_run SET state = 'queued', attempt = attempt - 1 WHERE id = ? AND state = 'running'",
  seal: "UPDATE report_run SET state = 'delivering', sealed_at = ?, sealed = ? WHERE id = ?",
  cancel: 'UPDATE report_run SET cancelled = 1 WHERE id = ?',
  finish: `UPDATE report_run SET state = 'finished', outcome = ?, reason = ?, counts = ?, finished_at = ? WHERE id = ?`,

  addEvent: 'INSERT INTO report_run_event (run_id, at, event) VALUES (?, ?, ?)',
  /** The run has ended already. */
  countEvent:
    'UPDATE report_run SET counts = json_set(counts, ?1, (counts ->> ?1) + 1) WHERE id = ?2 AND counts IS NOT NULL',
  events: 'SELECT event FROM report_run_event WHERE run_id = ? ORDER BY rowid',
  /** The attempt was cut short; what happened while the run waited stays. */
  dropEvents: "DELETE FROM report_run_event WHERE run_id = ? AND event ->> 'code' <> 'COALESCED'",

  addDocument: 'INSERT INTO report_document (id, run_id, sha256, document) VALUES (?, ?, ?, ?)',
  formats: `SELECT document ->> 'format' AS format, count(*) AS n FROM report_document WHERE run_id = ? GROUP BY format`,
  documents: 'SELECT document FROM report_document WHERE run_id = ? ORDER BY rowid',
  document: 'SELECT document FROM report_document WHERE id = ?',

  addDelivery: `INSERT INTO report_delivery (id, run_id, position, channel, target, documents, payload, state, next_at, last_error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  deliveries: `SELECT ${DELIVERY} FROM report_delivery WHERE run_id = ? ORDER BY position`,
  delivery: `SELECT ${DELIVERY} FROM report_delivery WHERE id = ?`,
  family: `SELECT ${DELIVERY} FROM report_delivery WHERE run_id IN (SELECT id FROM report_run
    WHERE task_id = ?1 AND (id = ?2 OR (trigger ->> 'type' = 'resend' AND trigger ->> 'key' = ?2))) ORDER BY run_id, position`,
  setPayload: 'UPDATE report_delivery SET payload = ? WHERE id = ?',
  setDelivery: `UPDATE report_delivery SET state = ?, attempts = ?, next_at = ?, last_error = ?, target = ? WHERE id = ?`,
  /** A run that repeats deliveries writes the files of the first one. */
  laterFile: `SELECT 1 FROM report_run r JOIN report_delivery d ON d.run_id = r.id WHERE r.task_id = ?
    AND iif(r.trigger ->> 'type' = 'resend', r.trigger ->> 'key', r.id) > ? AND d.channel = 'storage' AND d.state = 'sent' AND d.target = ? LIMIT 1`,
  withOpenDeliveries: `SELECT DISTINCT run_id AS id FROM report_delivery WHERE ${OPEN_DELIVERY}`,

  fired: 'SELECT run_id AS runId FROM report_trigger_fired WHERE identity = ?',
  fire: 'INSERT INTO report_trigger_fired (identity, run_id, at) VALUES (?, ?, ?)',

  conditionStates: 'SELECT key, state FROM report_condition_state WHERE task_id = ?',
  setConditionState: `INSERT INTO report_condition_state (key, task_id, state, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET state = excluded.state, at = excluded.at`,

  expired: `SELECT id FROM report_run r WHERE state = 'finished' AND finished_at < ?1 AND id NOT IN
    (SELECT id FROM report_run x WHERE x.task_id = r.task_id ORDER BY id DESC LIMIT 5)
    AND NOT EXISTS (SELECT 1 FROM report_delivery d WHERE d.run_id = r.id AND d.${OPEN_DELIVERY}) LIMIT 200`,
  removeRun: 'DELETE FROM report_run WHERE id = ?',
  forgetFired: 'DELETE FROM report_trigger_fired WHERE at < ?',
  forgetStates: 'DELETE FROM report_condition_state WHERE task_id NOT IN (SELECT id FROM report_task)',
  forgetFirings: `DELETE FROM report_trigger_fired WHERE run_id IN
    (SELECT id FROM report_run WHERE state = 'finished' AND task_id NOT IN (SELECT id FROM report_task))`,
  usesBlob: 'SELECT 1 FROM report_document WHERE sha256 = ?1 OR instr(document, ?1) > 0 LIMIT 1',
} as const

interface RunRow {
  readonly id: string
  readonly taskId: string
  readonly taskName: string
  readonly taskRevision: number
  readonly project: string
  readonly priority: number
  readonly trigger: string
  readonly merged: string
  readonly options: string
  readonly state: RunState
  readonly outcome: Outcome | null
  readonly reason: RunCode | null
  readonly test: number
  readonly cancelled: number
  readonly attempt: number
  readonly repeats: number
  readonly queuedAt: number
  readonly startedAt: number | null
  readonly sealedAt: number | null
  readonly finishedAt: number | null
  readonly sealed: string | null
  readonly counts: string | null
}

/** Title and last reload of the app of the first report, for patterns and mails. */
export interface RunApp {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly lastReload: number | null
}

/** Facts about the documents of a run that its end needs. */
export interface Sealed {
  readonly app: RunApp
  /** Set when conditions left nothing to do. */
  readonly skipped: RunCode | null
  readonly states: KeptStates
}

/** A run as the ledger keeps it; the API shows it as a `Run`. */
export interface RunRecord {
  readonly id: string
  readonly taskId: string
  readonly taskName: string
  readonly taskRevision: number
  readonly project: string
  readonly priority: number
  readonly trigger: RunTrigger
  /** Triggers that were added while the run was waiting. */
  readonly merged: readonly RunTrigger[]
  readonly options: RunOptions
  readonly state: RunState
  readonly outcome: Outcome | null
  readonly reason: RunCode | null
  readonly test: boolean
  readonly cancelled: boolean
  readonly attempt: number
  /** Firings that this row stands for: those for a disabled task share one row an hour. */
  readonly repeats: number
  /** Times in milliseconds since 1970. */
  readonly queuedAt: number
  readonly startedAt: number | null
  readonly sealedAt: number | null
  readonly finishedAt: number | null
  /** Null until the plan is complete. */
  readonly sealed: Sealed | null
  readonly counts: RunCounts | null
}

interface NewRun {
  readonly id: string
  readonly task: { readonly id: string; readonly name: string; readonly revision: number; readonly project: string }
  readonly priority: number
  readonly trigger: RunTrigger
  readonly options: RunOptions
  readonly test: boolean
  readonly at: number
  /** A row that says why nothing ran; `repeats`: number of firings that it stands for, default 1. */
  readonly ended?: { readonly outcome: Outcome; readonly reason: RunCode; readonly repeats?: number }
  readonly definition?: Definition
}

/** A delivery with the data that its channel needs. */
export interface DeliveryRecord extends Omit<Delivery, 'nextAttemptAt'> {
  readonly runId: string
  readonly position: number
  readonly payload: unknown
  /** Milliseconds since 1970. */
  readonly nextAt: number | null
}

export interface NewDelivery {
  readonly id: string
  readonly channel: DeliveryChannel
  readonly target: string
  readonly documents: readonly string[]
  readonly payload: unknown
  readonly state: DeliveryState
  readonly lastError?: string
  /** Not before this time, milliseconds since 1970. */
  readonly nextAt?: number
}

export interface DeliveryChange {
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAt: number | null
  readonly lastError: string | null
  readonly target: string
}

/** The end of a run. */
export interface RunEnd {
  readonly run: RunRecord
  /** How many documents of each format it has made. */
  readonly formats: Readonly<Partial<Record<Format, number>>>
}

export interface LedgerDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly log: Logger
  /** Ends the repetitions of writes while the storage fails: the rest waits for the next start. */
  readonly stop: AbortSignal
  /** A run has ended, or was skipped; called in the transaction that stores it. */
  readonly onEnded: (end: RunEnd, tx: Database) => void
}

interface RunQuery {
  readonly taskId?: string
  readonly outcome?: Outcome
  readonly state?: RunState
  readonly project?: string
  readonly limit: number
  readonly offset: number
}

export type Ledger = ReturnType<typeof createLedger>

/**
 * Reads answer from the database; writes resolve when they are on disk. The steps of a run repeat while the storage fails:
 * a run goes on by itself when there is room again.
 */
export function createLedger({ db, writer, log, stop, onEnded }: LedgerDeps) {
  const write = <T>(work: (tx: Database) => T) => writer.write(work)
  const keep = createLastingWrite({ writer, log, what: 'REPORTTASK: The state of runs', stop })
  const rows = createRunRows(onEnded)

  return {
    ...createReads(db),
    ...rows,

    begin: (runId: string, definition: Definition, at: number) =>
      keep((tx) => {
        tx.run(SQL.begin, at, JSON.stringify(definition), runId)
        tx.run(SQL.dropEvents, runId)
      }),
    requeue: (runId: string) => keep((tx) => tx.run(SQL.requeue, runId)),
    /** The run waits again, as if its last attempt had not begun. */
    park: (runId: string) => keep((tx) => tx.run(SQL.park, runId)),
    cancel: (runId: string) => write((tx) => tx.run(SQL.cancel, runId)),
    /** Also of a run that has ended: its outcome stays, and its counts have the event. */
    addEvent: (runId: string, event: RunEvent) =>
      keep((tx) => {
        addEvent(tx, runId, event)
        if (event.level !== 'info') tx.run(SQL.countEvent, `$.${event.level}s`, runId)
      }),
    /** The plan is complete: from here on a restart delivers and makes nothing again. */
    seal: (
      runId: string,
      documents: readonly RunDocument[],
      deliveries: readonly NewDelivery[],
      sealed: Sealed,
      at: number,
    ) =>
      keep((tx) => {
        addDocuments(tx, runId, documents)
        addDeliveries(tx, runId, deliveries)
        tx.run(SQL.seal, at, JSON.stringify(sealed), runId)
      }),
    /** Ends the run; its notifications are planned, and its end is announced, in the same transaction. */
    finish: (
      runId: string,
      end: {
        readonly outcome: Outcome
        readonly reason: RunCode | null
        readonly counts: RunCounts
        readonly at: number
      },
      notifications: readonly NewDelivery[],
      states: Readonly<Record<string, unknown>>,
      taskId: string,
    ) =>
      keep((tx) => {
        tx.run(SQL.finish, end.outcome, end.reason, JSON.stringify(end.counts), end.at, runId)
        addDeliveries(tx, runId, notifications, 1_000_000)
        for (const [key, state] of Object.entries(states)) {
          tx.run(SQL.setConditionState, key, taskId, JSON.stringify(state), end.at)
        }
        announceEnd(tx, runId, onEnded)
      }),
    addNotifications: (runId: string, notifications: readonly NewDelivery[]) =>
      keep((tx) => addDeliveries(tx, runId, notifications, 1_000_000)),
    setDelivery: (id: string, { state, attempts, nextAt, lastError, target }: DeliveryChange) =>
      keep((tx) => tx.run(SQL.setDelivery, state, attempts, nextAt, lastError, target, id)),
    /** The delivery becomes one of several, each of which is decided by itself from now on. */
    divideDelivery: (
      { id, runId, position }: DeliveryRecord,
      { state, attempts, nextAt, lastError, target }: DeliveryChange,
      payload: unknown,
      others: readonly NewDelivery[],
    ) =>
      keep((tx) => {
        tx.run(SQL.setDelivery, state, attempts, nextAt, lastError, target, id)
        tx.run(SQL.setPayload, JSON.stringify(payload), id)
        addDeliveries(tx, runId, others, position)
      }),
    /** Adds a run whose plan is complete: it repeats deliveries of another run. */
    addSealed: (run: NewRun, deliveries: readonly NewDelivery[], sealed: Sealed) =>
      write((tx) => {
        rows.add(tx, run)
        addDeliveries(tx, run.id, deliveries)
        tx.run(SQL.begin, run.at, null, run.id)
        tx.run(SQL.seal, run.at, JSON.stringify(sealed), run.id)
      }),
    /** Removes the kept states and firings of tasks that are gone. */
    forgetDeletedTasks: () =>
      write((tx) => {
        tx.run(SQL.forgetStates)
        tx.run(SQL.forgetFirings)
      }),
    /** Removes up to 200 runs that ended before `before`; the last five of a task stay. Returns their ids. */
    prune: (before: number, firedBefore: number) =>
      write((tx) => {
        const ids = tx.all<{ id: string }>(SQL.expired, before).map(({ id }) => id)
        for (const id of ids) tx.run(SQL.removeRun, id)
        tx.run(SQL.forgetFired, firedBefore)
        return ids
      }),
  }
}

/** Inside a transaction of the caller. */
function createRunRows(onEnded: LedgerDeps['onEnded']) {
  return {
    add(tx: Database, run: NewRun): void {
      const { id, task, priority, trigger, options, test, at, ended, definition } = run
      const state = ended ? 'finished' : 'queued'
      tx.run(
        SQL.addRun,
        id,
        task.id,
        task.name,
        task.revision,
        task.project,
        priority,
        JSON.stringify(trigger),
        JSON.stringify(options),
        state,
        ended?.outcome ?? null,
        ended?.reason ?? null,
        Number(test),
        ended?.repeats ?? 1,
        at,
        null,
        ended ? at : null,
        definition ? JSON.stringify(definition) : null,
      )
      if (ended) announceEnd(tx, id, onEnded)
    },
    /** The run that this firing of a trigger belongs to; null when it is new. */
    firedBefore: (tx: Database, identity: string) => tx.get<{ runId: string }>(SQL.fired, identity)?.runId ?? null,
    markFired: (tx: Database, identity: string, runId: string, at: number) => tx.run(SQL.fire, identity, runId, at),
    waitingFor: (tx: Database, taskId: string) => tx.all<RunRow>(SQL.waiting, taskId).map(recordOf),
    /** Another trigger joins a run that waits. */
    merge(tx: Database, runId: string, trigger: RunTrigger, event: RunEvent): void {
      tx.run(SQL.merge, JSON.stringify(trigger), runId)
      addEvent(tx, runId, event)
    },
    /** Adds to the count of a skipped run of the same reason since `after`, and returns its id; null when there is none. */
    repeatSkipped(tx: Database, taskId: string, reason: RunCode, after: number): string | null {
      const row = tx.get<{ id: string }>(SQL.lastSkipped, taskId, reason, after)
      if (row) tx.run(SQL.repeat, row.id)
      return row?.id ?? null
    },
  }
}

function createReads(db: Database) {
  return {
    run(id: string): RunRecord | null {
      const row = db.get<RunRow>(SQL.run, id)
      return row ? recordOf(row) : null
    },
    /** Runs that are not finished, in the order in which they may begin. */
    open: () => db.all<RunRow>(SQL.open).map(recordOf),
    list({ taskId, outcome, state, project, limit, offset }: RunQuery) {
      const where = [taskId ?? null, outcome ?? null, state ?? null, project ?? null] as const
      return {
        runs: db.all<RunRow>(SQL.list, ...where, limit, offset).map(recordOf),
        total: db.get<{ n: number }>(SQL.count, ...where)?.n ?? 0,
      }
    },
    /** The last run of the task that was more than skipped. */
    lastFinished(taskId: string): RunRecord | null {
      const row = db.get<RunRow>(SQL.lastFinished, taskId)
      return row ? recordOf(row) : null
    },
    /**
     * Whether the last run of the task that ended as success or error was an error: what those who get outcome mails last
     * learnt. Dry runs and runs that repeat deliveries send none; those of test runs go elsewhere, so they count for tests alone.
     */
    hadFailed: ({ taskId, id, test }: Pick<RunRecord, 'taskId' | 'id' | 'test'>): boolean =>
      db.get<{ outcome: Outcome }>(SQL.lastJudged, taskId, id, test ? 1 : 0)?.outcome === 'error',
    /** Whether a later run of the task, which did not wait for this one, has ended. */
    isOvertaken: ({ taskId, id, test }: Pick<RunRecord, 'taskId' | 'id' | 'test'>): boolean =>
      db.get(SQL.laterEnd, taskId, id, test ? 1 : 0) !== undefined,
    /** Start of the last run that delivered something, in milliseconds since 1970; null before the first. */
    lastDelivered: (taskId: string) => db.get<{ at: number | null }>(SQL.lastDelivered, taskId)?.at ?? null,
    definition(runId: string): Definition | null {
      const text = db.get<{ definition: string | null }>(SQL.definition, runId)?.definition
      return text ? ownJson<Definition>(text) : null
    },
    events: (runId: string) =>
      db.all<{ event: string }>(SQL.events, runId).map(({ event }) => ownJson<RunEvent>(event)),
    /** The documents of a run; those of the first run for one that repeats deliveries. */
    documents: (run: Pick<RunRecord, 'id' | 'trigger'>) =>
      db.all<{ document: string }>(SQL.documents, rootOf(run)).map(({ document }) => ownJson<RunDocument>(document)),
    document(id: string): RunDocument | null {
      const text = db.get<{ document: string }>(SQL.document, id)?.document
      return text ? ownJson<RunDocument>(text) : null
    },
    /** Deliveries of a run, of the first one that it repeats, and of all that repeat that. */
    familyDeliveries: (run: Pick<RunRecord, 'id' | 'taskId' | 'trigger'>) =>
      db.all<DeliveryRow>(SQL.family, run.taskId, rootOf(run)).map(deliveryOf),
    deliveries: (runId: string) => db.all<DeliveryRow>(SQL.deliveries, runId).map(deliveryOf),
    delivery(id: string): DeliveryRecord | null {
      const row = db.get<DeliveryRow>(SQL.delivery, id)
      return row ? deliveryOf(row) : null
    },
    /** Runs with deliveries that wait, finished ones included: their notifications may be under way. */
    withOpenDeliveries: () => db.all<{ id: string }>(SQL.withOpenDeliveries).map(({ id }) => id),
    /** Whether a run of the task that began later has written this file. */
    hasLaterFile: (run: Pick<RunRecord, 'id' | 'taskId' | 'trigger'>, target: string) =>
      db.get(SQL.laterFile, run.taskId, rootOf(run), target) !== undefined,
    conditionStates(taskId: string): Readonly<Record<string, unknown>> {
      const rows = db.all<{ key: string; state: string }>(SQL.conditionStates, taskId)
      return Object.fromEntries(rows.map(({ key, state }) => [key, JSON.parse(state)]))
    },
    /** Whether a document is made of this file, or shows it as a picture. */
    usesBlob: (sha256: string) => db.get(SQL.usesBlob, sha256) !== undefined,
  }
}

/** Id of the run that made the documents: the first one of those that repeat each other's deliveries. */
export const rootOf = ({ id, trigger }: Pick<RunRecord, 'id' | 'trigger'>): string =>
  trigger.type === 'resend' ? trigger.key : id

function addDeliveries(tx: Database, runId: string, deliveries: readonly NewDelivery[], from = 0): void {
  for (const [index, { id, channel, target, documents, payload, state, ...rest }] of deliveries.entries()) {
    const texts = [JSON.stringify(documents), JSON.stringify(payload)] as const
    const { nextAt = null, lastError = null } = rest
    tx.run(SQL.addDelivery, id, runId, from + index, channel, target, ...texts, state, nextAt, lastError)
  }
}

function addDocuments(tx: Database, runId: string, documents: readonly RunDocument[]): void {
  for (const one of documents) tx.run(SQL.addDocument, one.id, runId, one.sha256, JSON.stringify(one))
}

function announceEnd(tx: Database, runId: string, onEnded: LedgerDeps['onEnded']): void {
  const rows = tx.all<{ format: Format; n: number }>(SQL.formats, runId)
  const formats = Object.fromEntries(rows.map(({ format, n }) => [format, n]))
  onEnded({ run: recordOf(tx.get<RunRow>(SQL.run, runId)!), formats }, tx)
}

const addEvent = (tx: Database, runId: string, event: RunEvent) =>
  tx.run(SQL.addEvent, runId, Date.parse(event.at), JSON.stringify(event))

interface DeliveryRow extends Omit<DeliveryRecord, 'documents' | 'payload'> {
  readonly documents: string
  readonly payload: string
}

const deliveryOf = (row: DeliveryRow): DeliveryRecord => ({
  ...row,
  documents: ownJson<string[]>(row.documents),
  payload: ownJson<unknown>(row.payload),
})

function recordOf(row: RunRow): RunRecord {
  return {
    ...row,
    trigger: ownJson<RunTrigger>(row.trigger),
    merged: ownJson<RunTrigger[]>(row.merged),
    options: ownJson<RunOptions>(row.options),
    test: row.test === 1,
    cancelled: row.cancelled === 1,
    sealed: row.sealed === null ? null : ownJson<Sealed>(row.sealed),
    counts: row.counts === null ? null : ownJson<RunCounts>(row.counts),
  }
}

const instant = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())

const NO_COUNTS: RunCounts = {
  documents: 0,
  mailsSent: 0,
  mailsFailed: 0,
  mailsHeld: 0,
  filesWritten: 0,
  hubItems: 0,
  warnings: 0,
  errors: 0,
}

/** The run in the form of the API. */
export const runOf = (record: RunRecord, events: readonly RunEvent[], counts = record.counts): Run => ({
  ...listedRunOf(record, counts),
  events,
})

/** The same without its events, as lists have it. */
export function listedRunOf(record: RunRecord, counts: RunCounts | null): ListedRun {
  const { id, taskId, taskName, taskRevision, trigger, merged, options, state, outcome, reason, test, repeats } = record
  const { startedAt, finishedAt } = record
  return {
    id,
    taskId,
    taskName,
    taskRevision,
    trigger: merged.length === 0 ? trigger : { ...trigger, detail: { ...trigger.detail, merged } },
    options,
    state,
    outcome,
    reason,
    test,
    dryRun: options.dryRun,
    ...(repeats > 1 && { repeats }),
    queuedAt: new Date(record.queuedAt).toISOString(),
    startedAt: instant(startedAt),
    finishedAt: instant(finishedAt),
    durationMs: startedAt === null || finishedAt === null ? null : finishedAt - startedAt,
    counts: counts ?? NO_COUNTS,
  }
}

/** The counts of a run as its deliveries stand now. */
export function countsOf(
  documents: number,
  deliveries: readonly Pick<DeliveryRecord, 'channel' | 'state'>[],
  events: readonly Pick<RunEvent, 'level'>[],
): RunCounts {
  const count = (channel: DeliveryChannel, ...states: DeliveryState[]) =>
    deliveries.filter((one) => one.channel === channel && states.includes(one.state)).length
  return {
    documents,
    mailsSent: count('email', 'sent'),
    mailsFailed: count('email', 'failed'),
    mailsHeld: count('email', 'unknown'),
    filesWritten: count('storage', 'sent'),
    hubItems: count('hub', 'sent'),
    warnings: events.filter(({ level }) => level === 'warning').length,
    errors: events.filter(({ level }) => level === 'error').length,
  }
}
