/** Finds what produces no message: tasks that wait too long, run too long, or never start. */
import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { ExecutionReader, QrsTask, SiteReader } from '../../qlik/qrs/types.ts'
import { SAMPLE_MS, SAMPLE_RUNS } from '../executions/durations.ts'
import type { FoundEvent, SafetyNetEvents } from './events.ts'
import { parseWatchPolicy, queueLimit, type Run, runLimit, type WatchName, type WatchPolicy } from './policies.ts'
import { createSiteJob, instant, type LiveReader, type LiveTask, type RunningTask, runningTasks } from './site.ts'
import * as store from './store.ts'

export interface WatchdogDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  readonly live: LiveReader
  readonly qrs: Pick<ExecutionReader, 'resultsById'> & Pick<SiteReader, 'tasksById'>
  readonly events: SafetyNetEvents
  /** The last successful executions of a task since then, newest first. */
  readonly successes: (taskId: string, since: number, limit: number) => readonly Run[]
  /** True while maintenance covers the task, as it is asked about in an event. */
  readonly isQuiet: (event: Pick<TaskEvent, 'type' | 'outcome' | 'taskId' | 'taskName' | 'task'>, at: number) => boolean
  readonly typeOf: (task: QrsTask) => TaskEvent['type'] | null
  readonly logTime: (instant: number) => string
  /** Gets the tasks that wait and run. */
  readonly onLiveTasks?: (tasks: readonly RunningTask[]) => void
  readonly onFound?: (outcome: EventOutcome) => void
}

