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
