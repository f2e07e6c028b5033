/** Additions of other parts to an event whose Qlik data is known; the composition root provides them. */

import type { Database } from '../platform/sqlite.ts'
import type { QrsTask } from '../qlik/qrs/types.ts'
import type { EventOutcome, Need, TaskEvent } from './types.ts'

export interface EventCompleter {
  /** The event with its history and what follows from it; called in the transaction that stores it, before its rules. */
  complete(db: Database, event: TaskEvent): TaskEvent
  /**
   * Does the same as `complete`, by what is known so far; called any number of times before it. Null when no rule may
   * report the event before everything is known. Absent = always null.
   */
  completePartly?(db: Database, event: TaskEvent): TaskEvent | null
  /** The needs of an event of this task besides those of its rules. */
  needs?(task: QrsTask, outcome: EventOutcome): readonly Need[]
}
