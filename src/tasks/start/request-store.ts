/** The journal of start requests: what came, what it has started and what was answered, to recognise repeats. */
import { createHash } from 'node:crypto'
import { queueIds, queueTable } from '../../platform/durable-queue-store.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'

export const migrations: Migration[] = [
  {
    name: 'start-task-001',
    sql: `
      CREATE TABLE start_request (
        id TEXT PRIMARY KEY,
        received_at INTEGER NOT NULL,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        fingerprint TEXT NOT NULL,
        request_id TEXT,
        state TEXT NOT NULL CHECK (state IN ('pending', 'answering', 'done')),
        answer TEXT,
        answer_topic TEXT
      ) WITHOUT ROWID;
      CREATE INDEX start_request_open ON start_request (id) WHERE state <> 'done';
      CREATE INDEX start_request_request_id ON start_request (request_id) WHERE request_id IS NOT NULL;
      CREATE INDEX start_request_fingerprint ON start_request (fingerprint);
      CREATE TABLE start_request_task (
        request TEXT NOT NULL REFERENCES start_request (id) ON DELETE CASCADE,
        task_id TEXT NOT NULL,
        execution_id TEXT,
        PRIMARY KEY (request, task_id)
      ) WITHOUT ROWID;`,
  },
  {
    name: 'start-publisher-001',
    sql: `
      CREATE TABLE start_publisher (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL,
        actor TEXT NOT NULL,
        published_at INTEGER NOT NULL,
        request TEXT
      );
      CREATE INDEX start_publisher_fingerprint ON start_publisher (fingerprint);
      CREATE INDEX start_publisher_request ON start_publisher (request) WHERE request IS NOT NULL;`,
  },
  {
    // From here on requests wait in a queue of their own, and answers in that of MQTT messages.
    name: 'start-task-003',
    sql: `
      DROP INDEX start_request_open;
      ${queueTable('start_request_queue')}
      INSERT INTO start_request_queue (key, body, created_at)
        SELECT id, id, received_at FROM start_request WHERE state = 'pending' ORDER BY id;
      INSERT INTO mqtt_outgoing (key, body, created_at)
        SELECT answer_topic, json_object('topic', answer_topic, 'payload', answer), received_at
        FROM start_request WHERE state = 'answering' AND answer_topic IS NOT NULL ORDER BY id;
      UPDATE start_request SET state = 'done' WHERE state = 'answering';`,
  },
  {
    // Id of the task's last result before its start; '' = none. NULL once the start is known to have been made.
    name: 'start-task-004',
    sql: 'ALTER TABLE start_request_task ADD COLUMN result_before TEXT',
  },
  {
    name: 'start-task-005',
    sql: 'ALTER TABLE start_request ADD COLUMN packet_id INTEGER',
  },
  {
    // Answers of an older version came to the queue of messages without one.
    name: 'start-task-006',
    sql: `${queueIds('start_request_queue')}
      UPDATE mqtt_outgoing SET id = lower(hex(randomblob(16))) WHERE id IS NULL;`,
  },
]

/** Requests that are not carried out yet; keys and bodies are their ids. */
export const REQUEST_TABLE = 'start_request_queue'

/** Hash of topic and payload. */
export function fingerprintOf({ topic, payload }: { readonly topic: string; readonly payload: Uint8Array }): string {
  return createHash('sha256').update(topic).update('\0').update(payload).digest('hex')
}

/** The same for a message and its redelivery by the broker, another one for other messages with the same text. */
export interface Packet {
  /** A hash by `fingerprintOf`. */
  readonly fingerprint: string
  /** Number that the broker has given it; null with QoS 0. */
  readonly packetId: number | null
}

export interface JournaledRequest extends Packet {
  /** UUID v7: sorts by arrival. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly topic: string
  readonly payload: Uint8Array
  /** The sender's own id. */
  readonly requestId: string | null
}

/** The message that is published about a request that has been carried out. */
export interface RequestAnswer {
  readonly topic: string
  readonly answer: string
}

/** Every promise resolves when the change is on disk. Functions with `tx` run in a transaction of the caller. */
export interface RequestStore {
  /** `also` is written together with it. */
  add(request: JournaledRequest, also: (tx: Database) => void): Promise<void>
  find(id: string): JournaledRequest | undefined
  /** Remembers the caller of the REST API that publishes such a message; resolves with the number to `withdraw` it by. */
  addPublisher(fingerprint: string, actor: string, now: number): Promise<number>
  withdraw(publisher: number): Promise<void>
  /** The caller of the REST API that has published the request; null when it came from elsewhere. */
  publisherOf(id: string): string | null
  /** The newest request of the sender's id, or of the same packet, that came at or after `since`. */
  findByRequestId(requestId: string, since: number): { readonly id: string } | undefined
  findByPacket(packet: Packet, since: number): { readonly id: string } | undefined
  /** Tasks that the request has started, with their execution ids. */
  startedTasks(id: string): Map<string, string | null>
  addStarted(id: string, taskId: string, executionId: string | null): Promise<void>
  /** Tasks that it was about to start, of which it is not known whether it has, with their last results before. */
  perhapsStarted(id: string): Map<string, string>
  addStarting(id: string, taskId: string, resultBefore: string): Promise<void>
  /** It has been carried out; `topic` is where the answer goes, null = nowhere. */
  finish(tx: Database, id: string, answer: string, topic: string | null): void
  /** Null before the request is carried out, and when no answer is wanted. */
  answerOf(id: string): RequestAnswer | null
  /** Forgets finished requests that came before. */
  prune(tx: Database, before: number): void
}

