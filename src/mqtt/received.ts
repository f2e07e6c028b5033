/** Keeps the messages of `footman.mqtt.receivedTopics`, so that a load script can read what came before its start. */

import type { GroupWriter } from '../platform/group-commit.ts'
import { topicMatches } from '../platform/mqtt-topics.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database, Migration } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { IncomingMessage, MqttService } from './types.ts'

export const receivedMigrations: readonly Migration[] = [
  {
    name: 'mqtt-message-001',
    // `n` counts the messages of one topic, so that the limit per topic needs no counting.
    sql: `
      CREATE TABLE mqtt_message (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        topic TEXT NOT NULL,
        n INTEGER NOT NULL,
        qos INTEGER NOT NULL,
        retained INTEGER NOT NULL,
        truncated INTEGER NOT NULL,
        payload BLOB NOT NULL
      );
      CREATE UNIQUE INDEX mqtt_message_topic ON mqtt_message (topic, n);
      CREATE INDEX mqtt_message_at ON mqtt_message (at);
    `,
  },
]

export interface NewMessage {
  /** UUID v7. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly topic: string
  readonly qos: number
  readonly retained: boolean
  readonly truncated: boolean
  readonly payload: Uint8Array
}

export interface StoredMessage extends Omit<NewMessage, 'retained' | 'truncated'> {
  readonly seq: number
  readonly retained: number
  readonly truncated: number
}

export interface ReceivedQuery {
  /** MQTT filter; null = all topics. */
  readonly filter: string | null
  /** Milliseconds since 1970; null = no bound. */
  readonly from: number | null
  readonly to: number | null
  /** Only messages before this `seq`. */
  readonly before: number | null
  readonly limit: number
}

export interface ReceivedStore {
  /** Resolves when the message is on disk and the oldest beyond the limit is gone. */
  add(message: NewMessage): Promise<void>
  /** Newest first. */
  find(query: ReceivedQuery): StoredMessage[]
  /** Resolves with the number of messages removed. */
  purge(before: number): Promise<number>
}

const PURGE_CHUNK = 500

/** Steps from topic to topic through the index instead of reading every message. */
const TOPICS = `
  WITH RECURSIVE known (topic) AS (
    SELECT min(topic) FROM mqtt_message
    UNION ALL
    SELECT (SELECT min(topic) FROM mqtt_message WHERE topic > known.topic) FROM known WHERE known.topic IS NOT NULL
  )
  SELECT topic FROM known WHERE topic IS NOT NULL`

const FIND = `
  SELECT seq, id, at, topic, qos, retained, truncated, payload FROM mqtt_message
  WHERE topic = ? AND seq < ? AND at >= ? AND at < ? ORDER BY n DESC LIMIT ?`

export function createReceivedStore(
  { db, writer }: { db: Database; writer: GroupWriter },
  { maxPerTopic }: { readonly maxPerTopic: number },
): ReceivedStore {
  function insert(tx: Database, message: NewMessage): void {
    const { id, at, topic, qos, retained, truncated, payload } = message
    const last = tx.get<{ n: number; payload: Uint8Array }>(
      'SELECT n, payload FROM mqtt_message WHERE topic = ? ORDER BY n DESC LIMIT 1',
      topic,
    )
    // The broker hands a retained message out at every connection; it is new only once.
    if (retained && last && Buffer.compare(last.payload, payload) === 0) return
    const n = (last?.n ?? 0) + 1
    tx.run(
      'INSERT INTO mqtt_message (id, at, topic, n, qos, retained, truncated, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      at,
      topic,
      n,
      qos,
      retained ? 1 : 0,
      truncated ? 1 : 0,
      payload,
    )
    tx.run('DELETE FROM mqtt_message WHERE topic = ? AND n <= ?', topic, n - maxPerTopic)
  }

  function topicsOf(filter: string | null): string[] {
    if (filter !== null && !/[+#]/.test(filter)) return [filter]
    const all = db.all<{ topic: string }>(TOPICS).map((row) => row.topic)
    return filter === null ? all : all.filter((topic) => topicMatches(filter, topic))
  }

  return {
    add: (message) => writer.write((tx) => insert(tx, message)),
    find({ filter, from, to, before, limit }) {
      const bounds = [before ?? Number.MAX_SAFE_INTEGER, from ?? 0, to ?? Number.MAX_SAFE_INTEGER, limit]
      return topicsOf(filter)
        .flatMap((topic) => db.all<StoredMessage>(FIND, topic, ...bounds))
        .sort((a, b) => b.seq - a.seq)
        .slice(0, limit)
    },
    async purge(before) {
      let removed = 0
      for (;;) {
        const count = await writer.write(
          (tx) =>
            tx.run(
              'DELETE FROM mqtt_message WHERE seq IN (SELECT seq FROM mqtt_message WHERE at < ? LIMIT ?)',
              before,
              PURGE_CHUNK,
            ).changes,
        )
        removed += count
        if (count < PURGE_CHUNK) return removed
      }
    },
  }
}

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
const PAYLOAD_KEPT = 256 * 1024

const PURGE_EVERY_MS = 60_000

/** Acknowledges a message once it is on disk. */
export function createReceived(deps: ReceivedDeps, settings: ReceivedSettings): Service {
  const { mqtt, store, clock, log } = deps
  const filters = [...new Set(settings.receivedTopics)]

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

  const purge = createRecurringJob(
    {
      everyMs: PURGE_EVERY_MS,
      firstMs: 0,
      onError: (error) => log.error(`MQTT: Old received messages could not be removed: ${error}`),
    },
    () => store.purge(clock.now() - settings.receivedKeep),
  )

  // Before the connection is made, so that the broker is asked for these topics from the start.
  for (const filter of filters) {
    // A topic may fit several filters; the first one takes the message.
    const takes = (topic: string) => filters.find((one) => topicMatches(one, topic)) === filter
    mqtt.onMessage(filter, async (message) => {
      if (takes(message.topic)) await keep(message)
    })
  }

  return { name: 'received messages', start: async () => purge.start(), stop: purge.stop }
}

/** Never in the middle of a UTF-8 character, so that text stays text. */
function cut(payload: Uint8Array): Uint8Array {
  if (payload.length <= PAYLOAD_KEPT) return payload
  let end = PAYLOAD_KEPT
  while (end > PAYLOAD_KEPT - 4 && ((payload[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return payload.subarray(0, end)
}
