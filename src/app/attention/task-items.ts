/** Items about tasks: failed ones, findings of the watchdog, tasks that run longer than usual or are overdue. */

import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { AttentionKind, AttentionSeverity } from '../../tasks/overview/contract.ts'
import { dueAt } from '../../tasks/overview/due.ts'
import type { Overview } from '../../tasks/overview/index.ts'
import { downstreamOf, type SiteTask, type Triggers } from '../../tasks/overview/site.ts'
import { lastPlanned } from '../../tasks/overview/timeline.ts'
import { ranSince } from '../../tasks/safety-net/store.ts'
import { type Item, itemOf, type Recovery } from './types.ts'

interface TaskItemsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly overview: Pick<Overview, 'site' | 'overUsual' | 'dueRulesOf'>
  /** IANA name of the site's clock. */
  readonly timezone: string
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** A failure that is older does not need attention any more. */
const FAILED_MS = 7 * DAY_MS
const BAD = "('failed', 'aborted')"

const SQL = {
  failing: `SELECT task_id AS taskId, task_name AS taskName, last_outcome AS outcome, last_stopped_at AS at,
    consecutive_failures AS count,
    (SELECT min(stopped_at) FROM execution WHERE execution.task_id = task_state.task_id AND outcome IN ${BAD}
      AND stopped_at > coalesce(last_success_at, 0)) AS since
    FROM task_state WHERE last_outcome IN ${BAD} AND last_stopped_at > ?`,
  lastBad: `SELECT execution_id AS executionId, error, outcome FROM execution WHERE task_id = ? AND outcome IN ${BAD}
    ORDER BY stopped_at DESC LIMIT 1`,
  eventOfExecution: `SELECT id, log_message AS message FROM event WHERE execution_id = ? AND execution_id <> ''
    AND outcome IN ${BAD} ORDER BY seq DESC LIMIT 1`,
  lastEvent: `SELECT id, log_message AS message, task_name AS taskName, execution_id AS executionId FROM event
    WHERE task_id = ? AND outcome = ? ORDER BY seq DESC LIMIT 1`,
  findings: `SELECT subject, outcome, task_id AS taskId, at FROM watchdog_finding INDEXED BY watchdog_open WHERE open = 1`,
  success: 'SELECT last_success_at AS at FROM task_state WHERE task_id = ?',
  failedBefore: `SELECT task_id AS taskId, task_name AS taskName, count(*) AS count, min(stopped_at) AS since,
    max(stopped_at) AS last FROM execution WHERE outcome IN ${BAD} AND stopped_at >= ? GROUP BY task_id`,
  recovery: `SELECT stopped_at AS at, execution_id AS executionId, actor FROM execution WHERE task_id = ? AND stopped_at > ?
    AND outcome = 'success' ORDER BY stopped_at LIMIT 1`,
  retryOf: 'SELECT 1 FROM task_retry WHERE retry_execution_id = ?',
} as const

type Finding = Extract<AttentionKind, 'late' | 'stuck' | 'neverStarted'>
const FINDING_SEVERITY: Readonly<Record<Finding, AttentionSeverity>> = {
  neverStarted: 'error',
  stuck: 'error',
  late: 'warning',
}

/** The open items by what is known already: nothing is asked of Qlik Sense. */
export function taskItems(deps: TaskItemsDeps): Item[] {
  const { site } = deps.overview
  const { tasks, triggers } = site.last
  const isDisabled = (taskId: string) => tasks.get(taskId.toLowerCase())?.enabled === false
  const found = [...failedItems(deps), ...findingItems(deps)]
  const known = new Set(found.flatMap(({ task }) => task?.taskId ?? []))
  found.push(...overUsualItems(deps, known), ...overdueItems(deps, tasks, triggers))
  return withParents(
    found.filter(({ task }) => task === null || !isDisabled(task.taskId)),
    triggers,
  )
}

function failedItems({ db, clock }: TaskItemsDeps): Item[] {
  interface Row {
    readonly taskId: string
    readonly taskName: string
    readonly outcome: 'failed' | 'aborted'
    readonly at: number
    readonly count: number
    readonly since: number | null
  }
  return db.all<Row>(SQL.failing, clock.now() - FAILED_MS).map(({ taskId, taskName, outcome, at, count, since }) =>
    itemOf({
      key: `taskFailed:${taskId.toLowerCase()}`,
      kind: 'taskFailed',
      severity: 'error',
      since: since ?? at,
      title: taskName,
      task: { taskId, taskName },
      count: Math.max(1, count),
      outcome,
    }),
  )
}

function findingItems({ db, overview }: TaskItemsDeps): Item[] {
  interface Row {
    readonly subject: string
    readonly outcome: Finding
    readonly taskId: string
    readonly at: number
  }
  const { tasks, running } = overview.site.last
  const live = new Set(running.map(({ taskId }) => taskId))
  const byKey = new Map<string, Item>()
  for (const { subject, outcome, taskId, at } of db.all<Row>(SQL.findings)) {
    const event = db.get<{ id: string; message: string; taskName: string; executionId: string }>(
      SQL.lastEvent,
      taskId,
      outcome,
    )
    const taskName = tasks.get(taskId.toLowerCase())?.name ?? event?.taskName ?? taskId
    const due = Number(subject.split('|')[1] ?? Number.NaN)
    // The watchdog closes the finding at its next look.
    if (outcome === 'neverStarted' && (live.has(taskId.toLowerCase()) || ranSince(db, taskId, due))) continue
    const key = `${outcome}:${taskId.toLowerCase()}`
    const before = byKey.get(key)
    const since = Number.isNaN(due) ? at : due
    const item = itemOf({
      key,
      kind: outcome,
      severity: FINDING_SEVERITY[outcome],
      since: Math.min(since, before?.since ?? since),
      title: taskName,
      cause: event?.message ?? null,
      task: { taskId, taskName },
      eventId: event?.id ?? null,
      executionId: event?.executionId || null,
      count: (before?.count ?? 0) + 1,
      dueAt: Number.isNaN(due) ? null : due,
    })
    byKey.set(key, item)
  }
  return [...byKey.values()]
}

