/** What the event pipeline asks of the alerts feature; handed over by the composition root. */
import type { Need } from '../alerts/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { EventOutcome, EventType, TaskEvent } from './types.ts'

export interface EventRouter {
  /** Adds the deliveries that leave without Qlik data; called inside the transaction that accepts the event. */
  routeArrival(db: Database, event: TaskEvent): void
  /** Adds all other deliveries; called inside the transaction that completes the event. */
  routeEnriched(db: Database, event: TaskEvent): void
  /** What the routes of this kind of event want to know. */
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /** Deliveries were committed: look for work. */
  wake(): void
}
