/** Builds the alerts side: a plan of routes and destinations, the router and the outbox that follow it, and its changes. */
import { createSummaries, type Maintenance } from '../alerts/maintenance.ts'
import { releaseLatest } from '../alerts/outbox/latest.ts'
import { createOutbox, type DeliveryChange, type Outbox } from '../alerts/outbox/outbox.ts'
import { createPeers, type Peers } from '../alerts/outbox/peers.ts'
import { releaseHeld } from '../alerts/outbox/release.ts'
import { createRouter, type Router } from '../alerts/router.ts'
import type { ListedRoute } from '../alerts/routes/explain.ts'
import { createFallbacks } from '../alerts/routes/fallback.ts'
import { createChainGraph, withChains } from '../alerts/routes/graph.ts'
import { purgeGroups } from '../alerts/routes/groups.ts'
import { usualStart } from '../alerts/routes/usual-start.ts'
import { createSnoozeHold, purgeSnoozes, snoozeNeeds } from '../alerts/snoozes.ts'
import type { Destination, Hold, SuppressReason } from '../alerts/types.ts'
import { loadTaskEvent } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { Windows } from '../platform/calendar/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Service } from '../platform/types.ts'
import type { ChainReader, QrsClient } from '../qlik/qrs/types.ts'
import { type AlertPlan, type AlertPlanDeps, buildAlertPlan } from './alert-plan.ts'
import type { Config } from './schema.ts'

export interface AlertsDeps extends AlertPlanDeps {
  readonly writer: GroupWriter
  /** Reads the chains of tasks. */
  readonly qrs: ChainReader
  readonly windows: Windows
  readonly observe?: (change: DeliveryChange) => void
  /** A route has made a delivery. */
  readonly onRouted?: (route: string, outcome: string) => void
  /** Reasons of other features to hold messages back. */
  readonly holds?: readonly Hold[]
}

/** Everything here follows the plan in use: its maps and lists change with it, its functions ask it. */
export interface Alerts {
  readonly router: Router
  readonly outbox: Outbox
  /** Those of Butler's sections and the named ones, by name. */
  readonly destinations: ReadonlyMap<string, Destination>
  /** As the route wants it. */
  readonly destination: (route: string, name: string) => Destination | undefined
  /** In order of evaluation. */
  readonly listed: readonly ListedRoute[]
  readonly maintenance: Pick<Maintenance, 'nameFor' | 'stopsSchedules'>
  /** How the destinations fare. */
  readonly peers: Peers
  /** Learns the chains of tasks while tasks are asked about. */
  readonly withChains: (qrs: QrsClient) => QrsClient
  /** Groups and snoozes that are over. */
  readonly pruning: readonly Pruning[]
  /** To be started after the outbox. */
  readonly services: readonly Service[]
  /** What was held back for this reason is to be sent now, as the event stands now. Wakes nobody: see `wake`. */
  readonly release: (db: Database, eventId: string, reason: SuppressReason) => void
  /** Sends the newest of these events after all where a rate limit has suppressed it; false while that has to wait. */
  readonly releaseLatest: (eventIds: readonly string[]) => Promise<boolean>
  /** What was released is on disk. */
  readonly wake: () => void
  /**
   * Makes a plan of another configuration; throws when there can be none. When the result is called, events from now on and
   * deliveries that have not left yet follow that plan; what is being sent ends as it began. Deliveries to destinations that
   * `changed` (keys below `Butler`) concerns are due at once.
   */
  readonly prepare: (windows: Windows, config: Config, changed: readonly string[]) => Use
}

const CACHED_EVENTS = 64
/** Making and sending a message take less: a destination that was replaced is closed then. */
const LONGEST_SEND_MS = 100_000

