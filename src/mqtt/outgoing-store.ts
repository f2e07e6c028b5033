/** Table of the messages that wait for the broker. Published ones leave it; dead letters stay for inspection. */
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database, Migration } from '../platform/sqlite.ts'
import type { OutgoingMessage } from './types.ts'

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
]

export interface WaitingMessage {
  readonly seq: number
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | null
  readonly retain: number
  readonly attempts: number
  /** Milliseconds since 1970, like `nextAttemptAt`. */
  readonly createdAt: number
  readonly nextAttemptAt: number
}

export type DeadLetterReason = 'EXPIRED' | 'REJECTED'

/** Every promise resolves when the change is on disk. */
export interface OutgoingStore {
  add(message: OutgoingMessage, now: number): Promise<void>
  /** Topics with waiting messages. */
  topics(): string[]
  /** The first waiting messages of a topic, in order. */
  oldest(topic: string, limit: number): WaitingMessage[]
  waiting(): number
  published(seq: number): Promise<void>
  retryAt(seq: number, at: number, detail: string): Promise<void>
  dead(seq: number, reason: DeadLetterReason, detail: string, now: number): Promise<void>
  /** Gives up what was stored before; resolves with the number of messages. */
  expire(before: number, now: number): Promise<number>
  /** Forgets dead letters that ended before. */
  purge(before: number): Promise<void>
}

export function createOutgoingStore({ db, writer }: { db: Database; writer: GroupWriter }): OutgoingStore {
  return {
    async add({ topic, payload, qos, retain }, now) {
      await writer.write((tx) =>
        tx.run(
          `INSERT INTO mqtt_outgoing (topic, payload, qos, retain, created_at, next_attempt_at) VALUES (?, ?, ?, ?, ?, ?)`,
          topic,
          Buffer.from(payload),
          qos ?? null,
          retain ? 1 : 0,
          now,
          now,
        ),
      )
    },
    topics: () =>
      db
        .all<{ topic: string }>(`SELECT DISTINCT topic FROM mqtt_outgoing WHERE state = 'pending'`)
        .map((row) => row.topic),
    oldest: (topic, limit) =>
      db.all<WaitingMessage>(
        `SELECT seq, topic, payload, qos, retain, attempts, created_at AS createdAt, next_attempt_at AS nextAttemptAt
         FROM mqtt_outgoing WHERE topic = ? AND state = 'pending' ORDER BY seq LIMIT ?`,
        topic,
        limit,
      ),
    waiting: () => db.get<{ n: number }>(`SELECT count(*) AS n FROM mqtt_outgoing WHERE state = 'pending'`)?.n ?? 0,
    async published(seq) {
      await writer.write((tx) => tx.run('DELETE FROM mqtt_outgoing WHERE seq = ?', seq))
    },
    async retryAt(seq, at, detail) {
      await writer.write((tx) =>
        tx.run(
          'UPDATE mqtt_outgoing SET attempts = attempts + 1, next_attempt_at = ?, detail = ? WHERE seq = ?',
          at,
          detail,
          seq,
        ),
      )
    },
    async dead(seq, reason, detail, now) {
      await writer.write((tx) =>
        tx.run(
          `UPDATE mqtt_outgoing SET state = 'dead', reason = ?, detail = ?, finished_at = ? WHERE seq = ?`,
          reason,
          detail,
          now,
          seq,
        ),
      )
    },
    expire: (before, now) =>
      writer.write(
        (tx) =>
          tx.run(
            `UPDATE mqtt_outgoing SET state = 'dead', reason = 'EXPIRED', detail = 'could not be published in time',
               finished_at = ? WHERE state = 'pending' AND created_at < ?`,
            now,
            before,
          ).changes,
      ),
    async purge(before) {
      await writer.write((tx) => tx.run(`DELETE FROM mqtt_outgoing WHERE state = 'dead' AND finished_at < ?`, before))
    },
  }
}
