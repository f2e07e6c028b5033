/** The last known state of each service, so that a restart of Footman neither repeats an alert nor misses a change. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { KnownState } from './machine.ts'

export const monitorMigrations: readonly Migration[] = [
  {
    name: 'monitors-001',
    sql: `CREATE TABLE service_state (
      host TEXT NOT NULL COLLATE NOCASE,
      service TEXT NOT NULL COLLATE NOCASE,
      state TEXT NOT NULL,
      PRIMARY KEY (host, service)
    ) WITHOUT ROWID`,
  },
  {
    name: 'monitors-002',
    sql: `CREATE TABLE service_event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        host TEXT NOT NULL COLLATE NOCASE,
        service TEXT NOT NULL COLLATE NOCASE,
        event_id TEXT NOT NULL
      );
      CREATE INDEX service_event_of ON service_event (host, service, seq);`,
  },
]

/** Events that are remembered per service: more than fit into the windows of rate limits. */
const KEPT_EVENTS = 100

const OLD_EVENTS = `DELETE FROM service_event WHERE host = ? AND service = ? AND seq <= coalesce(
  (SELECT seq FROM service_event WHERE host = ? AND service = ? ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)`

export interface ServiceKey {
  readonly host: string
  readonly service: string
}

export interface ServiceStateStore {
  load(key: ServiceKey): KnownState | null
  /** For a state that goes with an event: in the event's transaction. */
  put(db: Database, key: ServiceKey, state: KnownState, eventId: string): void
  /** The last events about the service, oldest first. */
  events(key: ServiceKey): readonly string[]
  save(key: ServiceKey, state: KnownState): Promise<void>
  /** Forgets services that are watched no longer. */
  keepOnly(keys: readonly ServiceKey[]): Promise<void>
}

export function createServiceStateStore(deps: {
  readonly db: Database
  readonly writer: GroupWriter
}): ServiceStateStore {
  const put = (db: Database, { host, service }: ServiceKey, state: KnownState) =>
    void db.run(
      'INSERT INTO service_state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state',
      host,
      service,
      state,
    )
  return {
    load({ host, service }) {
      const row = deps.db.get<{ state: KnownState }>(
        'SELECT state FROM service_state WHERE host = ? AND service = ?',
        host,
        service,
      )
      return row?.state ?? null
    },
    put(db, key, state, eventId) {
      put(db, key, state)
      const { host, service } = key
      db.run('INSERT INTO service_event (host, service, event_id) VALUES (?, ?, ?)', host, service, eventId)
      db.run(OLD_EVENTS, host, service, host, service, KEPT_EVENTS)
    },
    events: ({ host, service }) =>
      deps.db
        .all<{ id: string }>(
          'SELECT event_id AS id FROM service_event WHERE host = ? AND service = ? ORDER BY seq',
          host,
          service,
        )
        .map(({ id }) => id),
    save: (key, state) => deps.writer.write((tx) => put(tx, key, state)),
    async keepOnly(keys) {
      const wanted = new Set(keys.map(idOf))
      const known = deps.db.all<ServiceKey>('SELECT host, service FROM service_state')
      const old = known.filter((key) => !wanted.has(idOf(key)))
      if (old.length === 0) return
      await deps.writer.write((tx) => {
        for (const { host, service } of old) {
          tx.run('DELETE FROM service_state WHERE host = ? AND service = ?', host, service)
          tx.run('DELETE FROM service_event WHERE host = ? AND service = ?', host, service)
        }
      })
    },
  }
}

const idOf = ({ host, service }: ServiceKey) => `${host}|${service}`.toLowerCase()
