/** What a service manager is told in the life of the process. */
import { createRecurringJob, type RecurringJob } from '../recurring-job.ts'
import type { Logger } from '../types.ts'
import type { Notifier } from './notifier.ts'
import type { ServiceManager } from './types.ts'

export interface ServiceManagerDeps {
  readonly log: Logger
  readonly notifier: Notifier
}

export interface ServiceManagerSettings {
  /** It acts when it hears nothing for so long; null = it does not watch. */
  readonly watchdogMs: number | null
}

/** Opening databases: migrations of large ones take minutes. */
const START_MS = 15 * 60_000
/** What ending takes after the grace: the log is flushed, locks are given back. */
const STOP_MARGIN_MS = 10_000
/** Signs of life per watchdog time: two may be late. */
const SIGNS = 3

export function createServiceManager(
  { log, notifier }: ServiceManagerDeps,
  { watchdogMs }: ServiceManagerSettings,
): ServiceManager {
  let signs: RecurringJob | undefined
  let isStopping = false
  let isSilent = false

  const extend = (ms: number) => `EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}`

  async function sign(isAlive: () => Promise<boolean>, waitMs: number): Promise<void> {
    // A process that stops ends its threads; that they don't answer is no trouble then.
    const alive = (await within(isAlive(), waitMs)) || isStopping
    if (alive) notifier.send('WATCHDOG=1')
    if (alive !== isSilent) return
    isSilent = !alive
    if (alive) log.warn('MAIN: The ingest worker answers again')
    else log.error(`MAIN: The ingest worker does not answer; after ${watchdogMs! / 1000} s the service is restarted`)
  }

  return {
    starting: () => notifier.send('STATUS=Starting', extend(START_MS)),
    ready: (status) => notifier.send('READY=1', `STATUS=${oneLine(status)}`),
    async reloading(work) {
      const now = notifier.monotonicMicroseconds()
      notifier.send('RELOADING=1', ...(now === null ? [] : [`MONOTONIC_USEC=${now}`]))
      try {
        await work()
      } finally {
        notifier.send('READY=1')
      }
    },
    stopping(graceMs) {
      isStopping = true
      notifier.send(
        'STOPPING=1',
        'STATUS=Stopping: handing back what is not finished',
        extend(graceMs + STOP_MARGIN_MS),
      )
    },
    watch(isAlive) {
      if (watchdogMs === null || signs) return
      const everyMs = watchdogMs / SIGNS
      signs = createRecurringJob({ everyMs, unref: true }, () => sign(isAlive, everyMs))
      signs.start()
      notifier.send('WATCHDOG=1')
    },
    close() {
      void signs?.stop()
      return notifier.close()
    },
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

async function within(question: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([question, late])
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
