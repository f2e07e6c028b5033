/** From an event to rows in the outbox: which routes apply, what gates, holds and limits say, who hears of a recovery. */

import type { EventOutcome, EventType, Need, TaskEvent } from '../events/types.ts'
import { type Database, isStorageTrouble } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import { isNotifying } from './destinations/index.ts'
import type { DeliveryChange } from './outbox/outbox.ts'
import { hasDelivery, insertDelivery, type NewDelivery } from './outbox/store.ts'
import {
  type Again,
  type AgainSettings,
  type Candidate,
  candidatesOf,
  DIRECT,
  earlierDelivery,
  type MadeDelivery,
} from './routes/again.ts'
import {
  createDecider,
  type Decision,
  type Passage,
  PENDING,
  type RehearsedDelivery,
  suppressed,
  typeOf,
} from './routes/decide.ts'
import { watchFallback } from './routes/fallback-store.ts'
import { type Chains, closeGroups, openGroup } from './routes/groups.ts'
import { createRouteTable, isFor, type NamedRoutes } from './routes/named-routes.ts'
import {
  countReady,
  isDecidable,
  isKnown,
  isReady,
  isRecoveryReady,
  type Open,
  recoversQuietly,
} from './routes/ready.ts'
import { alertedOf, clearedOutcomes, isConfirmed } from './routes/recovery.ts'
import { isGood, subjectOf } from './routes/subjects.ts'
import type { DeliveryKind, Hold, HoldNeeds, PlannedDelivery, Route } from './types.ts'

export interface RouterDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Called after deliveries were committed, with the lanes that got some. */
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
  /** Told about deliveries that are suppressed from the start, for live views; the outbox tells about the others. */
  readonly observe?: (change: DeliveryChange) => void
  /** Told about every delivery that a route makes, suppressed ones included. */
  readonly onRouted?: (route: string, outcome: EventOutcome) => void
  /** In this order; the first one that holds a delivery back gives the reason. */
  readonly holds?: readonly Hold[]
  /** What the holds have to know; default nothing. */
  readonly holdNeeds?: HoldNeeds
  /** Absent: every failure stands alone. */
  readonly chains?: Chains
}

export interface Router {
  routeArrival(db: Database, event: TaskEvent): void
  routeEarly(db: Database, event: TaskEvent, open: Open): void
  routeEnriched(db: Database, event: TaskEvent, resumed?: boolean): void
  /** Adds the recoveries of a stored event whose success Qlik Sense has confirmed later on. */
  routeRecoveries(db: Database, event: TaskEvent): void
  readyWithout(type: EventType, outcome: EventOutcome, open: Open): number
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /** Whether some route has to do with such events: alerts about them, or is told by them that all is well. */
  wants(type: EventType, outcome: EventOutcome): boolean
  wake(): void
  /** Without a destination the first route of the name. */
  route(name: string, destination?: string): Route | undefined
  /** What a replay or a test of the event would send. */
  candidates(event: TaskEvent, wish: Again): readonly Candidate[]
  /** Adds the deliveries of a replay or a test: nothing else comes of them, neither recovery nor fallback. */
  routeAgain(db: Database, event: TaskEvent, settings: AgainSettings): readonly MadeDelivery[]
  /** Does what routing does and tells about it; the caller takes it back. */
  rehearse(db: Database, event: TaskEvent, now: number): Rehearsal
}

/** What routing has done. */
export interface Rehearsal {
  readonly deliveries: readonly RehearsedDelivery[]
  /** The route after which no other was looked at. */
  readonly stoppedBy: string | null
  /** Routes that were looked at and have matched. */
  readonly matched: ReadonlySet<string>
}

