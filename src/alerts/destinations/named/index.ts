/** The destinations of `Butler.footman.destinations`: one line per type. */
import type { DestinationConfig } from '../../config-destinations.ts'
import type { NamedDestination } from '../../types.ts'
import { discord } from './discord.ts'
import { createNamedEmailDestination } from './email.ts'
import { gathered } from './gather.ts'
import { createHttpDestination } from './http.ts'
import { createNamedMqttDestination } from './mqtt.ts'
import { newrelic } from './newrelic.ts'
import { ntfy } from './ntfy.ts'
import { opsgenie } from './opsgenie.ts'
import { createOtlpDestination } from './otlp.ts'
import { pagerduty } from './pagerduty.ts'
import { signl4 } from './signl4.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { telegram } from './telegram.ts'
import type { HttpTypeFactory, NamedDestinationDeps, SettingsOf } from './types.ts'
import { webhook } from './webhook.ts'

type Factory<T extends DestinationConfig['type']> = (
  deps: NamedDestinationDeps,
  name: string,
  settings: SettingsOf<T>,
) => NamedDestination

function http<T extends DestinationConfig['type']>(type: HttpTypeFactory<T>): Factory<T> {
  return (deps, name, settings) => createHttpDestination(deps, name, settings, type(settings, deps, name))
}

const FACTORIES = {
  email: createNamedEmailDestination,
  slack: http(slack),
  teams: http(teams),
  signl4: http(signl4),
  newrelic: http(newrelic),
  mqtt: createNamedMqttDestination,
  webhook: http(webhook),
  ntfy: http(ntfy),
  pagerduty: http(pagerduty),
  opsgenie: http(opsgenie),
  discord: http(discord),
  telegram: http(telegram),
  otlp: createOtlpDestination,
} as const satisfies { readonly [T in DestinationConfig['type']]: Factory<T> }

/** `settings` as they come from the configuration, all defaults filled in. */
export function createNamedDestination(
  deps: NamedDestinationDeps,
  name: string,
  settings: DestinationConfig,
): NamedDestination {
  const create = FACTORIES[settings.type] as Factory<DestinationConfig['type']>
  return gathered(create(deps, name, settings as never))
}
