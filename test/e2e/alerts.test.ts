/** A failed reload on the simulated site becomes alerts on real receivers, through the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { connectAsync, type MqttClient } from 'mqtt'
import { type Footman, footman } from '../support/footman.ts'
import { BROKEN_BODIES, type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { atMost, until } from '../support/wait.ts'

needs('mosquitto')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const APP = 'a1000000-0000-4000-8000-000000000002'

describe('alerts of the compiled executable', () => {
  let site: TestSite
  let webhooks: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let product: Footman
  let subscriber: MqttClient
  const published: { topic: string; payload: string }[] = []

  beforeAll(async () => {
    ;[site, webhooks, mailbox, broker] = await Promise.all([
      startSite(),
      startHttpSink(),
      startSmtpSink(),
      startMosquitto(),
    ])
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    subscriber.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
    product = await footman({
      simulator: site.simulator,
      webhookUrl: `${webhooks.url}/hook?token=secret`,
      smtpPort: mailbox.port,
      mqttPort: broker.port,
    })
    await product.start()
    await until(() => published.some(({ topic }) => topic === 'qliksense/butler/mqtt/status'))
  }, 60_000)

  afterAll(async () => {
    await subscriber?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), webhooks?.stop(), mailbox?.stop(), broker?.stop()])
  })

  const on = (topic: string) => published.filter((message) => message.topic === topic)

  test('a failure yields one webhook call, one short and one full MQTT message and one mail, within 2 s of the script log', async () => {
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 200 })
    site.simulator.runTask(TASK)
    const execution = await site.simulator.ended(TASK)
    const logReady = performance.now() + site.simulator.modes.scriptLog.delayMs

    const [call] = await webhooks.received(1, { timeout: 10_000 })
    const [mail] = await mailbox.received(1, { timeout: 10_000 })
    await until(() => on('qliksense/task_failure_full').length > 0)
    expect(performance.now() - logReady).toBeLessThan(atMost(2000))

    expect(call!.url).toBe('/hook?token=secret')
    const body = JSON.parse(call!.body)
    expect(body).toEqual({
      event: 'Qlik Sense reload failed',
      hostName: 'QS-CENTRAL',
      user: 'INTERNAL\\sa_scheduler',
      taskName: 'Financial Dashboard Reload',
      taskId: TASK,
      appName: 'Sales Dashboard',
      appId: APP,
      appOwnerName: 'Anna Andersson',
      appOwnerUserDirectory: 'LAB',
      appOwnerUserId: 'anna',
      appOwnerEmail: 'anna@acme.example',
      logTimeStamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}$/),
      logLevel: 'INFO',
      executionId: execution.executionID,
      logMessage: 'Max retries reached',
    })

    expect(on('qliksense/task_failure')).toEqual([
      { topic: 'qliksense/task_failure', payload: 'Financial Dashboard Reload' },
    ])
    const full = JSON.parse(on('qliksense/task_failure_full')[0]!.payload)
    expect(Object.keys(full)).toEqual([
      'hostName',
      'user',
      'taskName',
      'taskId',
      'appName',
      'appId',
      'logTimeStamp',
      'logLevel',
      'executionId',
      'logMessage',
      'qs_appTags',
      'qs_appCustomProperties',
      'qs_taskTags',
      'qs_taskCustomProperties',
      'qs_appMetadata',
      'qs_taskMetadata',
    ])
    expect(full).toMatchObject({ taskId: TASK, appId: APP, qs_taskMetadata: { schemaPath: 'ReloadTask' } })

    expect(mail!.envelope.to).toEqual(['ops@acme.example'])
    expect(mail!.parsed.subject).toContain('Financial Dashboard Reload')
    for (const part of [mail!.parsed.html ?? '', mail!.parsed.text ?? '']) {
      expect(part).toContain('Execution started.')
      expect(part).toContain('Execution Failed')
    }
    expect(webhooks.requests).toHaveLength(1)
    expect(mailbox.mails).toHaveLength(1)
    expect(on('qliksense/task_failure_full')).toHaveLength(1)
  }, 90_000)

  test('a stopped task yields its own alerts', async () => {
    const task = '70000000-0000-4000-8000-000000000007'
    const before = webhooks.requests.length
    site.simulator.setTask(task, { durationMs: 60_000 })
    site.simulator.runTask(task)
    await until(() => site.simulator.abort(task, 'LAB\\anna'))
    const calls = await webhooks.received(before + 1, { timeout: 15_000 })
    expect(JSON.parse(calls.at(-1)!.body)).toMatchObject({
      event: 'Qlik Sense reload aborted',
      taskId: task,
      user: 'LAB\\anna',
      logMessage: 'Execution State Change to Aborting',
    })
    await until(() => on('qliksense/task_aborted_full').length === 1)
    expect(on('qliksense/task_aborted')[0]!.payload).toBe('Slow Warehouse Load')
  }, 90_000)

  test('a success yields a mail', async () => {
    const task = '70000000-0000-4000-8000-000000000001'
    site.simulator.setTask(task, { outcome: 'success', durationMs: 100 })
    site.simulator.runTask(task)
    await mailbox.received(1, {
      timeout: 15_000,
      match: (mail) => mail.parsed.subject?.includes('Sales ETL hourly') ?? false,
    })
  }, 90_000)

  test('a name with semicolons arrives whole', async () => {
    const task = '70000000-0000-4000-8000-000000000011'
    site.simulator.setTask(task, { outcome: 'fail', durationMs: 50 })
    site.simulator.runTask(task)
    await webhooks.received(1, {
      timeout: 15_000,
      match: (request) => JSON.parse(request.body).taskName === 'Name; with semicolon',
    })
  }, 90_000)

  test('the UDP server status was published', () => {
    expect(on('qliksense/butler/task_failure_server').map(({ payload }) => payload)).toEqual(['start'])
  })

  test('no secret of a webhook address is in the log', () => {
    expect([...product.process.stdout, ...product.process.stderr].join('\n')).not.toContain('token=secret')
  })

  test('SIGTERM ends it with exit code 0 and the stop is published', async () => {
    expect(await product.process.stop()).toBe(0)
    await until(() => on('qliksense/butler/task_failure_server').some(({ payload }) => payload === 'stop'))
  }, 90_000)
})

describe('the short MQTT message', () => {
  const OTHERS = { externalProgram: 1, userSync: 2, distribute: 3, preload: 4 } as const
  const id = (n: number) => `5a000000-0000-4000-8000-${String(n).padStart(12, '0')}`

  test('about another type of task never goes to the topic of reloads when its history names the type', async () => {
    const [site, broker] = await Promise.all([startSite(), startMosquitto()])
    const subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    const published: { topic: string; payload: string }[] = []
    subscriber.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
    const product = await footman({ simulator: site.simulator, mqttPort: broker.port })
    try {
      await product.start()
      await product.process.stop()
      const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
      for (const [type, n] of Object.entries(OTHERS)) {
        db.prepare(
          `INSERT INTO execution (execution_id, task_id, task_name, task_type, status_num, outcome, stopped_at, attempts)
             VALUES (?, ?, ?, ?, 8, 'failed', 1760000000000, 1)`,
        ).run(id(100 + n), id(n), type, type)
      }
      db.close()
      site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
      await product.start()
      await product.process.waitForLine(/MQTT: Connected to broker/)
      // App id and text are those of a reload.
      const failure = (n: number, name: string) =>
        `/scheduler-task-failed/;QS-CENTRAL;${name};An app;LAB\\anna;${id(n)};${APP};2026-03-02 07:03:11,482;INFO;${id(200 + n)};Max retries reached`
      for (const [type, n] of Object.entries(OTHERS)) site.simulator.sendRaw(failure(n, type))
      site.simulator.sendRaw(failure(9, 'A reload'))
      await until(() => published.some(({ payload }) => payload === 'A reload'))
      await until(() => product.rows('SELECT 1 FROM event').length === 5)
      expect(published.filter(({ topic }) => topic === 'qliksense/task_failure')).toEqual([
        { topic: 'qliksense/task_failure', payload: 'A reload' },
      ])
    } finally {
      await subscriber.endAsync(true)
      await product[Symbol.asyncDispose]()
      await Promise.all([broker.stop(), site[Symbol.asyncDispose]()])
    }
  }, 60_000)
})

test('a webhook that has answered 200 is not called again, whatever the body of its answer does', async () => {
  const [site, sink] = await Promise.all([startSite(), startHttpSink()])
  const product = await footman({ simulator: site.simulator, webhookUrl: `${sink.url}/hook` })
  try {
    await product.start()
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
    for (const [index, broken] of BROKEN_BODIES.entries()) {
      sink.answer({ broken })
      site.simulator.runTask(TASK)
      await until(() => product.rows(`SELECT 1 FROM delivery WHERE state = 'delivered'`).length === index + 1, {
        timeout: 15_000,
        what: `delivered although the body ${broken}`,
      })
    }
    expect(sink.requests).toHaveLength(BROKEN_BODIES.length)
    const attempts = product.rows<{ n: number }>('SELECT attempts AS n FROM delivery').map(({ n }) => n)
    expect(attempts).toEqual(BROKEN_BODIES.map(() => 1))
  } finally {
    await product[Symbol.asyncDispose]()
    await Promise.all([sink.stop(), site[Symbol.asyncDispose]()])
  }
}, 60_000)
