/** The metrics of an executable with everything switched on: promtool takes them, and they agree with the lists. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { METRIC_FAMILIES } from '../../scripts/lib/metric-list.ts'
import { alertSections } from '../support/alert-sections.ts'
import { dashboard, PROMETHEUS_VALUES, queriesOf } from '../support/dashboards.ts'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { influxConfig } from '../support/influx-events.ts'
import { type Influxd, startInfluxd } from '../support/influxd.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { metricsWarnings } from '../support/promtool.ts'
import { type Scrape, scrapeOf } from '../support/scrape.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

needs('mosquitto', 'influxd', 'prometheus', 'promtool')

interface EventItem {
  readonly type: string
  readonly outcome: string
  readonly source: string
  readonly state: string
}
interface DeliveryItem {
  readonly destination: string
  readonly state: string
  readonly reason: string | null
}
interface ExecutionItem {
  readonly executionId: string
  readonly taskId: string
  readonly taskType: string
  readonly outcome: string
  readonly runMs: number | null
  readonly queueMs: number | null
  readonly stoppedAt: string
}

const id = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`
const RELOAD = 'a8b4c123-def4-5678-9abc-def012345678'
const TASKS = [RELOAD, id(71, 1), id(72, 1), id(73, 1), id(74, 1)]
const ROUNDS = ['success', 'fail', 'success'] as const

let site: TestSite
let sink: HttpSink
let mailbox: SmtpSink
let broker: Mosquitto | null
let influxd: Influxd | null
let product: Footman
let startedAt = 0

beforeAll(async () => {
  ;[site, sink, mailbox, broker, influxd] = await Promise.all([
    startSite({ modes: { scheduler: { userSyncFailures: true } } }),
    startHttpSink(),
    startSmtpSink(),
    startMosquitto(),
    startInfluxd(),
  ])
  // Whatever goes to Teams is refused for good.
  sink.answer(({ url }) => (url === '/teams' ? { status: 400 } : { status: 202 }))
  product = await footman({
    simulator: site.simulator,
    smtpPort: mailbox.port,
    ...(broker && { mqttPort: broker.port }),
    config: {
      ...alertSections(sink.url),
      ...(influxd && { influxDb: { ...influxConfig().influxDb, hostPort: influxd.port } }),
      restServerEndpointsEnable: ALL_ENDPOINTS,
      fileCopyApprovedDirectories: [{ fromDirectory: 'qvd', toDirectory: 'archive' }],
      qlikSenseLicense: { serverLicenseMonitor: { enable: true }, licenseMonitor: { enable: true } },
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      footman: { dataDirectory: 'data', api: { rateLimitPerMinute: 0 }, distribute: { pollInterval: '1s' } },
    },
  })
  for (const directory of ['qvd', 'archive']) mkdirSync(product.directory.join(directory))
  writeFileSync(product.directory.join('qvd/sales.qvd'), 'rows\n')
  await product.start()
  startedAt = Date.now()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
  for (const outcome of ROUNDS) await runAll(outcome)
  await useApi()
  await until(async () => (await items<EventItem>('events', 'state=pending')).length === 0, { timeout: 30_000 })
  await until(async () => (await scrape()).sum('footman_license_days_remaining') !== 0, { timeout: 30_000 })
  await until(isSettled, { timeout: 30_000, what: 'all deliveries at their end' })
}, 120_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop(), mailbox?.stop(), broker?.stop(), influxd?.stop()])
})

/** Resolves when all tasks have run, and the history knows it. */
async function runAll(outcome: (typeof ROUNDS)[number]): Promise<void> {
  const ran = await Promise.all(
    TASKS.map((task) => {
      site.simulator.setTask(task, { outcome, durationMs: 100 })
      const ended = site.simulator.ended(task)
      site.simulator.runTask(task)
      return ended
    }),
  )
  const missing = async () => {
    const known = new Set((await recent()).map(({ executionId }) => executionId))
    return ran.filter((execution) => !known.has(execution.executionID))
  }
  await until(async () => (await missing()).length === 0, { timeout: 30_000, what: `the history of round ${outcome}` })
}

async function useApi(): Promise<void> {
  const calls = [
    ['POST', '/v4/keyvalues/ns', { key: 'k', value: 'v' }],
    ['GET', '/v4/keyvalues/ns?key=k'],
    ['PUT', '/v4/filecopy', { fromFile: 'qvd/sales.qvd', toFile: 'archive/sales.qvd' }],
    ['POST', `/v4/reloadtask/${id(70, 99)}/start`, []],
    ['PUT', '/v4/mqttpublishmessage', { topic: 'a/b', message: 'c' }],
    ['GET', '/v4/schedules'],
    ['GET', '/nowhere'],
  ] as const
  for (const [method, path, body] of calls) await (await product.call(method, path, body)).text()
}

