/** Tables of the safety net: checkpoints, retries, due starts, findings, and kinds of messages. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { EndedExecution } from '../executions/types.ts'
import type { WatchName } from './config-policies.ts'

/** Tables of the safety net. */
export const safetyNetMigrations: readonly Migration[] = [
  {
    name: 'safety-net-001',
    sql: `
      CREATE TABLE safety_net_mark (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE heard_kind (kind TEXT PRIMARY KEY) WITHOUT ROWID;
      CREATE TABLE watchdog_due (task_id TEXT NOT NULL, due_at INTEGER NOT NULL, PRIMARY KEY (task_id, due_at)) WITHOUT ROWID;
      CREATE TABLE watchdog_finding (
        subject TEXT NOT NULL,
        outcome TEXT NOT NULL,
        task_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        open INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (subject, outcome)
      ) WITHOUT ROWID;
      CREATE INDEX watchdog_open ON watchdog_finding (task_id) WHERE open = 1;
      CREATE TABLE task_retry (
        id TEXT PRIMARY KEY,
        task_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        max INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        state TEXT NOT NULL,
        started_at INTEGER,
        retry_execution_id TEXT,
        reason TEXT
      ) WITHOUT ROWID;
      CREATE INDEX task_retry_open ON task_retry (due_at) WHERE state IN ('due', 'starting');
      CREATE INDEX task_retry_task ON task_retry (task_id, started_at);
      CREATE INDEX task_retry_started ON task_retry (started_at) WHERE started_at IS NOT NULL;
      CREATE INDEX task_retry_execution ON task_retry (retry_execution_id) WHERE retry_execution_id IS NOT NULL;`,
  },
]

const RETRY = `SELECT id, task_id AS taskId, event_id AS eventId, execution_id AS executionId, attempt, max,
  due_at AS dueAt, state, (SELECT received_at FROM event WHERE event.id = event_id) AS reportedAt FROM task_retry`
const OPEN = "state IN ('due', 'starting')"

