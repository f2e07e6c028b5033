/** Finds what produces no message: tasks that wait too long, run too long, or never start. */
import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { repeat } from '../every.ts'
import type { FoundEvent, SafetyNetEvents } from '../types.ts'
import { queueLimit, type Run, runLimit } from './limits.ts'
import { parseWatchPolicy, type WatchName, type WatchPolicy } from './policy.ts'
import { instant, type LiveReader, type LiveTask } from './site.ts'
import * as store from './store.ts'

export interface WatchdogDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  readonly live: LiveReader
  readonly qrs: Pick<ExecutionReader, 'resultsById'> & Pick<QrsClient, 'taskById'>
  readonly events: SafetyNetEvents
  /** The last successful executions of a task since then, newest first. */
  readonly successes: (taskId: string, since: number, limit: number) => readonly Run[]
  /** True while maintenance covers the task, as it is asked about in an event. */
  readonly isQuiet: (event: Pick<TaskEvent, 'type' | 'outcome' | 'taskId' | 'taskName' | 'task'>, at: number) => boolean
  readonly typeOf: (task: QrsTask) => TaskEvent['type'] | null
  readonly logTime: (instant: number) => string
  /** Told how many tasks of each type wait and run. */
  readonly onLook?: (tasks: readonly { readonly type: string; readonly state: 'queued' | 'running' }[]) => void
  readonly onFound?: (outcome: EventOutcome) => void
}

export interface WatchdogSettings {
  readonly lateAfter: number
  readonly stuckFactor: number
  readonly neverStartedAfter: number
  readonly minRuns: number
  readonly customPropertyName: string
  /** Default 60 s. */
  readonly intervalMs?: number
  /** From the start to the first look; default 10 s. */
  readonly firstMs?: number
}

export interface Watchdog extends Service {
  /** Something other than Qlik Sense is going to start the task then. */
  expect(taskId: string, dueAt: number): void
}

/** Where an execution, or a start that is due, has gone beyond its limit. */
interface Breach {
  readonly outcome: WatchName
  readonly task: QrsTask
  readonly node: string
  readonly elapsedMs: number
  readonly limitMs: number
  readonly usualMs: number | null
  readonly dueAt: number | null
}

const MINUTE_MS = 60_000
const BASELINE_RUNS = 30
const BASELINE_MS = 60 * 86_400_000
/** A start may be so much earlier than its schedule says, as clocks differ. */
const EARLY_MS = MINUTE_MS

