/**
 * Triggers by events of Qlik Sense. Ended executions come from two sources: messages of the schedulers, which only say
 * which execution to ask about, and a poll that repairs lost ones. Both read the end of the execution from QRS, so a forged
 * message starts nothing, and both have the execution id as key, so an event fires once.
 */
import type { TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { definiteAnswer, isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import { customProperty, eq, guid, or } from '../../qlik/qrs/filter.ts'
import type { ExecutionReader, QrsClient } from '../../qlik/qrs/types.ts'
import type { EndedOnSite, EndedReader } from '../../tasks/executions/types.ts'
import type { ArmedTriggers } from './armed.ts'
import { createJoin } from './joins.ts'
import {
  type ArmedQlikEvent,
  afterAnswer,
  CLOCK_DIFFERENCE_MS,
  type Concerned,
  concernedByEnd,
  LOOK_BACK_MS,
  type Message,
  matchesLabels,
  mayConcern,
  newReload,
  type Pauses,
} from './qlik-rules.ts'
import type { TriggerKind } from './schedules.ts'

/** Questions to QRS; all reject with a `QrsError`. */
export interface QlikSource {
  readonly ended: EndedReader
  readonly qrs: Pick<QrsClient, 'tasks' | 'existingTasks' | 'appById'> & Pick<ExecutionReader, 'taskKeys'>
}

interface QlikEventDeps extends QlikSource {
  readonly db: Database
  readonly writer: GroupWriter
  readonly armed: ArmedTriggers
  readonly clock: Clock
  readonly log: Logger
}

export interface QlikEventSettings {
  /** 0 = only messages. */
  readonly pollMs: number
  /** From the start to the first poll; default 5 s. */
  readonly firstPollMs?: number
  /** Pauses before the second and third question about an execution that QRS does not know as ended; default 5 s, 30 s. */
  readonly retryMs?: readonly number[]
  /** Pause while QRS cannot be reached; default 30 s. */
  readonly downMs?: number
}

interface QlikEventTriggers extends TriggerKind {
  /** To be called with each event that arrives, in the transaction that stores it. Does not throw. */
  event(event: TaskEvent): void
}

const SQL = {
  addEvent: `INSERT INTO report_trigger_event (execution_id, at, next_at) VALUES (?, ?, ?) ON CONFLICT (execution_id)
    DO UPDATE SET attempts = 0, next_at = excluded.next_at`,
  countEvents: 'SELECT count(*) AS n FROM report_trigger_event',
  dueEvents: `SELECT execution_id AS executionId, attempts FROM report_trigger_event WHERE next_at <= ?
    ORDER BY next_at, at LIMIT ?`,
  nextEvent: 'SELECT min(next_at) AS at FROM report_trigger_event',
  laterEvent: 'UPDATE report_trigger_event SET attempts = ?, next_at = ? WHERE execution_id = ?',
  removeEvent: 'DELETE FROM report_trigger_event WHERE execution_id = ?',
  removeOld: 'DELETE FROM report_trigger_event WHERE at < ?',
  reloadedAt: 'SELECT reloaded_at AS at FROM report_trigger_app WHERE app_id = ?',
  setReloadedAt: 'INSERT OR REPLACE INTO report_trigger_app VALUES (?, ?)',
} as const

const POLLED = 'qlik.polled'
const FIRST_POLL_MS = 5000
const RETRY_MS = [5000, 30_000]
const QRS_DOWN_MS = 30_000
/** Messages without execution id bring the poll forward, but not more often than this. */
const EARLY_POLL_MS = 5000
const BATCH = 30
/** Beyond so many, messages are left to the poll. */
const MOST_WAITING = 10_000
const CONDITIONS_PER_REQUEST = 20

export function createQlikEventTriggers(deps: QlikEventDeps, settings: QlikEventSettings): QlikEventTriggers {
  const { pollMs, retryMs = RETRY_MS, downMs = QRS_DOWN_MS, firstPollMs = Math.min(FIRST_POLL_MS, pollMs) } = settings
  const stopping = new AbortController()
  const complaints = createComplaints(deps.log)
  const parts: Parts = { ...deps, complaints, signal: stopping.signal }
  const fire = createFire(parts)
  let serial: Promise<unknown> = Promise.resolve()

  /** One after the other, because joins read what the execution before has written. */
  function consider(ended: EndedOnSite): Promise<void> {
    const mine = serial.then(async () => {
      for (const one of concernedByEnd(ofTasks(deps.armed), ended)) await fire(one)
    })
    serial = mine.catch(() => undefined)
    return mine
  }

  const messages = createMessages(parts, { retryMs, downMs }, consider)
  const poll = createPoll(parts, { pollMs, firstPollMs }, { consider, fire })

  return {
    event(message) {
      if (!mayConcern(ofTasks(deps.armed), message)) return
      if (isGuid(message.executionId)) messages.add(message)
      else setImmediate(poll.soon)
    },
    update() {
      if (pollMs === 0) complaints.aboutUnpolled(ofApps(deps.armed))
    },
    start() {
      poll.start()
      messages.start()
    },
    async stop() {
      stopping.abort(new Error('Footman stops'))
      await Promise.all([poll.stop(), messages.stop()])
    },
  }
}

interface Parts extends QlikEventDeps {
  readonly complaints: Complaints
  /** Aborts when Footman stops. */
  readonly signal: AbortSignal
}

const ofTasks = (armed: ArmedTriggers) => armed.of('qlikEvent').filter(({ trigger }) => trigger.event !== 'appReloaded')
const ofApps = (armed: ArmedTriggers) => armed.of('qlikEvent').filter(({ trigger }) => trigger.event === 'appReloaded')

/** Carries out a firing: at once, or when all members of a trigger with `mode: all` have had their event. */
type Fire = (concerned: Concerned) => Promise<void>
type Consider = (ended: EndedOnSite) => Promise<void>

function createFire(parts: Parts): Fire {
  const { armed, qrs, complaints, signal } = parts
  const join = createJoin(parts)

  /** The tasks that the trigger means now, by id in lower case; those that were deleted would hold it up for ever. */
  async function tasksOf(one: ArmedQlikEvent): Promise<ReadonlySet<string>> {
    const { match } = one.trigger
    const found = new Set(await qrs.existingTasks(match.taskId, signal))
    complaints.aboutMissing(one, 'task', match.taskId, found)
    const filters = [
      ...match.tag.map((tag) => eq('tags.name', tag)),
      ...match.customProperty.map(({ name, value }) => customProperty(name, value)),
    ]
    for (const filter of batched(filters)) {
      for (const task of await qrs.tasks(filter, signal))
        if (matchesLabels(match, task)) found.add(task.id.toLowerCase())
    }
    for (const filter of batched(match.appId.map((id) => guid('app.id', id)))) {
      for (const { id } of await qrs.taskKeys(filter, true, signal)) found.add(id.toLowerCase())
    }
    return found
  }

  async function appsOf(one: ArmedQlikEvent): Promise<ReadonlySet<string>> {
    const { appId } = one.trigger.match
    const found = new Set<string>()
    for (const id of appId) if (await qrs.appById(id, signal)) found.add(id)
    complaints.aboutMissing(one, 'app', appId, found)
    return found
  }

  return async ({ one, id, key, at, detail }) => {
    const { mode, event } = one.trigger
    if (mode === 'any') await armed.fire(one, { key, at, detail })
    else await join(one, { id, key, at }, () => (event === 'appReloaded' ? appsOf(one) : tasksOf(one)))
  }
}

const batched = (filters: readonly string[]): string[] =>
  Array.from({ length: Math.ceil(filters.length / CONDITIONS_PER_REQUEST) }, (_, index) =>
    or(...filters.slice(index * CONDITIONS_PER_REQUEST, (index + 1) * CONDITIONS_PER_REQUEST)),
  )

/** Messages about ends wait in a table until QRS has answered. */
function createMessages(parts: Parts, pauses: Pauses, consider: Consider) {
  const { db, writer, ended, clock, log, complaints, signal } = parts
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: Promise<void> | null = null
  let active = false

  function wake(): void {
    if (!active || asking) return
    const next = db.get<{ at: number | null }>(SQL.nextEvent)?.at ?? null
    if (next !== null) wait(Math.min(Math.max(0, next - clock.now()), pauses.downMs))
  }

  function wait(ms: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      asking = ask().finally(() => {
        asking = null
      })
    }, ms)
    timer.unref()
  }

  async function ask(): Promise<void> {
    try {
      await askBatch()
      setImmediate(wake)
    } catch (error) {
      if (signal.aborted) return
      log.error(`REPORTTASK: events of Qlik Sense could not be handled: ${String(error)}`)
      wait(pauses.downMs)
    }
  }

  async function askBatch(): Promise<void> {
    const now = clock.now()
    const due = db.all<Message>(SQL.dueEvents, now, BATCH)
    if (due.length === 0) return
    const settled = new Set<string>()
    let isUnreachable = false
    try {
      const ids = due.map(({ executionId }) => executionId)
      for (const one of await ended.ofExecutions(ids, signal)) {
        await consider(one)
        if (one.execution.executionId !== null) settled.add(one.execution.executionId)
      }
      complaints.answered()
    } catch (error) {
      if (signal.aborted) return
      isUnreachable = isDown(error)
      complaints.aboutOutage(error)
    }
    await writer.write((tx) => {
      for (const { executionId, attempts, nextAt } of afterAnswer(due, { settled, isUnreachable }, now, pauses)) {
        if (nextAt === null) tx.run(SQL.removeEvent, executionId)
        else tx.run(SQL.laterEvent, attempts, nextAt, executionId)
      }
      tx.run(SQL.removeOld, now - LOOK_BACK_MS)
    })
  }

  return {
    /** Does not throw. */
    add({ taskId, executionId, receivedAt }: TaskEvent): void {
      try {
        if ((db.get<{ n: number }>(SQL.countEvents)?.n ?? 0) >= MOST_WAITING) return
        db.run(SQL.addEvent, executionId.toLowerCase(), receivedAt, clock.now())
      } catch (error) {
        log.error(`REPORTTASK: an event of task ${taskId} is left to the next poll: ${String(error)}`)
        return
      }
      setImmediate(wake)
    },
    start() {
      active = true
      wake()
    },
    async stop(): Promise<void> {
      active = false
      clearTimeout(timer)
      await asking
    },
  }
}

