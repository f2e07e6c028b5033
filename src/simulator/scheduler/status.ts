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
