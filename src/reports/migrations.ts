/** Tables of report tasks. Every start loads this file. */
import type { Migration } from '../platform/sqlite.ts'

const TABLES = ['task', 'report', 'filter', 'condition', 'recipient', 'grp'] as const

const entityTable = (table: (typeof TABLES)[number]): string => `
  CREATE TABLE report_${table} (
    id TEXT PRIMARY KEY,
    project TEXT,
    -- For the order of lists and searches.
    sort TEXT NOT NULL,
    unique_key TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    modified_at TEXT NOT NULL,
    modified_by TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX report_${table}_sort ON report_${table} (sort, id);`

export const definitionMigrations: readonly Migration[] = [
  {
    name: 'report-001',
    sql: `${TABLES.map(entityTable).join('')}
      CREATE TABLE report_reference (
        from_kind TEXT NOT NULL,
        from_id TEXT NOT NULL,
        to_kind TEXT NOT NULL,
        to_id TEXT NOT NULL,
        PRIMARY KEY (to_kind, to_id, from_kind, from_id)
      ) WITHOUT ROWID;
      CREATE INDEX report_reference_from ON report_reference (from_kind, from_id);
      CREATE TABLE report_template (
        report_id TEXT PRIMARY KEY,
        sha256 TEXT NOT NULL,
        file_name TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        uploaded_at TEXT NOT NULL,
        uploaded_by TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX report_template_sha256 ON report_template (sha256);
      CREATE TABLE report_audit (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        entity_id TEXT NOT NULL,
        before TEXT,
        after TEXT
      );
      CREATE INDEX report_audit_at ON report_audit (at);`,
  },
]

const runMigrations: readonly Migration[] = [
  {
    name: 'report-runs-001',
    sql: `
      CREATE TABLE report_run (
        id TEXT PRIMARY KEY,
        task_id TEXT NOT NULL,
        task_name TEXT NOT NULL,
        task_revision INTEGER NOT NULL,
        project TEXT NOT NULL,
        priority INTEGER NOT NULL,
        trigger TEXT NOT NULL,
        merged TEXT NOT NULL DEFAULT '[]',
        options TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT,
        reason TEXT,
        test INTEGER NOT NULL,
        cancelled INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER NOT NULL DEFAULT 0,
        repeats INTEGER NOT NULL DEFAULT 1,
        queued_at INTEGER NOT NULL,
        started_at INTEGER,
        sealed_at INTEGER,
        finished_at INTEGER,
        sealed TEXT,
        counts TEXT,
        definition TEXT
      );
      CREATE INDEX report_run_task ON report_run (task_id, id);
      CREATE INDEX report_run_open ON report_run (state) WHERE state <> 'finished';
      CREATE TABLE report_run_event (
        run_id TEXT NOT NULL REFERENCES report_run (id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        event TEXT NOT NULL
      );
      CREATE INDEX report_run_event_run ON report_run_event (run_id);
      CREATE TABLE report_document (
        id TEXT PRIMARY KEY,
        run_id TEXT NOT NULL REFERENCES report_run (id) ON DELETE CASCADE,
        sha256 TEXT NOT NULL,
        document TEXT NOT NULL
      );
      CREATE INDEX report_document_run ON report_document (run_id);
      CREATE INDEX report_document_blob ON report_document (sha256);
      CREATE TABLE report_delivery (
        id TEXT PRIMARY KEY,
        run_id TEXT NOT NULL REFERENCES report_run (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        channel TEXT NOT NULL,
        target TEXT NOT NULL,
        documents TEXT NOT NULL,
        payload TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at INTEGER,
        last_error TEXT
      );
      CREATE INDEX report_delivery_run ON report_delivery (run_id, position);
      CREATE TABLE report_trigger_fired (identity TEXT PRIMARY KEY, run_id TEXT NOT NULL, at INTEGER NOT NULL);
      CREATE TABLE report_condition_state (key TEXT PRIMARY KEY, task_id TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL);
    `,
  },
]

export const triggerMigrations: readonly Migration[] = [
  {
    name: 'report-triggers-001',
    sql: `
      CREATE TABLE report_trigger (
        task_id TEXT NOT NULL,
        trigger_id TEXT NOT NULL,
        definition TEXT NOT NULL,
        since INTEGER NOT NULL,
        handled_until INTEGER NOT NULL,
        PRIMARY KEY (task_id, trigger_id)
      ) WITHOUT ROWID;
      CREATE TABLE report_trigger_joined (
        task_id TEXT NOT NULL,
        trigger_id TEXT NOT NULL,
        member TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (task_id, trigger_id, member)
      ) WITHOUT ROWID;
      CREATE TABLE report_trigger_event (
        execution_id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE report_trigger_app (app_id TEXT PRIMARY KEY, reloaded_at INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE report_trigger_checkpoint (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;`,
  },
]

export const hubMigrations: readonly Migration[] = [
  {
    name: 'report-hub-001',
    sql: `
      CREATE TABLE report_hub_item (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        -- Id of the delivery, so that a repeated publication changes nothing.
        id TEXT NOT NULL UNIQUE,
        version_key TEXT NOT NULL,
        version INTEGER NOT NULL,
        title TEXT NOT NULL,
        project TEXT NOT NULL,
        task_id TEXT NOT NULL,
        task_name TEXT NOT NULL,
        run_id TEXT NOT NULL,
        document_id TEXT NOT NULL,
        file_name TEXT NOT NULL,
        format TEXT NOT NULL,
        media_type TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        test INTEGER NOT NULL,
        published_at INTEGER NOT NULL,
        retention_days INTEGER,
        retention_versions INTEGER,
        -- Title, project and file name in lower case.
        search TEXT NOT NULL
      );
      CREATE INDEX report_hub_item_version ON report_hub_item (version_key, test, seq);
      CREATE INDEX report_hub_item_document ON report_hub_item (document_id);
      CREATE INDEX report_hub_item_blob ON report_hub_item (sha256);
      CREATE INDEX report_hub_item_run ON report_hub_item (run_id);
      CREATE TABLE report_hub_reader (
        address TEXT NOT NULL,
        item_id TEXT NOT NULL REFERENCES report_hub_item (id) ON DELETE CASCADE,
        PRIMARY KEY (address, item_id)
      ) WITHOUT ROWID;
      CREATE INDEX report_hub_reader_item ON report_hub_reader (item_id);
      CREATE TABLE report_hub_access (
        item_id TEXT NOT NULL REFERENCES report_hub_item (id) ON DELETE CASCADE,
        reader TEXT NOT NULL,
        how TEXT NOT NULL,
        at INTEGER NOT NULL
      );
      CREATE INDEX report_hub_access_item ON report_hub_access (item_id, reader);
      CREATE TABLE report_hub_login (
        hash TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        client TEXT NOT NULL,
        next TEXT NOT NULL,
        at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER
      ) WITHOUT ROWID;
      CREATE INDEX report_hub_login_address ON report_hub_login (address, at);
      CREATE INDEX report_hub_login_client ON report_hub_login (client, at);
      CREATE TABLE report_hub_session (
        hash TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX report_hub_session_address ON report_hub_session (address);
      CREATE TABLE report_hub_key (id INTEGER PRIMARY KEY CHECK (id = 1), secret TEXT NOT NULL);
    `,
  },
]

export const reportMigrations: readonly Migration[] = [
  ...definitionMigrations,
  ...runMigrations,
  ...triggerMigrations,
  ...hubMigrations,
]
