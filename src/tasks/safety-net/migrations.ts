/** Tables of the safety net. */
import type { Migration } from '../../platform/sqlite.ts'

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