export function createWatchdog(deps: WatchdogDeps, settings: WatchdogSettings): Watchdog {
  const { db, clock, log } = deps
  const { intervalMs = MINUTE_MS, firstMs = 10_000 } = settings
  /** Values of the custom property that make no sense, so that each is told once. */
  const complainedAbout = new Map<string, string>()
  /** When an execution whose start Qlik Sense does not tell was seen first. */
  const firstSeen = new Map<string, number>()

  async function look(signal: AbortSignal): Promise<void> {
    const now = clock.now()
    const tasks = await deps.live.look(now + 2 * intervalMs, signal)
    tellCounts(tasks)
    for (const live of tasks) noteDue(live, now)
    for (const live of tasks) await judge(live, now)
    await judgeDues(tasks, now, signal)
    await closeFindings(tasks, now)
    const alive = new Set(tasks.map(({ resultId }) => resultId))
    for (const id of firstSeen.keys()) if (!alive.has(id)) firstSeen.delete(id)
  }

  function tellCounts(tasks: readonly LiveTask[]): void {
    deps.onLook?.(
      tasks.flatMap(({ task, state }) => (state === 'idle' ? [] : [{ type: deps.typeOf(task) ?? 'unknown', state }])),
    )
  }

  function noteDue({ task, dueAt }: LiveTask, now: number): void {
    if (dueAt === null) return
    store.forgetFutureDues(db, task.id, now)
    store.noteDue(db, task.id, dueAt)
  }

  async function judge(live: LiveTask, now: number): Promise<void> {
    if (live.state === 'idle' || !live.task.enabled || live.resultId === null) return
    const since = live.since ?? firstSeen.get(live.resultId) ?? now
    firstSeen.set(live.resultId, since)
    const breach = breachOf(live, now - since)
    if (breach === null || isQuiet(breach, now)) return
    const subject = await executionOf(live.resultId)
    await tell(breach, subject, { executionId: subject === live.resultId ? '' : subject }, now)
  }

  function breachOf({ task, state, node }: LiveTask, elapsedMs: number): Breach | null {
    const outcome = state === 'queued' ? 'late' : 'stuck'
    const fixed = policyOf(task)[outcome]
    if (fixed === 'off') return null
    const runs = deps.successes(task.id, clock.now() - BASELINE_MS, BASELINE_RUNS)
    const learnt = outcome === 'late' ? queueLimit(runs, settings) : runLimit(runs, settings)
    const limitMs = fixed ?? learnt?.limitMs
    if (limitMs === undefined || elapsedMs <= limitMs) return null
    return { outcome, task, node, elapsedMs, limitMs, usualMs: learnt?.usualMs ?? null, dueAt: null }
  }

  /** Attempts of one execution are one subject. */
  async function executionOf(resultId: string): Promise<string> {
    const [result] = await deps.qrs.resultsById([resultId])
    return result?.executionID?.toLowerCase() || resultId
  }

  async function judgeDues(tasks: readonly LiveTask[], now: number, signal: AbortSignal): Promise<void> {
    const going = new Set(tasks.flatMap(({ task, state }) => (state === 'idle' ? [] : [task.id])))
    for (const { taskId, dueAt } of store.duesBefore(db, now - MINUTE_MS)) {
      const isDone = going.has(taskId) || store.ranSince(db, taskId, dueAt - EARLY_MS)
      const task = isDone ? null : await deps.qrs.taskById(taskId, signal)
      if (!task?.enabled || hasRun(task, dueAt)) store.forgetDue(db, taskId, dueAt)
      else await judgeDue(task, dueAt, now)
    }
  }

  function hasRun({ operational }: QrsTask, dueAt: number): boolean {
    const last = operational?.lastExecutionResult
    return [last?.startTime, last?.stopTime].some((time) => (instant(time) ?? 0) >= dueAt - EARLY_MS)
  }

  async function judgeDue(task: QrsTask, dueAt: number, now: number): Promise<void> {
    const limit = policyOf(task).neverStarted ?? settings.neverStartedAfter
    if (limit === 'off') {
      store.forgetDue(db, task.id, dueAt)
      return
    }
    const elapsedMs = now - dueAt
    if (elapsedMs <= limit) return
    const breach: Breach = { outcome: 'neverStarted', task, node: '', elapsedMs, limitMs: limit, usualMs: null, dueAt }
    store.forgetDue(db, task.id, dueAt)
    if (!isQuiet(breach, now)) await tell(breach, `${task.id}|${dueAt}`, {}, now)
  }

  function isQuiet({ task, outcome, dueAt }: Breach, now: number): boolean {
    const type = deps.typeOf(task)
    if (type === null) return true
    const event = { type, outcome, taskId: task.id, taskName: task.name, task }
    return deps.isQuiet(event, now) || (dueAt !== null && deps.isQuiet(event, dueAt))
  }

  async function tell(breach: Breach, subject: string, more: { executionId?: string }, now: number): Promise<void> {
    const { outcome, task, node, elapsedMs, limitMs, usualMs, dueAt } = breach
    const finding = { subject, outcome, taskId: task.id }
    if (store.isTold(db, finding)) return
    const text = TEXTS[outcome](minutes(elapsedMs), minutes(limitMs))
    log.warn(`WATCHDOG: Task "${task.name}" (${task.id}): ${text}`)
    const details = { kind: 'watchdog', elapsedMs, limitMs, usualMs, dueAt } as const
    await deps.events.emit(
      { ...eventOf(task, outcome, text, now), message: { ...messageOf(task, text, node, now), ...more }, details },
      { also: (tx) => store.noteFinding(tx, finding, now) },
    )
    deps.onFound?.(outcome)
  }

  /** A task that was late and runs now is well again; every other end is told by its own event. */
  async function closeFindings(tasks: readonly LiveTask[], now: number): Promise<void> {
    const byId = new Map(tasks.filter(({ state }) => state !== 'idle').map((live) => [live.task.id, live]))
    for (const finding of store.openFindings(db)) {
      const live = byId.get(finding.taskId)
      const subject = live?.resultId && finding.outcome !== 'neverStarted' ? await executionOf(live.resultId) : null
      const isSame = subject === finding.subject || finding.outcome === 'neverStarted'
      if (!live) {
        // A start that never came may still come.
        const dueAt = Number(finding.subject.split('|')[1] ?? 0)
        if (finding.outcome !== 'neverStarted' || store.ranSince(db, finding.taskId, dueAt))
          store.closeFinding(db, finding)
        continue
      }
      if (isSame && (live.state === 'queued' || finding.outcome === 'stuck')) continue
      if (!isSame || finding.outcome === 'stuck') {
        store.closeFinding(db, finding)
        continue
      }
      const text = 'It runs now'
      log.info(`WATCHDOG: Task "${live.task.name}" (${finding.taskId}) runs now`)
      const executionId = finding.outcome === 'late' ? finding.subject : ''
      const message = { ...messageOf(live.task, text, live.node, now), executionId }
      await deps.events.emit(
        { ...eventOf(live.task, 'started', text, now), message },
        { also: (tx) => store.closeFinding(tx, finding) },
      )
    }
  }

  function eventOf(task: QrsTask, outcome: EventOutcome, text: string, now: number): FoundEvent {
    const type = deps.typeOf(task) ?? 'reload'
    return { source: 'watchdog', type, outcome, enrich: true, message: messageOf(task, text, '', now) }
  }

  function messageOf(task: QrsTask, logMessage: string, host: string, now: number): FoundEvent['message'] {
    const app = task.app ?? null
    return {
      ...{ host, taskId: task.id, taskName: task.name, appId: app?.id ?? '', appName: app?.name ?? '' },
      ...{ logTimeStamp: deps.logTime(now), logLevel: 'WARN', logMessage },
    }
  }

  function policyOf(task: QrsTask): WatchPolicy {
    const values = task.customProperties.filter(({ definition }) => definition.name === settings.customPropertyName)
    const text = values.map(({ value }) => value).join('; ')
    const parsed = parseWatchPolicy(text)
    if (parsed.ok) return parsed.policy
    if (complainedAbout.get(task.id) !== text) {
      log.warn(
        `WATCHDOG: ${settings.customPropertyName} of task "${task.name}" (${task.id}) is ignored: ${parsed.error}`,
      )
      complainedAbout.set(task.id, text)
    }
    return {}
  }

  return {
    ...repeat({ name: 'WATCHDOG', intervalMs, firstMs, work: look }, log),
    name: 'watchdog',
    expect: (taskId, dueAt) => store.noteDue(db, taskId.toLowerCase(), dueAt),
  }
}

const TEXTS: Readonly<Record<WatchName, (elapsed: string, limit: string) => string>> = {
  late: (elapsed, limit) => `Waiting in the queue for ${elapsed}, longer than ${limit}`,
  stuck: (elapsed, limit) => `Running for ${elapsed}, longer than ${limit}`,
  neverStarted: (elapsed, limit) => `Due ${elapsed} ago and not started within ${limit}`,
}

function minutes(ms: number): string {
  const total = Math.round(ms / MINUTE_MS)
  return total < 120 ? `${total} min` : `${Math.floor(total / 60)} h ${total % 60} min`
}
