/** One message per broken chain: which failures belong to an open group, and what opens one. */
import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { ChainTask, DeliveryNote } from '../types.ts'
import { isGood, isTaskType } from './subjects.ts'

/** What is known about the chains of the site. */
export interface Chains {
  /** The tasks that run only after this one has succeeded, directly or through others; each once, never itself. */
  downstream(taskId: string): readonly { readonly id: string; readonly name: string }[]
  /** When the task usually starts if the root started then; ISO, null = not known. */
  usualStart(db: Database, root: { readonly id: string; readonly startedAt: number }, taskId: string): string | null
}

export type GroupState =
  | { readonly kind: 'grouped'; readonly detail: string }
  /** The event opens a group as soon as somebody is told. */
  | { readonly kind: 'root'; readonly downstream: readonly ChainTask[]; readonly note: DeliveryNote | null }

interface Group {
  readonly rootTaskId: string
  readonly rootEventId: string
  readonly rootName: string
  readonly downstream: string
}

const OPENING: readonly EventOutcome[] = ['failed', 'aborted']

/** Null when the event has nothing to do with groups. */
export function groupState(
  db: Database,
  chains: Chains,
  route: string,
  event: TaskEvent,
  now: number,
): GroupState | null {
  if (!isTaskType(event.type) || isGood(event.outcome)) return null
  const id = event.taskId.toLowerCase()
  const open = db.all<Group>(
    `SELECT root_task_id AS rootTaskId, root_event_id AS rootEventId, root_name AS rootName, downstream FROM alert_group
     WHERE ends_at > ? AND opened_at <= ? AND closed_at IS NULL AND route = ? AND root_task_id = ?
     UNION ALL
     SELECT root_task_id, root_event_id, root_name, downstream FROM alert_group_task AS member
       JOIN alert_group ON alert_group.id = group_id
     WHERE ends_at > ? AND opened_at <= ? AND closed_at IS NULL AND route = ? AND member.task_id = ? LIMIT 20`,
    ...[now, now, route, id],
    ...[now, now, route, id],
  )
  const own = open.find(({ rootEventId }) => rootEventId === event.id)
  if (own) return rootState(storedJson<ChainTask[]>(own.downstream, []), event)
  const [group] = open
  if (group) {
    const what = group.rootTaskId === id ? 'it has been told' : 'it runs after this task'
    return { kind: 'grouped', detail: `chain of task "${group.rootName}" is broken; ${what}` }
  }
  if (!OPENING.includes(event.outcome)) return null
  const root = { id: event.taskId, startedAt: startOf(event) }
  const downstream = chains
    .downstream(event.taskId)
    .map((task) => ({ ...task, usualStart: chains.usualStart(db, root, task.id) }))
  return rootState(downstream, event)
}

function rootState(downstream: readonly ChainTask[], { taskId, taskName }: TaskEvent): GroupState {
  const note = downstream.length > 0 ? { chain: { root: { id: taskId, name: taskName }, downstream } } : null
  return { kind: 'root', downstream, note }
}

function startOf({ execution, receivedAt }: TaskEvent): number {
  const started = Date.parse(execution?.startTime ?? '')
  return Number.isNaN(started) ? receivedAt : started
}

export function openGroup(
  db: Database,
  route: string,
  event: TaskEvent,
  downstream: readonly ChainTask[],
  times: { readonly now: number; readonly windowMs: number },
): void {
  const { now, windowMs } = times
  const ownKey = [event.taskId.toLowerCase(), event.id, route]
  if (
    db.get(
      'SELECT 1 FROM alert_group WHERE closed_at IS NULL AND root_task_id = ? AND root_event_id = ? AND route = ?',
      ...ownKey,
    )
  )
    return
  const { lastId } = db.run(
    `INSERT INTO alert_group (route, root_task_id, root_event_id, root_name, downstream, opened_at, ends_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[route, event.taskId.toLowerCase(), event.id, event.taskName, JSON.stringify(downstream)],
    ...[now, now + windowMs],
  )
  for (const { id } of downstream)
    db.run('INSERT OR IGNORE INTO alert_group_task VALUES (?, ?)', id.toLowerCase(), lastId)
}

/** The root of these groups has succeeded. */
export function closeGroups(db: Database, taskId: string, now: number): void {
  db.run(
    'UPDATE alert_group SET closed_at = ? WHERE root_task_id = ? AND closed_at IS NULL AND ends_at > ?',
    now,
    taskId.toLowerCase(),
    now,
  )
}

/** Groups that ended before `before`. */
export function purgeGroups(db: Database, before: number): number {
  return db.run('DELETE FROM alert_group WHERE ends_at < ?', before).changes
}
