/** The store of a node that is on its own again: nothing of the cluster is left in it but the shared rows themselves. */
import type { Database } from '../platform/sqlite.ts'

/** The names of the triggers that note changes begin with it. */
export const TRIGGER_PREFIX = 'cluster_note_'
/**
 * A delivery that is left to the leader has this much added to the time of its next attempt: it is never due, and the time comes
 * back. Older versions wrote three times this.
 */
export const PARKED_AT = 3_000_000_000_000_000

const OWN_TABLES = ['cluster_change', 'cluster_flag', 'cluster_shipped', 'cluster_orphan', 'cluster_former_pair']

/** Does nothing to a store that was never a part of a cluster. It joins anew when it becomes a part of one again. */
export function leaveCluster(db: Database): void {
  if (!db.get("SELECT 1 FROM sqlite_schema WHERE name = 'cluster_change'")) return
  db.transaction(() => {
    for (const { name } of noteTriggers(db)) db.exec(`DROP TRIGGER ${name}`)
    for (const table of OWN_TABLES) db.exec(`DROP TABLE IF EXISTS ${table}`)
    db.run("DELETE FROM meta WHERE key GLOB 'cluster.*'")
    db.run('DELETE FROM inbox_taken')
    reopenParked(db)
  })
}

/** Parked deliveries have the times of their next attempts again. */
export function reopenParked(db: Database): void {
  db.run(
    `UPDATE delivery SET next_attempt_at = next_attempt_at % ${PARKED_AT}
     WHERE state IN ('pending', 'sending') AND next_attempt_at >= ${PARKED_AT}`,
  )
}

/** The triggers that note changes. */
export const noteTriggers = (db: Database): { readonly name: string; readonly sql: string }[] =>
  db.all(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '${TRIGGER_PREFIX}*'`)
