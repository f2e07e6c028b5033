/** The points of monitors wait on disk for InfluxDB. */
import { afterEach, describe, expect, test } from 'bun:test'
import {
  createPointQueue,
  influxMigrations,
  POINT_TABLE,
  type PointQueueSettings,
} from '../../../src/metrics/influxdb/points.ts'
import {
  type DeadLetterFilter,
  deadLetters,
  purgeDeadLetters,
  replayDeadLetters,
} from '../../../src/platform/durable-queue-store.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { linesOf } from '../../support/influx-double.ts'
import { influxServer } from '../../support/influx-server.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const DAY = 24 * 3_600_000
const NOW = Date.parse('2026-03-02T06:00:00.000Z')
const closing: (() => Promise<void> | void)[] = []
const timeout = 15_000

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function sink(): Promise<HttpSink> {
  const made = await startHttpSink()
  closing.push(made.stop)
  made.answer({ status: 204 })
  return made
}

function queue(port: number, options: Partial<PointQueueSettings> & { directory?: string; shift?: () => number } = {}) {
  const { directory = temp(), shift = () => 0, ...settings } = options
  const clock = { now: () => NOW + shift() }
  const db = openDatabase(`${directory}/footman.db`, { migrations: influxMigrations })
  const { server } = influxServer({ hostPort: port }, {}, clock.now)
  const log = recordingLog()
  const told: [number, string][] = []
  const points = createPointQueue(
    { server, db, writer: createGroupWriter(db), clock, log, onDead: (count, why) => void told.push([count, why]) },
    { retry: { firstMs: 10, maxMs: 20, jitter: 0 }, maxAgeMs: 7 * DAY, gatherMs: 5, ...settings },
  )
  let ended = false
  const end = async () => {
    if (ended) return
    ended = true
    await points.stop(100)
    db.close()
    server.close()
  }
  closing.push(end)
  return { points, log, end, db, told }
}

function temp(): string {
  const directory = tempDirectory()
  closing.push(directory.remove)
  return directory.path
}

const point = (n: number, time?: number) => ({ measurement: 'm', tags: { n }, fields: { f: n }, ...(time && { time }) })
const written = ({ requests }: HttpSink) => requests.flatMap(({ body }) => linesOf(body))

test('points leave together, with the time of their measurement', async () => {
  const influx = await sink()
  const { points } = queue(influx.port)
  await points.start()
  await Promise.all([points.writePoints([point(1), point(2, NOW - 5)]), points.writePoints([point(3)])])
  await until(() => points.waiting === 0, { timeout })
  expect(influx.requests).toHaveLength(1)
  expect(written(influx)).toEqual([
    `m,n=1,qs_env=prod f=1 ${NOW}000000`,
    `m,n=2,qs_env=prod f=2 ${NOW - 5}000000`,
    `m,n=3,qs_env=prod f=3 ${NOW}000000`,
  ])
})

test('two points of one series in the same millisecond are two points', async () => {
  const influx = await sink()
  const { points } = queue(influx.port)
  await points.start()
  await points.writePoints([point(1), point(1), point(2), point(1)])
  await until(() => points.waiting === 0, { timeout })
  const times = written(influx).map((line) => line.slice(-6))
  expect(times).toEqual(['000000', '000001', '000000', '000002'])
})

test('an outage: all wait on disk, through a restart, and arrive once and in order', async () => {
  const influx = await sink()
  await influx.down()
  const directory = temp()
  const first = queue(influx.port, { directory })
  await first.points.start()
  for (let n = 0; n < 700; n++) await first.points.writePoints([point(n)])
  await until(() => first.log.of('warn').length > 0, { timeout })
  expect(first.log.of('warn')).toEqual([
    expect.stringMatching(/^INFLUXDB: \d+ points wait for database butler at .* refused the connection$/),
  ])
  await first.end()

  const second = queue(influx.port, { directory })
  expect(second.points.waiting).toBe(700)
  await second.points.start()
  await second.points.writePoints([point(700)])
  await until(() => second.log.of('warn').length > 0, { timeout })
  await influx.up()
  await until(() => second.log.of('info').some((line) => line.includes('takes points again')), { timeout })
  await until(() => second.points.waiting === 0, { timeout })
  expect(written(influx).map((line) => Number(/n=(\d+)/.exec(line)![1]))).toEqual(
    Array.from({ length: 701 }, (_, n) => n),
  )
}, 90_000)

const deadPoints = (db: Database) => deadLetters(db, POINT_TABLE)
const resendDeadPoints = (db: Database, filter: DeadLetterFilter, now: number) =>
  replayDeadLetters(db, POINT_TABLE, filter, now)
const purgeDeadPoints = (db: Database, before: number, limit: number) =>
  purgeDeadLetters(db, POINT_TABLE, before, limit)
const ALL = { reason: null, from: null, to: null }

