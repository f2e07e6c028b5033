/** Tables for the runs of schedules, and for how far each schedule is. */
import type { Migration } from '../../platform/sqlite.ts'

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
