/** Recurring jobs: work that repeats at a fixed pace, never overlaps itself and stops cleanly. */

export interface RecurringJobSettings {
  /** From the beginning of one run to that of the next, in ms; asked after each run. A run that takes longer delays the next one. */
  readonly everyMs: number | (() => number)
  /** From `start()` to the first run, in ms; 0 = during `start()`. Default `everyMs`. */
  readonly firstMs?: number
  /** The job does not keep the process alive. */
  readonly unref?: boolean
  /** Gets each error of the work, except those after `stop()`. Without it an error is an unhandled rejection. */
  readonly onError?: (error: unknown) => void
}

export interface RecurringJob {
  /** Does nothing while the job is started. */
  start(): void
  /** Runs the work now; while a run is under way, resolves with that one. */
  run(): Promise<void>
  /** The next run begins now, unless one is under way. */
  wake(): void
  /** Aborts the signal of the work, and resolves when the run under way has ended. `start()` is possible again then. */
  stop(): Promise<void>
}

/**
 * Calls `work` every `everyMs`.
 *
 * @example
 * const sweep = createRecurringJob({ everyMs: 1000, onError: (error) => log.error(`Sweep: ${error}`) }, removeExpired)
 * return { name: 'expiry', start: async () => sweep.start(), stop: sweep.stop }
 */
export function createRecurringJob(
  { everyMs, firstMs, unref = false, onError }: RecurringJobSettings,
  work: (signal: AbortSignal) => unknown,
): RecurringJob {
  const pace = typeof everyMs === 'number' ? () => everyMs : everyMs
  let stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null
  let started = false

  function run(): Promise<void> {
    running ??= attempt(stopping.signal).finally(() => {
      running = null
    })
    return running
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    try {
      await work(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!onError) throw error
      onError(error)
    }
  }

  async function runAndSchedule(signal: AbortSignal): Promise<void> {
    const began = performance.now()
    await run()
    schedule(Math.max(0, pace() - (performance.now() - began)), signal)
  }

  function schedule(ms: number, signal: AbortSignal): void {
    if (signal.aborted) return
    timer = setTimeout(runAndSchedule, ms, signal)
    if (unref) timer.unref()
  }

  return {
    start() {
      if (started) return
      started = true
      if (stopping.signal.aborted) stopping = new AbortController()
      if (firstMs === 0) void runAndSchedule(stopping.signal)
      else schedule(firstMs ?? pace(), stopping.signal)
    },
    run,
    wake() {
      if (!started || running) return
      clearTimeout(timer)
      void runAndSchedule(stopping.signal)
    },
    async stop() {
      started = false
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
