/** The store of a node that is on its own again: nothing of the cluster is left in it but the shared rows themselves. */
import type { Database } from '../platform/sqlite.ts'

/** The names of the triggers that note changes begin with it. */
export const TRIGGER_PREFIX = 'cluster_note_'
/** The time of the next attempt of a delivery that is left to the leader: never. */
export const PARKED_AT = 9_000_000_000_000_000

const OWN_TABLES = ['cluster_change', 'cluster_flag', 'cluster_shipped', 'cluster_orphan', 'cluster_former_pair']

/** Does nothing to a store that was never a part of a cluster. It joins anew when it becomes a part of one again. */
export function leaveCluster(db: Database, now: number): void {
  if (!db.get("SELECT 1 FROM sqlite_schema WHERE name = 'cluster_change'")) return
  db.transaction(() => {
    for (const { name } of noteTriggers(db)) db.exec(`DROP TRIGGER ${name}`)
    for (const table of OWN_TABLES) db.exec(`DROP TABLE IF EXISTS ${table}`)
    db.run("DELETE FROM meta WHERE key GLOB 'cluster.*'")
    db.run('DELETE FROM inbox_taken')
    db.run('UPDATE delivery SET next_attempt_at = ? WHERE next_attempt_at = ?', now, PARKED_AT)
  })
}

/** The triggers that note changes. */
export const noteTriggers = (db: Database): { readonly name: string; readonly sql: string }[] =>
  db.all(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '${TRIGGER_PREFIX}*'`)
