/** Several nodes that receive lose nothing, whichever of them are killed in between. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { during, killAtRandom, REPEATS_PER_END, seeded } from '../../support/cluster/faults.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'

needs('postgres')

describe('three nodes', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  for (const to of ['all', 'random'] as const) {
    const whom = to === 'all' ? 'all of them' : 'one of them each'
    test(`lose nothing while nodes are killed, with messages to ${whom}`, async () => {
      await cluster.begin()
      const { kills, leaders } = await during(cluster.send({ count: 96, perSecond: 8, to }), (signal) =>
        killAtRandom(cluster, seeded(to.length), to, signal),
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
