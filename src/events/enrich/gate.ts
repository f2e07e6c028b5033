/**
 * Closed while QRS cannot be reached: a single probe asks until QRS answers, so that a thousand waiting events send no
 * requests in vain.
 */

import { backoffDelay } from '../../platform/backoff.ts'
import { errorText } from '../../platform/errors.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Logger } from '../../platform/types.ts'
import { definiteAnswer, reasonOf } from '../../qlik/qrs/failure.ts'

export interface QrsGate {
  readonly open: boolean
  /** Asks soon and then regularly: a wrong address is known before the first event needs QRS, and a cluster knows which nodes reach it. */
  watch(): void
  /** QRS could not be reached: starts probing. */
  close(reason: string): void
  stop(): void
}

export interface QrsGateDeps {
  readonly probe: (signal: AbortSignal) => Promise<void>
  readonly onOpen: () => void
  readonly log: Logger
}

const PROBE = { firstMs: 1000, maxMs: 5000 }
const PROBE_TIMEOUT_MS = 5000
const WATCH_MS = 20_000
/** A connection with TLS takes as long as opening the listeners, which come first. */
const FIRST_WATCH_MS = 100

export function createQrsGate(deps: QrsGateDeps): QrsGate {
  let isOpen = true
  let stopped = false
  let closedAt = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function schedule(attempt: number): void {
    if (stopped) return
    timer = setTimeout(() => void tryAgain(attempt), backoffDelay(attempt, PROBE))
  }

  async function tryAgain(attempt: number): Promise<void> {
    try {
      await deps.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS))
    } catch {
      schedule(attempt + 1)
      return
    }
    if (stopped) return
    isOpen = true
    deps.log.info(`QRS: reachable again after ${Math.round((Date.now() - closedAt) / 1000)} s`)
    deps.onOpen()
  }

  function close(reason: string, what = 'not reachable'): void {
    if (!isOpen) return
    isOpen = false
    closedAt = Date.now()
    deps.log.error(
      `QRS: ${what}: ${reason}. Everything that needs it waits. Check Butler.configQRS and Butler.cert; "footman doctor" tests them`,
    )
    schedule(1)
  }

  async function look(): Promise<void> {
    if (!isOpen) return
    try {
      await deps.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS))
    } catch (error) {
      if (stopped) return
      if (definiteAnswer(error) === null) close(errorText(error))
      else close(reasonOf(error), 'refuses Footman')
    }
  }

  const looks = createRecurringJob({ everyMs: WATCH_MS, firstMs: FIRST_WATCH_MS }, look)

  return {
    get open() {
      return isOpen
    },
    close,
    watch: looks.start,
    stop() {
      stopped = true
      clearTimeout(timer)
      void looks.stop()
    },
  }
}
