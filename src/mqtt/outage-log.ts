/** Tells about a lost broker once, then at most once a minute, and about its return. */
import type { Clock, Logger } from '../platform/types.ts'

export interface OutageLog {
  failed(message: string): void
  /** Call when connected; quiet unless failures came before. */
  over(): void
}

const REPEAT_MS = 60_000

export function createOutageLog(deps: { log: Logger; clock: Clock }): OutageLog {
  const { log, clock } = deps
  let since: number | null = null
  let lastLine = 0
  return {
    failed(message) {
      const now = clock.now()
      if (since === null) since = now
      else if (now - lastLine < REPEAT_MS) {
        log.debug(message)
        return
      }
      lastLine = now
      log.error(message)
    },
    over() {
      if (since !== null) log.info(`MQTT: Reconnected after ${Math.round((clock.now() - since) / 1000)} s`)
      since = null
    },
  }
}
