/** Executions of tasks on their way through the outbox to InfluxDB. */

import { afterEach, describe, expect, test } from 'bun:test'
import { createInfluxDestination, influxRules } from '../../../../src/alerts/destinations/influxdb.ts'
import { resendDelivery } from '../../../../src/alerts/history/resend.ts'
import { outboxMigrations } from '../../../../src/alerts/outbox/migrations.ts'
import { createOutbox } from '../../../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../../../src/alerts/router.ts'
import { alertRuleMigrations } from '../../../../src/alerts/rules/migrations.ts'
import { NOTHING_AWAITED } from '../../../../src/events/event-router.ts'
import { eventMigrations } from '../../../../src/events/migrations.ts'
import { countEarlierTwins, loadTaskEvent, storeWholeEvent } from '../../../../src/events/store.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { uuidV7 } from '../../../../src/platform/uuid.ts'
import LINES from '../../../fixtures/influxdb/lines.json'
import { STOCKHOLM } from '../../../support/alerts.ts'
import { type HttpSink, startHttpSink } from '../../../support/http-sink.ts'
import { linesOf } from '../../../support/influx-double.ts'
import { EVENTS, influxConfig } from '../../../support/influx-events.ts'
import { influxServer } from '../../../support/influx-server.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

const DAY = 24 * 3_600_000
const NOON = 1772532000000
const timeout = 20_000
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Row {
  readonly id: string
  readonly state: string
  readonly reason: string | null
  readonly detail: string | null
  readonly target: string
}

async function scene(settings: { shadow?: boolean } = {}) {
  const directory = tempDirectory()
  const influx = await startHttpSink()
  influx.answer({ status: 204 })
  const migrations = [...eventMigrations, ...outboxMigrations, ...alertRuleMigrations]
  const db = openDatabase(directory.join('footman.db'), { migrations })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  let shift = 0
  const clock = { now: () => Date.now() + shift }
  const config = influxConfig({ reloadTaskFailure: { enable: true, tailScriptLogLines: 3 } })
  const { server } = influxServer({ hostPort: influx.port }, {}, clock.now)
  const destination = createInfluxDestination(
    { server, times: STOCKHOLM, earlierTwins: (event) => countEarlierTwins(db, event) },
    config,
  )
  const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, influxRules(config))
  const outbox = createOutbox(
    {
      db,
      writer,
      log,
      clock,
      rule: router.rule,
      loadEvent: (id) => loadTaskEvent(db, id),
      destinations: new Map([['influxdb', destination]]),
    },
    {
      concurrency: 4,
      retry: { firstMs: 10, maxMs: 50, jitter: 0 },
      maxAgeMs: () => 7 * DAY,
      shadow: settings.shadow ?? false,
    },
  )
  outbox.start()
  closing.push(
    directory.remove,
    () => db.close(),
    influx.stop,
    () => outbox.stop(200),
  )

  async function fire(events: readonly TaskEvent[]): Promise<void> {
    await writer.write((tx) => {
      for (const event of events) {
        storeWholeEvent(tx, event)
        router.handle(tx, event, NOTHING_AWAITED)
      }
    })
    router.wake()
  }
  const rows = () => db.all<Row>('SELECT id, state, reason, detail, target FROM delivery ORDER BY seq')
  const settled = (state: string, count: number) =>
    until(() => rows().filter((row) => row.state === state).length === count, {
      timeout,
      state: () => rows().slice(0, 3),
    })
  const resend = async (id: string) => {
    await writer.write((tx) => resendDelivery(tx, id, clock.now()))
    outbox.wake(new Set(['influxdb']))
  }
  const move = (ms: number) => {
    shift += ms
  }
  const tries = () => db.get<{ n: number }>('SELECT count(*) AS n FROM delivery_attempt')!.n
  return { influx, fire, rows, settled, resend, move, tries }
}

/** A failure of its own at this time. */
function failure(n: number, receivedAt = NOON, changes: Partial<TaskEvent> = {}): TaskEvent {
  const executionId = `e${n}`
  return { ...EVENTS['externalProgram failed']!, id: uuidV7(), receivedAt, executionId, ...changes }
}

const linesAt = ({ requests }: HttpSink) => requests.flatMap(({ body }) => linesOf(body))
const executionOf = (line: string) => /execution_id="([^"]+)"/.exec(line)?.[1]

test('an event of every kind is one line, the one that dashboards know', async () => {
  const { influx, fire, settled } = await scene()
  const events = Object.entries(EVENTS).map(([name, event]) => ({ name, event: { ...event, id: uuidV7() } }))
  await fire(events.map(({ event }) => event))
  await settled('delivered', events.length)
  const expected = events.map(({ name }) => LINES[name as keyof typeof LINES].replace('butler_instance=prod-1,', ''))
  expect(
    linesAt(influx)
      .map((line) => line.replaceAll('\u202f', ' '))
      .sort(),
  ).toEqual(expected.sort())
})

