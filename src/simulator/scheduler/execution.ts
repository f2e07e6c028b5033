import { NEVER_MS } from '../entities.ts'
import { ZERO_GUID } from '../site.ts'
import type { ExecutionDetail, SimExecution, SimNode, SimTask, SimulatedSite } from '../types.ts'
import { changeText, failureDetail, STATUS } from './status.ts'

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

export const detail = (detailsType: 0 | 1 | 2, message: string, at: number): ExecutionDetail => ({
  detailsType,
  message,
  at,
})

/** Adds a detail, at least a millisecond after the one before, so that sorting by time keeps the order. */
export function addDetail(execution: SimExecution, detailsType: 0 | 1 | 2, message: string, now: number) {
  const last = execution.details.at(-1)?.at ?? 0
  execution.details.push(detail(detailsType, message, Math.max(now, last + 1)))
}

export interface FinishedRun {
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
