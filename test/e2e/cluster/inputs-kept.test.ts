/** The table of inputs in the guide of several nodes, of what no caller waits for: broker, schedules, report triggers. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { modesOf } from '../../support/cluster/faults.ts'
import { guideOf, type State, UNATTENDED } from '../../support/cluster/inputs.ts'
import { type SiteCluster, startSiteCluster } from '../../support/cluster/site-cluster.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { SALES_APP } from '../../support/report-tasks.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'postgres')

const KEPT = 'acme/kept'

let scene: SiteCluster
let broker: Mosquitto
let client: MqttClient
beforeAll(async () => {
  broker = await startMosquitto()
  scene = await startSiteCluster({
    mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port },
    scheduler: { enable: true, configfile: 'schedule.yaml' },
    footman: {
      mqtt: { clientId: 'footman', cleanSession: false, receivedTopics: [KEPT] },
      reportTask: { enable: true, baseUrl: 'https://reports.acme.example', fromAddress: 'reports@acme.example' },
    },
  })
  client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
}, 90_000)
afterAll(async () => {
  await client?.endAsync(true)
  await scene?.[Symbol.asyncDispose]()
  await broker?.stop()
})

const leaderOf = () => scene.cluster.untilLed()
const taskOf = (n: number) => `70000000-0000-4000-8000-${String(n).padStart(12, '0')}`

async function created(path: string, body: object): Promise<string> {
  const answer = await (await leaderOf()).call('POST', path, body)
  expect([path, answer.status, answer.ok ? '' : await answer.text()]).toEqual([path, 201, ''])
  return ((await answer.json()) as { id: string }).id
}

/** The body of a report task with one trigger that writes nothing: that it ran is enough. */
async function reportTask(name: string, trigger: object) {
  const blocks = [{ key: 'table', type: 'table', columns: [{ label: 'Region', expr: 'Region', kind: 'dimension' }] }]
  const reportId = await created('/v4/report', { name, appId: SALES_APP, blocks })
  return {
    name,
    enabled: true,
    reports: [{ key: 'list', reportId, format: 'csv', block: 'table' }],
    recipients: [{ type: 'address', address: 'reader@acme.example' }],
    email: { enabled: true, subject: name },
    triggers: [trigger],
  }
}

let round = 0
/** Inputs of one state; those by the clock are due after so many milliseconds. */
async function inputs(dueMs: number) {
  const n = ++round
  const [byMqtt, bySchedule] = [taskOf(2 * n - 1), taskOf(2 * n)]
  for (const task of [byMqtt, bySchedule]) scene.site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })
  const topic = `acme/report/${n}`
  const mqttReport = await created('/v4/reporttask', await reportTask(`By MQTT ${n}`, { type: 'mqtt', topic }))
  await until(() => broker.log().includes(`\t${topic} (QoS 1)`), { what: 'the subscription' })
  const scheduled = await reportTask(`By schedule ${n}`, { type: 'schedule' })
  const due = Math.ceil(Date.now() / 1000) * 1000 + dueMs
  const at = new Date(due)
  await created('/v4/schedules', {
    name: `Once ${n}`,
    cronSchedule: [
      at.getUTCSeconds(),
      at.getUTCMinutes(),
      at.getUTCHours(),
      at.getUTCDate(),
      at.getUTCMonth(),
      '*',
    ].join(' '),
    timezone: 'UTC',
    qlikSenseTaskId: bySchedule,
    startupState: 'started',
    misfirePolicy: 'runOnce',
    tags: [],
  })
  const triggers = [{ type: 'schedule', once: at.toISOString() }]
  const dueReport = await created('/v4/reporttask', { ...scheduled, triggers })

  const { nodes } = scene.cluster
  const count = (sql: string) => Math.max(...nodes.map((node) => node.rows(sql).length))
  const runs = (task: string) => count(`SELECT 1 FROM report_run WHERE task_id = '${task}'`)
  return {
    due,
    async publish() {
      await client.publishAsync('qliksense/start_task', byMqtt, { qos: 1 })
      await client.publishAsync(topic, 'now', { qos: 1 })
      await client.publishAsync(KEPT, `kept ${n}`, { qos: 1 })
    },
    /** How often each input was done by all nodes together, in the order of `UNATTENDED`. */
    done: () => [
      [scene.starts(byMqtt)],
      [runs(mqttReport), count(`SELECT 1 FROM mqtt_message WHERE CAST(payload AS TEXT) = 'kept ${n}'`)],
      [scene.starts(bySchedule)],
      [runs(dueReport)],
    ],
  }
}
type Inputs = Awaited<ReturnType<typeof inputs>>

const untilOnce = (given: Inputs) =>
  until(() => Bun.deepEquals(given.done(), [[1], [1, 1], [1], [1]]), {
    timeout: 20_000,
    what: 'all to be done once',
    state: given.done,
  })
/** The guide says of each input what begins so. */
function guideSays(state: State, beginning: RegExp): void {
  for (const input of UNATTENDED)
    expect([input, guideOf(input, state)]).toEqual([input, expect.stringMatching(beginning)])
}
/** Nothing was done by the time at which all of it was due, `while` the nodes were in that state. */
async function nothingDone(given: Inputs, holds: () => boolean | Promise<boolean>): Promise<void> {
  await given.publish()
  await until(() => Date.now() > given.due + 500, { what: 'the time at which they were due', timeout: 20_000 })
  expect([await holds(), given.done()]).toEqual([true, [[0], [0, 0], [0], [0]]])
}

test('leader and follower: done, by one of them', async () => {
  guideSays('leader', /^done(?:: acknowledged when it is stored)?$/)
  guideSays('follower', /^kept: (?:at the broker|for the leader)$/)
  const given = await inputs(4000)
  await given.publish()
  await untilOnce(given)
}, 90_000)

test('alone: kept for the next leader', async () => {
  guideSays('alone', /^kept: (?:at the broker|for the next leader(?:, by its `misfire` rule)?)$/)
  const { cluster } = scene
  const areAlone = async () => (await modesOf(cluster)).every((mode) => mode === 'alone')
  const given = await inputs(8000)
  await cluster.postgres.kill()
  await until(areAlone, { what: 'all nodes to be alone', timeout: 30_000 })
  await nothingDone(given, areAlone)
  await cluster.postgres.start()
  await untilOnce(given)
  await cluster.untilJoined()
}, 120_000)

test('leaving: kept for the next leader', async () => {
  guideSays('leaving', /^kept: (?:at the broker|for the next leader)$/)
  const { cluster } = scene
  const leader = await leaderOf()
  const other = cluster.nodes.find((node) => node !== leader)!
  expect(await other.stop()).toBe(0)
  const given = await inputs(4000)
  // What it is sending keeps it from ending.
  cluster.sinks.hook.delay = [20_000, 20_001]
  const { simulator } = scene.site
  simulator.setUdpTarget({ host: '127.0.0.1', port: leader.udpPort })
  simulator.setTask(taskOf(8), { durationMs: 10, queueMs: 0, outcome: 'fail' })
  simulator.runTask(taskOf(8))
  const sends = () => leader.rows("SELECT 1 FROM delivery WHERE destination = 'hook' AND state = 'sending'")
  await until(() => sends().length > 0, { what: 'a send' })
  const stopped = leader.stop()
  await until(async () => (await leader.call('GET', '/v4/ping').catch(() => null)) === null)
  await nothingDone(given, () => leader.isRunning)
  expect(await stopped).toBe(0)
  cluster.sinks.hook.delay = [1, 2]
  await other.start()
  await untilOnce(given)
}, 120_000)
