/**
 * What is to be done once, while the leader is killed between storing it and doing it, and between doing it and storing
 * that: the next leader takes it up, and nothing is done twice.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { postgresPrograms } from '../../support/postgres.ts'
import { findExecutable } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

/** Tasks of Acme. */
const TASKS = ['a8b4c123-def4-5678-9abc-def012345678', '70000000-0000-4000-8000-000000000013'] as const
const START = 'qliksense/start_task'
const RESULT = 'qliksense/start_result'
const TIMEOUT = 60_000

let site: TestSite
let cluster: TestCluster

const setUp = async (butler: Readonly<Record<string, unknown>> = {}): Promise<void> => {
  site = await startSite()
  const { certificates, ports } = site.simulator
  const { clientCert, clientCertKey, clientCertCA } = certificates
  cluster = await startCluster({
    butler: {
      cert: { clientCert, clientCertKey, clientCertCA },
      configQRS: { host: '127.0.0.1', port: ports.qrs, rejectUnauthorized: true },
      ...butler,
    },
  })
}

async function tearDown(): Promise<void> {
  await cluster?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
}

/** Rows of a table as the database shows them to the next leader. */
const stored = async <T>(table: string): Promise<T[]> =>
  (
    await cluster.database.sql<{ body: T }>('SELECT body FROM footman.replica WHERE tbl = $1 AND NOT deleted', [table])
  ).map(({ body }) => body)

/** Resolves with the next leader once it has nothing of this table left to do. */
async function takenOver(leader: ClusterNode, open: string): Promise<ClusterNode> {
  await leader.kill()
  site.simulator.clearFaults()
  const next = await cluster.untilLed({ not: leader })
  await until(() => next.rows(open).length === 0, { what: 'the next leader to have done what was left' })
  return next
}

describe.skipIf(!postgresPrograms() || findExecutable('mosquitto') === null)('an MQTT start request', () => {
  let broker: Mosquitto
  let client: MqttClient
  const answers: string[] = []
  beforeAll(async () => {
    broker = await startMosquitto()
    await setUp({
      mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port },
      footman: { mqtt: { clientId: 'footman', cleanSession: false, taskStartResultTopic: RESULT } },
    })
    client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    client.on('message', (_topic, payload) => answers.push(payload.toString()))
    await client.subscribeAsync(RESULT)
  }, 90_000)
  afterEach(() => cluster.recover(), TIMEOUT)
  afterAll(async () => {
    await client?.endAsync(true)
    await tearDown()
    await broker?.stop()
  })

  const OPEN = 'SELECT 1 FROM start_request_queue'
  /** Starts that Qlik Sense was asked for. */
  const starts = (task: string) =>
    site.simulator
      .requests({ listener: 'qrs' })
      .filter(({ method, path }) => method === 'POST' && path.includes(`${task}/start`)).length

  async function request(...tasks: readonly string[]): Promise<ClusterNode> {
    const leader = await cluster.untilLed()
    site.simulator.reset()
    site.simulator.clearRequests()
    for (const task of tasks) site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })
    answers.length = 0
    return leader
  }

  test(
    'that was stored and not carried out is carried out by the next leader',
    async () => {
      const leader = await request(TASKS[0])
      site.simulator.fault({ listener: 'qrs', match: '.', mode: 'hang' })
      const before = (await stored('start_request')).length
      await client.publishAsync(START, TASKS[0], { qos: 1 })
      await until(async () => (await stored('start_request')).length > before)
      await takenOver(leader, OPEN)
      expect(starts(TASKS[0])).toBe(1)
      await until(() => answers.length === 1, { what: 'the answer' })
      expect(JSON.parse(answers[0]!)).toMatchObject({ totalTasksStarted: 1 })
    },
    TIMEOUT,
  )

  test(
    'whose start Qlik Sense had answered and nobody had stored is not carried out again',
    async () => {
      const leader = await request(...TASKS)
      // Begun, and the answer is on its way for long.
      site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1] })
      await client.publishAsync(START, JSON.stringify({ taskId: TASKS }), { qos: 1 })
      await until(() => TASKS.every((task) => starts(task) === 1))
      await takenOver(leader, OPEN)
      await until(() => answers.length === 1, { what: 'the answer' })
      expect(JSON.parse(answers[0]!)).toMatchObject({ totalTasksStarted: 2 })
      expect(TASKS.map(starts)).toEqual([1, 1])
    },
    TIMEOUT,
  )

  test(
    'that the leader could not store any more comes from the broker again',
    async () => {
      const leader = await request(TASKS[0])
      leader.silence()
      await client.publishAsync(START, TASKS[0], { qos: 1 })
      await until(() => leader.rows(OPEN).length === 1, { what: 'the request on the disk of the leader' })
      await takenOver(leader, OPEN)
      await until(() => answers.length === 1, { what: 'the answer' })
      expect(starts(TASKS[0])).toBe(1)
    },
    TIMEOUT,
  )
})
