/** The interface through which the event pipeline asks the alerts feature; the composition root hands it over. */
import type { Database } from '../platform/sqlite.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from './types.ts'

/**
 * The parts of an event that are not known yet and may still come. `everything` when it arrives; empty as soon as Qlik
 * Sense has answered or the deadline is over.
 */
export type Awaited = 'everything' | ReadonlySet<Need>

/** All is known that will ever be known about the event. */
export const NOTHING_AWAITED: ReadonlySet<Need> = new Set()

/** The keys of the rate limits of all messages that would show the script log; `messages` where one has no such limit. */
export type LogUse = 'nothing' | 'messages' | readonly string[]

export interface EventRouter {
  /**
   * Adds the deliveries of all rules whose needs are met and that have not been added before. Called when an event
   * arrives, whenever more becomes known about it, and at last with nothing awaited; in the transaction that stores what
   * is known.
   */
  handle(db: Database, event: TaskEvent, awaited: Awaited): void
  /** How many rules can report such an event without the awaited parts. */
  countReady(type: EventType, outcome: EventOutcome, awaited: ReadonlySet<Need>): number
  /** The parts that the rules for this kind of event need. */
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /**
   * The use of the script log of an event, by all else that is known about it. Changes nothing.
   * `nothing` = every message that shows it would be held back.
   */
  logUse(db: Database, event: TaskEvent): LogUse
  /** Deliveries were committed: look for work. */
  wake(): void
}
