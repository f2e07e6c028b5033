/**
 * The app of `footman run`. It can be built anew while the process goes on: when its database is another one, or when the
 * node gets another part in its cluster.
 */
import type { App } from '../app/app.ts'
import type { IngestHandover } from '../events/ingest/handover.ts'
import type { Logger } from '../platform/types.ts'

export interface RestartableDeps {
  readonly log: Pick<Logger, 'info'>
  /** `restart` may be called at any time; see `Restart`. */
  readonly build: (restart: Restart) => App
  /** Called before each build but the first. */
  readonly prepare?: () => Promise<void>
  /** Takes messages in while nothing else runs. */
  readonly handover: Pick<IngestHandover, 'begin' | 'end'>
  /** It could not be started again; nothing runs any more. */
  readonly onFailed: (error: unknown) => void
}

/** Builds everything anew; `because` ends a sentence of the log. Work under way gets `graceMs` to end, by default a second. */
export type Restart = (because: string, graceMs?: number) => void

const MOST_STARTS = 3
/** Requests are not answered meanwhile. */
const RESTART_GRACE_MS = 1000

/** Builds the app; throws what that throws. */
export function createRestartable(
  { log, build, prepare = async () => {}, handover, onFailed }: RestartableDeps,
  settings: { readonly graceMs: number },
): Pick<App, 'start' | 'stop' | 'reload' | 'isAlive'> & { readonly restart: Restart } {
  let isRunning = false
  let isStopping = false
  let wanted: { readonly because: string; readonly graceMs: number } | null = null
  let restarting: Promise<void> | null = null
  let app = build(restart)

  /** Time for the caller, which is part of the application, to finish. */
  function restart(because: string, graceMs = Math.min(settings.graceMs, RESTART_GRACE_MS)): void {
    wanted = { because, graceMs }
    if (isRunning) setImmediate(begin)
  }

  function begin(): void {
    if (!wanted || isStopping || restarting) return
    restarting = again()
      .catch(onFailed)
      .finally(() => {
        restarting = null
        begin()
      })
  }

  async function again(): Promise<void> {
    const { because, graceMs } = wanted ?? { because: '', graceMs: RESTART_GRACE_MS }
    wanted = null
    log.info(`MAIN: Footman starts anew within its process, as ${because}`)
    handover.begin()
    try {
      await app.stop(graceMs)
      if (isStopping) return
      await prepare()
      app = build(restart)
      await app.start()
    } finally {
      await handover.end()
    }
  }

  /** The database may turn out to be damaged while everything is built, or starts. */
  async function firstStart(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (wanted) app = build(restart)
      wanted = null
      try {
        return await app.start()
      } catch (error) {
        if (!wanted || attempt === MOST_STARTS) throw error
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
    restart,
    reload: () => app.reload(),
    isAlive: async () => restarting !== null || app.isAlive(),
  }
}
