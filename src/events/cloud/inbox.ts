/** Messages of Qlik Cloud that are accepted and not yet events. */
import type { Database, Migration } from '../../platform/sqlite.ts'

export const cloudMigrations: readonly Migration[] = [
  {
    name: 'cloud-001',
    sql: `CREATE TABLE cloud_message (
        id TEXT PRIMARY KEY,
        received_at INTEGER NOT NULL,
        payload BLOB NOT NULL
      ) WITHOUT ROWID;`,
  },
]

export interface InboxMessage {
  /** UUID v7: sorts by arrival. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly payload: Uint8Array
}

export function addMessage(db: Database, { id, receivedAt, payload }: InboxMessage): void {
  db.run('INSERT INTO cloud_message VALUES (?, ?, ?)', id, receivedAt, payload)
}

/** Oldest first. */
export function openMessages(db: Database): InboxMessage[] {
  return db.all<InboxMessage>('SELECT id, received_at AS receivedAt, payload FROM cloud_message ORDER BY id')
}

export function removeMessage(db: Database, id: string): void {
  db.run('DELETE FROM cloud_message WHERE id = ?', id)
}
