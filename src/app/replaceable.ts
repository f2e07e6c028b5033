/** Services that are built anew when the settings that concern them change, while everything else runs on. */

import type { Logger, Service } from '../platform/types.ts'
import type { LivePart } from './reload.ts'
import type { Config } from './schema.ts'

export interface Built<T> {
  /** Started in this order, stopped in reverse. */
  readonly services: readonly Service[]
  readonly states: () => T
}

export interface Blueprint<T> {
  readonly name: string
  /** Keys below `Butler` that it is built of. */
  readonly keys: readonly string[]
  /** Only makes the services; what they do begins with their start. */
  build(config: Config): Built<T>
}

export interface Replaceable<T> {
  readonly service: Service
  readonly live: LivePart
  /** Of what runs now. */
  readonly states: () => T
}

/** How long the old services may take to end. */
const GRACE_MS = 10_000

export function createReplaceable<T>(
  { log }: { readonly log: Logger },
  { name, keys, build }: Blueprint<T>,
  config: Config,
): Replaceable<T> {
  let current = build(config)
  let isRunning = false

  async function start(): Promise<void> {
    for (const service of current.services) await service.start()
  }

  async function stop(graceMs: number): Promise<void> {
    for (const service of current.services.toReversed()) await service.stop(graceMs)
  }

  return {
    states: () => current.states(),
    service: {
      name,
      async start() {
        isRunning = true
        await start()
      },
      async stop(graceMs) {
        isRunning = false
        await stop(graceMs)
      },
    },
    live: {
      concerns: (path) => keys.some((key) => path === key || path.startsWith(`${key}.`)),
      async prepare(next) {
        const built = build(next)
        return {
          async use() {
            try {
              if (isRunning) await stop(GRACE_MS)
              current = built
              if (isRunning) await start()
            } catch (error) {
              log.error(`CONFIG: The ${name} could not be started anew: ${error}; a restart of Footman will`)
            }
          },
          drop() {},
        }
      },
    },
  }
}
