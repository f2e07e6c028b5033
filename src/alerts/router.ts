/** From an event to rows in the outbox: which routes apply, what their gates and limits say. */
import type { EventOutcome, EventType, TaskEvent } from '../events/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { DeliveryChange } from './outbox/outbox.ts'
import { takeSlot } from './outbox/rate-limit.ts'
import { insertDelivery } from './outbox/store.ts'
import type { Need, PlannedDelivery, Route, SuppressReason } from './types.ts'

export interface RouterDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Called after deliveries were committed, with the lanes that got some. */
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
  /** Told about deliveries that are suppressed from the start, for live views; the outbox tells about the others. */
  readonly observe?: (change: DeliveryChange) => void
  /** Told about every delivery that a route makes, suppressed ones included. */
  readonly onRouted?: (route: string, outcome: EventOutcome) => void
}

export interface Router {
  routeArrival(db: Database, event: TaskEvent): void
  routeEnriched(db: Database, event: TaskEvent): void
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  wake(): void
  route(name: string): Route | undefined
}

type Decision =
  | { readonly state: 'pending'; readonly reason: null; readonly detail: null }
  | { readonly state: 'suppressed'; readonly reason: SuppressReason; readonly detail: string }

/** Routes come from the configuration and never change while running. */
export function createRouter(deps: RouterDeps, routes: readonly Route[]): Router {
  const byName = new Map(routes.map((route) => [route.name, route]))
  const needsOf = new Map<string, ReadonlySet<Need>>()
  let touchedLanes = new Set<string>()

  function matching(type: EventType, outcome: EventOutcome): readonly Route[] {
    return routes.filter(({ when }) => when.types.includes(type) && when.outcomes.includes(outcome))
  }

  function addDeliveries(db: Database, event: TaskEvent, phase: Route['phase']): void {
    for (const route of matching(event.type, event.outcome)) {
      if (route.phase !== phase) continue
      for (const planned of plan(route, event)) addDelivery(db, event, route, planned)
    }
  }

  /** A route that fails over an odd event must not cost the messages of the others, nor hold up the event. */
  function plan(route: Route, event: TaskEvent): readonly PlannedDelivery[] {
    try {
      return route.plan(event)
    } catch (error) {
      deps.log.error(`NOTIFY Route ${route.name} failed for event ${event.id} of task "${event.taskName}": ${error}`)
      return []
    }
  }

  function addDelivery(db: Database, event: TaskEvent, route: Route, planned: PlannedDelivery): void {
    const now = deps.clock.now()
    const decision = decide(db, event, planned, now)
    const id = uuidV7(now)
    const isNew = insertDelivery(db, {
      id,
      eventId: event.id,
      kind: 'alert',
      route: route.name,
      destination: route.destination,
      target: planned.target,
      lane: planned.lane,
      orderKey: planned.orderKey ?? null,
      limitKey: planned.limit && planned.limit.windowMs > 0 ? planned.limit.key : null,
      severity: event.severity,
      createdAt: now,
      ...decision,
    })
    if (!isNew) return
    deps.onRouted?.(route.name, event.outcome)
    if (decision.state === 'pending') {
      touchedLanes.add(planned.lane)
      return
    }
    const { target } = planned
    logSuppressed(event, route, target, decision)
    const { destination } = route
    const latencyMs = now - event.receivedAt
    deps.observe?.({ deliveryId: id, destination, target, ...decision, attempts: 0, event, latencyMs })
  }

  /** Limits come last: only what would really be sent takes a slot. */
  function decide(db: Database, event: TaskEvent, { limit, suppress }: PlannedDelivery, now: number): Decision {
    if (suppress) return suppressed(suppress.reason, suppress.detail)
    if (!limit || limit.windowMs <= 0) return PENDING
    if (takeSlot(db, { ...limit, eventId: event.id, now })) return PENDING
    return suppressed('RATE_LIMITED', `at most one alert in ${limit.windowMs / 1000} s`)
  }

  function logSuppressed(event: TaskEvent, route: Route, target: string, { reason, detail }: Decision): void {
    deps.log.verbose(
      `NOTIFY suppressed channel=${route.destination} route=${route.name} task=${event.taskId} to=${target} reason=${reason} (${detail})`,
    )
  }

  return {
    routeArrival: (db, event) => addDeliveries(db, event, 'arrival'),
    routeEnriched: (db, event) => addDeliveries(db, event, 'enriched'),
    needs(type, outcome) {
      const key = `${type} ${outcome}`
      const known = needsOf.get(key)
      if (known) return known
      const needs = new Set(matching(type, outcome).flatMap((route) => route.needs))
      needsOf.set(key, needs)
      return needs
    },
    wake() {
      if (touchedLanes.size === 0) return
      const lanes = touchedLanes
      touchedLanes = new Set()
      deps.onDeliveries(lanes)
    },
    route: (name) => byName.get(name),
  }
}

const PENDING: Decision = { state: 'pending', reason: null, detail: null }

function suppressed(reason: SuppressReason, detail: string): Decision {
  return { state: 'suppressed', reason, detail }
}
