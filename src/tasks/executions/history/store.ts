/** Writes the history: one row per final execution, whoever tells of it, however often. */
import type { Database } from '../../../platform/sqlite.ts'
import { TASK_TYPES } from '../status.ts'
import type { EndedExecution, TaskState } from '../types.ts'

/** What an entry has changed. */
export interface Recorded {
  readonly isNew: boolean
  /** Its run time was not known before and is now. */
  readonly isMeasured: boolean
}

const COLUMNS = [
  ['execution_id', 'executionId'],
  ['result_id', 'resultId'],
  ['task_id', 'taskId'],
  ['task_name', 'taskName'],
  ['task_type', 'taskType'],
  ['app_id', 'appId'],
  ['app_name', 'appName'],
  ['status_num', 'statusNum'],
  ['outcome', 'outcome'],
  ['node', 'node'],
  ['actor', 'actor'],
  ['triggered_at', 'triggeredAt'],
  ['started_at', 'startedAt'],
  ['stopped_at', 'stoppedAt'],
  ['queue_ms', 'queueMs'],
  ['run_ms', 'runMs'],
  ['attempts', 'attempts'],
  ['error', 'error'],
] as const satisfies readonly (readonly [string, keyof EndedExecution])[]

export const EXECUTION_COLUMNS = COLUMNS.map(([column, member]) => `${column} AS ${member}`).join(', ')

const INSERT = `INSERT INTO execution (${COLUMNS.map(([column]) => column).join(', ')})
  VALUES (${COLUMNS.map(() => '?').join(', ')})`
const UPDATE = `UPDATE execution SET ${COLUMNS.map(([column]) => `${column} = ?`).join(', ')} WHERE seq = ?`

/** True when Qlik Sense has told of an execution of the task; what datagrams alone claim does not count. */
export function knowsTaskFromQlik(db: Database, taskId: string): boolean {
  return db.get('SELECT 1 FROM execution WHERE task_id = ? AND status_num IS NOT NULL LIMIT 1', taskId) !== undefined
}

interface Standing {
  readonly failures: number
  readonly lastSuccessAt: number | null
}

type Stored = EndedExecution & { readonly seq: number }

const SELECT = `SELECT seq, ${EXECUTION_COLUMNS} FROM execution`
/** Without an execution id, ends of one task that lie closer together are the same one. */
const SAME_END_MS = 2 * 60_000

/** To be called in a transaction. What is told twice is kept once, with all that was told. */
export function recordExecution(db: Database, execution: EndedExecution): Recorded {
  const told = { ...execution, executionId: execution.executionId?.toLowerCase() || null }
  const known = find(db, told)
  const row = known ? merged(known, told) : told
  const values = COLUMNS.map(([, member]) => row[member])
  if (known && COLUMNS.every(([, member]) => known[member] === row[member])) return NO_NEWS
  if (known) db.run(UPDATE, ...values, known.seq)
  else db.run(INSERT, ...values)
  if (known || !advanceTaskState(db, row)) refreshTaskState(db, row.taskId)
  return { isNew: !known, isMeasured: row.runMs !== null && (known?.runMs ?? null) === null }
}

const NO_NEWS: Recorded = { isNew: false, isMeasured: false }

function find(db: Database, { executionId, resultId, taskId, outcome, stoppedAt }: EndedExecution): Stored | undefined {
  const byId = executionId === null ? undefined : db.get<Stored>(`${SELECT} WHERE execution_id = ?`, executionId)
  if (byId) return byId
  const byResult = resultId === null ? undefined : db.get<Stored>(`${SELECT} WHERE result_id = ?`, resultId)
  if (byResult) return byResult
  return db.get<Stored>(
    `${SELECT} WHERE task_id = ? AND stopped_at BETWEEN ? AND ? AND outcome = ? AND (execution_id IS NULL OR ? IS NULL)
       ORDER BY abs(stopped_at - ?) LIMIT 1`,
    ...[taskId, stoppedAt - SAME_END_MS, stoppedAt + SAME_END_MS, outcome, executionId, stoppedAt],
  )
}

/** What Qlik Sense says about more attempts is nearer to the truth; what one does not know the other may. */
function merged(known: EndedExecution, told: EndedExecution): EndedExecution {
  const isBetter = told.statusNum !== null && (known.statusNum === null || told.attempts >= known.attempts)
  const [best, other] = isBetter ? [told, known] : [known, told]
  const entries = COLUMNS.map(([, member]) => [member, best[member] ?? other[member]])
  return Object.fromEntries(entries) as unknown as EndedExecution
}

/** Failed or aborted in a row up to an instant, and the last success before it. */
export function standingAt(db: Database, taskId: string, at: number): Standing {
  const state = taskState(db, taskId)
  if (!state) return { failures: 0, lastSuccessAt: null }
  const { lastStoppedAt, consecutiveFailures: failures, lastSuccessAt } = state
  return at >= lastStoppedAt ? { failures, lastSuccessAt } : countStanding(db, taskId, at)
}

