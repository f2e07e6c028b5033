/** The whole description of an execution, from what QRS, the engine and Footman's own records know. */
import type { AppReload } from '../../apps/types.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import { type Progress, summaryOf } from './progress.ts'
import { taskTypeText } from './status.ts'
import { isoOf } from './task-info.ts'
import type { Execution, QueuedStart, StartRecord } from './types.ts'

export interface TaskExecutionParts {
  readonly executionId: string
  readonly progress: Progress
  /** Null when the task has been deleted. */
  readonly task: QrsTask | null
  /** Present when Footman started it. */
  readonly record: StartRecord | undefined
  /** What the script log says went wrong. */
  readonly scriptError: string | null
}

export function taskExecution({ executionId, progress, task, record, scriptError }: TaskExecutionParts): Execution {
  const { state, outcome, statusText, queueMs, runMs } = summaryOf(progress)
  const detail = progress.details.findLast(({ level }) => level === 'error')?.message ?? null
  const isBad = outcome === 'failed' || outcome === 'aborted'
  return {
    executionId,
    kind: 'task',
    taskId: task?.id ?? (progress.taskId || null),
    taskName: task?.name ?? record?.taskName ?? null,
    taskType: task ? taskTypeText(task.taskType) : null,
    appId: task?.app?.id ?? progress.appId,
    appName: task?.app?.name ?? null,
    ...{ state, outcome, statusNum: progress.statusNum, statusText },
    node: progress.node || null,
    ...(record && { actor: record.actor }),
    triggeredAt: isoOf(progress.triggeredAt),
    startedAt: isoOf(progress.startedAt),
    stoppedAt: isoOf(progress.stoppedAt),
    ...{ queueMs, runMs, attempts: progress.attempts },
    error: isBad ? (scriptError ?? detail) : null,
    details: progress.details,
  }
}

const APP_RELOAD_TEXTS = { running: 'Running', success: 'Succeeded', failed: 'Failed', unknown: 'Unknown' } as const

export function appReloadExecution(reload: AppReload): Execution {
  const { executionId, appId, appName, state, outcome, actor, error, details } = reload
  return {
    executionId,
    kind: 'appReload',
    ...{ taskId: null, taskName: null, taskType: null, appId, appName, state, outcome },
    statusNum: null,
    statusText: reload.progress || APP_RELOAD_TEXTS[outcome ?? 'running'],
    node: null,
    actor,
    triggeredAt: isoOf(reload.triggeredAt),
    startedAt: isoOf(reload.startedAt),
    stoppedAt: isoOf(reload.stoppedAt),
    queueMs: reload.startedAt - reload.triggeredAt,
    runMs: reload.stoppedAt === null ? null : reload.stoppedAt - reload.startedAt,
    attempts: 1,
    error,
    details: details.map(({ at, level, message }) => ({ at: new Date(at).toISOString(), level, message })),
  }
}

const NOTHING_YET = {
  ...{ taskType: null, appId: null, appName: null, statusNum: null, node: null, startedAt: null },
  ...{ queueMs: null, runMs: null, attempts: 0, details: [] },
} as const

/** A start that came to nothing, or about which QRS cannot tell. */
export function recordedStart(record: StartRecord): Execution {
  const { id, executionId, taskId, taskName, actor, error } = record
  const at = isoOf(record.startedAt)
  const common = { executionId: executionId ?? id, kind: 'task', taskId, taskName, actor, triggeredAt: at } as const
  return error === null
    ? { ...NOTHING_YET, ...common, state: 'queued', outcome: null, statusText: 'Triggered', stoppedAt: null, error }
    : {
        ...NOTHING_YET,
        ...common,
        state: 'finished',
        outcome: 'failed',
        statusText: 'NotStarted',
        stoppedAt: at,
        error,
      }
}

/** A start that has not had its turn. */
export function queuedStart({ id, taskId, taskName, actor, queuedAt }: QueuedStart): Execution {
  return {
    ...NOTHING_YET,
    executionId: id,
    kind: 'task',
    ...{ taskId, taskName, actor, state: 'queued', outcome: null, statusText: 'InStartQueue' },
    triggeredAt: isoOf(queuedAt),
    stoppedAt: null,
    error: null,
  }
}