interface WatchdogSettings {
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

interface Watchdog extends Service {
  /** Something other than Qlik Sense is going to start the task then. */
  expect(taskId: string, dueAt: number): void
}

/** Where an execution, or a start that is due, has gone beyond its limit. */
interface Breach {
  /** Of the execution that goes on; null for a start that is due. */
  readonly resultId: string | null
  readonly outcome: WatchName
  readonly task: QrsTask
  readonly node: string
  readonly elapsedMs: number
  readonly limitMs: number
  readonly usualMs: number | null
  readonly dueAt: number | null
}

const MINUTE_MS = 60_000
/** A start may be so much earlier than its schedule says, as clocks differ. */
const EARLY_MS = MINUTE_MS
/** So much older than the look before, something that is seen for the first time has a wrong time. */
const SLACK_MS = 5 * MINUTE_MS
/** More than a few finds that are so old come from a wrong clock or a restored database, and are not alerted. */
const ANCIENT_MS = 86_400_000
const FEW = 3

export function createWatchdog(deps: WatchdogDeps, settings: WatchdogSettings): Watchdog {
  const { db, clock, log } = deps
  const { intervalMs = MINUTE_MS, firstMs = 10_000 } = settings
  /** Values of the custom property that make no sense, so that each is logged once. */
  const complainedAbout = new Map<string, string>()
  /** Since when the results that are not over have been in their state, on the clock of this computer. */
  const firstSeen = new Map<string, { readonly state: string; readonly since: number }>()
  /** Executions of results that are not over; Qlik Sense is asked about each once. */
  const executions = new Map<string, string>()
  let lookedAt: number | null = null
  let hadUnlikelyDues = false

  async function examine(signal: AbortSignal): Promise<void> {
    const now = clock.now()
    const tasks = await deps.live.read(now + 2 * intervalMs, signal)
    reportCounts(tasks)
    noteDues(tasks, now)
    const breaches = tasks.flatMap((live) => judge(live, now) ?? [])
    breaches.push(...(await judgeDues(tasks, now, signal)))
    await learnExecutions([...breaches.map(({ resultId }) => resultId), ...resultsOfFindings(tasks)])
    await reportAll(breaches, now)
    await closeFindings(tasks, now)
    const alive = new Set(tasks.flatMap(({ resultId, firstResultId }) => [resultId, firstResultId]))
    for (const known of [firstSeen, executions]) for (const id of known.keys()) if (!alive.has(id)) known.delete(id)
    lookedAt = now
  }

  /** A state that the previous run did not find cannot be older than that run, even when the clock of Qlik Sense is wrong. */
  const isUnlikely = (at: number): boolean => lookedAt !== null && at < lookedAt - SLACK_MS

  function reportCounts(tasks: readonly LiveTask[]): void {
    deps.onLiveTasks?.(runningTasks(tasks, deps.typeOf))
  }

  function noteDues(tasks: readonly LiveTask[], now: number): void {
    let unlikely: LiveTask | undefined
    let count = 0
    for (const live of tasks) {
      const { task, dueAt } = live
      if (dueAt === null) continue
      store.forgetFutureDues(db, task.id, now)
      if (!isUnlikely(dueAt) || store.isDue(db, task.id, dueAt)) {
        store.noteDue(db, task.id, dueAt)
        continue
      }
      const isKnown =
        hasRun(task, dueAt) || store.isReported(db, { subject: `${task.id}|${dueAt}`, outcome: 'neverStarted' })
      if (isKnown || store.ranSince(db, task.id, dueAt - EARLY_MS)) continue
      unlikely ??= live
      count += 1
    }
    if (unlikely && !hadUnlikelyDues) {
      log.warn(
        `WATCHDOG: Qlik Sense shows starts in the past that were not planned a minute ago: ${example(count, unlikely.task.name, unlikely.dueAt!)}. They are not reported as never started. ${ADVICE}`,
      )
    }
    hadUnlikelyDues = count > 0
  }

  function judge(live: LiveTask, now: number): Breach | null {
    const { state, resultId } = live
    if (state === 'idle' || resultId === null) return null
    const since = sinceOf(live, resultId, now)
    const breach = live.task.enabled ? breachOf(live, resultId, now - since) : null
    return breach === null || isQuiet(breach, now) ? null : breach
  }

  /** A further attempt goes on with the run, and waits anew. */
  function sinceOf({ state, since, firstResultId }: LiveTask, resultId: string, now: number): number {
    const subject = state === 'running' ? (firstResultId ?? resultId) : resultId
    const seen = firstSeen.get(subject)
    if (seen?.state === state) return seen.since
    const likely = since === null || since > now || isUnlikely(since) ? now : since
    firstSeen.set(subject, { state, since: likely })
    return likely
  }

  function breachOf({ task, state, node }: LiveTask, resultId: string, elapsedMs: number): Breach | null {
    const outcome = state === 'queued' ? 'late' : 'stuck'
    const fixed = policyOf(task)[outcome]
    if (fixed === 'off') return null
    const runs = deps.successes(task.id, clock.now() - SAMPLE_MS, SAMPLE_RUNS)
    const learnt = outcome === 'late' ? queueLimit(runs, settings) : runLimit(runs, settings)
    const limitMs = fixed ?? learnt?.limitMs
    if (limitMs === undefined || elapsedMs <= limitMs) return null
    return { outcome, task, node, elapsedMs, limitMs, usualMs: learnt?.usualMs ?? null, dueAt: null, resultId }
  }

  /** Asks with one question for all that are new. */
  async function learnExecutions(resultIds: readonly (string | null)[]): Promise<void> {
    const unknown = [...new Set(resultIds.flatMap((id) => (id === null || executions.has(id) ? [] : id)))]
    if (unknown.length === 0) return
    for (const { id, executionID } of await deps.qrs.resultsById(unknown)) {
      if (executionID) executions.set(id.toLowerCase(), executionID.toLowerCase())
    }
  }

  /** Attempts of one execution are one subject. */
  const executionOf = (resultId: string): string => executions.get(resultId) ?? resultId

  function resultsOfFindings(tasks: readonly LiveTask[]): (string | null)[] {
    const found = new Set(store.openFindings(db).map(({ taskId }) => taskId))
    return tasks.flatMap(({ task, state, resultId }) => (state !== 'idle' && found.has(task.id) ? resultId : []))
  }

  async function judgeDues(tasks: readonly LiveTask[], now: number, signal: AbortSignal): Promise<Breach[]> {
    const going = new Set(tasks.flatMap(({ task, state }) => (state === 'idle' ? [] : [task.id])))
    const open = store.duesBefore(db, now - MINUTE_MS).filter(({ taskId, dueAt }) => {
      const isDone = going.has(taskId) || store.ranSince(db, taskId, dueAt - EARLY_MS)
      if (isDone) store.forgetDue(db, taskId, dueAt)
      return !isDone
    })
    const known = new Map(tasks.map(({ task }) => [task.id.toLowerCase(), task]))
    const others = open.flatMap(({ taskId }) => (known.has(taskId.toLowerCase()) ? [] : taskId))
    for (const task of others.length > 0 ? await deps.qrs.tasksById(others, signal) : [])
      known.set(task.id.toLowerCase(), task)
    return open.flatMap(({ taskId, dueAt }) => {
      const task = known.get(taskId.toLowerCase())
      if (task?.enabled && !hasRun(task, dueAt)) return judgeDue(task, dueAt, now) ?? []
      store.forgetDue(db, taskId, dueAt)
      return []
    })
  }

  function hasRun({ operational }: QrsTask, dueAt: number): boolean {
    const last = operational?.lastExecutionResult
    return [last?.startTime, last?.stopTime].some((time) => (instant(time) ?? 0) >= dueAt - EARLY_MS)
  }

  function judgeDue(task: QrsTask, dueAt: number, now: number): Breach | null {
    const limit = policyOf(task).neverStarted ?? settings.neverStartedAfter
    const elapsedMs = now - dueAt
    if (limit !== 'off' && elapsedMs <= limit) return null
    store.forgetDue(db, task.id, dueAt)
    if (limit === 'off') return null
    const common = { task, node: '', usualMs: null, dueAt, resultId: null } as const
    const breach: Breach = { ...common, outcome: 'neverStarted', elapsedMs, limitMs: limit }
    return isQuiet(breach, now) ? null : breach
  }

  function isQuiet({ task, outcome, dueAt }: Breach, now: number): boolean {
    const type = deps.typeOf(task)
    if (type === null) return true
    const event = { type, outcome, taskId: task.id, taskName: task.name, task }
    return deps.isQuiet(event, now) || (dueAt !== null && deps.isQuiet(event, dueAt))
  }

  const findingOf = ({ outcome, task, resultId, dueAt }: Breach): store.Finding => ({
    subject: resultId === null ? `${task.id}|${dueAt}` : executionOf(resultId),
    outcome,
    taskId: task.id,
  })

  async function reportAll(breaches: readonly Breach[], now: number): Promise<void> {
    const news = breaches.filter((breach) => !store.isReported(db, findingOf(breach)))
    const ancient = news.filter(({ elapsedMs }) => elapsedMs > ANCIENT_MS)
    const isFlood = ancient.length > FEW
    if (isFlood) closeAncient(ancient, now)
    for (const breach of news) if (!isFlood || !ancient.includes(breach)) await report(breach, now)
  }

  /** Recorded as dealt with, so that neither this nor the end of it makes an alert. */
  function closeAncient(ancient: readonly Breach[], now: number): void {
    for (const finding of ancient.map(findingOf)) {
      store.noteFinding(db, finding, now)
      store.closeFinding(db, finding)
    }
    const { task, elapsedMs } = ancient.reduce((oldest, one) => (one.elapsedMs > oldest.elapsedMs ? one : oldest))
    log.warn(
      `WATCHDOG: Tasks are late, stuck or not started for more than a day all at once: ${example(ancient.length, task.name, now - elapsedMs)}. No alerts are made of them. ${ADVICE}`,
    )
  }

  const example = (count: number, name: string, since: number): string =>
    `${count} tasks, for example "${name}" since ${deps.logTime(since)}`

  async function report(breach: Breach, now: number): Promise<void> {
    const { outcome, task, node, elapsedMs, limitMs, usualMs, dueAt, resultId } = breach
    const finding = findingOf(breach)
    const { subject } = finding
    const more = resultId === null ? {} : { executionId: subject === resultId ? '' : subject }
    const text = TEXTS[outcome](minutes(limitMs))
    log.warn(`WATCHDOG: Task "${task.name}" (${task.id}): ${text}`)
    const details = { kind: 'watchdog', elapsedMs, limitMs, usualMs, dueAt } as const
    await deps.events.emit(
      { ...eventOf(task, outcome, text, now), message: { ...messageOf(task, text, node, now), ...more }, details },
      { also: (tx) => store.noteFinding(tx, finding, now) },
    )
    deps.onFound?.(outcome)
  }

  /** A late task that runs now has recovered; every other end has its own event. */
  async function closeFindings(tasks: readonly LiveTask[], now: number): Promise<void> {
    const byId = new Map(tasks.filter(({ state }) => state !== 'idle').map((live) => [live.task.id, live]))
    for (const finding of store.openFindings(db)) {
      const live = byId.get(finding.taskId)
      const subject = live?.resultId && finding.outcome !== 'neverStarted' ? executionOf(live.resultId) : null
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
      host,
      taskId: task.id,
      taskName: task.name,
      appId: app?.id ?? '',
      appName: app?.name ?? '',
      logTimeStamp: deps.logTime(now),
      logLevel: 'WARN',
      logMessage,
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

  const job = createSiteJob({ label: 'WATCHDOG', intervalMs, firstMs, work: examine }, log)
  return {
    name: 'watchdog',
    start: async () => job.start(),
    stop: job.stop,
    expect: (taskId, dueAt) => store.noteDue(db, taskId.toLowerCase(), dueAt),
  }
}

/** An event of the watchdog as maintenance sees it, for `isQuiet`. */
export function maintenanceEvent(event: Parameters<WatchdogDeps['isQuiet']>[0], at: number) {
  return {
    ...EMPTY_EVENT,
    ...event,
    receivedAt: at,
    appId: event.task?.app?.id ?? '',
    appName: event.task?.app?.name ?? '',
    severity: 'warning',
    source: 'watchdog',
  } as const
}

const EMPTY_EVENT = {
  id: '',
  host: '',
  user: '',
  logTimeStamp: '',
  logLevel: '',
  executionId: '',
  logMessage: '',
  details: null,
  code: null,
  history: null,
  retry: null,
  app: null,
  owner: null,
  execution: null,
  scriptLog: null,
  missingParts: [],
  test: false,
} as const

const ADVICE =
  'Is the clock of the Qlik Sense server right (footman doctor --only clock), or was its database restored?'

/** Pages show them hours later, so they are about the limit and not about the time that has passed. */
const TEXTS: Readonly<Record<WatchName, (limit: string) => string>> = {
  late: (limit) => `Waiting in the queue for longer than ${limit}`,
  stuck: (limit) => `Running for longer than ${limit}`,
  neverStarted: (limit) => `Not started within ${limit} of the time when it was due`,
}

function minutes(ms: number): string {
  const total = Math.round(ms / MINUTE_MS)
  return total < 120 ? `${total} min` : `${Math.floor(total / 60)} h ${total % 60} min`
}
