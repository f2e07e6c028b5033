/** The events on disk that wait for data, as far as there is room for them in memory. */
import type { Database } from '../../platform/sqlite.ts'
import {
  duePendingEvents,
  latePendingEvents,
  nextDeadline,
  nextPendingAt,
  pendingEvent,
  type StoredEvent,
} from '../store.ts'

/** Late events beyond those in memory that are sent off at a time. */
const LATE_PAGE = 200
/** Late events are looked for again after this time even when no deadline is due: the clock may have been set. */
const SEARCH_MS = 1000

interface Backlog {
  /** There may be more on disk than when it was last looked at. */
  changed(): void
  /** Events whose deadline lies after `after` and is over, however full the memory is. */
  late(now: number, after: number): readonly StoredEvent[]
  /** Events that are due, as many as there is room for; none while more than half of it is taken. */
  due(now: number): readonly StoredEvent[]
  /** When the next event becomes due or late after `now`; null when none will. */
  nextAt(now: number): number | null
}

/** How many events may be in memory, of all tasks and of one. */
interface Room {
  readonly all: number
  readonly task: number
}

/** Events that come into memory. */
interface Intake {
  readonly taken: Map<number, StoredEvent>
  /** In memory, by task. */
  readonly counts: Map<string, number>
  /** Tasks that have their share. */
  readonly full: Set<string>
}

/**
 * `inHand` holds the events in memory by sequence number, `capacity` is how many there may be. One task has a tenth of
 * that: its events are worked on one after the other, and those of other tasks must not wait for thousands of them. While no
 * other task has any on disk, it has half.
 */
export function createBacklog(
  db: Database,
  inHand: ReadonlyMap<number, { readonly event: Pick<StoredEvent, 'taskId'> }>,
  capacity: number,
): Backlog {
  const shared: Room = { all: capacity, task: Math.ceil(capacity / 10) }
  const undisputed: Room = { all: capacity / 2, task: capacity / 2 }
  let drained = false
  /** Tasks that had their share when nothing else was left on disk. */
  let crowded: ReadonlySet<string> = new Set()
  /** For this `after` there is nothing to be found before that time. */
  let searched = { after: -1, until: 0 }
  const isNew = (event: { readonly seq: number }) => !inHand.has(event.seq)

  function inHandByTask(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { event } of inHand.values()) counts.set(event.taskId, (counts.get(event.taskId) ?? 0) + 1)
    return counts
  }

  /** Adds to `taken` what there is room for. */
  function take(now: number, { taken, counts, full }: Intake, room: Room): void {
    const limit = capacity + inHand.size
    const found = duePendingEvents(db, now, limit, full)
    for (const event of found) {
      const { seq, taskId } = event
      if (!isNew(event) || taken.has(seq)) continue
      const count = counts.get(taskId) ?? 0
      if (count >= room.task) full.add(taskId)
      else if (inHand.size + taken.size >= room.all) return
      else {
        const stored = pendingEvent(db, seq)
        if (!stored) continue
        taken.set(seq, stored)
        counts.set(taskId, count + 1)
      }
    }
    drained = found.length < limit
  }

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
      if (inHand.size > capacity / 2) return []
      const counts = inHandByTask()
      const hasRoom = (task: string) => (counts.get(task) ?? 0) <= shared.task / 2
      if (drained && ![...crowded].some(hasRoom)) return []
      drained = false
      const full = new Set([...counts].filter(([, count]) => count >= shared.task).map(([task]) => task))
      const taken = new Map<number, StoredEvent>()
      let before: number
      do {
        before = full.size
        take(now, { taken, counts, full }, shared)
        // A task whose share is full may have hidden others from the last look.
      } while (!drained && full.size > before && inHand.size + taken.size < capacity)
      crowded = full
      if (drained && full.size > 0) {
        take(now, { taken, counts, full: new Set() }, undisputed)
        drained = true
      }
      return [...taken.values()]
    },
    nextAt: (now) => nextPendingAt(db, now),
  }
}
