/** The destinations of Butler's own sections beside mail, webhooks and MQTT: one line each. */

import {
  createSlackDestination,
  createTeamsDestination,
  slackRoutes,
  teamsRoutes,
} from '../alerts/butler-sections/chat.ts'
import { createNewRelicDestination, newRelicRoutes } from '../alerts/butler-sections/new-relic.ts'
import { createSignl4Destination, signl4Routes } from '../alerts/butler-sections/signl4.ts'
import { createScriptLogDestination, scriptLogRoutes } from '../alerts/destinations/scriptlog/index.ts'
import type { TemplateEngine } from '../alerts/templates/engine.ts'
import { createTimeFormatter, type TimeFormatter } from '../alerts/times.ts'
import type { Destination, Route } from '../alerts/types.ts'
import type { Config } from '../config/schema.ts'
import type { Clock, Logger } from '../platform/types.ts'

export interface ButlerDestinationDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  /** Where an output path of the configuration leads. */
  readonly output: (path: string) => string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** In the order in which Butler 16 served them. */
export const BUTLER_ROUTES: readonly ((config: Config) => Route[])[] = [
  (config) => scriptLogRoutes(config, timesOf(config)),
  signl4Routes,
  newRelicRoutes,
  slackRoutes,
  teamsRoutes,
]

const DESTINATIONS: readonly ((deps: ButlerDestinationDeps, config: Config) => Destination)[] = [
  createScriptLogDestination,
  createSignl4Destination,
  createNewRelicDestination,
  createSlackDestination,
  createTeamsDestination,
]

/** Those that some route uses. */
export function butlerDestinations(deps: ButlerDestinationDeps, config: Config): readonly Destination[] {
  return DESTINATIONS.flatMap((create, index) =>
    BUTLER_ROUTES[index]!(config).length > 0 ? [create(deps, config)] : [],
  )
}

export function timesOf({ footman: { timezone } }: Config): TimeFormatter {
  return createTimeFormatter(timezone ? { timeZone: timezone } : {})
}
