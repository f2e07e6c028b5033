/**
 * Every type of task with every outcome, on every destination of Butler's sections at once: what each receiver got is
 * compared with test/fixtures/alerts, which were written from the documentation. An absent fixture or entry = nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { connectAsync, type MqttClient } from 'mqtt'
import type { SimExecution } from '../../simulator/types.ts'
import { OUTCOMES, TASK_TYPES } from '../../src/events/kinds.ts'
import type { Outcome, TaskType } from '../../src/events/types.ts'
import { teamsFaults } from '../support/adaptive-card.ts'
import { alertSections } from '../support/alert-sections.ts'
import { STOCKHOLM } from '../support/alerts.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, type SinkRequest, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { slackFaults } from '../support/slack-blocks.ts'
import { type ReceivedMail, type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { repositoryRoot } from '../support/source.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

type Fixture = Readonly<Record<string, unknown>>
type Values = Readonly<Record<string, unknown>>

interface Run {
  readonly task: string
  readonly execution: SimExecution
}

interface EventRow {
  readonly type: string
  readonly outcome: string
  readonly task_id: string
  readonly execution_id: string
  readonly received_at: number
  readonly log_time: string
  readonly state: string
}

const id = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`

/** Most tasks run twice: they succeed first and are stopped then. */
const TASKS: Readonly<Record<TaskType, Readonly<Record<Outcome, string>>>> = {
  reload: { failed: 'a8b4c123-def4-5678-9abc-def012345678', aborted: id(70, 7), success: id(70, 3) },
  externalProgram: { failed: id(71, 2), aborted: id(71, 1), success: id(71, 1) },
  userSync: { failed: id(72, 2), aborted: id(72, 1), success: id(72, 1) },
  distribute: { failed: id(73, 2), aborted: id(73, 1), success: id(73, 1) },
  preload: { failed: id(74, 2), aborted: id(74, 1), success: id(74, 1) },
}

const DESTINATIONS = [
  'slack',
  'teams',
  'webhook',
  'signl4',
  'newrelic event',
  'newrelic log',
  'scriptlog',
  'mqtt short',
  'mqtt full',
  'email',
] as const
type DestinationName = (typeof DESTINATIONS)[number]

const CELLS = TASK_TYPES.flatMap((type) => OUTCOMES.map((outcome) => [type, outcome] as const))

