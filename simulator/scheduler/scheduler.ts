/** The task scheduler of the site. */
import { ZERO_GUID } from '../site.ts'
import type { SimExecution, SimNode, SimSession, SimTask, SimTimer, SimulatedSite } from '../types.ts'
import { failureDetail, LOG_MESSAGES, newExecution, STATUS, sendingText } from './execution.ts'
import { createRunRecord } from './record.ts'

/** Behaviour of the scheduler that can be changed; times in simulated milliseconds. */
export interface SchedulerModes {
  /** Between Triggered and Started. */
  startDelayMs: number
  /** Between a failed attempt and the next. */
  retryDelayMs: number
  /** Between AbortInitiated, Aborting and Aborted. */
  abortStepMs: number
  /** QRS shows the end of a run so much later than the scheduler logs it. */
  stateLagMs: number
  /** An aborted run also logs a failure with the same execution id. */
  failAfterAbort: boolean
  /** Failed user syncs log `Max retries reached` too (a real site does not, although the shipped appenders match it). */
  userSyncFailures: boolean
  /** QRS gives execution details in no particular order. */
  shuffleDetails: boolean
}

export const DEFAULT_SCHEDULER_MODES: SchedulerModes = {
  startDelayMs: 30,
  retryDelayMs: 100,
  abortStepMs: 20,
  stateLagMs: 0,
  failAfterAbort: false,
  userSyncFailures: false,
  shuffleDetails: false,
}

interface SchedulerDeps {
  readonly site: SimulatedSite
  readonly modes: SchedulerModes
  /** Gives a finished reload its script log, now or later. */
  publishScriptLog(task: SimTask, execution: SimExecution): void
}

export interface Scheduler {
  /**
   * Starts a run as `user` (`DIR\id`). Returns the id of its execution session, or the all-zero GUID when nothing
   * starts: task disabled or already running, no scheduler node.
   */
  start(task: SimTask, user: string): string
  /** Stops the run of a task; reason 1 manual, 2 time-out, 3 deleted task. False when it doesn't run. */
  abort(taskId: string, user: string, reason?: number): boolean
  /** Forgets every run without an event. */
  reset(): void
}

interface Run {
  readonly session: SimSession
  readonly task: SimTask
  attempt: number
  node: SimNode | null
  step: SimTimer | null
  timeout: SimTimer | null
}

const SCHEDULER_USER = 'INTERNAL\\sa_scheduler'
const MINUTE_MS = 60_000

