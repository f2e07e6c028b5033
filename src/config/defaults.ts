/** The configuration of an empty file. */
import { butler, type Config } from './schema.ts'

/** Set by the build through `--define`, because working it out takes longer than the rest of the start. */
declare const FOOTMAN_DEFAULTS: Config | undefined

/** All keys with their defaults; a new object every time. */
export function defaults(): Config {
  return typeof FOOTMAN_DEFAULTS === 'object' ? FOOTMAN_DEFAULTS : butler.parse({})
}
