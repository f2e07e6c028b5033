/** The types of destinations, one line each. */
import type { Destination, TargetedDestination } from '../types.ts'
import { discord } from './discord.ts'
import { email } from './email/index.ts'
import { gathered } from './gather.ts'
import { googlechat } from './googlechat.ts'
import { mattermost } from './mattermost.ts'
import { mqtt } from './mqtt.ts'
import { newrelic } from './newrelic.ts'
import { ntfy } from './ntfy.ts'
import { opsgenie } from './opsgenie.ts'
import { otlp } from './otlp.ts'
import { pagerduty } from './pagerduty.ts'
import type { SettingsOf } from './settings.ts'
import { signl4 } from './signl4.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { telegram } from './telegram.ts'
import type { DestinationDeps, DestinationType } from './types.ts'
import { webhook } from './webhook.ts'

/** By the word in the configuration, in the order in which `footman check` and the reference list them. */
export const DESTINATION_TYPES = {
  email,
  slack,
  teams,
  signl4,
  newrelic,
  mqtt,
  webhook,
  ntfy,
  pagerduty,
  opsgenie,
  discord,
  telegram,
  otlp,
  mattermost,
  googlechat,
} as const

export type DestinationTypeName = keyof typeof DESTINATION_TYPES

/** Settings as they come from the configuration, all defaults filled in. */
export type DestinationConfig = {
  [T in DestinationTypeName]: SettingsOf<(typeof DESTINATION_TYPES)[T]['config']> & { readonly type: T }
}[DestinationTypeName]

/** The settings that are handed to its functions must be of that type. */
export function destinationType(type: DestinationTypeName): DestinationType {
  return DESTINATION_TYPES[type] as unknown as DestinationType
}

export function createDestination(
  deps: DestinationDeps,
  name: string,
  settings: DestinationConfig,
): TargetedDestination {
  return gathered(destinationType(settings.type).create(settings, deps, name))
}

/**
 * Alerting destinations obey maintenance, snoozes, grouping and pending retries; recording ones get everything. The
 * types that only sections of Butler have (`influxdb`, `scriptlog`) record.
 */
export function isNotifying(type: string): boolean {
  return purposeOf(type) !== 'record'
}

/** True for destinations that keep an incident open until a recovery closes it. */
export function keepsIncidents(type: string): boolean {
  return purposeOf(type) === 'incident'
}

function purposeOf(type: string): DestinationType['purpose'] {
  return Object.hasOwn(DESTINATION_TYPES, type) ? destinationType(type as DestinationTypeName).purpose : 'record'
}

/** The names of the destinations that record and do not alert. */
export const recordingOf = (destinations: ReadonlyMap<string, Pick<Destination, 'name' | 'type'>>): readonly string[] =>
  [...destinations.values()].filter(({ type }) => !isNotifying(type)).map(({ name }) => name)