const SELECT = `SELECT id, received_at AS receivedAt, topic, payload, fingerprint, packet_id AS packetId, request_id AS requestId
   FROM start_request`

/** One message was published once: its publisher counts for one request. */
const LINK_PUBLISHER = `UPDATE start_publisher SET request = ? WHERE id =
  (SELECT min(id) FROM start_publisher WHERE fingerprint = ? AND request IS NULL)`

const NOTE_TASK = `INSERT INTO start_request_task (request, task_id, execution_id, result_before) VALUES (?, ?, ?, ?)
  ON CONFLICT (request, task_id) DO UPDATE SET execution_id = excluded.execution_id, result_before = excluded.result_before`

export function createRequestStore({ db, writer }: { db: Database; writer: GroupWriter }): RequestStore {
  const run = async (sql: string, ...params: (string | number | null | Uint8Array)[]): Promise<void> => {
    await writer.write((one) => one.run(sql, ...params))
  }
  return {
    async add({ id, receivedAt, topic, payload, fingerprint, packetId, requestId }, also) {
      await writer.write((one) => {
        one.run(
          `INSERT INTO start_request (id, received_at, topic, payload, fingerprint, packet_id, request_id, state)
           VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')`,
          id,
          receivedAt,
          topic,
          payload,
          fingerprint,
          packetId,
          requestId,
        )
        one.run(LINK_PUBLISHER, id, fingerprint)
        also(one)
      })
    },
    find: (id) => db.get<JournaledRequest>(`${SELECT} WHERE id = ?`, id),
    addPublisher: (fingerprint, actor, now) =>
      writer.write(
        (one) =>
          one.run(
            'INSERT INTO start_publisher (fingerprint, actor, published_at) VALUES (?, ?, ?)',
            fingerprint,
            actor,
            now,
          ).lastId,
      ),
    withdraw: (publisher) => run('DELETE FROM start_publisher WHERE id = ?', publisher),
    publisherOf: (id) =>
      db.get<{ actor: string }>('SELECT actor FROM start_publisher WHERE request = ?', id)?.actor ?? null,
    findByRequestId: (requestId, since) =>
      db.get(
        'SELECT id FROM start_request WHERE request_id = ? AND received_at >= ? ORDER BY id DESC',
        requestId,
        since,
      ),
    findByPacket: ({ fingerprint, packetId }, since) =>
      db.get(
        'SELECT id FROM start_request WHERE fingerprint = ? AND packet_id IS ? AND received_at >= ? ORDER BY id DESC',
        fingerprint,
        packetId,
        since,
      ),
    startedTasks: (id) =>
      new Map(
        db
          .all<{ taskId: string; executionId: string | null }>(
            `SELECT task_id AS taskId, execution_id AS executionId FROM start_request_task
             WHERE request = ? AND result_before IS NULL`,
            id,
          )
          .map(({ taskId, executionId }) => [taskId, executionId]),
      ),
    addStarted: (id, taskId, executionId) => run(NOTE_TASK, id, taskId, executionId, null),
    perhapsStarted: (id) =>
      new Map(
        db
          .all<{ taskId: string; resultBefore: string }>(
            `SELECT task_id AS taskId, result_before AS resultBefore FROM start_request_task
             WHERE request = ? AND result_before IS NOT NULL`,
            id,
          )
          .map(({ taskId, resultBefore }) => [taskId, resultBefore]),
      ),
    addStarting: (id, taskId, resultBefore) => run(NOTE_TASK, id, taskId, null, resultBefore),
    finish: (tx, id, answer, topic) =>
      void tx.run(
        "UPDATE start_request SET state = 'done', answer = ?, answer_topic = ? WHERE id = ?",
        answer,
        topic,
        id,
      ),
    answerOf: (id) =>
      db.get<RequestAnswer>(
        "SELECT answer_topic AS topic, answer FROM start_request WHERE id = ? AND state = 'done' AND answer_topic IS NOT NULL",
        id,
      ) ?? null,
    prune(tx, before) {
      tx.run("DELETE FROM start_request WHERE state = 'done' AND received_at < ?", before)
      tx.run('DELETE FROM start_publisher WHERE published_at < ?', before)
    },
  }
}
