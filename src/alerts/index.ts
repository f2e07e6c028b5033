/** Builds the alerts side: a plan of rules and destinations, the router and the outbox that follow it, and its changes. */

import { createDecisionRecorder, purgeConfigurations } from '../alerts/history/decisions.ts'
import { createSummaries, type Maintenance, summaryRule } from '../alerts/maintenance.ts'
import {
  createOnceMaintenance,
  joinMaintenance,
  maintenanceRoutes,
  purgeMaintenance,
} from '../alerts/maintenance-once.ts'
import { createDestinationHealth, type DestinationHealth } from '../alerts/outbox/destination-health.ts'
import { createOutbox, type DeliveryChange, type Outbox } from '../alerts/outbox/outbox.ts'
import { releaseHeld, releaseLatest } from '../alerts/outbox/release.ts'
import { createRouter, type Router, type RouterDeps } from '../alerts/router.ts'
import { createChainGraph, purgeGroups, usualStart, withChains } from '../alerts/rules/chains.ts'
import type { ListedRule } from '../alerts/rules/explain.ts'
import { createFallbacks } from '../alerts/rules/fallback.ts'
import { confirmationNeeds } from '../alerts/rules/recovery.ts'
import type { Destination, SuppressReason } from '../alerts/types.ts'
import type { SharedState } from '../cluster/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { Problem } from '../config/problems.ts'
import type { Awaited } from '../events/event-router.ts'
import { loadTaskEvent, storeWholeEvent } from '../events/store.ts'
import type { EventOutcome, Need, ServiceDetails, TaskEvent } from '../events/types.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { Windows } from '../platform/calendar.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Service } from '../platform/types.ts'
import type { ChainReader, QrsClient, QrsTask } from '../qlik/qrs/types.ts'
import { recordingOf } from './destinations/index.ts'
import { serviceStatusPayload } from './destinations/mqtt.ts'
import { createLateLogs } from './late-log.ts'
import { type AlertPlan, type AlertPlanDeps, type AlertsConfig, buildAlertPlan } from './plan.ts'
import { createPlanInUse } from './plan-in-use.ts'
import { alertRouteApi, type RoutesDraft } from './rules/http.ts'
import { createSnoozes, purgeSnoozes, snoozeEnds, snoozeRoutes } from './snoozes.ts'
import type { Trial, trySending } from './trial.ts'
import type { Hold } from './types.ts'

export interface AlertsDeps extends Omit<AlertPlanDeps, 'candidates' | 'output' | 'influx'> {
  readonly paths: Pick<ConfigPaths, 'candidates' | 'output'>
  /** `server`: null when InfluxDB is off. */
  readonly influx: { readonly server: InfluxServer | null }
  readonly writer: GroupWriter
  /** Absent: a single node. */
  readonly shared?: SharedState
  /** `qrs` reads the chains of tasks; `cachedQrs` looks up the task of an invented event. */
  readonly qlik: { readonly qrs: ChainReader; readonly cachedQrs: QrsClient }
  readonly time: { readonly windows: Windows }
  readonly on: {
    delivery(change: DeliveryChange): void
    /** A rule has made a delivery. */
    routed(rule: string, outcome: string): void
    /** The router has handled an event; in the transaction that stores it. */
    handled(event: TaskEvent, awaited: Awaited): void
  }
  /** Those of other features. */
  readonly holds?: readonly Hold[]
  /** The configuration in use with the alert routes of a draft; null when the draft has errors. */
  readonly draftRoutes: (yaml: string) => Promise<{
    readonly config: AlertsConfig | null
    readonly windows: Windows
    readonly problems: readonly Problem[]
  }>
}

