/** Messages that a subject is well again, to those who were told that it was not. */
import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
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

/** Somebody who was told and has not heard since that all is well. */
export interface Alerted {
  readonly destination: string
  readonly target: string
  readonly lane: string
  readonly orderKey: string | null
  /** What the last alert was about, for events that end only some. */
  readonly details: string | null
  readonly outcome: EventOutcome
}

/** Whom `route` has told about the subject of `event` since it told the last recovery. */
export function alertedOf(db: Database, route: string, event: TaskEvent): readonly Alerted[] {
  const outcomes = clearedOutcomes(event)
  if (outcomes.length === 0) return []
  const alerted = db.all<Alerted>(
    `SELECT destination, target, lane, order_key AS orderKey, details, outcome, max(alert.seq) AS seq
       FROM delivery AS alert JOIN event ON event.id = alert.event_id
     WHERE about = ? AND route = ? AND kind IN ('alert', 'fallback') AND alert.state IN ('pending', 'sending', 'delivered')
       AND outcome IN (${outcomes.map(() => '?').join(', ')}) AND alert.event_id <> ?
       AND alert.seq > coalesce((SELECT max(told.seq) FROM delivery AS told WHERE told.about = alert.about
         AND told.route = alert.route AND told.destination = alert.destination AND told.target = alert.target
         AND told.kind = 'recovery' AND told.state NOT IN ('suppressed', 'dead') AND told.event_id <> ?), 0)
     GROUP BY destination, target ORDER BY min(alert.seq)`,
    subjectOf(event),
    route,
    ...outcomes,
    event.id,
    event.id,
  )
  return alerted.filter((one) => ends(event, one))
}

/** A licence that is about to expire is well only when its end has moved; of everything else the outcome tells. */
function ends({ details }: TaskEvent, alerted: Alerted): boolean {
  if (details?.kind !== 'license' || alerted.outcome !== 'expiring' || alerted.details === null) return true
  const before = storedJson<{ readonly expiryDate?: string | null }>(alerted.details, {})
  return details.expiryDate !== (before.expiryDate ?? null)
}
