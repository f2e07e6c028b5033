import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startHttpSink } from '../../support/http-sink.ts'
import { type DoubleSettings, influxDouble } from '../../support/influx-double.ts'
import { influxServer } from '../../support/influx-server.ts'
import { startVictoriaMetrics, type VictoriaMetrics } from '../../support/influxd.ts'
import { needs } from '../../support/servers.ts'

needs('victoria-metrics')

const TOKEN = 'my-v2-token/=+'
const AT = '1712899985120000000'

function connect(version: 2 | 3, port: number, written: object = {}) {
  const v2Config = { org: 'my org', bucket: 'qlik & co', token: TOKEN, ...written }
  const v3Config = { database: 'qlik & co', token: TOKEN, ...written }
  return influxServer({ hostPort: port, version, ...(version === 2 ? { v2Config } : { v3Config }) })
}

const double = (version: 2 | 3, more: Partial<DoubleSettings> = {}) => influxDouble({ version, token: TOKEN, ...more })

describe.each([2, 3] as const)('InfluxDB %i', (version) => {
  test('takes lines where its documentation says, short and compressed ones', async () => {
    await using influx = await double(version, { buckets: ['qlik & co'] })
    const { write } = connect(version, influx.port)
    const long = `m,t=a f="${'ä\\"\n'.repeat(1000)}" ${AT}`
    for (const line of [`m,t=a f=1 ${AT}`, long]) {
      expect(await write([line])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
    }
    expect(influx.lines).toEqual([`m,t=a f=1 ${AT}`, long])
    const target = version === 2 ? 'org=my%20org&bucket=qlik%20%26%20co' : 'bucket=qlik%20%26%20co'
    expect(influx.requests[0]).toBe(`POST /api/v2/write?${target}&precision=ns`)
  })

  test.each([
    ['10d', 864_000, '10d'],
    ['1d12h', 129_600, '1d12h'],
    ['INF', 0, undefined],
    ['0s', 0, undefined],
  ])('makes what is missing and keeps points for %s', async (retentionDuration, seconds, period) => {
    await using influx = await double(version)
    const { server, log } = connect(version, influx.port, { retentionDuration })
    expect(await server.database.make()).toBe(true)
    const retentionRules = seconds > 0 ? [{ type: 'expire', everySeconds: seconds }] : []
    const body =
      version === 2
        ? { orgID: '0123456789abcdef', name: 'qlik & co', description: 'Butler metrics', retentionRules }
        : { db: 'qlik & co', ...(period && { retention_period: period }) }
    expect(influx.made).toEqual([{ name: 'qlik & co', body }])
    expect(log.of('info')[0]).toMatch(/^CONFIG: Created new InfluxDB v/)
    expect(await server.database.make()).toBe(true)
    expect(influx.made).toHaveLength(1)
    expect(log.of('error')).toEqual([])
  })

  test('a time to keep points that is none is told, and they are kept for ever', async () => {
    await using influx = await double(version)
    const { server, log } = connect(version, influx.port, { retentionDuration: 'ten days' })
    expect(await server.database.make()).toBe(true)
    expect(log.of('warn').join()).toContain(`Butler.influxDb.v${version}Config.retentionDuration is no time like 10d`)
  })

  test('a token that may only write: an info line, and points are written', async () => {
    await using influx = await double(version, { mayManage: false, buckets: ['qlik & co'] })
    const { server, log, write } = connect(version, influx.port)
    expect(await server.database.make()).toBe(false)
    expect(log.lines.map(({ level }) => level)).toEqual(['info'])
    expect(log.of('info')[0]).toContain('must exist')
    expect(await write([`m f=1 ${AT}`])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
  })

  test('a wrong token: points wait for a person, one error line a minute without the token', async () => {
    await using influx = await double(version, { buckets: ['qlik & co'] })
    const { log, write } = connect(version, influx.port, { token: 'wrong-token' })
    const expected = { outcome: 'retry', detail: 'HTTP 401: unauthorized access', slow: true, peerDown: true } as const
    for (const _ of [1, 2, 3]) expect(await write([`m f=1 ${AT}`])).toEqual([expected])
    expect(log.of('error')).toEqual([expect.stringContaining('does not take them: HTTP 401: unauthorized access')])
    expect(JSON.stringify(log.lines)).not.toContain('wrong-token')
  })

  test('a refused line is found among a hundred and costs the others nothing', async () => {
    const problem = 'field type conflict on f'
    await using influx = await double(version, {
      buckets: ['qlik & co'],
      refuses: (line) => (line.startsWith('bad') ? problem : null),
    })
    const { write } = connect(version, influx.port)
    const lines = Array.from({ length: 100 }, (_, index) => `${index === 41 ? 'bad' : `m${index}`} f=1 ${AT}`)
    const results = await write(lines)
    expect(results.filter(({ outcome }) => outcome === 'delivered')).toHaveLength(99)
    expect(results[41]).toMatchObject({ outcome: 'rejected', detail: expect.stringContaining(problem) })
    expect(new Set(influx.lines)).toEqual(new Set(lines.filter((line) => !line.startsWith('bad'))))
  })

  test.each([429, 503])('busy (%i): again when it asks for it', async (status) => {
    const headers = { 'Retry-After': '7' }
    await using influx = await double(version, { buckets: ['qlik & co'], answers: [{ status, headers }] })
    const { write } = connect(version, influx.port)
    expect(await write([`m f=1 ${AT}`])).toEqual([
      { outcome: 'retry', detail: `HTTP ${status}`, retryAfterMs: 7000, peerDown: true },
    ])
    expect(await write([`m f=1 ${AT}`])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
  })

  test('too much at once is sent in parts', async () => {
    await using influx = await double(version, { buckets: ['qlik & co'], answers: [{ status: 413 }] })
    const { write } = connect(version, influx.port)
    const results = await write([`a f=1 ${AT}`, `b f=1 ${AT}`, `c f=1 ${AT}`])
    expect(results.every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect(influx.lines).toHaveLength(3)
  })
})

test('a database that takes no new tags gets the point without those from Qlik Sense', async () => {
  const refuses = (line: string) => (line.includes('taskTag_') ? 'cannot add a new tag: tag set is immutable' : null)
  await using influx = await double(3, { refuses })
  const { log, write } = connect(3, influx.port)
  const bare = `m,t=a f=1 ${AT}`
  const results = await write([{ line: `m,t=a,taskTag_x=true f=1 ${AT}`, bare: () => bare }, `m f=2 ${AT}`])
  expect(results.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
  expect(influx.lines).toContain(bare)
  expect(log.of('warn')[0]).toContain('Written without the tags from Qlik Sense')
})

test('a bucket that goes missing is made again by the next write', async () => {
  await using influx = await double(2)
  const { write } = connect(2, influx.port)
  expect(await write([`m f=1 ${AT}`])).toEqual([
    { outcome: 'retry', detail: 'bucket qlik & co of my org was missing and is there now' },
  ])
  expect(await write([`m f=1 ${AT}`])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
})

test('nothing is written between the making of a database of version 1 and that of its retention policy', async () => {
  await using influx = await startHttpSink()
  const DELAY = 200
  influx.answer(({ url }) => {
    if (url.startsWith('/write')) return { status: 204 }
    return { body: '{"results":[{}]}', delay: url.includes('retention') ? DELAY : 0 }
  })
  const { server, write } = influxServer({ hostPort: influx.port })
  const making = server.database.make()
  const isPolicy = ({ url }: { url: string }) => url.includes('retention')
  const [policy] = await influx.received(1, { match: isPolicy })
  await Promise.all([write([`m f=1 ${AT}`]), making])
  const points = influx.requests.find(({ url }) => url.startsWith('/write'))
  expect(points!.at - policy!.at).toBeGreaterThanOrEqual(DELAY - 20)
})

describe('a peer that is no InfluxDB', () => {
  test('says 200 with a web page: nothing counts as written', async () => {
    await using gateway = await startHttpSink()
    gateway.answer({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' })
    const { write } = influxServer({ hostPort: gateway.port })
    expect(await write([`m f=1 ${AT}`])).toEqual([
      { outcome: 'retry', detail: 'a web page answered instead of InfluxDB', slow: true, peerDown: true },
    ])
  })

  test('sends elsewhere: nothing is lost, a person is told', async () => {
    await using gateway = await startHttpSink()
    gateway.answer({ status: 308, headers: { location: 'https://elsewhere/' } })
    const { write, log } = influxServer({ hostPort: gateway.port })
    expect(await write([`m f=1 ${AT}`])).toEqual([{ outcome: 'retry', detail: 'HTTP 308', slow: true, peerDown: true }])
    expect(log.of('error')[0]).toContain('does not take them: HTTP 308')
  })

  test('accepts and never answers: cut off by whoever asks', async () => {
    await using silent = await startHttpSink()
    silent.answer({ hang: true })
    const { write } = influxServer({ hostPort: silent.port })
    const cut = new AbortController()
    const result = write([`m f=1 ${AT}`], cut.signal)
    await silent.received(1)
    cut.abort()
    expect((await result)[0]).toMatchObject({ outcome: 'retry' })
  })

  test('never answers within writeTimeout of version 3', async () => {
    await using silent = await startHttpSink()
    silent.answer({ hang: true })
    const { write } = connect(3, silent.port, { writeTimeout: 100 })
    expect((await write([`m f=1 ${AT}`]))[0]).toMatchObject({ outcome: 'retry', peerDown: true })
  })
})

test('an address with a path in front of InfluxDB', async () => {
  await using gateway = await startHttpSink()
  gateway.answer({ status: 204 })
  const { write } = influxServer({ hostIP: `http://127.0.0.1:${gateway.port}/base/`, hostPort: 1 })
  expect(await write([`m f=1 ${AT}`])).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
  expect(gateway.requests[0]!.url).toBe('/base/write?db=butler&precision=n')
  expect(gateway.requests[0]!.headers).not.toHaveProperty('authorization')
})

describe('VictoriaMetrics', () => {
  let victoria: VictoriaMetrics

  beforeAll(async () => {
    victoria = await startVictoriaMetrics()
  }, 60_000)

  afterAll(() => victoria.stop())

  test.each([
    [1, {}],
    [2, { v2Config: { org: 'o', bucket: 'qlik', token: 't' } }],
    [3, { v3Config: { database: 'qlik', token: 't' } }],
  ])(
    'takes the points of version %i',
    async (version, written) => {
      const { server, write } = influxServer({ hostPort: victoria.port, version, ...written })
      await server.database.make()
      const point = { measurement: `m${version}`, tags: { 'task tag': 'ä b' }, fields: { n: 2.5, text: 'not stored' } }
      const results = await write([server.lineOf(point, 1712899985120000000n)!])
      expect(results).toEqual([{ outcome: 'delivered', detail: 'HTTP 204' }])
      const [series] = await victoria.series(`m${version}_n`)
      expect(series).toMatchObject({ values: [2.5], timestamps: [1712899985120] })
      expect(series!.metric).toMatchObject({ qs_env: 'prod', 'task tag': 'ä b' })
    },
    30_000,
  )
})
