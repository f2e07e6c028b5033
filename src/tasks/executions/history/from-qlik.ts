/** What the history keeps of an execution, from what Qlik Sense and events tell. */
import type { TaskEvent } from '../../../events/types.ts'
import type { QrsExecutionResult, QrsTask } from '../../../qlik/qrs/types.ts'
import { type Progress, progressOf } from '../progress.ts'
import { scriptError } from '../script-error.ts'
import { OUTCOMES, TASK_TYPES, taskTypeText } from '../status.ts'
import type { EndedExecution, ExecutionOutcome } from '../types.ts'

/** Null while it is not final, or when its task is gone or of a kind that is not known. */
export function endedFromResults(
  executionId: string | null,
  results: readonly QrsExecutionResult[],
  task: QrsTask | null,
): EndedExecution | null {
  return endedFromProgress(executionId, progressOf(results, false), task)
}

/** As `endedFromResults`. */
export function endedFromProgress(
  executionId: string | null,
  progress: Progress | null,
  task: QrsTask | null,
): EndedExecution | null {
  if (!progress || !task || task.taskType < 0 || task.taskType >= TASK_TYPES.length) return null
  const { state, outcome } = progress
  if (state !== 'finished' || outcome === null) return null
  const stoppedAt = progress.stoppedAt ?? progress.startedAt ?? progress.triggeredAt
  if (stoppedAt === null) return null
  return {
    executionId,
    taskId: task.id,
    taskName: task.name,
    taskType: taskTypeText(task.taskType),
    appId: task.app?.id ?? null,
    appName: task.app?.name ?? null,
    ...measured(progress),
    outcome,
    actor: null,
    stoppedAt,
    error: errorOf(outcome, null, progress),
  }
}

/** Null for events that are not about the end of a task. */
export function endedFromEvent(event: TaskEvent): EndedExecution | null {
  const outcome = OUTCOMES.find((one) => one === event.outcome) ?? null
  if (outcome === null || !TASK_TYPES.some((type) => type === event.type)) return null
  const { execution } = event
  const progress = execution && progressOf([execution], false)
  const final = progress?.state === 'finished' ? progress : null
  return {
    executionId: event.executionId || execution?.executionID || null,
    taskId: event.taskId,
    taskName: event.taskName,
    taskType: event.type,
    appId: event.appId || null,
    appName: event.appName || null,
    ...(final ? measured(final) : UNMEASURED),
    outcome: final?.outcome ?? outcome,
    actor: null,
    stoppedAt: final?.stoppedAt ?? event.receivedAt,
    error: errorOf(final?.outcome ?? outcome, event.scriptLog?.lines.join('\n') ?? null, final),
  }
}

function measured({ result, statusNum, node, triggeredAt, startedAt, queueMs, runMs, attempts }: Progress) {
  return { resultId: result.id, statusNum, node: node || null, triggeredAt, startedAt, queueMs, runMs, attempts }
}

const UNMEASURED = {
  ...{ resultId: null, statusNum: null, node: null, triggeredAt: null, startedAt: null },
  ...{ queueMs: null, runMs: null, attempts: 1 },
} as const

function errorOf(outcome: ExecutionOutcome, scriptLog: string | null, progress: Progress | null): string | null {
  if (outcome !== 'failed' && outcome !== 'aborted') return null
  const detail = progress?.details.findLast(({ level }) => level === 'error')?.message ?? null
  return (scriptLog === null ? null : scriptError(scriptLog)) ?? detail
}
