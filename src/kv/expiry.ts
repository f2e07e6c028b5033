/** Frees pairs whose time is over, so that nobody has to read them first. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger, Service } from '../platform/types.ts'
import type { KeyValueStore } from './types.ts'

const EVERY_MS = 1000
/** Few enough that other writes need not wait. */
const CHUNK = 500
const PAUSE_MS = 5

export function createExpiry(deps: { readonly store: KeyValueStore; readonly log: Logger }): Service {
  const { store, log } = deps
  let timer: ReturnType<typeof setInterval> | undefined
  let running: Promise<void> | null = null
  let failing = false

  async function sweep(): Promise<void> {
    try {
      while (timer && store.hasExpired() && (await store.removeExpired(CHUNK)) === CHUNK) await pause(PAUSE_MS)
      failing = false
    } catch (error) {
      if (!failing) log.error(`KEYVALUE: Expired pairs could not be removed: ${error}`)
      failing = true
    }
  }

  return {
    name: 'key-value expiry',
    async start() {
      timer = setInterval(() => {
        running ??= sweep().finally(() => {
          running = null
        })
      }, EVERY_MS)
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await running
    },
  }
}
