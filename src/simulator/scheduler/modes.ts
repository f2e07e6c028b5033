/** How the scheduler departs from its usual manners; times in simulated milliseconds. */
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
  /** Failed user syncs log `Max retries reached` too (the shipped appenders wait in vain for it). */
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
