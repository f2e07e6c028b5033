/**
 * Fixed windows with a number of slots that survive restarts. A slot belongs to one event: it is taken when the event's
 * deliveries are created, kept while any of them retries, and given back when all of them end as dead letters.
 */
import type { Database } from '../../platform/sqlite.ts'

export interface LimitRequest {
  readonly key: string
  readonly windowMs: number
  /** Slots of a window; default 1. */
  readonly count?: number
  readonly eventId: string
  readonly now: number
}

interface Window {
  readonly ends_at: number
}

/** Deliveries of a slot that have not ended. */
const UNDER_WAY = `SELECT 1 FROM delivery WHERE limit_key = rate_limit_slot.key AND delivery.event_id = rate_limit_slot.event_id
  AND state IN ('pending', 'sending')`

/** Takes a slot of `key`; when other events hold them all, counts this one as suppressed and returns false. */
export function takeSlot(db: Database, { key, windowMs, count = 1, eventId, now }: LimitRequest): boolean {
  if (db.get('SELECT 1 FROM rate_limit_slot WHERE key = ? AND event_id = ?', key, eventId)) return true
  const window = db.get<Window>('SELECT ends_at FROM rate_limit WHERE key = ?', key)
  const isOpened = window !== undefined && isOpen(window, now, windowMs)
  // A delivery that has not ended keeps its slot beyond the window.
  if (window && !isOpened) db.run(`DELETE FROM rate_limit_slot WHERE key = ? AND NOT EXISTS (${UNDER_WAY})`, key)
  const held = window ? db.get<{ n: number }>('SELECT count(*) AS n FROM rate_limit_slot WHERE key = ?', key)!.n : 0
  if (held >= count) {
    // An event with several deliveries on this key counts once.
    db.run(
      'UPDATE rate_limit SET suppressed = suppressed + (last_suppressed <> ?), last_suppressed = ? WHERE key = ?',
      eventId,
      eventId,
      key,
    )
    return false
  }
  db.run('INSERT INTO rate_limit_slot VALUES (?, ?)', key, eventId)
  // Suppressed alerts that messages of earlier events have reported are settled; the others wait for a message that reports them.
  db.run(
    `INSERT INTO rate_limit (key, event_id, ends_at) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET event_id = excluded.event_id, ends_at = excluded.ends_at,
         suppressed = suppressed - told, told = 0`,
    key,
    eventId,
    isOpened ? window.ends_at : now + windowMs,
  )
  return true
}

/** Whether `takeSlot` would return false, and still does so in a second. Changes nothing. */
export function isFull(db: Database, { key, windowMs, count = 1, eventId, now }: LimitRequest): boolean {
  const window = db.get<Window>('SELECT ends_at FROM rate_limit WHERE key = ?', key)
  if (!window || !isOpen(window, now, windowMs) || window.ends_at <= now + 1000) return false
  const slots = db.all<{ event_id: string }>(
    'SELECT event_id FROM rate_limit_slot WHERE key = ? LIMIT +?',
    key,
    count + 1,
  )
  return slots.length >= count && slots.every(({ event_id: holder }) => holder !== eventId)
}

/** When a slot of `key` becomes free, milliseconds since 1970; null while messages that have not ended keep them. */
export function nextSlotAt(db: Database, key: string, now: number): number | null {
  const endsAt = db.get<Window>('SELECT ends_at FROM rate_limit WHERE key = ?', key)?.ends_at ?? 0
  return endsAt > now ? endsAt : null
}

function removeSlot(db: Database, key: string, eventId: string): void {
  db.run('DELETE FROM rate_limit_slot WHERE key = ? AND event_id = ?', key, eventId)
}

/** A window that ends later than it could was opened by a clock that was wrong, or by a longer limit. */
function isOpen({ ends_at: endsAt }: Window, now: number, windowMs: number): boolean {
  return endsAt > now && endsAt <= now + windowMs
}

/** Number of suppressed alerts of this key that no message of an earlier event has reported. */
export function suppressedCount(db: Database, key: string): number {
  return db.get<{ suppressed: number }>('SELECT suppressed FROM rate_limit WHERE key = ?', key)?.suppressed ?? 0
}

/** A message of `eventId` that reported so many suppressed alerts has left; others of the same event may report them too. */
export function markReported(db: Database, key: string, eventId: string, reported: number): void {
  db.run(
    `UPDATE rate_limit SET told = min(max(told, ?), suppressed) WHERE key = ?
       AND EXISTS (SELECT 1 FROM rate_limit_slot AS slot WHERE slot.key = rate_limit.key AND slot.event_id = ?)`,
    reported,
    key,
    eventId,
  )
}

/** Gives the slot back when every delivery of its event on this key is dead, so that the next alert leaves at once. */
export function giveBackSlot(db: Database, key: string, eventId: string): void {
  const alive = db.get(
    `SELECT 1 FROM delivery WHERE limit_key = ? AND event_id = ? AND state IN ('pending', 'sending', 'delivered') LIMIT 1`,
    key,
    eventId,
  )
  if (alive) return
  removeSlot(db, key, eventId)
  const others = db.get('SELECT 1 FROM rate_limit_slot WHERE key = ? LIMIT 1', key)
  if (!others) db.run('UPDATE rate_limit SET ends_at = 0 WHERE key = ?', key)
}

/** Windows that ended long ago and hold no count. */
export function purgeSlots(db: Database, before: number): number {
  const { changes } = db.run('DELETE FROM rate_limit WHERE ends_at < ? AND suppressed <= told', before)
  if (changes > 0) db.run('DELETE FROM rate_limit_slot WHERE key NOT IN (SELECT key FROM rate_limit)')
  return changes
}
