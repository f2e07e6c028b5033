/** Features whose settings are accepted and that this version does not have yet. A release that has one deletes its line. */
import type { Config } from './schema.ts'

interface Feature {
  /** As the start-up line names it. */
  readonly name: string
  readonly on: (config: Config) => boolean
}

const INACTIVE: readonly Feature[] = [{ name: 'footman.reportTask', on: ({ footman }) => footman.reportTask.enable }]

/** Names of the features that are switched on and not there; for one line at start. */
export function inactiveFeatures(config: Config): string[] {
  return INACTIVE.filter(({ on }) => on(config)).map(({ name }) => name)
}
