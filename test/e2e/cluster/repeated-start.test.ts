/** A start over REST that was cut short and is repeated with its `Idempotency-Key`: the task runs once. */
import { expect, test } from 'bun:test'
import { modesOf } from '../../support/cluster/faults.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { startSiteCluster } from '../../support/cluster/site-cluster.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const [CUT_SHORT, UNANSWERED] = ['70000000-0000-4000-8000-000000000001', '70000000-0000-4000-8000-000000000002']

test('a start that was answered with 504, and one without an answer of Qlik Sense, are not made twice', async () => {
  await using scene = await startSiteCluster()
  const { site, cluster, starts } = scene
  for (const task of [CUT_SHORT, UNANSWERED]) site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })
  const leader = await cluster.untilLed()
  const follower = cluster.nodes.find((node) => node !== leader)!
  const start = async (node: ClusterNode, task: string) => {
    const headers = { 'idempotency-key': `start of ${task}` }
    const answer = await node.call('POST', '/v4/reloadtask/-/start', { taskId: [task] }, headers)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  // Begun, and the answer is on its way for long.
  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1] })
  const first = start(follower, CUT_SHORT)
  await until(() => starts(CUT_SHORT) === 1, { what: 'Qlik Sense to be asked' })
  await leader.kill()
  site.simulator.clearFaults()
  expect(await first).toMatchObject({ status: 504, body: { code: 'OUTCOME_UNKNOWN' } })
  const again = await until(
    async () => {
      const answer = await start(follower, CUT_SHORT)
      return answer.status === 200 ? answer : null
    },
    { what: 'the repeat to be answered', timeout: 30_000 },
  )
  expect(again.body).toMatchObject({ totalTasksStarted: 1, tasksStarted: [{ taskId: CUT_SHORT }] })
  expect(starts(CUT_SHORT)).toBe(1)

  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'reset' })
  for (let n = 0; n < 2; n += 1) {
    const open = await start(follower, UNANSWERED)
    expect(open.status).toBe(502)
    expect(open.body).toMatchObject({ tasksFailed: [{ taskId: UNANSWERED, perhapsStarted: true }] })
    expect(starts(UNANSWERED)).toBe(1)
    site.simulator.clearFaults()
  }
}, 90_000)

test('a start that a node has made alone is not made again once the nodes are together', async () => {
  await using scene = await startSiteCluster()
  const { site, cluster, starts } = scene
  site.simulator.setTask(CUT_SHORT, { durationMs: 30, outcome: 'success' })
  site.simulator.setTask(UNANSWERED, { durationMs: 30, outcome: 'success' })
  await cluster.untilLed()
  await cluster.untilJoined()
  const start = async (node: ClusterNode, task: string) => {
    const headers = { 'idempotency-key': `alone ${task}` }
    const answer = await node.call('POST', '/v4/reloadtask/-/start', { taskId: [task] }, headers)
    await answer.body?.cancel()
    return [answer.status, answer.headers.get('idempotent-replay'), starts(task)]
  }
  const [one, other] = cluster.nodes as [ClusterNode, ClusterNode]
  await cluster.postgres.kill()
  await until(async () => (await modesOf(cluster)).every((mode) => mode === 'alone'), { timeout: 40_000 })
  expect(await start(one, CUT_SHORT)).toEqual([200, null, 1])
  expect(await start(other, UNANSWERED)).toEqual([200, null, 1])
  await cluster.postgres.start()
  await cluster.untilJoined()
  await cluster.untilLed()
  for (const node of cluster.nodes) {
    for (const task of [CUT_SHORT, UNANSWERED]) {
      await until(async () => (await start(node, task))[0] === 200, { what: 'an answer', timeout: 30_000 })
      expect(await start(node, task)).toEqual([200, 'true', 1])
    }
  }
}, 120_000)

test('a start that a node was making alone when it crashed is not made again once the nodes are together', async () => {
  await using scene = await startSiteCluster()
  const { site, cluster, starts } = scene
  site.simulator.setTask(CUT_SHORT, { durationMs: 30, outcome: 'success' })
  await cluster.untilLed()
  await cluster.untilJoined()
  const headers = { 'idempotency-key': 'cut short alone' }
  const start = (node: ClusterNode) => node.call('POST', `/v4/reloadtask/${CUT_SHORT}/start`, undefined, headers)
  const [one, other] = cluster.nodes as [ClusterNode, ClusterNode]
  await cluster.postgres.kill()
  await until(async () => (await modesOf(cluster)).every((mode) => mode === 'alone'), { timeout: 40_000 })
  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1] })
  const cut = start(one).catch(() => null)
  await until(() => starts(CUT_SHORT) === 1, { what: 'Qlik Sense to be asked' })
  await one.kill()
  site.simulator.clearFaults()
  await cut
  await cluster.postgres.start()
  await one.start()
  await cluster.untilJoined()
  await cluster.untilLed()
  for (const node of [other, one]) {
    const answer = await until(
      async () => {
        const found = await start(node)
        return found.status === 200 ? found : null
      },
      { what: 'an answer', timeout: 30_000 },
    )
    expect(await answer.json()).toMatchObject({ totalTasksStarted: 1 })
    expect(starts(CUT_SHORT)).toBe(1)
  }
}, 120_000)