test('hundreds of events leave in few requests', async () => {
  const { influx, fire, settled } = await scene()
  await fire(Array.from({ length: 350 }, (_, n) => failure(n, NOON + n)))
  await settled('delivered', 350)
  expect(new Set(linesAt(influx).map(executionOf)).size).toBe(350)
  expect(influx.requests.length).toBeLessThan(40)
}, 90_000)

test('failures of one task in the same millisecond are points of their own, the same ones at every attempt', async () => {
  const { influx, fire, settled } = await scene()
  influx.answerOnce({ status: 503 })
  await fire([failure(1), failure(2), failure(3)])
  await settled('delivered', 3)
  const byExecution = Map.groupBy(linesAt(influx), executionOf)
  for (const n of [1, 2, 3]) {
    const times = byExecution.get(`e${n}`)!.map((line) => line.slice(-19))
    expect(new Set(times)).toEqual(new Set([`${NOON}00000${n - 1}`]))
  }
  expect(linesAt(influx).length).toBe(6)
})

test('InfluxDB away while failures arrive: every point is accepted once when it is back', async () => {
  const { influx, fire, settled, rows } = await scene()
  await influx.down()
  await fire(Array.from({ length: 120 }, (_, n) => failure(n, NOON + n)))
  await until(() => rows().some(({ detail }) => detail?.includes('refused the connection')), { timeout })
  await influx.up()
  await settled('delivered', 120)
  expect(linesAt(influx).map(executionOf).sort()).toEqual(Array.from({ length: 120 }, (_, n) => `e${n}`).sort())
}, 90_000)

test('InfluxDB resets connections in mid-request, hangs up and is busy: nothing is lost', async () => {
  const { influx, fire, settled } = await scene()
  influx.answerOnce({ reset: true }, { status: 500 }, { status: 429, headers: { 'retry-after': '0' } }, { reset: true })
  await fire(Array.from({ length: 20 }, (_, n) => failure(n, NOON + n)))
  await settled('delivered', 20)
  expect(new Set(linesAt(influx).map(executionOf)).size).toBe(20)
}, 90_000)

test('a refused point is a dead letter with the reason; the others of the batch are written', async () => {
  const { influx, fire, settled, rows } = await scene()
  influx.answer(({ body }) =>
    body.includes('"e7"')
      ? { status: 400, body: '{"error":"partial write: field type conflict dropped=1"}' }
      : { status: 204 },
  )
  await fire(Array.from({ length: 20 }, (_, n) => failure(n, NOON + n)))
  await settled('delivered', 19)
  expect(rows().filter(({ state }) => state !== 'delivered')).toEqual([
    expect.objectContaining({
      state: 'dead',
      reason: 'REJECTED',
      detail: 'HTTP 400: partial write: field type conflict dropped=1',
      target: 'external_program_task_failed',
    }),
  ])
})

describe('days without InfluxDB', () => {
  test('points wait for a week, are dead letters then, and keep their time when they are sent again', async () => {
    const { influx, fire, settled, rows, resend, move } = await scene()
    await influx.down()
    await fire([failure(1)])
    move(6 * DAY)
    await fire([failure(2, NOON + 6 * DAY)])
    move(DAY + 60_000)
    await settled('dead', 1)
    expect(rows().map(({ state, reason }) => [state, reason])).toEqual([
      ['dead', 'EXPIRED'],
      ['pending', null],
    ])
    await influx.up()
    await settled('delivered', 1)
    await resend(rows()[0]!.id)
    await settled('delivered', 2)
    const times = linesAt(influx).map((line) => `${executionOf(line)} ${line.slice(-19)}`)
    expect(times.sort()).toEqual([`e1 ${NOON}000000`, `e2 ${NOON + 6 * DAY}000000`])
  }, 90_000)

  test('a login that is refused for days costs one try at a time, not one for each point', async () => {
    const { influx, fire, settled, rows, tries } = await scene()
    influx.answer({ status: 401 })
    await fire(Array.from({ length: 200 }, (_, n) => failure(n, NOON + n)))
    await influx.received(12, { timeout })
    expect(tries()).toBeLessThan(100)
    expect(rows().every(({ state }) => state !== 'dead')).toBe(true)
    influx.answer({ status: 204 })
    await settled('delivered', 200)
  }, 90_000)

  test('a login that is refused holds points back without giving them up', async () => {
    const { influx, fire, rows, settled, resend } = await scene()
    influx.answer({ status: 401, body: '{"error":"authorization failed"}' })
    await fire([failure(1)])
    await until(() => rows()[0]!.detail === 'HTTP 401: authorization failed', { timeout })
    expect(rows()[0]!.state).toBe('pending')
    influx.answer({ status: 204 })
    await resend(rows()[0]!.id)
    await settled('delivered', 1)
  })
})

test('shadow mode records the line and sends nothing', async () => {
  const { influx, fire, settled } = await scene({ shadow: true })
  await fire([failure(1)])
  await settled('suppressed', 1)
  expect(influx.requests).toEqual([])
})

test('what is only a test is not written', async () => {
  const { fire, rows } = await scene()
  await fire([failure(1, NOON, { test: true, source: 'test' })])
  expect(rows()).toEqual([])
})
