/** The task scheduler of the site. */
import { ZERO_GUID } from '../site.ts'
import type { SimExecution, SimNode, SimSession, SimTask, SimTimer, SimulatedSite, SiteEvents } from '../types.ts'
import {
  addDetail,
  changeText,
  failureDetail,
  LOG_MESSAGES,
  newExecution,
  STATUS,
  scriptLogLocation,
  sendingText,
} from './execution.ts'

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

type LogKind = SiteEvents['schedulerLog']['kind']

const SCHEDULER_USER = 'INTERNAL\\sa_scheduler'
const MINUTE_MS = 60_000

/** The task scheduler of the site: one run per task, states as Qlik Sense's, engines limited per node. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { site, modes } = deps
  const slots = createSlots(site)
  const runs = new Map<string, Run>()
  const waiting: Run[] = []

  function start(task: SimTask, user: string): string {
    const node = slots.anyNode()
    if (!task.enabled || !node || runs.has(task.id)) return ZERO_GUID
    const id = site.nextId('e5')
    const execution = newExecution(site, task, id, node)
    const { createdDate, modifiedDate, modifiedByUserName } = execution
    const abortAt = createdDate + task.taskSessionTimeout * MINUTE_MS
    const session: SimSession = {
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
    const run: Run = { session, task, attempt: 1, node: null, step: null, timeout: null }
    runs.set(task.id, run)
    site.sessions.set(id, session)
    begin(run, execution)
    return id
  }

  function after(run: Run, ms: number, next: () => void) {
    run.step = site.clock.schedule(ms, next)
  }

  function begin(run: Run, execution: SimExecution) {
    run.session.execution = execution
    run.task.operational.lastExecutionResult = execution
    site.executions.add(execution)
    announce(run, false)
    const { outcome, queueMs } = run.task.behaviour
    if (outcome === 'skipped') return after(run, modes.startDelayMs, () => end(run, STATUS.skipped))
    if (outcome === 'fail' && run.task.taskType === 4) return after(run, modes.startDelayMs, () => finish(run, false))
    if (queueMs <= 0) return launch(run)
    setStatus(run, STATUS.queued)
    after(run, queueMs, () => launch(run))
  }

  function launch(run: Run) {
    const node = slots.take(run.task)
    if (!node) {
      if (run.session.execution.status !== STATUS.queued) setStatus(run, STATUS.queued)
      waiting.push(run)
      return
    }
    const { execution } = run.session
    run.node = node
    run.session.executingNode = node
    execution.executingNodeID = node.id
    execution.executingNodeName = node.name
    addDetail(execution, 2, sendingText(node), site.clock.now())
    after(run, modes.startDelayMs, () => started(run))
  }

  function started(run: Run) {
    const { task, session } = run
    setStatus(run, STATUS.started)
    const timeoutMs = task.taskSessionTimeout * MINUTE_MS
    session.abortAt = site.clock.now() + timeoutMs
    run.timeout = site.clock.schedule(timeoutMs, () => abort(task.id, SCHEDULER_USER, 2))
    const { outcome, durationMs } = task.behaviour
    if (outcome === 'hang') return
    if (task.taskType === 3) return after(run, durationMs * 0.3, () => distribute(run))
    after(run, durationMs, () => finish(run, succeeds(run)))
  }

  function succeeds(run: Run): boolean {
    const { outcome, failures } = run.task.behaviour
    return outcome === 'success' || (outcome === 'fail-then-success' && run.attempt > failures)
  }

  /** The slave's request is done; the distribution itself goes on in its own queue. */
  function distribute(run: Run) {
    const { durationMs } = run.task.behaviour
    log(run, 'distribute', LOG_MESSAGES.distribute, run.session.user)
    after(run, modes.stateLagMs, () => {
      setStatus(run, STATUS.distributionQueue)
      after(run, durationMs * 0.3, () => {
        setStatus(run, STATUS.distributionRunning)
        after(run, durationMs * 0.4, () => finish(run, succeeds(run)))
      })
    })
  }

  function finish(run: Run, success: boolean) {
    const { task, session } = run
    const { outcome, failMessage } = task.behaviour
    if (success) {
      if (task.taskType !== 3) log(run, 'success', LOG_MESSAGES.success, session.user)
      return settle(run, () => end(run, STATUS.success))
    }
    addDetail(session.execution, 0, failureDetail(task.taskType, failMessage), site.clock.now())
    if (outcome !== 'error' && task.taskType !== 4 && run.attempt <= task.maxRetries) return retry(run)
    const message = lastWord(task)
    if (message) log(run, 'failed', message, session.user)
    settle(run, () => end(run, outcome === 'error' ? STATUS.error : STATUS.fail))
  }

  /** The message that the failure appender reads after a run failed for good; null: none. */
  function lastWord(task: SimTask): string | null {
    if (task.taskType === 3 || (task.taskType === 2 && !modes.userSyncFailures)) return null
    if (task.taskType === 4) return task.behaviour.failMessage ?? failureDetail(4, null)
    return task.behaviour.outcome === 'error' ? 'Failed to start session' : LOG_MESSAGES.failed
  }

  function settle(run: Run, next: () => void) {
    if (modes.stateLagMs > 0) after(run, modes.stateLagMs, next)
    else next()
  }

  function retry(run: Run) {
    conclude(run, STATUS.fail)
    setStatus(run, STATUS.retry)
    freeNode(run)
    after(run, modes.retryDelayMs, () => {
      run.attempt += 1
      begin(run, newExecution(site, run.task, run.session.id, run.session.executingNode))
    })
  }

  /** Writes the final state of one attempt. */
  function conclude(run: Run, status: number) {
    const { task } = run
    const { execution } = run.session
    const reload = task.taskType === 0 && status !== STATUS.skipped && execution.status !== STATUS.queued
    if (reload) {
      addDetail(execution, 2, 'Reference to scriptlog added', site.clock.now())
      execution.scriptLogLocation = scriptLogLocation(task, run.session.executingNode, execution.startTime)
    }
    setStatus(run, status)
    close(execution)
    if (reload) deps.publishScriptLog(task, execution)
  }

  function close(execution: SimExecution) {
    execution.stopTime = Math.max(site.clock.now(), execution.details.at(-1)?.at ?? 0)
    execution.duration = execution.stopTime - execution.startTime
  }

  function end(run: Run, status: number) {
    const { task, session } = run
    const { execution } = session
    conclude(run, status)
    const failed = status === STATUS.fail && task.taskType !== 3 && task.taskType !== 4
    if (failed) addDetail(execution, 2, LOG_MESSAGES.failed, site.clock.now())
    close(execution)
    if (modes.shuffleDetails) execution.details.reverse()
    if (status === STATUS.success && task.taskType === 0 && task.app) {
      site.appReloaded(task.app, execution.stopTime, session.user)
    }
    forget(run)
    announce(run, true)
    let served = true
    while (served && waiting.length > 0) served = serveNext()
  }

  /** Gives a free engine to the run that has waited longest; false when there is none. */
  function serveNext(): boolean {
    const next = waiting.shift()
    if (!next) return false
    launch(next)
    if (waiting.at(-1) !== next) return true
    waiting.pop()
    waiting.unshift(next)
    return false
  }

  function abort(taskId: string, user: string, reason = 1): boolean {
    const run = runs.get(taskId)
    if (!run) return false
    if (run.session.abortReason !== 0) return true
    site.clock.cancel(run.step)
    site.clock.cancel(run.timeout)
    const place = waiting.indexOf(run)
    if (place >= 0) waiting.splice(place, 1)
    run.session.abortReason = reason
    setStatus(run, STATUS.abortInitiated)
    after(run, modes.abortStepMs, () => {
      setStatus(run, STATUS.aborting)
      log(run, 'aborted', LOG_MESSAGES.aborted, user)
      after(run, modes.abortStepMs + modes.stateLagMs, () => {
        end(run, STATUS.aborted)
        if (modes.failAfterAbort) log(run, 'failed', LOG_MESSAGES.failed, run.session.user)
      })
    })
    return true
  }

  function setStatus(run: Run, status: number) {
    const { execution } = run.session
    const now = site.clock.now()
    addDetail(execution, 2, changeText(execution.status, status), now)
    execution.status = status
    execution.modifiedDate = now
    run.session.modifiedDate = now
    announce(run, false)
  }

  function announce(run: Run, final: boolean) {
    const { execution, user } = run.session
    site.emit('state', { task: run.task, execution, user, final })
  }

  function log(run: Run, kind: LogKind, message: string, user: string) {
    const node = kind === 'distribute' ? run.session.executingNode : site.centralNode()
    const { execution } = run.session
    site.emit('schedulerLog', { kind, task: run.task, execution, user, message, host: node.name.toUpperCase() })
  }

  function freeNode(run: Run) {
    if (run.node) slots.release(run.node, run.task)
    run.node = null
    site.clock.cancel(run.timeout)
  }

  function forget(run: Run) {
    freeNode(run)
    runs.delete(run.task.id)
    site.sessions.delete(run.session.id)
  }

  return {
    start,
    abort,
    reset() {
      for (const run of runs.values()) {
        site.clock.cancel(run.step)
        site.clock.cancel(run.timeout)
      }
      runs.clear()
      waiting.length = 0
      slots.clear()
      site.sessions.clear()
    },
  }
}

