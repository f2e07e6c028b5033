/** Facts about the items of the attention list: alerts that were sent and held back, tasks behind, runs and retries. */

import { loadTaskEvent } from '../../events/store.ts'
import type { TaskEvent } from '../../events/types.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { Overview } from '../../tasks/overview/index.ts'
import { downstreamOf } from '../../tasks/overview/site.ts'
import type { Item, ItemDetails } from './types.ts'

export interface DetailsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly overview: Pick<Overview, 'site' | 'running'>
  readonly alerts: {
    readonly maintenance: { nameFor(event: TaskEvent, at: number): string | null }
    /** The snooze that holds alerts about an event back now; null = none. */
    snoozeFor(event: TaskEvent): { readonly id: string; readonly until: number; readonly reason: string } | null
  }
}

/** Alerts and tasks behind an item that are named. */
const MOST = 20
const MOST_BEHIND = 50

const SQL = {
  alerted: `SELECT destination, target, min(finished_at) AS at FROM event JOIN delivery ON event_id = event.id
    WHERE task_id = ? AND received_at >= ? AND delivery.state = 'delivered' AND kind IN ('alert', 'fallback')
    GROUP BY destination, target ORDER BY at LIMIT ${MOST}`,
  heldBack: `SELECT delivery.reason AS reason, count(*) AS count, max(suppressed_by) AS suppressedBy FROM event
    JOIN delivery ON event_id = event.id WHERE task_id = ? AND received_at >= ? AND delivery.state = 'suppressed'
    GROUP BY delivery.reason ORDER BY count DESC`,
  startedSince: `SELECT 1 FROM execution WHERE task_id = ? AND stopped_at >= ?
    AND coalesce(triggered_at, started_at, stopped_at) >= ? LIMIT 1`,
  retry: `SELECT attempt, max, due_at AS at FROM task_retry WHERE task_id = ? AND state IN ('due', 'starting')
    ORDER BY due_at LIMIT 1`,
} as const

const NOTHING: ItemDetails = {
  ...{ alerted: [], heldBack: [], quiet: null, behind: [], runningAgain: null, retry: null, usualMs: null },
}

/** A message may come a little before the end that it is about. */
const EARLY_MS = 2 * 60_000

export function detailsOf(deps: DetailsDeps, item: Item): ItemDetails {
  const { db, overview } = deps
  if (item.task === null) return NOTHING
  const { taskId } = item.task
  const since = item.since - EARLY_MS
  const running = overview.running().find((one) => one.taskId === taskId.toLowerCase())
  return {
    alerted: db.all<ItemDetails['alerted'][number]>(SQL.alerted, taskId, since),
    heldBack: heldBack(db, taskId, since),
    quiet: quietness(deps, item),
    behind: item.kind === 'taskFailed' || item.kind === 'neverStarted' ? behind(deps, item, taskId) : [],
    runningAgain: running
      ? {
          executionId: running.executionId,
          state: running.state,
          startedAt: running.since,
          expectedEnd: running.expectedEnd,
          over: running.over,
          overByMs: running.overByMs,
        }
      : null,
    retry: db.get<NonNullable<ItemDetails['retry']>>(SQL.retry, taskId) ?? null,
    usualMs: running && running.usual.basis !== 'none' ? running.usual.p50Ms : null,
  }
}

function heldBack(db: Database, taskId: string, since: number): ItemDetails['heldBack'] {
  interface Row {
    readonly reason: string
    readonly count: number
    readonly suppressedBy: string | null
  }
  return db.all<Row>(SQL.heldBack, taskId, since).map(({ reason, count, suppressedBy }) => ({
    reason,
    count,
    snoozeId: storedJson<{ readonly snooze?: { readonly id: string } } | null>(suppressedBy, null)?.snooze?.id ?? null,
  }))
}

function quietness({ db, clock, alerts }: DetailsDeps, { eventId }: Item): ItemDetails['quiet'] {
  const event = eventId === null ? null : loadTaskEvent(db, eventId)
  if (!event) return null
  const now = clock.now()
  const maintenance = alerts.maintenance.nameFor({ ...event, receivedAt: now }, now)
  if (maintenance !== null) return { reason: 'MAINTENANCE', detail: maintenance }
  const snooze = alerts.snoozeFor(event)
  if (!snooze) return null
  const reason = snooze.reason === '' ? '' : `: ${snooze.reason}`
  return { reason: 'SNOOZED', detail: `until ${new Date(snooze.until).toISOString()}${reason}` }
}

/** Tasks that run after this one has succeeded and that have not started since it failed. */
function behind({ db, overview }: DetailsDeps, item: Item, taskId: string): ItemDetails['behind'] {
  const { triggers, tasks, running } = overview.site.last
  const ids = downstreamOf(triggers, taskId.toLowerCase()).slice(0, MOST_BEHIND)
  return ids.flatMap((id) => {
    const task = tasks.get(id)
    const hasStarted =
      running.some((one) => one.taskId === id) || db.get(SQL.startedSince, id, item.since, item.since) !== undefined
    if (task?.enabled === false || hasStarted) return []
    const gate = triggers.gates.find((one) => one.taskId === id)
    return { taskId: id, taskName: task?.name ?? gate?.taskName ?? id }
  })
}
