/** Removes what is older than the retention time, in small steps so that nothing else waits. */

import { setTimeout as pause } from 'node:timers/promises'
import { purgeSlots } from '../alerts/outbox/rate-limit.ts'
import { purgeDedupKeys } from '../events/store.ts'
import { purgeAudit } from '../http/audit.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'

const CHUNK = 200
const PAUSE_MS = 5

const HOUR_MS = 3_600_000
/** The first time, when the start is over: a process that lives for less than an hour cleans up too. */
const FIRST_MS = 60_000

export interface RetentionDeps {
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Removes raw datagrams that are worked off and older. */
  readonly pipeline: { purgeJournal(before: number): void }
  readonly features?: readonly { readonly pruning?: readonly Pruning[] }[]
}

export interface RetentionSettings {
  /** Milliseconds for which events are kept. */
  readonly events: number
  /** Milliseconds for which audit entries are kept. */
  readonly audit: number
  /** From the start to the first time; default a minute. */
  readonly firstMs?: number
}

/** Cleans up a minute after the start and then once an hour. */
export function createRetention(deps: RetentionDeps, settings: RetentionSettings): Service {
  const others = (deps.features ?? []).flatMap(({ pruning = [] }) => pruning)

  async function clean(signal: AbortSignal): Promise<void> {
    const now = deps.clock.now()
    const before = now - settings.events
    deps.pipeline.purgeJournal(before)
    const auditBefore = now - settings.audit
    const removed = await purge(deps.writer, { before, auditBefore, others }, now, signal)
    if (removed > 0) deps.log.verbose(`RETENTION: Removed ${removed} events and their deliveries`)
  }

  const job = createRecurringJob(
    {
      everyMs: HOUR_MS,
      firstMs: settings.firstMs ?? FIRST_MS,
      onError: (error) => deps.log.error(`RETENTION: Old events could not be removed: ${error}`),
    },
    clean,
  )
  return { name: 'retention', start: async () => job.start(), stop: job.stop }
}

/** How many events were removed; ends early when the signal says so. */
async function purge(
  writer: GroupWriter,
  { before, auditBefore, others }: { before: number; auditBefore: number; others: readonly Pruning[] },
  now: number,
  stop: AbortSignal,
): Promise<number> {
  const removed = await inChunks(writer, stop, (db) => purgeChunk(db, before))
  await inChunks(writer, stop, (db) => purgeDedupKeys(db, now, CHUNK))
  await inChunks(writer, stop, (db) => purgeAudit(db, auditBefore, CHUNK))
  for (const { keepMs, purge: remove } of others) {
    await inChunks(writer, stop, (db) => remove(db, now - keepMs, CHUNK))
  }
  if (!stop.aborted) await writer.write((tx) => purgeSlots(tx, before))
  return removed
}

async function inChunks(writer: GroupWriter, stop: AbortSignal, remove: (db: Database) => number): Promise<number> {
  let removed = 0
  while (!stop.aborted) {
    const count = await writer.write(remove)
    removed += count
    if (count < CHUNK) break
    await pause(PAUSE_MS)
  }
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