function countStanding(db: Database, taskId: string, at: number): Standing {
  const success = db.get<{ at: number }>(
    `SELECT stopped_at AS at FROM execution WHERE task_id = ? AND stopped_at <= ? AND outcome = 'success'
       ORDER BY stopped_at DESC LIMIT 1`,
    taskId,
    at,
  )
  const failures = db.get<{ n: number }>(
    `SELECT count(*) AS n FROM execution WHERE task_id = ? AND stopped_at > ? AND stopped_at <= ?
       AND outcome IN ('failed', 'aborted')`,
    taskId,
    success?.at ?? Number.MIN_SAFE_INTEGER,
    at,
  )
  return { failures: failures?.n ?? 0, lastSuccessAt: success?.at ?? null }
}

/** A new execution after all others is counted on; false when it is not the last. */
function advanceTaskState(db: Database, row: EndedExecution): boolean {
  const state = taskState(db, row.taskId)
  if (state && row.stoppedAt < state.lastStoppedAt) return false
  const isBad = row.outcome === 'failed' || row.outcome === 'aborted'
  const before = state?.consecutiveFailures ?? 0
  const failures = row.outcome === 'success' ? 0 : before + (isBad ? 1 : 0)
  const lastSuccessAt = row.outcome === 'success' ? row.stoppedAt : (state?.lastSuccessAt ?? null)
  writeTaskState(db, row, { failures, lastSuccessAt })
  return true
}

function refreshTaskState(db: Database, taskId: string): void {
  const last = db.get<Stored>(`${SELECT} WHERE task_id = ? ORDER BY stopped_at DESC, seq DESC LIMIT 1`, taskId)
  if (!last) {
    db.run('DELETE FROM task_state WHERE task_id = ?', taskId)
    return
  }
  writeTaskState(db, last, countStanding(db, taskId, last.stoppedAt))
}

function writeTaskState(db: Database, last: EndedExecution, { failures, lastSuccessAt }: Standing): void {
  db.run(
    `INSERT INTO task_state VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET
       task_name = excluded.task_name, last_outcome = excluded.last_outcome, last_stopped_at = excluded.last_stopped_at,
       last_run_ms = excluded.last_run_ms, last_success_at = excluded.last_success_at,
       consecutive_failures = excluded.consecutive_failures`,
    ...[last.taskId, last.taskName, last.outcome, last.stoppedAt, last.runMs, lastSuccessAt, failures],
  )
}

const SELECT_STATE = `SELECT task_id AS taskId, task_name AS taskName, last_outcome AS lastOutcome,
  last_stopped_at AS lastStoppedAt, last_run_ms AS lastRunMs, last_success_at AS lastSuccessAt,
  consecutive_failures AS consecutiveFailures FROM task_state`

function taskState(db: Database, taskId: string): TaskState | undefined {
  return db.get<TaskState>(`${SELECT_STATE} WHERE task_id = ?`, taskId)
}

/** All tasks that have run, those that were seen first in front. */
export function taskStates(db: Database): TaskState[] {
  return db.all<TaskState>(`${SELECT_STATE} ORDER BY rowid`)
}

/** Executions of a task that are looked at for its type. */
const TYPE_ROWS = 20

/** The type of a task by its last executions; null when Qlik Sense has reported none. Types of other rows are guesses. */
export function lastTaskType(db: Database, taskId: string): (typeof TASK_TYPES)[number] | null {
  const rows = db.all<Pick<EndedExecution, 'taskType' | 'statusNum'>>(
    `SELECT task_type AS taskType, status_num AS statusNum FROM execution WHERE task_id = ?
       ORDER BY stopped_at DESC LIMIT ${TYPE_ROWS}`,
    taskId,
  )
  const reported = rows.find(({ statusNum }) => statusNum !== null)?.taskType
  return TASK_TYPES.find((type) => type === reported) ?? null
}

/** Up to `limit` successful executions that ended after `since`, newest first. */
export function lastSuccesses(
  db: Database,
  taskId: string,
  since: number,
  limit: number,
): { readonly runMs: number | null; readonly queueMs: number | null }[] {
  return db.all(
    `SELECT run_ms AS runMs, queue_ms AS queueMs FROM execution WHERE task_id = ? AND stopped_at > ?
       AND outcome = 'success' ORDER BY stopped_at DESC LIMIT ?`,
    taskId,
    since,
    limit,
  )
}

/** Forgets up to `limit` executions that ended before; returns how many. */
export function purgeExecutions(db: Database, before: number, limit: number): number {
  const rows = db.all<{ seq: number; taskId: string }>(
    'SELECT seq, task_id AS taskId FROM execution WHERE stopped_at < ? ORDER BY stopped_at LIMIT ?',
    before,
    limit,
  )
  for (const { seq } of rows) db.run('DELETE FROM execution WHERE seq = ?', seq)
  for (const taskId of new Set(rows.map((row) => row.taskId))) refreshTaskState(db, taskId)
  return rows.length
}
