/**
 * The start queue: tasks wait here until the limits allow their start. First in, first out; an entry that its own
 * request holds back does not hold up the others. All entries are on disk.
 */

import { backoffDelay } from '../../platform/backoff.ts'
import { within } from '../../platform/deadline.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { QueuedStart, RunningStarts, StartRecord, StartRecords } from '../executions/types.ts'
import type { StartQueueConfig } from './config.ts'
import { begunSince, lastResultId, startOne } from './start-all.ts'
import { type QueuedTask, QueueFullError, type TaskResult } from './types.ts'

export interface QueueEntry {
  /** UUID version 7. */
  readonly id: string
  /** Id of the start request. */
  readonly request: string
  /** Most tasks of the request that may run at a time; null = no limit of its own. */
  readonly requestLimit: number | null
  readonly taskId: string
  readonly taskName: string
  readonly actor: string
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  /** Set before QRS is asked to start it; still set while it is unknown whether it was started. */
  readonly startingAt: number | null
  /** Id of the task's last result just before; another one shows that the task was started. */
  readonly resultBefore: string | null
}

export interface StartQueueDeps extends Pick<TurnDeps, 'qrs' | 'store'> {
  readonly records: StartRecords
  readonly running: RunningStarts
  readonly log: Logger
  readonly clock: Clock
  /** Called for entries that waited too long. */
  readonly onDropped?: (entry: QueueEntry, reason: string) => void
}

interface StartQueueSettings extends StartQueueConfig {
  /** How often it is looked whether something may start, beside the events that say so; default 5,000. */
  readonly tickMs?: number
  /** First pause while QRS is down, doubled up to 30 s; default 1,000. */
  readonly retryFirstMs?: number
}

interface QueueRequest {
  readonly id: string
  readonly actor: string
  /** Most tasks of the request that may run at a time; null = no limit of its own. */
  readonly limit: number | null
}

export interface StartQueue extends Service {
  readonly maxConcurrent: number
  /** Throws a `QueueFullError` when these tasks would not fit. */
  checkRoom(tasks: readonly QrsTask[]): void
  /** One element a task: the result when it had its turn, else its place in the queue. Waiting tasks are on disk. */
  submit(tasks: readonly QrsTask[], request: QueueRequest): Promise<readonly (TaskResult | QueuedTask)[]>
  /** The waiting entries, in the order of the queue. */
  list(): readonly QueueEntry[]
  find(queueId: string): QueuedStart | null
  /** False when there is no such entry, or its task is just being started. */
  remove(queueId: string): Promise<boolean>
}

const CAPACITY = 10_000
/** Starts under way at the same time. */
const PARALLEL = 4
const TICK_MS = 5000
const RETRY_MAX_MS = 30_000
/** States that are younger are not read again before a task is held back. */
const FRESH_MS = 1000

