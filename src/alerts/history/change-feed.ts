/**
 * The feed of changes of state, in order, and `/v4/stream`, which sends it. The database itself logs the changes of events and
 * deliveries, in the transaction that makes them, so that the feed has every change and no other.
 */
import { ANY_SCOPE, type Caller, namespaceFilter, requireScope } from '../../http/endpoint/caller.ts'
import { asIs } from '../../http/endpoint/contract.ts'
import { type EventSource, type EventStreams, type FramedEvent, framed } from '../../http/endpoint/event-stream.ts'
import { invalidQuery } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import {
  type ChangeOf,
  type FeedPosition,
  type PairChange,
  STREAM,
  STREAM_POSITION,
  TOPICS,
  type Topic,
} from './stream-contract.ts'

export interface ChangeFeed {
  /** The number of the last change, and that of the oldest one that is still kept. */
  position(): FeedPosition
  /**
   * The changes from now on. With `after`, the number of an earlier change, first all changes since then, except those that
   * retention has removed. `greets`: the first message is the position, and `reset` follows where changes after `after`
   * are missing. `sees`: whether pairs of a namespace are sent.
   */
  source(topics: readonly Topic[], after: number | null, options?: FollowOptions): EventSource
  /** Calls back with true when a follower of the topic comes, and with false when the last one has gone. */
  onFollowed(topic: Topic, listener: (isFollowed: boolean) => void): void
  /** Adds a change of another topic than events and deliveries. */
  publish<T extends Topic>(topic: T, data: ChangeOf<T>): void
  /** Sends a change of a key-value pair to those who follow now. It is not stored: the store has a history of its own. */
  pass(change: PairChange): void
}

interface FollowOptions {
  readonly greets?: boolean
  readonly sees?: (namespace: string) => boolean
}

interface Row {
  readonly seq: number
  readonly topic: Topic
  readonly data: string
}

interface Follower {
  readonly topics: ReadonlySet<Topic>
  readonly sees: (namespace: string) => boolean
  readonly send: (event: FramedEvent) => void
}

/** Interval of the search for new changes while there are followers. */
const POLL_MS = 300
const STEP = 500

