/** What the statuses of QRS mean for an execution. */
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import type { ExecutionOutcome, ExecutionState } from './types.ts'

export const STATES = ['queued', 'running', 'finished'] as const satisfies ExecutionState[]
export const OUTCOMES = ['success', 'failed', 'aborted', 'skipped', 'unknown'] as const satisfies ExecutionOutcome[]

export interface StatusMeaning {
  readonly state: ExecutionState
  readonly outcome: ExecutionOutcome | null
}

/** Failed; another attempt may follow while the session lives. */
export const FAILED_STATUS = 8

const QUEUED: StatusMeaning = { state: 'queued', outcome: null }
const RUNNING: StatusMeaning = { state: 'running', outcome: null }
const finished = (outcome: ExecutionOutcome): StatusMeaning => ({ state: 'finished', outcome })

/** By status number. */
const MEANINGS: readonly StatusMeaning[] = [
  QUEUED,
  QUEUED,
  RUNNING,
  QUEUED,
  RUNNING,
  RUNNING,
  finished('aborted'),
  finished('success'),
  finished('failed'),
  finished('skipped'),
  RUNNING,
  finished('failed'),
  finished('aborted'),
  RUNNING,
  RUNNING,
]

/** The numbers that are known. */
export const STATUSES: readonly number[] = MEANINGS.map((_, status) => status)

/** Statuses that later servers may add count as running: nothing is called final by mistake. */
export function meaningOf(status: number): StatusMeaning {
  return MEANINGS[status] ?? RUNNING
}

export function statusTextOf(status: number): string {
  return STATUS_TEXTS[status] ?? `Status ${status}`
}

/** By the number of QRS. */
export const TASK_TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const

export function taskTypeText(taskType: number): string {
  return TASK_TYPES[taskType] ?? `type ${taskType}`
}
