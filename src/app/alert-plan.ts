/** What one version of the configuration says about alerts: its destinations, rules and maintenance. */

import { hostname } from 'node:os'
import { butlerDestinations, butlerRoutes, timesOf } from '../alerts/butler-sections/index.ts'
import { createMailSender, type MailSender } from '../alerts/destinations/email/mailer.ts'
import { createDestination } from '../alerts/destinations/index.ts'
import { createPacing } from '../alerts/destinations/pacing.ts'
import { createDestinationRegistry, type DestinationRegistry } from '../alerts/destinations/registry.ts'
import type { DestinationDeps } from '../alerts/destinations/types.ts'
import { createMaintenance, type Maintenance } from '../alerts/maintenance.ts'
import { createTextWriter } from '../alerts/message-text/writer.ts'
import type { ListedRule } from '../alerts/rules/explain.ts'
import { recordLinks } from '../alerts/template-context.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import type { Rule } from '../alerts/types.ts'
import { countEarlierTwins } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Windows } from '../platform/calendar.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { compileRules, listRules, overridesOf } from './alert-routes.ts'
import type { Config } from './schema.ts'

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
  readonly rules: readonly Rule[]
  readonly listed: readonly ListedRule[]
  /** Closes the connections to the mail server; destinations are closed by whoever uses them. */
  readonly closeMail: () => void
}

/** Nothing is connected before something is sent, so a plan that is never used needs no end. */
export function buildAlertPlan(deps: AlertPlanDeps, windows: Windows, config: Config): AlertPlan {
  const { maintenance: maintenances } = config.footman
  const butler = butlerRoutes(config)
  const { registry, sender } = buildDestinations(deps, config)
  const maintenance = createMaintenance({ windows }, maintenances)
  return {
    ...{ windows, registry, maintenance },
    summaryNames: maintenances.filter(({ summaryTo }) => summaryTo.length > 0).map(({ name }) => name),
    rules: compileRules(butler, registry, windows, config, maintenance.needs),
    listed: listRules(butler, config),
    closeMail: () => sender?.close(),
  }
}

interface BuiltDestinations {
  readonly registry: DestinationRegistry
  /** The connections to the mail server that all mails share; null without mail. */
  readonly sender: MailSender | null
}

function buildDestinations(deps: AlertPlanDeps, config: Config): BuiltDestinations {
  const { log, clock, candidates } = deps
  const { templateDirectory, destinations } = config.footman
  const times = timesOf(config)
  const engine = createTemplateEngine({ candidates, templateDirectory })
  const mails = config.emailNotification.enable || Object.values(destinations).some(({ type }) => type === 'email')
  const sender = mails ? createMailSender({ log, clock, times, engine }, config) : null
  const earlierTwins = (event: TaskEvent) => countEarlierTwins(deps.db, event)
  const common = { ...deps, times, engine, environment: process.env }
  const butler = butlerDestinations({ ...common, sender, earlierTwins }, config)
  const shared = destinationDeps(common, sender, config)
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

type CommonDeps = Pick<DestinationDeps, 'clock' | 'log' | 'engine' | 'times' | 'mqtt' | 'candidates' | 'environment'>

/** Made once; every destination of `Butler.footman.destinations`, those with overridden settings too, is created from it. */
function destinationDeps(common: CommonDeps, sender: MailSender | null, config: Config): DestinationDeps {
  const { clock, log, engine, times } = common
  const context = () => ({ ...recordLinks(config), version: VERSION, times, now: clock.now() })
  return {
    ...common,
    texts: createTextWriter({ engine, log, context }),
    hostname: hostname(),
    version: VERSION,
    pacing: createPacing(clock),
    newRelic: { url: config.incidentTool.newRelic.url, accounts: config.thirdPartyToolsCredentials.newRelic },
    mail: {
      sender: () => {
        if (!sender) throw new Error('there is no destination of type email')
        return sender
      },
      settings: config.footman.email,
      from: senderOf(config.emailNotification),
    },
  }
}

/** The first sender that the sections about task mails name. */
function senderOf({ reloadTaskFailure, reloadTaskAborted, reloadTaskSuccess }: Config['emailNotification']): string {
  return [reloadTaskFailure, reloadTaskAborted, reloadTaskSuccess].find((mail) => mail.fromAddress)?.fromAddress ?? ''
}
