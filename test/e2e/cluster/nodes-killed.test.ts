/** A leader that dies or stops: another one leads. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { REPEATS_PER_END, takeoverMs } from '../../support/cluster/faults.ts'
import { needs } from '../../support/servers.ts'
import { atMost } from '../../support/wait.ts'

needs('postgres')

const FAILOVER_MS = 10_000
const HANDOVER_MS = 2000

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

  test('(the leader) is killed have another leader within 10 s', async () => {
    await cluster.begin()
    const leader = await cluster.untilLed()
    await cluster.send({ count: 50, perSecond: 100 })
    await leader.kill()
    const [ms] = await Promise.all([takeoverMs(cluster, leader), cluster.send({ count: 50, perSecond: 10 })])
    expect(ms).toBeLessThan(atMost(FAILOVER_MS))
    await leader.start()
    await cluster.untilJoined()
    await cluster.untilDelivered()
    const result = cluster.report('leader killed', `next after ${Math.round(ms)} ms`)
    expect(result).toMatchObject({ lost: [], unlike: [] })
    expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
    expect(await cluster.takeovers()).toBe(1)
  }, 60_000)

  test('(the leader) stops cleanly have another leader within 2 s and repeat nothing', async () => {
    await cluster.begin()
    const leader = await cluster.untilLed()
    const caller = await follower()
    const calls: number[] = []
    const sending = cluster.send({ count: 100, perSecond: 20 })
    const writing = (async () => {
      for (let n = 0; n < 40; n++) {
        const body = { key: `stop-${n}`, value: 'x' }
        calls.push((await caller.call('POST', '/v4/keyvalues/handover', body)).status)
        await Bun.sleep(100)
      }
    })()
    await Bun.sleep(1000)
    const stopping = performance.now()
    const stopped = leader.stop()
    await cluster.untilLed({ not: leader })
    const [ms] = [performance.now() - stopping, await stopped]
    await Promise.all([sending, writing])
    await leader.start()
    await cluster.untilJoined()
    await cluster.untilDelivered()
    const result = cluster.report('clean stop', `next after ${Math.round(ms)} ms`)
    expect(result).toMatchObject({ lost: [], repeated: 0, unlike: [] })
    expect(ms).toBeLessThan(atMost(HANDOVER_MS))
    expect(calls.filter((status) => status !== 201)).toEqual([])
  }, 60_000)
})