/** Reload, distribute and preload need an engine of a scheduler node; the other types don't. */
const needsEngine = (task: SimTask) => task.taskType !== 1 && task.taskType !== 2

/** The scheduler nodes that execute tasks, and the number of their busy engines. */
function createSlots(site: SimulatedSite) {
  const busy = new Map<string, number>()

  /** Master-only schedulers (type 0) assign tasks but execute none. */
  const workers = (): SimNode[] =>
    [...site.nodes.values()].filter((node) => node.schedulerEnabled && node.schedulerServiceType !== 0)

  const load = (node: SimNode) => (busy.get(node.id) ?? 0) / node.maxConcurrentEngines

  return {
    /** A node that would run something; null when the site has no scheduler. */
    anyNode: (): SimNode | null => workers()[0] ?? null,
    /** Takes an engine on the least loaded node; null when all are busy. */
    take(task: SimTask): SimNode | null {
      const nodes = workers()
      if (!needsEngine(task)) return nodes[0] ?? null
      const free = nodes.filter((node) => load(node) < 1).sort((a, b) => load(a) - load(b))[0]
      if (free) busy.set(free.id, (busy.get(free.id) ?? 0) + 1)
      return free ?? null
    },
    release(node: SimNode, task: SimTask) {
      if (needsEngine(task)) busy.set(node.id, Math.max(0, (busy.get(node.id) ?? 0) - 1))
    },
    clear: () => busy.clear(),
  }
}
