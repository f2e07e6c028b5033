/** Starts that Footman has made, and the history of executions. Open starts are also kept in memory. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { TASK_TYPES } from './kinds.ts'
import type { EndedExecution, StartRecord, StartRecords, TaskState } from './types.ts'

/** Starts that Footman has made. */
export const executionMigrations: Migration[] = [
  {
    name: 'executions-001',
    sql: `
      CREATE TABLE task_start (
        id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        task_id TEXT NOT NULL,
        task_name TEXT NOT NULL,
        actor TEXT NOT NULL,
        execution_id TEXT,
        started_at INTEGER NOT NULL,
        final_at INTEGER,
        error TEXT
      ) WITHOUT ROWID;
      CREATE INDEX task_start_execution ON task_start (execution_id) WHERE execution_id IS NOT NULL;
      CREATE INDEX task_start_request ON task_start (request);
      CREATE INDEX task_start_open ON task_start (id) WHERE final_at IS NULL;
      CREATE INDEX task_start_age ON task_start (started_at);`,
  },
]

/** One row for each final execution, and the state of each task. */
export const historyMigrations: readonly Migration[] = [
  {
    name: 'history-001',
    sql: `
      CREATE TABLE execution (
        seq INTEGER PRIMARY KEY,
        execution_id TEXT UNIQUE,
        result_id TEXT,
        task_id TEXT NOT NULL,
        task_name TEXT NOT NULL,
        task_type TEXT NOT NULL,
        app_id TEXT,
        app_name TEXT,
        status_num INTEGER,
        outcome TEXT NOT NULL,
        node TEXT,
        actor TEXT,
        triggered_at INTEGER,
        started_at INTEGER,
        stopped_at INTEGER NOT NULL,
        queue_ms INTEGER,
        run_ms INTEGER,
        attempts INTEGER NOT NULL,
        error TEXT
      );
      CREATE INDEX execution_end ON execution (stopped_at);
      CREATE INDEX execution_task ON execution (task_id, stopped_at, outcome);
      CREATE INDEX execution_result ON execution (result_id) WHERE result_id IS NOT NULL;
      CREATE TABLE task_state (
        task_id TEXT NOT NULL UNIQUE,
        task_name TEXT NOT NULL,
        last_outcome TEXT NOT NULL,
        last_stopped_at INTEGER NOT NULL,
        last_run_ms INTEGER,
        last_success_at INTEGER,
        consecutive_failures INTEGER NOT NULL
      );`,
  },
  {
    name: 'history-002',
    sql: 'CREATE INDEX execution_outcome ON execution (outcome, stopped_at);',
  },
  {
    // Samples of a type of which there are few among many reloads.
    name: 'history-003',
    sql: "CREATE INDEX execution_type ON execution (task_type, stopped_at) WHERE outcome = 'success';",
  },
  {
    // Each look-up is one seek, however many executions a task has, and however many of them end at the same time.
    name: 'history-004',
    sql: `
      DROP INDEX execution_task;
      CREATE INDEX execution_task ON execution (task_id, stopped_at, seq, outcome);
      CREATE INDEX execution_success ON execution (task_id, stopped_at) WHERE outcome = 'success';
      CREATE INDEX execution_unnamed ON execution (task_id, outcome, stopped_at) WHERE execution_id IS NULL;`,
  },
]

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

const STARTS = `SELECT id, request, task_id AS taskId, task_name AS taskName, actor, execution_id AS executionId,
  started_at AS startedAt, final_at AS finalAt, error FROM task_start`
const EXECUTIONS = `SELECT seq, ${EXECUTION_COLUMNS} FROM execution`
const STATES = `SELECT task_id AS taskId, task_name AS taskName, last_outcome AS lastOutcome,
  last_stopped_at AS lastStoppedAt, last_run_ms AS lastRunMs, last_success_at AS lastSuccessAt,
  consecutive_failures AS consecutiveFailures FROM task_state`
/** Executions of a task that are examined for its type. */
const TYPE_ROWS = 20

/** The end of a task (1) with an outcome (2) that lies nearest to an instant (3), at most so many milliseconds away (4). */
function nearestEnd(condition: string): string {
  const ends = `${EXECUTIONS} WHERE task_id = +?1 AND outcome = +?2 ${condition} AND stopped_at`
  return `SELECT * FROM (SELECT * FROM (${ends} BETWEEN ?3 - ?4 AND ?3 ORDER BY stopped_at DESC LIMIT 1)
    UNION ALL SELECT * FROM (${ends} BETWEEN ?3 + 1 AND ?3 + ?4 ORDER BY stopped_at LIMIT 1))
    ORDER BY abs(stoppedAt - ?3) LIMIT 1`
}

