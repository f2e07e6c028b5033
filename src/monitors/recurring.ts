/**
 * Work that is done at the times of a frequency text, never twice at the same time. Unlike the recurring jobs of
 * platform/, it follows the clock: `at 06:00` has no interval, and a time that comes during a run is skipped.
 */
import { errorText } from '../platform/errors.ts'
import type { Frequency } from '../platform/frequency.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'

export interface RecurringWork {
  readonly name: string
  /** Stands before every message, like `HEARTBEAT`. */
  readonly label: string
  readonly frequency: Frequency
  /** Also at once when it is started, without delaying the start. */
  readonly atStart: boolean
  run(signal: AbortSignal): Promise<void>
}

/** A wait is cut into pieces of this length, so that a clock that was put right is noticed. */
const LONGEST_WAIT_MS = 3_600_000

export interface RecurringDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Called at the end of each run that did not fail. */
  readonly onDone?: () => void
}

export function createRecurring(deps: RecurringDeps, work: RecurringWork): Service {
  const { clock, log, onDone } = deps
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null

  function wait(at: number | null): void {
    if (at === null || stopping.signal.aborted) return
    const ms = Math.min(Math.max(0, at - clock.now()), LONGEST_WAIT_MS)
    timer = setTimeout(() => {
      if (clock.now() < at) return wait(work.frequency.next(clock.now()))
      begin()
      wait(work.frequency.next(clock.now()))
    }, ms)
  }

  function begin(): void {
    if (running) {
      log.verbose(`${work.label}: The last run has not ended yet; this one is skipped`)
      return
    }
    running = work
      .run(stopping.signal)
      .then(onDone)
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return
        log.error(`${work.label}: ${errorText(error)}`)
      })
      .finally(() => {
        running = null
      })
  }

  return {
    name: work.name,
    async start() {
      if (work.atStart) begin()
      wait(work.frequency.next(clock.now()))
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
