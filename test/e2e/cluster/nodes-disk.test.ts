/** Nodes that lose their disk: nothing is lost but what only that disk had. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { REPEATS_PER_END } from '../../support/cluster/faults.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

describe('three nodes, of which one', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  const follower = async () => {
    const leader = await cluster.untilLed()
    return cluster.nodes.find((node) => node !== leader)!
  }

  for (const role of ['follower', 'leader'] as const) {
    test(`(a ${role}) loses its disk 2 s after its last message lose nothing`, async () => {
      await cluster.begin()
      const victim = role === 'leader' ? await cluster.untilLed() : await follower()
      await cluster.send({ count: 60, perSecond: 100, to: [victim] })
      await Bun.sleep(2000)
      await victim.kill()
      expect((await cluster.loseDisk(victim)).size).toBeGreaterThanOrEqual(60)
      if (role === 'leader') await cluster.untilLed({ not: victim })
      await cluster.untilDelivered()
      await victim.start()
      await cluster.untilJoined()
      const result = cluster.report(`disk of a ${role} lost`)
      expect(result).toMatchObject({ wanted: 120, lost: [], unlike: [] })
      expect(result.repeated).toBeLessThanOrEqual((await cluster.takeovers()) * REPEATS_PER_END)
      await untilSame(cluster.nodes)
    }, 60_000)
  }

  test('loses its disk before the database could be reached lose what only that node had', async () => {
    await cluster.begin()
    const victim = await follower()
    const others = cluster.nodes.filter((node) => node !== victim)
    cluster.postgres.pause()
    const [everybody, alone] = [
      await cluster.send({ count: 20, perSecond: 200 }),
      await cluster.send({ count: 20, perSecond: 200, to: [victim] }),
    ]
    await until(
      () => victim.accepted().has(alone.at(-1)!) && others.every((node) => node.accepted().has(everybody.at(-1)!)),
    )
    await victim.kill()
    cluster.postgres.resume()
    await cluster.loseDisk(victim, 'forgotten')
    await cluster.untilDelivered()
    await victim.start()
    await cluster.untilJoined()
    const told = new Set(cluster.sinks.hook.received.map(({ execution }) => execution))
    cluster.report('disk lost without database', `${alone.filter((one) => !told.has(one)).length} of 20 only there`)
    expect(everybody.filter((one) => !told.has(one))).toEqual([])
    expect(alone.filter((one) => told.has(one))).toEqual([])
  }, 60_000)
})
