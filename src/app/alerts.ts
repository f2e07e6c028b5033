/** Builds the alerts side: routes from the configuration, destinations, router and outbox. */
import { createEmailDestination } from '../alerts/destinations/email/index.ts'
import { createMailSender, type MailSender } from '../alerts/destinations/email/mailer.ts'
import { emailRoutes } from '../alerts/destinations/email/routes.ts'
import { createInfluxDestination, influxRoutes } from '../alerts/destinations/influxdb/index.ts'
import { createMqttDestination, mqttRoutes } from '../alerts/destinations/mqtt/index.ts'
import { createNamedDestination } from '../alerts/destinations/named/index.ts'
import { createDestinationRegistry, type DestinationRegistry } from '../alerts/destinations/registry.ts'
import { createWebhookDestination } from '../alerts/destinations/webhook/index.ts'
import { webhookRoutes } from '../alerts/destinations/webhook/routes.ts'
import { createMaintenance, type Maintenance } from '../alerts/maintenance/maintenance.ts'
import { createSummaries } from '../alerts/maintenance/summary.ts'
import { createOutbox, type DeliveryChange, type Outbox } from '../alerts/outbox/outbox.ts'
import { createPeers, type Peers } from '../alerts/outbox/peers.ts'
import { releaseHeld } from '../alerts/outbox/release.ts'
import { createRouter, type Router } from '../alerts/router.ts'
import type { ListedRoute } from '../alerts/routes/explain.ts'
import { createFallbacks } from '../alerts/routes/fallback.ts'
import { createChainGraph, withChains } from '../alerts/routes/graph.ts'
import { purgeGroups } from '../alerts/routes/groups.ts'
import { usualStart } from '../alerts/routes/usual-start.ts'
import { createSnoozeHold } from '../alerts/snoozes/hold.ts'
import { purgeSnoozes } from '../alerts/snoozes/store.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { createTimeFormatter } from '../alerts/times.ts'
import type { Destination, Hold, Route, SuppressReason } from '../alerts/types.ts'
import type { Config } from '../config/schema.ts'
import { countEarlierTwins, loadTaskEvent } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { Windows } from '../platform/windows/types.ts'
import type { ChainReader, QrsClient } from '../qlik/qrs/types.ts'
import { compileRoutes, listRoutes, overridesOf } from './alert-routes.ts'
import { BUTLER_ROUTES, butlerDestinations } from './butler-destinations.ts'
import { namedDestinationDeps } from './named-destinations.ts'
import type { Aging } from './retention.ts'

export interface AlertsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** Null when InfluxDB is off. */
  readonly influx: InfluxServer | null
  /** Reads the chains of tasks. */
  readonly qrs: ChainReader
  readonly windows: Windows
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** Where an output path of the configuration leads. */
  readonly output: (path: string) => string
  readonly observe?: (change: DeliveryChange) => void
  /** A route has made a delivery. */
  readonly onRouted?: (route: string, outcome: string) => void
  /** Reasons of other features to hold messages back. */
  readonly holds?: readonly Hold[]
}

export interface Alerts {
  readonly routes: readonly Route[]
  readonly router: Router
  readonly outbox: Outbox
  /** Those of Butler's sections and the named ones, by name. */
  readonly destinations: ReadonlyMap<string, Destination>
  /** As the route wants it. */
  readonly destination: DestinationRegistry['find']
  /** In order of evaluation. */
  readonly listed: readonly ListedRoute[]
  readonly maintenance: Maintenance
  /** How the destinations fare. */
  readonly peers: Peers
  /** Learns the chains of tasks while tasks are asked about. */
  readonly withChains: (qrs: QrsClient) => QrsClient
  /** Groups and snoozes that are over. */
  readonly aging: readonly Aging[]
  /** To be started after the outbox. */
  readonly services: readonly Service[]
  /** What was held back for this reason is to be sent now, as the event stands now. Wakes nobody: see `wake`. */
  readonly release: (db: Database, eventId: string, reason: SuppressReason) => void
  /** What was released is on disk. */
  readonly wake: () => void
}

const CACHED_EVENTS = 64
const CACHED_LOG = 256 * 1024

/** One line per kind of destination. */
const ROUTES: readonly ((config: Config) => Route[])[] = [
  ...BUTLER_ROUTES,
  ...[emailRoutes, webhookRoutes, mqttRoutes, influxRoutes],
]

