/** Sends to the fallback destinations of a route when a delivery is dead or takes too long; once per event and route. */

import type { TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import { type Database, isStorageTrouble } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { insertDelivery } from '../outbox/store.ts'
import type { PlannedDelivery, Route } from '../types.ts'
import {
  deadWatches,
  dueWatches,
  endWatch,
  type Watch,
  type WatchedDelivery,
  watchedDeliveries,
  watchesOf,
} from './fallback-store.ts'
import { subjectOf } from './subjects.ts'

export interface FallbackDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly loadEvent: (id: string) => TaskEvent | null
  /** The route of this name to this destination; without one the first of the name. */
  readonly route: (name: string, destination?: string) => Route | undefined
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
}

export interface Fallbacks extends Service {
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

  /** One that fails over an odd event must not hold up the others. */
  function settleAlone(tx: Database, watch: Watch): readonly string[] {
    try {
      return [...tx.transaction(() => settle(tx, watch))]
    } catch (error) {
      if (isStorageTrouble(error)) throw error
      complain(watch, error)
      endWatch(tx, watch)
      return []
    }
  }

  function complain({ route, eventId }: Watch, error: unknown): void {
    log.error(`NOTIFY The fallback of route ${route} failed for event ${eventId}: ${error}`)
  }

  /** Returns the lanes that got something. */
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

  function plan(watch: Watch, route: Route, event: TaskEvent): readonly PlannedDelivery[] {
    try {
      return route.plan(event)
    } catch (error) {
      complain(watch, error)
      return []
    }
  }

  function send(tx: Database, watch: Watch, event: TaskEvent, failed: WatchedDelivery): ReadonlySet<string> {
    const now = clock.now()
    const lanes = new Set<string>()
    const policy = deps.route(watch.route, failed.destination)?.policy ?? deps.route(watch.route)?.policy
    for (const name of policy?.fallback ?? []) {
      const route = deps.route(watch.route, name)
      if (!route || name === failed.destination) continue
      for (const { target, lane, suppress } of plan(watch, route, event)) {
        const isNew = insertDelivery(tx, {
          ...{ id: uuidV7(now), eventId: event.id, kind: 'fallback', route: watch.route, destination: name },
          ...{ target, lane, orderKey: null, limitKey: null, createdAt: now },
          severity: deps.route(watch.route, failed.destination)?.severity ?? event.severity,
          note: { failedDestination: failed.destination },
          about: policy?.recovery || route.policy?.recovery ? subjectOf(event) : null,
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
      // What died while nobody looked.
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
/** What somebody has called off is not lost. */
const isLost = ({ state, reason }: WatchedDelivery): boolean => state === 'dead' && reason !== 'CANCELLED'
