/** Builds the alerts side: routes from the configuration, destinations, router and outbox. */
import { createEmailDestination } from '../alerts/destinations/email/index.ts'
import { emailRoutes } from '../alerts/destinations/email/routes.ts'
import { createMqttDestination, mqttRoutes } from '../alerts/destinations/mqtt/index.ts'
import { createWebhookDestination } from '../alerts/destinations/webhook/index.ts'
import { webhookRoutes } from '../alerts/destinations/webhook/routes.ts'
import { createOutbox, type DeliveryChange, type Outbox } from '../alerts/outbox/outbox.ts'
import { createRouter, type Router } from '../alerts/router.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { createTimeFormatter } from '../alerts/times.ts'
import type { Destination, Route } from '../alerts/types.ts'
import type { Config } from '../config/schema.ts'
import { loadTaskEvent } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'

export interface AlertsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  readonly observe?: (change: DeliveryChange) => void
  /** A route has made a delivery. */
  readonly onRouted?: (route: string, outcome: string) => void
}

export interface Alerts {
  readonly routes: readonly Route[]
  readonly router: Router
  readonly outbox: Outbox
  readonly destinations: ReadonlyMap<string, Destination>
}

const CACHED_EVENTS = 64
const CACHED_LOG = 256 * 1024

/** One line per kind of destination. */
const ROUTES: readonly ((config: Config) => Route[])[] = [emailRoutes, webhookRoutes, mqttRoutes]

export function buildAlerts(deps: AlertsDeps, config: Config, shadow: boolean): Alerts {
  const { log, clock, db } = deps
  const routes = ROUTES.flatMap((compile) => compile(config))
  const destinations = buildDestinations(deps, config)
  const { delivery } = config.footman

  // The router tells the outbox about new deliveries; the outbox asks the router for routes.
  const router: Router = createRouter(
    { clock, log, onDeliveries: (lanes) => outbox.wake(lanes), observe: deps.observe, onRouted: deps.onRouted },
    routes,
  )
  const outbox = createOutbox(
    { ...deps, destinations, route: router.route, loadEvent: cachedLoader((id) => loadTaskEvent(db, id)) },
    {
      concurrency: delivery.concurrency,
      retry: { firstMs: delivery.retryFirst, maxMs: delivery.retryMax },
      maxAgeMs: () => delivery.maxAge,
      shadow,
    },
  )
  return { routes, router, outbox, destinations }
}

function buildDestinations(deps: AlertsDeps, config: Config): ReadonlyMap<string, Destination> {
  const { log, clock, candidates, mqtt } = deps
  const all: Destination[] = []
  if (config.emailNotification.enable) {
    const { timezone } = config.footman
    const times = createTimeFormatter(timezone ? { timeZone: timezone } : {})
    all.push(createEmailDestination({ log, clock, times, engine: createTemplateEngine({ candidates }) }, config))
  }
  if (config.webhookNotification.enable) {
    all.push(createWebhookDestination({ log, clock, files: { candidates } }, config))
  }
  if (mqtt) all.push(createMqttDestination({ mqtt }))
  return new Map(all.map((destination) => [destination.name, destination]))
}

/** Deliveries of one event come in a row; its record is read once. Large script logs are not worth keeping. */
function cachedLoader(load: (id: string) => TaskEvent | null): (id: string) => TaskEvent | null {
  const cache = new Map<string, TaskEvent>()
  return (id) => {
    const known = cache.get(id)
    if (known) return known
    const event = load(id)
    // An event that still waits for Qlik data is going to change.
    if (event === null || event.task === null || (event.scriptLog?.characters ?? 0) > CACHED_LOG) return event
    if (cache.size >= CACHED_EVENTS) cache.delete(cache.keys().next().value!)
    cache.set(id, event)
    return event
  }
}
