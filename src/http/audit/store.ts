/** Table `audit`. Ids are UUIDs of version 7, so that they sort by time. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/stored-json.ts'
import type { AuditOutcome, StoredAuditEntry } from './types.ts'

export const auditMigrations: Migration[] = [
  {
    name: 'audit-001',
    sql: `
      CREATE TABLE audit (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        address TEXT,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        status INTEGER,
        outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'denied', 'failed')),
        request_id TEXT,
        detail TEXT
      ) WITHOUT ROWID;`,
  },
]

export interface AuditQuery {
  /** Newest entry that is wanted stands before this id; null = from the newest. */
  readonly before: string | null
  /** Milliseconds since 1970, inclusive and exclusive; null = no bound. */
  readonly from: number | null
  readonly to: number | null
  readonly matches: (entry: StoredAuditEntry) => boolean
  readonly limit: number
}

interface Row {
  readonly id: string
  readonly at: number
  readonly actor: string
  readonly address: string | null
  readonly action: string
  readonly target: string
  readonly status: number | null
  readonly outcome: AuditOutcome
  readonly request_id: string | null
  readonly detail: string | null
}

/** Rows looked at before others get their turn. */
const CHUNK = 500

export function insertEntry(db: Database, entry: StoredAuditEntry): void {
  const { id, at, actor, address, action, target, status, outcome, requestId, detail } = entry
  db.run(
    'INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[id, at, actor, address, action, JSON.stringify(target), status, outcome, requestId, detail],
  )
}

/** Newest first; one more than `limit` tells that there is another page. */
export async function findEntries(db: Database, query: AuditQuery): Promise<StoredAuditEntry[]> {
  const found: StoredAuditEntry[] = []
  const oldest = query.from === null ? '' : idBound(query.from)
  let before = earlier(query.before, query.to === null ? null : idBound(query.to))
  for (;;) {
    const rows = db.all<Row>(
      'SELECT * FROM audit WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?',
      before,
      oldest,
      CHUNK,
    )
    for (const row of rows) {
      const entry = entryOf(row)
      if (!query.matches(entry)) continue
      found.push(entry)
      if (found.length === query.limit) return found
    }
    if (rows.length < CHUNK) return found
    before = rows.at(-1)!.id
    await nextTurn()
  }
}

/** Removes up to `limit` entries older than `before`; returns how many. */
export function purgeAudit(db: Database, before: number, limit: number): number {
  return db.run('DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? LIMIT ?)', idBound(before), limit)
    .changes
}

/** The least id of an instant. */
function idBound(at: number): string {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** Every id is less than `g`. */
const earlier = (a: string | null, b: string | null): string => [a ?? 'g', b ?? 'g'].sort()[0]!

const entryOf = ({
  id,
  at,
  actor,
  address,
  action,
  target,
  status,
  outcome,
  request_id,
  detail,
}: Row): StoredAuditEntry => ({
  ...{ id, at, actor, address, action },
  target: storedJson<string[]>(target, []),
  ...{ status, outcome, requestId: request_id, detail },
})