/** The task scheduler of the site: one run per task, states as Qlik Sense's, engines limited per node. */
export function createScheduler({ site, modes, publishScriptLog }: SchedulerDeps): Scheduler {
  const { clock } = site
  const record = createRunRecord(site, publishScriptLog, modes)
  const runs = new Map<string, Run>()
  const engines = createEngines(site, engineGiven)

  function start(task: SimTask, user: string): string {
    const node = engines.anyNode()
    if (!task.enabled || !node || runs.has(task.id)) return ZERO_GUID
    const session = newSession(site, task, node, user)
    const run: Run = { session, task, attempt: 1, node: null, step: null, timeout: null }
    runs.set(task.id, run)
    site.sessions.set(session.id, session)
    begin(run, session.execution)
    return session.id
  }

  function after(run: Run, ms: number, next: () => void) {
    run.step = clock.schedule(ms, next)
  }

  function begin(run: Run, execution: SimExecution) {
    run.session.execution = execution
    run.task.operational.lastExecutionResult = execution
    site.executions.add(execution)
    record.announce(run.session, false)
    const { outcome, queueMs } = run.task.behaviour
    if (outcome === 'skipped') return after(run, modes.startDelayMs, () => end(run, STATUS.skipped))
    if (outcome === 'fail' && run.task.taskType === 4) return after(run, modes.startDelayMs, () => finish(run, false))
    if (queueMs <= 0) return launch(run)
    record.setStatus(run.session, STATUS.queued)
    after(run, queueMs, () => launch(run))
  }

  function launch(run: Run) {
    if (engines.request(run)) return
    if (run.session.execution.status !== STATUS.queued) record.setStatus(run.session, STATUS.queued)
  }

  function engineGiven(run: Run, node: SimNode) {
    const { session } = run
    run.node = node
    session.executingNode = node
    session.execution.executingNodeID = node.id
    session.execution.executingNodeName = node.name
    record.note(session, 2, sendingText(node))
    after(run, modes.startDelayMs, () => started(run))
  }

  function started(run: Run) {
    const { task, session } = run
    record.setStatus(session, STATUS.started)
    const timeoutMs = task.taskSessionTimeout * MINUTE_MS
    session.abortAt = clock.now() + timeoutMs
    run.timeout = clock.schedule(timeoutMs, () => abort(task.id, SCHEDULER_USER, 2))
    const { outcome, durationMs } = task.behaviour
    if (outcome === 'hang') return
    if (task.taskType === 3) return after(run, durationMs * 0.3, () => distribute(run))
    after(run, durationMs, () => finish(run, succeeds(run)))
  }

  /** The slave's request is done; the distribution itself goes on in its own queue. */
  function distribute(run: Run) {
    const { durationMs } = run.task.behaviour
    record.log(run.session, 'distribute', LOG_MESSAGES.distribute)
    after(run, modes.stateLagMs, () => {
      record.setStatus(run.session, STATUS.distributionQueue)
      after(run, durationMs * 0.3, () => {
        record.setStatus(run.session, STATUS.distributionRunning)
        after(run, durationMs * 0.4, () => finish(run, succeeds(run)))
      })
    })
  }

  function finish(run: Run, success: boolean) {
    const { task, session } = run
    const { outcome, failMessage } = task.behaviour
    if (success) {
      if (task.taskType !== 3) record.log(session, 'success', LOG_MESSAGES.success)
      return settle(run, () => end(run, STATUS.success))
    }
    record.note(session, 0, failureDetail(task.taskType, failMessage))
    if (outcome !== 'error' && task.taskType !== 4 && run.attempt <= task.maxRetries) return retry(run)
    const message = lastWord(task, modes)
    if (message) record.log(session, 'failed', message)
    settle(run, () => end(run, outcome === 'error' ? STATUS.error : STATUS.fail))
  }

  function settle(run: Run, next: () => void) {
    if (modes.stateLagMs > 0) after(run, modes.stateLagMs, next)
    else next()
  }

  function retry(run: Run) {
    record.conclude(run.session, STATUS.fail)
    record.setStatus(run.session, STATUS.retry)
    freeNode(run)
    after(run, modes.retryDelayMs, () => {
      run.attempt += 1
      begin(run, newExecution(site, run.task, run.session.id, run.session.executingNode))
    })
  }

  function end(run: Run, status: number) {
    const { task, session } = run
    record.end(session, status)
    if (status === STATUS.success && task.taskType === 0 && task.app) {
      site.appReloaded(task.app, session.execution.stopTime, session.user)
    }
    freeNode(run)
    runs.delete(task.id)
    site.sessions.delete(session.id)
    record.announce(session, true)
    engines.serve()
  }

  function abort(taskId: string, user: string, reason = 1): boolean {
    const run = runs.get(taskId)
    if (!run) return false
    const { session } = run
    if (session.abortReason !== 0) return true
    stopTimers(run)
    engines.withdraw(run)
    session.abortReason = reason
    record.setStatus(session, STATUS.abortInitiated)
    after(run, modes.abortStepMs, () => {
      record.setStatus(session, STATUS.aborting)
      record.log(session, 'aborted', LOG_MESSAGES.aborted, user)
      after(run, modes.abortStepMs + modes.stateLagMs, () => {
        end(run, STATUS.aborted)
        if (modes.failAfterAbort) record.log(session, 'failed', LOG_MESSAGES.failed)
      })
    })
    return true
  }

  function freeNode(run: Run) {
    if (run.node) engines.release(run.node, run.task)
    run.node = null
    clock.cancel(run.timeout)
  }

  function stopTimers(run: Run) {
    clock.cancel(run.step)
    clock.cancel(run.timeout)
  }

  return {
    start,
    abort,
    reset() {
      for (const run of runs.values()) stopTimers(run)
      runs.clear()
      engines.clear()
      site.sessions.clear()
    },
  }
}