const SQL = {
  mark: 'SELECT at FROM safety_net_mark WHERE name = ?',
  writeMark: 'INSERT INTO safety_net_mark VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at',

  heardKinds: 'SELECT kind FROM heard_kind',
  addHeardKind: 'INSERT OR IGNORE INTO heard_kind VALUES (?)',
  eventOfExecution: `SELECT 1 FROM event WHERE execution_id = ? AND execution_id <> '' AND test = 0
    AND (outcome = ? OR announced = 'distribute')`,
  // The plus: a few minutes hold less than the history of a busy task, or than all events of an outcome.
  eventNear: `SELECT 1 FROM event WHERE +task_id = ? AND +outcome = ? AND test = 0 AND received_at BETWEEN ? AND ?
    AND (execution_id = '' OR ? IS NULL)`,
  claimedOfExecution: `SELECT id FROM event WHERE execution_id = ? AND execution_id <> '' AND lower(task_id) = lower(?)
    AND +outcome = 'success' AND source = 'udp' AND state = 'routed' AND test = 0`,
  claimedNear: `SELECT id FROM event WHERE +task_id = ? AND +outcome = 'success' AND received_at BETWEEN ? AND ?
    AND source = 'udp' AND state = 'routed' AND test = 0 AND (execution_id = '' OR ? IS NULL)`,

  addRetry: `INSERT INTO task_retry (id, task_id, event_id, execution_id, attempt, max, due_at, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  openRetries: `${RETRY} WHERE ${OPEN} ORDER BY due_at`,
  openRetriesOfTask: `${RETRY} WHERE task_id = ? AND ${OPEN}`,
  retryOfExecution: `${RETRY} WHERE retry_execution_id = ? AND retry_execution_id IS NOT NULL`,
  lastRetryOfTask: `${RETRY} WHERE task_id = +? AND state IN ('started', 'starting') AND retry_execution_id IS NULL
    AND (execution_id = '' OR lower(execution_id) <> ?) ORDER BY started_at DESC NULLS FIRST LIMIT 1`,
  retryStarting: "UPDATE task_retry SET state = 'starting' WHERE id = ?",
  retryStarted: "UPDATE task_retry SET state = 'started', retry_execution_id = ?, started_at = ? WHERE id = ?",
  retryEnded: 'UPDATE task_retry SET state = ?, reason = ? WHERE id = ?',
  retryOfEvent: `SELECT retry_execution_id AS executionId FROM task_retry WHERE task_id = ? AND event_id = ?
    AND retry_execution_id IS NOT NULL ORDER BY attempt LIMIT 1`,
  countRetries: 'SELECT count(*) AS n FROM task_retry WHERE started_at > ? AND started_at IS NOT NULL',
  countRetriesOfTask:
    'SELECT count(*) AS n FROM task_retry WHERE started_at > ? AND started_at IS NOT NULL AND task_id = ?',
  purgeRetries: `DELETE FROM task_retry WHERE id IN (SELECT id FROM task_retry WHERE due_at < ? AND NOT (${OPEN}) LIMIT ?)`,

  addDue: 'INSERT OR IGNORE INTO watchdog_due VALUES (?, ?)',
  due: 'SELECT 1 FROM watchdog_due WHERE task_id = ? AND due_at = ?',
  removeDue: 'DELETE FROM watchdog_due WHERE task_id = ? AND due_at = ?',
  removeFutureDues: 'DELETE FROM watchdog_due WHERE task_id = ? AND due_at > ?',
  duesBefore: 'SELECT task_id AS taskId, due_at AS dueAt FROM watchdog_due WHERE due_at < ? ORDER BY due_at',
  finding: 'SELECT 1 FROM watchdog_finding WHERE subject = ? AND outcome = ?',
  addFinding: 'INSERT OR IGNORE INTO watchdog_finding VALUES (?, ?, ?, ?, 1)',
  openFindings:
    'SELECT subject, outcome, task_id AS taskId FROM watchdog_finding INDEXED BY watchdog_open WHERE open = 1',
  closeFinding: 'UPDATE watchdog_finding SET open = 0 WHERE subject = ? AND outcome = ?',
  purgeFindings: `DELETE FROM watchdog_finding WHERE (subject, outcome) IN
    (SELECT subject, outcome FROM watchdog_finding WHERE at < ? AND open = 0 LIMIT ?)`,
  runSince: 'SELECT 1 FROM execution WHERE task_id = ? AND stopped_at >= ? LIMIT 1',
} as const

// Checkpoints: instants that must survive a restart, by name.

/** The reconciler has seen all ends between these two. */
export const RECONCILED = { since: 'reconciler.since', until: 'reconciler.looked' } as const

/** Milliseconds since 1970; null when it was never set. */
export function readMark(db: Database, name: string): number | null {
  return db.get<{ at: number }>(SQL.mark, name)?.at ?? null
}

export function writeMark(db: Database, name: string, at: number): void {
  db.run(SQL.writeMark, name, at)
}

/** The checkpoints for parts that write nothing else together with them. */
export const createMarks = ({ db, writer }: { readonly db: Database; readonly writer: GroupWriter }) => ({
  read: (name: string) => readMark(db, name),
  write: (name: string, at: number) => writer.write((tx) => writeMark(tx, name, at)),
})

// Retries.

/**
 * `due` waits for its time, `starting` was handed to Qlik Sense or is about to be, `started` runs or has run, `refused`
 * was not made although it was due, `superseded` was not needed any more.
 */
export type RetryRowState = 'due' | 'starting' | 'started' | 'refused' | 'superseded'

export interface Retry {
  readonly id: string
  readonly taskId: string
  /** The event of the failure. */
  readonly eventId: string
  /** The execution that failed; empty when its id is unknown. */
  readonly executionId: string
  /** 1 = the first retry. */
  readonly attempt: number
  readonly max: number
  /** Milliseconds since 1970. */
  readonly dueAt: number
  readonly state: RetryRowState
  /** When the failure was reported; null when its event is gone. Milliseconds since 1970. */
  readonly reportedAt: number | null
}

export function insertRetry(db: Database, retry: Omit<Retry, 'reportedAt'>): void {
  const { id, taskId, eventId, executionId, attempt, max, dueAt, state } = retry
  db.run(SQL.addRetry, id, taskId, eventId, executionId, attempt, max, dueAt, state)
}

export function openRetries(db: Database): Retry[] {
  return db.all<Retry>(SQL.openRetries)
}

export function openRetriesOf(db: Database, taskId: string): Retry[] {
  return db.all<Retry>(SQL.openRetriesOfTask, taskId)
}

/**
 * The retry that an execution belongs to. Without execution ids it is the last started retry of the task; a short run may
 * have failed before its start was noted, then it is the retry that is being started.
 */
export function retryOfExecution(db: Database, taskId: string, executionId: string): Retry | undefined {
  const id = executionId.toLowerCase()
  return db.get<Retry>(SQL.retryOfExecution, id) ?? db.get<Retry>(SQL.lastRetryOfTask, taskId, id)
}

/** The execution of the retry that followed an event; null when none was started. */
export function retryOfEvent(db: Database, taskId: string, eventId: string): string | null {
  return db.get<{ executionId: string }>(SQL.retryOfEvent, taskId, eventId)?.executionId ?? null
}

export function markStarting(db: Database, id: string): void {
  db.run(SQL.retryStarting, id)
}

export function markStarted(db: Database, id: string, executionId: string | null, at: number): void {
  db.run(SQL.retryStarted, executionId?.toLowerCase() ?? null, at, id)
}

export function markEnded(db: Database, id: string, state: 'refused' | 'superseded', reason: string): void {
  db.run(SQL.retryEnded, state, reason, id)
}

/** Retries of a task, or of all tasks, that were started since then or are about to be. */
export function countRetries(db: Database, taskId: string | null, since: number): number {
  const started =
    taskId === null
      ? db.get<{ n: number }>(SQL.countRetries, since)
      : db.get<{ n: number }>(SQL.countRetriesOfTask, since, taskId)
  return started?.n ?? 0
}

export function purgeRetries(db: Database, before: number, limit: number): number {
  return db.run(SQL.purgeRetries, before, limit).changes
}

// Watchdog: starts that are due, and findings that were reported.

export interface Finding {
  /** The execution, or task and due time. */
  readonly subject: string
  readonly outcome: WatchName
  readonly taskId: string
}

export function noteDue(db: Database, taskId: string, dueAt: number): void {
  db.run(SQL.addDue, taskId, dueAt)
}

export function isDue(db: Database, taskId: string, dueAt: number): boolean {
  return db.get(SQL.due, taskId, dueAt) !== undefined
}

export function forgetDue(db: Database, taskId: string, dueAt: number): void {
  db.run(SQL.removeDue, taskId, dueAt)
}

/** A start that has not come yet and is not planned any more, because the schedule was changed. */
export function forgetFutureDues(db: Database, taskId: string, now: number): void {
  db.run(SQL.removeFutureDues, taskId, now)
}

export function duesBefore(db: Database, at: number): { readonly taskId: string; readonly dueAt: number }[] {
  return db.all(SQL.duesBefore, at)
}

export function isReported(db: Database, { subject, outcome }: Pick<Finding, 'subject' | 'outcome'>): boolean {
  return db.get(SQL.finding, subject, outcome) !== undefined
}

export function noteFinding(db: Database, { subject, outcome, taskId }: Finding, at: number): void {
  db.run(SQL.addFinding, subject, outcome, taskId, at)
}

export function openFindings(db: Database): Finding[] {
  return db.all<Finding>(SQL.openFindings)
}

export function closeFinding(db: Database, { subject, outcome }: Finding): void {
  db.run(SQL.closeFinding, subject, outcome)
}

export function purgeFindings(db: Database, before: number, limit: number): number {
  return db.run(SQL.purgeFindings, before, limit).changes
}

/** Whether an execution of the task went on at that time or later. */
export function ranSince(db: Database, taskId: string, at: number): boolean {
  return db.get(SQL.runSince, taskId, at) !== undefined
}

// Reconciler: announced ends.

/** A message without an execution id is about the execution of the task that ended so near to its arrival. */
const SAME_END_MS = 2 * 60_000

/** True when there is an event about this end, or one that waits for it, as of a distribution. */
export function isAnnounced(db: Database, { executionId, taskId, outcome, stoppedAt }: EndedExecution): boolean {
  if (executionId !== null && db.get(SQL.eventOfExecution, executionId.toLowerCase(), outcome)) return true
  const [from, to] = [stoppedAt - SAME_END_MS, stoppedAt + SAME_END_MS]
  return db.get(SQL.eventNear, taskId, outcome, from, to, executionId) !== undefined
}

/** The event of a message about this success that does not wait for Qlik data any more; null when there is none. */
export function claimedSuccess(db: Database, { executionId, taskId, stoppedAt }: EndedExecution): string | null {
  const [from, to] = [stoppedAt - SAME_END_MS, stoppedAt + SAME_END_MS]
  const ofExecution = db.get<{ id: string }>(SQL.claimedOfExecution, executionId?.toLowerCase() ?? '', taskId)
  return (ofExecution ?? db.get<{ id: string }>(SQL.claimedNear, taskId, from, to, executionId))?.id ?? null
}

/** Kinds of messages (type and outcome) that have come by UDP. */
export function heardKinds(db: Database): string[] {
  return db.all<{ kind: string }>(SQL.heardKinds).map(({ kind }) => kind)
}

export function addHeardKind(db: Database, kind: string): void {
  db.run(SQL.addHeardKind, kind)
}
