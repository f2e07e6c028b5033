/** The sections of Butler that send alerts, one line each: the rules that they make and the destination of those rules. */
import type { TaskEvent } from '../../events/types.ts'
import type { InfluxServer } from '../../metrics/influxdb/types.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { MailSender } from '../destinations/email/mailer.ts'
import { createInfluxDestination, influxRules } from '../destinations/influxdb.ts'
import { createScriptLogDestination, scriptLogRules } from '../destinations/scriptlog.ts'
import type { TemplateEngine } from '../templates/engine.ts'
import { createTimeFormatter, type TimeFormatter } from '../times.ts'
import type { Destination, Rule } from '../types.ts'
import { type ChatConfig, createSlackDestination, createTeamsDestination, slackRules, teamsRules } from './chat.ts'
import { createEmailDestination, emailRules } from './email.ts'
import type { EmailDestinationConfig } from './email-sections.ts'
import type { SectionDeps } from './http.ts'
import { createMqttDestination, type MqttRulesConfig, mqttRules } from './mqtt.ts'
import { createNewRelicDestination, type NewRelicConfig, newRelicRules } from './new-relic.ts'
import { createSignl4Destination, type Signl4Config, signl4Rules } from './signl4.ts'
import { createWebhookDestination, type WebhookDestinationConfig, webhookRules } from './webhooks.ts'

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

/** The parts of the configuration that the sections read. */
export type SectionsConfig = Parameters<typeof scriptLogRules>[0] &
  Parameters<typeof createScriptLogDestination>[1] &
  Parameters<typeof influxRules>[0] &
  Parameters<typeof createInfluxDestination>[1] &
  Signl4Config &
  NewRelicConfig &
  ChatConfig &
  EmailDestinationConfig &
  WebhookDestinationConfig &
  MqttRulesConfig & { readonly footman: { readonly timezone: string } }

interface Section {
  readonly rules: (config: SectionsConfig) => Rule[]
  /** Null when the section is off. */
  readonly destination: (deps: ButlerSectionDeps, config: SectionsConfig) => Destination | null
}

/** A destination that some rule uses. */
function whenUsed(rules: Section['rules'], create: Section['destination']): Section {
  return { rules, destination: (deps, config) => (rules(config).length > 0 ? create(deps, config) : null) }
}

/** In the order in which Butler 16 served them. */
const SECTIONS: readonly Section[] = [
  whenUsed((config) => scriptLogRules(config, timesOf(config)), createScriptLogDestination),
  whenUsed(signl4Rules, createSignl4Destination),
  whenUsed(newRelicRules, createNewRelicDestination),
  whenUsed(slackRules, createSlackDestination),
  whenUsed(teamsRules, createTeamsDestination),
  {
    rules: emailRules,
    destination: ({ sender, ...deps }, config) =>
      sender && config.emailNotification.enable ? createEmailDestination({ ...deps, sender }, config) : null,
  },
  {
    rules: webhookRules,
    destination: (deps, config) => (config.webhookNotification.enable ? createWebhookDestination(deps, config) : null),
  },
  { rules: mqttRules, destination: ({ mqtt }) => mqtt && createMqttDestination({ mqtt }) },
  {
    rules: influxRules,
    destination: ({ influx: server, times, earlierTwins }, config) =>
      server && createInfluxDestination({ server, times, earlierTwins }, config),
  },
]

export function butlerRules(config: SectionsConfig): Rule[] {
  return SECTIONS.flatMap(({ rules }) => rules(config))
}

export function butlerDestinations(deps: ButlerSectionDeps, config: SectionsConfig): readonly Destination[] {
  return SECTIONS.flatMap(({ destination }) => destination(deps, config) ?? [])
}

/** In the time zone of the configuration. */
export function timesOf({ footman: { timezone } }: { readonly footman: { readonly timezone: string } }): TimeFormatter {
  return createTimeFormatter(timezone ? { timeZone: timezone } : {})
}
