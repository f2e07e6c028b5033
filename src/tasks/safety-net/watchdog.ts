/** Finds what produces no message: tasks that wait too long, run too long, or never start. */
import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { ExecutionReader, QrsTask, SiteReader } from '../../qlik/qrs/types.ts'
import { SAMPLE_MS, SAMPLE_RUNS } from '../executions/durations.ts'
import type { WatchName, WatchPolicy } from './config-policies.ts'
import type { FoundEvent, SafetyNetEvents } from './events.ts'
import type { Run } from './policies.ts'
import { createSiteJob, type LiveReader, type LiveTask, type RunningTask, runningTasks } from './site.ts'
import * as store from './store.ts'
import {
  type Due,
  type Effect,
  ends,
  type Facts,
  initial,
  JUDGED_AFTER_MS,
  judgeDues,
  openDues,
  type Rules,
  reports,
  seeDues,
  seeExecutions,
} from './watch.ts'

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
  /** Fixed limits of the task, by its custom property or a policy. */
  readonly policyOf: (task: QrsTask) => WatchPolicy
  readonly typeOf: (task: QrsTask) => TaskEvent['type'] | null
  readonly logTime: (instant: number) => string
  /** Gets the tasks that wait and run. */
  readonly onLiveTasks?: (tasks: readonly RunningTask[]) => void
  readonly onFound?: (outcome: EventOutcome) => void
}

interface WatchdogSettings extends Rules {
  /** Default 60 s. */
  readonly intervalMs?: number
  /** From the start to the first look; default 10 s. */
  readonly firstMs?: number
}

interface Watchdog extends Service {
  /** Something other than Qlik Sense is going to start the task then. */
  expect(taskId: string, dueAt: number): void
}

const MINUTE_MS = 60_000

