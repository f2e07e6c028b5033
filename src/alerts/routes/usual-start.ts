/** When a task downstream usually starts, from the history of executions: as long after its root as it mostly did. */
import type { Database } from '../../platform/sqlite.ts'

const DAY_MS = 86_400_000
/** As many runs as the watchdog learns from, and from as long ago. */
const RUNS = 30
const DAYS = 60

/** Null when there is no history, or none of both tasks. */
export function usualStart(
  db: Database,
  root: { readonly id: string; readonly startedAt: number },
  taskId: string,
): string | null {
  if (!db.get(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'execution'`)) return null
  const since = root.startedAt - DAYS * DAY_MS
  const starts = startsOf(db, taskId, since, root.startedAt, RUNS)
  // The root may run more often than what follows it.
  const roots = startsOf(db, root.id, since, root.startedAt, RUNS * 50)
  const distances = starts.flatMap((start) => {
    const before = roots.find((at) => at <= start)
    return before !== undefined && start - before < DAY_MS ? [start - before] : []
  })
  if (distances.length === 0) return null
  distances.sort((a, b) => a - b)
  return new Date(root.startedAt + distances[Math.floor((distances.length - 1) / 2)]!).toISOString()
}

/** Newest first, milliseconds since 1970. */
function startsOf(db: Database, taskId: string, since: number, before: number, limit: number): number[] {
  return db
    .all<{ at: number }>(
      `SELECT started_at AS at FROM execution WHERE task_id = ? AND stopped_at >= ? AND started_at < ?
       ORDER BY stopped_at DESC LIMIT ?`,
      taskId.toLowerCase(),
      since,
      before,
      limit,
    )
    .map(({ at }) => at)
}