/** All pages of a list. */
async function items<T>(list: 'events' | 'deliveries' | 'history', query = ''): Promise<T[]> {
  const all: T[] = []
  let cursor = ''
  do {
    const answer = await product.call('GET', `/v4/${list}?limit=50&${query}${cursor}`)
    expect(answer.status).toBe(200)
    const body = (await answer.json()) as Record<string, T[]> & { nextCursor: string | null }
    all.push(...(body[list === 'history' ? 'executions' : list] ?? []))
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
  } while (cursor !== '')
  return all
}

/** Without the last results that Footman took at its first start. */
const recent = async () =>
  (await items<ExecutionItem>('history')).filter(({ stoppedAt }) => Date.parse(stoppedAt) > startedAt)

const FINAL: readonly string[] = ['delivered', 'dead', 'suppressed']
const isSettled = async () =>
  (await items<DeliveryItem>('deliveries')).every(({ state }) => FINAL.includes(state)) &&
  (await scrape()).sum('footman_deliveries_pending') === 0

async function scrape(): Promise<Scrape> {
  return scrapeOf(await (await product.call('GET', '/metrics')).text())
}

/** How often each value occurs. */
function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values.toSorted()) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** Values of a metric by the values of its labels. */
const byLabels = (metrics: Scrape, name: string, labels: readonly string[]) =>
  Object.fromEntries(
    metrics
      .samples(name)
      .map((sample) => [labels.map((label) => sample.labels[label]).join(' '), sample.value] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

describe('promtool', () => {
  test('has nothing to say about the metrics', async () => {
    expect(metricsWarnings(await (await product.call('GET', '/metrics')).text())).toEqual([])
  })
})

describe('a Prometheus that scrapes', () => {
  let prometheus: Prometheus
  beforeAll(async () => {
    prometheus = await startPrometheus(product.restPort)
    await until(async () => (await prometheus.query('count_over_time(footman_build_info[1m])'))[0]! >= 3, {
      timeout: 30_000,
      what: 'three scrapes',
    })
  }, 60_000)
  afterAll(() => prometheus?.stop())

  test('answers every query of the dashboard', async () => {
    // Nothing of the kind is watched or has happened.
    const expected = [
      'Services',
      'Running and waiting',
      'Retries and finds of the watchdog',
      'Runs of schedules',
      'Runs of report tasks',
      'Time of report runs, 95 %',
      'Mails, documents and waiting runs of report tasks',
      ...(broker ? [] : ['MQTT brokers']),
      // A node of its own.
      'Part of each node',
      'Nodes, takeovers',
      'Database of the cluster',
      'Behind the leader, clock',
      'What waits',
      'Passed on, stored, taken over',
      'Time of ships, calls and reads, 95 %',
      'Alone, doubled, put back',
    ]
    const empty: string[] = []
    for (const { where, text } of queriesOf(dashboard('prometheus'), PROMETHEUS_VALUES)) {
      const values = await prometheus.query(text).catch((error: Error) => {
        throw new Error(`${where}: ${error.message}`)
      })
      if (values.length === 0) empty.push(where.replace(/, .$/, ''))
    }
    expect(empty.filter((title) => !expected.includes(title))).toEqual([])
  }, 90_000)
})

describe('the metrics', () => {
  test('have the labels and the type that the reference tells', async () => {
    const { types, all } = await scrape()
    const declared = new Map(METRIC_FAMILIES.map((family) => [family.name, family]))
    expect(Object.keys(types).toSorted()).toEqual([...declared.keys()].toSorted())
    for (const [name, type] of Object.entries(types)) expect([name, type]).toEqual([name, declared.get(name)!.type])
    const labels = new Map<string, Set<string>>()
    for (const { family, labels: own } of all) {
      const names = Object.keys(own).filter((label) => label !== 'le')
      labels.set(family, (labels.get(family) ?? new Set()).add(names.join(' ')))
    }
    for (const [name, sets] of labels) {
      expect([name, ...sets]).toEqual([name, declared.get(name)!.labels.join(' ')])
    }
  })

  test('hold no names of users, addresses or messages', async () => {
    const text = await (await product.call('GET', '/metrics')).text()
    for (const secret of ['sa_repository', 'sa_scheduler', 'ops@acme', sink.url, 'Max retries']) {
      expect(text).not.toContain(secret)
    }
  })

  test('count the events that the list shows', async () => {
    const events = await items<EventItem>('events', 'state=routed')
    expect(events.length).toBeGreaterThanOrEqual(TASKS.length * ROUNDS.length)
    const counted = byLabels(await scrape(), 'footman_events_total', ['type', 'outcome', 'source'])
    expect(counted).toEqual(tally(events.map(({ type, outcome, source }) => `${type} ${outcome} ${source}`)))
  })

  test('count the deliveries that the list shows', async () => {
    const deliveries = await items<DeliveryItem>('deliveries')
    const metrics = await scrape()
    const counted = byLabels(metrics, 'footman_deliveries_total', ['destination', 'state', 'reason'])
    expect(counted).toEqual(
      tally(deliveries.map(({ destination, state, reason }) => `${destination} ${state} ${reason ?? ''}`)),
    )
    expect(Object.keys(counted).some((key) => key.includes(' dead '))).toBe(true)
    const dead = deliveries.filter(({ state }) => state === 'dead').map(({ destination }) => destination)
    const shown = byLabels(metrics, 'footman_deliveries_dead', ['destination'])
    expect(Object.fromEntries(Object.entries(shown).filter(([, value]) => value > 0))).toEqual(tally(dead))
    expect(metrics.sum('footman_alerts_routed_total')).toBe(deliveries.length)
  })

  test('count the executions that the history shows, and their times', async () => {
    // Run times that Qlik Sense tells later than the message are added to both.
    const measured = (rows: readonly ExecutionItem[], key: 'runMs' | 'queueMs') =>
      tally(rows.filter((row) => row[key] !== null).map(({ taskType }) => taskType))
    await until(async () => (await recent()).every(({ runMs }) => runMs !== null), { timeout: 30_000 })
    const [rows, metrics] = [await recent(), await scrape()]
    expect(byLabels(metrics, 'footman_task_executions_total', ['type', 'outcome'])).toEqual(
      tally(rows.map(({ taskType, outcome }) => `${taskType} ${outcome}`)),
    )
    for (const [name, key] of [
      ['run', 'runMs'],
      ['queue', 'queueMs'],
    ] as const) {
      const family = `footman_task_${name}_duration_seconds`
      expect(byLabels(metrics, `${family}_count`, ['type'])).toEqual(measured(rows, key))
      const total = rows.reduce((sum, row) => sum + (row[key] ?? 0), 0) / 1000
      expect(metrics.sum(`${family}_sum`)).toBeCloseTo(total, 6)
    }
    const reload = rows.find(({ taskId }) => taskId === RELOAD)!
    const [last] = metrics
      .samples('footman_task_last_run_duration_seconds')
      .filter(({ labels }) => labels.task_id === RELOAD)
    expect(last?.value).toBe(reload.runMs! / 1000)
  }, 60_000)
})

test('percentiles are those of the listed rows', async () => {
  const rows = await items<ExecutionItem>('history', 'from=30d')
  for (const groupBy of ['task', 'type'] as const) {
    const answer = await product.call('GET', `/v4/history/summary?from=30d&limit=500&groupBy=${groupBy}`)
    const { summary } = (await answer.json()) as {
      summary: {
        key: string
        runs: number
        runMs: Record<string, number> | null
        queueMs: Record<string, number> | null
      }[]
    }
    const keyOf = (row: ExecutionItem) => (groupBy === 'task' ? row.taskId : row.taskType)
    expect(summary.map(({ key }) => key).toSorted()).toEqual([...new Set(rows.map(keyOf))].toSorted())
    for (const { key, runs, runMs, queueMs } of summary) {
      const own = rows.filter((row) => keyOf(row) === key)
      expect([key, runs, runMs]).toEqual([
        key,
        own.length,
        spread(
          own.flatMap((row) => row.runMs ?? []),
          true,
        ),
      ])
      expect([key, queueMs]).toEqual([
        key,
        spread(
          own.flatMap((row) => row.queueMs ?? []),
          false,
        ),
      ])
    }
  }
})

/** Nearest rank: the value at the place that is so many per cent of the way, rounded up. */
function spread(values: readonly number[], whole: boolean): Record<string, number> | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const rank = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1]!
  const common = { p50: rank(50), p95: rank(95), max: sorted.at(-1)! }
  return whole ? { ...common, min: sorted[0]!, total: sorted.reduce((sum, ms) => sum + ms, 0) } : common
}
