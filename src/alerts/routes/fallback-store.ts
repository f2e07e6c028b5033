/** Which deliveries may need their fallback, in `footman.db`. */
import type { Database } from '../../platform/sqlite.ts'

export interface WatchedDelivery {
  readonly destination: string
  readonly target: string
  readonly state: string
  readonly reason: string | null
}

export interface Watch {
  readonly eventId: string
  readonly route: string
  readonly dueAt: number
}

/** Remembers that the deliveries of this event and route have to be looked at. */
export function watchFallback(db: Database, eventId: string, route: string, dueAt: number): void {
  db.run('INSERT OR IGNORE INTO fallback_watch (event_id, route, due_at) VALUES (?, ?, ?)', eventId, route, dueAt)
}

const COLUMNS = 'event_id AS eventId, route, due_at AS dueAt'

/** Those whose time has come, oldest first. */
export function dueWatches(db: Database, now: number, limit: number): readonly Watch[] {
  return db.all<Watch>(`SELECT ${COLUMNS} FROM fallback_watch WHERE due_at <= ? ORDER BY due_at LIMIT ?`, now, limit)
}

/** Those with a dead delivery. */
export function deadWatches(db: Database, limit: number): readonly Watch[] {
  return db.all<Watch>(
    `SELECT ${COLUMNS} FROM fallback_watch AS watch WHERE EXISTS (SELECT 1 FROM delivery
       WHERE delivery.event_id = watch.event_id AND delivery.route = watch.route AND kind = 'alert' AND state = 'dead'
         AND replay_of = '') LIMIT ?`,
    limit,
  )
}

export function watchesOf(db: Database, eventId: string): readonly Watch[] {
  return db.all<Watch>(`SELECT ${COLUMNS} FROM fallback_watch WHERE event_id = ?`, eventId)
}

/** The alerts of this event and route, suppressed ones left out. */
export function watchedDeliveries(db: Database, { eventId, route }: Watch): readonly WatchedDelivery[] {
  return db.all<WatchedDelivery>(
    `SELECT destination, target, state, reason FROM delivery
     WHERE event_id = ? AND route = ? AND kind = 'alert' AND replay_of = '' AND state <> 'suppressed' ORDER BY seq`,
    eventId,
    route,
  )
}

export function endWatch(db: Database, { eventId, route }: Watch): void {
  db.run('DELETE FROM fallback_watch WHERE event_id = ? AND route = ?', eventId, route)
}
