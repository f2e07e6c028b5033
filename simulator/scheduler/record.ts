/** Writes down what a run does: states and details as QRS shows them, lines as the log of the scheduler has them. */
import type { SimExecution, SimSession, SimulatedSite, SiteEvents } from '../types.ts'
import { addDetail, changeText, LOG_MESSAGES, STATUS, scriptLogLocation } from './execution.ts'

type LogKind = SiteEvents['schedulerLog']['kind']

export interface RunRecord {
  setStatus(session: SimSession, status: number): void
  /** Adds a detail to the attempt under way; type 0 is an error, 2 a remark. */
  note(session: SimSession, detailsType: 0 | 2, message: string): void
  /** Sends the state of the run to those who watch the site. */
  announce(session: SimSession, final: boolean): void
  /** Writes a line into the log of the scheduler. */
  log(session: SimSession, kind: LogKind, message: string, user?: string): void
  /** Writes the final state of one attempt. */
  conclude(session: SimSession, status: number): void
  /** Writes the final state of the run. */
  end(session: SimSession, status: number): void
}

export function createRunRecord(
  site: SimulatedSite,
  publishScriptLog: (task: SimSession['task'], execution: SimExecution) => void,
  modes: { readonly shuffleDetails: boolean },
): RunRecord {
  const { clock } = site

  function setStatus(session: SimSession, status: number): void {
    const { execution } = session
    const now = clock.now()
    addDetail(execution, 2, changeText(execution.status, status), now)
    execution.status = status
    execution.modifiedDate = now
    session.modifiedDate = now
    announce(session, false)
  }

  function note({ execution }: SimSession, detailsType: 0 | 2, message: string): void {
    addDetail(execution, detailsType, message, clock.now())
  }

  function announce({ task, execution, user }: SimSession, final: boolean): void {
    site.emit('state', { task, execution, user, final })
  }

  function conclude(session: SimSession, status: number): void {
    const { task, execution, executingNode } = session
    const reload = task.taskType === 0 && status !== STATUS.skipped && execution.status !== STATUS.queued
    if (reload) {
      note(session, 2, 'Reference to scriptlog added')
      execution.scriptLogLocation = scriptLogLocation(task, executingNode, execution.startTime)
    }
    setStatus(session, status)
    close(execution)
    if (reload) publishScriptLog(task, execution)
  }

  function close(execution: SimExecution): void {
    execution.stopTime = Math.max(clock.now(), execution.details.at(-1)?.at ?? 0)
    execution.duration = execution.stopTime - execution.startTime
  }

  return {
    setStatus,
    note,
    announce,
    conclude,
    end(session, status) {
      const { task, execution } = session
      conclude(session, status)
      const failed = status === STATUS.fail && task.taskType !== 3 && task.taskType !== 4
      if (failed) note(session, 2, LOG_MESSAGES.failed)
      close(execution)
      if (modes.shuffleDetails) execution.details.reverse()
    },
    log({ task, execution, executingNode, user: starter }, kind, message, user = starter) {
      const node = kind === 'distribute' ? executingNode : site.centralNode()
      site.emit('schedulerLog', { kind, task, execution, user, message, host: node.name.toUpperCase() })
    },
  }
}
