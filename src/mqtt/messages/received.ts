/** Keeps the messages of `footman.mqtt.receivedTopics`, so that a load script can read what came before its start. */

import { topicMatches } from '../../platform/mqtt-topics.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { IncomingMessage, MqttService } from '../types.ts'
import type { ReceivedStore } from './received-store.ts'

export interface ReceivedDeps {
  readonly mqtt: MqttService
  readonly store: ReceivedStore
  readonly clock: Clock
  readonly log: Logger
}

export interface ReceivedSettings {
  readonly receivedTopics: readonly string[]
  /** Milliseconds. */
  readonly receivedKeep: number
}

/** What is kept of a payload, in bytes. */
export const PAYLOAD_KEPT = 256 * 1024

const PURGE_EVERY_MS = 60_000

/** Acknowledges a message once it is on disk. */
export function createReceived(deps: ReceivedDeps, settings: ReceivedSettings): Service {
  const { mqtt, store, clock, log } = deps
  const filters = [...new Set(settings.receivedTopics)]
  let timer: ReturnType<typeof setInterval> | undefined

  async function keep({ topic, payload, qos, retain }: IncomingMessage): Promise<void> {
    const now = clock.now()
    await store.add({
      id: uuidV7(now),
      at: now,
      topic,
      qos,
      retained: retain,
      truncated: payload.length > PAYLOAD_KEPT,
      payload: cut(payload),
    })
  }

  function purge(): void {
    store
      .purge(clock.now() - settings.receivedKeep)
      .catch((error: unknown) => log.error(`MQTT: Old received messages could not be removed: ${error}`))
  }

  // Before the connection is made, so that the broker is asked for these topics from the start.
  for (const filter of filters) {
    // A topic may fit several filters; the first one takes the message.
    const takes = (topic: string) => filters.find((one) => topicMatches(one, topic)) === filter
    mqtt.onMessage(filter, async (message) => {
      if (takes(message.topic)) await keep(message)
    })
  }

  return {
    name: 'received messages',
    async start() {
      timer = setInterval(purge, PURGE_EVERY_MS)
      purge()
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

/** Never in the middle of a UTF-8 character, so that text stays text. */
function cut(payload: Uint8Array): Uint8Array {
  if (payload.length <= PAYLOAD_KEPT) return payload
  let end = PAYLOAD_KEPT
  while (end > PAYLOAD_KEPT - 4 && ((payload[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return payload.subarray(0, end)
}
