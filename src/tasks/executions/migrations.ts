/** Tables of starts and of the history. */
import type { Migration } from '../../platform/sqlite.ts'

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
]
