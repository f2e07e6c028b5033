/**
 * The feed of changes of state, in order, and `/v4/stream`, which sends it. The database itself logs the changes of events and
 * deliveries, in the transaction that makes them, so that the feed has every change and no other.
 */

import { z } from 'zod'
import { type Caller, requireScope } from '../../http/endpoint/caller.ts'
import type { EventSource, EventStreams, StreamEvent } from '../../http/endpoint/event-stream.ts'
import { invalidQuery } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { anyOf } from './lists.ts'

export const TOPICS = ['event', 'delivery', 'execution', 'schedule', 'file'] as const
export type Topic = (typeof TOPICS)[number]

export interface ChangeFeed {
  /**
   * The changes from now on. With `after`, the number of an earlier change, first all changes since then, except those that
   * retention has removed.
   */
  source(topics: readonly Topic[], after: number | null): EventSource
  /** Adds a change of another topic than events and deliveries. */
  publish(topic: Topic, data: Readonly<Record<string, unknown>>): void
}

interface Row {
  readonly seq: number
  readonly topic: Topic
  readonly data: string
}

interface Follower {
  readonly topics: ReadonlySet<Topic>
  readonly send: (event: StreamEvent) => void
}

/** Interval of the search for new changes while there are followers. */
const POLL_MS = 200
const STEP = 500

export function createChangeFeed(deps: { db: Database; writer: GroupWriter; clock: Clock; log: Logger }): ChangeFeed {
  const { db, writer, clock, log } = deps
  const followers = new Set<Follower>()
  let position = 0

  const newest = () => db.get<{ seq: number | null }>('SELECT max(seq) AS seq FROM change_log')?.seq ?? 0
  const rowsAfter = (seq: number, upTo: number) =>
    db.all<Row>(
      'SELECT seq, topic, data FROM change_log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
      seq,
      upTo,
      STEP,
    )

  function sendNew(): void {
    const upTo = newest()
    while (position < upTo) {
      const rows = rowsAfter(position, upTo)
      for (const row of rows) {
        for (const { topics, send } of followers) if (topics.has(row.topic)) send(streamEvent(row))
      }
      position = rows.at(-1)?.seq ?? upTo
    }
  }

  const polling = createRecurringJob(
    { everyMs: POLL_MS, onError: (error) => log.warn(`STREAM: Changes could not be read: ${error}`) },
    sendNew,
  )

  function follow(follower: Follower): () => void {
    followers.add(follower)
    polling.start()
    return () => {
      followers.delete(follower)
      if (followers.size === 0) void polling.stop()
    }
  }

  function* changes(after: number, upTo: number, topics: ReadonlySet<Topic>): Generator<StreamEvent> {
    for (let seq = after; seq < upTo; ) {
      const rows = rowsAfter(seq, upTo)
      if (rows.length === 0) return
      for (const row of rows) if (topics.has(row.topic)) yield streamEvent(row)
      seq = rows.at(-1)!.seq
    }
  }

  return {
    source(wanted, after) {
      const topics = new Set(wanted)
      // All followers have the same position now: the generator sends the changes before it, the poll those after it.
      if (followers.size === 0) position = newest()
      else sendNew()
      return {
        ...(after !== null && { initial: changes(after, position, topics) }),
        subscribe: (send) => follow({ topics, send }),
      }
    },
    publish(topic, data) {
      const json = JSON.stringify(data)
      writer
        .write((tx) => tx.run('INSERT INTO change_log (at, topic, data) VALUES (?, ?, ?)', clock.now(), topic, json))
        .catch((error: unknown) => log.warn(`STREAM: A change of topic ${topic} could not be stored: ${error}`))
    },
  }
}

/** Removes up to `limit` changes older than `before`; returns how many. */
export function purgeChanges(db: Database, before: number, limit: number): number {
  return db.run(
    'DELETE FROM change_log WHERE seq IN (SELECT seq FROM change_log ORDER BY seq LIMIT ?) AND at < ?',
    limit,
    before,
  ).changes
}

const streamEvent = ({ seq, topic, data }: Row): StreamEvent => ({
  id: seq,
  event: topic,
  data: storedJson<StreamEvent['data']>(data, null),
})

/** Milliseconds since 1970, by the clock of SQLite. */
const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`

const EVENT_DATA = `json_object('id', NEW.id, 'type', NEW.type, 'outcome', NEW.outcome, 'severity', NEW.severity,
  'state', NEW.state, 'reason', NEW.reason, 'taskId', nullif(NEW.task_id, ''), 'taskName', nullif(NEW.task_name, ''),
  'appName', nullif(NEW.app_name, ''), 'host', nullif(NEW.host, ''))`

const DELIVERY_DATA = `json_object('id', NEW.id, 'eventId', NEW.event_id, 'destination', NEW.destination,
  'state', NEW.state, 'reason', NEW.reason)`

function changeTriggers(table: string, data: string): string {
  const log = `BEGIN INSERT INTO change_log (at, topic, data) VALUES (${NOW}, '${table}', ${data}); END`
  return `
    CREATE TRIGGER ${table}_added AFTER INSERT ON ${table} ${log};
    CREATE TRIGGER ${table}_changed AFTER UPDATE OF state ON ${table} WHEN OLD.state <> NEW.state ${log};`
}

export const changeFeedMigrations: readonly Migration[] = [
  {
    name: 'alert-journal-001',
    sql: `
      CREATE TABLE change_log (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        topic TEXT NOT NULL,
        data TEXT NOT NULL
      );
      ${changeTriggers('event', EVENT_DATA)}
      ${changeTriggers('delivery', DELIVERY_DATA)}
    `,
  },
]

const STREAM_QUERY = z.object({ topic: anyOf(TOPICS) })

/** The scope that a topic needs in addition to that of the endpoint. */
const SCOPES: Readonly<Record<Topic, string>> = {
  event: 'event:read',
  delivery: 'event:read',
  execution: 'task:read',
  schedule: 'schedule:read',
  file: 'file:write',
}

interface StreamRoutesDeps {
  readonly feed: ChangeFeed
  readonly streams: EventStreams
}

export function streamRoutes({ feed, streams }: StreamRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/stream',
      scope: 'event:read',
      summary: 'Follow what happens as server-sent events',
      description:
        'Each change of state is one message; its `id` is a sequence number, and a connection that begins with `Last-Event-ID` goes on after that one.',
      query: STREAM_QUERY,
      answers: { 200: z.string().describe('The stream.'), 503: 'Too many streams are open.' },
      handle(request) {
        const topics = topicsOf(request.query.topic, request.caller)
        const after = lastEventId(request.headers)
        return streams.open(() => feed.source(topics, after))
      },
    }),
  ]
}

/** The topics asked for, each of which the caller must be allowed to read; else all that it may. */
function topicsOf(asked: readonly Topic[] | undefined, caller: Caller): readonly Topic[] {
  if (!asked) return TOPICS.filter((topic) => caller.may(SCOPES[topic]))
  for (const topic of asked) requireScope(caller, SCOPES[topic])
  return asked
}

function lastEventId(headers: Headers): number | null {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return null
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw invalidQuery([{ path: 'Last-Event-ID', message: 'must be the id of a message of this stream' }])
}