export function createStartQueue(deps: StartQueueDeps, settings: StartQueueSettings): StartQueue {
  const { store, records, running, clock } = deps
  const { maxConcurrent, maxAge, tickMs = TICK_MS, retryFirstMs = 1000 } = settings
  const log = deps.log.child('start-queue')
  const line = createQueueLine()
  const turns = new Set<Promise<void>>()
  let pumping: Promise<void> | null = null
  let again = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let active = false

  for (const entry of store.load()) line.add(entry)
  running.onClosed(() => {
    if (line.size > 0) void pump()
  })

  const pace = createPace(clock, retryFirstMs)
  const expired = (entry: QueueEntry) => whyExpired(entry, clock.now(), maxAge)
  const parts: Parts = { ...deps, log, line, now: clock.now, expired }

  /** Starts what may start; resolves when nothing more may. */
  function pump(): Promise<void> {
    again = true
    pumping ??= pumpAll()
      .catch((error: unknown) => log.error(`STARTQUEUE: ${reasonOf(error)}`))
      .finally(() => {
        pumping = null
        schedule()
      })
    return pumping
  }

  async function pumpAll(): Promise<void> {
    while (again && active && pace.pauseMs <= 0) {
      again = false
      await dropExpired()
      if (!startNext() && line.size > 0) await refreshRunning()
      while (startNext() || turns.size > 0) await Promise.race(turns)
    }
  }

  /** Begins as many starts as may be under way; false when there was none to begin. */
  function startNext(): boolean {
    let begun = false
    while (active && turns.size < PARALLEL && pace.pauseMs <= 0) {
      const next = line.next(records.open(), maxConcurrent)
      if (!next) break
      begin(next)
      begun = true
    }
    return begun
  }

  function begin(one: Waiting): void {
    line.hold(one)
    const turn = takeTurn(parts, one.entry)
      .then(async ({ entry, result }) => {
        one.entry = entry
        if ('later' in result) putBack(one, result.later)
        else await settle(one, result)
      })
      .catch((error: unknown) => putBack(one, reasonOf(error)))
      .finally(() => turns.delete(turn))
    turns.add(turn)
  }

  async function settle(one: Waiting, result: TaskResult): Promise<void> {
    await takeOut(parts, one, result)
    pace.succeeded()
  }

  /** It is unknown whether the task was started: the next turn checks that before it starts anything. */
  function putBack(one: Waiting, reason: string): void {
    line.release(one)
    const pause = pace.failed()
    log.warn(`STARTQUEUE: ${line.size} task(s) wait for QRS (${reason}); next attempt in ${Math.round(pause)} ms`)
  }

  function refreshRunning(): Promise<void> {
    return running
      .refresh(FRESH_MS)
      .catch((error: unknown) =>
        log.verbose(`STARTQUEUE: It could not be asked which tasks still run: ${reasonOf(error)}`),
      )
  }

  /** Marked entries have their turn first: they may have been started. */
  async function dropExpired(): Promise<void> {
    for (const one of line.all()) {
      const reason = line.isHeld(one) || one.entry.startingAt !== null ? null : expired(one.entry)
      if (reason === null) continue
      line.hold(one)
      await settle(one, { error: reason })
    }
  }

  function schedule(): void {
    clearTimeout(timer)
    if (!active || line.size === 0) return
    running.follow()
    const { pauseMs } = pace
    timer = setTimeout(() => void pump(), pauseMs > 0 ? pauseMs : tickMs)
  }

  function checkRoom(tasks: readonly QrsTask[]): void {
    const wanted = tasks.filter(({ id }) => !line.byTask(id)).length
    if (line.size + wanted > CAPACITY) throw new QueueFullError(line.size, CAPACITY)
  }

  return {
    name: 'start queue',
    maxConcurrent,
    checkRoom,
    async submit(tasks, request) {
      checkRoom(tasks)
      const adding = putIn(parts, tasks, request)
      const places = tasks.map(({ id }) => line.byTask(id))
      await adding
      await pump()
      return places.flatMap((place) => {
        if (!place) return []
        const { result, entry, settled } = place
        return result ?? { taskId: entry.taskId, taskName: entry.taskName, queueId: entry.id, settled }
      })
    },
    list: () => line.all().map(({ entry }) => entry),
    find(queueId) {
      const one = line.byId(queueId)
      return one ? { ...one.entry, settled: one.settled } : null
    },
    async remove(queueId) {
      const one = line.byId(queueId)
      if (!one || line.isHeld(one) || one.entry.startingAt !== null) return false
      line.hold(one)
      await settle(one, { error: 'It was removed from the start queue' })
      return true
    },
    async start() {
      active = true
      if (line.size > 0) log.info(`STARTQUEUE: Taking up ${line.size} task(s) of the last run`)
      void pump()
    },
    async stop(graceMs) {
      active = false
      clearTimeout(timer)
      await within(Promise.all(turns), graceMs, () => undefined)
    },
  }
}

/** Why the entry must not be started any more; null while it may. */
export function whyExpired({ queuedAt }: Pick<QueueEntry, 'queuedAt'>, now: number, maxAge: number): string | null {
  if (now - queuedAt <= maxAge) return null
  return `It waited in the start queue for longer than ${Math.round(maxAge / 1000)} s`
}

interface TurnDeps {
  readonly qrs: QrsClient & Pick<ExecutionReader, 'resultsById'>
  readonly store: QueueStore
  readonly now: () => number
  readonly expired: (entry: QueueEntry) => string | null
}

interface Parts extends TurnDeps, Pick<StartQueueDeps, 'records' | 'log' | 'onDropped'> {
  readonly line: QueueLine
}

