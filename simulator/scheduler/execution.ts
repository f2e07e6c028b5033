/** Executions: their states, details and texts as QRS shows them. */
import { NEVER_MS } from '../entities.ts'
import { ZERO_GUID } from '../site.ts'
import type { ExecutionDetail, SimExecution, SimNode, SimTask, SimulatedSite } from '../types.ts'

/** Execution status of QRS. */
export const STATUS = {
  neverStarted: 0,
  triggered: 1,
  started: 2,
  queued: 3,
  abortInitiated: 4,
  aborting: 5,
  aborted: 6,
  success: 7,
  fail: 8,
  skipped: 9,
  retry: 10,
  error: 11,
  reset: 12,
  distributionQueue: 13,
  distributionRunning: 14,
} as const

/** Names by number, as the status enumeration of QRS and the texts of execution details write them. */
export const STATUS_NAMES = [
  'NeverStarted',
  'Triggered',
  'Started',
  'Queued',
  'AbortInitiated',
  'Aborting',
  'Aborted',
  'FinishedSuccess',
  'FinishedFail',
  'Skipped',
  'Retry',
  'Error',
  'Reset',
  'DistributionQueue',
  'DistributionRunning',
] as const

export const TASK_TYPE_NAMES = ['Reload', 'ExternalProgram', 'UserSync', 'Distribute', 'Preload'] as const

/** Texts that the log appenders look for, by kind of line. */
export const LOG_MESSAGES = {
  failed: 'Max retries reached',
  aborted: 'Execution State Change to Aborting',
  success: 'Execution State Change to FinishedSuccess',
  distribute: 'Exiting execute of Distribute task request.',
} as const

const PROVIDER_FAILURES = [
  'Message from ReloadProvider: Reload failed in Engine. Check engine or script logs.',
  'Message from ExternalProgramProvider: External program failed.',
  'Message from UserSyncProvider: User synchronization failed.',
  'Message from DistributeProvider: Distribution failed.',
  'Could not reserve an executor for task',
] as const

/** The error detail of a failed run: the task's own text, else that of its type. */
export function failureDetail(taskType: number, failMessage: string | null): string {
  return failMessage ?? PROVIDER_FAILURES[taskType] ?? 'Task failed'
}

export const changeText = (from: number, to: number) =>
  `Changing task state from ${STATUS_NAMES[from]} to ${STATUS_NAMES[to]}`

/** A new attempt of a run, in the state Triggered. */
export function newExecution(site: SimulatedSite, task: SimTask, executionID: string, node: SimNode): SimExecution {
  const now = site.clock.now()
  return {
    id: site.nextId('0c'),
    createdDate: now,
    modifiedDate: now,
    modifiedByUserName: 'INTERNAL\\sa_scheduler',
    taskID: task.id,
    executionID,
    appID: task.app?.id ?? ZERO_GUID,
    executingNodeID: node.id,
    executingNodeName: node.name,
    status: STATUS.triggered,
    startTime: now,
    stopTime: NEVER_MS,
    duration: 0,
    fileReferenceID: ZERO_GUID,
    scriptLogAvailable: false,
    scriptLogLocation: '',
    scriptLogSize: 0,
    details: [detail(2, 'Changing task state to Triggered', now)],
  }
}

const detail = (detailsType: 0 | 1 | 2, message: string, at: number): ExecutionDetail => ({
  detailsType,
  message,
  at,
})

/** Adds a detail, at least a millisecond after the one before, so that sorting by time keeps the order. */
export function addDetail(execution: SimExecution, detailsType: 0 | 1 | 2, message: string, now: number) {
  const last = execution.details.at(-1)?.at ?? 0
  execution.details.push(detail(detailsType, message, Math.max(now, last + 1)))
}

interface FinishedRun {
  readonly outcome: 'success' | 'fail'
  readonly startedAt: number
  readonly durationMs: number
  readonly node: SimNode
  readonly executionID: string
}

/** Location that QRS reports, relative to the site's archived logs. */
export function scriptLogLocation(task: SimTask, node: SimNode, at: number): string {
  const stamp = new Date(at).toISOString().replaceAll('-', '').replaceAll(':', '').slice(0, 19)
  return `${node.name}\\Script\\${task.app?.id}.${stamp}+0000.F5AFCAF853712D5B7DBC.log`
}

/** A run that ended in the past, with every detail that a real one leaves. */
export function finishedExecution(site: SimulatedSite, task: SimTask, run: FinishedRun): SimExecution {
  const { startedAt, node } = run
  const stoppedAt = startedAt + run.durationMs
  const final = run.outcome === 'success' ? STATUS.success : STATUS.fail
  const hasLog = task.taskType === 0
  const details = [
    detail(2, 'Changing task state to Triggered', startedAt),
    detail(2, sendingText(node), startedAt + 1),
    detail(2, changeText(STATUS.triggered, STATUS.started), startedAt + 2),
  ]
  if (final === STATUS.fail) {
    details.push(detail(0, failureDetail(task.taskType, task.behaviour.failMessage), stoppedAt - 3))
  }
  if (hasLog) details.push(detail(2, 'Reference to scriptlog added', stoppedAt - 2))
  details.push(detail(2, changeText(STATUS.started, final), stoppedAt - 1))
  if (final === STATUS.fail) details.push(detail(2, 'Max retries reached', stoppedAt))
  return {
    ...newExecution(site, task, run.executionID, node),
    createdDate: startedAt,
    modifiedDate: stoppedAt,
    status: final,
    startTime: startedAt,
    stopTime: stoppedAt,
    duration: run.durationMs,
    fileReferenceID: hasLog ? site.nextId('0f') : ZERO_GUID,
    scriptLogLocation: hasLog ? scriptLogLocation(task, node, startedAt) : '',
    details,
  }
}

export const sendingText = (node: SimNode) => `Trying to start task. Sending task to slave-node ${node.hostName}`