/** `+?`: see `Database` about statements that sort. */
const SQL = {
  openStarts: `${STARTS} WHERE final_at IS NULL ORDER BY id`,
  start: `${STARTS} WHERE id = ?`,
  startOfExecution: `${STARTS} WHERE execution_id = +? ORDER BY id LIMIT 1`,
  startsOfRequest: `${STARTS} WHERE request = ?`,
  addStart: 'INSERT OR IGNORE INTO task_start VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  closeStart: 'UPDATE task_start SET final_at = ? WHERE id = ?',
  pruneStarts:
    'DELETE FROM task_start WHERE id IN (SELECT id FROM task_start WHERE started_at < ? ORDER BY started_at LIMIT ?)',

  insert: `INSERT INTO execution (${COLUMNS.map(([column]) => column).join(', ')})
    VALUES (${COLUMNS.map(() => '?').join(', ')})`,
  update: `UPDATE execution SET ${COLUMNS.map(([column]) => `${column} = ?`).join(', ')} WHERE seq = ?`,
  byExecution: `${EXECUTIONS} WHERE execution_id = ?`,
  byResult: `${EXECUTIONS} WHERE result_id = ?`,
  byEnd: nearestEnd(''),
  unnamedByEnd: nearestEnd('AND execution_id IS NULL'),
  lastOfTask: `${EXECUTIONS} WHERE task_id = +? ORDER BY stopped_at DESC, seq DESC LIMIT 1`,
  fromQlik: 'SELECT 1 FROM execution WHERE task_id = ? AND status_num IS NOT NULL LIMIT 1',
  errorOf: 'SELECT error FROM execution WHERE execution_id = ?',
  endOf: 'SELECT stopped_at AS stoppedAt, outcome FROM execution WHERE execution_id = ?',
  lastSuccess: `SELECT stopped_at AS at FROM execution WHERE task_id = +? AND stopped_at <= ? AND outcome = 'success'
    ORDER BY stopped_at DESC LIMIT 1`,
  lastOtherSuccess: `SELECT stopped_at AS at FROM execution WHERE task_id = +? AND stopped_at <= ? AND outcome = 'success'
    AND execution_id IS NOT ? ORDER BY stopped_at DESC LIMIT 1`,
  failuresBetween: `SELECT count(*) AS n FROM (SELECT 1 FROM execution WHERE task_id = ? AND stopped_at > ?
    AND stopped_at <= ? AND outcome IN ('failed', 'aborted') LIMIT +?)`,
  lastTypes: `SELECT task_type AS taskType, status_num AS statusNum FROM execution WHERE task_id = +?
    ORDER BY stopped_at DESC LIMIT ${TYPE_ROWS}`,
  lastSuccesses: `SELECT run_ms AS runMs, queue_ms AS queueMs FROM execution WHERE task_id = +? AND stopped_at > ?
    AND outcome = 'success' ORDER BY stopped_at DESC LIMIT +?`,
  oldest: 'SELECT seq, task_id AS taskId FROM execution WHERE stopped_at < ? ORDER BY stopped_at LIMIT ?',
  remove: 'DELETE FROM execution WHERE seq = ?',

  state: `${STATES} WHERE task_id = ?`,
  states: `${STATES} ORDER BY rowid`,
  writeState: `INSERT INTO task_state VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET
    task_name = excluded.task_name, last_outcome = excluded.last_outcome, last_stopped_at = excluded.last_stopped_at,
    last_run_ms = excluded.last_run_ms, last_success_at = excluded.last_success_at,
    consecutive_failures = excluded.consecutive_failures`,
  countFailures: 'UPDATE task_state SET consecutive_failures = ? WHERE task_id = ?',
  removeState: 'DELETE FROM task_state WHERE task_id = ?',
} as const

const PRUNE_CHUNK = 500

export function createStartRecords({ db, writer }: { db: Database; writer: GroupWriter }): StartRecords {
  const open = new Map<string, StartRecord>(db.all<StartRecord>(SQL.openStarts).map((record) => [record.id, record]))

  function insert(into: Database, record: StartRecord): void {
    into.run(
      SQL.addStart,
      record.id,
      record.request,
      record.taskId,
      record.taskName,
      record.actor,
      record.executionId?.toLowerCase() ?? null,
      record.startedAt,
      record.finalAt,
      record.error,
    )
  }

  function noted(record: StartRecord): void {
    if (record.finalAt === null) open.set(record.id, record)
  }

  return {
    insert,
    noted,
    async add(record) {
      await writer.write((one) => insert(one, record))
      noted(record)
    },
    byId: (id) => db.get<StartRecord>(SQL.start, id.toLowerCase()),
    byExecution: (executionId) => db.get<StartRecord>(SQL.startOfExecution, executionId.toLowerCase()),
    ofRequest: (request) => db.all<StartRecord>(SQL.startsOfRequest, request),
    open: () => [...open.values()],
    async close(id, finalAt) {
      // Removed before the write is durable: after a crash QRS is asked again.
      open.delete(id)
      await writer.write((one) => one.run(SQL.closeStart, finalAt, id))
    },
    async prune(before) {
      const remove = (one: Database) => one.run(SQL.pruneStarts, before, PRUNE_CHUNK).changes
      while ((await writer.write(remove)) === PRUNE_CHUNK);
    },
  }
}