/** Pauses while QRS is down, longer each time. */
function createPace(clock: Clock, firstMs: number) {
  let failures = 0
  let pausedUntil = 0
  return {
    /** Above 0 while nothing may be started. */
    get pauseMs() {
      return pausedUntil - clock.now()
    },
    /** The pause that begins. */
    failed(): number {
      failures += 1
      const pause = backoffDelay(failures, { firstMs, maxMs: RETRY_MAX_MS })
      pausedUntil = clock.now() + pause
      return pause
    },
    succeeded(): void {
      failures = 0
    },
  }
}

/** Known before they are on disk, so that no other request adds them too; busy until they are. */
async function putIn(
  { line, store, now }: Parts,
  tasks: readonly QrsTask[],
  { id, actor, limit }: QueueRequest,
): Promise<void> {
  const queuedAt = now()
  const rest = { request: id, requestLimit: limit, actor, queuedAt, startingAt: null, resultBefore: null }
  const fresh = tasks
    .filter((task) => !line.byTask(task.id))
    .map((task) => line.add({ id: uuidV7(queuedAt), taskId: task.id, taskName: task.name, ...rest }))
  for (const one of fresh) line.hold(one)
  try {
    await store.add(fresh.map(({ entry }) => entry))
    for (const one of fresh) line.release(one)
  } catch (error) {
    for (const one of fresh) {
      line.remove(one)
      one.resolve({ error: reasonOf(error) })
    }
    throw error
  }
}

/** The entry leaves the queue with its result. Rejects when that cannot be stored: then it stays. */
async function takeOut(parts: Parts, one: Waiting, result: TaskResult): Promise<void> {
  const { line, store, records, log } = parts
  const { id, request, taskId, taskName, actor } = one.entry
  const now = parts.now()
  const error = 'error' in result ? result.error : null
  const executionId = 'error' in result ? null : result.executionId
  const finalAt = error === null ? null : now
  const record: StartRecord = { id, request, taskId, taskName, actor, executionId, startedAt: now, finalAt, error }
  try {
    await store.remove(id, (db) => records.insert(db, record))
  } catch (failure) {
    line.release(one)
    throw failure
  }
  records.noted(record)
  line.remove(one)
  one.result = result
  one.resolve(result)
  if (error === null) log.info(`STARTQUEUE: Started task ID ${taskId} "${taskName}" for ${actor}`)
  else log.error(`STARTQUEUE: Sense task ${taskId} "${taskName}" was not started: ${error}`)
  if (error !== null && error === parts.expired(one.entry)) parts.onDropped?.(one.entry, error)
}

interface Turn {
  /** The entry that is on disk now. */
  readonly entry: QueueEntry
  /** The result, or why the entry has to stay in the queue for another turn. */
  readonly result: TaskResult | { readonly later: string }
}

/**
 * Starts the task of the entry. Before QRS is asked, the entry is marked on disk; an entry that is marked already
 * is compared with the last result of its task first, so that a crash in between starts nothing twice. Never rejects.
 */
async function takeTurn(deps: TurnDeps, entry: QueueEntry): Promise<Turn> {
  const { qrs, store } = deps
  let marked = entry
  try {
    // Much may have happened to the task since it was queued.
    const task = await qrs.taskById(entry.taskId)
    if (!task) return { entry, result: { error: 'The task does not exist any more' } }
    const begun = entry.startingAt === null ? null : await begunSince(qrs, task, entry.resultBefore ?? '')
    if (begun) return { entry, result: begun }
    const reason = deps.expired(entry)
    if (reason !== null) return { entry, result: { error: reason } }
    marked = { ...entry, startingAt: deps.now(), resultBefore: lastResultId(task) }
    await store.markStarting(marked)
    const { cause, ...result } = await startOne(qrs, task)
    return { entry: marked, result: 'error' in result && isDown(cause) ? { later: result.error } : result }
  } catch (error) {
    const reason = reasonOf(error)
    return { entry: marked, result: isDown(error) ? { later: reason } : { error: reason } }
  }
}

/** An entry in memory. */
interface Waiting {
  entry: QueueEntry
  result: TaskResult | null
  readonly settled: Promise<TaskResult>
  readonly resolve: (result: TaskResult) => void
}

interface QueueLine {
  readonly size: number
  add(entry: QueueEntry): Waiting
  remove(one: Waiting): void
  /** Its task is just being started, or it is just being added or removed: it may not be taken meanwhile. */
  hold(one: Waiting): void
  release(one: Waiting): void
  isHeld(one: Waiting): boolean
  byId(id: string): Waiting | undefined
  byTask(taskId: string): Waiting | undefined
  all(): readonly Waiting[]
  /** The first that the limits let go; `open` = tasks that were started and still run. */
  next(open: readonly { readonly request: string }[], maxConcurrent: number): Waiting | undefined
}

