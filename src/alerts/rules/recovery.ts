/** Recoveries: which events end an alert, what has to confirm them, and the destinations that got the alert. */
import { outcomeOfStatus } from '../../events/task-type.ts'
import type { EventOutcome, Need, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import { isTaskType, subjectOf } from './subjects.ts'

/** The outcomes that this event puts an end to; none for bad news. */
export function clearedOutcomes(event: Pick<TaskEvent, 'type' | 'outcome' | 'details'>): readonly EventOutcome[] {
  const { type, outcome, details } = event
  if (isTaskType(type)) return OF_TASKS[outcome] ?? []
  if (type === 'license' && details?.kind === 'license') return details.expired ? [] : OF_OTHERS.license!.status!
  return OF_OTHERS[type]?.[outcome] ?? []
}

type Cleared = Readonly<Partial<Record<EventOutcome, readonly EventOutcome[]>>>

const OF_TASKS: Cleared = {
  success: ['failed', 'aborted', 'late', 'stuck', 'neverStarted'],
  // A late task that has started after all.
  started: ['late', 'neverStarted'],
}

const OF_OTHERS: Readonly<Partial<Record<TaskEvent['type'], Cleared>>> = {
  cloudReload: { success: ['failed'] },
  service: { started: ['stopped', 'unreachable'] },
  license: { status: ['expiring', 'expired'] },
  self: { cleared: ['raised'] },
}

/** A receiver of an alert that has got no recovery since. */
export interface Alerted {
  readonly destination: string
  readonly target: string
  readonly lane: string
  readonly orderKey: string | null
  /** Details of the event of the last alert, for events that end only some. */
  readonly details: string | null
  readonly outcome: EventOutcome
  /** When the event of the last alert was received, milliseconds since 1970. */
  readonly at: number
}

/** The receivers of alerts of rule `route` about the subject of `event`, since its last recovery. */
export function alertedOf(db: Database, route: string, event: TaskEvent): readonly Alerted[] {
  const outcomes = clearedOutcomes(event)
  if (outcomes.length === 0) return []
  const alerted = db.all<Alerted>(
    `SELECT destination, target, lane, order_key AS orderKey, details, outcome, received_at AS at,
       max(alert.seq) AS seq
       FROM delivery AS alert JOIN event ON event.id = alert.event_id
     WHERE about = ? AND route = ? AND kind IN ('alert', 'fallback') AND alert.state IN ('pending', 'sending', 'delivered')
       AND outcome IN (${outcomes.map(() => '?').join(', ')}) AND alert.event_id <> ?
       AND alert.seq > coalesce((SELECT max(recovery.seq) FROM delivery AS recovery WHERE recovery.about = alert.about
         AND recovery.route = alert.route AND recovery.destination = alert.destination AND recovery.target = alert.target
         AND recovery.kind = 'recovery' AND recovery.state NOT IN ('suppressed', 'dead') AND recovery.event_id <> ?), 0)
     GROUP BY destination, target ORDER BY min(alert.seq)`,
    subjectOf(event),
    route,
    ...outcomes,
    event.id,
    event.id,
  )
  return alerted.filter((one) => ends(event, one))
}

/** A licence that is about to expire has recovered only when its end has moved; a task, only by an end after the alert. */
function ends(event: TaskEvent, alerted: Alerted): boolean {
  const { details } = event
  if (isTaskSuccess(event)) return alerted.at <= endOf(event) + CLOCK_DIFFERENCE_MS
  if (details?.kind !== 'license' || alerted.outcome !== 'expiring' || alerted.details === null) return true
  const before = storedJson<{ readonly expiryDate?: string | null }>(alerted.details, {})
  return details.expiryDate !== (before.expiryDate ?? null)
}

// Successes of tasks. Any program that reaches the UDP port can claim one, so Qlik Sense has to confirm it.

/** By how much the clocks of Qlik Sense and of this computer may differ; Kerberos allows as much. */
const CLOCK_DIFFERENCE_MS = 5 * 60_000

/**
 * True when recoveries may follow from the event. The success that a datagram claims counts when the result of its
 * execution in Qlik Sense (`event.execution`) says so. A success does not count when the task has failed since.
 */
export function isConfirmed(event: TaskEvent): boolean {
  if (!isTaskSuccess(event)) return true
  const { source, taskId, execution, task } = event
  if (source === 'udp') {
    if (!execution || outcomeOfStatus(execution.status) !== 'success') return false
    if (execution.taskID && execution.taskID.toLowerCase() !== taskId.toLowerCase()) return false
  }
  const last = task?.operational?.lastExecutionResult
  const lastOutcome = last ? outcomeOfStatus(last.status) : null
  return lastOutcome === null || lastOutcome === 'success' || Date.parse(last!.stopTime) <= endOf(event)
}

/** The execution of a success is needed while an alert or a group of alerts about its task is open. */
export function confirmationNeeds(db: Database, taskId: string, outcome: EventOutcome, now: number): readonly Need[] {
  return outcome === 'success' && hasOpenAlert(db, taskId, now) ? ['execution'] : []
}

function hasOpenAlert(db: Database, taskId: string, now: number): boolean {
  const id = taskId.toLowerCase()
  const open = db.get(
    `SELECT 1 FROM delivery AS alert WHERE about = ? AND kind IN ('alert', 'fallback')
       AND state IN ('pending', 'sending', 'delivered')
       AND NOT EXISTS (SELECT 1 FROM delivery AS later WHERE later.about = alert.about AND later.route = alert.route
         AND later.destination = alert.destination AND later.target = alert.target AND later.kind = 'recovery'
         AND later.state NOT IN ('suppressed', 'dead') AND later.seq > alert.seq)
     UNION ALL
     SELECT 1 FROM alert_group WHERE root_task_id = ? AND closed_at IS NULL AND ends_at > ? LIMIT 1`,
    `task:${id}`,
    id,
    now,
  )
  return open !== undefined
}

function isTaskSuccess({ type, outcome }: TaskEvent): boolean {
  return outcome === 'success' && isTaskType(type)
}

/** When the execution ended, milliseconds since 1970. */
function endOf({ execution, receivedAt }: TaskEvent): number {
  const stopped = Date.parse(execution?.stopTime ?? '')
  return Number.isNaN(stopped) ? receivedAt : stopped
}
