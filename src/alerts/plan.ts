/**
 * The plan of alerts that one version of the configuration gives: the destinations, the maintenance, and the rules of
 * Butler's sections, of `alertRoutes` and for messages besides alerts.
 */
import { hostname } from 'node:os'
import { butlerRouteNames, whyOff } from '../config/butler-route-names.ts'
import type { DeliveryConfig } from '../events/config.ts'
import { countEarlierTwins } from '../events/store.ts'
import type { Need, TaskEvent } from '../events/types.ts'
import type { InfluxServer } from '../metrics/influxdb/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Windows } from '../platform/calendar.ts'
import { errorText } from '../platform/errors.ts'
import type { ConnectionGuard } from '../platform/http-client.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { butlerDestinations, butlerRules, type SectionsConfig, timesOf } from './butler-sections/index.ts'
import type {
  AlertRouteConfig,
  ButlerRoutesConfig,
  DestinationConfig,
  EmailConfig,
  IncidentToolConfig,
  MaintenanceConfig,
  NewRelicAccount,
  RetentionConfig,
  SelfAlertsConfig,
} from './config.ts'
import { overriddenDestination } from './config-destinations.ts'
import { createMailSender, type MailSender } from './destinations/email/mailer.ts'
import { createDestination, isNotifying } from './destinations/index.ts'
import { createPacing } from './destinations/pacing.ts'
import { createDestinationRegistry, type DestinationRegistry, type Override } from './destinations/registry.ts'
import type { DestinationDeps } from './destinations/types.ts'
import { createMaintenance, type Maintenance, summaryRule } from './maintenance.ts'
import { createTextWriter } from './message-text/writer.ts'
import { adjustButlerRules, asideRule, compileRule, type UserRule } from './rules/compile.ts'
import type { ListedRule } from './rules/explain.ts'
import { contextLinks } from './template-context.ts'
import { createTemplateEngine } from './templates/engine.ts'
import type { Rule, TargetedDestination } from './types.ts'

/** Sections of the configuration that alerts read. */
export type AlertsConfig = SectionsConfig & {
  readonly incidentTool: IncidentToolConfig
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
  readonly footman: {
    readonly delivery: DeliveryConfig
    readonly retention: RetentionConfig
    readonly email: EmailConfig
    readonly templateDirectory: string
    readonly destinations: Readonly<Record<string, DestinationConfig>>
    readonly alertRoutes: readonly AlertRouteConfig[]
    readonly butlerRoutes: ButlerRoutesConfig
    readonly maintenance: readonly MaintenanceConfig[]
    readonly selfAlerts: SelfAlertsConfig
  }
}

const HOUR_MS = 3_600_000
/** Name of the rule of Footman's alerts about itself. */
const SELF_RULE = 'footman.self'

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
  readonly limits: DestinationLimits
  /** Where an output path of the configuration leads. */
  readonly output: (path: string) => string
}

/** Limits of the destinations and rules that people change while Footman runs; those of the file are free. */
export interface DestinationLimits {
  /** Asked with each request: an entry of the file may become a stored one of the same value. */
  readonly isStored: (kind: 'destination' | 'rule', name: string) => boolean
  readonly guard: ConnectionGuard
}

export interface AlertPlan {
  readonly windows: Windows
  readonly registry: DestinationRegistry
  readonly maintenance: Maintenance
  readonly maintenances: readonly MaintenanceConfig[]
  /** The maintenances that end with a summary. */
  readonly summaryNames: readonly string[]
  /** In order of evaluation. */
  readonly rules: readonly Rule[]
  readonly listed: readonly ListedRule[]
  /** Closes the connections to the mail server; its user closes the destinations. */
  readonly closeMail: () => void
}

/** Nothing is connected before something is sent, so a plan that is never used needs no end. */
export function buildAlertPlan(deps: AlertPlanDeps, windows: Windows, config: AlertsConfig): AlertPlan {
  const { maintenance: maintenances } = config.footman
  const butler = butlerRules(config)
  const { registry, sender } = buildDestinations(deps, config)
  const maintenance = createMaintenance({ windows }, maintenances)
  return {
    windows,
    registry,
    maintenance,
    maintenances,
    summaryNames: maintenances.filter(({ summaryTo }) => summaryTo.length > 0).map(({ name }) => name),
    rules: compileRules(butler, registry, windows, config, maintenance.needs()),
    listed: listRules(butler, config),
    closeMail: () => sender?.close(),
  }
}

interface BuiltDestinations {
  readonly registry: DestinationRegistry
  /** The connections to the mail server that all mails share; null without mail. */
  readonly sender: MailSender | null
}

function buildDestinations(deps: AlertPlanDeps, config: AlertsConfig): BuiltDestinations {
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
  const registry = createDestinationRegistry(butler, destinations, overridesOf(config), (name, settings, route) => {
    try {
      return createDestination({ ...shared, ...guardOf(deps.limits, name, settings, route) }, name, settings)
    } catch (error) {
      log.error(`NOTIFY Destination ${name} cannot be used: ${errorText(error)}`)
      return null
    }
  })
  return { registry, sender }
}

