/** A leader that cannot reach the repository hands the lead to a node that can; every node asks for itself. */
import { expect, test } from 'bun:test'
import { lacksOf } from '../../../src/cluster/fitness.ts'
import type { NodeInfo } from '../../../src/cluster/types.ts'
import { runToEnd } from '../../support/binary.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../../support/cluster/database-proxy.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

test('an idle leader whose repository is cut off leads no longer; a follower that is cut off takes no lead', async () => {
  await using cluster = await startCluster({ nodes: 2, start: false })
  await using ways = new AsyncDisposableStack()
  const toRepository = new Map<ClusterNode, DatabaseProxy>()
  for (const node of cluster.nodes) {
    const way = ways.use(await startDatabaseProxy(cluster.site.qrsPort))
    toRepository.set(node, way)
    node.configure((butler) => ({ ...butler, configQRS: { ...(butler.configQRS as object), port: way.port } }))
  }
  const [one, other] = cluster.nodes as [ClusterNode, ClusterNode]
  await one.start()
  expect(await cluster.untilLed()).toBe(one)
  await other.start()
  await cluster.untilJoined()
  // By the API: a command for each question would cost more than the nodes.
  const lacking = async () => {
    const { nodes } = (await (await one.call('GET', '/v4/cluster')).json()) as { nodes: NodeInfo[] }
    return nodes
      .filter(({ health }) => /it cannot reach the repository/.test(lacksOf(health).repository ?? ''))
      .map(({ name }) => name)
  }
  const listed = async () => {
    const { stdout } = await runToEnd(['cluster', 'status'], {
      env: { FOOTMAN_URL: `http://127.0.0.1:${one.restPort}` },
    })
    const [line = ''] = /^cannot lead .*/m.exec(stdout) ?? []
    return [...line.matchAll(/(\S+): it cannot reach the repository/g)].map(([, name]) => name)
  }

  await toRepository.get(other)!.cut()
  await until(async () => (await lacking()).includes(other.name), { what: 'the follower to say so', timeout: 40_000 })
  expect(await listed()).toContain(other.name)
  await toRepository.get(one)!.cut()
  await until(async () => (await lacking()).length === 2, { what: 'both to say so', timeout: 40_000 })
  expect(await listed()).toHaveLength(2)
  await toRepository.get(other)!.heal()
  expect(await cluster.untilLed({ not: one, timeout: 90_000 })).toBe(other)
  expect(await listed()).toEqual([one.name])
  await one.process.waitForLine(/CLUSTER This node gives the lead away: it cannot reach the repository of Qlik Sense/)

  await cluster.begin()
  await cluster.send({ count: 20, perSecond: 200, to: [one] })
  await cluster.untilDelivered()
  await toRepository.get(one)!.heal()
  await until(async () => (await lacking()).length === 0, { what: 'all to be well', timeout: 40_000 })
  expect(await listed()).toEqual([])
  expect(cluster.ledger()).toMatchObject({ lost: [], repeated: 0 })
}, 240_000)