/** Everything here follows the plan in use: its maps and lists change with it, its functions ask it. */
export interface Alerts {
  readonly router: Router
  readonly outbox: Outbox
  /** Those of Butler's sections and those of `footman.destinations`, by name. */
  readonly destinations: ReadonlyMap<string, Destination>
  /** With the settings of the rule. */
  readonly destination: (rule: string, name: string) => Destination | undefined
  /** In order of evaluation. */
  readonly listed: readonly ListedRule[]
  readonly maintenance: Pick<Maintenance, 'nameFor' | 'stopsSchedules' | 'bands'>
  /** The snooze that holds alerts about an event back now; null = none. */
  readonly snoozeFor: (
    event: TaskEvent,
  ) => { readonly until: number; readonly successOf: string | null; readonly reason: string } | null
  /** Whether the destinations answer. */
  readonly health: DestinationHealth
  /** Learns the chains of tasks while tasks are asked about. */
  readonly withChains: (qrs: QrsClient) => QrsClient
  /** Groups and snoozes that are over. */
  readonly pruning: readonly Pruning[]
  /** The endpoints about alert routes, destinations and snoozes. */
  readonly routes: readonly ApiRoute[]
  /** The outbox first. */
  readonly backends: readonly Service[]
  readonly observers: { workMayWait(): void; readonly executionEnded: ReturnType<typeof snoozeEnds> }
  /** Publishes the state of a service to the broker, below a topic; null when MQTT is off. */
  readonly publishService: ((topic: string, host: string, details: ServiceDetails) => void) | null
  /** Makes the deliveries that were suppressed for this reason due now, with the current event. Call `wake` after the commit. */
  readonly release: (db: Database, eventId: string, reason: SuppressReason) => void
  /** Sends the newest of these events after all where a rate limit has suppressed it; false while that has to wait. */
  readonly releaseLatest: (eventIds: readonly string[]) => Promise<boolean>
  /** The needs that Qlik Sense has to confirm of an end of the task before recoveries may follow from it. */
  readonly confirmationNeeds: (taskId: string, outcome: EventOutcome) => readonly Need[]
  /** Sends the recoveries of a stored success that a datagram claimed and that Qlik Sense confirms now by `task`. */
  readonly confirmSuccess: (eventId: string, task: QrsTask) => Promise<void>
  /** Wakes the lanes of released deliveries; call it when they are committed. */
  readonly wake: () => void
  /** Sends a test message to a destination of another configuration; refused in shadow mode. */
  readonly trySending: (windows: Windows, config: AlertsConfig, trial: Trial) => ReturnType<typeof trySending>
  /**
   * Makes a plan of another configuration; throws when there can be none. When the result is called, events from now on and
   * deliveries that have not left yet follow that plan; what is being sent ends as it began. Deliveries to destinations that
   * `changed` (keys below `Butler`) concerns are due at once.
   */
  readonly prepare: (windows: Windows, config: AlertsConfig, changed: readonly string[]) => Use
}

const CACHED_EVENTS = 64

