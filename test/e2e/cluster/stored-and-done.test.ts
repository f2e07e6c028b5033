/**
 * What is to be done once, while the leader is killed between storing it and doing it, and between doing it and storing
 * that: the next leader takes it up, and nothing is done twice.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../../support/cluster/database-proxy.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { postgresPrograms } from '../../support/postgres.ts'
import { SALES_APP } from '../../support/report-tasks.ts'
import { findExecutable } from '../../support/servers.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../../support/smtp-sink.ts'
import { until } from '../../support/wait.ts'

/** Tasks of Acme. */
const TASKS = ['a8b4c123-def4-5678-9abc-def012345678', '70000000-0000-4000-8000-000000000013'] as const
const START = 'qliksense/start_task'
const RESULT = 'qliksense/start_result'
const REPORT_TOPIC = 'acme/report'
const TIMEOUT = 60_000
const ON = { enable: true }

describe.skipIf(!postgresPrograms() || findExecutable('mosquitto') === null)('when the leader is killed', () => {
  let site: TestSite
  let broker: Mosquitto
  let wayToBroker: DatabaseProxy
  let mailbox: SmtpSink
  let cluster: TestCluster
  let client: MqttClient
  const answers: string[] = []

  beforeAll(async () => {
    ;[site, broker, mailbox] = await Promise.all([startSite(), startMosquitto(), startSmtpSink()])
    wayToBroker = await startDatabaseProxy(broker.port)
    const { certificates, ports } = site.simulator
    const { clientCert, clientCertKey, clientCertCA } = certificates
    const headers = { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] }
    // The first leader gets no further with the licences.
    site.simulator.fault({ listener: 'qrs', match: 'license/', mode: 'hang' })
    cluster = await startCluster({
      butler: {
        cert: { clientCert, clientCertKey, clientCertCA },
        configQRS: { host: '127.0.0.1', port: ports.qrs, rejectUnauthorized: true },
        configEngine: { host: '127.0.0.1', port: ports.engine, rejectUnauthorized: true, headers },
        mqttConfig: { ...ON, brokerHost: '127.0.0.1', brokerPort: wayToBroker.port },
        emailNotification: { smtp: { host: '127.0.0.1', port: mailbox.port, tls: { requireTLS: false } } },
        qlikSenseLicense: {
          serverLicenseMonitor: { ...ON, alert: { thresholdDays: 100_000 } },
          licenseRelease: { ...ON, dryRun: false, licenseType: { analyzer: { enable: false } } },
        },
        footman: {
          mqtt: { clientId: 'footman', cleanSession: false, taskStartResultTopic: RESULT },
          reportTask: { ...ON, baseUrl: 'https://reports.acme.example', fromAddress: 'reports@acme.example' },
        },
      },
    })
    client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    client.on('message', (_topic, payload) => answers.push(payload.toString()))
    await client.subscribeAsync(RESULT)
  }, 90_000)
  afterEach(async () => {
    site.simulator.clearFaults()
    mailbox.answer({})
    await cluster.recover()
  }, TIMEOUT)
  afterAll(async () => {
    await client?.endAsync(true)
    await cluster?.[Symbol.asyncDispose]()
    await wayToBroker?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), broker?.stop(), mailbox?.stop()])
  })

  /** Rows of a table as the database shows them to the next leader. */
  const stored = async (table: string): Promise<number> =>
    (await cluster.database.sql('SELECT 1 FROM footman.replica WHERE tbl = $1 AND NOT deleted', [table])).length
  const requests = (method: string, part: string): string[] =>
    site.simulator
      .requests({ listener: 'qrs' })
      .filter((one) => one.method === method && one.path.includes(part))
      .map(({ path }) => path)

  /** Resolves with the next leader; Qlik Sense is well again when it begins. */
  async function takenOver(leader: ClusterNode): Promise<ClusterNode> {
    await leader.kill()
    site.simulator.clearFaults()
    return cluster.untilLed({ not: leader })
  }

  describe('a release of licences', () => {
    const LICENCE = 'license/professionalaccesstype/'
    const held = () => site.simulator.site.licences.professional.size
    const marks = (node: ClusterNode) =>
      new Map(
        node
          .rows<{ name: string; at: number }>(
            `SELECT name, at FROM safety_net_mark WHERE name LIKE '%license release%'`,
          )
          .map(({ name, at }) => [name.split('.')[1], at]),
      )

    test(
      'is taken up by the next leaders, gives no licence back twice, and is done once',
      async () => {
        const first = await cluster.untilLed()
        await until(() => requests('GET', 'license/').length > 0, { what: 'the first question about licences' })
        // The second leader gives some back, and hangs at one.
        await first.kill()
        site.simulator.clearFaults()
        const { id } = site.simulator.site.userByName('LAB', 'hanna')!
        site.simulator.fault({ listener: 'qrs', match: `user/${id}`, mode: 'hang' })
        const second = await cluster.untilLed({ not: first })
        await until(() => requests('GET', `user/${id}`).length > 0, { what: 'the release to hang' })
        expect(held()).toBeLessThan(9)
        const third = await takenOver(second)
        await until(() => marks(third).has('done'), { what: 'the release to have ended' })
        expect(marks(third).get('done')).toBe(marks(third).get('begun')!)
        expect(held()).toBe(4)
        expect(new Set(requests('DELETE', LICENCE)).size).toBe(requests('DELETE', LICENCE).length)
      },
      TIMEOUT,
    )

    test(
      'that has ended is not begun again by the next one',
      async () => {
        const leader = await cluster.untilLed()
        await until(() => marks(leader).has('done'))
        const alerts = (node: ClusterNode) => node.rows(`SELECT id FROM event WHERE type = 'license'`).length
        await until(() => alerts(leader) > 0, { what: 'the alert about the end of the licence' })
        const before = alerts(leader)
        site.simulator.clearRequests()
        const next = await takenOver(leader)
        await until(() => next.lines.some((line) => line.includes('LICENSE RELEASE: It was done at')))
        expect(requests('GET', 'license/professionalaccesstype')).toEqual([])
        await until(() => requests('GET', 'qrs/license').length > 0, { what: 'the next leader to look at the licence' })
        await next.stop()
        expect(alerts(next)).toBe(before)
      },
      TIMEOUT,
    )
  })

  describe('an MQTT start request', () => {
    const OPEN = 'SELECT 1 FROM start_request_queue'
    /** Starts that Qlik Sense was asked for. */
    const starts = (task: string) => requests('POST', `${task}/start`).length

    async function leaderFor(...tasks: readonly string[]): Promise<ClusterNode> {
      const leader = await cluster.untilLed()
      site.simulator.reset()
      site.simulator.clearRequests()
      for (const task of tasks) site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })
      answers.length = 0
      return leader
    }
    async function answer(next: ClusterNode): Promise<object> {
      await until(() => answers.length === 1, { what: 'the answer' })
      await until(() => next.rows(OPEN).length === 0, { what: 'the request to be done' })
      return JSON.parse(answers[0]!) as object
    }

    test(
      'that was stored and not carried out is carried out by the next leader',
      async () => {
        const leader = await leaderFor(TASKS[0])
        site.simulator.fault({ listener: 'qrs', match: '.', mode: 'hang' })
        const before = await stored('start_request')
        await client.publishAsync(START, TASKS[0], { qos: 1 })
        await until(async () => (await stored('start_request')) > before)
        expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 1 })
        expect(starts(TASKS[0])).toBe(1)
      },
      TIMEOUT,
    )

    test(
      'whose start Qlik Sense had made and nobody had stored is not carried out again',
      async () => {
        const leader = await leaderFor(...TASKS)
        // Begun, and the answer is on its way for long.
        site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1] })
        await client.publishAsync(START, JSON.stringify({ taskId: TASKS }), { qos: 1 })
        await until(() => TASKS.every((task) => starts(task) === 1))
        expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 2 })
        expect(TASKS.map(starts)).toEqual([1, 1])
      },
      TIMEOUT,
    )

    test(
      'that could not be stored any more comes from the broker again',
      async () => {
        const leader = await leaderFor(TASKS[0])
        leader.silence()
        await client.publishAsync(START, TASKS[0], { qos: 1 })
        await until(() => leader.rows(OPEN).length === 1, { what: 'the request on the disk of the leader' })
        expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 1 })
        expect(starts(TASKS[0])).toBe(1)
      },
      TIMEOUT,
    )
  })

  describe('a message that triggers a report', () => {
    const created = async (path: string, body: object): Promise<string> => {
      const answer = await cluster.nodes[0]!.call('POST', path, body)
      expect([path, answer.status, answer.ok ? '' : await answer.text()]).toEqual([path, 201, ''])
      return ((await answer.json()) as { id: string }).id
    }
    beforeAll(async () => {
      const columns = [
        { label: 'Region', expr: 'Region', kind: 'dimension' },
        { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
      ]
      const blocks = [{ key: 'table', type: 'table', columns }]
      const reportId = await created('/v4/report', { project: 'Sales', name: 'Regions', appId: SALES_APP, blocks })
      await created('/v4/reporttask', {
        ...{ project: 'Sales', name: 'Regions', enabled: true },
        reports: [{ key: 'pack', reportId, format: 'csv', block: 'table' }],
        recipients: [{ type: 'address', address: 'reader@acme.example' }],
        email: { enabled: true, subject: 'Regions' },
        triggers: [{ type: 'mqtt', topic: REPORT_TOPIC }],
      })
      await until(() => broker.log().includes(`\t${REPORT_TOPIC} (QoS 1)`), { what: 'the subscription' })
    }, TIMEOUT)

    const runs = (node: ClusterNode) =>
      node.rows<{ state: string; reason: string | null }>('SELECT state, reason FROM report_run ORDER BY id')
    async function publish(): Promise<readonly [leader: ClusterNode, before: number]> {
      mailbox.mails.length = 0
      const leader = await cluster.untilLed()
      const before = runs(leader).length
      await client.publishAsync(REPORT_TOPIC, 'now', { qos: 1 })
      return [leader, before]
    }
    const ended = (node: ClusterNode, count: number) =>
      until(() => runs(node).length >= count && runs(node).every(({ state }) => state === 'finished') && runs(node), {
        what: 'the runs to have ended',
        state: () => runs(node),
      })

    test(
      'is carried out by the next leader, when its run was stored',
      async () => {
        site.simulator.fault({ listener: 'engine', mode: 'engine-stall', args: ['GetHyperCubeData'] })
        const [leader, before] = await publish()
        await until(async () => (await stored('report_run')) > before, { what: 'the run in the database' })
        const next = await takenOver(leader)
        expect(await ended(next, before + 1)).toHaveLength(before + 1)
        expect(mailbox.mails).toHaveLength(1)
      },
      TIMEOUT,
    )

    test(
      'sends no second mail, when the mail server had the first and nobody had stored that',
      async () => {
        mailbox.answer({ silent: true })
        const [leader, before] = await publish()
        await mailbox.received(1)
        await leader.kill()
        mailbox.answer({})
        const next = await takenOver(leader)
        const all = await ended(next, before + 1)
        expect(all.slice(before)).toEqual([{ state: 'finished', reason: 'MAIL_UNKNOWN' }])
        expect(mailbox.mails).toHaveLength(1)
      },
      TIMEOUT,
    )

    test(
      'starts one run, when the broker delivers it again because its acknowledgement was lost',
      async () => {
        const deliveries = (packet: 'd0' | 'd1') =>
          broker
            .log()
            .split('\n')
            .filter((line) => line.includes(`PUBLISH to footman (${packet}`) && line.includes(REPORT_TOPIC))
        const delivered = deliveries('d0').length
        // Nothing can be stored, and so nothing acknowledged, before the way to the broker is gone.
        ;(await cluster.untilLed()).silence()
        const [leader, before] = await publish()
        await until(() => deliveries('d0').length > delivered)
        await until(() => leader.lines.some((line) => line.includes(`Message received. Topic: ${REPORT_TOPIC}`)))
        wayToBroker.silence()
        await leader.heal()
        await until(async () => (await stored('report_run')) > before, { what: 'the run in the database' })
        await leader.kill()
        await wayToBroker.cut()
        await wayToBroker.heal()
        const next = await takenOver(leader)
        await until(() => deliveries('d1').length > 0, { what: 'the message to be delivered again' })
        expect(await ended(next, before + 1)).toHaveLength(before + 1)
        expect(mailbox.mails).toHaveLength(1)
      },
      TIMEOUT,
    )
  })
})
