/** Against a real InfluxDB 1. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { taskPoint } from '../../../src/alerts/destinations/influxdb/point.ts'
import { lineOf } from '../../../src/metrics/influxdb/line.ts'
import { STOCKHOLM, scriptLog } from '../../support/alerts.ts'
import { EVENTS, influxConfig, sectionOf } from '../../support/influx-events.ts'
import { MONITOR_POINTS } from '../../support/influx-monitors.ts'
import { influxServer } from '../../support/influx-server.ts'
import { type Influxd, startInfluxd } from '../../support/influxd.ts'
import { findExecutable } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

const FOR_EVER = { name: 'keep', duration: 'INF' }
const timeout = 30_000

describe.skipIf(!findExecutable('influxd'))('InfluxDB 1', () => {
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

  describe('every query of the published dashboards', () => {
    const during = "time > '2023-01-01' AND time < '2027-01-01'"
    const prod = `"qs_env" = 'prod' AND ${during}`
    const rows = (query: string) => influxd.rows(query, 'dashboards')

    beforeAll(async () => {
      const { server, write } = connect('dashboards')
      await server.database.make()
      const tasks = Object.values(EVENTS).map((event) => ({
        point: taskPoint(event, sectionOf(event), STOCKHOLM),
        at: event.receivedAt,
      }))
      const monitors = Object.values(MONITOR_POINTS).map((point) => ({ point, at: point.time! }))
      const lines = [...tasks, ...monitors].map(({ point, at }) => server.lineOf(point, BigInt(at) * 1_000_000n)!)
      expect((await write(lines)).filter(({ outcome }) => outcome !== 'delivered')).toEqual([])
    }, timeout)

    const series = (field: string) =>
      `SELECT mean("${field}") FROM "butler_memory_usage" WHERE ${during} GROUP BY time(30m) fill(none)`
    const license = (field: string, type: string) =>
      `SELECT "${field}" FROM "qlik_sense_license" WHERE "license_type" = '${type}' AND ${prod}`

    test.each<[string, string, Record<string, unknown>]>([
      ['process memory', series('process_memory'), { mean: 142.33 }],
      ['heap total', series('heap_total'), { mean: 78.5 }],
      ['heap used', series('heap_used'), { mean: 61.42 }],
      ['external memory', series('external'), { mean: 21.07 }],
      ['professional licences', license('available', 'professional'), { available: 20 }],
      ['analyzer licences', license('available', 'analyzer'), { available: 60 }],
      [
        'used licences',
        `SELECT "allocated" FROM "qlik_sense_license" WHERE ${prod} GROUP BY "license_type"`,
        { license_type: 'analyzer', allocated: 40 },
      ],
      ['analyzer capacity', license('allocated_minutes', 'analyzer_capacity'), { allocated_minutes: 15000 }],
      [
        'used analyzer capacity',
        `SELECT "used_minutes" FROM "qlik_sense_license" WHERE ${prod}`,
        { used_minutes: 4210 },
      ],
      [
        'released licences, series',
        `SELECT count("days_since_last_use") FROM "qlik_sense_license_release" WHERE ${prod} GROUP BY time(1h), "license_type" fill(none)`,
        { license_type: 'professional', count: 1 },
      ],
      [
        'released licences, table',
        `SELECT "days_since_last_use" FROM "qlik_sense_license_release" WHERE ${prod} GROUP BY "license_type", "user" ORDER BY time DESC`,
        { days_since_last_use: 47, user: 'LAB\\anna' },
      ],
      [
        'version of Qlik Sense',
        `SELECT "release_label", "product_name", "version" FROM "qlik_sense_version" WHERE ${prod} ORDER BY time DESC LIMIT 1`,
        { release_label: 'February 2024 Patch 1', product_name: 'Qlik Sense', version: '14.173.4' },
      ],
      [
        'end of the licence',
        `SELECT last("expiry_date"), "days_until_expiry", "license_expired" FROM "qlik_sense_server_license" WHERE ${prod}`,
        { last: '2026-12-31', days_until_expiry: 303, license_expired: false },
      ],
      [
        'failed reloads',
        `SELECT "reload_log" FROM "reload_task_failed" WHERE ${prod} GROUP BY "app_name", "task_name", "task_executingNodeName", "task_id", "user" ORDER BY time DESC`,
        {
          reload_log: expect.stringContaining('(404) Not Found.'),
          task_executingNodeName: 'pro2-win2.lab.company.net',
          user: 'LAB/goran',
        },
      ],
      [
        'successful reloads',
        `SELECT "task_executionDuration_json" FROM "reload_task_success" WHERE ${prod} GROUP BY "app_name", "task_name", "task_executingNodeName", "task_id"`,
        { task_executionDuration_json: '{"hours":0,"minutes":0,"seconds":13}', app_name: 'Performance review' },
      ],
      [
        'successful reloads, further fields',
        `SELECT "task_executionDuration_sec", "task_executionDuration_min", "execution_id", "log_timestamp" FROM "reload_task_success" WHERE ${prod}`,
        {
          task_executionDuration_sec: 13,
          execution_id: '23461d23-840b-422b-a0a6-ea847693224e',
          log_timestamp: '2023-12-16 06:05:15,019',
        },
      ],
      [
        'reload times',
        `SELECT "task_executionDuration_sec" FROM "reload_task_success" WHERE ${prod}`,
        { task_executionDuration_sec: 13 },
      ],
      [
        'reloads per server',
        `SELECT count(distinct("execution_id")) FROM "reload_task_success" WHERE ${prod} GROUP BY "task_executingNodeName"`,
        { count: 1, task_executingNodeName: 'pro2-win1.lab.company.net' },
      ],
      [
        'reloads per app, by the misspelled tag',
        `SELECT count("log_message") FROM "reload_task_success" WHERE "task_exeuctionStatusText" = 'FinishedSuccess' AND ${prod} GROUP BY "app_name"`,
        { count: 1, app_name: 'Performance review' },
      ],
      [
        'reloads per app, by the right tag',
        `SELECT count("log_message") FROM "reload_task_success" WHERE "task_executionStatusText" = 'FinishedSuccess' AND ${prod} GROUP BY "app_name"`,
        { count: 1 },
      ],
      [
        'instances',
        `SELECT last("process_memory") FROM "butler_memory_usage" WHERE ${during} GROUP BY "version", "qs_env"`,
        { last: 142.33, version: '16.0.4', qs_env: 'prod' },
      ],
      [
        'Windows services',
        `SELECT last("state_num") FROM "win_service_state" WHERE ${during} GROUP BY "friendly_name"`,
        { last: 4, friendly_name: 'Scheduler' },
      ],
    ])('%s', async (_, query, row) => {
      expect((await rows(query))[0]).toMatchObject(row)
    })

    test('every number is a float', async () => {
      const types = await rows('SHOW FIELD KEYS')
      const strings =
        /_json$|^(log_|execution_id|scriptLog$|reload_log|state_text|startup_mode_text|expiry_date)|version|hash|sense_id|label|product|copyright|deployment/
      for (const { fieldKey, fieldType } of types) {
        const expected =
          fieldKey === 'license_expired' ? 'boolean' : strings.test(String(fieldKey)) ? 'string' : 'float'
        expect(`${fieldKey} ${fieldType}`).toBe(`${fieldKey} ${expected}`)
      }
      expect(types.length).toBeGreaterThan(90)
    })
  })
})
