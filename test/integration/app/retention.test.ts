import { expect, test } from 'bun:test'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createRetention } from '../../../src/app/retention.ts'
import { takeDedupKey } from '../../../src/events/store.ts'
import { auditMigrations, insertEntry } from '../../../src/http/audit.ts'
import { createMessages } from '../../../src/mqtt/index.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { uuidV7 } from '../../../src/platform/uuid.ts'
import { configOf, loadButler } from '../../support/config.ts'
import { pipelineDatabase, storePending, taskEvent } from '../../support/events.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const DAY = 86_400_000

const auditEntry = (at: number) => ({
  id: uuidV7(at),
  at,
  actor: 'key:erp',
  address: null,
  action: 'task.start',
  target: [],
  status: 200,
  outcome: 'ok' as const,
  requestId: null,
  detail: null,
})

function scene() {
  const directory = tempDirectory()
  const db = pipelineDatabase(directory.join('footman.db'))
  for (const { sql } of auditMigrations) db.exec(sql)
  const now = 100 * DAY
  db.transaction(() => {
    for (let n = 0; n < 450; n += 1) storePending(db, taskEvent({ receivedAt: now - 31 * DAY }))
    db.run(`UPDATE event SET state = 'routed'`)
    storePending(db, taskEvent({ receivedAt: now - 31 * DAY }))
    storePending(db, taskEvent({ receivedAt: now - 29 * DAY }))
    for (let n = 0; n < 450; n += 1) takeDedupKey(db, `old ${n}`, now - DAY, 1000)
    takeDedupKey(db, 'young', now, 1000)
    for (const at of [now - 91 * DAY, now - 90 * DAY - 1, now - 89 * DAY]) insertEntry(db, auditEntry(at), 'fm1')
  })
  const log = recordingLog()
  const journal: number[] = []
  const retention = createRetention(
    {
      writer: createGroupWriter(db),
      clock: { now: () => now },
      log,
      pipeline: { purgeJournal: (before) => void journal.push(before) },
    },
    { audit: 90 * DAY, events: 30 * DAY, firstMs: 1 },
  )
  const count = (table: string) => db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)!.n
  const close = () => {
    db.close()
    directory.remove()
  }
  return { retention, log, journal, count, close }
}

/** An old event for each state, with one delivery in it. */
function deliveriesOfOldEvents(states: readonly string[]) {
  const directory = tempDirectory()
  const db = pipelineDatabase(directory.join('footman.db'))
  for (const { sql } of auditMigrations) db.exec(sql)
  const now = 100 * DAY
  for (const state of states) {
    const event = taskEvent({ receivedAt: now - 31 * DAY })
    storePending(db, event)
    db.run(
      `INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, severity, state, created_at, next_attempt_at)
       VALUES (?, ?, 'alert', 'mine', 'mail', 'anna@acme.example', 'mail', 'error', ?, ?, ?)`,
      state,
      event.id,
      state,
      now - 31 * DAY,
      now,
    )
  }
  db.run(`UPDATE event SET state = 'routed'`)
  return {
    /** The states of what a clean-up leaves. */
    async left(): Promise<string[]> {
      const purged = Promise.withResolvers<void>()
      const last = () => {
        purged.resolve()
        return 0
      }
      const retention = createRetention(
        {
          writer: createGroupWriter(db),
          clock: { now: () => now },
          log: recordingLog(),
          pipeline: { purgeJournal: () => undefined },
          features: [{ pruning: [{ keepMs: DAY, purge: last }] }],
        },
        { audit: 90 * DAY, events: 30 * DAY, firstMs: 1 },
      )
      await retention.start()
      await purged.promise
      await retention.stop(100)
      const [events] = db.all<{ n: number }>('SELECT count(*) AS n FROM event')
      const rows = db.all<{ state: string }>('SELECT state FROM delivery ORDER BY seq').map(({ state }) => state)
      expect(events?.n).toBe(rows.length)
      return rows
    },
    end: () => db.run(`UPDATE delivery SET state = 'delivered'`),
    async [Symbol.asyncDispose]() {
      db.close()
      directory.remove()
    },
  }
}

test('soon after the start what is old and finished is removed, the rest stays', async () => {
  const { retention, journal, count, close } = scene()
  await retention.start()
  await until(() => count('event') === 2 && count('dedup') === 1 && count('audit') === 1)
  expect(journal).toEqual([70 * DAY])
  await retention.stop(100)
  close()
})

test('an old event stays while a delivery of it is open; with its last one both go', async () => {
  await using scene = deliveriesOfOldEvents(['pending', 'sending', 'delivered', 'suppressed', 'dead'])
  expect(await scene.left()).toEqual(['pending', 'sending'])
  scene.end()
  expect(await scene.left()).toEqual([])
})

test('a stop in the middle ends it without a word', async () => {
  const { retention, log, count, close } = scene()
  await retention.start()
  await until(() => count('event') < 452)
  await retention.stop(100)
  expect(count('event')).toBeGreaterThan(2)
  close()
  // A timer that was left behind would fire within this time.
  await Bun.sleep(30)
  expect(log.of('error')).toEqual([])
})

test('MQTT messages that were given up are kept as long as events, also while MQTT is off', async () => {
  const directory = tempDirectory()
  const db = openDatabase(directory.join('footman.db'), { migrations: MIGRATIONS })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const clock = { now: () => 100 * DAY }
  for (const [topic, deadAt] of [
    ['old', 89 * DAY],
    ['young', 91 * DAY],
  ] as const) {
    db.run(
      `INSERT INTO mqtt_outgoing (key, body, state, reason, created_at, dead_at) VALUES (?, '{}', 'dead', 'EXPIRED', 0, ?)`,
      topic,
      deadAt,
    )
  }
  db.run(`INSERT INTO mqtt_outgoing (key, body, created_at) VALUES ('waits', '{}', 0)`)
  const config = await configOf(loadButler('footman:\n  retention:\n    events: 10d'))
  const messages = createMessages({ db, writer, clock, log, mqtt: null }, config, false)
  const retention = createRetention(
    { writer, clock, log, pipeline: { purgeJournal: () => {} }, features: [messages] },
    { audit: DAY, events: DAY, firstMs: 1 },
  )
  const topics = () => db.all<{ key: string }>('SELECT key FROM mqtt_outgoing ORDER BY key').map(({ key }) => key)
  await retention.start()
  await until(() => topics().length < 3)
  expect(topics()).toEqual(['waits', 'young'])
  await retention.stop(0)
  await Promise.all(messages.backends.map((service) => service.stop(0)))
  db.close()
  directory.remove()
})
