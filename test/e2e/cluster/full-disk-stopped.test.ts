/** Nodes with a full disk are stopped: what only they have received is alerted by another node, or by themselves later. */
import { describe, expect, test } from 'bun:test'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { canMount, mountTmpfs } from '../../support/tmpfs.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const FILLER = 'filler'

/** Starts the nodes, each on a small disk; what it returns takes the disks away. */
async function onSmallDisks(cluster: TestCluster): Promise<DisposableStack> {
  const mounts = new DisposableStack()
  for (const node of cluster.nodes) mounts.defer(mountTmpfs(node.file(''), 48)!)
  for (const node of cluster.nodes) await node.start()
  await cluster.untilJoined()
  await cluster.begin()
  for (const node of cluster.nodes) {
    await until(() => statSync(node.file('footman.reserve'), { throwIfNoEntry: false }), {
      timeout: 15_000,
      what: 'room that is set aside',
    })
  }
  return mounts
}

const fill = (node: ClusterNode) =>
  expect(() => writeFileSync(node.file(FILLER), Buffer.alloc(64 << 20, 1))).toThrow('ENOSPC')

const alertedOf = (cluster: TestCluster) => new Set([...cluster.sinks.hook.received].map(({ execution }) => execution))

const linesOf = ({ lines }: ClusterNode) => lines.filter((line) => /lost message|are lost/i.test(line))

describe.skipIf(!canMount())('two nodes on small disks', () => {
  test.each(['follower', 'leader'])(
    'a %s whose disk is full is stopped: another node alerts what only that one has received',
    async (role) => {
      await using cluster = await startCluster({ nodes: 2, start: false })
      using _mounts = await onSmallDisks(cluster)
      const leader = await cluster.untilLed()
      const victim = role === 'leader' ? leader : cluster.nodes.find((node) => node !== leader)!
      fill(victim)
      // More than are handed over at a time.
      const sent = await cluster.send({ count: 250, perSecond: 10_000, to: [victim] })
      expect(await victim.stop()).toBe(0)
      await until(() => sent.every((one) => alertedOf(cluster).has(one)), {
        timeout: 30_000,
        what: 'alerts of the other node',
      })
      expect(linesOf(victim)).toEqual([])
      rmSync(victim.file(FILLER))
      await victim.start()
      await cluster.untilJoined()
      expect(await cluster.untilDelivered()).toMatchObject({ lost: [], unlike: [], repeated: 0 })
    },
    120_000,
  )

  test('without the database a node takes the room that was set aside, and its messages are alerted when it is back', async () => {
    await using cluster = await startCluster({ nodes: 2, start: false })
    using _mounts = await onSmallDisks(cluster)
    const leader = await cluster.untilLed()
    const victim = cluster.nodes.find((node) => node !== leader)!
    fill(victim)
    victim.silence()
    const sent = await cluster.send({ count: 250, perSecond: 10_000, to: [victim] })
    await victim.process.waitForLine(/Messages wait in memory/)
    expect(await victim.stop()).toBe(0)
    expect(victim.accepted()).toEqual(new Set(sent))
    expect(linesOf(victim)).toEqual([])
    rmSync(victim.file(FILLER))
    await victim.heal()
    await victim.start()
    await cluster.untilJoined()
    expect(await cluster.untilDelivered()).toMatchObject({ lost: [], unlike: [] })
    expect(sent.filter((one) => !alertedOf(cluster).has(one))).toEqual([])
  }, 120_000)
})
