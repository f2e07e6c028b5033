/**
 * The last changes of pairs as rows: in a cluster every node has them, and reports to its own listeners what the leader has
 * changed.
 */
import type { Database, Migration } from '../platform/sqlite.ts'
import type { Change } from './types.ts'

export const changeMigrations: readonly Migration[] = [
  {
    name: 'kv-002',
    sql: `
      -- A row is used again after so many changes, so that nothing has to be removed.
      CREATE TABLE kv_change (
        slot INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        event TEXT NOT NULL
      );
      CREATE INDEX kv_change_revision ON kv_change (revision);`,
  },
]

/** Changes that are kept; listeners on other nodes miss what a single transaction changes beyond that. */
const KEPT = 10_000

const SQL = {
  note: `INSERT INTO kv_change (slot, revision, namespace, key, event) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (slot) DO UPDATE SET revision = excluded.revision, namespace = excluded.namespace, key = excluded.key,
      event = excluded.event`,
  newest: 'SELECT coalesce(max(revision), 0) AS revision FROM kv_change',
  bounds: 'SELECT min(revision) AS oldest, max(revision) AS newest FROM kv_change',
  // A pair that has changed again has its newest change further down, or in rows that are still to come.
  after: `SELECT c.revision, c.namespace, c.key, c.event, p.value FROM kv_change c
    LEFT JOIN kv p ON c.event = 'set' AND p.namespace = c.namespace AND p.key = c.key AND p.revision = c.revision
    WHERE c.revision > ? AND (c.event <> 'set' OR p.value IS NOT NULL) ORDER BY c.revision`,
} as const

type Row = Omit<Change, 'value'> & { readonly value: string | null }

export interface ChangeLog {
  /** In the transaction that changes the pair, after it has been changed. */
  note(tx: Database, change: Change): void
  /** Changes by other nodes since the last call, oldest first. */
  news(): Change[]
  /** Changes after a revision, oldest first; null when some of them are not kept any more. */
  after(revision: number): Change[] | null
}

export function createChangeLog(db: Database): ChangeLog {
  let reported = db.get<{ revision: number }>(SQL.newest)?.revision ?? 0

  const read = (revision: number): Change[] =>
    db.all<Row>(SQL.after, revision).map(({ value, event, namespace, key, revision: of }) => {
      return { event, namespace, key, ...(value !== null && { value }), revision: of }
    })

  return {
    note(tx, { revision, namespace, key, event }) {
      tx.run(SQL.note, revision % KEPT, revision, namespace, key, event)
    },
    news() {
      const changes = read(reported)
      reported = changes.at(-1)?.revision ?? reported
      return changes
    },
    after(revision) {
      const { oldest, newest } = db.get<{ oldest: number | null; newest: number | null }>(SQL.bounds) ?? {}
      const isKept = oldest != null && newest != null && revision >= oldest - 1 && revision <= newest
      return isKept ? read(revision) : null
    },
  }
}
