/** Whether notifications of the database arrive. Behind a pooler that gives each transaction another session they do not. */
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'

interface ProbeDeps {
  readonly pool: Pick<PostgresPool, 'query'>
  readonly log: Logger
  readonly isListening: () => boolean
}

/** A notification arrives within so long. */
const PROBE_MS = 5000

/** `run`: to be called when listening has begun; logs once when nothing arrives. `heard`: the notification has come. */
export function createNotificationProbe({ pool, log, isListening }: ProbeDeps, waitMs = PROBE_MS) {
  let heard = (): void => undefined
  let isLogged = false
  return {
    heard: () => heard(),
    async run(): Promise<void> {
      const arrived = new Promise<boolean>((resolve) => {
        heard = () => resolve(true)
        setTimeout(() => resolve(false), waitMs).unref()
      })
      try {
        await pool.query("SELECT pg_notify('footman_probe', '')")
      } catch {
        return
      }
      if ((await arrived) || isLogged || !isListening()) return
      isLogged = true
      log.error(
        'CLUSTER Notifications (LISTEN) of the database do not arrive, as behind a pooler that works by transaction: everything takes up to a second longer. Name the server itself in Butler.footman.cluster.hosts, or let the pooler work by session (pool_mode = session)',
      )
    },
  }
}