export function createAlerts(deps: AlertsDeps, config: AlertsConfig, shadow: boolean): Alerts {
  const { log, clock, db, writer, mqtt, on } = deps
  const { candidates, output } = deps.paths
  const planDeps = { ...deps, candidates, output, influx: deps.influx.server }
  const { delivery } = config.footman
  const plan = createPlanInUse(buildAlertPlan(planDeps, deps.time.windows, config))
  const { destinations, all, listed } = plan
  const graph = createChainGraph({ ...deps, qrs: deps.qlik.qrs })
  const health = createDestinationHealth(clock)
  const observe = (change: DeliveryChange) => {
    health.observe(change)
    if (change.state === 'dead' && change.event) fallbacks.onDead(change.event.id)
    on.delivery(change)
  }
  const { load: loadEvent, forget } = cachedLoader((id) => loadTaskEvent(db, id))

  // The router wakes the outbox for new deliveries; the outbox asks the router for rules.
  const onDeliveries = (lanes: ReadonlySet<string>) => outbox.wake(lanes)
  let snoozes = createSnoozes(plan.current)
  const { windows } = deps.time
  const once = createOnceMaintenance({ db, writer, clock, windows, shared: deps.shared })
  const maintenance = joinMaintenance(() => plan.current.maintenance, once)
  const decisions = createDecisionRecorder({ clock }, { config, routes: knownRoutes(plan.current) })
  const routerDeps: RouterDeps = {
    log,
    clock,
    onDeliveries,
    observe: on.delivery,
    onRouted: on.routed,
    onDecided: (tx, event, decided) => decisions.record(tx, event, decided),
    onHandled(event, awaited) {
      forget(event.id)
      on.handled(event, awaited)
    },
    holds: () => [plan.current.maintenance, once, snoozes, ...(deps.holds ?? [])],
    chains: { downstream: graph.downstream, usualStart },
  }
  const router = createRouter(routerDeps, plan.current.rules)
  const find = (rule: string, name: string) => plan.current.registry.find(rule, name)
  const outbox: Outbox = createOutbox(
    {
      ...deps,
      observe,
      loadEvent,
      destinations,
      all,
      rule: router.rule,
      destination: find,
      withLog: createLateLogs({ ...deps, qrs: deps.qlik.cachedQrs, forget }),
    },
    {
      concurrency: delivery.concurrency,
      retry: { firstMs: delivery.retryFirst, maxMs: delivery.retryMax },
      maxAgeMs: (name) => (name === 'influxdb' ? delivery.influxDbMaxAge : delivery.maxAge),
      shadow,
    },
  )
  const fallbacks = createFallbacks({ db, writer, clock, log, loadEvent, rule: router.rule, onDeliveries })
  const summaries = createSummaries(
    {
      db,
      writer,
      clock,
      log,
      loadEvent,
      onDeliveries,
      maintenance,
      routes(name) {
        const to = once.summaries().get(name) ?? []
        return plan.current.rules.filter((rule) => {
          return rule.name === summaryRule(name) || (rule.name === '' && to.includes(rule.destination))
        })
      },
    },
    () => [...new Set([...plan.current.summaryNames, ...once.summaries().keys()])],
  )

  /** Routes of a draft, for rehearsals only: nothing of it is kept. */
  async function draft(yaml: string): Promise<RoutesDraft> {
    const { config: drafted, windows, problems } = await deps.draftRoutes(yaml)
    if (drafted === null) return { routing: null, problems }
    const { rules, listed } = buildAlertPlan(planDeps, windows, drafted)
    return { routing: { router: createRouter(routerDeps, rules), listed }, problems }
  }

  const sending: Service = {
    name: 'outbox',
    start: async () => outbox.start(),
    async stop(graceMs) {
      await outbox.stop(graceMs)
      await plan.close()
    },
  }

  const needsOf = (taskId: string, outcome: EventOutcome) => confirmationNeeds(db, taskId, outcome, clock.now())
  const releases = createReleases({ clock, writer, router, outbox, forget })

  return {
    router,
    health,
    destinations,
    listed,
    destination: find,
    maintenance,
    snoozeFor: (event) => snoozes.find(db, event, clock.now()),
    outbox,
    routes: [
      ...alertRouteApi({
        db,
        clock,
        router,
        listed,
        draft,
        destinations,
        health,
        qrs: deps.qlik.cachedQrs,
        keepMs: config.footman.retention.events,
        loadEvent: (id) => loadTaskEvent(db, id),
        storeEvent: storeWholeEvent,
      }),
      ...snoozeRoutes({
        ...deps,
        windows,
        loadEvent: (id) => loadTaskEvent(db, id),
        recording: () => recordingOf(destinations),
      }),
      ...maintenanceRoutes({
        ...deps,
        windows,
        once,
        file: () => plan.current.maintenance,
        configured: () => plan.current.maintenances,
        destinations: () => plan.current.rules.filter(({ name }) => name === '').map(({ destination }) => destination),
      }),
    ],
    ...releases,
    confirmationNeeds: needsOf,
    async confirmSuccess(eventId, task) {
      await writer.write((tx) => {
        const event = loadTaskEvent(tx, eventId)
        if (event && needsOf(task.id, event.outcome).length > 0) {
          router.addRecoveries(tx, { ...event, source: 'reconciler', task })
        }
      })
      router.wake()
    },
    pruning: [purgeGroups, purgeSnoozes, purgeMaintenance, purgeConfigurations].map((purge) => ({
      keepMs: config.footman.retention.events,
      purge,
    })),
    withChains(qrs) {
      const learning = withChains(qrs, graph)
      return {
        ...qrs,
        taskById: (id, signal) => (usesChains(plan.current.rules) ? learning : qrs).taskById(id, signal),
      }
    },
    backends: [sending, fallbacks, summaries],
    observers: { workMayWait: outbox.refresh, executionEnded: snoozeEnds(clock) },
    publishService: mqtt && ((topic, host, details) => mqtt.publishStatus(topic, serviceStatusPayload(host, details))),
    async trySending(windows, drafted, trial) {
      const { trySending } = await import('./trial.ts')
      if (shadow) throw refusal('SHADOW_MODE', 'Nothing is sent in shadow mode.')
      const limits = { ...deps.limits, isStored: trial.isStored }
      return trySending(deps, buildAlertPlan({ ...planDeps, limits }, windows, drafted), trial)
    },
    prepare(windows, next, changed) {
      const nextPlan = buildAlertPlan(planDeps, windows, next)
      return () => {
        const concerned = changedDestinations(destinations, next, changed)
        plan.follow(nextPlan)
        decisions.follow({ config: next, routes: knownRoutes(nextPlan) })
        snoozes = createSnoozes(nextPlan)
        router.follow(nextPlan.rules)
        outbox.destinationsChanged(concerned)
      }
    },
  }
}

