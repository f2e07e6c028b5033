/** The service manager that started this process, as systemd's `sd_notify(3)` describes it; usually there is none. */
import { within } from './deadline.ts'
import { createRecurringJob, type RecurringJob } from './recurring-job.ts'
import type { Notifier } from './service-notifier.ts'
import type { Logger } from './types.ts'

export interface ServiceManager {
  /** The start may take long, because a database is migrated: extends the start timeout. */
  starting(): void
  /** Everything listens. `status`: one line for people. */
  ready(status: string): void
  /** Reports that the configuration is read again, runs `work`, and reports its end. */
  reloading(work: () => Promise<void>): Promise<void>
  /** Stopping takes at most `graceMs`. */
  stopping(graceMs: number): void
  /**
   * From now on reports regularly that the process is alive, as long as `isAlive` resolves with true. Does nothing when the
   * service manager has no watchdog for this process.
   */
  watch(isAlive: () => Promise<boolean>): void
  /** Resolves when all notifications have been sent; later ones are discarded. */
  close(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

const NONE: ServiceManager = {
  starting() {},
  ready() {},
  reloading: (work) => work(),
  stopping() {},
  watch() {},
  close: async () => {},
}

/** The service manager that NOTIFY_SOCKET names. Without it no notifier is loaded. */
export async function serviceManager(deps: { readonly log: Logger }, env: Environment): Promise<ServiceManager> {
  const address = env.NOTIFY_SOCKET
  if (!address) return NONE
  const { createNotifier } = await import('./service-notifier.ts')
  const notifier = await createNotifier(deps, address)
  return createServiceManager({ ...deps, notifier }, { watchdogMs: watchdogOf(env) })
}

/** Null when the service manager has no watchdog for this process. */
function watchdogOf({ WATCHDOG_USEC: period, WATCHDOG_PID: pid }: Environment): number | null {
  if (pid !== undefined && Number(pid) !== process.pid) return null
  const ms = Number(period) / 1000
  return Number.isFinite(ms) && ms > 0 ? ms : null
}

interface ServiceManagerDeps {
  readonly log: Logger
  readonly notifier: Notifier
}

interface ServiceManagerSettings {
  /** The service is restarted after so long without a sign of life; null = no watchdog. */
  readonly watchdogMs: number | null
}

/** Opening databases: migrations of large ones take minutes. */
const START_MS = 15 * 60_000
/** Time for flushing the log and releasing locks after the grace period. */
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
    // A process that stops ends its threads: missing answers are expected then.
    const alive = (await within(isAlive(), waitMs, () => false).catch(() => false)) || isStopping
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