interface PollSettings {
  readonly pollMs: number
  readonly firstPollMs: number
}

/** Finds the ends that no message has announced, and reloads of apps. */
function createPoll(parts: Parts, settings: PollSettings, on: { readonly consider: Consider; readonly fire: Fire }) {
  const { db, writer, armed, ended, qrs, clock, complaints } = parts
  const { pollMs, firstPollMs } = settings
  const feed = ended.feed(
    { read: () => armed.checkpoint(POLLED), write: (at) => armed.setCheckpoint(POLLED, at) },
    { everyMs: pollMs, settleMs: 0, aheadMs: CLOCK_DIFFERENCE_MS },
  )
  let active = false
  let lastEarlyPoll = 0

  const job = createRecurringJob({ everyMs: pollMs, firstMs: firstPollMs, unref: true }, async (signal) => {
    try {
      await pollTasks(signal)
      await pollApps(signal)
      complaints.answered()
    } catch (error) {
      if (!signal.aborted) complaints.aboutOutage(error)
    }
  })

  async function pollTasks(signal: AbortSignal): Promise<void> {
    const triggers = ofTasks(armed)
    if (triggers.length === 0) return
    const now = clock.now()
    const since = Math.max(now - LOOK_BACK_MS, Math.min(...triggers.map((one) => one.since)))
    await feed.read({ now, since, signal }, async (found) => {
      for (const one of found) await on.consider(one)
    })
  }

  async function pollApps(signal: AbortSignal): Promise<void> {
    const triggers = ofApps(armed)
    for (const appId of new Set(triggers.flatMap(({ trigger }) => trigger.match.appId))) {
      try {
        const concerned = triggers.filter(({ trigger }) => trigger.match.appId.includes(appId))
        await pollApp(appId, concerned, signal)
      } catch (error) {
        // An app that QRS refuses to show must not hide the others.
        if (definiteAnswer(error) === null) throw error
        complaints.aboutOutage(error)
      }
    }
  }

  async function pollApp(appId: string, triggers: readonly ArmedQlikEvent[], signal: AbortSignal): Promise<void> {
    const app = await qrs.appById(appId, signal)
    if (!app) return
    const knownAt = db.get<{ at: number }>(SQL.reloadedAt, appId)?.at ?? null
    const reload = newReload(triggers, { ...app, id: appId }, knownAt)
    if (reload === null) return
    for (const one of reload.concerned) await on.fire(one)
    await writer.write((tx) => tx.run(SQL.setReloadedAt, appId, reload.at))
  }

  return {
    /** Brings the next poll forward. */
    soon(): void {
      if (!active || clock.now() - lastEarlyPoll < EARLY_POLL_MS) return
      lastEarlyPoll = clock.now()
      void job.run()
    },
    start() {
      active = true
      if (pollMs > 0) job.start()
    },
    stop(): Promise<unknown> {
      active = false
      return job.stop()
    },
  }
}

