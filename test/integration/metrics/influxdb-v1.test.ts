/** Against a real InfluxDB 1. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { taskPoint } from '../../../src/alerts/destinations/influxdb.ts'
import { lineOf } from '../../../src/metrics/influxdb/line.ts'
import { STOCKHOLM, scriptLog } from '../../support/alerts.ts'
import { EVENTS, influxConfig, sectionOf } from '../../support/influx-events.ts'
import { influxServer } from '../../support/influx-server.ts'
import { type Influxd, startInfluxd } from '../../support/influxd.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('influxd')

const FOR_EVER = { name: 'keep', duration: 'INF' }
const timeout = 30_000

describe('InfluxDB 1', () => {
  let influxd: Influxd

  beforeAll(async () => {
    influxd = await startInfluxd()
  }, 60_000)

  afterAll(() => influxd.stop())

  const connect = (dbName: string, written: object = {}) =>
    influxServer({ hostPort: influxd.port, v1Config: { dbName, retentionPolicy: FOR_EVER }, ...written })

  test(
    'a database that is missing is made with its retention policy, one that is there is left alone',
    async () => {
      const flat = { dbName: 'made "by" us', retentionPolicy: { name: 'ten days', duration: '1w3d' } }
      const first = influxServer({ hostPort: influxd.port, ...flat })
      expect(await first.server.database.make()).toBe(true)
      expect(first.log.of('info')).toEqual([
        'CONFIG: Created new InfluxDB database: made "by" us',
        'CONFIG: Created new InfluxDB retention policy: ten days',
      ])
      const policies = async () =>
        (await influxd.rows('SHOW RETENTION POLICIES ON "made \\"by\\" us"')).filter((row) => row.default)
      expect(await policies()).toEqual([
        expect.objectContaining({ name: 'ten days', duration: '240h0m0s', replicaN: 1 }),
      ])

      const again = influxServer({
        hostPort: influxd.port,
        ...flat,
        retentionPolicy: { name: 'other', duration: '2d' },
      })
      expect(await again.server.database.make()).toBe(true)
      expect(again.log.of('info')).toEqual(['CONFIG: Found InfluxDB database: made "by" us'])
      expect(await policies()).toEqual([expect.objectContaining({ name: 'ten days' })])
    },
    timeout,
  )

  test(
    'a retention policy that cannot be made is told, points are kept all the same',
    async () => {
      const { server, log } = connect('odd', {
        v1Config: { dbName: 'odd', retentionPolicy: { name: 'x', duration: '5m' } },
      })
      expect(await server.database.make()).toBe(true)
      expect(log.of('error').join()).toMatch(/^CONFIG: Error creating new InfluxDB retention policy "x"! .*duration/)
    },
    timeout,
  )

  test('points that come while the database is made are kept under its policy, too', async () => {
    for (let n = 0; n < 5; n++) {
      const name = `race${n}`
      const { server, write } = connect(name)
      const lines = [1, 2, 3, 4].map((at) => [`m f=${at} ${at}`])
      const making = server.database.make()
      await Promise.all([...lines.map((line) => write(line)), making])
      await Promise.all(lines.map((line) => write(line)))
      expect((await influxd.rows('SELECT f FROM m', name)).map(({ f }) => f)).toEqual([1, 2, 3, 4])
      expect(await influxd.rows('SELECT f FROM "autogen".m', name)).toEqual([])
    }
  }, 90_000)

  test(
    'a database that goes missing is made again by the next write',
    async () => {
      const { write } = connect('gone')
      const [missing] = await write(['m f=1 1'])
      expect(missing).toMatchObject({ outcome: 'retry', detail: 'database gone was missing and is there now' })
      expect(missing).not.toHaveProperty('slow')
      expect(await write(['m f=1 1'])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
    },
    timeout,
  )

  test(
    'a field of another type costs its own point only, and says why',
    async () => {
      const { server, log, write } = connect('types')
      await server.database.make()
      await write(['m f=1 1'])
      const results = await write(['m f=2 2', 'm f="text" 3', 'm f=4 4', 'not a line', 'm f=5 5'])
      expect(results.map(({ outcome }) => outcome)).toEqual([
        'delivered',
        'rejected',
        'delivered',
        'rejected',
        'delivered',
      ])
      expect(results[1]!.detail).toMatch(
        /^HTTP 400: partial write: field type conflict: input field "f" .*string.*float/,
      )
      expect(results[3]!.detail).toMatch(/^HTTP 400: unable to parse 'not a line'/)
      expect(log.of('error')).toEqual([
        expect.stringContaining('INFLUXDB: A point of m was refused: HTTP 400: partial write: field type conflict'),
        expect.stringContaining('INFLUXDB: A point of not was refused: HTTP 400: unable to parse'),
      ])
      expect((await influxd.rows('SELECT f FROM m', 'types')).map(({ f }) => f)).toEqual([1, 2, 4, 5])
    },
    timeout,
  )

  test(
    'a point that is written twice is one point',
    async () => {
      const { server, write } = connect('twice')
      await server.database.make()
      for (const _ of [1, 2]) await write(['m,t=a f=1 1712899985120000000', 'm,t=a f=1 1712899985120000001'])
      const rows = await influxd.rows('SELECT f FROM m', 'twice')
      expect(rows.map(({ time }) => time)).toEqual(['1712899985120000000', '1712899985120000001'])
    },
    timeout,
  )

  test(
    'names and values come back as they were, whatever they hold',
    async () => {
      const { server, write } = connect('nasty')
      await server.database.make()
      const nasty = [
        'a b,c=d',
        'Umläut ß 日本 😀',
        'C:\\new\\x',
        'quoted "x" \'y\'',
        'ends with \\',
        'a\\,b',
        'x\\=y',
        'p\\ q',
        '#hash',
        'ä'.repeat(500),
      ]
      const lines = nasty.map((text, index) => {
        const point = { measurement: 'm', tags: { tag: text, [`key ${text}`]: 'k' }, fields: { text, n: index } }
        return lineOf(point, [], BigInt(index + 1))!
      })
      expect((await write(lines)).map(({ outcome, detail }) => `${outcome} ${detail}`)).toEqual(
        nasty.map(() => 'delivered HTTP 204'),
      )
      const rows = await influxd.rows('SELECT * FROM m', 'nasty')
      expect(rows.map(({ text }) => text)).toEqual(nasty)
      expect(rows.map(({ tag }) => tag)).toEqual(nasty.map((text) => text.replace(/\\+$/, '')))
      for (const [index, text] of nasty.entries())
        expect(rows[index]).toHaveProperty([`key ${text.replace(/\\+$/, '')}`], 'k')
    },
    timeout,
  )

  test(
    'the longest text of a script log is taken, quotes, backslashes and line breaks included',
    async () => {
      const { server, write } = connect('long')
      await server.database.make()
      const lines = Array.from({ length: 3000 }, (_, n) => `${n}\tLET x = "C:\\new\\q\\"; // 'ä' 😀 \\`)
      const event = { ...EVENTS['reload failed']!, scriptLog: scriptLog(lines) }
      const config = influxConfig({ reloadTaskFailure: { enable: true, tailScriptLogLines: 3000 } })
      const point = taskPoint(event, sectionOf(event, config), STOCKHOLM)
      expect(await write([server.lineOf(point, 1n)!])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
      const [stored] = await influxd.rows('SELECT reload_log, scriptLog FROM reload_task_failed', 'long')
      expect(stored!.reload_log).toBe(String(point.fields.reload_log))
      expect(stored!.scriptLog).toBe(String(point.fields.reload_log))
      expect(Buffer.byteLength(String(stored!.reload_log))).toBeGreaterThan(64_900)
    },
    timeout,
  )

  test(
    'hundreds of points outside of what is kept are refused with one line in the log',
    async () => {
      const { server, log, write } = connect('short', {
        v1Config: { dbName: 'short', retentionPolicy: { name: 'h', duration: '1h' } },
      })
      await server.database.make()
      const now = BigInt(Date.now()) * 1_000_000n
      const results = await write([...Array.from({ length: 200 }, (_, n) => `old f=1 ${n + 1}`), `new f=1 ${now}`])
      expect(results.filter(({ outcome }) => outcome === 'rejected')).toHaveLength(200)
      expect(results.at(-1)).toEqual({ outcome: 'delivered', detail: 'HTTP 204' })
      expect(log.of('error')).toEqual([
        expect.stringContaining('A point of old was refused: HTTP 400: partial write: points beyond retention policy'),
      ])
    },
    timeout,
  )

  test('with a login: wrong password, then the right one; nothing secret is logged', async () => {
    const locked = await startInfluxd({ auth: true })
    try {
      const auth = { enable: true, ...locked.login }
      const v1 = (password: string) => ({
        hostPort: locked.port,
        v1Config: { retentionPolicy: FOR_EVER, auth: { ...auth, password } },
      })
      const wrong = influxServer(v1('wrong-password'))
      expect(await wrong.server.database.make()).toBe(false)
      expect(await wrong.write(['m f=1 1'])).toEqual([
        { outcome: 'retry', detail: 'HTTP 401: authorization failed', slow: true, peerDown: true },
      ])
      const told = wrong.log.lines.map(({ message }) => message).join('\n')
      expect(told).toContain('authorization failed')
      expect(told).not.toContain('wrong-password')
      const right = influxServer(v1(auth.password))
      expect(await right.server.database.make()).toBe(true)
      expect(await right.write(['m f=1 1'])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
    } finally {
      await locked.stop()
    }
  }, 60_000)

  test('waits for a server that is not there, and makes the database when it comes', async () => {
    const late = await startInfluxd()
    await late.kill()
    const { server, log } = influxServer({ hostPort: late.port })
    try {
      await server.database.start()
      await until(() => log.of('error').length > 0, { timeout })
      expect(log.of('error')[0]).toMatch(
        /^CONFIG: Error getting list of InfluxDB databases! 127.0.0.1:\d+ refused the connection$/,
      )
      await late.start()
      await until(() => log.of('info').some((line) => line.includes('Created new InfluxDB database: butler')), {
        timeout,
      })
    } finally {
      await server.database.stop(0)
      await late.stop()
    }
  }, 60_000)
})
