/** Tells when the memory for waiting events fills up; it slows nobody down, the rest waits on disk. */
import type { Logger } from '../platform/types.ts'

export interface PressureSettings {
  /** Events that may wait in memory. */
  readonly maxSize: number
  /** Fill level at which the warning begins; it ends below 80 % of that. */
  readonly percent: number
}

const REMINDER_MS = 60_000
const RELEASE = 0.8

export function createPressureLog(log: Logger, { maxSize, percent }: PressureSettings, now: () => number = Date.now) {
  let active = false
  let lastWarning = Number.NEGATIVE_INFINITY

  return {
    get active() {
      return active
    },
    /** `waiting` = events in memory that nobody works on at the moment. */
    report(waiting: number): void {
      const filled = (waiting / maxSize) * 100
      if (active && filled < percent * RELEASE) {
        active = false
        log.info(`[UDP Queue] task_results: Backpressure released, ${waiting} of ${maxSize} events wait in memory`)
        return
      }
      if (filled < percent) return
      if (active && now() - lastWarning < REMINDER_MS) return
      active = true
      lastWarning = now()
      log.warn(
        `[UDP Queue] task_results: Backpressure, ${waiting} of ${maxSize} events wait in memory; more of them wait on disk, none is lost`,
      )
    },
  }
}
