/** The scheduler of the executable: Butler's calls with their exact answers, its file, its runs. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { rawBytes } from '../support/raw-http.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const EVERY_2 = '2f7a6c38-46df-416d-83de-44bdea5cedaa'
const MANUAL = 'Manually-added-schedule-1'

const FILE = `# Schedules of the sales team.
butlerSchedule:
  # Runs all day.
  - name: Every 2 hours
    cronSchedule: 0 */2 * * *
    timezone: Europe/London
    qlikSenseTaskId: ${TASK} # Financial Dashboard Reload
    startupState: started
    tags:
      - sales ETL
    id: ${EVERY_2}
    created: '2020-09-29T17:14:35.154Z'
    lastKnownState: started
    owner: anna

  - name: Weekdays 06-18, on the hour and half past
    cronSchedule: 0,30 6-18 * * 1-5
    timezone: Europe/Paris
    qlikSenseTaskId: ${TASK}
    startupState: stopped
    id: ${MANUAL}
`

const NEW = {
  timezone: 'Europe/Stockholm',
  tags: ['tag 1', 'abc 123 åäö'],
  qlikSenseTaskId: TASK,
  name: 'Every year',
  cronSchedule: '0 0 1 0 *',
  startupState: 'started',
}

let site: TestSite
beforeAll(async () => {
  site = await startSite()
}, 90_000)
afterAll(() => site[Symbol.asyncDispose]())

interface Entry {
  readonly id: string
  readonly name: string
  readonly cronSchedule: string
  readonly timezone: string
  readonly qlikSenseTaskId: string
  readonly startupState: string
  readonly created?: string
  readonly lastKnownState?: string
  readonly nextRun?: string
  readonly lastRun?: string
  readonly lastResult?: string
  readonly state?: string
  readonly text?: string
  readonly revision?: string
}

interface RunView {
  readonly runId: string
  readonly dueAt: string
  readonly state: string
  readonly outcome: string | null
  readonly tasks: readonly {
    readonly taskId: string
    readonly executionId: string | null
    readonly outcome: string | null
  }[]
}

/** Members of any answer, for tests that read some of them. */
type Body = readonly Entry[] &
  Entry & {
    readonly code: string
    readonly message: string
    readonly details: string
    readonly text: string
    readonly next: readonly string[]
    readonly runId: string
    readonly runs: readonly RunView[]
    readonly skipped: readonly unknown[]
    readonly strips: unknown
    readonly entries: readonly { readonly source: string; readonly at: string }[]
    readonly load: readonly unknown[]
    readonly audit: readonly unknown[]
  }

/** The entries of a schedule file. */
const entriesOf = (text: string): readonly Entry[] =>
  (parse(text) as { readonly butlerSchedule: readonly Entry[] }).butlerSchedule

interface Scheduled extends Footman {
  readonly file: string
  text(): string
  json(method: string, path: string, body?: unknown): Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly text: string
  readonly body: Body
  /** The same as `body`, for comparisons with a whole answer; null when it is not JSON. */
  readonly json: unknown
}

async function scheduled(file: string | null, config: Record<string, unknown> = {}, start = true): Promise<Scheduled> {
  const product = await footman({
    simulator: site.simulator,
    config: {
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      restServerEndpointsEnable: ALL_ENDPOINTS,
      ...config,
    },
  })
  site.simulator.reset()
  const path = product.directory.join('schedule.yaml')
  if (file !== null) writeFileSync(path, file)
  if (start) await product.start()
  return Object.assign(product, {
    file: path,
    text: () => readFileSync(path, 'utf8'),
    async json(method: string, url: string, body?: unknown) {
      const answer = await product.call(method, url, body)
      const text = await answer.text()
      const type = answer.headers.get('content-type')
      const json: unknown = type?.includes('json') ? JSON.parse(text) : null
      return { status: answer.status, type, text, json, body: json as Body }
    },
  })
}

const E1 = (message: string) => ({ statusCode: 400, error: 'Bad Request', message })
const logOf = ({ process }: Footman): string => [...process.stdout, ...process.stderr].join('\n')
const JSON_TYPE = 'application/json; charset=utf-8'

describe("Butler's calls that change nothing", () => {
  let product: Scheduled
  beforeAll(async () => {
    product = await scheduled(FILE)
  }, 90_000)
  afterAll(() => product[Symbol.asyncDispose]())

  test('the list has nine members in their order, then the run fields', async () => {
    const { status, type, body } = await product.json('GET', '/v4/schedules')
    expect([status, type]).toEqual([200, JSON_TYPE])
    const [first, second] = body
    expect(Object.keys(first!)).toEqual([
      'id',
      'created',
      'name',
      'cronSchedule',
      'timezone',
      'qlikSenseTaskId',
      'startupState',
      'tags',
      'lastKnownState',
      'nextRun',
      'state',
      'text',
      'revision',
    ])
    const { nextRun, state, text, revision, ...known } = first!
    expect([state, text]).toEqual(['running', 'minute 0 of every 2 hours (Europe/London)'])
    expect(revision).toMatch(/^[0-9a-f]{12}$/)
    expect(JSON.stringify(known)).toBe(
      `{"id":"${EVERY_2}","created":"2020-09-29T17:14:35.154Z","name":"Every 2 hours","cronSchedule":"0 */2 * * *","timezone":"Europe/London","qlikSenseTaskId":"${TASK}","startupState":"started","tags":["sales ETL"],"lastKnownState":"started"}`,
    )
    expect(new Date(String(nextRun)).getUTCMinutes()).toBe(0)
    // It is stopped, and has no tags and no creation time.
    expect(second).toEqual({
      id: MANUAL,
      name: 'Weekdays 06-18, on the hour and half past',
      cronSchedule: '0,30 6-18 * * 1-5',
      timezone: 'Europe/Paris',
      qlikSenseTaskId: TASK,
      startupState: 'stopped',
      state: 'stopped',
      text: expect.any(String),
      revision: expect.any(String),
    })
  })

  test('one schedule is a list of one, with members that nobody knows; another is not found', async () => {
    const { status, type, body, json } = await product.json('GET', `/v4/schedules?id=${EVERY_2}`)
    expect([status, type]).toEqual([200, JSON_TYPE])
    expect(json).toEqual([expect.objectContaining({ id: EVERY_2, owner: 'anna' })])
    expect(Object.keys(body[0]!)[0]).toBe('name')
    for (const id of ['nope', '']) {
      const missing = await product.json('GET', `/v4/schedules?id=${id}`)
      expect([missing.status, missing.json]).toEqual([400, E1(`REST SCHEDULER: Schedule ID ${id} not found.`)])
    }
  })

  const E2 = (message: string) => ({ statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message })
  const without = (name: string) => Object.fromEntries(Object.entries(NEW).filter(([key]) => key !== name))

  test.each<[string, unknown, object]>([
    ['nothing', {}, E2("body must have required property 'name'")],
    ['no cron', without('cronSchedule'), E2("body must have required property 'cronSchedule'")],
    ['no zone', without('timezone'), E2("body must have required property 'timezone'")],
    ['no task', without('qlikSenseTaskId'), E2("body must have required property 'qlikSenseTaskId'")],
    ['no state', without('startupState'), E2("body must have required property 'startupState'")],
    [
      'another state',
      { ...NEW, startupState: 'Started' },
      E2('body/startupState must be equal to one of the allowed values'),
    ],
    ['no object', [], E2('body must be object')],
    [
      'a bad cron text',
      { ...NEW, cronSchedule: '0 0 1 12 *' },
      {
        ...E1('Invalid cronSchedule: month 12 is out of range, months are 0-11 (0 = January); use jan-dec'),
        details: '0 0 1 12 *\n      ^^ month 12 is out of range, months are 0-11 (0 = January); use jan-dec',
      },
    ],
    ['a zone that is none', { ...NEW, timezone: 'Mars/Base' }, E1('Invalid timezone: Mars/Base')],
    ['a task id that is none', { ...NEW, qlikSenseTaskId: 'abc' }, E1('Invalid qlikSenseTaskId: abc')],
    ['nothing to start', { ...NEW, qlikSenseTaskId: '' }, E1('Invalid qlikSenseTaskId: ')],
    ['an unknown calendar', { ...NEW, notOn: ['feasts'] }, E1('Invalid notOn: there is no calendar "feasts"')],
    [
      'an unknown webhook',
      { ...NEW, action: { type: 'webhook', destination: 'hook' } },
      E1('Invalid action: there is no webhook "hook" in Butler.footman.destinations'),
    ],
    [
      'a body with JavaScript',
      { ...NEW, action: { type: 'webhook', destination: 'hook', body: '<%= process.env.PATH %>' } },
      E1('Invalid action: body must not hold <% (a template with JavaScript): use {{...}}'),
    ],
  ])('%s is refused, and nothing is stored', async (_name, body, expected) => {
    const answer = await product.json('POST', '/v4/schedules', body)
    expect([answer.status, answer.json]).toEqual([400, expected])
    expect(product.text()).toBe(FILE)
  })

  test.each([
    ['PUT', '/v4/schedules/nope/start', 'REST SCHEDULER: Failed starting schedule ID nope.'],
    ['PUT', '/v4/schedules/nope/stop', 'REST SCHEDULER: Failed stopping schedule ID nope.'],
    ['PUT', '/v4/schedules/nope', 'REST SCHEDULER: Schedule ID nope not found.'],
    ['DELETE', '/v4/schedules/nope', 'REST SCHEDULER: Delete for schedule ID nope failed.'],
  ])('%s %s: not found', async (method, path, message) => {
    const answer = await product.json(method, path, method === 'DELETE' ? undefined : {})
    expect([answer.status, answer.json]).toEqual([400, E1(message)])
  })

  test('the status is text: a line per schedule, each ending with a blank', async () => {
    const { status, type, text } = await product.json('GET', '/v4/schedules/status')
    expect([status, type]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(text).toBe(
      `{\n'${EVERY_2}': 0 */2 * * * status: Running \n'${MANUAL}': 0,30 6-18 * * 1-5 status: Stopped \n}`,
    )
  })

  test('an empty id is no call', async () => {
    const answer = await product.json('PUT', '/v4/schedules//start')
    expect([answer.status, answer.json]).toEqual([
      404,
      { message: 'Route PUT:/v4/schedules//start not found', error: 'Not Found', statusCode: 404 },
    ])
  })
})

describe("Butler's calls", () => {
  let product: Scheduled
  beforeEach(async () => {
    product = await scheduled(FILE)
  }, 90_000)
  afterEach(() => product[Symbol.asyncDispose]())

  test('a new one is answered with the members of the request in their order, then id, created and state', async () => {
    const { status, type, text, body } = await product.json('POST', '/v4/schedules', { ...NEW, id: 'mine', note: 7 })
    expect([status, type]).toEqual([201, JSON_TYPE])
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(text).toBe(
      `{"timezone":"Europe/Stockholm","tags":["tag 1","abc 123 åäö"],"qlikSenseTaskId":"${TASK}","name":"Every year","cronSchedule":"0 0 1 0 *","startupState":"started","note":7,"id":"${body.id}","created":"${body.created}","lastKnownState":"started"}`,
    )
    expect(Date.now() - Date.parse(body.created!)).toBeLessThan(60_000)
    expect(product.text()).toBe(
      `${FILE}  - timezone: Europe/Stockholm
    tags:
      - tag 1
      - abc 123 åäö
    qlikSenseTaskId: ${TASK}
    name: Every year
    cronSchedule: 0 0 1 0 *
    startupState: started
    note: 7
    id: ${body.id}
    created: '${body.created}'
    lastKnownState: started
