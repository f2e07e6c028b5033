/** A log that nobody reads, for commands that tell in their own words what goes wrong. */
import type { Logger } from './types.ts'

const nothing = (): void => {}

export const SILENT: Logger = {
  error: nothing,
  warn: nothing,
  info: nothing,
  verbose: nothing,
  debug: nothing,
  silly: nothing,
  enabled: () => false,
  child: () => SILENT,
}
