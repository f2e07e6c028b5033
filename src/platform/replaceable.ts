/** Services that are built anew when their settings change, while all others keep running. */
import type { Logger, Service } from './types.ts'

/** Puts the prepared result of changed settings into use; called when all parts have prepared theirs. Must not fail. */
export type Use = () => void | Promise<void>

export interface Built<T> {
  /** Started in this order, stopped in reverse. */
  readonly services: readonly Service[]
  readonly states: () => T
}

export interface Replaceable<C, T> {
  readonly service: Service
  /** Builds the services of other settings; calling the result replaces the running ones. */
  readonly prepare: (settings: C) => Use
  /** States of the running services. */
  readonly states: () => T
}

/** How long the old services may take to end. */
const GRACE_MS = 10_000

/** `build` only creates the services; their work begins with `start`. */
export function createReplaceable<C, T>(
  { log }: { readonly log: Logger },
  { name, build }: { readonly name: string; readonly build: (settings: C) => Built<T> },
  settings: C,
): Replaceable<C, T> {
  let current = build(settings)
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
    prepare(next) {
      const built = build(next)
      return async () => {
        try {
          if (isRunning) await stop(GRACE_MS)
          current = built
          if (isRunning) await start()
        } catch (error) {
          log.error(`CONFIG: The ${name} could not be started anew: ${error}; a restart of Footman will`)
        }
      }
    },
  }
}