`,
    )
  })

  test('start and stop answer a list of one, change the state in the file and nothing else', async () => {
    const started = await product.json('PUT', `/v4/schedules/${MANUAL}/start`)
    expect([started.status, started.type]).toEqual([200, JSON_TYPE])
    expect(started.text).toBe(
      `[{"name":"Weekdays 06-18, on the hour and half past","cronSchedule":"0,30 6-18 * * 1-5","timezone":"Europe/Paris","qlikSenseTaskId":"${TASK}","startupState":"stopped","id":"${MANUAL}","lastKnownState":"started"}]`,
    )
    expect(product.text()).toBe(`${FILE}    lastKnownState: started\n`)
    // Once more makes no difference.
    expect((await product.json('PUT', `/v4/schedules/${MANUAL}/start`)).text).toBe(started.text)
    const stopped = await product.json('PUT', `/v4/schedules/${EVERY_2}/stop`)
    expect(stopped.json).toEqual([
      expect.objectContaining({ id: EVERY_2, startupState: 'started', lastKnownState: 'stopped' }),
    ])
    expect(product.text()).toBe(
      `${FILE.replace('lastKnownState: started', 'lastKnownState: stopped')}    lastKnownState: started\n`,
    )
    expect((await product.json('GET', '/v4/schedules/status')).text).toBe(
      `{\n'${EVERY_2}': 0 */2 * * * status: Stopped \n'${MANUAL}': 0,30 6-18 * * 1-5 status: Running \n}`,
    )
  })

  test('all are stopped and started, or those of the body; an unknown one changes nothing', async () => {
    const stopped = await product.json('PUT', '/v4/schedules/stopall')
    expect([stopped.status, stopped.type]).toEqual([200, JSON_TYPE])
    expect(stopped.body.map((one) => [one.id, one.lastKnownState])).toEqual([
      [EVERY_2, 'stopped'],
      [MANUAL, 'stopped'],
    ])
    const before = product.text()
    const unknown = await product.json('PUT', '/v4/schedules/startall', { id: [MANUAL, 'nope'] })
    expect([unknown.status, unknown.json]).toEqual([400, E1('REST SCHEDULER: Schedule ID nope not found.')])
    expect(product.text()).toBe(before)
    const some = await product.json('PUT', '/v4/schedules/startall', { id: [MANUAL] })
    expect(some.body.map((one) => [one.id, one.lastKnownState])).toEqual([[MANUAL, 'started']])
    const all = await product.json('PUT', '/v4/schedules/startall')
    expect(all.body.map((one) => [one.id, one.lastKnownState])).toEqual([
      [EVERY_2, 'started'],
      [MANUAL, 'started'],
    ])
  })

  test('deleting answers 204 and takes the entry out of the file', async () => {
    const answer = await product.json('DELETE', `/v4/schedules/${EVERY_2}`)
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(entriesOf(product.text()).map((one) => one.id)).toEqual([MANUAL])
    expect(product.text()).toStartWith('# Schedules of the sales team.\nbutlerSchedule:\n')
    expect((await product.json('DELETE', `/v4/schedules/${MANUAL}`)).status).toBe(204)
    expect(product.text()).toContain('butlerSchedule: []\n')
    expect((await product.json('GET', '/v4/schedules')).text).toBe('[]')
    expect((await product.json('GET', '/v4/schedules/status')).text).toBe('{\n}')
  })

  test('a change keeps comments and everything that is not named', async () => {
    const { status, json } = await product.json('PUT', `/v4/schedules/${EVERY_2}`, {
      name: 'Every 3 hours',
      cronSchedule: '0 */3 * * *',
    })
    expect(status).toBe(200)
    expect(json).toEqual([
      expect.objectContaining({ id: EVERY_2, name: 'Every 3 hours', owner: 'anna', lastKnownState: 'started' }),
    ])
    expect(product.text()).toBe(FILE.replace('Every 2 hours', 'Every 3 hours').replace('0 */2', '0 */3'))
    expect((await product.json('PUT', `/v4/schedules/${EVERY_2}`, { timezone: 'Nowhere' })).json).toEqual(
      E1('Invalid timezone: Nowhere'),
    )
  })

  test('load scripts get through: POST with override and the stored body of the connection', async () => {
    const body = '{"key":"abc","value":"123","ttl":"5000"}'
    const send = (path: string, override: string) =>
      rawBytes(
        product.restPort,
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-HTTP-Method-Override: ${override}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
    expect((await send(`/v4/schedules/${MANUAL}/start`, 'PUT')).status).toBe(200)
    expect((await send('/v4/schedules/stopall', 'PUT')).status).toBe(200)
    expect((await send(`/v4/schedules/${MANUAL}`, 'DELETE')).status).toBe(204)
  })
})

describe('restarts and files', () => {
  test('what was stopped stays stopped, what was started by hand runs only with its startup state', async () => {
    await using product = await scheduled(FILE)
    await product.json('PUT', `/v4/schedules/${EVERY_2}/stop`)
    const { body } = await product.json('POST', '/v4/schedules', NEW)
    await product.process.kill9()
    await product.start()
    await product.process.waitForLine(
      /SCHEDULER: Schedule ID \S+ "Every 2 hours" not started: it was stopped when the file was last written/,
      15_000,
    )
    const { text } = await product.json('GET', '/v4/schedules/status')
    expect(text).toContain(`'${EVERY_2}': 0 */2 * * * status: Stopped \n`)
    expect(text).toContain(`'${body.id}': 0 0 1 0 * status: Running \n`)
  }, 90_000)

  test('numeric ids, entries that are not valid, missing and repeated ids', async () => {
    const odd = `butlerSchedule:
  - {name: Seventeen, id: 17, cronSchedule: 0 6 * * *, timezone: UTC, qlikSenseTaskId: ${TASK}, startupState: started}
  - name: Bad cron
    id: bad
    cronSchedule: 61 * * * *
    timezone: UTC
    qlikSenseTaskId: ${TASK}
    startupState: started
  - name: Bad zone
    id: zone
    cronSchedule: 0 * * * *
    timezone: Mars/Base
    qlikSenseTaskId: ${TASK}
    startupState: started
  - name: No id
    cronSchedule: 0 6 1 1 *
    timezone: UTC
    qlikSenseTaskId: ${TASK}
    startupState: started
  - name: Again
    id: 17
    cronSchedule: 0 6 * * *
    timezone: UTC
    qlikSenseTaskId: ${TASK}
    startupState: started