/** Which entries wait, in order, and which of them may go next. */
function createQueueLine(): QueueLine {
  const waiting = new Map<string, Waiting>()
  const byTask = new Map<string, Waiting>()
  const held = new Set<Waiting>()

  return {
    get size() {
      return waiting.size
    },
    add(entry) {
      const { promise: settled, resolve } = Promise.withResolvers<TaskResult>()
      const one: Waiting = { entry, result: null, settled, resolve }
      waiting.set(entry.id, one)
      byTask.set(entry.taskId.toLowerCase(), one)
      return one
    },
    remove(one) {
      waiting.delete(one.entry.id)
      byTask.delete(one.entry.taskId.toLowerCase())
      held.delete(one)
    },
    hold: (one) => void held.add(one),
    release: (one) => void held.delete(one),
    isHeld: (one) => held.has(one),
    byId: (id) => waiting.get(id.toLowerCase()),
    byTask: (taskId) => byTask.get(taskId.toLowerCase()),
    all: () => [...waiting.values()],
    next: (open, maxConcurrent) => firstAllowed(waiting.values(), held, open, maxConcurrent),
  }
}

/** The first that the limits let go. `held`: those that count as started; `open`: tasks that were started and still run. */
export function firstAllowed<One extends { readonly entry: Pick<QueueEntry, 'request' | 'requestLimit'> }>(
  waiting: Iterable<One>,
  held: ReadonlySet<One>,
  open: readonly { readonly request: string }[],
  maxConcurrent: number,
): One | undefined {
  if (maxConcurrent > 0 && open.length + held.size >= maxConcurrent) return undefined
  const running = new Map<string, number>()
  const count = ({ request }: { readonly request: string }) => running.set(request, (running.get(request) ?? 0) + 1)
  for (const one of open) count(one)
  for (const one of held) count(one.entry)
  for (const one of waiting) {
    const { request, requestLimit } = one.entry
    if (!held.has(one) && (requestLimit === null || (running.get(request) ?? 0) < requestLimit)) return one
  }
  return undefined
}

// The queue on disk.

export const queueMigrations: Migration[] = [
  {
    name: 'start-task-002',
    sql: `
      CREATE TABLE start_queue (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        request TEXT NOT NULL,
        request_limit INTEGER,
        task_id TEXT NOT NULL UNIQUE,
        task_name TEXT NOT NULL,
        actor TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        starting_at INTEGER,
        result_before TEXT
      );`,
  },
]

/** Every promise resolves when the change is on disk. */
interface QueueStore {
  /** First in, first out. */
  load(): QueueEntry[]
  add(entries: readonly QueueEntry[]): Promise<void>
  markStarting(entry: Pick<QueueEntry, 'id' | 'startingAt' | 'resultBefore'>): Promise<void>
  /** Removes the entry together with what `also` writes. */
  remove(id: string, also: (db: Database) => void): Promise<void>
}

export function createQueueStore({ db, writer }: { db: Database; writer: GroupWriter }): QueueStore {
  return {
    load: () =>
      db.all<QueueEntry>(
        `SELECT id, request, request_limit AS requestLimit, task_id AS taskId, task_name AS taskName, actor,
           queued_at AS queuedAt, starting_at AS startingAt, result_before AS resultBefore
         FROM start_queue ORDER BY seq`,
      ),
    add: (entries) =>
      writer.write((one) => {
        for (const { id, request, requestLimit, taskId, taskName, actor, queuedAt } of entries) {
          one.run(
            `INSERT INTO start_queue (id, request, request_limit, task_id, task_name, actor, queued_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            id,
            request,
            requestLimit,
            taskId,
            taskName,
            actor,
            queuedAt,
          )
        }
      }),
    async markStarting({ id, startingAt, resultBefore }) {
      await writer.write((one) =>
        one.run('UPDATE start_queue SET starting_at = ?, result_before = ? WHERE id = ?', startingAt, resultBefore, id),
      )
    },
    remove: (id, also) =>
      writer.write((one) => {
        one.run('DELETE FROM start_queue WHERE id = ?', id)
        also(one)
      }),
  }
}