export function createChangeFeed(deps: { db: Database; writer: GroupWriter; clock: Clock; log: Logger }): ChangeFeed {
  const { db, writer, clock, log } = deps
  const followers = new Set<Follower>()
  let position = 0

  const listeners: { readonly topic: Topic; readonly listener: (isFollowed: boolean) => void }[] = []

  // Retention may have removed every change; their numbers go on.
  const newest = () => db.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'change_log'")?.seq ?? 0
  const oldest = (seq: number) =>
    db.get<{ seq: number | null }>('SELECT min(seq) AS seq FROM change_log')?.seq ?? seq + 1
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
        const event = framedChange(row)
        for (const { topics, send } of followers) if (topics.has(row.topic)) send(event)
      }
      position = rows.at(-1)?.seq ?? upTo
    }
  }

  const polling = createRecurringJob(
    { everyMs: POLL_MS, onError: (error) => log.warn(`STREAM: Changes could not be read: ${error}`) },
    sendNew,
  )

  function follow(follower: Follower): () => void {
    const before = followed()
    followers.add(follower)
    polling.start()
    announce(before)
    return () => {
      const earlier = followed()
      followers.delete(follower)
      if (followers.size === 0) void polling.stop()
      announce(earlier)
    }
  }

  const followed = () => new Set([...followers].flatMap(({ topics }) => [...topics]))

  function announce(before: ReadonlySet<Topic>): void {
    const now = followed()
    for (const { topic, listener } of listeners) if (before.has(topic) !== now.has(topic)) listener(now.has(topic))
  }

  function* changes(after: number, upTo: number, topics: ReadonlySet<Topic>): Generator<FramedEvent> {
    for (let seq = after; seq < upTo; ) {
      const rows = rowsAfter(seq, upTo)
      if (rows.length === 0) return
      for (const row of rows) if (topics.has(row.topic)) yield framedChange(row)
      seq = rows.at(-1)!.seq
    }
  }

  function* greeted(after: number, upTo: number, topics: ReadonlySet<Topic>): Generator<FramedEvent> {
    const first = oldest(upTo)
    yield framed({ event: 'hello' }, JSON.stringify({ seq: upTo, oldest: first }))
    if (after < first - 1 || after > upTo) yield framed({ event: 'reset' }, JSON.stringify({ seq: upTo }))
    else yield* changes(after, upTo, topics)
  }

  return {
    position() {
      const seq = newest()
      return { seq, oldest: oldest(seq) }
    },
    onFollowed: (topic, listener) => void listeners.push({ topic, listener }),
    source(wanted, after, { greets = false, sees = () => true } = {}) {
      const topics = new Set(wanted)
      // All followers have the same position now: the generator sends the changes before it, the poll those after it.
      if (followers.size === 0) position = newest()
      else sendNew()
      return {
        ...(after !== null && { initial: (greets ? greeted : changes)(after, position, topics) }),
        subscribe: (send) => follow({ topics, sees, send }),
      }
    },
    pass({ event, namespace, key, revision }) {
      const readers = [...followers].filter(({ topics, sees }) => topics.has('keyValue') && sees(namespace))
      if (readers.length === 0) return
      const message = framed({ event: 'keyValue' }, JSON.stringify({ event, namespace, key, revision }))
      for (const { send } of readers) send(message)
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

/** The stored JSON has no line breaks, so that it is sent as it is. */
const framedChange = ({ seq, topic, data }: Row): FramedEvent => framed({ id: seq, event: topic }, data)

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

const iso = (column: string) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${column} / 1000.0, 'unixepoch')`
const logged = (topic: Topic, data: string) =>
  `BEGIN INSERT INTO change_log (at, topic, data) VALUES (${NOW}, '${topic}', json_object(${data})); END`

const EXECUTION = `'executionId', NEW.execution_id, 'taskId', NEW.task_id, 'taskName', NEW.task_name`
const ENDED = `${EXECUTION}, 'state', 'finished', 'outcome', NEW.outcome, 'triggeredAt', ${iso('NEW.triggered_at')},
  'startedAt', ${iso('NEW.started_at')}, 'stoppedAt', ${iso('NEW.stopped_at')}`
const STARTED = `${EXECUTION}, 'state', 'queued', 'outcome', NULL, 'triggeredAt', ${iso('NEW.started_at')},
  'startedAt', NULL, 'stoppedAt', NULL`
const SCHEDULE_RUN = `'id', NEW.schedule_id, 'state', NULL, 'runId', NEW.id, 'runState', NEW.state,
  'outcome', NEW.outcome, 'reason', NEW.reason`
const REPORT_RUN = `'runId', NEW.id, 'taskId', NEW.task_id, 'state', NEW.state, 'outcome', NEW.outcome`
/** Older ends are taken over from Qlik Sense at the first start. */
const RECENT = `NEW.stopped_at > ${NOW} - 3600000`

/** To be created after the tables of starts, executions, schedules and report tasks. */
export const runFeedMigrations: readonly Migration[] = [
  {
    name: 'change-feed-runs',
    sql: `
      CREATE TRIGGER execution_added AFTER INSERT ON execution WHEN ${RECENT} ${logged('execution', ENDED)};
      CREATE TRIGGER execution_measured AFTER UPDATE OF outcome, run_ms ON execution
        WHEN ${RECENT} AND (OLD.outcome IS NOT NEW.outcome OR OLD.run_ms IS NOT NEW.run_ms) ${logged('execution', ENDED)};
      CREATE TRIGGER task_start_added AFTER INSERT ON task_start WHEN NEW.execution_id IS NOT NULL
        ${logged('execution', STARTED)};
      CREATE TRIGGER schedule_run_added AFTER INSERT ON schedule_run ${logged('schedule', SCHEDULE_RUN)};
      CREATE TRIGGER schedule_run_changed AFTER UPDATE OF state ON schedule_run WHEN OLD.state <> NEW.state
        ${logged('schedule', SCHEDULE_RUN)};
      CREATE TRIGGER report_run_added AFTER INSERT ON report_run ${logged('report', REPORT_RUN)};
      CREATE TRIGGER report_run_changed AFTER UPDATE OF state ON report_run WHEN OLD.state <> NEW.state
        ${logged('report', REPORT_RUN)};
    `,
  },
]

/** The scope that a topic needs. */
const SCOPES: Readonly<Record<Topic, string>> = {
  event: 'event:read',
  delivery: 'event:read',
  execution: 'task:read',
  schedule: 'schedule:read',
  file: 'file:write',
  attention: 'event:read',
  report: 'report:read',
  keyValue: 'kv:read',
}
/** Sent only when it is asked for, as its messages have no number. */
const UNASKED = TOPICS.filter((topic) => topic !== 'keyValue')

interface StreamRoutesDeps {
  readonly feed: ChangeFeed
  readonly streams: EventStreams
}

export function streamRoutes({ feed, streams }: StreamRoutesDeps): ApiRoute[] {
  return [
    route({
      ...STREAM,
      scope: ANY_SCOPE,
      summary: 'Follow what happens as server-sent events',
      description:
        'Each change of state is one message; its `id` is a sequence number, and a connection that begins with `Last-Event-ID` goes on after that one. With `after`, the first message is `hello` with the position; `reset` follows when changes after that number are not kept any more: then read everything anew. `Last-Event-ID` wins over `after`. Each topic needs the scope of its lists; without `topic` all are sent that the caller may read, except `keyValue`. Changes of pairs (`keyValue`) have no number and are not sent again; `/v4/keyvalues/{namespace}/watch` has their values.',
      examples: [{ name: 'events', query: { topic: 'event' }, status: 200 }],
      async handle(request) {
        const topics = topicsOf(request.query.topic, request.caller)
        const after = lastEventId(request.headers) ?? request.query.after ?? null
        const options = {
          greets: request.query.after !== undefined,
          sees: namespaceFilter(request.caller, 'kv:read'),
        }
        return asIs(await streams.open(request, () => feed.source(topics, after, options)))
      },
    }),
    route({
      ...STREAM_POSITION,
      scope: ANY_SCOPE,
      summary: 'The position of the stream',
      description:
        'Read it before the data that a page shows: a stream with `after` then begins with the changes that these data may lack.',
      examples: [{ name: 'now', status: 200, answer: { seq: 48_211, oldest: 1021 } }],
      handle: (_, answer) => answer(200, feed.position()),
    }),
  ]
}

/** The topics asked for, each of which the caller must be allowed to read; else all that it may. */
function topicsOf(asked: readonly Topic[] | undefined, caller: Caller): readonly Topic[] {
  const allowed = UNASKED.filter((topic) => caller.may(SCOPES[topic]))
  if (!asked && allowed.length > 0) return allowed
  if (!asked) requireScope(caller, SCOPES.event)
  for (const topic of asked ?? []) requireScope(caller, SCOPES[topic])
  return asked ?? []
}

function lastEventId(headers: Headers): number | null {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return null
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw invalidQuery([{ path: 'Last-Event-ID', message: 'must be the id of a message of this stream' }])
}
