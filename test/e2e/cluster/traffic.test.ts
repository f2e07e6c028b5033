/** Several nodes that all receive: one set of deliveries, whichever nodes are killed in between. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { during, killAtRandom, REPEATS_PER_END, seeded } from '../../support/cluster/faults.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { postgresPrograms } from '../../support/postgres.ts'
import { until } from '../../support/wait.ts'

describe.skipIf(!postgresPrograms())('three nodes', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  test('make one event and one set of deliveries of a message that all of them receive', async () => {
    await cluster.begin()
    const sent = await cluster.send({ count: 600, perSecond: 200 })
    await cluster.untilDelivered()
    const result = cluster.report('no fault')
    expect(result).toMatchObject({ wanted: sent.length * 2, lost: [], repeated: 0, unlike: [] })
    await untilSame(cluster.nodes)
    expect(cluster.nodes.map((node) => node.rows('SELECT 1 FROM event').length)).toEqual([600, 600, 600])
  }, 60_000)

  test('make one event of a message without execution id that all of them receive', async () => {
    const count = (node: ClusterNode) => node.rows(`SELECT 1 FROM event WHERE execution_id = ''`).length
    await cluster.send({ count: 60, perSecond: 60, withExecutionId: false })
    await until(() => cluster.nodes.every((node) => count(node) >= 60), { what: '60 events on all nodes' })
    await untilSame(cluster.nodes)
    expect(cluster.nodes.map(count)).toEqual([60, 60, 60])
  }, 60_000)

  for (const to of ['all', 'random'] as const) {
    const whom = to === 'all' ? 'all of them' : 'one of them each'
    test(`lose nothing while nodes are killed, with messages to ${whom}`, async () => {
      await cluster.begin()
      const { kills, leaders } = await during(cluster.send({ count: 720, perSecond: 60, to }), (signal) =>
        killAtRandom(cluster, seeded(to.length), signal),
      )
      await cluster.untilJoined()
      await cluster.untilDelivered()
      const ends = await cluster.takeovers()
      const result = cluster.report(`kills, to ${to}`, `${kills} kills (${leaders} of the leader), ${ends} takeovers`)
      expect(result).toMatchObject({ lost: [], unlike: [] })
      expect(result.mostCopies).toBeLessThanOrEqual(1 + ends)
      expect(result.repeated).toBeLessThanOrEqual(ends * REPEATS_PER_END)
      await untilSame(cluster.nodes)
    }, 90_000)
  }
})
