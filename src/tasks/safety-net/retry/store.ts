/** Retries in the database: they survive a restart. */
import type { Database } from '../../../platform/sqlite.ts'

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
  /** The execution that failed; empty when nobody tells its id. */
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

const SELECT = `SELECT id, task_id AS taskId, event_id AS eventId, execution_id AS executionId, attempt, max,
  due_at AS dueAt, state, (SELECT received_at FROM event WHERE event.id = event_id) AS reportedAt FROM task_retry`
const OPEN = "state IN ('due', 'starting')"

export function insertRetry(db: Database, retry: Omit<Retry, 'reportedAt'>): void {
  const { id, taskId, eventId, executionId, attempt, max, dueAt, state } = retry
  db.run(
    `INSERT INTO task_retry (id, task_id, event_id, execution_id, attempt, max, due_at, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[id, taskId, eventId, executionId, attempt, max, dueAt, state],
  )
}

export function openRetries(db: Database): Retry[] {
  return db.all<Retry>(`${SELECT} WHERE ${OPEN} ORDER BY due_at`)
}

export function openRetriesOf(db: Database, taskId: string): Retry[] {
  return db.all<Retry>(`${SELECT} WHERE task_id = ? AND ${OPEN}`, taskId)
}

/**
 * The retry that an execution is. Where nobody tells execution ids it is the last one of the task that was started; a
 * short run may have failed before its start was noted, then it is the one that is being started.
 */
export function retryOfExecution(db: Database, taskId: string, executionId: string): Retry | undefined {
  const byId = db.get<Retry>(
    `${SELECT} WHERE retry_execution_id = ? AND retry_execution_id IS NOT NULL`,
    executionId.toLowerCase(),
  )
  if (byId) return byId
  return db.get<Retry>(
    `${SELECT} WHERE task_id = ? AND state IN ('started', 'starting') AND retry_execution_id IS NULL
       AND (execution_id = '' OR lower(execution_id) <> ?) ORDER BY started_at DESC NULLS FIRST LIMIT 1`,
    taskId,
    executionId.toLowerCase(),
  )
}

export function markStarting(db: Database, id: string): void {
  db.run("UPDATE task_retry SET state = 'starting' WHERE id = ?", id)
}

export function markStarted(db: Database, id: string, executionId: string | null, at: number): void {
  db.run(
    "UPDATE task_retry SET state = 'started', retry_execution_id = ?, started_at = ? WHERE id = ?",
    executionId?.toLowerCase() ?? null,
    at,
    id,
  )
}

export function markEnded(db: Database, id: string, state: 'refused' | 'superseded', reason: string): void {
  db.run('UPDATE task_retry SET state = ?, reason = ? WHERE id = ?', state, reason, id)
}

/** Retries of a task, or of all tasks, that were started since then or are about to be. */
export function countRetries(db: Database, taskId: string | null, since: number): number {
  const ofTask = taskId === null ? '' : ' AND task_id = ?'
  const task = taskId === null ? [] : [taskId]
  const started = db.get<{ n: number }>(
    `SELECT count(*) AS n FROM task_retry WHERE started_at > ? AND started_at IS NOT NULL${ofTask}`,
    since,
    ...task,
  )
  return started?.n ?? 0
}

export function purgeRetries(db: Database, before: number, limit: number): number {
  return db.run(
    `DELETE FROM task_retry WHERE id IN (SELECT id FROM task_retry WHERE due_at < ? AND NOT (${OPEN}) LIMIT ?)`,
    before,
    limit,
  ).changes
}
