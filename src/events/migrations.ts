/** Tables of the event pipeline in `footman.db`. */
import type { Migration } from '../platform/sqlite.ts'

export const eventMigrations: readonly Migration[] = [
  {
    name: 'events-001',
    sql: `
      CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        journal_id INTEGER,
        received_at INTEGER NOT NULL,
        source TEXT NOT NULL,
        sender TEXT NOT NULL,
        type TEXT NOT NULL,
        type_known INTEGER NOT NULL DEFAULT 0,
        announced TEXT NOT NULL,
        outcome TEXT NOT NULL,
        severity TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        deadline_at INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        host TEXT NOT NULL, user TEXT NOT NULL,
        task_id TEXT NOT NULL, task_name TEXT NOT NULL,
        app_id TEXT NOT NULL, app_name TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        log_time TEXT NOT NULL, log_level TEXT NOT NULL, log_message TEXT NOT NULL,
        name_tokens TEXT,
        missing_parts TEXT NOT NULL DEFAULT '[]',
        qlik TEXT,
        test INTEGER NOT NULL DEFAULT 0
      );
      CREATE UNIQUE INDEX event_journal ON event (journal_id) WHERE journal_id IS NOT NULL;
      CREATE INDEX event_pending ON event (next_attempt_at, seq) WHERE state = 'pending';
      CREATE INDEX event_task ON event (task_id, seq);
      CREATE INDEX event_received ON event (received_at);
      CREATE TABLE script_log (event_id TEXT PRIMARY KEY REFERENCES event (id) ON DELETE CASCADE, characters INTEGER NOT NULL, gzip BLOB NOT NULL);
      CREATE TABLE dedup (key TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;
      CREATE INDEX dedup_expiry ON dedup (expires_at);
      CREATE TABLE dropped_datagram (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL, sender TEXT NOT NULL, reason TEXT NOT NULL, raw BLOB NOT NULL
      );
    `,
  },
  {
    name: 'events-002',
    sql: `
      CREATE INDEX event_deadline ON event (deadline_at) WHERE state = 'pending';
      CREATE INDEX event_type ON event (task_id, seq) WHERE type_known = 1;
    `,
  },
  {
    name: 'events-003',
    sql: `
      ALTER TABLE event ADD COLUMN code TEXT;
      ALTER TABLE event ADD COLUMN details TEXT;
      ALTER TABLE event ADD COLUMN history TEXT;
      ALTER TABLE event ADD COLUMN retry TEXT;
    `,
  },
  {
    name: 'events-004',
    sql: `CREATE INDEX event_execution ON event (execution_id) WHERE execution_id <> '';`,
  },
  {
    name: 'events-005',
    sql: `
      CREATE TABLE udp_source (
        sender TEXT NOT NULL, host TEXT NOT NULL,
        first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
        messages INTEGER NOT NULL, rejected INTEGER NOT NULL,
        PRIMARY KEY (sender, host)
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'events-006',
    sql: `
      CREATE TABLE unverified (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        journal_id INTEGER, received_at INTEGER NOT NULL, sender TEXT NOT NULL, task_id TEXT NOT NULL, raw BLOB NOT NULL
      );
      DROP INDEX event_pending;
      CREATE INDEX event_pending ON event (next_attempt_at, seq, task_id) WHERE state = 'pending';
      CREATE INDEX unverified_sender ON unverified (sender, task_id);
    `,
  },
  {
    // Lists with a filter for something rare.
    name: 'events-lists',
    sql: `
      CREATE INDEX event_outcome ON event (outcome, seq);
      CREATE INDEX event_kind ON event (type, seq);
      CREATE INDEX event_source ON event (source, seq) WHERE source <> 'udp';
      CREATE INDEX event_state ON event (state, seq) WHERE state <> 'routed';
    `,
  },
  {
    name: 'events-shared',
    sql: `
      ALTER TABLE event ADD COLUMN message_key TEXT;
      ALTER TABLE event ADD COLUMN accepted_by TEXT;
      CREATE INDEX event_message ON event (message_key) WHERE message_key IS NOT NULL;
    `,
  },
  {
    name: 'events-inbox',
    sql: `
      -- The event that another node has made of the same message while the nodes could not reach each other.
      ALTER TABLE event ADD COLUMN twin_of TEXT;
      -- Entries of the shared inbox, with their events, that are settled together with the rows of their transaction.
      CREATE TABLE inbox_taken (inbox_id INTEGER PRIMARY KEY, event_id TEXT);
    `,
  },
  {
    // The key of messages that one of several nodes has taken alone: they belong into the shared inbox when it is back.
    name: 'events-held-alone',
    sql: 'ALTER TABLE unverified ADD COLUMN message_key TEXT;',
  },
  {
    name: 'events-listed-tasks',
    sql: `
      -- Tasks of the site by their ids in lower case, and when Qlik Sense named them last.
      CREATE TABLE listed_task (task_id TEXT PRIMARY KEY, listed_at INTEGER NOT NULL) WITHOUT ROWID;
    `,
  },
  {
    name: 'events-inbox-keys',
    sql: `
      -- Ids of the inbox belong to one server: a standby that takes its place may give the same ones to other messages.
      DROP TABLE inbox_taken;
      CREATE TABLE inbox_taken (message_key TEXT PRIMARY KEY, event_id TEXT) WITHOUT ROWID;
    `,
  },
]
