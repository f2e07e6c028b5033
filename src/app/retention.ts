/** Removes what is older than the retention time, in small steps so that nothing else waits. */
import { setTimeout as pause } from 'node:timers/promises'
import { purgeSlots } from '../alerts/outbox/rate-limit.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'

const CHUNK = 200
const PAUSE_MS = 5

const HOUR_MS = 3_600_000

export interface RetentionDeps {
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Removes raw datagrams that are worked off and older. */
  readonly purgeJournal: (before: number) => void
}

/** Cleans up once an hour. */
export function createRetention(deps: RetentionDeps, settings: { readonly keepEventsMs: number }): Service {
  let timer: ReturnType<typeof setInterval> | undefined

  function clean(): void {
    const now = deps.clock.now()
    const before = now - settings.keepEventsMs
    deps.purgeJournal(before)
    purge(deps.writer, before, now).then(
      (removed) => {
        if (removed > 0) deps.log.verbose(`RETENTION: Removed ${removed} events and their deliveries`)
      },
      (error: unknown) => deps.log.error(`RETENTION: Old events could not be removed: ${error}`),
    )
  }

  return {
    name: 'retention',
    async start() {
      timer = setInterval(clean, HOUR_MS)
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

async function purge(writer: GroupWriter, before: number, now: number): Promise<number> {
  let removed = 0
  for (;;) {
    const count = await writer.write((db) => purgeChunk(db, before))
    removed += count
    if (count < CHUNK) break
    await pause(PAUSE_MS)
  }
  await writer.write((db) => {
    db.run('DELETE FROM dedup WHERE expires_at < ?', now)
    purgeSlots(db, before)
  })
  return removed
}

/** Up to CHUNK events that are finished with all their deliveries; deliveries and script logs go with them. */
function purgeChunk(db: Database, before: number): number {
  const ids = db
    .all<{ id: string }>(
      `SELECT id FROM event WHERE received_at < ? AND state <> 'pending' AND NOT EXISTS (
         SELECT 1 FROM delivery WHERE event_id = event.id AND state IN ('pending', 'sending'))
       ORDER BY received_at LIMIT ?`,
      before,
      CHUNK,
    )
    .map((row) => row.id)
  for (const id of ids) db.run('DELETE FROM event WHERE id = ?', id)
  return ids.length
}
