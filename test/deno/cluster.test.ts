import { expect, test } from 'bun:test'
import { startCluster } from '../support/cluster/cluster.ts'
import { refusedServersTest } from '../support/cluster/refused-servers.ts'
import { untilSame } from '../support/cluster/same.ts'
import { denoHost } from '../support/deno.ts'
import { needs } from '../support/servers.ts'

needs('postgres')

refusedServersTest('deno run', denoHost)

test('deno run: two nodes are a cluster, and the other one leads when the leader is killed', async () => {
  await using cluster = await startCluster({ nodes: 2, host: denoHost() })
  const leader = await cluster.untilLed()
  await cluster.send({ count: 20, perSecond: 40 })
  await cluster.untilDelivered()
  await leader.kill()
  await cluster.untilLed({ not: leader })
  await cluster.send({ count: 20, perSecond: 40, to: cluster.nodes.filter((node) => node !== leader) })
  await cluster.untilDelivered()
  await leader.start()
  await cluster.untilJoined()
  await untilSame(cluster.nodes)
  const { lost } = cluster.report('under Deno')
  expect(lost).toEqual([])
}, 90_000)
