/** The key-value store on a database in memory or in a file, with a clock that the test moves. */

import { createEventStreams, type EventStreamSettings } from '../../src/http/endpoint/event-stream.ts'
import { keyValueRoutes } from '../../src/kv/http.ts'
import { createKeyValueStore, keyValueMigrations, type Limits } from '../../src/kv/store.ts'
import { transferRoutes } from '../../src/kv/transfer.ts'
import type { KeyValueStore } from '../../src/kv/types.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import { recordingLog } from './recording-log.ts'
import { routesApi } from './routes-api.ts'

export interface TestClock {
  now(): number
  advance(ms: number): void
}

/** 2026-03-02T06:00:00.000Z, until it is moved. */
export function testClock(start = Date.UTC(2026, 2, 2, 6)): TestClock {
  let now = start
  return {
    now: () => now,
    advance(ms) {
      now += ms
    },
  }
}

export interface TestStore {
  readonly store: KeyValueStore
  readonly db: Database
  readonly clock: TestClock
}

export function testStore(options: Partial<Limits> & { file?: string; clock?: TestClock } = {}): TestStore {
  const { file = ':memory:', clock = testClock(), maxKeysPerNamespace = 1000, maxValueSize = 1_048_576 } = options
  const db = openDatabase(file, { migrations: keyValueMigrations })
  const store = createKeyValueStore({ db, writer: createGroupWriter(db), clock }, { maxKeysPerNamespace, maxValueSize })
  return { store, db, clock }
}

/** The endpoints in front of a store. */
export async function keyValueApi(options: Parameters<typeof testStore>[0] & { streams?: EventStreamSettings } = {}) {
  const { store, db, clock } = testStore(options)
  const log = recordingLog()
  const streams = createEventStreams(options.streams)
  const deps = { store, clock, log, streams }
  const api = await routesApi([...keyValueRoutes(deps), ...transferRoutes(deps)], log)
  return {
    store,
    db,
    clock,
    log,
    streams,
    port: api.port,
    send: api.send,
    /** Status and parsed body. */
    async call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) {
      const answer = await api.send(method, path, body, headers)
      return { status: answer.status, body: answer.body === '' ? null : JSON.parse(answer.body) }
    },
    async [Symbol.asyncDispose]() {
      streams.stop()
      await api[Symbol.asyncDispose]()
      db.close()
    },
  }
}
