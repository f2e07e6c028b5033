/** Follows what a start request started or queued, until all is final, time is over, or it cannot be followed. */
import { visible } from '../../platform/visible.ts'
import type { CommandIo } from '../io.ts'
import type { Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { type ExecutionView, follow, scriptLog } from './follow.ts'
import type { FailedTask, StartAnswer, StartedTask, WaitingTask } from './start-report.ts'
import { span } from './table.ts'

export interface FinishOptions {
  /** Seconds; true = as long as it takes, up to 24 h; absent = not at all. */
  readonly wait?: number | true
  readonly json?: boolean
  readonly log?: boolean
}

const LONGEST_WAIT_S = 24 * 3600

/**
 * The answer as it stands then; prints on the way, and a last line for each task. Never throws a `CommandFailure`: who
 * repeats a command that could not be carried out must not start the tasks twice.
 */
export async function finish(
  remote: Remote,
  answer: StartAnswer,
  options: FinishOptions,
  io: CommandIo,
): Promise<StartAnswer> {
  const { wait, json, log } = options
  const say = (line: string): void => {
    if (!json) io.out(visible(line))
  }
  for (const { taskName, executionId } of answer.tasksStarted)
    say(`started   ${taskName}  ${executionId ?? ''}`.trimEnd())
  for (const { taskName, queueId } of answer.tasksQueued ?? []) say(`queued    ${taskName}  ${queueId}`)
  if (wait === undefined) return answer

  const deadline = Date.now() + (wait === true ? LONGEST_WAIT_S : wait) * 1000
  const tasksStarted: StartedTask[] = []
  const tasksFailed: FailedTask[] = [...(answer.tasksFailed ?? [])]
  const tasksQueued: WaitingTask[] = []
  let lost: CommandFailure | null = null

  for (const task of answer.tasksStarted) {
    const view = task.executionId === null ? null : await seen(task.executionId)
    tasksStarted.push(view ? { ...task, execution: summaryOf(view) } : task)
    if (view) await tell(view)
    else say(`started   ${task.taskName}  (what became of it is not known)`)
  }
  for (const task of answer.tasksQueued ?? []) {
    const { taskId, taskName } = task
    const view = await seen(task.queueId)
    if (!view || view.statusText === 'InStartQueue') {
      tasksQueued.push(task)
      say(`queued    ${taskName}`)
    } else if (view.statusText === 'NotStarted') {
      tasksFailed.push({ taskId, taskName, status: 'failed', error: view.error ?? '' })
    } else {
      const { executionId } = view
      tasksStarted.push({ taskId, taskName, status: 'started', executionId, execution: summaryOf(view) })
      await tell(view)
    }
  }
  const open = tasksQueued.length + tasksStarted.filter(({ execution }) => execution?.state !== 'finished').length
  conclude(open)

  /** Null for what is unknown, and for everything after a refusal. */
  async function seen(id: string): Promise<ExecutionView | null> {
    if (lost) return null
    try {
      return (await follow(remote, id, deadline))?.view ?? null
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      lost = error
      return null
    }
  }

  async function tell(view: ExecutionView): Promise<void> {
    say(executionLine(view))
    const failed = view.state === 'finished' && view.outcome !== 'success'
    if (failed && log) (json ? io.err : io.out)(await logOf(remote, view))
  }

  function conclude(count: number): void {
    if (lost) io.err(visible(`error: start-task: the tasks were started, but cannot be followed: ${lost.message}`))
    else if (count > 0) say(`time over: ${count} still queued or running`)
  }

  return {
    ...answer,
    tasksStarted,
    totalTasksStarted: tasksStarted.length,
    tasksFailed: tasksFailed.length > 0 ? tasksFailed : undefined,
    tasksQueued: tasksQueued.length > 0 ? tasksQueued : undefined,
  }
}

async function logOf(remote: Remote, view: ExecutionView): Promise<string> {
  try {
    return (await scriptLog(remote, view)) ?? '(there is no script log)'
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    return `(the script log cannot be read: ${error.message})`
  }
}

const summaryOf = ({ state, outcome, statusText, queueMs, runMs }: ExecutionView) => ({
  ...{ state, outcome, statusText, queueMs, runMs },
})

/** `failed    Sales ETL hourly  after 1.5 s: Error: Cannot open file`. */
export function executionLine({ state, outcome, taskName, appName, runMs, error }: ExecutionView): string {
  const words = `${(outcome ?? state).padEnd(8)}  ${taskName ?? appName ?? ''}`
  const time = runMs === null ? '' : `  after ${span(runMs)}`
  return `${words}${time}${error ? `: ${error}` : ''}`
}
