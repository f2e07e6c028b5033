/** The database side of the scheduler: runs, how far each schedule is, what was reported once. */
import { setTimeout as pause } from 'node:timers/promises'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob, type RecurringJob } from '../../platform/recurring-job.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { Run, RunTask } from './types.ts'

/** Tables for the runs of schedules, and for how far each schedule is. */
export const schedulerMigrations: Migration[] = [
  {
    name: 'scheduler-001',
    sql: `
      CREATE TABLE schedule_run (
        id TEXT PRIMARY KEY,
        schedule_id TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        fired_at INTEGER,
        trigger TEXT NOT NULL CHECK (trigger IN ('cron', 'manual', 'misfire')),
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'skipped')),
        outcome TEXT,
        reason TEXT,
        tasks TEXT NOT NULL DEFAULT '[]',
        detail TEXT,
        UNIQUE (schedule_id, due_at)
      ) WITHOUT ROWID;
      CREATE INDEX schedule_run_open ON schedule_run (schedule_id, due_at) WHERE state = 'running';
      CREATE INDEX schedule_run_age ON schedule_run (due_at);
      CREATE TABLE schedule_state (
        schedule_id TEXT PRIMARY KEY,
        handled_until INTEGER NOT NULL,
        definition TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE schedule_note (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;`,
  },
]

/** How far a schedule is: firings that were due later were missed. */
interface ScheduleState {
  readonly scheduleId: string
  /** Milliseconds since 1970. */
  readonly handledUntil: number
  /** The members that decide about its times; when they have changed, no firing counts as missed. */
  readonly definition: string
}

/** The members of a run that change. */
type RunChange = Partial<Pick<Run, 'firedAt' | 'state' | 'outcome' | 'reason' | 'tasks' | 'detail'>>

/** Promises resolve when the change is on disk. */
export interface RunStore {
  /** False when there is a run of that schedule for that time already; nothing is added then. */
  add(run: Run): Promise<boolean>
  change(id: string, change: RunChange): Promise<void>
  byId(id: string): Run | undefined
  /** Newest first, before the position of a cursor. */
  page(scheduleId: string, limit: number, before: number | null): readonly Run[]
  /** Not finished, oldest first. */
  open(): readonly Run[]
  /** Due in [from, to) and not skipped, oldest first; at most 20,000. */
  between(from: number, to: number): readonly Run[]
  /** The last run that was not skipped, by schedule. */
  last(): ReadonlyMap<string, Run>
  /** The last run of the schedule that was not skipped. */
  lastOf(scheduleId: string): Run | null
  states(): ReadonlyMap<string, ScheduleState>
  /** Whether the schedule is to fire. */
  isArmed(scheduleId: string): boolean
  setStates(states: readonly ScheduleState[]): Promise<void>
  /** Forgets how far they are. */
  dropStates(scheduleIds: readonly string[]): Promise<void>
  /** True the first time. */
  once(name: string, now: number): Promise<boolean>
  /** Removes up to so many finished runs that were due before; how many there were. */
  prune(before: number, limit: number): Promise<number>
}

const COLUMNS =
  'id, schedule_id AS scheduleId, due_at AS dueAt, fired_at AS firedAt, trigger, state, outcome, reason, tasks, detail'

type Row = Omit<Run, 'tasks'> & { readonly tasks: string }

const runOf = (row: Row): Run => ({ ...row, tasks: storedJson<RunTask[]>(row.tasks, []) })

const CHANGED_COLUMNS = {
  firedAt: 'fired_at',
  state: 'state',
  outcome: 'outcome',
  reason: 'reason',
  tasks: 'tasks',
  detail: 'detail',
} as const satisfies Record<keyof RunChange, string>

