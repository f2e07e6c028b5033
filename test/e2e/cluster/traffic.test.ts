/** Several nodes that all receive make one event and one set of deliveries. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

describe('three nodes', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  test('make one event and one set of deliveries of a message that all of them receive', async () => {
    await cluster.begin()
    const sent = await cluster.send({ count: 200, perSecond: 200 })
    await cluster.untilDelivered()
    const result = cluster.report('no fault')
    expect(result).toMatchObject({ wanted: sent.length * 2, lost: [], repeated: 0, unlike: [] })
    await untilSame(cluster.nodes)
    expect(cluster.nodes.map((node) => node.rows('SELECT 1 FROM event').length)).toEqual([200, 200, 200])
  }, 60_000)

  test('make one event of a message without execution id that all of them receive', async () => {
    const count = (node: ClusterNode) => node.rows(`SELECT 1 FROM event WHERE execution_id = ''`).length
    await cluster.send({ count: 60, perSecond: 60, withExecutionId: false })
    await until(() => cluster.nodes.every((node) => count(node) >= 60), { what: '60 events on all nodes' })
    await untilSame(cluster.nodes)
    expect(cluster.nodes.map(count)).toEqual([60, 60, 60])
  }, 60_000)
})
