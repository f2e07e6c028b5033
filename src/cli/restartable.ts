/** The app of `footman run`. It can be built anew while the process goes on, which it asks for when its database is another one. */
import type { App } from '../app.ts'
import type { Logger } from '../platform/types.ts'

export interface RestartableDeps {
  readonly log: Pick<Logger, 'warn'>
  /** `restart` may be called at any time. */
  readonly build: (restart: () => void) => App
  /** It could not be started again; nothing runs any more. */
  readonly onFailed: (error: unknown) => void
}

/** Builds the app; throws what that throws. */
export function createRestartable(
  { log, build, onFailed }: RestartableDeps,
  settings: { readonly graceMs: number },
): Pick<App, 'start' | 'stop' | 'reload' | 'isAlive'> {
  let isRunning = false
  let isStopping = false
  let isWanted = false
  let restarting: Promise<void> | null = null
  let app = build(restart)

  /** Whoever asks is in the middle of something. */
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
    await app.stop(settings.graceMs)
    if (isStopping) return
    app = build(restart)
    await app.start()
  }

  return {
    async start() {
      await app.start()
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
