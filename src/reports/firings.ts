/** Firings of the schedules of report tasks, for calendars: those that happened, and those that are planned. */
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { usualDuration } from '../platform/usual.ts'
import type { ReportTask } from './entities/task.ts'
import type { Triggers } from './triggers/index.ts'

export interface ReportFiring {
  /** The report task. */
  readonly id: string
  readonly name: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Median of the last runs, in milliseconds; null before the first. */
  readonly usualMs: number | null
}

const SQL = {
  // Ids are in the order of time, and a run is made after its instant.
  past: `SELECT task_id AS id, task_name AS name, trigger ->> 'firedAt' AS firedAt FROM report_run
    WHERE id >= ? AND trigger ->> 'type' = 'schedule' AND outcome IS NOT 'skipped'`,
  lengths: `SELECT finished_at - started_at AS ms FROM report_run WHERE task_id = ? AND outcome IN ('success', 'warning')
    ORDER BY id DESC LIMIT 30`,
}

interface FiringDeps {
  readonly db: Database
  readonly clock: Clock
  readonly tasks: () => readonly (ReportTask & { readonly id: string })[]
  readonly triggers: Pick<Triggers, 'firings'>
}

/** The firings in [from, to), milliseconds since 1970. */
export function firingsBetween({ db, clock, tasks, triggers }: FiringDeps, from: number, to: number): ReportFiring[] {
  const now = clock.now()
  const all = tasks()
  const planned = all.flatMap((task) =>
    triggers.firings(task, Math.max(from, now) - 1, to - 1).map((at) => ({ id: task.id, name: task.name, at })),
  )
  const lengths = new Map(all.map(({ id }) => [id, usualLength(db, id)]))
  return [...past(db, from, Math.min(to, now)), ...planned].map((one) => ({
    ...one,
    usualMs: lengths.get(one.id) ?? null,
  }))
}

function past(db: Database, from: number, to: number) {
  const time = from.toString(16).padStart(12, '0')
  return db
    .all<{ id: string; name: string; firedAt: string }>(SQL.past, `${time.slice(0, 8)}-${time.slice(8)}`)
    .map(({ id, name, firedAt }) => ({ id, name, at: Date.parse(firedAt) }))
    .filter(({ at }) => at >= from && at < to)
}

function usualLength(db: Database, taskId: string): number | null {
  return usualDuration(db.all<{ ms: number }>(SQL.lengths, taskId).map(({ ms }) => ms))
}
