/** Recurring jobs: repeated work that never overlaps itself. */
import type { Logger, Service } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'

interface RecurringJob {
  readonly name: string
  readonly intervalMs: number
  /** From the start to the first time. */
  readonly firstMs: number
  work(signal: AbortSignal): Promise<void>
}

/** A failure is logged as a warning once, until the work has succeeded again. */
export function recurringJob({ name, intervalMs, firstMs, work }: RecurringJob, log: Logger): Service {
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> = Promise.resolve()
  let isFailing = false

  async function once(): Promise<void> {
    const began = performance.now()
    try {
      await work(stopping.signal)
      if (isFailing) log.info(`${name}: works again`)
      isFailing = false
    } catch (error) {
      if (stopping.signal.aborted) return
      const text = `${name}: ${reasonOf(error)}; tried again in ${Math.round(intervalMs / 1000)} s`
      if (isFailing) log.verbose(text)
      else log.warn(text)
      isFailing = true
    }
    schedule(Math.max(0, intervalMs - (performance.now() - began)))
  }

  function schedule(ms: number): void {
    if (stopping.signal.aborted) return
    timer = setTimeout(() => {
      running = once()
    }, ms)
  }

  return {
    name,
    start: async () => schedule(firstMs),
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