`
    await using product = await scheduled(odd)
    await product.process.waitForLine(/Successfully loaded schedule from file/, 15_000)
    const log = logOf(product)
    expect(log).toContain(
      'SCHEDULER: Schedule ID bad "Bad cron" is not valid: cronSchedule: minute 61 is out of range, minutes are 0-59',
    )
    expect(log).toContain('SCHEDULER: Schedule ID zone "Bad zone" is not valid: timezone: Mars/Base')
    expect(log).toMatch(/SCHEDULER: Schedule ID \S+: months are counted 0-11, so "0 6 1 1 \*" means February/)
    const { body } = await product.json('GET', '/v4/schedules')
    expect(body).toHaveLength(5)
    expect(new Set(body.map((one) => one.id)).size).toBe(5)
    expect(body[1]?.lastResult).toBe('error: Invalid cronSchedule: minute 61 is out of range, minutes are 0-59')
    expect((await product.json('PUT', '/v4/schedules/17/stop')).json).toEqual([
      expect.objectContaining({ id: '17', lastKnownState: 'stopped' }),
    ])
    const bad = await product.json('PUT', '/v4/schedules/bad/start')
    expect(bad.json).toEqual({
      ...E1('REST SCHEDULER: Failed starting schedule ID bad.'),
      details: expect.stringContaining('minute 61'),
    })
    expect((await product.json('PUT', '/v4/schedules/startall')).status).toBe(200)
    const status = (await product.json('GET', '/v4/schedules/status')).text
    expect(status).toContain(`'bad': 61 * * * * status: Stopped \n`)
    expect(status).toContain(`'17': 0 6 * * * status: Running \n`)
    expect(entriesOf(product.text())).toHaveLength(5)
  }, 90_000)

  test.each([
    ['broken YAML', 'butlerSchedule:\n  - name: "open\n'],
    ['another root', 'schedules: []\n'],
  ])(
    '%s is never overwritten, until it can be read',
    async (_name, content) => {
      await using product = await scheduled(content)
      await product.process.waitForLine(/SCHEDULER: Failed loading schedules from file: /, 15_000)
      for (const [method, path, body] of [
        ['POST', '/v4/schedules', NEW],
        ['PUT', '/v4/schedules/stopall', undefined],
      ] as const) {
        const answer = await product.json(method, path, body)
        expect(answer.status).toBe(500)
        expect(answer.body).toMatchObject({
          statusCode: 500,
          error: 'Internal Server Error',
          message: 'Schedule file could not be loaded; refusing to overwrite it',
        })
      }
      expect(product.text()).toBe(content)
      writeFileSync(product.file, FILE)
      expect((await product.json('POST', '/v4/schedules', NEW)).status).toBe(201)
      expect(entriesOf(product.text())).toHaveLength(3)
    },
    40_000,
  )

  test('with the scheduler off every call says so, and the file stays as it is', async () => {
    await using product = await scheduled(FILE, { scheduler: { enable: false, configfile: 'schedule.yaml' } })
    const calls: [string, string, unknown][] = [
      ...([
        ['GET', '/v4/schedules', undefined],
        ['GET', '/v4/schedules/status', undefined],
      ] as [string, string, unknown][]),
      ...([
        ['POST', '/v4/schedules', NEW],
        ['PUT', '/v4/schedules/startall', undefined],
      ] as [string, string, unknown][]),
      ...([
        ['DELETE', `/v4/schedules/${MANUAL}`, undefined],
        ['PUT', `/v4/schedules/${MANUAL}/stop`, undefined],
      ] as [string, string, unknown][]),
    ]
    for (const [method, path, body] of calls) {
      const answer = await product.json(method, path, body)
      expect([answer.status, answer.json]).toEqual([400, E1('REST SCHEDULER: Scheduler is disabled in config file.')])
    }
    expect(product.text()).toBe(FILE)
  }, 90_000)

  test('a file that cannot be replaced: 500, and nothing has changed', async () => {
    await using product = await scheduled(
      FILE,
      { scheduler: { enable: true, configfile: 'missing/schedule.yaml' } },
      false,
    )
    // A file where the folder would be.
    writeFileSync(product.directory.join('missing'), 'x')
    await product.start()
    const answer = await product.json('POST', '/v4/schedules', NEW)
    expect(answer.status).toBe(500)
    expect((await product.json('GET', '/v4/schedules')).text).toBe('[]')
  }, 90_000)

  test('killed while it writes 300 schedules: the file is whole and holds all that were acknowledged', async () => {
    await using product = await scheduled(FILE)
    const acknowledged: string[] = []
    let killed = false
    const create = async (): Promise<void> => {
      while (!killed && acknowledged.length < 1000) {
        const answer = await product.json('POST', '/v4/schedules', NEW).catch(() => null)
        if (answer?.status === 201) acknowledged.push(answer.body.id)
      }
    }
    const work = Array.from({ length: 8 }, create)
    await until(() => acknowledged.length >= 300, { timeout: 20_000 })
    killed = true
    await product.process.kill9()
    await Promise.all(work)
    const ids = new Set(entriesOf(product.text()).map((one) => one.id))
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
    await product.start()
    expect((await product.json('GET', '/v4/schedules')).body.length).toBe(ids.size)
  }, 60_000)
})

const startsOf = (): string[] =>
  site.simulator
    .requests()
    .filter(({ method, path }) => method === 'POST' && /\/start/.test(path))
    .map(({ path }) => path)

describe('runs', () => {
  test('every two seconds, stopped, started; the history tells what became of the task', async () => {
    await using product = await scheduled(null)
    const { body } = await product.json('POST', '/v4/schedules', { ...NEW, cronSchedule: '*/2 * * * * *' })
    await product.process.waitForLine(
      new RegExp(`SCHEDULER: Cron event for schedule ID ${body.id}: Every year`),
      15_000,
    )
    const runs = async () => (await product.json('GET', `/v4/schedules/${body.id}/runs`)).body.runs
    await until(async () => (await runs()).length >= 2, { timeout: 20_000 })
    const stopped = await product.json('PUT', `/v4/schedules/${body.id}/stop`)
    expect(stopped.body[0]?.lastKnownState).toBe('stopped')
    const all = await runs()
    for (const run of all) {
      expect(new Date(run.dueAt).getUTCSeconds() % 2).toBe(0)
      expect(run).toMatchObject({ scheduleId: body.id, trigger: 'cron', reason: null })
    }
    expect(startsOf().length).toBeGreaterThan(0)
    await until(async () => (await runs()).some((run) => run.state === 'finished'), { timeout: 30_000 })
    const finished = (await runs()).find((run) => run.state === 'finished')!
    expect(finished.tasks).toEqual([{ taskId: TASK, executionId: expect.any(String), outcome: finished.outcome }])
    const [listed] = (await product.json('GET', '/v4/schedules')).body
    expect(listed?.lastRun).toMatch(/Z$/)
    expect(listed?.lastResult).toMatch(/^(ok|error: )/)
    expect(listed?.nextRun).toBeUndefined()
    const metrics = await (await product.call('GET', '/metrics')).text()
    expect(metrics).toContain('footman_schedules{state="stopped"} 1')
    expect(metrics).toMatch(/^footman_schedule_runs_total\{outcome="\w+"\} [1-9]/m)
    expect(metrics).toMatch(/^footman_schedule_lag_seconds_count [1-9]/m)
    const audit = (await product.json('GET', `/v4/audit?actor=schedule:*`)).body.audit
    expect(audit[0]).toMatchObject({ actor: `schedule:${body.id}`, action: 'task.start' })
  }, 60_000)

  test('by hand also when stopped; a repeated call with the same key runs once', async () => {
    await using product = await scheduled(FILE)
    const headers = { 'Idempotency-Key': 'k1' }
    const [one, two] = [
      await product.call('POST', `/v4/schedules/${MANUAL}/run`, undefined, headers),
      await product.call('POST', `/v4/schedules/${MANUAL}/run`, undefined, headers),
    ]
    expect([one.status, two.status]).toEqual([202, 202])
    const { runId } = (await one.json()) as Body
    expect(await two.json()).toEqual({ runId })
    const { body } = await product.json('GET', `/v4/schedules/${MANUAL}/runs`)
    expect(body).toMatchObject({
      runs: [{ runId, trigger: 'manual', state: expect.stringMatching(/running|finished/) }],
      nextCursor: null,
    })
    const missing = await product.json('POST', '/v4/schedules/nope/run')
    expect([missing.status, missing.body.code]).toEqual([404, 'SCHEDULE_NOT_FOUND'])
  }, 90_000)

  test('previews say when, and in words; what is wrong with its place', async () => {
    await using product = await scheduled(FILE, {
      footman: { dataDirectory: 'data', calendars: { holidays: { dates: ['2099-01-01'] } } },
    })
    const preview = (body: object) => product.json('POST', '/v4/schedules/preview', body)
    const good = await preview({
      cronSchedule: '0 6 * * 1-5',
      timezone: 'Europe/Stockholm',
      count: 5,
      notOn: 'holidays',
    })
    expect(good.body.text).toBe('at 06:00, Monday to Friday (Europe/Stockholm)')
    expect(good.body.next).toHaveLength(5)
    const next = await product.json('GET', `/v4/schedules/${MANUAL}/next?count=3`)
    expect(next.body.next).toHaveLength(3)
    const bad = await preview({ cronSchedule: '0 25 * * *', timezone: 'UTC' })
    expect([bad.status, bad.body.code]).toEqual([400, 'INVALID_CRON'])
    expect(bad.body.details).toBe('0 25 * * *\n  ^^ hour 25 is out of range, hours are 0-23')
    const quartz = await preview({ cronSchedule: '0 6 WL * *', timezone: 'UTC' })
    expect(quartz.body.details).toContain('WL is not possible; write LW for the last working day')
    const zone = await preview({ cronSchedule: '0 5 * * *', timezone: 'Mars/Base' })
    expect([zone.status, zone.body.code]).toEqual([400, 'INVALID_TIMEZONE'])
    const odd = await preview({ cronSchedule: '0 5 * * *', timezone: 'UTC', shift: 'sideways' })
    expect([odd.status, odd.body.code]).toEqual([400, 'VALIDATION'])
  }, 90_000)

  test('previews name what is skipped, and the calendar behind it', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)
    await using product = await scheduled(FILE, {
      footman: { dataDirectory: 'data', calendars: { 'year-end': { dates: [tomorrow] } } },
    })
    const { body } = await product.json('POST', '/v4/schedules/preview', {
      cronSchedule: '0 12 * * *',
      timezone: 'UTC',
      count: 3,
      notOn: 'year-end',
    })
    expect(body.next).toHaveLength(3)
    expect(body.skipped).toEqual([{ at: `${tomorrow}T12:00:00.000Z`, reason: 'CALENDAR', by: 'year-end' }])
  }, 90_000)

  test('with If-Match a schedule is changed only as the caller has read it', async () => {
    await using product = await scheduled(FILE)
    const read = await product.call('GET', `/v4/schedules?id=${MANUAL}`)
    const tag = read.headers.get('etag')!
    const change = (name: string, headers: Record<string, string>) =>
      product.call('PUT', `/v4/schedules/${MANUAL}`, { name }, headers)
    const first = await change('First', { 'if-match': tag })
    expect(first.status).toBe(200)
    expect(first.headers.get('etag')).not.toBe(tag)
    const second = await change('Second', { 'if-match': tag })
    expect([second.status, (await second.json()).code]).toEqual([412, 'REVISION_MISMATCH'])
    expect((await product.call('DELETE', `/v4/schedules/${MANUAL}`, undefined, { 'if-match': tag })).status).toBe(412)
    // Starting is no change of what the caller has read, and callers of Butler send no revision.
    expect((await product.call('PUT', `/v4/schedules/${MANUAL}/start`)).status).toBe(200)
    expect((await change('Third', { 'if-match': first.headers.get('etag')! })).status).toBe(200)
    expect((await change('Fourth', {})).status).toBe(200)
    expect(entriesOf(product.text()).find((one) => one.id === MANUAL)?.name).toBe('Fourth')
  }, 90_000)

  test('strips have the last runs, and the calendar what is coming', async () => {
    await using product = await scheduled(FILE)
    const started = await product.json('POST', `/v4/schedules/${MANUAL}/run`)
    const path = `/v4/schedules/${MANUAL}/runs/${started.body.runId}`
    expect((await product.json('GET', path)).body).toMatchObject({ scheduleId: MANUAL, trigger: 'manual' })
    const other = await product.json('GET', path.replace(MANUAL, EVERY_2))
    expect([other.status, other.body.code]).toEqual([404, 'RUN_NOT_FOUND'])
    const strips = await product.json('GET', '/v4/schedules/-/strips?n=1')
    expect(strips.body.strips).toMatchObject({ [EVERY_2]: [], [MANUAL]: [{ reason: null }] })
    const { status, body } = await product.json('GET', '/v4/schedules/calendar')
    expect(status).toBe(200)
    const own = body.entries.filter((one) => one.source === 'footman' && Date.parse(one.at) > Date.now())
    expect(own.length).toBe(84)
    expect(own[0]).toMatchObject({ id: EVERY_2, name: 'Every 2 hours', taskIds: [TASK], skipped: null })
    expect(body.entries.some((one) => one.source === 'qlik')).toBe(true)
    expect(body.load.length).toBe(168)
    const long = await product.json('GET', '/v4/schedules/calendar?from=2026-01-01&to=2026-02-01')
    expect([long.status, long.body.code]).toEqual([400, 'VALIDATION'])
  }, 90_000)

  test('a task that the start filter denies makes no schedule over REST, but one of the file fires', async () => {
    await using product = await scheduled(FILE, {
      startTaskFilter: {
        enable: true,
        allowTask: { taskId: ['b9c5d234-efe5-6789-abcd-ef0123456789'], tag: null, customProperty: null },
      },
    })
    const answer = await product.json('POST', '/v4/schedules', NEW)
    expect([answer.status, answer.body.message]).toEqual([403, `Task ID is not allowed: ${TASK}`])
    expect(product.text()).toBe(FILE)
    const { body } = await product.json('POST', `/v4/schedules/${MANUAL}/run`)
    const run = await until(
      async () => {
        const { runs } = (await product.json('GET', `/v4/schedules/${MANUAL}/runs`)).body
        return runs.find((one) => one.runId === body.runId && one.tasks[0]?.executionId)
      },
      { timeout: 15_000 },
    )
    expect(run.tasks[0]?.executionId).toBeString()
  }, 90_000)

  test('a satellite and shadow mode change and run nothing', async () => {
    for (const [footmanSection, code] of [
      [{ node: { role: 'satellite' } }, 'NOT_PRIMARY'],
      [{ shadow: true }, 'SHADOW_MODE'],
    ] as const) {
      const every = FILE.replace('0 */2 * * *', "'* * * * * *'").replace(
        'Europe/Paris',
        // Quarters of an hour apart from every other zone: it fires at other times whenever this runs.
        'Asia/Kathmandu',
      )
      await using product = await scheduled(every, { footman: { dataDirectory: 'data', ...footmanSection } })
      site.simulator.clearRequests()
      for (const [method, path] of [
        ['PUT', `/v4/schedules/${MANUAL}/start`],
        ['POST', `/v4/schedules/${MANUAL}/run`],
        ['DELETE', `/v4/schedules/${MANUAL}`],
      ] as const) {
        const answer = await product.json(method, path)
        expect([answer.status, answer.body.code]).toEqual([409, code])
      }
      expect((await product.json('GET', '/v4/schedules')).body).toHaveLength(2)
      if (code === 'SHADOW_MODE') {
        const run = await until(async () => (await product.json('GET', `/v4/schedules/${EVERY_2}/runs`)).body.runs[0], {
          timeout: 15_000,
        })
        expect(run).toMatchObject({ state: 'skipped', reason: 'SHADOW_MODE', firedAt: null })
        await product.process.waitForLine(/in Butler 16/, 15_000)
      }
      expect(startsOf()).toEqual([])
      expect(product.text()).toBe(every)
    }
  }, 60_000)

  test('who comes from Butler is told once which schedules fire at other times', async () => {
    const tokyo = FILE.replace('Europe/London', 'Asia/Tokyo').replace('0 */2 * * *', '0 6 * * *')
    await using product = await scheduled(tokyo)
    await product.process.waitForLine(
      new RegExp(
        `SCHEDULER: Schedule ID ${EVERY_2} runs in time zone Asia/Tokyo; next run there \\S+ 06:00:00, in Butler 16 \\S+ \\d\\d:00:00$`,
      ),
      15_000,
    )
    await product.process.kill9()
    await product.start()
    expect(logOf(product)).not.toContain('in Butler 16')
    expect(existsSync(product.file)).toBe(true)
  }, 90_000)

  test('an edit by hand counts while it runs; a state that was set over the API stays', async () => {
    await using product = await scheduled(FILE)
    await product.json('PUT', `/v4/schedules/${MANUAL}/start`)
    writeFileSync(product.file, product.text().replace('0,30 6-18 * * 1-5', '0 12 * * 1-5'))
    const status = () => product.json('GET', '/v4/schedules/status')
    await until(async () => (await status()).text.includes(`'${MANUAL}': 0 12 * * 1-5 status: Running`), {
      timeout: 20_000,
    })
    // And before every change, however quick it comes.
    writeFileSync(product.file, `${product.text()}  # by hand\n`)
    expect((await product.json('POST', '/v4/schedules', NEW)).status).toBe(201)
    expect(product.text()).toContain('# by hand')
  }, 90_000)

  test('who makes a schedule needs the right to do what it does', async () => {
    const key = (name: string) => `fm_${name.padEnd(43, 'x')}`
    const grant = (id: string, scopes: readonly string[], more = {}) => ({
      id,
      scopes,
      hash: `sha256:${createHash('sha256').update(key(id)).digest('hex')}`,
      ...more,
    })
    const keys = [
      grant('writer', ['schedule:write']),
      grant('limited', ['schedule:write', 'task:run'], {
        startFilter: { taskId: ['b9c5d234-efe5-6789-abcd-ef0123456789'] },
      }),
      grant('full', ['schedule:*', 'task:run']),
    ]
    await using product = await scheduled(FILE, { footman: { dataDirectory: 'data', access: { enable: true, keys } } })
    const create = (id: string, more: object = {}) =>
      product.call('POST', '/v4/schedules', { ...NEW, ...more }, { authorization: `Bearer ${key(id)}` })
    const writer = await create('writer')
    expect([writer.status, ((await writer.json()) as Body).details]).toEqual([403, 'Scope task:run is required'])
    const limited = await create('limited')
    expect([limited.status, ((await limited.json()) as Body).message]).toEqual([403, `Task ID is not allowed: ${TASK}`])
    expect((await create('full')).status).toBe(201)
    const dump = await create('full', { action: { type: 'appDump', folder: 'x' } })
    expect([dump.status, ((await dump.json()) as Body).details]).toEqual([403, 'Scope app:read is required'])
  }, 90_000)
})