export function buildAlerts(deps: AlertsDeps, config: Config, shadow: boolean): Alerts {
  const { log, clock, db, writer, windows } = deps
  const { delivery, maintenance: maintenances } = config.footman
  const butler = ROUTES.flatMap((compile) => compile(config))
  const { registry, sender } = buildDestinations(deps, config)
  const maintenance = createMaintenance({ windows }, maintenances)
  const routes = compileRoutes(butler, registry, windows, config, maintenance.needs)
  const graph = routes.some(({ policy }) => policy?.group === 'chain') ? createChainGraph(deps) : null
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
  const router: Router = createRouter(
    {
      ...{ clock, log, onDeliveries, observe: deps.observe, onRouted: deps.onRouted },
      holds: [maintenance.hold, createSnoozeHold({ windows }), ...(deps.holds ?? [])],
      ...(graph && { chains: { downstream: graph.downstream, usualStart } }),
    },
    routes,
  )
  const outbox: Outbox = createOutbox(
    {
      ...{ ...deps, observe, route: router.route, loadEvent },
      ...{ destinations: registry.byName, destination: registry.find, all: registry.all },
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
      ...{ db, writer, clock, log, maintenance, loadEvent, onDeliveries },
      routes: (name) => routes.filter((route) => route.name === name),
    },
    maintenances.filter(({ summaryTo }) => summaryTo.length > 0).map(({ name }) => name),
  )
  const hasFallbacks = routes.some(({ policy }) => policy && policy.fallback.length > 0)
  return {
    ...{ routes, router, maintenance, peers, destinations: registry.byName, destination: registry.find },
    outbox: {
      ...outbox,
      async stop(graceMs) {
        await outbox.stop(graceMs)
        sender?.close()
      },
    },
    release(tx, eventId, reason) {
      forget(eventId)
      for (const lane of releaseHeld(tx, eventId, reason, clock.now())) releasedLanes.add(lane)
    },
    wake() {
      outbox.wake(new Set(releasedLanes))
      releasedLanes.clear()
    },
    listed: listRoutes(butler, config),
    aging: [purgeGroups, purgeSnoozes].map((purge) => ({ keepMs: config.footman.retention.events, purge })),
    withChains: (qrs) => (graph ? withChains(qrs, graph) : qrs),
    services: [...(hasFallbacks ? [fallbacks] : []), summaries],
  }
}

interface BuiltDestinations {
  readonly registry: DestinationRegistry
  /** The connections to the mail server that all mails share; null without mail. */
  readonly sender: MailSender | null
}

function buildDestinations(deps: AlertsDeps, config: Config): BuiltDestinations {
  const { log, clock, candidates, mqtt, influx, output } = deps
  const { timezone, destinations } = config.footman
  const times = createTimeFormatter(timezone ? { timeZone: timezone } : {})
  const engine = createTemplateEngine({ candidates, templateDirectory: config.footman.templateDirectory })
  const mails = config.emailNotification.enable || Object.values(destinations).some(({ type }) => type === 'email')
  const sender = mails ? createMailSender({ log, clock, times, engine }, config) : null
  const environment = process.env
  const butler = [...butlerDestinations({ log, clock, times, engine, output, environment }, config)]
  if (sender && config.emailNotification.enable)
    butler.push(createEmailDestination({ log, clock, times, engine, sender }, config))
  if (config.webhookNotification.enable) {
    butler.push(createWebhookDestination({ log, clock, files: { candidates, environment } }, config))
  }
  if (mqtt) butler.push(createMqttDestination({ mqtt }))
  if (influx) {
    const earlierTwins = (event: TaskEvent) => countEarlierTwins(deps.db, event)
    butler.push(createInfluxDestination({ server: influx, times, earlierTwins }, config))
  }
  const shared = namedDestinationDeps(
    { ...{ clock, log, engine, times, mqtt, candidates }, ...(sender && { sender }) },
    config,
  )
  const registry = createDestinationRegistry(butler, destinations, overridesOf(config), (name, settings) => {
    try {
      return createNamedDestination(shared, name, settings)
    } catch (error) {
      log.error(`NOTIFY Destination ${name} cannot be used: ${error instanceof Error ? error.message : error}`)
      return null
    }
  })
  return { registry, sender }
}

/** Deliveries of one event come in a row; its record is read once. Large script logs are not worth keeping. */
function cachedLoader(read: (id: string) => TaskEvent | null) {
  const cache = new Map<string, TaskEvent>()
  const load = (id: string): TaskEvent | null => {
    const known = cache.get(id)
    if (known) return known
    const event = read(id)
    // An event that still waits for Qlik data is going to change.
    if (event === null || event.task === null || (event.scriptLog?.characters ?? 0) > CACHED_LOG) return event
    if (cache.size >= CACHED_EVENTS) cache.delete(cache.keys().next().value!)
    cache.set(id, event)
    return event
  }
  return { load, forget: (id: string) => void cache.delete(id) }
}
