/** A leader that stands still: another one leads, and the old one follows it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { REPEATS_PER_END, takeoverMs } from '../../support/cluster/faults.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { atMost, until } from '../../support/wait.ts'

needs('postgres')

const FAILOVER_MS = 10_000

describe('three nodes, of which one', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  test('(the leader) stands still for 9 s have another leader within 10 s, and the old one follows when it wakes', async () => {
    await cluster.begin()
    const leader = await cluster.untilLed()
    const sending = cluster.send({ count: 96, perSecond: 8 })
    await cluster.sinks.hook.untilReceived(cluster.sinks.hook.received.length + 10)
    leader.freeze()
    const [ms] = await Promise.all([takeoverMs(cluster, leader), Bun.sleep(9000)])
    leader.thaw()
    const woken = performance.now()
    await until(async () => (await cluster.modeOf(leader)) === 'follower', { what: 'the old leader to follow' })
    const followedMs = performance.now() - woken
    await sending
    await cluster.untilDelivered()
    const result = cluster.report(
      'leader stopped',
      `next after ${Math.round(ms)} ms, followed after ${Math.round(followedMs)} ms`,
    )
    expect(ms).toBeLessThan(atMost(FAILOVER_MS))
    // Three seconds on a machine that does nothing else.
    expect(followedMs).toBeLessThan(atMost(10_000))
    expect(result).toMatchObject({ lost: [], unlike: [] })
    expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
    expect(await cluster.takeovers()).toBe(1)
    await untilSame(cluster.nodes)
  }, 60_000)
})
