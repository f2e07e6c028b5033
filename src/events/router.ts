/** What the event pipeline asks of the alerts feature; handed over by the composition root. */
import type { Database } from '../platform/sqlite.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from './types.ts'

export interface EventRouter {
  /** Adds the deliveries that leave without Qlik data; called inside the transaction that accepts the event. */
  routeArrival(db: Database, event: TaskEvent): void
  /**
   * Adds those that do without what is not known yet (`open`). Called inside the transaction that stores what is known of
   * the event; any number of times before `routeEnriched`.
   */
  routeEarly(db: Database, event: TaskEvent, open: ReadonlySet<Need>): void
  /**
   * Adds all other deliveries; called inside the transaction that completes the event. `resumed` = `routeEarly` may have
   * added some of them.
   */
  routeEnriched(db: Database, event: TaskEvent, resumed?: boolean): void
  /** How many routes can tell about such an event without what is not known yet. */
  readyWithout(type: EventType, outcome: EventOutcome, open: ReadonlySet<Need>): number
  /** What the routes of this kind of event want to know. */
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /** Deliveries were committed: look for work. */
  wake(): void
}
