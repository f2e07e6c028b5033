/** Start requests over MQTT that come while every node works alone: the broker keeps them for the next leader. */
import { expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { modesOf } from '../../support/cluster/faults.ts'
import { startSiteCluster } from '../../support/cluster/site-cluster.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'postgres')

const START = 'qliksense/start_task'
const RESULT = 'qliksense/start_result'
const TASKS = [1, 2, 3, 4, 5].map((n) => `70000000-0000-4000-8000-${String(n).padStart(12, '0')}`)

test('are done once each when the database is back, and acknowledged by none before', async () => {
  const broker = await startMosquitto()
  await using stack = new AsyncDisposableStack()
  stack.defer(() => broker.stop())
  await using scene = await startSiteCluster({
    mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port },
    footman: { mqtt: { clientId: 'footman', cleanSession: false, taskStartResultTopic: RESULT } },
  })
  const { site, cluster, starts } = scene
  const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
  stack.defer(() => client.endAsync(true))
  const answers: { totalTasksStarted: number }[] = []
  client.on('message', (_topic, payload) => answers.push(JSON.parse(payload.toString())))
  await client.subscribeAsync(RESULT)
  for (const task of TASKS) site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })

  await cluster.postgres.kill()
  await until(async () => (await modesOf(cluster)).every((mode) => mode === 'alone'), { what: 'all nodes to be alone' })
  for (const { name } of cluster.nodes) {
    await until(() => broker.log().includes(` as footman-${name} `), { what: `${name} to connect under its own name` })
  }
  const before = broker.log().length
  for (const task of TASKS) await client.publishAsync(START, task, { qos: 1 })
  // When it has come back, the broker has passed on what came before.
  await client.publishAsync(RESULT, '{"totalTasksStarted": 0}', { qos: 1 })
  await until(() => answers.length === 1, { what: 'the message of the test' })
  const meanwhile = broker.log().slice(before)
  expect(meanwhile).not.toMatch(/Received PUBACK from footman|Sending PUBLISH to footman|already connected/)
  expect(TASKS.map(starts)).toEqual(TASKS.map(() => 0))

  await cluster.postgres.start()
  await until(() => answers.length === TASKS.length + 1, { what: 'an answer to each request', timeout: 30_000 })
  await cluster.untilJoined()
  expect(answers.map(({ totalTasksStarted }) => totalTasksStarted).toSorted()).toEqual([0, ...TASKS.map(() => 1)])
  expect(TASKS.map(starts)).toEqual(TASKS.map(() => 1))
}, 90_000)
