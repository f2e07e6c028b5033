/** What other parts add to an event when its Qlik data are there; handed over by the composition root. */
import { type Database, isStorageTrouble } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import type { QrsTask } from '../qlik/qrs/types.ts'
import type { EventOutcome, Need, TaskEvent } from './types.ts'

export interface EventCompleter {
  /** The event with its history and what follows from it; called in the transaction that stores it, before its routes. */
  complete(db: Database, event: TaskEvent): TaskEvent
  /** What has to be known of an event of this task besides what its routes need. */
  needs?(task: QrsTask, outcome: EventOutcome): readonly Need[]
  /** Absent: no delivery can be made before everything is known. */
  readonly early?: {
    /** False when what is added decides about deliveries and cannot be told yet. */
    isPossible(event: TaskEvent): boolean
    /** As `complete`, by what is known so far; any number of times before it. */
    complete(db: Database, event: TaskEvent): TaskEvent
  }
}

/** Rather an alert without what is added than none: one that fails over an odd event is told in the log. */
export function carefully(completer: EventCompleter, log: Logger): EventCompleter {
  function attempt<T>(work: () => T, otherwise: T, taskName: string): T {
    try {
      return work()
    } catch (error) {
      if (isStorageTrouble(error)) throw error
      log.error(`[QSEOW] TASK EVENT: The event of task "${taskName}" goes out without its history: ${error}`)
      return otherwise
    }
  }

  const { early } = completer
  return {
    complete: (db, event) => attempt(() => db.transaction(() => completer.complete(db, event)), event, event.taskName),
    ...(early && {
      early: {
        isPossible: (event) => attempt(() => early.isPossible(event), false, event.taskName),
        complete: (db, event) => attempt(() => db.transaction(() => early.complete(db, event)), event, event.taskName),
      },
    }),
    needs: (task, outcome) => attempt(() => completer.needs?.(task, outcome) ?? [], [], task.name),
  }
}
