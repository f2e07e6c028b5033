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
  /**
   * Its findings are kept in memory: at the start it looks again also where its time is done, as a repeat, which reports
   * nothing. Only with marks.
   */
  readonly repeats?: boolean
  run(signal: AbortSignal, isRepeat: boolean): Promise<void>
}

/** A wait is cut into pieces of this length, so that a clock that was put right is noticed. */
const LONGEST_WAIT_MS = 3_600_000

export interface RecurringDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Called at the end of each run that did not fail. */
  readonly onDone?: () => void
  /**
   * With it the work of one time is done once by all processes that follow each other: at the start only what is due since,
   * or was cut short. Absent or null: at each start.
   */
  readonly marks?: Marks | null
}

/** Instants that survive the process, by name; a promise resolves when the next process will know. */
export interface Marks {
  read(name: string): number | null
  write(name: string, at: number): Promise<void>
}

export function createRecurring(deps: RecurringDeps, work: RecurringWork): Service {
  const { clock, log, onDone, marks = null } = deps
  const [begunMark, doneMark] = [`${work.name}.begun`, `${work.name}.done`]
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null

  function wait(at: number | null): void {
    if (at === null || stopping.signal.aborted) return
    const ms = Math.min(Math.max(0, at - clock.now()), LONGEST_WAIT_MS)
    timer = setTimeout(() => {
      if (clock.now() < at) return wait(work.frequency.next(clock.now()))
      begin(at)
      wait(work.frequency.next(clock.now()))
    }, ms)
  }

  /** Until when it has been done; null when that is not known, or the last run was cut short. */
  function doneUntil(): number | null {
    const done = marks?.read(doneMark) ?? null
    return marks?.read(begunMark) === done ? done : null
  }

  async function runMarked(due: number): Promise<void> {
    await marks?.write(begunMark, due)
    await work.run(stopping.signal, false)
    if (!stopping.signal.aborted) await marks?.write(doneMark, due)
  }

  function begin(due: number): void {
    if (running) {
      log.verbose(`${work.label}: The last run has not ended yet; this one is skipped`)
      return
    }
    if ((doneUntil() ?? Number.NEGATIVE_INFINITY) < due) run(runMarked(due))
  }

  function run(under: Promise<void>): void {
    running = under
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
      const now = clock.now()
      const done = doneUntil()
      const next = done === null ? null : work.frequency.next(done)
      const isDone = done !== null && (next === null || next > now)
      if (isDone) log.verbose(`${work.label}: It was done at ${new Date(done).toISOString()}, before this start`)
      if (isDone && work.repeats) run(work.run(stopping.signal, true))
      if (isDone) return wait(next)
      if (work.atStart) begin(now)
      wait(work.frequency.next(now))
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
