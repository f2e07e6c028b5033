import { describe, expect, test } from 'bun:test'
import { createEventMetrics } from '../../../src/metrics/prometheus/events.ts'
import { createDistribution, type MetricFamily } from '../../../src/metrics/prometheus/families.ts'
import { expose } from '../../../src/metrics/prometheus/http.ts'
import { createReportMetrics, createStartMetrics } from '../../../src/metrics/prometheus/parts.ts'
import { createHttpMetrics } from '../../../src/metrics/prometheus/requests.ts'

const textOf = async (families: readonly MetricFamily[], accept = ''): Promise<string[]> =>
  (await expose(families, accept)).text.trim().split('\n')

const counter: MetricFamily = {
  name: 'footman_things_total',
  help: 'Things.',
  type: 'counter',
  labels: ['name'],
  samples: () => [{ labels: { name: 'a "b" \\ c\nd' }, value: 3 }],
}

describe('the text', () => {
  test('Prometheus 0.0.4', async () => {
    const { contentType, text } = await expose([counter], 'text/html, */*')
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text).toBe(
      '# HELP footman_things_total Things.\n# TYPE footman_things_total counter\nfootman_things_total{name="a \\"b\\" \\\\ c\\nd"} 3\n',
    )
  })

  test('OpenMetrics for those who ask for it, scrape after scrape', async () => {
    for (let scrape = 0; scrape < 2; scrape++) {
      const { contentType, text } = await expose(
        [counter],
        'application/openmetrics-text;version=1.0.0,text/plain;q=0.5',
      )
      expect(contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
      expect(text.split('\n')).toEqual([
        '# HELP footman_things Things.',
        '# TYPE footman_things counter',
        'footman_things_total{name="a \\"b\\" \\\\ c\\nd"} 3',
        '# EOF',
        '',
      ])
    }
  })
})