function newSession(site: SimulatedSite, task: SimTask, node: SimNode, user: string): SimSession {
  const id = site.nextId('e5')
  const execution = newExecution(site, task, id, node)
  const { createdDate, modifiedDate, modifiedByUserName } = execution
  const abortAt = createdDate + task.taskSessionTimeout * MINUTE_MS
  return {
    id,
    createdDate,
    modifiedDate,
    modifiedByUserName,
    task,
    execution,
    user,
    abortAt,
    executingNode: node,
    abortReason: 0,
  }
}

function succeeds({ attempt, task }: Run): boolean {
  const { outcome, failures } = task.behaviour
  return outcome === 'success' || (outcome === 'fail-then-success' && attempt > failures)
}

/** The message that the failure appender reads after a run failed for good; null: none. */
function lastWord(task: SimTask, modes: SchedulerModes): string | null {
  if (task.taskType === 3 || (task.taskType === 2 && !modes.userSyncFailures)) return null
  if (task.taskType === 4) return task.behaviour.failMessage ?? failureDetail(4, null)
  return task.behaviour.outcome === 'error' ? 'Failed to start session' : LOG_MESSAGES.failed
}

/** Reload, distribute and preload need an engine of a scheduler node; the other types don't. */
const needsEngine = (task: SimTask) => task.taskType !== 1 && task.taskType !== 2

/** The engines of the scheduler nodes, and the runs that wait for one. `give` is called with each run that gets one. */
function createEngines(site: SimulatedSite, give: (run: Run, node: SimNode) => void) {
  /** Engines in use, by node. */
  const busy = new Map<string, number>()
  /** Longest first. */
  const waiting: Run[] = []

  /** Master-only schedulers (type 0) assign tasks but execute none. */
  const workers = (): SimNode[] =>
    [...site.nodes.values()].filter((node) => node.schedulerEnabled && node.schedulerServiceType !== 0)

  const load = (node: SimNode) => (busy.get(node.id) ?? 0) / node.maxConcurrentEngines

  /** Takes an engine on the least loaded node; null when all are busy. */
  function take(task: SimTask): SimNode | null {
    const nodes = workers()
    if (!needsEngine(task)) return nodes[0] ?? null
    const free = nodes.filter((node) => load(node) < 1).sort((a, b) => load(a) - load(b))[0]
    if (free) busy.set(free.id, (busy.get(free.id) ?? 0) + 1)
    return free ?? null
  }

  return {
    /** A node that would run something; null when the site has no scheduler. */
    anyNode: (): SimNode | null => workers()[0] ?? null,
    /** Gives the run an engine; false when it has to wait for one. */
    request(run: Run): boolean {
      const node = take(run.task)
      if (node) give(run, node)
      else waiting.push(run)
      return node !== null
    },
    /** Gives free engines to the runs that have waited longest. */
    serve(): void {
      for (let [next] = waiting; next; [next] = waiting) {
        const node = take(next.task)
        if (!node) return
        waiting.shift()
        give(next, node)
      }
    },
    /** The run waits no longer. */
    withdraw(run: Run): void {
      const place = waiting.indexOf(run)
      if (place >= 0) waiting.splice(place, 1)
    },
    release(node: SimNode, task: SimTask): void {
      if (needsEngine(task)) busy.set(node.id, Math.max(0, (busy.get(node.id) ?? 0) - 1))
    },
    clear(): void {
      busy.clear()
      waiting.length = 0
    },
  }
}
