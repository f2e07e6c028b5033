import { describe, expect, test } from 'bun:test'
import { codes, diagnose } from '../../../support/doctor.ts'
import { startHttpSink } from '../../../support/http-sink.ts'
import { influxDouble } from '../../../support/influx-double.ts'
import { freeTcpPort } from '../../../support/ports.ts'

const only = ['influxdb']
const TOKEN = 'right-token'

const v2 = (port: number, changes: Record<string, unknown> = {}) => ({
  influxDb: {
    enable: true,
    hostIP: '127.0.0.1',
    hostPort: port,
    version: 2,
    v2Config: { org: 'my org', bucket: 'butler', token: TOKEN, ...changes },
  },
})
const v3 = (port: number, changes: Record<string, unknown> = {}) => ({
  influxDb: {
    enable: true,
    hostIP: '127.0.0.1',
    hostPort: port,
    version: 3,
    v3Config: { database: 'butler', token: TOKEN, ...changes },
  },
})
const v1 = (port: number) => ({
  influxDb: {
    enable: true,
    hostIP: '127.0.0.1',
    hostPort: port,
    version: 1,
    v1Config: { auth: { enable: true, username: 'footman', password: 'right-password' }, dbName: 'butler' },
  },
})

describe('InfluxDB 2', () => {
  test('with its bucket is in order', async () => {
    await using influx = await influxDouble({ version: 2, token: TOKEN, buckets: ['butler'] })
    const found = await diagnose(v2(influx.port), { only })
    expect([codes(found), found.code]).toEqual([['influxdb.ready'], 0])
    expect([influx.lines, influx.made]).toEqual([[], []])
  })
  test('a token that is refused, which is not shown', async () => {
    await using influx = await influxDouble({ version: 2, token: TOKEN, buckets: ['butler'] })
    const found = await diagnose(v2(influx.port, { token: 'wrong-token' }), { only })
    expect(found.code).toBe(3)
    expect(found.findings).toEqual([
      expect.objectContaining({
        code: 'influxdb.login',
        message: expect.stringContaining('the token is refused: HTTP 401'),
        fix: expect.stringContaining('Butler.influxDb.v2Config.token'),
      }),
    ])
    expect(found.text).not.toContain('wrong-token')
  })
  test('a bucket that is missing, and one that may not be looked for', async () => {
    await using influx = await influxDouble({ version: 2, token: TOKEN })
    expect(codes(await diagnose(v2(influx.port), { only }))).toEqual(['influxdb.database'])
    await using strict = await influxDouble({ version: 2, token: TOKEN, mayManage: false })
    expect(codes(await diagnose(v2(strict.port), { only }))).toEqual(['influxdb.not-listed'])
    expect(influx.made).toEqual([])
  })
})

describe('InfluxDB 3', () => {
  test('with and without its database', async () => {
    await using influx = await influxDouble({ version: 3, token: TOKEN, buckets: ['butler'] })
    expect(codes(await diagnose(v3(influx.port), { only }))).toEqual(['influxdb.ready'])
    expect(codes(await diagnose(v3(influx.port, { database: 'other' }), { only }))).toEqual(['influxdb.database'])
    expect(codes(await diagnose(v3(influx.port, { token: 'wrong' }), { only }))).toEqual(['influxdb.login'])
  })
})

describe('InfluxDB 1', () => {
  const databases = (names: readonly string[]) =>
    JSON.stringify({
      results: [{ series: [{ name: 'databases', columns: ['name'], values: names.map((one) => [one]) }] }],
    })

  test('with and without its database, and with a wrong login', async () => {
    await using influx = await startHttpSink()
    influx.answer({ body: databases(['_internal', 'butler']) })
    expect(codes(await diagnose(v1(influx.port), { only }))).toEqual(['influxdb.ready'])
    influx.answer({ body: databases(['_internal']) })
    expect(codes(await diagnose(v1(influx.port), { only }))).toEqual(['influxdb.database'])
    influx.answer({ status: 401, body: '{"error":"authorization failed"}' })
    const { findings } = await diagnose(v1(influx.port), { only })
    expect(findings).toEqual([
      expect.objectContaining({
        code: 'influxdb.login',
        message: 'the name and password are refused: HTTP 401 authorization failed',
      }),
    ])
    expect(influx.requests.every(({ method }) => method === 'GET')).toBe(true)
  })
})

describe('what is no InfluxDB', () => {
  test('nothing listens', async () => {
    const { findings } = await diagnose(v2(await freeTcpPort()), { only })
    expect(findings.map(({ code }) => code)).toEqual(['influxdb.refused'])
    expect(findings[0]!.fix).toContain('check that the server runs, Butler.influxDb.hostPort')
  })
  test('another server answers', async () => {
    await using web = await startHttpSink()
    web.answer({ body: '<html>' })
    expect(codes(await diagnose(v2(web.port), { only }))).toEqual(['influxdb.version'])
  })
})