export function createRunStore({ db, writer }: { readonly db: Database; readonly writer: GroupWriter }): RunStore {
  return {
    add: (run) => writer.write((tx) => insertRun(tx, run)),
    change: (id, change) =>
      writer.write((tx) => {
        for (const [name, value] of Object.entries(change) as [keyof RunChange, unknown][]) {
          const stored = name === 'tasks' ? JSON.stringify(value) : (value as string | number | null)
          tx.run(`UPDATE schedule_run SET ${CHANGED_COLUMNS[name]} = ? WHERE id = ?`, stored, id)
        }
      }),
    byId(id) {
      const row = db.get<Row>(`SELECT ${COLUMNS} FROM schedule_run WHERE id = ?`, id)
      return row && runOf(row)
    },
    page: (scheduleId, limit, before) =>
      db
        .all<Row>(
          `SELECT ${COLUMNS} FROM schedule_run WHERE schedule_id = ? AND due_at < ? ORDER BY due_at DESC LIMIT ?`,
          scheduleId,
          before ?? Number.MAX_SAFE_INTEGER,
          limit,
        )
        .map(runOf),
    open: () =>
      db.all<Row>(`SELECT ${COLUMNS} FROM schedule_run WHERE state = 'running' ORDER BY due_at, id`).map(runOf),
    between: (from, to) =>
      db
        .all<Row>(
          `SELECT ${COLUMNS} FROM schedule_run WHERE due_at >= ? AND due_at < ? AND state <> 'skipped'
           ORDER BY due_at LIMIT 20000`,
          from,
          to,
        )
        .map(runOf),
    last() {
      const rows = db.all<Row & { latest: number }>(
        `SELECT ${COLUMNS}, MAX(due_at) AS latest FROM schedule_run WHERE state <> 'skipped' GROUP BY schedule_id`,
      )
      return new Map(rows.map(({ latest: _, ...row }) => [row.scheduleId, runOf(row)]))
    },
    lastOf(scheduleId) {
      const row = db.get<Row>(
        `SELECT ${COLUMNS} FROM schedule_run WHERE schedule_id = ? AND state <> 'skipped' ORDER BY due_at DESC LIMIT 1`,
        scheduleId,
      )
      return row ? runOf(row) : null
    },
    isArmed: (scheduleId) => db.get('SELECT 1 FROM schedule_state WHERE schedule_id = ?', scheduleId) !== undefined,
    states() {
      const rows = db.all<ScheduleState>(
        'SELECT schedule_id AS scheduleId, handled_until AS handledUntil, definition FROM schedule_state',
      )
      return new Map(rows.map((row) => [row.scheduleId, row]))
    },
    setStates: (states) =>
      writer.write((tx) => {
        for (const { scheduleId, handledUntil, definition } of states) {
          tx.run('INSERT OR REPLACE INTO schedule_state VALUES (?, ?, ?)', scheduleId, handledUntil, definition)
        }
      }),
    dropStates: (ids) =>
      writer.write((tx) => {
        for (const id of ids) tx.run('DELETE FROM schedule_state WHERE schedule_id = ?', id)
      }),
    once: (name, now) =>
      writer.write((tx) => tx.run('INSERT OR IGNORE INTO schedule_note VALUES (?, ?)', name, now).changes > 0),
    prune: (before, limit) =>
      writer.write(
        (tx) =>
          tx.run(
            `DELETE FROM schedule_run WHERE id IN (
               SELECT id FROM schedule_run WHERE due_at < ? AND state <> 'running' ORDER BY due_at LIMIT ?)`,
            before,
            limit,
          ).changes,
      ),
  }
}

/** In one go with how far the schedule is: after a crash the run is there and the firing done, or neither. */
function insertRun(tx: Database, run: Run): boolean {
  const added = tx.run(
    `INSERT OR IGNORE INTO schedule_run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    run.id,
    run.scheduleId,
    run.dueAt,
    run.firedAt,
    run.trigger,
    run.state,
    run.outcome,
    run.reason,
    JSON.stringify(run.tasks),
    run.detail,
  )
  if (run.trigger !== 'manual') {
    tx.run(
      'UPDATE schedule_state SET handled_until = max(handled_until, ?) WHERE schedule_id = ?',
      run.dueAt,
      run.scheduleId,
    )
  }
  return added.changes > 0
}

const PRUNE_MS = 3_600_000
/** The first time: a process that lives for less than an hour prunes too. */
const FIRST_PRUNE_MS = 60_000
const PRUNE_CHUNK = 500
const PAUSE_MS = 5

/** Removes runs that are older than the retention, every hour, in chunks. */
export function createRunPruning(
  { store, clock, log }: { readonly store: RunStore; readonly clock: Clock; readonly log: Logger },
  retentionMs: number,
): RecurringJob {
  return createRecurringJob(
    {
      everyMs: PRUNE_MS,
      firstMs: FIRST_PRUNE_MS,
      onError: (error) => log.error(`SCHEDULER: Old runs could not be removed: ${error}`),
    },
    async (signal) => {
      const before = clock.now() - retentionMs
      while (!signal.aborted && (await store.prune(before, PRUNE_CHUNK)) === PRUNE_CHUNK) await pause(PAUSE_MS)
    },
  )
}
