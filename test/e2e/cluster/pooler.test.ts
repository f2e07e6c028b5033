/** A node that reaches the database through a pooler in transaction mode: it says so, and works all the same. */
import { expect, test } from 'bun:test'
import { startCluster } from '../../support/cluster/cluster.ts'
import type { Tree } from '../../support/cluster/node.ts'
import { startPooler } from '../../support/postgres-pooler.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

test('a node behind a pooler that loses notifications names the setting, and alerts', async () => {
  await using cluster = await startCluster({ nodes: 1, start: false })
  await using pooler = await startPooler(cluster.postgres.port)
  const [node] = cluster.nodes
  node!.configure((butler) => {
    const footman = butler.footman as Tree
    const section = { ...(footman.cluster as Tree), hosts: [`127.0.0.1:${pooler.port}`], tls: { mode: 'off' } }
    return { ...butler, footman: { ...footman, cluster: section } }
  })
  await node!.start()
  await cluster.untilLed()
  await cluster.send({ count: 20, perSecond: 100 })
  expect(await cluster.untilDelivered()).toMatchObject({ wanted: 40, lost: [], repeated: 0 })
  const complaints = () =>
    node!.process.stdout.filter((line) => /Notifications \(LISTEN\).*do not arrive.*pool_mode = session/.test(line))
  await until(() => complaints().length > 0, { what: 'the words about the pooler' })
  expect(complaints()).toHaveLength(1)
}, 60_000)
