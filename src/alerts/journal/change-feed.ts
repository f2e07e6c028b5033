/**
 * Every change of state in order, for those who follow along. Changes of events and deliveries are logged by the database
 * itself, in the transaction that makes them, so that nothing is told that did not happen and nothing is left out.
 */

import type { EventSource, StreamEvent } from '../../http/endpoint/event-stream.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'

export const TOPICS = ['event', 'delivery', 'execution', 'schedule', 'file'] as const
export type Topic = (typeof TOPICS)[number]

export interface ChangeFeed {
  /**
   * What happens from now on. With `after`, the number of an earlier change, first all that happened since; changes that
   * retention has removed are gone.
   */
  source(topics: readonly Topic[], after: number | null): EventSource
  /** Tells a change that is not one of events or deliveries. */
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

/** How often new changes are looked for while somebody follows. */
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

  function tell(): void {
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
    tell,
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
      // Everybody stands at the same place now: what came before is told by the generator, what follows by the poll.
      if (followers.size === 0) position = newest()
      else tell()
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