export function buildAlerts(deps: AlertsDeps, config: Config, shadow: boolean): Alerts {
  const { log, clock, db, writer } = deps
  const { delivery } = config.footman
  let plan = buildAlertPlan(deps, deps.windows, config)
  const destinations = new Map<string, Destination>()
  const all: Destination[] = []
  const listed: ListedRoute[] = []
  const retired = new Map<AlertPlan, ReturnType<typeof setTimeout>>()
  const graph = createChainGraph(deps)
  const peers = createPeers()
  const observe = (change: DeliveryChange) => {
    peers.observe(change)
    if (change.state === 'dead' && change.event) fallbacks.onDead(change.event.id)
    deps.observe?.(change)
  }
  const { load: loadEvent, forget } = cachedLoader((id) => loadTaskEvent(db, id))
  const releasedLanes = new Set<string>()

  // The router tells the outbox about new deliveries; the outbox asks the router for routes.
  const onDeliveries = (lanes: ReadonlySet<string>) => outbox.wake(lanes)
  const routerOf = ({ maintenance, windows, routes }: AlertPlan): Router => {
    const snoozesNeed = snoozeNeeds({ windows })
    return createRouter(
      {
        ...{ clock, log, onDeliveries, observe: deps.observe, onRouted: deps.onRouted },
        holds: [maintenance.hold, createSnoozeHold({ windows }), ...(deps.holds ?? [])],
        holdNeeds: (tx, now) => [...maintenance.needs, ...snoozesNeed(tx, now)],
        ...(usesChains(routes) && { chains: { downstream: graph.downstream, usualStart } }),
      },
      routes,
    )
  }
  let current = routerOf(plan)
  const router = followingRouter(
    () => current,
    (event) => forget(event.id),
  )
  const find = (route: string, name: string) => plan.registry.find(route, name)
  const outbox: Outbox = createOutbox(
    {
      ...{ ...deps, observe, route: router.route, loadEvent },
      ...{ destinations, destination: find, all },
    },
    {
      concurrency: delivery.concurrency,
      retry: { firstMs: delivery.retryFirst, maxMs: delivery.retryMax },
      maxAgeMs: (name) => (name === 'influxdb' ? delivery.influxDbMaxAge : delivery.maxAge),
      shadow,
    },
  )
  const fallbacks = createFallbacks({ db, writer, clock, log, loadEvent, route: router.route, onDeliveries })
  const summaries = createSummaries(
    {
      ...{ db, writer, clock, log, loadEvent, onDeliveries },
      maintenance: { isOn: (name, at) => plan.maintenance.isOn(name, at) },
      routes: (name) => plan.routes.filter((route) => route.name === name),
    },
    () => plan.summaryNames,
  )

  function follow(next: AlertPlan): void {
    plan = next
    destinations.clear()
    for (const [name, destination] of next.registry.byName) destinations.set(name, destination)
    all.splice(0, all.length, ...next.registry.all)
    listed.splice(0, listed.length, ...next.listed)
  }
  follow(plan)

  /** Its connections are closed when nothing can be under way on them any more. */
  function retire(old: AlertPlan, router: Router): void {
    // Lanes that it has added deliveries to and that nobody has woken yet.
    for (const ms of [0, 1000, 5000]) setTimeout(router.wake, ms).unref()
    retired.set(old, setTimeout(() => void close(old), LONGEST_SEND_MS).unref())
  }

  async function close(old: AlertPlan): Promise<void> {
    clearTimeout(retired.get(old))
    retired.delete(old)
    await Promise.allSettled(old.registry.all.map((destination) => destination.close?.()))
    old.closeMail()
  }

  return {
    ...{ router, peers, destinations, listed, destination: find },
    maintenance: {
      nameFor: (event, at) => plan.maintenance.nameFor(event, at),
      stopsSchedules: (at) => plan.maintenance.stopsSchedules(at),
    },
    outbox: {
      ...outbox,
      async stop(graceMs) {
        await outbox.stop(graceMs)
        plan.closeMail()
        await Promise.all([...retired.keys()].map(close))
      },
    },
    release(tx, eventId, reason) {
      forget(eventId)
      const lanes = releaseHeld(tx, { eventId, reason, now: clock.now(), route: router.route })
      for (const lane of lanes) releasedLanes.add(lane)
    },
    async releaseLatest(eventIds) {
      const { lanes, waiting } = await writer.write((tx) => releaseLatest(tx, eventIds, clock.now()))
      if (lanes.size > 0) outbox.wake(lanes)
      return !waiting
    },
    wake() {
      outbox.wake(new Set(releasedLanes))
      releasedLanes.clear()
    },
    pruning: [purgeGroups, purgeSnoozes].map((purge) => ({ keepMs: config.footman.retention.events, purge })),
    withChains(qrs) {
      const learning = withChains(qrs, graph)
      return {
        ...qrs,
        taskById: (id, signal) => (usesChains(plan.routes) ? learning : qrs).taskById(id, signal),
      }
    },
    services: [fallbacks, summaries],
    prepare(windows, next, changed) {
      const nextPlan = buildAlertPlan(deps, windows, next)
      return () => {
        const concerned = changedDestinations(destinations, next, changed)
        const [oldPlan, oldRouter] = [plan, current]
        current = routerOf(nextPlan)
        follow(nextPlan)
        retire(oldPlan, oldRouter)
        outbox.destinationsChanged(concerned)
      }
    },
  }
}

const usesChains = (routes: AlertPlan['routes']): boolean => routes.some(({ policy }) => policy?.group === 'chain')

const NAMED = /^footman\.destinations\.([^.]+)/

/** Those that are gone or other ones; a changed section of Butler may concern each of its destinations. */
function changedDestinations(
  destinations: ReadonlyMap<string, unknown>,
  { footman }: Config,
  changed: readonly string[],
): string[] {
  const named = changed.flatMap((path) => NAMED.exec(path)?.[1] ?? [])
  const ofButler = changed.some((path) => !path.startsWith('footman.'))
    ? [...destinations.keys()].filter((name) => !(name in footman.destinations))
    : []
  return [...new Set([...named, ...ofButler])]
}

/** A router that asks the one in use. `changed` = more is known about an event that has been told of before. */
function followingRouter(current: () => Router, changed: (event: TaskEvent) => void): Router {
  return {
    routeArrival: (db, event) => current().routeArrival(db, event),
    routeEarly(db, event, open) {
      changed(event)
      current().routeEarly(db, event, open)
    },
    routeEnriched(db, event, resumed) {
      changed(event)
      current().routeEnriched(db, event, resumed)
    },
    readyWithout: (type, outcome, open) => current().readyWithout(type, outcome, open),
    needs: (type, outcome) => current().needs(type, outcome),
    wants: (type, outcome) => current().wants(type, outcome),
    wake: () => current().wake(),
    route: (name, destination) => current().route(name, destination),
    candidates: (event, wish) => current().candidates(event, wish),
    routeAgain: (db, event, settings) => current().routeAgain(db, event, settings),
    rehearse: (db, event, now) => current().rehearse(db, event, now),
  }
}

/** Deliveries of one event come in a row; its record is read once. */
function cachedLoader(read: (id: string) => TaskEvent | null) {
  const cache = new Map<string, TaskEvent>()
  const load = (id: string): TaskEvent | null => {
    const known = cache.get(id)
    if (known) return known
    const event = read(id)
    // An event that still waits for Qlik data is going to change.
    if (event === null || event.task === null) return event
    if (cache.size >= CACHED_EVENTS) cache.delete(cache.keys().next().value!)
    cache.set(id, event)
    return event
  }
  return { load, forget: (id: string) => void cache.delete(id) }
}
