/** Tests of settings before they are stored: a destination against a real receiver, rules, calendars, windows and policies. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import type { CalendarDays, SettingTest, SettingTests } from '../../src/settings/contract.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const CANARY = 'c4n4ry-of-a-secret'
let sink: HttpSink
let site: TestSite
let running: Footman
const sender = createSocket('udp4')

beforeAll(async () => {
  sink = await startHttpSink()
  site = await startSite()
  running = await footman({
    simulator: site.simulator,
    env: { HOOK_URL: `${sink.url.replace('127.0.0.1', 'localhost')}/outside` },
    config: {
      footman: {
        watchConfig: false,
        timezone: 'UTC',
        settings: { allowHosts: ['127.0.0.1'] },
        destinations: {
          'of-file': { type: 'webhook', url: `${sink.url}/of-file` },
          'loopback-of-file': {
            type: 'webhook',
            url: `${sink.url.replace('127.0.0.1', 'localhost')}/loopback-of-file`,
          },
        },
        taskPolicies: [{ name: 'none', match: { task: 'no such task' }, retry: '1x/10s' }],
      },
    },
  })
  await running.start()
}, 60_000)
afterAll(async () => {
  sender.close()
  await running?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
  await sink?.stop()
})

interface Answer {
  readonly status: number
  readonly text: string
  readonly body: SettingTest & {
    readonly code?: string
    readonly issues?: readonly { readonly path: string; readonly message: string }[]
  }
}

async function tried(path: string, value?: unknown): Promise<Answer> {
  const response = await running.call('POST', `/v4/settings/${path}/test`, value === undefined ? {} : { value })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}
const webhook = (path: string, more: object = {}) => ({ type: 'webhook', url: `${sink.url}/${path}`, ...more })
const deliveries = () => running.rows<{ n: number }>('SELECT count(*) AS n FROM delivery')[0]?.n

describe('a destination', () => {
  test('whose address comes from the environment is refused when it is this machine, unlike one of the file', async () => {
    const { body } = await tried('destination/outside', { type: 'webhook', url: `\${env:HOOK_URL}` })
    expect(body).toMatchObject({
      attempts: [{ outcome: 'retry', detail: expect.stringContaining('allowHosts') }],
    })
    const { body: ofFile } = await tried('destination/loopback-of-file')
    expect(ofFile).toMatchObject({ attempts: [{ outcome: 'delivered' }] })
    expect(sink.requests.map(({ url }) => url)).toEqual(['/loopback-of-file'])
    sink.requests.length = 0
  })

  test('gets a marked test message, without outbox and without being stored', async () => {
    const { status, body } = await tried('destination/draft', webhook('draft'))
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { kind: 'destination', attempts: [{ outcome: 'delivered', status: 200, target: expect.any(String) }] },
    })
    const got = sink.requests.filter(({ url }) => url === '/draft')
    expect(got).toHaveLength(1)
    expect(JSON.parse(got[0]!.body)).toMatchObject({ kind: 'test', title: expect.stringMatching(/^\[TEST\] /) })
    expect(deliveries()).toBe(0)
    expect((await running.call('GET', '/v4/settings/destination/draft')).status).toBe(404)
  })

  test('of the file is tested as it stands there', async () => {
    expect((await tried('destination/of-file')).body).toMatchObject({ attempts: [{ outcome: 'delivered' }] })
    expect(sink.requests.filter(({ url }) => url === '/of-file')).toHaveLength(1)
    expect(await tried('destination/of-file', webhook('other'))).toMatchObject({
      status: 409,
      body: { code: 'FROM_FILE' },
    })
    expect(await tried('destination/unknown')).toMatchObject({ status: 404, body: { code: 'SETTING_NOT_FOUND' } })
  })

  test('that refuses, is slow, or down: the answer says so, after one attempt', async () => {
    sink.answerOnce({ status: 500, body: `broken: ${CANARY}` })
    const headers = { authorization: `Bearer ${CANARY}` }
    const refused = await tried('destination/refusing', webhook('refusing', { headers }))
    expect(refused.body).toMatchObject({ attempts: [{ outcome: 'retry', status: 500 }] })
    expect(refused.text).not.toContain(CANARY)
    expect(sink.requests.filter(({ url }) => url === '/refusing')).toHaveLength(1)

    sink.answerOnce({ hang: true })
    const slow = await tried('destination/slow', webhook('slow', { timeout: '1s' }))
    expect(slow.body).toMatchObject({ attempts: [{ outcome: 'retry', status: null }] })
    const [attempt] = slow.body.kind === 'destination' ? slow.body.attempts : []
    expect(attempt?.durationMs).toBeWithin(900, 10_000)

    await sink.down()
    const down = await tried('destination/down', webhook('down'))
    await sink.up()
    expect(down.body).toMatchObject({ attempts: [{ outcome: 'retry', status: null }] })
    expect(deliveries()).toBe(0)
  })

  test('a mask takes the stored secret, unless the address is another one', async () => {
    const headers = (authorization: string) => ({ headers: { authorization } })
    const stored = await running.call('PUT', '/v4/settings/destination/secret', {
      value: webhook('secret', headers(CANARY)),
    })
    expect(stored.status).toBe(201)
    for (const draft of [{ ...webhook(''), url: '********', ...headers('********') }, undefined]) {
      sink.requests.length = 0
      const { body, text } = await tried('destination/secret', draft)
      expect(body).toMatchObject({ attempts: [{ outcome: 'delivered' }] })
      expect(sink.requests.map(({ headers }) => headers.authorization)).toEqual([CANARY])
      expect(text).not.toContain(CANARY)
    }
    sink.requests.length = 0
    const moved = await tried('destination/secret', webhook('moved', headers('********')))
    expect(moved).toMatchObject({ status: 400, body: { issues: [{ path: 'value/url' }] } })
    const closed = await tried('destination/closed', { type: 'webhook', url: 'http://169.254.169.254/' })
    expect(closed).toMatchObject({ status: 400, body: { issues: [{ path: 'value/url' }] } })
    expect(sink.requests).toEqual([])
  })
})

/** Announces a reload that failed or was aborted, as the scheduler does. */
async function announce(n: number, outcome: 'failed' | 'aborted'): Promise<void> {
  const execution = `e9200000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const task = 'a8b4c123-def4-5678-9abc-def012345678'
  const app = 'a1000000-0000-4000-8000-000000000002'
  const fields = [`/scheduler-task-${outcome === 'failed' ? 'failed' : 'aborted'}/`, 'qs-central', 'Reload', 'Sales']
  const rest = ['INTERNAL\\sa_scheduler', task, app, '2026-03-02 07:00:00,000', 'ERROR', execution, 'It ended']
  const text = [...fields, ...rest].join(';')
  await new Promise<void>((done, failed) => {
    sender.send(text, running.udpPort, '127.0.0.1', (error) => (error ? failed(error) : done()))
  })
}

test('a rule: how many events of the week it fits, and the ten newest', async () => {
  for (let n = 1; n <= 14; n += 1) await announce(n, n <= 12 ? 'failed' : 'aborted')
  const routed = () => running.rows<{ n: number }>(`SELECT count(*) AS n FROM event WHERE state = 'routed'`)[0]?.n
  await until(() => routed() === 14, { timeout: 30_000, state: routed })
  const { status, body } = await tried('rule/failures', {
    match: { type: 'reload', outcome: 'failed' },
    to: ['of-file'],
  })
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { kind: 'rule', matched: 12, lookedAt: 14, partial: false },
  })
  const newest = body.kind === 'rule' ? body.newest : []
  expect(newest).toHaveLength(10)
  expect(new Set(newest.map(({ outcome }) => outcome))).toEqual(new Set(['failed']))
  expect(newest.map(({ at }) => at)).toEqual(
    newest
      .map(({ at }) => at)
      .toSorted()
      .reverse(),
  )
  const wrong = await tried('rule/failures', { match: { outcome: 'failed' }, to: ['nowhere'] })
  expect(wrong).toMatchObject({ status: 400, body: { issues: [{ path: expect.stringContaining('value/to') }] } })
})

test('a calendar and a window: their next days and periods', async () => {
  const days = await tried('calendar/year-end', { dates: ['2035-01-01', '2034-12-25', '2001-01-01'] })
  expect(days.body).toEqual({ kind: 'calendar', days: ['2034-12-25', '2035-01-01'], troubles: [] })
  const weekends = await tried('calendar/weekends', { days: ['sat', 'sun'] })
  expect(weekends.body.kind === 'calendar' && weekends.body.days).toHaveLength(12)
  const office = await tried('window/office', { days: ['mon-fri'], from: '08:00', to: '17:00' })
  const periods = office.body.kind === 'window' ? office.body.periods : []
  expect(periods).toHaveLength(12)
  expect(periods.every(({ from, to }) => from.endsWith('T08:00:00.000Z') && to.endsWith('T17:00:00.000Z'))).toBe(true)
  const once = await tried('window/once', { start: '2040-01-01T00:00:00Z', end: '2040-01-02T00:00:00Z' })
  expect(once.body).toEqual({
    kind: 'window',
    periods: [{ from: '2040-01-01T00:00:00.000Z', to: '2040-01-02T00:00:00.000Z' }],
    troubles: [],
  })
})

test('a policy: the tasks that it covers', async () => {
  const { name } = [...site.simulator.site.tasks.values()][0]!
  const same = [...site.simulator.site.tasks.values()].filter((task) => task.name === name).length
  const one = await tried('policy/one', { match: { task: name }, retry: '1x/10s' })
  expect(one).toMatchObject({ status: 200, body: { kind: 'policy', tasks: same, stale: false, first: [{ name }] } })
  const all = await tried('policy/all', { match: { task: '*' }, retry: '1x/10s' })
  const { tasks, lookedAt, first } = all.body.kind === 'policy' ? all.body : { tasks: 0, lookedAt: 0, first: [] }
  expect(lookedAt).toBe(site.simulator.site.tasks.size)
  expect(tasks).toBeWithin(1, lookedAt + 1)
  expect(first).toHaveLength(Math.min(20, tasks))
  expect(await tried('policy/none')).toMatchObject({ body: { kind: 'policy', tasks: 0 } })
})

test('those in use are tested together, as each of them is', async () => {
  const put = async (path: string, value: unknown) =>
    expect((await running.call('PUT', `/v4/settings/${path}`, { value })).status).toBe(201)
  await put('calendar/closing', { dates: ['2030-12-24', '2030-12-25'], days: 'sun' })
  await put('calendar/working', { days: 'mon-fri', except: 'closing' })
  await put('window/office', { days: 'mon-fri', from: '08:00', to: '17:00', notOn: 'closing' })
  await put('policy/all', { retry: '1x/10s' })
  const expected = { calendar: ['closing', 'working'], window: ['office'], policy: ['none', 'all'] }
  for (const [kind, names] of Object.entries(expected)) {
    const answer = await running.call('GET', `/v4/settings/tests?kind=${kind}`)
    const { tests } = (await answer.json()) as SettingTests
    expect(tests.map(({ name }) => name)).toEqual(names)
    for (const { name, found } of tests) expect((await tried(`${kind}/${name}`)).body).toEqual(found)
  }
  const year = await running.call('GET', '/v4/settings/calendar/working/days?year=2030')
  const { days } = (await year.json()) as CalendarDays
  const christmas = days.filter(({ day }) => day.startsWith('2030-12-2'))
  expect(christmas.map(({ day }) => day.slice(8))).toEqual(['20', '23', '26', '27'])
  expect(new Set(days.map(({ from }) => from))).toEqual(new Set(['weekday']))
  const closing = await running.call('GET', '/v4/settings/calendar/closing/days?year=2030')
  expect(((await closing.json()) as CalendarDays).days.filter(({ from }) => from === 'date')).toEqual([
    { day: '2030-12-24', from: 'date', name: null },
    { day: '2030-12-25', from: 'date', name: null },
  ])
  expect((await running.call('GET', '/v4/settings/calendar/gone/days')).status).toBe(404)
  expect((await running.call('GET', '/v4/settings/calendar/closing/days?year=12')).status).toBe(400)
  expect((await running.call('GET', '/v4/settings/tests?kind=rule')).status).toBe(400)
})

test('other kinds have no test', async () => {
  expect(await tried('switch/footman.timezone', 'UTC')).toMatchObject({
    status: 409,
    body: { code: 'SETTING_WITHOUT_TEST' },
  })
})

test('in shadow mode nothing is sent', async () => {
  await running.process.stop()
  await running.start(['--shadow'])
  sink.requests.length = 0
  expect(await tried('destination/of-file')).toMatchObject({ status: 409, body: { code: 'SHADOW_MODE' } })
  expect(sink.requests).toEqual([])
}, 60_000)
