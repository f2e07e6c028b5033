/** What other parts add to an event when its Qlik data are there; handed over by the composition root. */
import type { Need } from '../alerts/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { QrsTask } from '../qlik/qrs/types.ts'
import type { EventOutcome, TaskEvent } from './types.ts'

export interface EventCompleter {
  /** The event with its history and what follows from it; called in the transaction that stores it, before its routes. */
  complete(db: Database, event: TaskEvent): TaskEvent
  /** What has to be known of an event of this task besides what its routes need. */
  needs?(task: QrsTask, outcome: EventOutcome): readonly Need[]
}
