/** What a damaged journal still gives away. */
import type { DatabaseSync } from 'node:sqlite'
import { readDamaged } from '../../platform/storage/salvage.ts'
import type { Datagram } from './journal.ts'

export interface WantedEntries {
  /** Those after this one have not been taken over yet; null = nobody knows. */
  readonly after: number | null
  /** Where nobody knows, only what was received after this time: better some alerts twice than a month of them. */
  readonly since: number
}

/** The readable entries that are still wanted, oldest first. */
export function salvageDatagrams(damagedFile: string, wanted: WantedEntries): Datagram[] {
  return readDamaged(damagedFile, (db) => readFrom(db, wanted)) ?? []
}

function readFrom(db: DatabaseSync, { after, since }: WantedEntries): Datagram[] {
  const found = new Map<number, Datagram>()

  /** False when it broke off. */
  function read(order: 'ASC' | 'DESC'): boolean {
    try {
      const sql = `SELECT id, received_at AS receivedAt, sender, raw FROM datagram WHERE id > ? AND received_at >= ? ORDER BY id ${order}`
      const rows = db.prepare(sql).iterate(after ?? 0, after === null ? since : 0)
      for (const row of rows as Iterable<unknown>) found.set((row as { id: number }).id, row as Datagram)
      return true
    } catch {
      return false
    }
  }

  if (!read('ASC')) read('DESC')
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, datagram]) => datagram)
}