/** The addresses of New Relic stand in the file. */
function guardOf(
  { isStored, guard }: DestinationLimits,
  name: string,
  { type }: DestinationConfig,
  route: string,
): Pick<DestinationDeps, 'guard'> {
  if (type === 'newrelic') return {}
  const isLimited = () => isStored('destination', name) || (route !== '' && isStored('rule', route))
  return { guard: async (url) => (isLimited() ? guard(url) : {}) }
}

type CommonDeps = Pick<DestinationDeps, 'clock' | 'log' | 'engine' | 'times' | 'mqtt' | 'candidates' | 'environment'>

/** Made once; every destination of `Butler.footman.destinations`, those with overridden settings too, is created from it. */
function destinationDeps(common: CommonDeps, sender: MailSender | null, config: AlertsConfig): DestinationDeps {
  const { clock, log, engine, times } = common
  const context = () => ({ ...contextLinks(config), version: VERSION, times, now: clock.now() })
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
function senderOf({
  reloadTaskFailure,
  reloadTaskAborted,
  reloadTaskSuccess,
}: AlertsConfig['emailNotification']): string {
  return [reloadTaskFailure, reloadTaskAborted, reloadTaskSuccess].find((mail) => mail.fromAddress)?.fromAddress ?? ''
}

/** `{destination: name, <setting>: value}` of every rule, with whole settings. */
function overridesOf({ footman }: AlertsConfig): Override[] {
  return footman.alertRoutes.flatMap(({ name: route, to }) =>
    to.flatMap(({ destination, ...changes }) => {
      const base = footman.destinations[destination]
      if (!base || Object.keys(changes).length === 0) return []
      return [{ route, destination, settings: overriddenDestination(base, changes).settings }]
    }),
  )
}

/**
 * The rules of Butler's sections, of `alertRoutes`, and for messages besides alerts, in order of evaluation. `needs`: the
 * parts that maintenance asks about, for rules that notify.
 */
function compileRules(
  butler: readonly Rule[],
  registry: Pick<DestinationRegistry, 'named'>,
  windows: Pick<Windows, 'contains'>,
  { footman }: AlertsConfig,
  needs: readonly Need[],
): Rule[] {
  const named = (name: string) => registry.named('', name)
  const user = [...footman.alertRoutes, ...selfRule(footman.selfAlerts)].flatMap((config) =>
    compileRule(config, { windows, destination: registry.named }),
  )
  const summaries = footman.maintenance.flatMap(({ name, summaryTo }) => asides(summaryRule(name), summaryTo, named))
  const direct = asides('', Object.keys(footman.destinations), named)
  const rules = [...adjustButlerRules(butler, footman.butlerRoutes, named), ...user, ...summaries, ...direct]
  return needs.length === 0 ? rules : rules.map((rule) => withNeeds(rule, needs))
}

function asides(
  rule: string,
  names: readonly string[],
  named: (name: string) => TargetedDestination | undefined,
): Rule[] {
  return names.flatMap((name) => {
    const destination = named(name)
    return destination ? [asideRule(rule, destination)] : []
  })
}

function withNeeds(rule: Rule, needs: readonly Need[]): Rule {
  const isHeld = rule.role !== 'aside' && isNotifying(rule.destinationType ?? rule.destination)
  return isHeld ? { ...rule, needs: [...new Set([...rule.needs, ...needs])] } : rule
}

/** Alerts about Footman itself, once an hour and code, and when they end. */
function selfRule({ enable, to }: AlertsConfig['footman']['selfAlerts']): UserRule[] {
  if (!enable || to.length === 0) return []
  return [
    {
      name: SELF_RULE,
      match: [{ type: ['self'] }],
      to: to.map((destination) => ({ destination })),
      limit: { count: 1, windowMs: HOUR_MS },
      limitPer: 'subject',
      recovery: true,
    },
  ]
}

/** Every rule that is there or could be, in order of evaluation. */
function listRules(butler: readonly Rule[], config: AlertsConfig): ListedRule[] {
  const { alertRoutes, butlerRoutes, selfAlerts } = config.footman
  const disabled = butlerRoutes.disable.map((name) => name.toLowerCase())
  const made: ListedRule[] = butler.map(({ name, destination }) => {
    const isDisabled = disabled.includes(name.toLowerCase())
    const off = isDisabled ? 'it is in Butler.footman.butlerRoutes.disable' : null
    return { name, origin: 'butler', enable: !isDisabled, to: [destination], off }
  })
  const others: ListedRule[] = butlerRouteNames(config)
    .filter(({ name }) => !butler.some((route) => route.name === name))
    .map((route) => ({
      name: route.name,
      origin: 'butler',
      enable: false,
      to: [route.to],
      off: whyOff(route, config),
    }))
  const user = [...alertRoutes, ...selfRule(selfAlerts)].map(({ name, enable = true, to }): ListedRule => {
    const off = enable ? null : 'enable is false'
    return { name, origin: 'footman', enable, to: to.map(({ destination }) => destination), off }
  })
  return [...made, ...others, ...user]
}
