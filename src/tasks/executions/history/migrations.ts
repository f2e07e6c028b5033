/** Tables of the history: one row per final execution, and how each task stands. */
import type { Migration } from '../../../platform/sqlite.ts'

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
