/** Tables of the alert rules in `footman.db`. */
import type { Migration } from '../../platform/sqlite.ts'

export const alertRuleMigrations: readonly Migration[] = [
  {
    name: 'alert-routes-001',
    sql: `
      CREATE TABLE alert_group (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        route TEXT NOT NULL,
        root_task_id TEXT NOT NULL,
        root_event_id TEXT NOT NULL,
        root_name TEXT NOT NULL,
        downstream TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        closed_at INTEGER
      );
      CREATE INDEX alert_group_root ON alert_group (root_task_id, ends_at) WHERE closed_at IS NULL;
      CREATE INDEX alert_group_end ON alert_group (ends_at);
      CREATE TABLE alert_group_task (
        task_id TEXT NOT NULL,
        group_id INTEGER NOT NULL REFERENCES alert_group (id) ON DELETE CASCADE,
        PRIMARY KEY (task_id, group_id)
      ) WITHOUT ROWID;
      CREATE INDEX alert_group_members ON alert_group_task (group_id);
      CREATE TABLE fallback_watch (
        event_id TEXT NOT NULL REFERENCES event (id) ON DELETE CASCADE,
        route TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        PRIMARY KEY (event_id, route)
      ) WITHOUT ROWID;
      CREATE INDEX fallback_watch_due ON fallback_watch (due_at);
      CREATE TABLE maintenance_summary (
        name TEXT PRIMARY KEY,
        told_seq INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX delivery_last ON delivery (destination, finished_at) WHERE state = 'delivered';
      CREATE INDEX delivery_maintenance ON delivery (seq) WHERE reason = 'MAINTENANCE';
      CREATE TABLE snooze (
        id TEXT PRIMARY KEY,
        match TEXT NOT NULL,
        from_at INTEGER NOT NULL,
        until_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        suppressed INTEGER NOT NULL DEFAULT 0
      ) WITHOUT ROWID;
      CREATE INDEX snooze_until ON snooze (until_at);
    `,
  },
]
