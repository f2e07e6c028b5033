/** The events of the safety net: how they enter the pipeline, and as what they are shown to maintenance. */
import { takeDedupKey } from '../../events/bookkeeping.ts'
import type { EventEmitter } from '../../events/emit.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import type { SafetyNetEvents } from './types.ts'
import type { WatchdogDeps } from './watchdog.ts'

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

/** The event that maintenance is asked about. */
export function maintenanceEvent(event: Parameters<WatchdogDeps['isQuiet']>[0], at: number) {
  return {
    ...EMPTY,
    ...event,
    receivedAt: at,
    appId: event.task?.app?.id ?? '',
    appName: event.task?.app?.name ?? '',
    severity: 'warning',
    source: 'watchdog',
  } as const
}

const EMPTY = {
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