test('InfluxDB away for days: what is older than the limit is a dead letter, the rest is written; replayed, it has its own time', async () => {
  const influx = await sink()
  await influx.down()
  let shift = 0
  const { points, log, db, told } = queue(influx.port, { shift: () => shift })
  await points.start()
  await points.writePoints([point(1), point(2)])
  shift = 6 * DAY
  await points.writePoints([point(3)])
  shift = 7 * DAY + 60_000
  await until(() => told.length === 1, { timeout })
  await influx.up()
  await until(() => points.waiting === 0, { timeout })
  expect(written(influx)).toEqual([`m,n=3,qs_env=prod f=3 ${NOW + 6 * DAY}000000`])
  expect(log.of('error')).toEqual([
    'INFLUXDB: 2 points were given up because they waited too long for InfluxDB; they can be sent again',
  ])
  expect(told).toEqual([[2, 'they waited too long']])
  const dead = { key: 'm', reason: 'EXPIRED', detail: null, count: 2, oldestAt: NOW, newestAt: NOW }
  expect(deadPoints(db)).toEqual([dead] as never)

  expect(resendDeadPoints(db, { ...ALL, reason: ['REJECTED'] }, NOW + shift)).toBe(0)
  expect(resendDeadPoints(db, { ...ALL, from: NOW + 1 }, NOW + shift)).toBe(0)
  expect(resendDeadPoints(db, { ...ALL, reason: ['EXPIRED'], from: NOW, to: NOW + 1 }, NOW + shift)).toBe(2)
  points.wake()
  await until(() => points.waiting === 0, { timeout })
  expect(written(influx).slice(1)).toEqual([1, 2].map((n) => `m,n=${n},qs_env=prod f=${n} ${NOW}000000`))
  expect(deadPoints(db)).toEqual([])
})

test('a month without InfluxDB: thousands of points expire together, none is lost', async () => {
  const influx = await sink()
  await influx.down()
  let shift = 0
  const { points, db, told } = queue(influx.port, { shift: () => shift })
  await points.writePoints(Array.from({ length: 1700 }, (_, n) => point(n)))
  shift = 30 * DAY
  await points.start()
  await until(() => told.length === 1, { timeout })
  expect(told).toEqual([[1700, 'they waited too long']])
  expect(points.waiting).toBe(0)
  expect(resendDeadPoints(db, ALL, NOW + shift)).toBe(1700)
  await influx.up()
  points.wake()
  await until(() => points.waiting === 0, { timeout })
  expect(new Set(written(influx)).size).toBe(1700)
})

test('dead letters are kept for a time, then go in small steps; what waits stays', async () => {
  const influx = await sink()
  await influx.down()
  let shift = 0
  const { points, db, told } = queue(influx.port, { shift: () => shift })
  await points.start()
  await points.writePoints([point(1), point(2), point(3)])
  shift = 8 * DAY
  await until(() => told.length === 1, { timeout })
  expect(told).toEqual([[3, 'they waited too long']])
  await points.writePoints([point(4)])
  expect(purgeDeadPoints(db, NOW + 8 * DAY, 2)).toBe(0)
  expect(purgeDeadPoints(db, NOW + 8 * DAY + 1, 2)).toBe(2)
  expect(purgeDeadPoints(db, NOW + 8 * DAY + 1, 2)).toBe(1)
  expect(deadPoints(db)).toEqual([])
  expect(points.waiting).toBe(1)
})

test('a clock that is set back holds nothing up', async () => {
  const influx = await sink()
  let shift = 0
  const { points } = queue(influx.port, { shift: () => shift })
  await points.start()
  await points.writePoints([point(1)])
  shift = -3 * DAY
  await points.writePoints([point(1)])
  await until(() => points.waiting === 0, { timeout })
  expect(written(influx).map((line) => line.split(' ')[2])).toEqual([`${NOW}000000`, `${NOW - 3 * DAY}000000`])
})

test('a refused point is a dead letter with the words of InfluxDB, and costs the others nothing', async () => {
  const influx = await sink()
  influx.answer(({ body }) =>
    body.includes('n=2') ? { status: 400, body: '{"error":"field type conflict"}' } : { status: 204 },
  )
  const { points, db, told } = queue(influx.port)
  await points.start()
  await points.writePoints([point(1), { ...point(2), measurement: 'a,b c' }, point(3)])
  await until(() => points.waiting === 0, { timeout })
  const detail = 'HTTP 400: field type conflict'
  const dead = { key: 'a,b c', reason: 'REJECTED', detail, count: 1, oldestAt: NOW, newestAt: NOW }
  expect(deadPoints(db)).toEqual([dead] as never)
  expect(told).toEqual([[1, detail]])
  expect(influx.requests.filter(({ body }) => !body.includes('n=2')).flatMap(({ body }) => linesOf(body))).toHaveLength(
    2,
  )
})

describe('a stop', () => {
  test('writes what is at hand', async () => {
    const influx = await sink()
    const { points, end } = queue(influx.port, { gatherMs: 60_000 })
    await points.start()
    await points.writePoints([point(1)])
    await end()
    expect(written(influx)).toHaveLength(1)
  })

  test('does not wait for a server that never answers', async () => {
    const influx = await sink()
    influx.answer({ hang: true })
    const directory = temp()
    const { points, end } = queue(influx.port, { directory })
    await points.start()
    await points.writePoints([point(1)])
    await influx.received(1)
    await end()
    expect(queue(influx.port, { directory }).points.waiting).toBe(1)
  })
})

test('nothing is stored for points without fields', async () => {
  const influx = await sink()
  const { points } = queue(influx.port)
  await points.start()
  await points.writePoints([{ measurement: 'm', tags: {}, fields: { f: null } }])
  expect(points.waiting).toBe(0)
})
