/** What a damaged journal still gives away. */
import { openDamaged } from '../../platform/storage/salvage.ts'
import type { Datagram } from './journal.ts'

export interface WantedEntries {
  /** Those after this one have not been taken over yet; null = nobody knows. */
  readonly after: number | null
  /** Where nobody knows, only what was received after this time: better some alerts twice than a month of them. */
  readonly since: number
}

/** The readable entries that are still wanted, oldest first. */
export function salvageDatagrams(damagedFile: string, { after, since }: WantedEntries): Datagram[] {
  const db = openDamaged(damagedFile)
  if (!db) return []
  const found = new Map<number, Datagram>()

  /** False when it broke off. */
  function read(order: 'ASC' | 'DESC'): boolean {
    try {
      const sql = `SELECT id, received_at AS receivedAt, sender, raw FROM datagram WHERE id > ? AND received_at >= ? ORDER BY id ${order}`
      const rows = db!.prepare(sql).iterate(after ?? 0, after === null ? since : 0)
      for (const row of rows as Iterable<Datagram & { id: number }>) found.set(row.id, row)
      return true
    } catch {
      return false
    }
  }

  try {
    if (!read('ASC')) read('DESC')
    return [...found.entries()].sort(([a], [b]) => a - b).map(([, datagram]) => datagram)
  } finally {
    db.close()
  }
}
