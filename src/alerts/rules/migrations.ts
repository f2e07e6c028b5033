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
  {
    // Ids and positions that are the same on every node of a cluster, whose numbers of rows differ.
    name: 'alert-routes-shared',
    sql: `
      CREATE TABLE alert_group_shared (
        id TEXT PRIMARY KEY,
        route TEXT NOT NULL,
        root_task_id TEXT NOT NULL,
        root_event_id TEXT NOT NULL,
        root_name TEXT NOT NULL,
        downstream TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        closed_at INTEGER
      ) WITHOUT ROWID;
      INSERT INTO alert_group_shared SELECT CAST(id AS TEXT), route, root_task_id, root_event_id, root_name, downstream,
        opened_at, ends_at, closed_at FROM alert_group;
      CREATE TABLE alert_group_task_shared (
        task_id TEXT NOT NULL,
        group_id TEXT NOT NULL REFERENCES alert_group_shared (id) ON DELETE CASCADE,
        PRIMARY KEY (task_id, group_id)
      ) WITHOUT ROWID;
      INSERT INTO alert_group_task_shared SELECT task_id, CAST(group_id AS TEXT) FROM alert_group_task;
      DROP TABLE alert_group_task;
      DROP TABLE alert_group;
      ALTER TABLE alert_group_shared RENAME TO alert_group;
      ALTER TABLE alert_group_task_shared RENAME TO alert_group_task;
      CREATE INDEX alert_group_root ON alert_group (root_task_id, ends_at) WHERE closed_at IS NULL;
      CREATE INDEX alert_group_end ON alert_group (ends_at);
      CREATE INDEX alert_group_members ON alert_group_task (group_id);
      CREATE TABLE maintenance_summary_shared (
        name TEXT PRIMARY KEY,
        -- Creation time and id of the last delivery that a summary has named.
        told_until INTEGER NOT NULL,
        told_id TEXT NOT NULL
      ) WITHOUT ROWID;
      INSERT INTO maintenance_summary_shared
        SELECT summary.name, coalesce(last.created_at, 0), coalesce(last.id, '') FROM maintenance_summary AS summary
          LEFT JOIN delivery AS last ON last.seq = (SELECT max(seq) FROM delivery WHERE seq <= told_seq);
      DROP TABLE maintenance_summary;
      ALTER TABLE maintenance_summary_shared RENAME TO maintenance_summary;
      DROP INDEX delivery_maintenance;
      CREATE INDEX delivery_maintenance ON delivery (created_at, id) WHERE reason = 'MAINTENANCE';
    `,
  },
  {
    name: 'alert-routes-until-success',
    sql: 'ALTER TABLE snooze ADD COLUMN success_of TEXT',
  },
]
