/** Sends to the fallback destinations of a rule when a delivery is dead or takes too long; once per event and rule. */

import type { TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import { type Database, isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { insertDelivery, newDeliveryId } from '../outbox/store.ts'
import type { PlannedDelivery, Rule } from '../types.ts'
import { subjectOf } from './subjects.ts'

interface FallbackDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly loadEvent: (id: string) => TaskEvent | null
  /** The rule of this name to this destination; without one the first of the name. */
  readonly rule: (name: string, destination?: string) => Rule | undefined
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
}

interface Fallbacks extends Service {
  /** A delivery of this event has become a dead letter. */
  onDead(eventId: string): void
}

const TICK_MS = 1000
const AT_A_TIME = 200

export function createFallbacks(deps: FallbackDeps): Fallbacks {
  const { db, writer, clock, log } = deps
  let busy: Promise<void> = Promise.resolve()
  let stopped = false

  function lookAt(watches: (tx: Database) => readonly Watch[]): void {
    if (stopped) return
    busy = busy
      .then(() => writer.write((tx) => watches(tx).flatMap((watch) => settleAlone(tx, watch))))
      .then(
        (lanes) => deps.onDeliveries(new Set(lanes)),
        (error: unknown) => log.error(`NOTIFY The fallback of a delivery could not be made: ${error}`),
      )
  }

  /** An odd event must not hold up the others. */
  function settleAlone(tx: Database, watch: Watch): readonly string[] {
    try {
      return [...tx.transaction(() => settle(tx, watch))]
    } catch (error) {
      if (isStorageFailure(error)) throw error
      complain(watch, error)
      endWatch(tx, watch)
      return []
    }
  }

  function complain({ route, eventId }: Watch, error: unknown): void {
    log.error(`NOTIFY The fallback of rule ${route} failed for event ${eventId}: ${error}`)
  }

  /** Returns the lanes that got a delivery. */
  function settle(tx: Database, watch: Watch): ReadonlySet<string> {
    const late = watchedDeliveries(tx, watch).filter((delivery) => isOpen(delivery) || isLost(delivery))
    const lost = late.filter(isLost)
    const isDue = watch.dueAt <= clock.now()
    if (late.length > 0 && lost.length === 0 && !isDue) return NO_LANES
    endWatch(tx, watch)
    const [first] = isDue ? late : lost
    const event = first ? deps.loadEvent(watch.eventId) : null
    return first && event ? send(tx, watch, event, first) : NO_LANES
  }

  function plan(watch: Watch, rule: Rule, event: TaskEvent): readonly PlannedDelivery[] {
    try {
      return rule.plan(event)
    } catch (error) {
      complain(watch, error)
      return []
    }
  }

  function send(tx: Database, watch: Watch, event: TaskEvent, failed: WatchedDelivery): ReadonlySet<string> {
    const now = clock.now()
    const lanes = new Set<string>()
    const policy = deps.rule(watch.route, failed.destination)?.policy ?? deps.rule(watch.route)?.policy
    for (const name of policy?.fallback ?? []) {
      const rule = deps.rule(watch.route, name)
      if (!rule || name === failed.destination) continue
      for (const { target, lane, suppress } of plan(watch, rule, event)) {
        const identity = { kind: 'fallback', route: watch.route, destination: name, target } as const
        const isNew = insertDelivery(tx, {
          id: newDeliveryId(event, identity, now),
          eventId: event.id,
          ...identity,
          lane,
          orderKey: null,
          limitKey: null,
          createdAt: now,
          destinationType: rule.destinationType ?? name,
          severity: deps.rule(watch.route, failed.destination)?.severity ?? event.severity,
          note: { failedDestination: failed.destination },
          about: policy?.recovery || rule.policy?.recovery ? subjectOf(event) : null,
          ...(suppress ? { state: 'suppressed', ...suppress } : { state: 'pending', reason: null, detail: null }),
        })
        if (isNew && !suppress) lanes.add(lane)
      }
    }
    log.warn(
      `NOTIFY ${failed.destination} has not been reached about "${event.taskName}" (route ${watch.route}); using ${policy?.fallback.join(', ')}`,
    )
    return lanes
  }

  const ticks = createRecurringJob({ everyMs: TICK_MS }, () => {
    const due = dueWatches(db, clock.now(), AT_A_TIME)
    if (due.length > 0) lookAt(() => due)
  })

  return {
    name: 'fallbacks',
    async start() {
      stopped = false
      // Deliveries that died while Footman was stopped.
      lookAt((tx) => deadWatches(tx, AT_A_TIME))
      ticks.start()
    },
    async stop() {
      stopped = true
      await ticks.stop()
      await busy
    },
    onDead: (eventId) => lookAt((tx) => watchesOf(tx, eventId)),
  }
}

const NO_LANES: ReadonlySet<string> = new Set()

const isOpen = ({ state }: WatchedDelivery): boolean => state === 'pending' || state === 'sending'
/** A delivery that was cancelled is not lost. */
const isLost = ({ state, reason }: WatchedDelivery): boolean => state === 'dead' && reason !== 'CANCELLED'

interface WatchedDelivery {
  readonly destination: string
  readonly target: string
  readonly state: string
  readonly reason: string | null
}

interface Watch {
  readonly eventId: string
  readonly route: string
  readonly dueAt: number
}

/** Stores that the deliveries of this event and rule may need their fallback. */
export function watchFallback(db: Database, eventId: string, route: string, dueAt: number): void {
  db.run('INSERT OR IGNORE INTO fallback_watch (event_id, route, due_at) VALUES (?, ?, ?)', eventId, route, dueAt)
}

const COLUMNS = 'event_id AS eventId, route, due_at AS dueAt'

/** Those whose time has come, oldest first. */
export function dueWatches(db: Database, now: number, limit: number): readonly Watch[] {
  return db.all<Watch>(`SELECT ${COLUMNS} FROM fallback_watch WHERE due_at <= ? ORDER BY due_at LIMIT ?`, now, limit)
}

/** Those with a dead delivery. */
function deadWatches(db: Database, limit: number): readonly Watch[] {
  return db.all<Watch>(
    `SELECT ${COLUMNS} FROM fallback_watch AS watch WHERE EXISTS (SELECT 1 FROM delivery
       WHERE delivery.event_id = watch.event_id AND delivery.route = watch.route AND kind = 'alert' AND state = 'dead'
         AND replay_of = '') LIMIT ?`,
    limit,
  )
}

function watchesOf(db: Database, eventId: string): readonly Watch[] {
  return db.all<Watch>(`SELECT ${COLUMNS} FROM fallback_watch WHERE event_id = ?`, eventId)
}

/** The alerts of this event and rule, suppressed ones left out. */
export function watchedDeliveries(db: Database, { eventId, route }: Watch): readonly WatchedDelivery[] {
  return db.all<WatchedDelivery>(
    `SELECT destination, target, state, reason FROM delivery
     WHERE event_id = ? AND route = ? AND kind = 'alert' AND replay_of = '' AND state <> 'suppressed' ORDER BY seq`,
    eventId,
    route,
  )
}

function endWatch(db: Database, { eventId, route }: Watch): void {
  db.run('DELETE FROM fallback_watch WHERE event_id = ? AND route = ?', eventId, route)
}
