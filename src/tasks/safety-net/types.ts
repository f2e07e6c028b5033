/** What the safety net needs of the event pipeline. */
import type { EventOutcome, EventSource, EventType, TaskMessage, WatchdogDetails } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'

export interface FoundEvent {
  readonly source: EventSource
  readonly type: EventType
  readonly outcome: EventOutcome
  readonly message: Partial<TaskMessage>
  readonly details?: WatchdogDetails | null
  /** When it happened, milliseconds since 1970. */
  readonly receivedAt?: number
  readonly enrich?: boolean
  readonly ignored?: 'TOO_OLD'
}

export interface SafetyNetEvents {
  /**
   * Resolves when the event is durable, together with what `also` writes. With a key that was taken meanwhile, as by the
   * message that was missed, nothing happens.
   */
  emit(
    event: FoundEvent,
    options?: {
      readonly dedupKey?: string | null
      readonly dedupMs?: number
      readonly also?: (db: Database, eventId: string) => void
    },
  ): Promise<void>
}
