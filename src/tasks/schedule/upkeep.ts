/** What the scheduler does beside firing: old runs are forgotten, and newcomers from Butler told about time zones. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Logger } from '../../platform/types.ts'
import type { Planner } from './plan.ts'
import { zoneReport } from './startup.ts'
import type { RunStore } from './store.ts'
import type { Schedule } from './types.ts'

export interface UpkeepDeps {
  readonly store: RunStore
  readonly clock: Clock
  readonly log: Logger
  readonly planner: Planner
}

const PRUNE_MS = 3_600_000
/** The first time: a process that lives for less than an hour cleans up too. */
const FIRST_MS = 60_000
const PRUNE_CHUNK = 500
const PAUSE_MS = 5

export interface Upkeep {
  /** Once in the life of a database: which schedules fire at other times than in Butler. */
  reportZones(schedules: readonly Schedule[], once: boolean): Promise<void>
  start(): void
  stop(): void
}

/** `keepRunsMs`: runs that are older are removed. */
export function createUpkeep({ store, clock, log, planner }: UpkeepDeps, keepRunsMs: number): Upkeep {
  let timer: ReturnType<typeof setInterval> | undefined
  let first: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  async function prune(): Promise<void> {
    const before = clock.now() - keepRunsMs
    while (!stopped && (await store.prune(before, PRUNE_CHUNK)) === PRUNE_CHUNK) await pause(PAUSE_MS)
  }

  return {
    async reportZones(schedules, once) {
      const now = clock.now()
      if (schedules.length === 0 || (once && !(await store.once('zone report', now)))) return
      const lines = zoneReport(schedules, planner, now)
      if (lines.length === 0) return
      log.warn(
        `SCHEDULER: ${lines.length} schedule(s) fire at other times than in Butler 16, which ignored their time zones. Butler.footman.scheduler.ignoreTimezone: true restores that${once ? '. This is told once' : ''}`,
      )
      for (const line of lines) log.warn(line)
    },
    start() {
      const failed = (error: unknown) => log.error(`SCHEDULER: Old runs could not be removed: ${error}`)
      const clean = () => void prune().catch(failed)
      first = setTimeout(clean, FIRST_MS)
      timer = setInterval(clean, PRUNE_MS)
    },
    stop() {
      stopped = true
      clearTimeout(first)
      clearInterval(timer)
    },
  }
}