test('a distribution counts upwards, and a value on a bound belongs below it', () => {
  const distribution = createDistribution([0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) distribution.observe(value)
  expect(distribution.samples({ x: 'y' })).toEqual([
    { labels: { x: 'y', le: '0.1' }, value: 2, suffix: '_bucket' },
    { labels: { x: 'y', le: '1' }, value: 3, suffix: '_bucket' },
    { labels: { x: 'y', le: '+Inf' }, value: 4, suffix: '_bucket' },
    { labels: { x: 'y' }, value: 7.65, suffix: '_sum' },
    { labels: { x: 'y' }, value: 4, suffix: '_count' },
  ])
})

describe('answers of the API', () => {
  test('are counted by method, path and status, and timed', async () => {
    const { observer, families } = createHttpMetrics()
    observer.answered('GET', '/v4/butlerping', 200, 0.4)
    observer.answered('GET', '/v4/butlerping', 200, 3)
    observer.answered('GET', '/v4/butlerping', 429, 0.1)
    observer.answered('PUT', null, 404, 0.1)
    const lines = await textOf(families)
    expect(lines).toContain('footman_http_requests_total{method="GET",route="/v4/butlerping",status="200"} 2')
    expect(lines).toContain('footman_http_requests_total{method="GET",route="/v4/butlerping",status="429"} 1')
    expect(lines).toContain('footman_http_requests_total{method="PUT",route="none",status="404"} 1')
    const bucket = (le: string) =>
      `footman_http_request_duration_seconds_bucket{method="GET",route="/v4/butlerping",le="${le}"}`
    expect(lines).toContain(`${bucket('0.001')} 2`)
    expect(lines).toContain(`${bucket('0.005')} 3`)
    expect(lines).toContain(`${bucket('+Inf')} 3`)
    expect(lines).toContain('footman_http_request_duration_seconds_count{method="GET",route="/v4/butlerping"} 3')
  })

  test('methods that nobody knows share a series', async () => {
    const { observer, families } = createHttpMetrics()
    for (const method of ['BREW', 'M-SEARCH', 'other', 'x'.repeat(50)]) observer.answered(method, null, 404, 1)
    const lines = await textOf(families)
    expect(lines).toContain('footman_http_requests_total{method="other",route="none",status="404"} 4')
    expect(lines.filter((line) => line.startsWith('footman_http_requests_total'))).toHaveLength(1)
  })

  test('refusals of access control are there from the start', async () => {
    const { observer, families } = createHttpMetrics()
    observer.authFailed('expired')
    const lines = await textOf(families)
    expect(lines.filter((line) => line.startsWith('footman_auth_failures_total'))).toEqual([
      'footman_auth_failures_total{reason="missing"} 0',
      'footman_auth_failures_total{reason="invalid"} 0',
      'footman_auth_failures_total{reason="expired"} 1',
      'footman_auth_failures_total{reason="scope"} 0',
      'footman_auth_failures_total{reason="address"} 0',
      'footman_auth_failures_total{reason="browser"} 0',
    ])
  })
})

test('events and deliveries', async () => {
  const metrics = createEventMetrics({
    counters: () => ({ received: 12, dropped: { INVALID: 2, DUPLICATE: 1 } }),
    pendingEvents: () => 3,
    oldestPendingMs: () => 2500,
    deliveries: () => [{ destination: 'email', pending: 4, dead: 1 }],
    destinationsUp: () =>
      new Map([
        ['email', true],
        ['mqtt', false],
      ]),
  })
  const change = { destination: 'email', reason: null, latencyMs: 700 }
  metrics.onDelivery({ ...change, state: 'pending', result: 'retry' })
  metrics.onDelivery({ ...change, state: 'pending', result: null })
  metrics.onDelivery({ ...change, state: 'delivered', result: 'delivered' })
  metrics.onDelivery({ ...change, state: 'dead', reason: 'REJECTED', result: 'rejected' })
  metrics.onDelivery({ ...change, state: 'suppressed', reason: 'RATE_LIMITED', latencyMs: 1 })
  metrics.onRouted('webhook.reloadTaskFailure', 'failed')
  const event = { type: 'reload', outcome: 'failed', source: 'udp', receivedAt: 1000 }
  metrics.onEvent({ ...event, missingParts: [] }, 1400)
  metrics.onEvent({ ...event, missingParts: ['scriptLog'] }, 61_000)
  const lines = await textOf(metrics.families)
  expect(lines.filter((line) => !line.startsWith('#') && line !== '' && !line.includes('_bucket'))).toEqual([
    'footman_events_received_total{source="udp"} 12',
    'footman_events_dropped_total{reason="INVALID"} 2',
    'footman_events_dropped_total{reason="DUPLICATE"} 1',
    'footman_events_total{type="reload",outcome="failed",source="udp"} 2',
    'footman_events_pending 3',
    'footman_event_oldest_pending_seconds 2.5',
    'footman_enrichment_duration_seconds_sum{result="complete"} 0.4',
    'footman_enrichment_duration_seconds_count{result="complete"} 1',
    'footman_enrichment_duration_seconds_sum{result="degraded"} 60',
    'footman_enrichment_duration_seconds_count{result="degraded"} 1',
    'footman_alerts_routed_total{route="webhook.reloadTaskFailure",outcome="failed"} 1',
    'footman_deliveries_total{destination="email",state="delivered",reason=""} 1',
    'footman_deliveries_total{destination="email",state="dead",reason="REJECTED"} 1',
    'footman_deliveries_total{destination="email",state="suppressed",reason="RATE_LIMITED"} 1',
    'footman_deliveries_pending{destination="email"} 4',
    'footman_deliveries_dead{destination="email"} 1',
    'footman_destination_up{destination="email"} 1',
    'footman_destination_up{destination="mqtt"} 0',
    'footman_delivery_attempts_total{destination="email",result="temporary"} 1',
    'footman_delivery_attempts_total{destination="email",result="ok"} 1',
    'footman_delivery_attempts_total{destination="email",result="permanent"} 1',
    'footman_delivery_latency_seconds_sum{destination="email"} 0.7',
    'footman_delivery_latency_seconds_count{destination="email"} 1',
  ])
  expect(lines).toContain('footman_delivery_latency_seconds_bucket{destination="email",le="0.5"} 0')
  expect(lines).toContain('footman_delivery_latency_seconds_bucket{destination="email",le="1"} 1')
})

test('task starts, those of the queue when they leave it', async () => {
  const { onStart, families } = createStartMetrics(() => 2)
  const nobody = { taskIds: [], tags: [], customProperties: [] }
  onStart('rest', { started: [1, 2], failed: [1], notFound: ['x'], denied: { ...nobody, tags: ['a'] } })
  onStart('followUp', { started: [1], failed: [], notFound: [], denied: nobody })
  onStart('mqtt', null)
  const settled = [Promise.resolve({ executionId: null }), Promise.resolve({ error: 'no' })]
  const queued = settled.map((one) => ({ settled: one }))
  onStart('schedule', { started: [], failed: [], queued, notFound: [], denied: nobody })
  await Promise.all(settled)
  expect((await textOf(families)).filter((line) => !line.startsWith('#') && line !== '')).toEqual([
    'footman_task_starts_total{origin="rest",result="started"} 2',
    'footman_task_starts_total{origin="rest",result="failed"} 1',
    'footman_task_starts_total{origin="rest",result="not_found"} 1',
    'footman_task_starts_total{origin="rest",result="denied"} 1',
    'footman_task_starts_total{origin="follow_up",result="started"} 1',
    'footman_task_starts_total{origin="mqtt",result="error"} 1',
    'footman_task_starts_total{origin="schedule",result="started"} 1',
    'footman_task_starts_total{origin="schedule",result="failed"} 1',
    'footman_start_queue_length 2',
  ])
})

describe('runs of report tasks', () => {
  const counts = { mailsSent: 19, mailsFailed: 1, mailsHeld: 2 }
  const run = {
    outcome: 'warning',
    startedAt: 1_000_000,
    finishedAt: 1_014_838,
    counts,
  }

  test('are counted with their mails and documents', async () => {
    const { onReportFinished, families } = createReportMetrics({ queueLength: () => 2, engineSessions: () => 3 })
    const none = { mailsSent: 0, mailsFailed: 0, mailsHeld: 0 }
    onReportFinished({ run, formats: { pdf: 2, xlsx: 1 } })
    onReportFinished({ run: { ...run, outcome: 'success', counts: { ...counts, mailsHeld: 0 } }, formats: { pdf: 1 } })
    onReportFinished({ run: { ...run, outcome: 'skipped', startedAt: null, counts: none }, formats: {} })
    onReportFinished({ run: { ...run, outcome: 'skipped', startedAt: null, counts: null }, formats: {} })
    const lines = await textOf(families)
    expect(lines.filter((line) => !line.startsWith('#') && line !== '' && !line.includes('_bucket'))).toEqual([
      'footman_report_runs_total{outcome="warning"} 1',
      'footman_report_runs_total{outcome="success"} 1',
      'footman_report_runs_total{outcome="skipped"} 2',
      'footman_report_run_duration_seconds_sum 29.676',
      'footman_report_run_duration_seconds_count 2',
      'footman_report_documents_total{format="pdf"} 3',
      'footman_report_documents_total{format="xlsx"} 1',
      'footman_report_mails_total{state="sent"} 38',
      'footman_report_mails_total{state="failed"} 2',
      'footman_report_mails_total{state="held"} 2',
      'footman_report_queue_length 2',
      'footman_report_engine_sessions 3',
    ])
    const bounds = lines.flatMap((line) => /_bucket\{le="(.+)"\} (\d)/.exec(line)?.slice(1).join(' ') ?? [])
    expect(bounds).toEqual([
      '1 0',
      '5 0',
      '15 2',
      '30 2',
      '60 2',
      '120 2',
      '300 2',
      '600 2',
      '1200 2',
      '1800 2',
      '3600 2',
      '7200 2',
      '14400 2',
      '+Inf 2',
    ])
  })

  test('are not shown where report tasks are off', async () => {
    const lines = await textOf(createReportMetrics({ queueLength: () => null, engineSessions: () => null }).families)
    expect(lines.filter((line) => !line.startsWith('#') && line !== '')).toEqual([])
  })
})
