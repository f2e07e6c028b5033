/** Tables of the outbox in `footman.db`. */
import type { Migration } from '../../platform/sqlite.ts'

export const outboxMigrations: readonly Migration[] = [
  {
    name: 'outbox-001',
    sql: `
      CREATE TABLE delivery (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        event_id TEXT NOT NULL REFERENCES event (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        route TEXT NOT NULL,
        destination TEXT NOT NULL,
        target TEXT NOT NULL,
        lane TEXT NOT NULL,
        order_key TEXT,
        limit_key TEXT,
        severity TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        detail TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        finished_at INTEGER,
        subject TEXT,
        body TEXT,
        body_bytes INTEGER,
        replay_of TEXT NOT NULL DEFAULT ''
      );
      CREATE UNIQUE INDEX delivery_once ON delivery (event_id, route, destination, target, kind, replay_of);
      CREATE INDEX delivery_open ON delivery (lane, next_attempt_at, seq) WHERE state IN ('pending', 'sending');
      CREATE INDEX delivery_order ON delivery (order_key, seq) WHERE order_key IS NOT NULL AND state IN ('pending', 'sending');
      CREATE INDEX delivery_limit ON delivery (limit_key, event_id) WHERE limit_key IS NOT NULL;
      CREATE INDEX delivery_created ON delivery (created_at);
      CREATE INDEX delivery_dead ON delivery (seq) WHERE state = 'dead';
      CREATE TABLE delivery_attempt (
        delivery_id TEXT NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        at INTEGER NOT NULL,
        duration_ms INTEGER NOT NULL,
        result TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (delivery_id, n)
      ) WITHOUT ROWID;
      CREATE TABLE rate_limit (
        key TEXT PRIMARY KEY,
        event_id TEXT NOT NULL,
        ends_at INTEGER NOT NULL,
        suppressed INTEGER NOT NULL DEFAULT 0
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'outbox-002',
    sql: `
      ALTER TABLE delivery ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
      DROP INDEX delivery_open;
      DROP INDEX delivery_order;
      CREATE INDEX delivery_free ON delivery (lane, next_attempt_at, seq) WHERE order_key IS NULL AND state IN ('pending', 'sending');
      CREATE INDEX delivery_ordered ON delivery (lane, order_key, seq) WHERE order_key IS NOT NULL AND state IN ('pending', 'sending');
      CREATE INDEX delivery_age ON delivery (destination, created_at) WHERE state IN ('pending', 'sending');
      CREATE INDEX delivery_sending ON delivery (seq) WHERE state = 'sending';
      ALTER TABLE rate_limit ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE rate_limit ADD COLUMN last_suppressed TEXT NOT NULL DEFAULT '';
    `,
  },
  {
    name: 'outbox-003',
    sql: 'ALTER TABLE delivery ADD COLUMN note TEXT',
  },
  {
    name: 'outbox-004',
    sql: `
      CREATE TABLE rate_limit_slot (
        key TEXT NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (key, event_id)
      ) WITHOUT ROWID;
      INSERT INTO rate_limit_slot SELECT key, event_id FROM rate_limit WHERE ends_at > 0;
      ALTER TABLE delivery ADD COLUMN about TEXT;
      CREATE INDEX delivery_about ON delivery (about, route, seq) WHERE about IS NOT NULL;
    `,
  },
  {
    // A delivery that is sent again counts its age anew; copies of what was delivered do not clash.
    name: 'outbox-resend',
    sql: `
      ALTER TABLE delivery ADD COLUMN reopened_at INTEGER;
      DROP INDEX delivery_once;
      CREATE UNIQUE INDEX delivery_once ON delivery (event_id, route, destination, target, kind) WHERE replay_of = '';
      CREATE INDEX delivery_event ON delivery (event_id);
    `,
  },
  {
    name: 'outbox-suppressed-by',
    sql: 'ALTER TABLE delivery ADD COLUMN suppressed_by TEXT',
  },
  {
    // Lists with a filter for something rare.
    name: 'outbox-lists',
    sql: `
      CREATE INDEX delivery_state ON delivery (state, seq) WHERE state <> 'delivered';
      CREATE INDEX delivery_destination ON delivery (destination, seq);
    `,
  },
  {
    // Given-up deliveries of each destination are counted for the attention list.
    name: 'outbox-given-up',
    sql: `CREATE INDEX delivery_given_up ON delivery (destination, created_at, reason) WHERE state = 'dead';`,
  },
  {
    // Null: made by an earlier version.
    name: 'outbox-destination-type',
    sql: 'ALTER TABLE delivery ADD COLUMN destination_type TEXT',
  },
]
