/**
 * One message per broken chain of tasks: the chains of the site, groups of failures that belong to a broken chain, and when
 * a task downstream usually starts.
 */

import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import { within } from '../../platform/deadline.ts'
import { errorText } from '../../platform/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import type { ChainLink, ChainReader, QrsClient, QrsNamed } from '../../qlik/qrs/types.ts'
import type { ChainTask, DeliveryNote } from '../types.ts'
import type { SuppressedBy } from './contract.ts'
import { isGood, isTaskType } from './subjects.ts'

/** Chains of tasks, as routing asks for them. */
export interface Chains {
  /** The tasks that run only after this one has succeeded, directly or through others; each once, never itself. */
  downstream(taskId: string): readonly { readonly id: string; readonly name: string }[]
  /** When the task usually starts if the root started then; ISO, null = not known. */
  usualStart(db: Database, root: { readonly id: string; readonly startedAt: number }, taskId: string): string | null
}

export type GroupState =
  | { readonly kind: 'grouped'; readonly detail: string; readonly root: NonNullable<SuppressedBy['group']> }
  /** The event opens a group as soon as an alert about it is to be sent. */
  | { readonly kind: 'root'; readonly downstream: readonly ChainTask[]; readonly note: DeliveryNote | null }

interface Group {
  readonly rootTaskId: string
  readonly rootEventId: string
  readonly rootName: string
  readonly downstream: string
}

const DAY_MS = 86_400_000
/** The runs that the estimate is made from, as for the watchdog. */
const RUNS = 30
const DAYS = 60
const OPENING: readonly EventOutcome[] = ['failed', 'aborted']

/** Null when the event neither belongs to a group nor opens one. */
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
    now,
    now,
    route,
    id,
    now,
    now,
    route,
    id,
  )
  const own = open.find(({ rootEventId }) => rootEventId === event.id)
  if (own) return rootState(storedJson<ChainTask[]>(own.downstream, []), event)
  const [group] = open
  if (group) {
    const why = group.rootTaskId === id ? 'an alert about it has been sent' : 'it runs after this task'
    const { rootEventId: eventId, rootTaskId: taskId, rootName: taskName } = group
    return {
      kind: 'grouped',
      detail: `chain of task "${taskName}" is broken; ${why}`,
      root: { eventId, taskId, taskName },
    }
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
  const started = Date.parse(execution ? runOf(execution).startTime : '')
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
  const groupId = uuidV7(now)
  db.run(
    `INSERT INTO alert_group (id, route, root_task_id, root_event_id, root_name, downstream, opened_at, ends_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    groupId,
    route,
    event.taskId.toLowerCase(),
    event.id,
    event.taskName,
    JSON.stringify(downstream),
    now,
    now + windowMs,
  )
  for (const { id } of downstream)
    db.run('INSERT OR IGNORE INTO alert_group_task VALUES (?, ?)', id.toLowerCase(), groupId)
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

/** The chains of the site as QRS had them last. They are read again every hour, and for a task that is not among them. */
interface ChainGraph {
  /** The tasks that run only after this one has succeeded, in the order of the chain; each once, never itself. */
  downstream(taskId: string): readonly QrsNamed[]
  /** Resolves when the chains of the task have been read, or cannot be read in time; never rejects. */
  ensure(taskId: string): Promise<void>
}

interface GraphSettings {
  /** Default an hour. */
  readonly refreshMs?: number
  /** A task without chains is not asked about more often than this; default a minute. */
  readonly missMs?: number
  /** An event waits no longer for an answer; default 5 s. */
  readonly patienceMs?: number
}

interface GraphDeps {
  readonly qrs: ChainReader
  readonly clock: Clock
  readonly log: Logger
}

export function createChainGraph(deps: GraphDeps, settings: GraphSettings = {}): ChainGraph {
  const { refreshMs = 3_600_000, missMs = 60_000, patienceMs = 5000 } = settings
  const { clock, log } = deps
  let after: ReadonlyMap<string, readonly QrsNamed[]> = new Map()
  let known: ReadonlySet<string> = new Set()
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | null = null
  let complained = false

  async function read(): Promise<void> {
    triedAt = clock.now()
    try {
      const links = await deps.qrs.chainLinks(AbortSignal.timeout(30_000))
      after = byTask(links)
      known = new Set(links.flatMap((link) => [link.after.id, link.task.id]))
      readAt = triedAt
      complained = false
    } catch (error) {
      const text = `NOTIFY The chains of tasks could not be read: ${errorText(error)}`
      if (complained) log.verbose(text)
      else log.warn(`${text}. Until they can be, alerts about broken chains do not list the tasks that will not run`)
      complained = true
    } finally {
      reading = null
    }
  }

  function isStale(taskId: string): boolean {
    const now = clock.now()
    // A clock that was put back makes everything stale.
    const age = (since: number) => (since > now ? Number.POSITIVE_INFINITY : now - since)
    if (age(triedAt) < missMs) return false
    return age(readAt) >= refreshMs || !known.has(taskId.toLowerCase())
  }

  return {
    downstream(taskId) {
      const found = new Map<string, QrsNamed>()
      const root = taskId.toLowerCase()
      const queue = [root]
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const task of after.get(next) ?? []) {
          if (task.id === root || found.has(task.id)) continue
          found.set(task.id, task)
          queue.push(task.id)
        }
      }
      return [...found.values()]
    },
    async ensure(taskId) {
      if (!reading && isStale(taskId)) reading = read()
      if (!reading) return
      await within(reading, patienceMs, () => undefined)
    },
  }
}

function byTask(links: readonly ChainLink[]): Map<string, QrsNamed[]> {
  const after = new Map<string, QrsNamed[]>()
  for (const link of links) {
    const followers = after.get(link.after.id)
    if (followers) followers.push(link.task)
    else after.set(link.after.id, [link.task])
  }
  return after
}

/** A repository client that reads the chains of a task together with the task. */
export function withChains(qrs: QrsClient, graph: Pick<ChainGraph, 'ensure'>): QrsClient {
  return {
    ...qrs,
    async taskById(taskId, signal) {
      const [task] = await Promise.all([qrs.taskById(taskId, signal), graph.ensure(taskId)])
      return task
    },
  }
}

/**
 * When a task downstream usually starts, ISO: the median distance of its starts from those of the root in the history of
 * executions. Null without such a history.
 */
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
