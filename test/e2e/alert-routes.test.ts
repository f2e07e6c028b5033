/** The six examples of the guide against real receivers: exactly the named destinations are called, as explained. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { connectAsync, type MqttClient } from 'mqtt'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const ETL = '70000000-0000-4000-8000-000000000001'
const BATCH = '71000000-0000-4000-8000-000000000002'
const WAIT = { timeout: 30_000 }
const DAY = 86_400_000
/** Working hours are over, whenever this runs: the window ended last year. */
const OFFICE = { start: '2025-03-03T07:00:00+01:00', end: '2025-03-03T18:00:00+01:00' }
const IN_OFFICE = '2025-03-03T12:00:00.000Z'
const isoDay = (ms: number) => new Date(ms).toISOString().slice(0, 10)

interface DeliveryRow {
  readonly destination: string
  readonly target: string
  readonly kind: string
  readonly state: string
  readonly reason: string | null
}

interface Explanation {
  readonly routes: readonly {
    readonly name: string
    readonly matched: boolean
    readonly because: string | null
    readonly deliveries: readonly {
      destination: string
      target: string
      wouldBe: string
      reason: string | null
      kind?: string
    }[]
  }[]
}

describe('the six examples of alert routes', () => {
  let site: TestSite
  let sink: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let services: TlsProxy
  let product: Footman
  let subscriber: MqttClient
  const files = tempDirectory()
  const topics: string[] = []

  beforeAll(async () => {
    ;[site, sink, mailbox, broker, services] = await Promise.all([
      startSite(),
      startHttpSink(),
      startSmtpSink(),
      startMosquitto(),
      startTlsProxy({ 'events.pagerduty.com': { status: 202, body: '{"status":"success"}' } }),
    ])
    sink.answer({ body: 'ok' })
    writeFileSync(files.join('ca.pem'), services.authority)
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    subscriber.on('message', (topic) => void topics.push(topic))
    await subscriber.subscribeAsync('qliksense/events/#', { qos: 1 })
    for (const task of [DASHBOARD, ETL, BATCH]) site.simulator.setTask(task, { durationMs: 100 })
    const now = Date.now()
    product = await footman({
      simulator: site.simulator,
      smtpPort: mailbox.port,
      mqttPort: broker.port,
      env: { HTTPS_PROXY: services.url },
      config: {
        // Only the mail server of Butler's section is used.
        emailNotification: {
          reloadTaskFailure: { enable: false },
          reloadTaskAborted: { enable: false },
          reloadTaskSuccess: { enable: false },
        },
        footman: {
          timezone: 'UTC',
          butlerRoutes: { disable: ['Topic', 'FullTopic'].map((topic) => `butler.mqttConfig.taskFailure${topic}`) },
          windows: { 'office-hours': OFFICE },
          calendars: { 'month-end': { dates: [-1, 0, 1].map((days) => isoDay(now + days * DAY)) } },
          destinations: {
            'ops-mail': { type: 'email', recipients: ['ops@acme.example'] },
            'owner-mail': { type: 'email', appOwner: true, recipientProperty: 'AlertMail' },
            'bi-teams': { type: 'teams', webhookURL: `${sink.url}/teams` },
            'dev-slack': { type: 'slack', webhookURL: `${sink.url}/slack`, channel: '#qlik-dev' },
            'on-call': {
              type: 'pagerduty',
              routingKey: '0123456789abcdef0123456789abcdef',
              caFile: files.join('ca.pem'),
            },
            phone: { type: 'ntfy', server: `${sink.url}/ntfy`, topic: 'acme-qlik-7f3k', token: 'token' },
            'jobs-topic': { type: 'mqtt', topic: 'qliksense/events/{{type}}/{{outcome}}' },
          },
          alertRoutes: [
            {
              name: 'finance-night',
              match: { outcome: ['failed', 'aborted'], stream: 'Finance' },
              except: { during: 'office-hours' },
              to: ['on-call'],
              severity: 'critical',
              fallback: ['phone', 'ops-mail'],
            },
            {
              name: 'owners',
              match: { type: 'reload', outcome: 'failed', consecutiveFailures: '=3' },
              to: ['owner-mail'],
              recovery: true,
              limit: 'none',
            },
            // The tasks of the simulated site have other tags than etl-*.
            { name: 'etl-chain', match: { taskTag: 'hourly-*' }, to: ['bi-teams'], group: 'chain', recovery: true },
            {
              name: 'other-tasks',
              match: { type: ['externalProgram', 'userSync'], outcome: ['failed', 'aborted'] },
              except: { task: 'Nightly FTP*', message: '/timed? ?out/' },
              to: ['dev-slack', { destination: 'ops-mail', priority: 'low' }],
              limit: '3/1h',
              limitPer: 'route',
            },
            {
              name: 'month-end-done',
              match: { outcome: 'success', taskProperty: { department: 'finance' }, during: { on: ['month-end'] } },
              to: ['ops-mail'],
              title: '{{taskName}} is ready ({{executionDuration.minutes}} min)',
            },
            { name: 'all-as-data', match: { outcome: '*' }, to: ['jobs-topic'], limit: 'none' },
          ],
        },
      },
    })
    await product.start()
  }, 60_000)

  afterAll(async () => {
    await subscriber?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop(), mailbox?.stop(), broker?.stop(), services?.stop()])
    files.remove()
  })

  let seen = 0

  /** Lets the task end like this; resolves with its event and what became of its deliveries. */
  async function end(task: string, outcome: 'fail' | 'success') {
    site.simulator.setTask(task, { outcome })
    site.simulator.runTask(task)
    const word = outcome === 'fail' ? 'failed' : 'success'
    const event = await until(
      () =>
        product.rows<{ seq: number; id: string }>(
          `SELECT seq, id FROM event WHERE seq > ${seen} AND task_id = '${task}' AND outcome = '${word}' AND state = 'routed'`,
        )[0],
      WAIT,
    )
    seen = event.seq
    const rows = () =>
      product.rows<DeliveryRow>(
        `SELECT destination, target, kind, state, reason FROM delivery WHERE event_id = '${event.id}' ORDER BY seq`,
      )
    await until(() => rows().every(({ state }) => state === 'delivered' || state === 'suppressed'), {
      ...WAIT,
      state: rows,
    })
    return { id: event.id, rows: rows() }
  }

  const explain = async (body: object) => {
    const answer = await product.call('POST', '/v4/alertroutes/explain', body)
    expect(answer.status).toBe(200)
    return (await answer.json()) as Explanation
  }

  const steps: readonly (readonly [string, string, 'fail' | 'success', readonly string[]])[] = [
    ['1 a finance reload fails at night', DASHBOARD, 'fail', ['on-call alert', 'jobs-topic alert']],
    ['2 once more, within five minutes', DASHBOARD, 'fail', ['on-call alert RATE_LIMITED', 'jobs-topic alert']],
    [
      '3 a third time in a row',
      DASHBOARD,
      'fail',
      ['on-call alert RATE_LIMITED', 'owner-mail alert', 'jobs-topic alert'],
    ],
    ['4 it works again', DASHBOARD, 'success', ['jobs-topic alert', 'on-call recovery', 'owner-mail recovery']],
    ['5 the root of a chain fails', ETL, 'fail', ['bi-teams alert', 'jobs-topic alert']],
    ['6 and again', ETL, 'fail', ['bi-teams alert GROUPED', 'jobs-topic alert']],
    ['7 and succeeds, on a month-end day', ETL, 'success', ['ops-mail alert', 'jobs-topic alert', 'bi-teams recovery']],
    ['8 an external program fails', BATCH, 'fail', ['dev-slack alert', 'ops-mail alert', 'jobs-topic alert']],
  ]
  test.each(steps)(
    '%s',
    async (_name, task, outcome, expected) => {
      const { id, rows } = await end(task, outcome)
      const done = rows.map(({ destination, kind, reason }) => [destination, kind, reason].filter(Boolean).join(' '))
      // Recoveries do not wait for what alerts show.
      expect(done.toSorted()).toEqual(expected.toSorted())
      const { routes } = await explain({ eventId: id })
      const predicted = routes.flatMap(({ deliveries }) => deliveries)
      expect(
        predicted
          .map(({ kind = 'alert', destination, target, reason }) => [destination, target, kind, reason].join())
          .sort(),
      ).toEqual(rows.map(({ kind, destination, target, reason }) => [destination, target, kind, reason].join()).sort())
    },
    60_000,
  )

  test('every receiver got what was meant for it', async () => {
    const pages = services.requests.map(
      ({ body }) => JSON.parse(body) as { event_action: string; payload?: { severity: string } },
    )
    expect(pages.map(({ event_action, payload }) => [event_action, payload?.severity])).toEqual([
      ['trigger', 'critical'],
      ['resolve', undefined],
    ])
    const cards = sink.requests.filter(({ url }) => url === '/teams')
    expect(cards).toHaveLength(2)
    expect(cards[0]!.body).toContain('Financial Dashboard Reload')
    expect(cards[0]!.body).toContain('Preload Sales Dashboard')
    expect(sink.requests.filter(({ url }) => url === '/slack')).toHaveLength(1)
    expect(sink.requests.filter(({ url }) => url.startsWith('/ntfy'))).toEqual([])
    expect(mailbox.mails.map(({ envelope }) => envelope.to)).toEqual([
      ['anna@acme.example'],
      ['anna@acme.example'],
      ['ops@acme.example'],
      ['ops@acme.example'],
    ])
    expect(mailbox.mails[2]!.parsed.subject).toMatch(/^Sales ETL hourly is ready \(\d+ min\)$/)
    expect(mailbox.mails[3]!.raw).toMatch(/^(X-Priority: 5|Importance: low)/im)
    await until(() => topics.filter((topic) => topic === 'qliksense/events/reload/failed').length === 5)
    expect(topics.filter((topic) => topic === 'qliksense/events/externalProgram/failed')).toHaveLength(1)
  }, 90_000)

  test('samples: office hours, the known nuisance, an unpublished app', async () => {
    const night = await explain({ sample: { type: 'reload', outcome: 'failed', taskId: DASHBOARD }, at: IN_OFFICE })
    expect(night.routes.find(({ name }) => name === 'finance-night')).toMatchObject({
      matched: false,
      because: 'an exception holds: during',
    })
    const nuisance = { type: 'externalProgram', outcome: 'failed', taskName: 'Nightly FTP fetch' }
    const matched = async (message: string) =>
      (await explain({ sample: { ...nuisance, message } })).routes.find(({ name }) => name === 'other-tasks')?.matched
    expect(await matched('Connection timed out')).toBe(false)
    expect(await matched('Disk full')).toBe(true)
    const etl = await explain({ sample: { type: 'reload', outcome: 'failed', taskName: 'Sales ETL hourly' } })
    expect(etl.routes.find(({ name }) => name === 'finance-night')?.because).toContain('stream is ')
  }, 90_000)

  test('the commands explain and list, with their exit codes', async () => {
    const run = async (...args: string[]) => {
      const url = `http://127.0.0.1:${product.restPort}`
      const { code, stdout } = await runToEnd([...args, '--url', url], { cwd: product.directory.path })
      return { code, text: stdout }
    }
    const fires = await run(
      'routes',
      'explain',
      '--type',
      'reload',
      '--outcome',
      'failed',
      '--task',
      'Financial Dashboard Reload',
    )
    expect(fires.code).toBe(0)
    expect(fires.text).toContain('finance-night matches')
    expect((await run('routes', 'explain', '--event', '019cad24-bb20-78e1-b80b-d70ae0784c78')).code).toBe(3)
    expect((await run('routes', 'explain')).code).toBe(1)
    const list = await run('routes', 'list')
    expect(list.text).toMatch(/^finance-night\s+footman\s+on-call$/m)
    expect((await run('snooze', 'set', '--for', '2h')).code).toBe(1)
    const set = await run(
      'snooze',
      'set',
      '--task',
      DASHBOARD,
      '--for',
      '2h',
      '--reason',
      'source database is being moved',
      '--json',
    )
    expect(set.code).toBe(0)
    const { id } = JSON.parse(set.text.slice(set.text.indexOf('{'))) as { id: string }
    expect((await run('snooze', 'list')).text).toContain(id.slice(0, 13))
    expect((await run('snooze', 'list', '--wide')).text).toContain(id)
    expect((await run('routes', 'explain', '--outcome', 'failed', '--task', DASHBOARD)).text).toContain('SNOOZED')
    expect((await run('snooze', 'lift', id)).code).toBe(0)
    expect((await run('snooze', 'lift', id)).code).toBe(3)
    expect((await run('snooze', 'set', '--name', 'Sales*', '--until-success')).code).toBe(1)
    const waiting = await run('snooze', 'set', '--task', DASHBOARD, '--until-success')
    expect(waiting.text).toContain('Snoozed until it succeeds, at the latest ')
    expect((await run('snooze', 'list')).text).toContain('until it succeeds')
    expect((await run('snooze', 'lift', waiting.text.trim().split(' ').at(-1)!)).code).toBe(0)
  }, 60_000)
})
