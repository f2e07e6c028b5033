/** The sections of Butler that send alerts, one line each: the rules that they make and the destination of those rules. */
import type { TaskEvent } from '../../events/types.ts'
import type { InfluxServer } from '../../metrics/influxdb/types.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { MailSender } from '../destinations/email/mailer.ts'
import { createInfluxDestination, influxRoutes } from '../destinations/influxdb.ts'
import { createScriptLogDestination, scriptLogRoutes } from '../destinations/scriptlog.ts'
import type { TemplateEngine } from '../templates/engine.ts'
import { createTimeFormatter, type TimeFormatter } from '../times.ts'
import type { Destination, Route } from '../types.ts'
import { type ChatConfig, createSlackDestination, createTeamsDestination, slackRoutes, teamsRoutes } from './chat.ts'
import { createEmailDestination, emailRoutes } from './email.ts'
import type { EmailDestinationConfig } from './email-sections.ts'
import type { SectionDeps } from './http.ts'
import { createMqttDestination, type MqttRoutesConfig, mqttRoutes } from './mqtt.ts'
import { createNewRelicDestination, type NewRelicConfig, newRelicRoutes } from './new-relic.ts'
import { createSignl4Destination, type Signl4Config, signl4Routes } from './signl4.ts'
import { createWebhookDestination, type WebhookDestinationConfig, webhookRoutes } from './webhooks.ts'

export interface ButlerSectionDeps extends SectionDeps {
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  /** Where an output path of the configuration leads. */
  readonly output: (path: string) => string
  /** Null when nothing sends mails. */
  readonly sender: MailSender | null
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** Null when InfluxDB is off. */
  readonly influx: InfluxServer | null
  /** Events of the same task and outcome that arrived in the same millisecond, before this one. */
  readonly earlierTwins: (event: TaskEvent) => number
}

/** What the sections read of the configuration. */
type SectionsConfig = Parameters<typeof scriptLogRoutes>[0] &
  Parameters<typeof createScriptLogDestination>[1] &
  Parameters<typeof influxRoutes>[0] &
  Parameters<typeof createInfluxDestination>[1] &
  Signl4Config &
  NewRelicConfig &
  ChatConfig &
  EmailDestinationConfig &
  WebhookDestinationConfig &
  MqttRoutesConfig & { readonly footman: { readonly timezone: string } }

interface Section {
  readonly routes: (config: SectionsConfig) => Route[]
  /** Null when the section is off. */
  readonly destination: (deps: ButlerSectionDeps, config: SectionsConfig) => Destination | null
}

/** A destination that some rule uses. */
function whenUsed(routes: Section['routes'], create: Section['destination']): Section {
  return { routes, destination: (deps, config) => (routes(config).length > 0 ? create(deps, config) : null) }
}

/** In the order in which Butler 16 served them. */
const SECTIONS: readonly Section[] = [
  whenUsed((config) => scriptLogRoutes(config, timesOf(config)), createScriptLogDestination),
  whenUsed(signl4Routes, createSignl4Destination),
  whenUsed(newRelicRoutes, createNewRelicDestination),
  whenUsed(slackRoutes, createSlackDestination),
  whenUsed(teamsRoutes, createTeamsDestination),
  {
    routes: emailRoutes,
    destination: ({ sender, ...deps }, config) =>
      sender && config.emailNotification.enable ? createEmailDestination({ ...deps, sender }, config) : null,
  },
  {
    routes: webhookRoutes,
    destination: (deps, config) => (config.webhookNotification.enable ? createWebhookDestination(deps, config) : null),
  },
  { routes: mqttRoutes, destination: ({ mqtt }) => mqtt && createMqttDestination({ mqtt }) },
  {
    routes: influxRoutes,
    destination: ({ influx: server, times, earlierTwins }, config) =>
      server && createInfluxDestination({ server, times, earlierTwins }, config),
  },
]

export function butlerRoutes(config: SectionsConfig): Route[] {
  return SECTIONS.flatMap(({ routes }) => routes(config))
}

export function butlerDestinations(deps: ButlerSectionDeps, config: SectionsConfig): readonly Destination[] {
  return SECTIONS.flatMap(({ destination }) => destination(deps, config) ?? [])
}

/** In the time zone of the configuration. */
export function timesOf({ footman: { timezone } }: { readonly footman: { readonly timezone: string } }): TimeFormatter {
  return createTimeFormatter(timezone ? { timeZone: timezone } : {})
}
