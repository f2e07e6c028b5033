/** Instants that must survive a restart, by name. */
import type { Database } from '../../platform/sqlite.ts'

/** Milliseconds since 1970; null when it was never set. */
export function readMark(db: Database, name: string): number | null {
  return db.get<{ at: number }>('SELECT at FROM safety_net_mark WHERE name = ?', name)?.at ?? null
}

export function writeMark(db: Database, name: string, at: number): void {
  db.run('INSERT INTO safety_net_mark VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at', name, at)
}
