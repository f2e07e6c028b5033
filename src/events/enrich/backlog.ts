/** What waits on disk: which pending events come into memory next, and when to look again. */
import type { Database } from '../../platform/sqlite.ts'
import { duePendingEvents, latePendingEvents, nextDeadline, nextPendingAt, type StoredEvent } from '../store.ts'

/** Late events beyond those in memory that are sent off at a time. */
const LATE_PAGE = 200
/** Late events are looked for again after this time even when no deadline tells so: clocks are set. */
const SEARCH_MS = 1000

export interface Backlog {
  /** There may be more on disk than when it was last looked at. */
  changed(): void
  /** Events whose deadline lies after `after` and is over, however full the memory is. */
  late(now: number, after: number): readonly StoredEvent[]
  /** Events that are due, as many as there is room for; none while more than half of it is taken. */
  due(now: number): readonly StoredEvent[]
  /** When the next event becomes due or late after `now`; null when none will. */
  nextAt(now: number): number | null
}

/** `inHand` holds the sequence numbers of the events in memory, `capacity` is how many there may be. */
export function createBacklog(
  db: Database,
  inHand: Pick<ReadonlySet<number>, 'has' | 'size'>,
  capacity: number,
): Backlog {
  let drained = false
  /** For this `after` there is nothing to be found before that time. */
  let searched = { after: -1, until: 0 }
  const isNew = (event: StoredEvent) => !inHand.has(event.seq)

  return {
    changed() {
      drained = false
      searched = { after: -1, until: 0 }
    },
    late(now, after) {
      if (after === searched.after && now < searched.until) return []
      const limit = inHand.size + LATE_PAGE
      const found = latePendingEvents(db, after, now, limit)
      const next = nextDeadline(db, now) ?? Number.POSITIVE_INFINITY
      searched = { after, until: found.length < limit ? Math.min(next, now + SEARCH_MS) : now }
      return found.filter(isNew)
    },
    due(now) {
      if (drained || inHand.size > capacity / 2) return []
      const limit = capacity + inHand.size
      const found = duePendingEvents(db, now, limit)
      const fresh = found.filter(isNew)
      const room = capacity - inHand.size
      drained = found.length < limit && fresh.length <= room
      return fresh.slice(0, room)
    },
    nextAt: (now) => nextPendingAt(db, now),
  }
}