/** Routes come from the configuration and never change while running. */
export function createRouter(deps: RouterDeps, routes: readonly Route[]): Router {
  const table = createRouteTable(routes)
  const { decide, heldBack, groupOf } = createDecider({ holds: deps.holds ?? [], chains: deps.chains, carefully })
  let touchedLanes = new Set<string>()

  /** Returns the name of the route after which no other is looked at. */
  function addAlerts(passage: Passage, phase: Route['phase'], matched?: Set<string>): string | null {
    for (const named of table.inOrder) {
      const candidates = named.routes.filter((route) => route.phase === phase && isFor(route, passage.event))
      if (candidates.length === 0) continue
      if (!isDecidable(named, passage.open)) {
        // Whether those behind it are looked at at all is not known.
        if (named.stop) return null
        continue
      }
      if (!matches(named, passage.event)) continue
      matched?.add(named.name)
      for (const route of candidates.filter((one) => isReadyIn(passage, one))) {
        for (const planned of plan(route, passage.event)) addAlert(passage, route, planned)
      }
      if (named.stop) return named.name
    }
    return null
  }

  function isReadyIn(passage: Passage, route: Route): boolean {
    return isReady(route, passage.open) && (!isNotifying(typeOf(route)) || canHold(passage))
  }

  /** Whether all is known that maintenance and snoozes ask about. */
  function canHold({ db, now, open }: Passage): boolean {
    return open.size === 0 || isKnown(deps.holdNeeds?.(db, now) ?? [], open)
  }

  function isThere({ db, event, resumed }: Passage, route: Route, target: string, kind: DeliveryKind): boolean {
    if (!resumed) return false
    return hasDelivery(db, { eventId: event.id, route: route.name, destination: route.destination, target, kind })
  }

  /** Rather one alert too many. */
  function matches({ name, routes: [first] }: NamedRoutes, event: TaskEvent): boolean {
    return carefully(name, event, true, () => first?.filter?.matches(event, event.receivedAt) ?? true)
  }

  function plan(route: Route, event: TaskEvent): readonly PlannedDelivery[] {
    return carefully(route.name, event, [], () => route.plan(event))
  }

  function carefully<T>(route: string, event: TaskEvent, otherwise: T, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isStorageTrouble(error)) throw error
      complain(route, event, error)
      return otherwise
    }
  }

  function complain(route: string, event: TaskEvent, error: unknown): void {
    deps.log.error(`NOTIFY Route ${route} failed for event ${event.id} of task "${event.taskName}": ${error}`)
  }

  function addAlert(passage: Passage, route: Route, planned: PlannedDelivery): void {
    const { db, event, now } = passage
    // Asked before anything is counted or taken on its behalf.
    if (isThere(passage, route, planned.target, 'alert')) return
    const decision = decide(passage, route, planned)
    const isPending = decision.state === 'pending'
    const group = isPending ? groupOf(passage, route) : null
    const { policy } = route
    const about = policy?.recovery && !isGood(event.outcome) && !event.test ? subjectOf(event) : null
    const isNew = add(passage, route, planned, {
      ...decision,
      kind: 'alert',
      orderKey: planned.orderKey ?? (about === null ? null : `${route.destination}|${planned.target}|${about}`),
      limitKey: limitKeyOf(event, planned),
      severity: route.severity ?? event.severity,
      note: group?.kind === 'root' ? group.note : null,
      about,
    })
    if (!isNew || !isPending || !policy || event.test) return
    if (group?.kind === 'root') {
      openGroup(db, route.name, event, group.downstream, { now, windowMs: policy.groupWindowMs })
    }
    if (policy.fallback.length > 0) watchFallback(db, event.id, route.name, now + policy.fallbackAfterMs)
  }

  type Addition = Decision &
    Pick<NewDelivery, 'kind' | 'orderKey' | 'limitKey' | 'severity' | 'note' | 'about' | 'replayOf'>

  /** The id; null when the event has this delivery already. */
  function add(passage: Passage, route: Route, planned: PlannedDelivery, addition: Addition): string | null {
    const { db, event, now, rehearsal } = passage
    const { destination, name } = route
    const { target, lane } = planned
    const { state, reason, detail, kind } = addition
    const id = uuidV7(now)
    const row = { ...addition, id, eventId: event.id, route: name, destination, target, lane, createdAt: now }
    const isNew = insertDelivery(db, row)
    if (rehearsal) {
      rehearsal.push({ route: name, destination, target, kind, wouldBe: state, reason, detail })
      return isNew ? id : null
    }
    if (!isNew) return null
    deps.onRouted?.(name, event.outcome)
    if (state === 'pending') {
      touchedLanes.add(lane)
      return id
    }
    deps.log.verbose(
      `NOTIFY suppressed channel=${destination} route=${name} task=${event.taskId} to=${target} reason=${reason} (${detail})`,
    )
    const latencyMs = now - event.receivedAt
    deps.observe?.({ deliveryId: id, destination, target, state, reason, detail, attempts: 0, event, latencyMs })
    return id
  }

  function addRecoveries(passage: Passage): void {
    const { db, event, now } = passage
    if (event.test || clearedOutcomes(event).length === 0) return
    // A sample, whose execution is unknown, stands for a success that Qlik Sense confirms.
    const isSample = passage.rehearsal !== null && event.missingParts.includes('execution')
    if (!isSample && !isConfirmed(event)) {
      logUnconfirmed(passage)
      return
    }
    for (const named of table.inOrder) {
      if (!named.recovery) continue
      for (const alerted of carefully(named.name, event, [], () => alertedOf(db, named.name, event))) {
        const route = table.find(named.name, alerted.destination)
        if (!route?.policy?.recovery || !isRecoveryReady(route, passage.open)) continue
        if (isThere(passage, route, alerted.target, 'recovery')) continue
        // What is held back waits for the next success.
        const quiet = recoversQuietly(route)
        if (!quiet && !canHold(passage)) continue
        const held = quiet ? null : heldBack(passage, route, { target: alerted.target, lane: alerted.lane })
        add(
          passage,
          route,
          { target: alerted.target, lane: alerted.lane },
          {
            ...(held ? suppressed(held.reason, held.detail) : PENDING),
            ...{ kind: 'recovery', orderKey: alerted.orderKey, limitKey: null, severity: event.severity, note: null },
            about: subjectOf(event),
          },
        )
      }
    }
    if (event.outcome === 'success') closeGroups(db, event.taskId, now)
  }

  /** Once for an event, in its last step. */
  function logUnconfirmed({ db, event, open, rehearsal }: Passage): void {
    if (open.size > 0 || rehearsal) return
    const routes = table.inOrder.filter(({ name, recovery }) => recovery && alertedOf(db, name, event).length > 0)
    if (routes.length === 0) return
    deps.log.warn(
      `NOTIFY No recovery for task "${event.taskName}" (${event.taskId}): Qlik Sense has not confirmed the success of execution ${event.executionId || 'without id'}; route ${routes.map(({ name }) => name).join(', ')}`,
    )
  }

  const candidates = (event: TaskEvent, wish: Again) => candidatesOf({ table, matches, plan }, event, wish)

  function addAgain(passage: Passage, candidate: Candidate, { kind, ignoreGates }: AgainSettings): MadeDelivery {
    const { route, planned } = candidate
    const free = (ignoreGates || route.name === DIRECT) && !planned.suppress
    const decision = free ? PENDING : decide(passage, route, planned)
    const replayOf = earlierDelivery(passage.db, passage.event, candidate, kind)
    const id = add(passage, route, planned, {
      ...{ ...decision, kind, replayOf, orderKey: planned.orderKey ?? null, note: null, about: null },
      limitKey: free ? null : limitKeyOf(passage.event, planned),
      severity: route.severity ?? passage.event.severity,
    })
    const { destination } = route
    const { state, reason } = decision
    // Each wish makes a delivery of its own: one that repeats another, or the first.
    return { id: id ?? '', route: route.name || null, destination, target: planned.target, state, reason }
  }

  const passageOf = (db: Database, event: TaskEvent, open = NOTHING, resumed = false): Passage => ({
    ...{ db, event, now: deps.clock.now(), open, resumed, rehearsal: null, groups: new Map() },
  })

  function addEnriched(passage: Passage): void {
    addAlerts(passage, 'enriched')
    addRecoveries(passage)
  }

  return {
    routeArrival: (db, event) => void addAlerts(passageOf(db, event), 'arrival'),
    routeEarly: (db, event, open) => addEnriched(passageOf(db, event, open, true)),
    routeEnriched: (db, event, resumed = false) => addEnriched(passageOf(db, event, NOTHING, resumed)),
    routeRecoveries: (db, event) => addRecoveries(passageOf(db, event, NOTHING, true)),
    readyWithout: (type, outcome, open) => countReady(routes, type, outcome, open),
    needs: table.needs,
    wants: table.wants,
    wake() {
      if (touchedLanes.size === 0) return
      const lanes = touchedLanes
      touchedLanes = new Set()
      deps.onDeliveries(lanes)
    },
    route: table.find,
    candidates,
    routeAgain(db, event, settings) {
      const passage = passageOf(db, event)
      return candidates(event, settings).map((candidate) => addAgain(passage, candidate, settings))
    },
    rehearse(db, event, now) {
      const deliveries: RehearsedDelivery[] = []
      const matched = new Set<string>()
      const passage: Passage = { ...passageOf(db, event), now, rehearsal: deliveries }
      addAlerts(passage, 'arrival', matched)
      const stoppedBy = addAlerts(passage, 'enriched', matched)
      addRecoveries(passage)
      return { deliveries, stoppedBy, matched }
    },
  }
}

const NOTHING: Open = new Set()

/** Whose slot a delivery holds as long as it is not lost. */
const limitKeyOf = ({ test }: TaskEvent, { limit }: PlannedDelivery): string | null =>
  !test && limit && limit.windowMs > 0 ? limit.key : null
