/** The app of `footman run`. It can be built anew while the process goes on, which it asks for when its database is another one. */
import type { App } from '../app/app.ts'
import type { IngestHandover } from '../events/ingest/handover.ts'
import type { Logger } from '../platform/types.ts'

export interface RestartableDeps {
  readonly log: Pick<Logger, 'warn'>
  /** `restart` may be called at any time. */
  readonly build: (restart: () => void) => App
  /** Takes messages in while nothing else runs. */
  readonly handover: Pick<IngestHandover, 'begin' | 'end'>
  /** It could not be started again; nothing runs any more. */
  readonly onFailed: (error: unknown) => void
}

const MOST_STARTS = 3
/** Nothing can be stored any more, and requests are not answered meanwhile. */
const RESTART_GRACE_MS = 1000

/** Builds the app; throws what that throws. */
export function createRestartable(
  { log, build, handover, onFailed }: RestartableDeps,
  settings: { readonly graceMs: number },
): Pick<App, 'start' | 'stop' | 'reload' | 'isAlive'> {
  let isRunning = false
  let isStopping = false
  let isWanted = false
  let restarting: Promise<void> | null = null
  let app = build(restart)

  /** Time for the caller, which is part of the application, to finish. */
  function restart(): void {
    isWanted = true
    if (isRunning) setImmediate(begin)
  }

  function begin(): void {
    if (!isWanted || isStopping || restarting) return
    restarting = again()
      .catch(onFailed)
      .finally(() => {
        restarting = null
        begin()
      })
  }

  async function again(): Promise<void> {
    isWanted = false
    log.warn('MAIN: Footman starts anew within its process, as its database is another one')
    handover.begin()
    try {
      await app.stop(Math.min(settings.graceMs, RESTART_GRACE_MS))
      if (isStopping) return
      app = build(restart)
      await app.start()
    } finally {
      await handover.end()
    }
  }

  /** The database may turn out to be damaged while everything is built, or starts. */
  async function firstStart(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (isWanted) app = build(restart)
      isWanted = false
      try {
        return await app.start()
      } catch (error) {
        if (!isWanted || attempt === MOST_STARTS) throw error
      }
    }
  }

  return {
    async start() {
      await firstStart()
      isRunning = true
      begin()
    },
    async stop(graceMs) {
      isStopping = true
      await restarting
      await app.stop(graceMs)
    },
    reload: () => app.reload(),
    isAlive: async () => restarting !== null || app.isAlive(),
  }
}