// The history: one row for each final execution, no matter how many sources report it or how often.

/** The changes that an entry has made. */
interface Recorded {
  readonly isNew: boolean
  /** Its run time was not known before and is now. */
  readonly isMeasured: boolean
}

/** True when Qlik Sense has reported an execution of the task; claims of datagrams alone do not count. */
export function knowsTaskFromQlik(db: Database, taskId: string): boolean {
  return db.get(SQL.fromQlik, taskId) !== undefined
}

interface Standing {
  readonly failures: number
  readonly lastSuccessAt: number | null
}

type Stored = EndedExecution & { readonly seq: number }

/** Without an execution id, ends of one task that lie closer together are the same one. */
const SAME_END_MS = 2 * 60_000

/** To be called in a transaction. Several reports of one execution become one row with everything reported. */
export function recordExecution(db: Database, execution: EndedExecution): Recorded {
  const reported = { ...execution, executionId: execution.executionId?.toLowerCase() || null }
  const known = find(db, reported)
  const row = known ? merged(known, reported) : reported
  const values = COLUMNS.map(([, member]) => row[member])
  if (known && COLUMNS.every(([, member]) => known[member] === row[member])) return NO_NEWS
  if (known) db.run(SQL.update, ...values, known.seq)
  else db.run(SQL.insert, ...values)
  if (!adjustTaskState(db, row, known)) refreshTaskState(db, row.taskId)
  return { isNew: !known, isMeasured: row.runMs !== null && (known?.runMs ?? null) === null }
}

const NO_NEWS: Recorded = { isNew: false, isMeasured: false }

function find(db: Database, { executionId, resultId, taskId, outcome, stoppedAt }: EndedExecution): Stored | undefined {
  const byId = executionId === null ? undefined : db.get<Stored>(SQL.byExecution, executionId)
  if (byId) return byId
  const byResult = resultId === null ? undefined : db.get<Stored>(SQL.byResult, resultId)
  if (byResult) return byResult
  // Another execution with an id is known to be another one.
  const sql = executionId === null ? SQL.byEnd : SQL.unnamedByEnd
  return db.get<Stored>(sql, taskId, outcome, stoppedAt, SAME_END_MS)
}

/** The members that a report has. */
const stated = (report: EndedExecution): Partial<EndedExecution> =>
  Object.fromEntries(Object.entries(report).filter(([, value]) => value !== null && value !== undefined))

/**
 * The report of Qlik Sense with the most attempts wins; its missing members are taken from the other report. The stored
 * error may be that of a script log, which reports without the log do not replace.
 */
function merged(known: EndedExecution, reported: EndedExecution): EndedExecution {
  const isBetter = reported.statusNum !== null && (known.statusNum === null || reported.attempts >= known.attempts)
  const [best, other] = isBetter ? [reported, known] : [known, reported]
  const row = { ...other, ...stated(best) }
  const error = reported.isErrorOfLog ? reported.error : (known.error ?? reported.error)
  return { ...row, error: badness(row) ? error : null }
}

/** Executions that one look-up counts at most. */
const MOST_COUNTED = 500

/**
 * Failed or aborted in a row up to an instant, and the last success before it. The number is at most `MOST_COUNTED` where
 * more executions than that ended on either side of the instant.
 */
export function standingAt(db: Database, taskId: string, at: number): Standing {
  const state = taskState(db, taskId)
  if (!state) return { failures: 0, lastSuccessAt: null }
  const { lastStoppedAt, consecutiveFailures: failures, lastSuccessAt } = state
  if (at >= lastStoppedAt) return { failures, lastSuccessAt }
  if (lastSuccessAt === null || lastSuccessAt <= at) {
    const later = countFailures(db, taskId, at, lastStoppedAt, MOST_COUNTED)
    if (later < MOST_COUNTED) return { failures: failures - later, lastSuccessAt }
  }
  return countStanding(db, taskId, at, MOST_COUNTED)
}

