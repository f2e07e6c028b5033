/**
 * Triggers by events of Qlik Sense. Ended executions come from two sources: messages of the schedulers, which only say
 * which execution to ask about, and a poll that repairs lost ones. Both read the end of the execution from QRS, so a forged
 * message starts nothing, and both have the execution id as key, so an event fires once.
 */
import { OUTCOMES, TASK_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { definiteAnswer, isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import { customProperty, eq, guid, or } from '../../qlik/qrs/filter.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { EndedOnSite, EndedReader } from '../../tasks/executions/types.ts'
import type { TriggerOf } from '../entities/task.ts'
import { type Armed, type ArmedTriggers, isWithin } from './armed.ts'
import { createJoin, type Member } from './joins.ts'
import type { TriggerKind } from './schedules.ts'

type QlikEvent = TriggerOf<'qlikEvent'>

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

const EVENT_OF = { success: 'taskSucceeded', failed: 'taskFailed', aborted: 'taskAborted' } as const

const POLLED = 'qlik.polled'
const FIRST_POLL_MS = 5000
const OVERLAP_MS = 2 * 60_000
/** By how much the clocks of Qlik Sense and of this computer may differ. */
const CLOCK_DIFFERENCE_MS = 5 * 60_000
/** Events are made up for so long, and messages wait for QRS for so long. */
const LOOK_BACK_MS = 86_400_000
/** Asked for with one question. */
const SPAN_MS = 3_600_000
const RETRY_MS = [5000, 30_000]
const QRS_DOWN_MS = 30_000
/** Messages without execution id bring the poll forward, but not more often than this. */
const EARLY_POLL_MS = 5000
const BATCH = 30
/** Beyond so many, messages are left to the poll. */
const MOST_WAITING = 10_000
const CONDITIONS_PER_REQUEST = 20

export function createQlikEventTriggers(deps: QlikEventDeps, settings: QlikEventSettings): QlikEventTriggers {
  const { db, writer, armed, ended, qrs, clock, log } = deps
  const { pollMs, retryMs = RETRY_MS, downMs = QRS_DOWN_MS, firstPollMs = Math.min(FIRST_POLL_MS, pollMs) } = settings
  const join = createJoin(deps)
  const stopping = new AbortController()
  /** Results that the poll has dealt with, and when they are forgotten. */
  const handled = new Map<string, number>()
  const warned = new Set<string>()
  let serial: Promise<unknown> = Promise.resolve()
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: Promise<void> | null = null
  let isComplaining = false
  let active = false
  let lastEarlyPoll = 0

  const ofTasks = () => armed.of('qlikEvent').filter(({ trigger }) => trigger.event !== 'appReloaded')
  const ofApps = () => armed.of('qlikEvent').filter(({ trigger }) => trigger.event === 'appReloaded')

  // --- Ended executions ---

  /** One after the other, because joins read what the execution before has written. */
  function consider(one: EndedOnSite): Promise<void> {
    const mine = serial.then(() => fireFor(one))
    serial = mine.catch(() => undefined)
    return mine
  }

  async function fireFor({ execution, task }: EndedOnSite): Promise<void> {
    const { outcome, stoppedAt: at, taskName } = execution
    const event = outcome === 'success' || outcome === 'failed' || outcome === 'aborted' ? EVENT_OF[outcome] : null
    const executionId = execution.executionId ?? execution.resultId
    if (event === null || executionId === null) return
    const taskId = task.id.toLowerCase()
    for (const one of ofTasks()) {
      const { trigger, since } = one
      if (trigger.event !== event || at < since || !isWithin(trigger, at) || !matches(trigger, task)) continue
      if (trigger.mode === 'any') {
        await armed.fire(one, { key: executionId, at, detail: { event, taskId, taskName, executionId } })
      } else {
        await join(one, { id: taskId, key: executionId, at }, () => tasksOf(one))
      }
    }
  }

  /** The tasks that the trigger means now, by id in lower case; those that were deleted would hold it up for ever. */
  async function tasksOf(one: Armed<QlikEvent>): Promise<ReadonlySet<string>> {
    const { signal } = stopping
    const { match } = one.trigger
    const found = new Set(await qrs.existingTasks(match.taskId, signal))
    warnAboutMissing(one, 'task', match.taskId, found)
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

  // --- Messages ---

  function event({ taskId, executionId, outcome, type, test, receivedAt }: TaskEvent): void {
    if (test || !TASK_TYPES.some((one) => one === type)) return
    const known = OUTCOMES.find((one) => one === outcome)
    if (!known || !ofTasks().some(({ trigger }) => mayMatch(trigger, EVENT_OF[known], taskId.toLowerCase()))) return
    if (!isGuid(executionId)) {
      setImmediate(pollSoon)
      return
    }
    try {
      if ((db.get<{ n: number }>(SQL.countEvents)?.n ?? 0) >= MOST_WAITING) return
      db.run(SQL.addEvent, executionId.toLowerCase(), receivedAt, clock.now())
    } catch (error) {
      log.error(`REPORTTASK: an event of task ${taskId} is left to the next poll: ${String(error)}`)
      return
    }
    setImmediate(wake)
  }

  function pollSoon(): void {
    if (!active || clock.now() - lastEarlyPoll < EARLY_POLL_MS) return
    lastEarlyPoll = clock.now()
    void job.run()
  }

  function wake(): void {
    if (!active || asking) return
    const next = db.get<{ at: number | null }>(SQL.nextEvent)?.at ?? null
    if (next !== null) wait(Math.min(Math.max(0, next - clock.now()), downMs))
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
      if (stopping.signal.aborted) return
      log.error(`REPORTTASK: events of Qlik Sense could not be handled: ${String(error)}`)
      wait(downMs)
    }
  }

  async function askBatch(): Promise<void> {
    const now = clock.now()
    const due = db.all<{ executionId: string; attempts: number }>(SQL.dueEvents, now, BATCH)
    if (due.length === 0) return
    const settled = new Set<string>()
    let isUnreachable = false
    try {
      const ids = due.map(({ executionId }) => executionId)
      for (const one of await ended.ofExecutions(ids, stopping.signal)) {
        await consider(one)
        if (one.execution.executionId !== null) settled.add(one.execution.executionId)
      }
      isComplaining = false
    } catch (error) {
      if (stopping.signal.aborted) return
      isUnreachable = isDown(error)
      complain(error)
    }
    await writer.write((on) => {
      for (const { executionId, attempts } of due) {
        const pause = isUnreachable ? downMs : retryMs[attempts]
        if (settled.has(executionId) || pause === undefined) on.run(SQL.removeEvent, executionId)
        else on.run(SQL.laterEvent, isUnreachable ? attempts : attempts + 1, now + pause, executionId)
      }
      on.run(SQL.removeOld, now - LOOK_BACK_MS)
    })
  }

  // --- Poll ---

  const job = createRecurringJob({ everyMs: pollMs, firstMs: firstPollMs, unref: true }, async (signal) => {
    try {
      await pollTasks(signal)
      await pollApps(signal)
      isComplaining = false
    } catch (error) {
      if (!signal.aborted) complain(error)
    }
  })

  async function pollTasks(signal: AbortSignal): Promise<void> {
    const triggers = ofTasks()
    if (triggers.length === 0) return
    const now = clock.now()
    const polled = Math.min(armed.checkpoint(POLLED) ?? now, now)
    const oldest = Math.min(...triggers.map(({ since }) => since))
    const from = Math.max(polled - OVERLAP_MS, now - LOOK_BACK_MS, oldest)
    const isHandled = (id: string) => handled.has(id)
    for (let start = Math.min(from, now); start < now; start += SPAN_MS) {
      const end = Math.min(start + SPAN_MS, now)
      const upTo = end === now ? now + CLOCK_DIFFERENCE_MS : end
      for (const one of await ended.between(start, upTo, isHandled, signal)) {
        await consider(one)
        for (const id of one.resultIds) handled.set(id, now + OVERLAP_MS + CLOCK_DIFFERENCE_MS + 2 * pollMs)
      }
      await armed.setCheckpoint(POLLED, end)
    }
    for (const [id, forgetAt] of handled) if (forgetAt < now) handled.delete(id)
  }

  async function pollApps(signal: AbortSignal): Promise<void> {
    const triggers = ofApps()
    for (const appId of new Set(triggers.flatMap(({ trigger }) => trigger.match.appId))) {
      try {
        const concerned = triggers.filter(({ trigger }) => trigger.match.appId.includes(appId))
        await pollApp(appId, concerned, signal)
      } catch (error) {
        // An app that QRS refuses to show must not hide the others.
        if (definiteAnswer(error) === null) throw error
        complain(error)
      }
    }
  }

  /** The first look only records the time of the last reload. */
  async function pollApp(appId: string, triggers: readonly Armed<QlikEvent>[], signal: AbortSignal): Promise<void> {
    const app = await qrs.appById(appId, signal)
    const at = Date.parse(app?.lastReloadTime ?? '')
    if (!app || !(at > 0)) return
    const known = db.get<{ at: number }>(SQL.reloadedAt, appId)?.at ?? null
    if (known !== null && at <= known) return
    for (const one of known === null ? [] : triggers) {
      if (at < one.since || !isWithin(one.trigger, at)) continue
      const lastReload = new Date(at).toISOString()
      const key = `${appId} ${lastReload}`
      const member: Member = { id: appId, key, at }
      const detail = { event: 'appReloaded', appId, appName: app.name, lastReload }
      if (one.trigger.mode === 'any') await armed.fire(one, { key, at, detail })
      else await join(one, member, () => appsOf(one))
    }
    await writer.write((on) => on.run(SQL.setReloadedAt, appId, at))
  }

  async function appsOf(one: Armed<QlikEvent>): Promise<ReadonlySet<string>> {
    const { appId } = one.trigger.match
    const found = new Set<string>()
    for (const id of appId) if (await qrs.appById(id, stopping.signal)) found.add(id)
    warnAboutMissing(one, 'app', appId, found)
    return found
  }

  function warnAboutMissing(
    { task, trigger, triggerId }: Armed<QlikEvent>,
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
  }

  /** Once for each outage. */
  function complain(error: unknown): void {
    if (isComplaining) return
    isComplaining = true
    log.warn(`REPORTTASK: Qlik Sense cannot be asked about events for report tasks, trying again: ${reasonOf(error)}`)
  }

  function warnAboutApps(): void {
    if (pollMs > 0) return
    for (const { task, triggerId } of ofApps()) {
      if (warned.has(triggerId)) continue
      warned.add(triggerId)
      log.warn(
        `REPORTTASK: task="${task.name}" does not start after reloads of apps: qlikEventPollSeconds is 0, set it to 60`,
      )
    }
  }

  return {
    event,
    update: warnAboutApps,
    start() {
      active = true
      if (pollMs > 0) job.start()
      wake()
    },
    async stop() {
      active = false
      stopping.abort(new Error('Footman stops'))
      clearTimeout(timer)
      await Promise.all([job.stop(), asking])
    },
  }
}

type Match = QlikEvent['match']

/** Any of its conditions; a trigger without conditions matches nothing. */
const matches = ({ match }: QlikEvent, task: QrsTask): boolean =>
  match.taskId.includes(task.id.toLowerCase()) ||
  match.appId.includes(task.app?.id.toLowerCase() ?? '') ||
  matchesLabels(match, task)

/** QRS ignores case and compares the parts of a custom property on their own; these checks are exact. */
const matchesLabels = ({ tag, customProperty: properties }: Match, { tags, customProperties }: QrsTask): boolean =>
  tags.some(({ name }) => tag.includes(name)) ||
  customProperties.some((has) => properties.some((one) => one.name === has.definition.name && one.value === has.value))

/** Whether the event can be one of the trigger, as far as the message says. */
const mayMatch = ({ event, match }: QlikEvent, claimed: string, taskId: string): boolean =>
  event === claimed &&
  (match.taskId.includes(taskId) || match.tag.length + match.customProperty.length + match.appId.length > 0)

const batched = (filters: readonly string[]): string[] =>
  Array.from({ length: Math.ceil(filters.length / CONDITIONS_PER_REQUEST) }, (_, index) =>
    or(...filters.slice(index * CONDITIONS_PER_REQUEST, (index + 1) * CONDITIONS_PER_REQUEST)),
  )
