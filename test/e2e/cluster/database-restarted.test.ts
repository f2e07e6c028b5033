/** Three nodes whose database is restarted, or stands still for longer than a lease. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { during, modesOf, pauseFor, REPEATS_PER_END, SHORT_TIMES } from '../../support/cluster/faults.ts'
import { needs } from '../../support/servers.ts'
import { atMost } from '../../support/wait.ts'

needs('postgres')

describe('three nodes whose database', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({ cluster: SHORT_TIMES })
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  const modes = () => modesOf(cluster)

  test('is restarted three times go on without a repeat', async () => {
    await cluster.begin()
    const leader = await cluster.untilLed()
    const seen = new Set<string | null>()
    await during(cluster.send({ count: 180, perSecond: 15 }), async (signal) => {
      for (const mode of ['immediate', 'fast', 'immediate'] as const) {
        await pauseFor(2500, signal)
        await cluster.postgres.restart(mode)
        for (const mode of await modes()) seen.add(mode)
      }
    })
    await cluster.untilDelivered()
    const result = cluster.report('restarts of the database', `modes seen: ${[...seen].join(', ')}`)
    expect(result).toMatchObject({ wanted: 360, lost: [], repeated: 0, unlike: [] })
    expect(seen.has('alone')).toBe(false)
    expect(await cluster.untilLed()).toBe(leader)
  }, 60_000)

  test('stands still for longer than a lease lose nothing and have the same leader again within 3 s', async () => {
    await cluster.begin()
    let backMs = 0
    await during(cluster.send({ count: 120, perSecond: 15 }), async () => {
      await Bun.sleep(1000)
      cluster.postgres.pause()
      await Bun.sleep(4500)
      cluster.postgres.resume()
      const resumed = performance.now()
      await cluster.untilLed()
      backMs = performance.now() - resumed
    })
    await cluster.untilDelivered()
    const result = cluster.report('database paused 4.5 s', `leader after ${Math.round(backMs)} ms`)
    expect(result).toMatchObject({ wanted: 240, lost: [], unlike: [] })
    expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
    expect(backMs).toBeLessThan(atMost(3000))
  }, 60_000)
})
