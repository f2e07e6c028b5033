/** What waits at nodes while their database is away, when it is back. */
import { expect, test } from 'bun:test'
import { startCluster } from '../../support/cluster/cluster.ts'
import { during, REPEATS_PER_END, SHORT_TIMES } from '../../support/cluster/faults.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

test('a node whose messages wait for Qlik Sense when the database is back loses none of them', async () => {
  await using cluster = await startCluster({ nodes: 2, cluster: SHORT_TIMES, start: false })
  // Nodes that have read the list of all tasks know each of them at once, so Qlik Sense is silent from the start.
  process.kill(cluster.site.pid, 'SIGSTOP')
  try {
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await cluster.untilJoined()
    await cluster.begin()
    const [node] = cluster.nodes as [ClusterNode]
    await cluster.postgres.kill()
    await until(async () => (await cluster.modeOf(node)) === 'alone', { what: 'the node to be alone' })
    // A hundred of a minute become events at once.
    await cluster.send({ count: 150, perSecond: 150, to: [node] })
    await until(() => node.rows('SELECT 1 FROM unverified').length > 0, { what: 'messages to wait' })
    await cluster.postgres.start()
    await cluster.untilJoined()
  } finally {
    process.kill(cluster.site.pid, 'SIGCONT')
  }
  await cluster.untilDelivered()
  const result = cluster.report('database back without Qlik Sense')
  expect(result).toMatchObject({ wanted: 300, lost: [], unlike: [] })
  expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
  await untilSame(cluster.nodes)
}, 90_000)

test('nodes that wait for the database repeat nothing but what was on its way', async () => {
  await using cluster = await startCluster({ cluster: { whenDatabaseDown: 'wait', ...SHORT_TIMES } })
  await cluster.begin()
  await during(cluster.send({ count: 120, perSecond: 8 }), async () => {
    await Bun.sleep(1000)
    await cluster.postgres.kill()
    await Bun.sleep(10_000)
    await cluster.postgres.start()
  })
  await cluster.untilJoined()
  await cluster.untilDelivered()
  const result = cluster.report('waiting for the database')
  expect(result).toMatchObject({ wanted: 240, lost: [], unlike: [] })
  expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
}, 120_000)