describe('the matrix of types, outcomes and destinations', () => {
  let site: TestSite
  let sink: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let product: Footman
  let subscriber: MqttClient
  let version = ''
  const runs = new Map<string, Run>()
  const published: { topic: string; payload: string }[] = []

  beforeAll(async () => {
    ;[site, sink, mailbox, broker] = await Promise.all([
      startSite({ modes: { scheduler: { userSyncFailures: true } } }),
      startHttpSink(),
      startSmtpSink(),
      startMosquitto(),
    ])
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    subscriber.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
    product = await footman({
      simulator: site.simulator,
      smtpPort: mailbox.port,
      mqttPort: broker.port,
      config: alertSections(sink.url),
    })
    await product.start()
    version = ((await (await product.call('GET', '/v4/butlerping')).json()) as { butlerVersion: string }).butlerVersion
    await Promise.all(TASK_TYPES.map(walk))
    await until(isSettled, { timeout: 30_000, what: 'all events routed and all deliveries settled', state: rows })
    await until(() => published.filter(({ topic }) => /task_(failure|aborted)/.test(topic)).length >= 5)
  }, 60_000)

  afterAll(async () => {
    await subscriber?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop(), mailbox?.stop(), broker?.stop()])
  })

  /** Succeeds, then fails and is stopped at the same time. */
  async function walk(type: TaskType): Promise<void> {
    const { simulator } = site
    const run = async (outcome: Outcome, behaviour: object, during = () => {}) => {
      const task = TASKS[type][outcome]
      simulator.setTask(task, behaviour)
      const ended = simulator.ended(task)
      simulator.runTask(task)
      during()
      runs.set(`${type} ${outcome}`, { task, execution: await ended })
    }
    const stop = () => void until(() => simulator.abort(TASKS[type].aborted, 'LAB\\anna'))
    // Afterwards the types of the tasks are known, as they are on any site that has run for a day.
    await run('success', { outcome: 'success', durationMs: 100 })
    await until(() => eventOf(type, 'success')?.state === 'routed', { timeout: 20_000 })
    await Promise.all([
      run('failed', { outcome: 'fail', durationMs: 200 }),
      run('aborted', { outcome: 'success', durationMs: 60_000 }, stop),
    ])
  }

  const rows = () =>
    product.rows<EventRow>(
      'SELECT type, outcome, task_id, execution_id, received_at, log_time, state FROM event ORDER BY seq',
    )
  const eventOf = (type: TaskType, outcome: Outcome) =>
    rows().find((row) => row.type === type && row.outcome === outcome && row.task_id === TASKS[type][outcome])!

  function isSettled(): boolean {
    const open = product.rows("SELECT 1 FROM delivery WHERE state IN ('pending', 'sending')").length
    const all = CELLS.every(([type, outcome]) => eventOf(type, outcome)?.state === 'routed')
    return all && open === 0
  }

  /** What the fixtures leave open because it is different in every run; none of it comes from Footman's messages. */
  async function valuesOf(type: TaskType, outcome: Outcome): Promise<Values> {
    const { task, execution } = runs.get(`${type} ${outcome}`)!
    const { log_time: logTime, received_at: receivedAt } = eventOf(type, outcome)
    const log = type === 'reload' ? await scriptLogOf(task, execution) : ''
    const lines = log.split('\r\n')
    const iso = (ms: number) => new Date(ms).toISOString()
    const fileTime = logTime.slice(0, 19).replace(' ', '_').replaceAll(':', '-')
    return {
      version,
      logTime,
      receivedAt,
      executionId: execution.executionID,
      node: execution.executingNodeName,
      startUtc: iso(execution.startTime),
      stopUtc: iso(execution.stopTime),
      startLocal: `${STOCKHOLM.sortable(execution.startTime)} Europe/Stockholm`,
      stopLocal: `${STOCKHOLM.sortable(execution.stopTime)} Europe/Stockholm`,
      seconds: Math.floor(execution.duration / 1000) % 60,
      durationSeconds: Math.floor(execution.duration / 1000),
      log: lines.join('\n'),
      logSize: execution.scriptLogSize,
      rows: lines.length,
      tail: lines.slice(-3).join('\n'),
      tail2: lines.slice(-2).join('\r\n'),
      details: execution.details.map(({ at, message }) => `${iso(at)}\t${message}\n`).join(''),
      day: logTime.slice(0, 10),
      fileTime,
      ...(await entitiesOf(task)),
    }
  }

  async function scriptLogOf(task: string, { id: resultId }: SimExecution): Promise<string> {
    const ticket = await site.qrs('GET', `reloadtask/${task}/scriptlogfile?executionResultId=${resultId}`)
    return (await site.qrs('GET', `download/reloadtask/${ticket.json<{ value: string }>().value}/scriptlog.txt`)).text
  }

  async function entitiesOf(taskId: string): Promise<Values> {
    const one = async (path: string, filter: string) => (await site.qrs('GET', path, { filter })).json<Fixture[]>()[0]
    const task = await one('task/full', `id eq ${taskId}`)
    const appId = (task?.app as { id: string } | null)?.id
    const app = appId ? await one('app/full', `id eq ${appId}`) : undefined
    const owner = app?.owner as { id: string; name: string } | undefined
    const user = owner ? await one('user/full', `id eq ${owner.id}`) : undefined
    const attributes = (user?.attributes ?? []) as { attributeType: string; attributeValue: string }[]
    const email = attributes.find(({ attributeType }) => attributeType.toLowerCase() === 'email')?.attributeValue
    return { task: steady(task), app: steady(app), ownerName: owner?.name ?? '', ownerEmail: email ?? '' }
  }

  /** What each destination got about this task and outcome. */
  const OBSERVED: Readonly<Record<DestinationName, (type: TaskType, outcome: Outcome) => readonly unknown[]>> = {
    slack: (type, outcome) => posted('/slack', nameOf(type, outcome), outcome).map(({ body }) => JSON.parse(body)),
    teams: (type, outcome) => posted('/teams', nameOf(type, outcome), outcome).map(({ body }) => JSON.parse(body)),
    webhook: (type, outcome) => [
      ...posted('/hook', TASKS[type][outcome], outcome).map(({ body }) => JSON.parse(body)),
      ...queries(type, outcome),
    ],
    signl4: (type, outcome) => posted('/signl4', TASKS[type][outcome], outcome).map(({ body }) => JSON.parse(body)),
    'newrelic event': (type, outcome) =>
      posted('/nr/v1/accounts/111/events', TASKS[type][outcome], outcome).map(({ body }) => JSON.parse(body)),
    'newrelic log': (type, outcome) =>
      posted('/nr/log', TASKS[type][outcome], outcome).map(({ body }) => JSON.parse(body)),
    scriptlog: (type, outcome) => (outcome === 'failed' ? filesOf(TASKS[type][outcome]) : []),
    'mqtt short': (type, outcome) =>
      on(`qliksense/task_${TOPICS[outcome]}`).filter((payload) => payload === nameOf(type, outcome)),
    'mqtt full': (type, outcome) =>
      on(`qliksense/task_${TOPICS[outcome]}_full`)
        .map((payload) => JSON.parse(payload))
        .filter(({ taskId }) => taskId === TASKS[type][outcome])
        .map((full) => ({
          ...full,
          ...(full.qs_appMetadata ? { qs_appMetadata: steady(full.qs_appMetadata) } : {}),
          qs_taskMetadata: steady(full.qs_taskMetadata),
        })),
    email: (type, outcome) => mailbox.mails.filter((mail) => isAbout(mail, type, outcome)).map(shown),
  }

  const TOPICS = { failed: 'failure', aborted: 'aborted', success: 'success' } as const
  const nameOf = (type: TaskType, outcome: Outcome) => site.simulator.site.tasks.get(TASKS[type][outcome])!.name
  const on = (topic: string) => published.filter((one) => one.topic === topic).map(({ payload }) => payload)

  /** Of the two runs of one task the outcome in the text tells which one it is about. */
  function posted(path: string, mention: string, outcome: Outcome): readonly SinkRequest[] {
    const text = JSON.stringify(mention).slice(1, -1)
    const word = { failed: /fail/i, aborted: /abort/i, success: /succe/i }[outcome]
    return sink.requests.filter(({ url, body }) => url === path && body.includes(text) && word.test(body))
  }

  function queries(type: TaskType, outcome: Outcome): readonly object[] {
    return sink.requests
      .filter(({ method, url }) => method === 'GET' && url.includes(TASKS[type][outcome]) && outcome === 'aborted')
      .map(({ url }) => {
        const { token, ...fields } = Object.fromEntries(new URL(url, sink.url).searchParams)
        expect(token).toBe('1')
        return fields
      })
  }

  function filesOf(taskId: string): readonly object[] {
    const cwd = product.directory.join('logs')
    return globSync(`**/*_taskId=${taskId}.log`, { cwd }).map((file) => ({
      file: file.replaceAll('\\', '/'),
      content: readFileSync(`${cwd}/${file}`, 'utf8'),
    }))
  }

  const header = ({ parsed }: ReceivedMail, key: string) =>
    parsed.headers.find((one) => one.key.toLowerCase() === key)?.value

  function isAbout(mail: ReceivedMail, type: TaskType, outcome: Outcome): boolean {
    const good = /Success$/.test(header(mail, 'x-butler-event') ?? '')
    return header(mail, 'x-butler-task-id') === TASKS[type][outcome] && good === (outcome === 'success')
  }

  function shown(mail: ReceivedMail): object {
    return {
      from: mail.parsed.from?.address,
      to: mail.envelope.to,
      subject: mail.parsed.subject,
      priority: header(mail, 'x-priority'),
      event: header(mail, 'x-butler-event'),
      taskId: header(mail, 'x-butler-task-id'),
      html: mail.parsed.html,
      text: mail.parsed.text,
    }
  }

  describe.each(CELLS)('%s %s', (type, outcome) => {
    test.each(DESTINATIONS)('%s', async (destination) => {
      const expected = fixtureOf(type, outcome)[destination]
      const observed = OBSERVED[destination](type, outcome)
      if (expected === undefined) return expect(observed).toEqual([])
      if (destination === 'email') return expectMail(observed, expected as Fixture)
      expect(observed).toEqual([filled(expected, await valuesOf(type, outcome))])
      if (destination === 'slack') expect(slackFaults(observed[0])).toEqual([])
      if (destination === 'teams') expect(teamsFaults(observed[0])).toEqual([])
    })
  })

  function expectMail(observed: readonly unknown[], { shows, ...headers }: Fixture): void {
    expect(observed).toHaveLength(1)
    const { html, text, ...rest } = observed[0] as Record<string, string>
    expect(rest as object).toEqual(headers)
    for (const part of shows as string[]) for (const body of [html, text]) expect(unescaped(body!)).toContain(part)
  }

  test('keys stand in the documented order', () => {
    const [event] = JSON.parse(posted('/nr/v1/accounts/111/events', TASKS.reload.failed, 'failed')[0]!.body)
    expect(Object.keys(event)).toEqual(Object.keys((fixtureOf('reload', 'failed')['newrelic event'] as Fixture[])[0]!))
    for (const name of ['webhook', 'signl4', 'mqtt full'] as const) {
      const [one] = OBSERVED[name]('reload', 'failed') as object[]
      expect(Object.keys(one!)).toEqual(Object.keys(fixtureOf('reload', 'failed')[name] as object))
    }
  })

  test('accounts of New Relic: the one that is always used, the one of the task, none that does not exist', () => {
    const urls = sink.requests.filter(({ url }) => url.startsWith('/nr/v1')).map(({ url }) => url)
    expect(urls.sort()).toEqual([
      '/nr/v1/accounts/111/events',
      '/nr/v1/accounts/111/events',
      '/nr/v1/accounts/222/events',
    ])
    const invalid = product.rows("SELECT target FROM delivery WHERE reason = 'RECIPIENT_INVALID'")
    expect(invalid).toEqual([])
  })

  test('no secret is in the log', () => {
    const log = [...product.process.stdout, ...product.process.stderr].join('\n')
    expect(log).not.toMatch(/secret-key|\/slack|\/teams|token=1/)
  })
})

function fixtureOf(type: TaskType, outcome: Outcome): Fixture {
  const file = `${repositoryRoot}/test/fixtures/alerts/${type}-${outcome}.json`
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Fixture) : {}
}

/** `<<name>>` stands for a value; alone in a text it keeps its type. */
function filled(fixture: unknown, values: Values): unknown {
  if (Array.isArray(fixture)) return fixture.map((one) => filled(one, values))
  if (typeof fixture === 'object' && fixture !== null) {
    return Object.fromEntries(Object.entries(fixture).map(([name, value]) => [name, filled(value, values)]))
  }
  if (typeof fixture !== 'string') return fixture
  const whole = /^<<(\w+)>>$/.exec(fixture)?.[1]
  if (whole) return values[whole]
  return fixture.replace(/<<(\w+)>>/g, (_found, name: string) => String(values[name]))
}

/** An entity of QRS without what changes while a task runs. */
function steady(entity: unknown): unknown {
  if (!entity) return entity
  const { operational, modifiedDate, lastReloadTime, modifiedByUserName, ...rest } = entity as Fixture
  return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'operational' ? undefined : value)))
}

function unescaped(html: string): string {
  return html.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#x27;', "'")
}
