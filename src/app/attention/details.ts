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
    snoozeFor(
      event: TaskEvent,
    ): { readonly until: number; readonly successOf: string | null; readonly reason: string } | null
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
  alerted: [],
  heldBack: [],
  quiet: null,
  behind: [],
  runningAgain: null,
  retry: null,
  usualMs: null,
}

/** A message may come a little before the end that it is about. */
const EARLY_MS = 2 * 60_000

/** The records of an item in the database; the same until something changes. */
export interface ItemFacts extends Pick<ItemDetails, 'alerted' | 'heldBack'> {
  /** Null = the item has none. */
  readonly event: TaskEvent | null
  /** Ids of tasks that run after this one has succeeded and that have not started since it failed. */
  readonly waiting: readonly string[]
}

export function factsOf({ db, overview }: Pick<DetailsDeps, 'db' | 'overview'>, item: Item): ItemFacts {
  if (item.task === null) return { alerted: [], heldBack: [], event: null, waiting: [] }
  const { taskId } = item.task
  const since = item.since - EARLY_MS
  const hasFollowers = item.kind === 'taskFailed' || item.kind === 'neverStarted'
  const followers = hasFollowers ? downstreamOf(overview.site.last.triggers, taskId.toLowerCase()) : []
  return {
    alerted: db.all<ItemDetails['alerted'][number]>(SQL.alerted, taskId, since),
    heldBack: heldBack(db, taskId, since),
    event: (item.eventId && loadTaskEvent(db, item.eventId)) || null,
    waiting: followers.slice(0, MOST_BEHIND).filter((id) => !db.get(SQL.startedSince, id, item.since, item.since)),
  }
}

export function detailsOf(
  deps: DetailsDeps,
  item: Item,
  { alerted, heldBack, event, waiting }: ItemFacts,
): ItemDetails {
  const { db, overview } = deps
  if (item.task === null) return NOTHING
  const { taskId } = item.task
  const running = overview.running().find((one) => one.taskId === taskId.toLowerCase())
  return {
    alerted,
    heldBack,
    quiet: event && quietness(deps, event),
    behind: behind(deps, waiting),
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
    usualMs: running?.usual.usualMs ?? null,
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

function quietness({ clock, alerts }: DetailsDeps, event: TaskEvent): ItemDetails['quiet'] {
  const now = clock.now()
  const maintenance = alerts.maintenance.nameFor({ ...event, receivedAt: now }, now)
  if (maintenance !== null) return { reason: 'MAINTENANCE', detail: maintenance, until: null, untilSuccess: false }
  const snooze = alerts.snoozeFor(event)
  if (!snooze) return null
  const { reason: detail, until, successOf } = snooze
  return { reason: 'SNOOZED', detail, until, untilSuccess: successOf !== null }
}

function behind({ overview }: DetailsDeps, waiting: readonly string[]): ItemDetails['behind'] {
  const { triggers, tasks, running } = overview.site.last
  return waiting.flatMap((id) => {
    const task = tasks.get(id)
    if (task?.enabled === false || running.some((one) => one.taskId === id)) return []
    const gate = triggers.gates.find((one) => one.taskId === id)
    return { taskId: id, taskName: task?.name ?? gate?.taskName ?? id }
  })
}