function countStanding(db: Database, taskId: string, at: number, most: number): Standing {
  const lastSuccessAt = db.get<{ at: number }>(SQL.lastSuccess, taskId, at)?.at ?? null
  const failures = countFailures(db, taskId, lastSuccessAt ?? Number.MIN_SAFE_INTEGER, at, most)
  return { failures, lastSuccessAt }
}

function countFailures(db: Database, taskId: string, after: number, upTo: number, most: number): number {
  return db.get<{ n: number }>(SQL.failuresBetween, taskId, after, upTo, most)?.n ?? 0
}

/** The stored end of this execution when it lies before `at`, as an abort that is followed by a failure does. */
export function knownBefore(db: Database, { executionId }: EndedExecution, at: number) {
  if (executionId === null) return undefined
  const found = db.get<{ stoppedAt: number; outcome: string }>(SQL.endOf, executionId.toLowerCase())
  return found && found.stoppedAt <= at ? found : undefined
}

/** The reason of its failure; null when none is stored. */
export function errorOfExecution(db: Database, executionId: string): string | null {
  return db.get<{ error: string | null }>(SQL.errorOf, executionId.toLowerCase())?.error ?? null
}

/** The last success of the task except this execution. */
export function successBefore(db: Database, { taskId, executionId }: EndedExecution, at: number): number | null {
  return db.get<{ at: number }>(SQL.lastOtherSuccess, taskId, at, executionId?.toLowerCase() ?? null)?.at ?? null
}

const badness = ({ outcome }: EndedExecution): number => (outcome === 'failed' || outcome === 'aborted' ? 1 : 0)

/**
 * Takes a new row, or a change of the row `known`, into account without counting; false where the executions of the task
 * have to be counted.
 */
function adjustTaskState(db: Database, row: EndedExecution, known: EndedExecution | undefined): boolean {
  const state = taskState(db, row.taskId)
  if (known && (!state || known.taskId !== row.taskId || known.outcome === 'success')) return false
  const isLast = !state || row.stoppedAt >= state.lastStoppedAt
  if (row.outcome === 'success') {
    if (known || !isLast) return false
    writeTaskState(db, row, { failures: 0, lastSuccessAt: row.stoppedAt })
    return true
  }
  const lastSuccessAt = state?.lastSuccessAt ?? null
  const earliest = Math.min(row.stoppedAt, known?.stoppedAt ?? row.stoppedAt)
  if (lastSuccessAt !== null && earliest <= lastSuccessAt) return !known && earliest < lastSuccessAt
  const failures = (state?.consecutiveFailures ?? 0) + badness(row) - (known ? badness(known) : 0)
  const last = isLast ? row : known && known.stoppedAt >= state.lastStoppedAt ? lastOfTask(db, row.taskId) : null
  if (last) writeTaskState(db, last, { failures, lastSuccessAt })
  else db.run(SQL.countFailures, failures, row.taskId)
  return true
}

const lastOfTask = (db: Database, taskId: string) => db.get<Stored>(SQL.lastOfTask, taskId)

function refreshTaskState(db: Database, taskId: string): void {
  const last = lastOfTask(db, taskId)
  if (!last) {
    db.run(SQL.removeState, taskId)
    return
  }
  writeTaskState(db, last, countStanding(db, taskId, last.stoppedAt, Number.MAX_SAFE_INTEGER))
}

function writeTaskState(db: Database, last: EndedExecution, { failures, lastSuccessAt }: Standing): void {
  const { taskId, taskName, outcome, stoppedAt, runMs } = last
  db.run(SQL.writeState, taskId, taskName, outcome, stoppedAt, runMs, lastSuccessAt, failures)
}

/** Undefined for a task that never ran. */
export function taskState(db: Database, taskId: string): TaskState | undefined {
  return db.get<TaskState>(SQL.state, taskId)
}

/** All tasks that have run, in the order of their first executions. */
export function taskStates(db: Database): TaskState[] {
  return db.all<TaskState>(SQL.states)
}

/** The type of a task by its last executions; null when Qlik Sense has reported none. Types of other rows are guesses. */
export function lastTaskType(db: Database, taskId: string): (typeof TASK_TYPES)[number] | null {
  const rows = db.all<Pick<EndedExecution, 'taskType' | 'statusNum'>>(SQL.lastTypes, taskId)
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
  return db.all(SQL.lastSuccesses, taskId, since, limit)
}

/** Forgets up to `limit` executions that ended before; returns how many. */
export function purgeExecutions(db: Database, before: number, limit: number): number {
  const rows = db.all<{ seq: number; taskId: string }>(SQL.oldest, before, limit)
  for (const { seq } of rows) db.run(SQL.remove, seq)
  for (const taskId of new Set(rows.map((row) => row.taskId))) refreshTaskState(db, taskId)
  return rows.length
}