type Complaints = ReturnType<typeof createComplaints>

/** Warnings about triggers, each once as long as its cause lasts. */
function createComplaints(log: Logger) {
  const warned = new Set<string>()
  let isComplaining = false
  return {
    aboutMissing(
      { task, trigger, triggerId }: ArmedQlikEvent,
      kind: 'task' | 'app',
      ids: readonly string[],
      found: ReadonlySet<string>,
    ): void {
      for (const id of ids) {
        const mark = `${triggerId} ${id}`
        if (found.has(id)) warned.delete(mark)
        if (found.has(id) || warned.has(mark)) continue
        warned.add(mark)
        log.warn(
          `REPORTTASK: trigger "${trigger.name}" of task="${task.name}" does not wait for the Qlik ${kind} ${id}, which does not exist: remove it from the trigger`,
        )
      }
    },
    /** Reloads of apps are found by polling alone. */
    aboutUnpolled(triggers: readonly ArmedQlikEvent[]): void {
      for (const { task, triggerId } of triggers) {
        if (warned.has(triggerId)) continue
        warned.add(triggerId)
        log.warn(
          `REPORTTASK: task="${task.name}" does not start after reloads of apps: qlikEventPollSeconds is 0, set it to 60`,
        )
      }
    },
    aboutOutage(error: unknown): void {
      if (isComplaining) return
      isComplaining = true
      log.warn(`REPORTTASK: Qlik Sense cannot be asked about events for report tasks, trying again: ${reasonOf(error)}`)
    },
    answered(): void {
      isComplaining = false
    },
  }
}