export function createWatchdog(deps: WatchdogDeps, settings: WatchdogSettings): Watchdog {
  const { db, log } = deps
  const { intervalMs = MINUTE_MS, firstMs = 10_000 } = settings
  const executions = createExecutionIds(deps.qrs)
  const facts: Facts = {
    isDue: (taskId, dueAt) => store.isDue(db, taskId, dueAt),
    ranSince: (taskId, at) => store.ranSince(db, taskId, at),
    isReported: (finding) => store.isReported(db, finding),
    policyOf: deps.policyOf,
    successes: (taskId, now) => deps.successes(taskId, now - SAMPLE_MS, SAMPLE_RUNS),
    isQuiet(task, outcome, at) {
      const type = deps.typeOf(task)
      return type === null || deps.isQuiet({ type, outcome, taskId: task.id, taskName: task.name, task }, at)
    },
    executionOf: executions.of,
  }
  let state = initial

  async function examine(signal: AbortSignal): Promise<void> {
    const now = deps.clock.now()
    const tasks = await deps.live.read(now + 2 * intervalMs, signal)
    deps.onLiveTasks?.(runningTasks(tasks, deps.typeOf))
    const look = { now, tasks }
    const carryOut = async (effects: readonly Effect[]) => {
      for (const effect of effects) await apply(effect, now)
    }
    for (const { task, dueAt } of tasks) if (dueAt !== null) store.forgetFutureDues(db, task.id, now)
    const planned = seeDues(state, look, facts)
    state = planned.state
    await carryOut(planned.effects)
    const going = seeExecutions(state, look, facts, settings)
    state = going.state
    const { open, effects } = openDues(store.duesBefore(db, now - JUDGED_AFTER_MS), tasks, facts)
    await carryOut(effects)
    const due = judgeDues(open, await tasksOf(open, tasks, signal), { now, facts, rules: settings })
    const breaches = [...going.breaches, ...due.breaches]
    await executions.learn([...breaches.map(({ resultId }) => resultId), ...resultsOfFindings(tasks)])
    await carryOut(reports(breaches, now, facts))
    // A start whose alert could not be stored is found again by the next look.
    await carryOut(due.effects)
    await carryOut(ends(store.openFindings(db), tasks, facts))
    executions.forgetOthers(tasks)
    state = { ...state, lookedAt: now }
  }

  /** The tasks of the starts; those that the look has not shown are asked for. */
  async function tasksOf(dues: readonly Due[], tasks: readonly LiveTask[], signal: AbortSignal) {
    const known = new Map(tasks.map(({ task }) => [task.id.toLowerCase(), task]))
    const others = dues.flatMap(({ taskId }) => (known.has(taskId.toLowerCase()) ? [] : taskId))
    for (const task of others.length > 0 ? await deps.qrs.tasksById(others, signal) : [])
      known.set(task.id.toLowerCase(), task)
    return (id: string) => known.get(id.toLowerCase())
  }

  function resultsOfFindings(tasks: readonly LiveTask[]): (string | null)[] {
    const found = new Set(store.openFindings(db).map(({ taskId }) => taskId))
    return tasks.flatMap(({ task, state, resultId }) => (state !== 'idle' && found.has(task.id) ? resultId : []))
  }

  function apply(effect: Effect, now: number): unknown {
    switch (effect.do) {
      case 'note due':
        return store.noteDue(db, effect.taskId, effect.dueAt)
      case 'forget due':
        return store.forgetDue(db, effect.taskId, effect.dueAt)
      case 'warn': {
        const example = `${effect.count} tasks, for example "${effect.name}" since ${deps.logTime(effect.since)}`
        return log.warn(`WATCHDOG: ${WARNINGS[effect.of](example)} ${ADVICE}`)
      }
      case 'dismiss':
        store.noteFinding(db, effect.finding, now)
        return store.closeFinding(db, effect.finding)
      case 'report':
        return report(effect, now)
      case 'close':
        return store.closeFinding(db, effect.finding)
      case 'recover':
        return recover(effect, now)
    }
  }

  async function report({ breach, finding }: Extract<Effect, { do: 'report' }>, now: number): Promise<void> {
    const { outcome, task, node, elapsedMs, limitMs, usualMs, dueAt, resultId } = breach
    const { subject } = finding
    const more = resultId === null ? {} : { executionId: subject === resultId ? '' : subject }
    const text = TEXTS[outcome](minutes(limitMs))
    log.warn(`WATCHDOG: Task "${task.name}" (${task.id}): ${text}`)
    const details = { kind: 'watchdog', elapsedMs, limitMs, usualMs, dueAt } as const
    const message = { ...messageOf(task, text, node, now), ...more }
    const also = (tx: Database) => store.noteFinding(tx, finding, now)
    await deps.events.emit({ ...eventOf(task, outcome), message, details }, { also })
    deps.onFound?.(outcome)
  }

  async function recover({ finding, live }: Extract<Effect, { do: 'recover' }>, now: number): Promise<void> {
    log.info(`WATCHDOG: Task "${live.task.name}" (${finding.taskId}) runs now`)
    const executionId = finding.outcome === 'late' ? finding.subject : ''
    const message = { ...messageOf(live.task, 'It runs now', live.node, now), executionId }
    const also = (tx: Database) => store.closeFinding(tx, finding)
    await deps.events.emit({ ...eventOf(live.task, 'started'), message }, { also })
  }

  function eventOf(task: QrsTask, outcome: EventOutcome): Omit<FoundEvent, 'message'> {
    return { source: 'watchdog', type: deps.typeOf(task) ?? 'reload', outcome, enrich: true }
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

  const job = createSiteJob({ label: 'WATCHDOG', intervalMs, firstMs, work: examine }, log)
  return {
    name: 'watchdog',
    start: async () => job.start(),
    stop: job.stop,
    expect: (taskId, dueAt) => store.noteDue(db, taskId.toLowerCase(), dueAt),
  }
}

/** Executions of results that are not over; Qlik Sense is asked about each once. */
function createExecutionIds(qrs: Pick<ExecutionReader, 'resultsById'>) {
  const known = new Map<string, string>()
  return {
    of: (resultId: string): string => known.get(resultId) ?? resultId,
    /** Asks with one question for all that are new. */
    async learn(resultIds: readonly (string | null)[]): Promise<void> {
      const unknown = [...new Set(resultIds.flatMap((id) => (id === null || known.has(id) ? [] : id)))]
      if (unknown.length === 0) return
      for (const { id, executionID } of await qrs.resultsById(unknown)) {
        if (executionID) known.set(id.toLowerCase(), executionID.toLowerCase())
      }
    },
    forgetOthers(tasks: readonly LiveTask[]): void {
      const alive = new Set(tasks.flatMap(({ resultId, firstResultId }) => [resultId, firstResultId]))
      for (const id of known.keys()) if (!alive.has(id)) known.delete(id)
    },
  }
}

const WARNINGS: Readonly<Record<Extract<Effect, { do: 'warn' }>['of'], (example: string) => string>> = {
  dues: (example) =>
    `Qlik Sense shows starts in the past that were not planned a minute ago: ${example}. They are not reported as never started.`,
  ages: (example) =>
    `Tasks are late, stuck or not started for more than a day all at once: ${example}. No alerts are made of them.`,
}

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
