/** When API keys end, and telling in time. */
import { hostZone } from '../../platform/host-zone.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createZone } from '../../platform/zone.ts'
import type { KnownKey } from './keys.ts'

const DAY_MS = 86_400_000
const WARN_BEFORE_MS = 14 * DAY_MS

/** The instant at which a day (`2027-06-30`) ends on the wall clock of a zone; '' = the zone of this computer. */
export function endOfDay(day: string, timezone: string): number {
  const zone = createZone(timezone || hostZone())
  const midnight = Date.parse(`${day}T00:00:00Z`) + DAY_MS
  const guess = 2 * midnight - zone.wall(midnight)
  // The clock may change between the guess and the hour that was asked about.
  return guess + (midnight - zone.wall(guess))
}

export interface ExpiryWatch {
  start(): void
  stop(): void
}

/** Warns at the start and once a day about keys that end within two weeks or have ended. */
export function createExpiryWatch(deps: { log: Logger; clock: Clock }, keys: readonly KnownKey[]): ExpiryWatch {
  let timer: ReturnType<typeof setInterval> | undefined

  function tell(): void {
    const now = deps.clock.now()
    for (const { id, expiresAt } of keys) {
      if (expiresAt - now > WARN_BEFORE_MS) continue
      const when = new Date(expiresAt).toISOString()
      deps.log.warn(`ACCESS: API key ${id} ${expiresAt <= now ? 'has expired' : 'expires'} at ${when}`)
    }
  }

  return {
    start() {
      tell()
      timer = setInterval(tell, DAY_MS)
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
