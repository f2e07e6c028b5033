/** Metrics of the executable: what really happened is what they say. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

let site: TestSite
let webhooks: HttpSink
let product: Footman

beforeAll(async () => {
  ;[site, webhooks] = await Promise.all([startSite(), startHttpSink()])
  product = await footman({
    simulator: site.simulator,
    webhookUrl: webhooks.url,
    config: { restServerEndpointsEnable: { keyValueStore: true } },
  })
  await product.start()
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await Promise.all([site?.[Symbol.asyncDispose](), webhooks?.stop()])
})

async function scrape(): Promise<string[]> {
  const answer = await product.call('GET', '/metrics')
  expect(answer.status).toBe(200)
  return (await answer.text()).split('\n')
}

test('a failed task is an event and a delivery that was refused once', async () => {
  webhooks.answerOnce({ status: 503, headers: { 'retry-after': '1' } })
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
  site.simulator.runTask(TASK)
  await webhooks.received(2, { timeout: 20_000 })
  const delivered = 'footman_deliveries_total{destination="webhook",state="delivered",reason=""} 1'
  await until(async () => (await scrape()).includes(delivered), { what: 'the delivery to be counted', timeout: 5000 })
  const lines = await scrape()
  for (const line of [
    'footman_events_total{type="reload",outcome="failed",source="udp"} 1',
    'footman_events_pending 0',
    'footman_delivery_attempts_total{destination="webhook",result="temporary"} 1',
    'footman_delivery_attempts_total{destination="webhook",result="ok"} 1',
    'footman_delivery_latency_seconds_count{destination="webhook"} 1',
    'footman_destination_up{destination="webhook"} 1',
    'footman_qrs_up 1',
    'footman_event_oldest_pending_seconds 0',
    'footman_enrichment_duration_seconds_count{result="complete"} 1',
    'footman_alerts_routed_total{route="butler.webhookNotification.reloadTaskFailure",outcome="failed"} 1',
  ]) {
    expect(lines).toContain(line)
  }
  const received = lines.find((line) => line.startsWith('footman_events_received_total{source="udp"}'))
  expect(Number(received?.split(' ')[1])).toBeGreaterThan(0)
}, 60_000)

test('the process is measured', async () => {
  const lines = await scrape()
  const measured = (name: string) => Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1])
  expect(measured('process_resident_memory_bytes')).toBeGreaterThan(20e6)
  expect(measured('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(Math.abs(measured('process_start_time_seconds') - Date.now() / 1000)).toBeLessThan(120)
  expect(lines.join('\n')).toMatch(
    /^footman_build_info\{version="[^"]+",runtime="bun [^"]+",os="\w+",role="primary"\} 1$/m,
  )
  // Without MQTT there is nothing to say about it.
  expect(lines.some((line) => line.startsWith('footman_mqtt_connected{'))).toBe(false)
})

const measuredAs = (lines: readonly string[], series: string): number =>
  Number(
    lines
      .find((line) => line.startsWith(`${series} `))
      ?.split(' ')
      .at(-1),
  )

test('starts, requests to QRS and key-value pairs are counted', async () => {
  await product.call('POST', `/v4/reloadtask/${TASK}/start`, {})
  await product.call('POST', '/v4/reloadtask/11111111-2222-3333-4444-555555555555/start', {})
  await product.call('POST', '/v4/keyvalues/ns', { key: 'k', value: 'v' })
  await product.call('GET', '/v4/keyvalues/ns?key=k')
  await product.call('DELETE', '/v4/keyvalues/ns/k')
  await product.call('POST', '/v4/keyvalues/ns', { key: 'short', value: 'v', ttl: 1 })
  await product.call('POST', '/v4/keyvalues/ns', { key: 'k2', value: 'v' })
  const lines = await scrape()
  for (const line of [
    'footman_task_starts_total{origin="rest",result="started"} 1',
    'footman_task_starts_total{origin="rest",result="not_found"} 1',
    'footman_start_queue_length 0',
    'footman_kv_namespaces 1',
    'footman_kv_keys 1',
    'footman_kv_operations_total{operation="set"} 3',
    'footman_kv_operations_total{operation="get"} 1',
    'footman_kv_operations_total{operation="delete"} 1',
    'footman_streams 0',
  ]) {
    expect(lines).toContain(line)
  }
  const asked = measuredAs(lines, 'footman_qrs_requests_total{result="ok"}')
  expect(asked).toBeGreaterThan(2)
  expect(measuredAs(lines, 'footman_qrs_request_duration_seconds_count')).toBeGreaterThanOrEqual(asked)
}, 90_000)

test('an open stream is counted', async () => {
  const leave = new AbortController()
  const url = `http://127.0.0.1:${product.restPort}/v4/keyvalues/ns/watch`
  const answer = await fetch(url, { signal: leave.signal })
  await answer.body!.getReader().read()
  expect(await scrape()).toContain('footman_streams 1')
  leave.abort()
  await until(async () => (await scrape()).includes('footman_streams 0'), { what: 'the stream to end' })
})

test('certificates, databases and the disk', async () => {
  const lines = await scrape()
  const now = Date.now() / 1000
  expect(measuredAs(lines, 'footman_certificate_expiry_timestamp_seconds{certificate="qlik"}')).toBeGreaterThan(now)
  expect(measuredAs(lines, 'footman_database_size_bytes')).toBeGreaterThan(50_000)
  expect(measuredAs(lines, 'footman_disk_free_bytes')).toBeGreaterThan(1_000_000)
})

test('every metric has a help and a type, and each series is there once', async () => {
  const lines = (await scrape()).filter((line) => line !== '')
  const series = lines.filter((line) => !line.startsWith('#')).map((line) => line.replace(/ \S+$/, ''))
  expect(new Set(series).size).toBe(series.length)
  for (const line of series) {
    const name = line.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, '')
    const known = [name, line.replace(/\{.*/, '')].some((one) =>
      lines.some((text) => text.startsWith(`# TYPE ${one} `)),
    )
    expect(known, line).toBe(true)
  }
})
