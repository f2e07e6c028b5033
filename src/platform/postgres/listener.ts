/** Hears the notifications of a PostgreSQL server, and connects anew when they may have stopped coming. */
import { setTimeout as pause } from 'node:timers/promises'
import { connectPrimary } from './connect.ts'
import type { Connection } from './connection.ts'
import type { PostgresListener, PostgresSettings } from './types.ts'

export interface ListenerDeps {
  /** After each start of listening: notifications from before are unknown. */
  readonly onListening: () => void
}

const RETRY_MS = 500
/** A connection whose other end is gone is only noticed by using it. */
const CHECK_EVERY_MS = 5000

/** `channels`: by name, which is a plain identifier. */
export function createPostgresListener(
  { onListening }: ListenerDeps,
  settings: PostgresSettings,
  channels: Readonly<Record<string, (payload: string) => void>>,
): PostgresListener {
  const stopping = new AbortController()
  let connection: Connection | null = null
  let running: Promise<void> = Promise.resolve()

  async function listen(): Promise<void> {
    const opened = await connectPrimary(settings, { signal: stopping.signal })
    if ('error' in opened) return
    opened.onNotification((channel, payload) => channels[channel]?.(payload))
    const ended = new AbortController()
    opened.onEnd(() => ended.abort())
    const until = AbortSignal.any([ended.signal, stopping.signal])
    try {
      for (const channel of Object.keys(channels)) await opened.query(`LISTEN ${channel}`)
      connection = opened
      onListening()
      while (!until.aborted) {
        await pause(CHECK_EVERY_MS, undefined, { signal: until }).catch(() => undefined)
        if (!until.aborted) await opened.query('SELECT 1')
      }
    } finally {
      connection = null
      opened.destroy()
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // The pool of the same server reports why it cannot be reached.
      await listen().catch(() => undefined)
      await pause(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  return {
    start() {
      running = run()
    },
    get isListening() {
      return connection !== null
    },
    async stop() {
      stopping.abort()
      connection?.destroy()
      await running
    },
  }
}
