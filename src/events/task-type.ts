/** The type of the task of a message, before and after QRS has answered; outcomes of execution statuses. */

import type { AnnouncedOutcome } from './datagram.ts'
import { TASK_TYPES } from './kinds.ts'
import type { EventOutcome, Outcome, TaskMessage, TaskType } from './types.ts'

/** QRS `taskType` 0-4; null for anything else (never taken for a reload). */
export function taskTypeOf(qrsTaskType: number | undefined): TaskType | null {
  return qrsTaskType === undefined ? null : (TASK_TYPES[qrsTaskType] ?? null)
}

/** Texts that the scheduler logs for preload tasks only. */
const PRELOAD_TEXTS = ['failed to start session', 'could not reserve an executor for task']

/** The likeliest type by the datagram alone: used until QRS has answered. */
export function guessTaskType(message: TaskMessage, announced: AnnouncedOutcome): TaskType {
  if (announced === 'distribute') return 'distribute'
  if (message.appId === '') return 'externalProgram'
  const text = message.logMessage.toLowerCase()
  return PRELOAD_TEXTS.some((start) => text.startsWith(start)) ? 'preload' : 'reload'
}

/** Final execution statuses in QRS; one that was skipped (9) or reset (12) has not done its work either. */
const OUTCOME_OF_STATUS: Readonly<Record<number, Outcome>> = {
  6: 'aborted',
  7: 'success',
  8: 'failed',
  9: 'aborted',
  11: 'failed',
  12: 'aborted',
}

const WATCHDOG_OUTCOMES: readonly EventOutcome[] = ['late', 'stuck', 'neverStarted', 'started']

/** True when the execution that the event is about has not ended, or not even begun. */
export function isUnfinished(outcome: EventOutcome): boolean {
  return WATCHDOG_OUTCOMES.includes(outcome)
}

/** The outcome that a final execution status stands for; null while the execution goes on (or never ran). */
export function outcomeOfStatus(status: number): Outcome | null {
  return OUTCOME_OF_STATUS[status] ?? null
}
