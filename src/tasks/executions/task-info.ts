/** What is told about a task of the site. */
import { NEVER, type QrsExecutionResult, type QrsTask } from '../../qlik/qrs/types.ts'
import { type Progress, progressOf } from './progress.ts'
import { taskTypeText } from './status.ts'

export interface TaskInfo {
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly enabled: boolean
  readonly tags: readonly string[]
  readonly customProperties: readonly { readonly name: string; readonly value: string }[]
  readonly appId: string | null
  readonly appName: string | null
  readonly stream: string | null
  /** ISO 8601. */
  readonly nextExecution: string | null
  /** Null when it never ran. */
  readonly last: LastRun | null
}

export interface LastRun {
  /** Null while QRS does not tell. */
  readonly executionId: string | null
  readonly state: Progress['state']
  readonly outcome: Progress['outcome']
  readonly stoppedAt: string | null
  readonly runMs: number | null
}

/** The last run without its execution id, which tasks do not carry. */
export function taskInfo(task: QrsTask): TaskInfo {
  const { nextExecution } = task.operational ?? {}
  return {
    taskId: task.id,
    taskName: task.name,
    taskType: taskTypeText(task.taskType),
    enabled: task.enabled,
    tags: task.tags.map(({ name }) => name),
    customProperties: task.customProperties.map(({ definition, value }) => ({ name: definition.name, value })),
    appId: task.app?.id ?? null,
    appName: task.app?.name ?? null,
    stream: task.app?.stream?.name ?? null,
    nextExecution: nextExecution && nextExecution !== NEVER ? nextExecution : null,
    last: lastRun(lastResultOf(task)),
  }
}

/** Null when the task never ran. */
export function lastResultOf({ operational }: QrsTask): QrsExecutionResult | null {
  const result = operational?.lastExecutionResult
  return result && result.status > 0 ? result : null
}

function lastRun(result: QrsExecutionResult | null): LastRun | null {
  const progress = result && progressOf([result], false)
  if (!progress) return null
  const { state, outcome, stoppedAt, runMs } = progress
  return { executionId: result.executionID ?? null, state, outcome, stoppedAt: isoOf(stoppedAt), runMs }
}

/** Null stays null. */
export function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString()
}