interface ReleaseDeps extends Pick<AlertsDeps, 'clock' | 'writer'> {
  readonly router: Router
  readonly outbox: Outbox
  readonly forget: (eventId: string) => void
}

/** Suppressed deliveries are sent after all; the lanes of a release are woken when it is committed. */
function createReleases(deps: ReleaseDeps): Pick<Alerts, 'release' | 'releaseLatest' | 'wake'> {
  const { clock, writer, router, outbox } = deps
  const released = new Set<string>()
  return {
    release(tx, eventId, reason) {
      deps.forget(eventId)
      const lanes = releaseHeld(tx, { eventId, reason, now: clock.now(), rule: router.rule })
      for (const lane of lanes) released.add(lane)
    },
    async releaseLatest(eventIds) {
      const { lanes, waiting } = await writer.write((tx) => releaseLatest(tx, eventIds, clock.now()))
      if (lanes.size > 0) outbox.wake(lanes)
      return !waiting
    },
    wake() {
      outbox.wake(new Set(released))
      released.clear()
    },
  }
}

const knownRoutes = ({ listed, rules }: AlertPlan) =>
  listed.map(({ name, origin, off }) => {
    const isUsable = rules.some((rule) => rule.name === name)
    return { name, origin, off: off ?? (isUsable ? null : 'none of its destinations can be used') }
  })

const usesChains = (rules: AlertPlan['rules']): boolean => rules.some(({ policy }) => policy?.group === 'chain')

const NAMED = /^footman\.destinations\.([^.]+)/

/** Those that are gone or other ones; a changed section of Butler may concern each of its destinations. */
function changedDestinations(
  destinations: ReadonlyMap<string, unknown>,
  { footman }: AlertsConfig,
  changed: readonly string[],
): string[] {
  const named = changed.flatMap((path) => NAMED.exec(path)?.[1] ?? [])
  const ofButler = changed.some((path) => !path.startsWith('footman.'))
    ? [...destinations.keys()].filter((name) => !(name in footman.destinations))
    : []
  return [...new Set([...named, ...ofButler])]
}

/** Deliveries of one event come in a row; the event is read once. */
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
