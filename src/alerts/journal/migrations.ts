/** What inspecting, resending and following need in `footman.db`. */
import type { Migration } from '../../platform/sqlite.ts'

/** Milliseconds since 1970, by the clock of SQLite. */
const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`

const EVENT_DATA = `json_object('id', NEW.id, 'type', NEW.type, 'outcome', NEW.outcome, 'severity', NEW.severity,
  'state', NEW.state, 'reason', NEW.reason, 'taskId', nullif(NEW.task_id, ''), 'taskName', nullif(NEW.task_name, ''),
  'appName', nullif(NEW.app_name, ''), 'host', nullif(NEW.host, ''))`

const DELIVERY_DATA = `json_object('id', NEW.id, 'eventId', NEW.event_id, 'destination', NEW.destination,
  'state', NEW.state, 'reason', NEW.reason)`

function changeTriggers(table: string, data: string): string {
  const log = `BEGIN INSERT INTO change_log (at, topic, data) VALUES (${NOW}, '${table}', ${data}); END`
  return `
    CREATE TRIGGER ${table}_added AFTER INSERT ON ${table} ${log};
    CREATE TRIGGER ${table}_changed AFTER UPDATE OF state ON ${table} WHEN OLD.state <> NEW.state ${log};`
}

export const alertJournalMigrations: readonly Migration[] = [
  {
    name: 'alert-journal-001',
    sql: `
      CREATE TABLE change_log (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        topic TEXT NOT NULL,
        data TEXT NOT NULL
      );
      ${changeTriggers('event', EVENT_DATA)}
      ${changeTriggers('delivery', DELIVERY_DATA)}
    `,
  },
]
