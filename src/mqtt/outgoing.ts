/**
 * Messages without an event behind them, on their way to the broker: one durable queue, in order per topic. A message on
 * which the broker hangs up holds up its own topic only.
 */
import type { BackoffSettings } from '../platform/backoff.ts'
import { createDurableQueue, type QueueDeps, type QueueItem, type SendResult } from '../platform/durable-queue.ts'
import { queueIds, queueTable } from '../platform/durable-queue-store.ts'
import type { Migration } from '../platform/sqlite.ts'
import type { Service } from '../platform/types.ts'
import type { MqttOutgoing, MqttService, OutgoingMessage } from './types.ts'

/** Keys are topics, bodies `OutgoingMessage` as JSON. */
export const OUTGOING_TABLE = 'mqtt_outgoing'

export const outgoingMigrations: readonly Migration[] = [
  {
    name: 'mqtt-outgoing-001',
    sql: `
      CREATE TABLE mqtt_outgoing (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        qos INTEGER,
        retain INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
        reason TEXT,
        detail TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        finished_at INTEGER
      );
      CREATE INDEX mqtt_outgoing_open ON mqtt_outgoing (topic, seq) WHERE state = 'pending';
      CREATE INDEX mqtt_outgoing_dead ON mqtt_outgoing (finished_at) WHERE state = 'dead';
    `,
  },
  {
    name: 'mqtt-outgoing-002',
    // Null is no valid QoS: without one the member is absent.
    sql: `
      DROP INDEX mqtt_outgoing_open;
      DROP INDEX mqtt_outgoing_dead;
      ALTER TABLE mqtt_outgoing RENAME TO mqtt_outgoing_old;
      ${queueTable('mqtt_outgoing')}
      INSERT INTO mqtt_outgoing (seq, key, body, state, reason, detail, attempts, created_at, dead_at)
        SELECT seq, topic,
          json_patch(
            json_object('topic', topic, 'payload', CAST(payload AS TEXT), 'retain', json(iif(retain, 'true', 'false'))),
            json_object('qos', qos)),
          iif(state = 'pending', 'waiting', 'dead'), reason, detail, attempts, created_at, finished_at
        FROM mqtt_outgoing_old ORDER BY seq;
      DROP TABLE mqtt_outgoing_old;
    `,
  },
  { name: 'mqtt-outgoing-003', sql: queueIds(OUTGOING_TABLE) },
]

export interface OutgoingDeps extends QueueDeps {
  readonly mqtt: MqttService
}

export interface OutgoingSettings {
  readonly retry: BackoffSettings
  /** Milliseconds after which a message is given up. */
  readonly maxAgeMs: number
  /** Waiting messages beyond which no more are accepted. */
  readonly maxBacklog: number
  /** Topics published to at a time. */
  readonly concurrency: number
  /** How often old messages are looked for; default 30 s. */
  readonly sweepMs?: number
}

export function createMqttOutgoing(deps: OutgoingDeps, settings: OutgoingSettings): MqttOutgoing & Service {
  const { mqtt, log } = deps

  const queue = createDurableQueue<OutgoingMessage>(deps, {
    name: 'mqtt messages',
    table: OUTGOING_TABLE,
    what: 'MQTT: The state of messages',
    keyOf: ({ topic }) => topic,
    order: 'key',
    concurrency: settings.concurrency,
    retry: settings.retry,
    maxAgeMs: settings.maxAgeMs,
    maxWaiting: settings.maxBacklog,
    ...(settings.sweepMs !== undefined && { sweepMs: settings.sweepMs }),
    ready: () => mqtt.connected,
    send: async (items, signal) => Promise.all(items.map((item) => publish(item, signal))),
    onDead({ reason, count, detail, items: [item] }) {
      if (reason === 'EXPIRED') {
        log.error(`NOTIFY dead channel=mqtt event=rest: ${count} messages waited too long for the broker`)
        return
      }
      log.error(
        `NOTIFY dead channel=mqtt event=rest to=${item?.key} attempts=${item?.attempts} reason=${reason} detail=${detail}`,
      )
    },
  })

  async function publish({ key, value, attempts }: QueueItem<OutgoingMessage>, signal: AbortSignal) {
    const { topic, payload, ...options } = value
    try {
      await mqtt.publish(topic, payload, { ...options, signal, mayStartTasks: true })
    } catch (error) {
      return failure(error as { code?: string; message: string }, key, attempts + 1)
    }
    log.verbose(`NOTIFY delivered channel=mqtt event=rest to=${key} attempts=${attempts + 1}`)
    return { outcome: 'delivered' } as const
  }

  function failure({ code, message }: { code?: string; message: string }, key: string, attempts: number): SendResult {
    if (code === 'INVALID_TOPIC') return { outcome: 'rejected', detail: message }
    log.verbose(`NOTIFY retry channel=mqtt event=rest to=${key} attempts=${attempts} detail=${message}`)
    // The first lost connection has other causes; a message on which the broker hangs up every time must slow down.
    const isFirstLoss = code === 'NOT_CONNECTED' && attempts === 1
    return { outcome: 'retry', detail: message, ...(isFirstLoss && { delayMs: 0 }) }
  }

  return {
    name: queue.name,
    send: (message) => queue.add([message]),
    put: queue.put,
    wake: queue.wake,
    async start() {
      const { waiting } = queue
      if (waiting > 0) log.info(`MQTT: ${waiting} messages of the last run wait to be published`)
      mqtt.onConnected(queue.wake)
      await queue.start()
    },
    stop: queue.stop,
  }
}
