/** Which service manager there is: usually none, and then nothing is loaded. */
import type { Logger } from '../types.ts'
import type { ServiceManager } from './types.ts'

export type { ServiceManager }

type Environment = Readonly<Record<string, string | undefined>>

/** For processes that nobody manages. */
const NOBODY: ServiceManager = {
  starting() {},
  ready() {},
  reloading: (work) => work(),
  stopping() {},
  watch() {},
  close: async () => {},
}

/** The one that NOTIFY_SOCKET names. */
export async function serviceManager(deps: { readonly log: Logger }, env: Environment): Promise<ServiceManager> {
  const address = env.NOTIFY_SOCKET
  if (!address) return NOBODY
  const { createNotifier } = await import('./notifier.ts')
  const { createServiceManager } = await import('./manager.ts')
  const notifier = await createNotifier(deps, address)
  return createServiceManager({ ...deps, notifier }, { watchdogMs: watchdogOf(env) })
}

/** Null when the service manager does not watch this process. */
function watchdogOf({ WATCHDOG_USEC: period, WATCHDOG_PID: pid }: Environment): number | null {
  if (pid !== undefined && Number(pid) !== process.pid) return null
  const ms = Number(period) / 1000
  return Number.isFinite(ms) && ms > 0 ? ms : null
}
