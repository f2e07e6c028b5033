/** What one version of the configuration says about alerts: its destinations, routes and maintenance. */

import { createEmailDestination, emailRoutes } from '../alerts/butler-sections/email.ts'
import { createMqttDestination, mqttRoutes } from '../alerts/butler-sections/mqtt.ts'
import { createWebhookDestination, webhookRoutes } from '../alerts/butler-sections/webhooks.ts'
import { createMailSender, type MailSender } from '../alerts/destinations/email/mailer.ts'
import { createDestination } from '../alerts/destinations/index.ts'
import { createInfluxDestination, influxRoutes } from '../alerts/destinations/influxdb/index.ts'
import { createDestinationRegistry, type DestinationRegistry } from '../alerts/destinations/registry.ts'
import { createMaintenance, type Maintenance } from '../alerts/maintenance/maintenance.ts'
import type { ListedRoute } from '../alerts/routes/explain.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { createTimeFormatter } from '../alerts/times.ts'
import type { Route } from '../alerts/types.ts'
import type { Config } from '../config/schema.ts'
import { countEarlierTwins } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Windows } from '../platform/calendar/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { compileRoutes, listRoutes, overridesOf } from './alert-routes.ts'
import { BUTLER_ROUTES, butlerDestinations } from './butler-destinations.ts'
import { destinationDeps } from './named-destinations.ts'

export interface AlertPlanDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** Null when InfluxDB is off. */
  readonly influx: InfluxServer | null
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** Where an output path of the configuration leads. */
  readonly output: (path: string) => string
}

export interface AlertPlan {
  readonly windows: Windows
  readonly registry: DestinationRegistry
  readonly maintenance: Maintenance
  /** Of maintenances that end with a summary. */
  readonly summaryNames: readonly string[]
  /** In order of evaluation. */
  readonly routes: readonly Route[]
  readonly listed: readonly ListedRoute[]
  /** Closes the connections to the mail server; destinations are closed by whoever uses them. */
  readonly closeMail: () => void
}

/** One line per kind of destination. */
const ROUTES: readonly ((config: Config) => Route[])[] = [
  ...BUTLER_ROUTES,
  ...[emailRoutes, webhookRoutes, mqttRoutes, influxRoutes],
]

/** Nothing is connected before something is sent, so a plan that is never used needs no end. */
export function buildAlertPlan(deps: AlertPlanDeps, windows: Windows, config: Config): AlertPlan {
  const { maintenance: maintenances } = config.footman
  const butler = ROUTES.flatMap((compile) => compile(config))
  const { registry, sender } = buildDestinations(deps, config)
  const maintenance = createMaintenance({ windows }, maintenances)
  return {
    ...{ windows, registry, maintenance },
    summaryNames: maintenances.filter(({ summaryTo }) => summaryTo.length > 0).map(({ name }) => name),
    routes: compileRoutes(butler, registry, windows, config, maintenance.needs),
    listed: listRoutes(butler, config),
    closeMail: () => sender?.close(),
  }
}

interface BuiltDestinations {
  readonly registry: DestinationRegistry
  /** The connections to the mail server that all mails share; null without mail. */
  readonly sender: MailSender | null
}

function buildDestinations(deps: AlertPlanDeps, config: Config): BuiltDestinations {
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
    butler.push(createWebhookDestination({ log, clock, candidates, environment }, config))
  }
  if (mqtt) butler.push(createMqttDestination({ mqtt }))
  if (influx) {
    const earlierTwins = (event: TaskEvent) => countEarlierTwins(deps.db, event)
    butler.push(createInfluxDestination({ server: influx, times, earlierTwins }, config))
  }
  const shared = destinationDeps(
    { ...{ clock, log, engine, times, mqtt, candidates }, ...(sender && { sender }) },
    config,
  )
  const registry = createDestinationRegistry(butler, destinations, overridesOf(config), (name, settings) => {
    try {
      return createDestination(shared, name, settings)
    } catch (error) {
      log.error(`NOTIFY Destination ${name} cannot be used: ${error instanceof Error ? error.message : error}`)
      return null
    }
  })
  return { registry, sender }
}
