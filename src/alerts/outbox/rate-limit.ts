/**
 * Fixed-window limits that survive restarts. A slot belongs to one event: it is taken when the event's deliveries are
 * created, kept while any of them retries, and given back when all of them end as dead letters.
 */
import type { Database } from '../../platform/sqlite.ts'

export interface LimitRequest {
  readonly key: string
  readonly windowMs: number
  readonly eventId: string
  readonly now: number
}

interface Slot {
  readonly event_id: string
  readonly ends_at: number
}

/** Takes the slot of `key`; when another event holds it, counts that event as suppressed and returns false. */
export function takeSlot(db: Database, { key, windowMs, eventId, now }: LimitRequest): boolean {
  const slot = db.get<Slot>('SELECT event_id, ends_at FROM rate_limit WHERE key = ?', key)
  if (slot?.event_id === eventId) return true
  if (slot && (isOpen(slot, now, windowMs) || isUnderWay(db, key, slot.event_id))) {
    // An event with several deliveries on this key counts once.
    db.run(
      'UPDATE rate_limit SET suppressed = suppressed + (last_suppressed <> ?), last_suppressed = ? WHERE key = ?',
      eventId,
      eventId,
      key,
    )
    return false
  }
  // What the messages of the last event have told is settled; the rest waits for a message that tells it.
  db.run(
    `INSERT INTO rate_limit (key, event_id, ends_at) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET event_id = excluded.event_id, ends_at = excluded.ends_at,
         suppressed = suppressed - told, told = 0`,
    key,
    eventId,
    now + windowMs,
  )
  return true
}

/** A window that ends later than it could was opened by a clock that was wrong, or by a longer limit. */
function isOpen({ ends_at: endsAt }: Slot, now: number, windowMs: number): boolean {
  return endsAt > now && endsAt <= now + windowMs
}

function isUnderWay(db: Database, key: string, eventId: string): boolean {
  return (
    db.get(
      `SELECT 1 FROM delivery WHERE limit_key = ? AND event_id = ? AND state IN ('pending', 'sending') LIMIT 1`,
      key,
      eventId,
    ) !== undefined
  )
}

/** How many alerts of this key were suppressed that no message of an earlier event has told. */
export function suppressedCount(db: Database, key: string): number {
  return db.get<{ suppressed: number }>('SELECT suppressed FROM rate_limit WHERE key = ?', key)?.suppressed ?? 0
}

/** A message of `eventId` that told `told` suppressed alerts has left; others of the same event may tell them too. */
export function markTold(db: Database, key: string, eventId: string, told: number): void {
  db.run('UPDATE rate_limit SET told = max(told, ?) WHERE key = ? AND event_id = ?', told, key, eventId)
}

/** Gives the slot back when every delivery of its event on this key is dead, so that the next alert leaves at once. */
export function giveBackSlot(db: Database, key: string, eventId: string): void {
  const alive = db.get(
    `SELECT 1 FROM delivery WHERE limit_key = ? AND event_id = ? AND state IN ('pending', 'sending', 'delivered') LIMIT 1`,
    key,
    eventId,
  )
  if (!alive) db.run('UPDATE rate_limit SET ends_at = 0 WHERE key = ? AND event_id = ?', key, eventId)
}

/** Windows that ended long ago and hold no count. */
export function purgeSlots(db: Database, before: number): number {
  return db.run('DELETE FROM rate_limit WHERE ends_at < ? AND suppressed <= told', before).changes
}
