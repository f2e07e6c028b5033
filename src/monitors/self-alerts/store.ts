/** Which self-alerts are raised, so that a restart neither raises nor clears one a second time. */
import { type Database, type Migration, storedJson } from '../../platform/sqlite.ts'
import type { SelfCode } from './types.ts'

export const selfAlertMigrations: readonly Migration[] = [
  {
    name: 'self-alerts-001',
    sql: `CREATE TABLE self_alert (
        code TEXT PRIMARY KEY,
        raised_at INTEGER NOT NULL,
        subjects TEXT NOT NULL
      ) WITHOUT ROWID;`,
  },
]

export interface RaisedSubject {
  readonly text: string
  /** When it was seen the last time, milliseconds since 1970. */
  readonly at: number
}

export interface Raised {
  readonly raisedAt: number
  /** By subject; never empty. */
  readonly subjects: Readonly<Record<string, RaisedSubject>>
}

export function loadRaised(db: Database): Map<SelfCode, Raised> {
  const rows = db.all<{ code: SelfCode; raised_at: number; subjects: string }>('SELECT * FROM self_alert')
  return new Map(
    rows.flatMap(({ code, raised_at: raisedAt, subjects: stored }): [SelfCode, Raised][] => {
      const subjects = storedJson<Raised['subjects'] | null>(stored, null)
      return subjects ? [[code, { raisedAt, subjects }]] : []
    }),
  )
}

export function saveRaised(db: Database, code: SelfCode, { raisedAt, subjects }: Raised): void {
  db.run('INSERT OR REPLACE INTO self_alert VALUES (?, ?, ?)', code, raisedAt, JSON.stringify(subjects))
}

export function deleteRaised(db: Database, code: SelfCode): void {
  db.run('DELETE FROM self_alert WHERE code = ?', code)
}