/** Tasks that run a minute longer than the 90th percentile; those with another item are left out. */
function overUsualItems({ overview }: TaskItemsDeps, known: ReadonlySet<string>): Item[] {
  return overview
    .overUsual(MINUTE_MS)
    .filter(({ taskId }) => !known.has(taskId))
    .map(({ taskId, taskName, executionId, since }) =>
      itemOf({
        key: `overUsual:${taskId}`,
        kind: 'overUsual',
        severity: 'info',
        since,
        title: taskName,
        task: { taskId, taskName },
        executionId,
      }),
    )
}

/** Tasks with a due time, by their custom property or a policy, that have not succeeded since their planned start. */
function overdueItems(
  { db, clock, overview, timezone }: TaskItemsDeps,
  tasks: ReadonlyMap<string, SiteTask>,
  triggers: Triggers,
): Item[] {
  const now = clock.now()
  const offsets = overview.site.offsets(timezone)
  const items: Item[] = []
  for (const task of tasks.values()) {
    const rules = overview.dueRulesOf(task)
    if (rules.length === 0) continue
    const planned = lastPlanned(overview.site, triggers, task.id, now)
    const due = planned === null ? null : dueAt(rules, planned, offsets)
    if (planned === null || due === null || due > now) continue
    const success = db.get<{ at: number | null }>(SQL.success, task.id)?.at ?? null
    if (success !== null && success >= planned) continue
    items.push(
      itemOf({
        key: `overdue:${task.id}`,
        kind: 'overdue',
        severity: 'warning',
        since: due,
        title: task.name,
        dueAt: due,
        task: { taskId: task.id, taskName: task.name },
      }),
    )
  }
  return items
}

const OPENERS: readonly AttentionKind[] = ['taskFailed', 'neverStarted']

/** An item whose task runs after the task of an older failure belongs to that. Circles keep their oldest item on top. */
function withParents(items: readonly Item[], triggers: Triggers): Item[] {
  const roots = items
    .filter(({ kind, task }) => OPENERS.includes(kind) && task !== null)
    .toSorted((a, b) => a.since - b.since || (a.key < b.key ? -1 : 1))
  const parentOf = new Map<string, string>()
  const tops = new Set<string>()
  for (const root of roots) {
    const rootTask = root.task!.taskId.toLowerCase()
    if (parentOf.has(rootTask)) continue
    tops.add(rootTask)
    for (const taskId of downstreamOf(triggers, rootTask)) {
      if (!parentOf.has(taskId) && !tops.has(taskId)) parentOf.set(taskId, root.key)
    }
  }
  return items.map((item) => {
    const parent = parentOf.get(item.task?.taskId.toLowerCase() ?? '')
    return parent === undefined ? item : { ...item, parent }
  })
}

/** The cause of a failed task: the error of its last execution, or else the text of its event. */
export function failureOf(db: Database, taskId: string): Pick<Item, 'cause' | 'eventId' | 'executionId'> {
  const last = db.get<{ executionId: string | null; error: string | null; outcome: string }>(SQL.lastBad, taskId)
  const ofExecution = db.get<{ id: string; message: string }>(SQL.eventOfExecution, last?.executionId ?? '')
  const event = ofExecution ?? db.get<{ id: string; message: string }>(SQL.lastEvent, taskId, last?.outcome ?? 'failed')
  return {
    cause: last?.error ?? event?.message ?? null,
    eventId: event?.id ?? null,
    executionId: last?.executionId ?? null,
  }
}

/** Tasks that failed since then and have succeeded after their last failure. */
export function recoveredItems({ db }: Pick<TaskItemsDeps, 'db'>, from: number): Item[] {
  interface Row {
    readonly taskId: string
    readonly taskName: string
    readonly count: number
    readonly since: number
    readonly last: number
  }
  return db.all<Row>(SQL.failedBefore, from).flatMap(({ taskId, taskName, count, since, last }) => {
    const recovered = recoveryOf(db, taskId, last)
    if (!recovered) return []
    const item = itemOf({
      key: `taskFailed:${taskId.toLowerCase()}`,
      kind: 'taskFailed',
      severity: 'error',
      since,
      title: taskName,
      task: { taskId, taskName },
      count,
      recovered,
    })
    return [item]
  })
}

function recoveryOf(db: Database, taskId: string, after: number): Recovery | null {
  const success = db.get<{ at: number; executionId: string | null; actor: string | null }>(SQL.recovery, taskId, after)
  if (!success) return null
  const isRetry = success.executionId !== null && db.get(SQL.retryOf, success.executionId) !== undefined
  if (isRetry || success.actor === 'retry') return { at: success.at, how: 'retry', by: null }
  return { at: success.at, how: success.actor === null ? 'itself' : 'start', by: success.actor }
}
