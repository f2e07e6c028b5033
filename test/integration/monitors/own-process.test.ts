/** Heartbeat and uptime reports. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { butler } from '../../../src/app/schema.ts'
import { createHeartbeat } from '../../../src/monitors/heartbeat.ts'
import { createUptimeMonitor, uptimeText } from '../../../src/monitors/uptime.ts'
import { parseFrequency } from '../../../src/platform/frequency.ts'
import { createHttpClient, type HttpClient } from '../../../src/platform/http-client.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { type RecordingLog, recordingLog } from '../../support/recording-log.ts'

let sink: HttpSink
let http: HttpClient
let log: RecordingLog

beforeAll(async () => {
  sink = await startHttpSink()
  http = createHttpClient()
})
beforeEach(() => {
  log = recordingLog()
  sink.requests.length = 0
  sink.answer({})
})
afterAll(async () => {
  http.close()
  await sink.stop()
})

describe('heartbeat', () => {
  const { signal } = new AbortController()
  const beat = (own: object = {}, healthy = true) =>
    createHeartbeat(
      { http, log, isHealthy: () => healthy },
      { remoteURL: `${sink.url}/ping/secret-key`, requiresHealthy: false, ...own },
    )

  test('one GET; the log keeps the key of the address to itself', async () => {
    await beat()(signal)
    expect(sink.requests.map(({ method, url }) => [method, url])).toEqual([['GET', '/ping/secret-key']])
    expect(log.of('debug')).toEqual([`HEARTBEAT: Sent heartbeat to 127.0.0.1:${sink.port}`])
  })

  test('redirects are followed', async () => {
    sink.answerOnce({ status: 302, headers: { location: '/elsewhere' } })
    await beat()(signal)
    expect(sink.requests.map(({ url }) => url)).toEqual(['/ping/secret-key', '/elsewhere'])
    expect(log.of('error')).toEqual([])
  })

  test('refused, cut off, nobody there: one error line each', async () => {
    sink.answer({ status: 500 })
    await beat()(signal)
    sink.answer({ reset: true })
    await beat()(signal)
    await beat({ remoteURL: 'http://127.0.0.1:1/' })(signal)
    expect(log.of('error')).toHaveLength(3)
    expect(log.of('error')[0]).toBe('HEARTBEAT: Error sending heartbeat: answer 500')
  })

  test('somebody who never answers is waited for ten seconds at most, and not at all at the stop', async () => {
    sink.answer({ hang: true })
    const stopping = new AbortController()
    const waiting = beat()(stopping.signal)
    await sink.received(1)
    stopping.abort()
    await waiting
    expect(log.of('error')).toEqual([])
    const asked: unknown[] = []
    const recording: HttpClient = {
      request: async (request) => {
        asked.push(request.timeoutMs)
        throw new Error('no')
      },
      close: () => {},
    }
    await createHeartbeat(
      { http: recording, log, isHealthy: () => true },
      { remoteURL: sink.url, requiresHealthy: false },
    )(signal)
    expect(asked).toEqual([10_000])
  })

  test('none while a vital part is down, where that is asked for', async () => {
    await beat({ requiresHealthy: true }, false)(signal)
    expect(sink.requests).toEqual([])
    expect(log.of('warn')).toEqual(['HEARTBEAT: Not sent, because a vital part of Footman is down'])
    await beat({ requiresHealthy: false }, false)(signal)
    await beat({ requiresHealthy: true }, true)(signal)
    expect(sink.requests).toHaveLength(2)
  })
})

describe('uptime', () => {
  const MB = 1024 * 1024
  const memory = { heapUsed: 45.123 * MB, heapTotal: 60.5 * MB, external: 3.2 * MB, rss: 120.77 * MB }
  const START = Date.parse('2026-11-01T00:00:00.000Z')
  const NOW = START + 12 * 86_400_000 + 20 * 3_600_000 + 30 * 60_000 + 1000

  function monitor(own: object = {}, sent: string[] | null = null) {
    const { logLevel, frequency: text, storeNewRelic } = butler.parse({ uptimeMonitor: own }).uptimeMonitor
    const frequency = parseFrequency(text)
    if (!frequency.ok) throw new Error(frequency.error)
    return createUptimeMonitor(
      {
        clock: { now: () => NOW },
        log,
        memory: () => memory,
        startedAt: START,
        sendMetrics: sent && (async (body) => void sent.push(body)),
      },
      { logLevel, frequency: frequency.value, storeNewRelic, version: '1.2.3' },
    )
  }

  test('two lines at the level of the configuration', async () => {
    const report = monitor({ logLevel: 'info' })
    await report()
    expect(log.of('info')).toEqual([
      '--------------------------------',
      'Iteration # 1, Uptime: 12 days 20 hours 30 minutes 1 second, Heap used 45.12 MB of total heap 60.5 MB. External (off-heap): 3.2 MB. Memory allocated to process: 120.77 MB.',
    ])
    for (let i = 0; i < 1233; i++) await report()
    expect(log.of('info').at(-1)).toStartWith('Iteration # 1,234, Uptime: ')
  })

  test('New Relic gets bytes and milliseconds, under the names that dashboards know', async () => {
    const sent: string[] = []
    const gauge = (name: string, value: number) => ({ name, type: 'gauge', value })
    await monitor({ storeNewRelic: { attribute: { static: [{ name: 'service', value: 'butler' }] } } }, sent)()
    expect(JSON.parse(sent[0]!)).toEqual([
      {
        common: {
          timestamp: NOW,
          'interval.ms': 900_000,
          attributes: { metricType: 'butler-uptime', service: 'butler', version: '1.2.3' },
        },
        metrics: [
          gauge('qs_butlerHeapUsed', memory.heapUsed),
          gauge('qs_butlerHeapTotal', memory.heapTotal),
          gauge('qs_butlerExternalMem', memory.external),
          gauge('qs_butlerProcessMem', memory.rss),
          gauge('qs_butlerUptimeMillisec', NOW - START),
        ],
      },
    ])
  })

  test('each switch switches', async () => {
    const sent: string[] = []
    const off = { enable: false }
    const attribute = { dynamic: { butlerVersion: off } }
    await monitor({ storeNewRelic: { attribute, metric: { dynamic: { butlerMemoryUsage: off } } } }, sent)()
    const [{ common, metrics }] = JSON.parse(sent[0]!)
    expect(common.attributes).toEqual({ metricType: 'butler-uptime' })
    expect(metrics.map(({ name }: { name: string }) => name)).toEqual(['qs_butlerUptimeMillisec'])
    await monitor({ storeNewRelic: { metric: { dynamic: { butlerMemoryUsage: off, butlerUptime: off } } } }, sent)()
    expect(sent).toHaveLength(1)
  })

  test.each([
    ['2026-01-31T00:00:00Z', '2026-03-01T00:00:00Z', '1 month 1 day'],
    ['2024-02-29T12:00:00Z', '2025-03-01T12:00:05Z', '1 year 1 day 5 seconds'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.900Z', ''],
    ['2026-01-01T00:00:00Z', '2026-01-01T01:00:01Z', '1 hour 1 second'],
    ['2026-01-15T10:00:00Z', '2026-02-15T09:59:59Z', '30 days 23 hours 59 minutes 59 seconds'],
  ])('from %s to %s: %s', (from, to, text) => {
    expect(uptimeText(Date.parse(from), Date.parse(to))).toBe(text)
  })
})
