/** The events of the safety net, and how they enter the pipeline. */

import type { EventEmitter } from '../../events/emit.ts'
import { takeDedupKey } from '../../events/store.ts'
import type {
  EventOutcome,
  EventSource,
  EventType,
  TaskEvent,
  TaskMessage,
  WatchdogDetails,
} from '../../events/types.ts'
import { once } from '../../platform/once.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'

/** An event that the safety net has found in Qlik Sense. */
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

const DAY_MS = 86_400_000

class AlreadyKnown extends Error {}

export function createSafetyNetEvents({
  emitter,
  clock,
}: {
  readonly emitter: EventEmitter
  readonly clock: Clock
}): SafetyNetEvents {
  return {
    async emit(event, { dedupKey: key = null, dedupMs = DAY_MS, also } = {}) {
      try {
        await emitter.emit(event, (tx, eventId) => {
          // The message may have come after all.
          if (key !== null && !takeDedupKey(tx, key, clock.now(), dedupMs)) throw new AlreadyKnown()
          also?.(tx, eventId)
        })
      } catch (error) {
        if (!(error instanceof AlreadyKnown)) throw error
      }
    },
  }
}

/** `2026-03-02 07:03:11,482` on the wall clock of the zone; '' = the zone of this computer. */
export function createLogTime(timezone: string): (instant: number) => string {
  const format = once(
    () =>
      new Intl.DateTimeFormat('sv-SE', {
        ...(timezone !== '' && { timeZone: timezone }),
        dateStyle: 'short',
        timeStyle: 'medium',
      }),
  )
  return (instant) => `${format().format(instant)},${String(new Date(instant).getUTCMilliseconds()).padStart(3, '0')}`
}

/** An event about a task as matches of maintenance and of policies see it, without an execution. */
export function eventAbout(
  event: Pick<TaskEvent, 'type' | 'outcome' | 'taskId' | 'taskName' | 'task'>,
  at: number,
): TaskEvent {
  return {
    ...EMPTY_EVENT,
    ...event,
    receivedAt: at,
    appId: event.task?.app?.id ?? '',
    appName: event.task?.app?.name ?? '',
    severity: 'warning',
    source: 'watchdog',
  }
}

const EMPTY_EVENT = {
  id: '',
  host: '',
  user: '',
  logTimeStamp: '',
  logLevel: '',
  executionId: '',
  logMessage: '',
  details: null,
  code: null,
  history: null,
  retry: null,
  app: null,
  owner: null,
  execution: null,
  scriptLog: null,
  missingParts: [],
  test: false,
} as const
