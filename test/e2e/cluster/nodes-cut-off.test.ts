/** A leader that is cut off from the database: another one leads, and the old one alerts alone until it follows. */
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

  test('(the leader) cannot reach the database for 16 s have another leader within 10 s; it alerts alone and returns', async () => {
    await cluster.begin()
    const leader = await cluster.untilLed()
    const sending = cluster.send({ count: 160, perSecond: 8 })
    await cluster.sinks.hook.untilReceived(cluster.sinks.hook.received.length + 10)
    leader.silence()
    const silent = performance.now()
    const ms = await takeoverMs(cluster, leader)
    await until(async () => (await cluster.modeOf(leader)) === 'alone', { what: 'the old leader to be alone' })
    const aloneMs = performance.now() - silent
    await Bun.sleep(Math.max(0, 16_000 - (performance.now() - silent)))
    await leader.heal()
    const healed = performance.now()
    await until(async () => (await cluster.modeOf(leader)) === 'follower', { what: 'the old leader to follow' })
    const back = performance.now() - healed
    await sending
    await cluster.untilDelivered()
    const result = cluster.report(
      'leader cut off',
      `next after ${Math.round(ms)} ms, alone after ${Math.round(aloneMs)} ms, back after ${Math.round(back)} ms`,
    )
    expect(ms).toBeLessThan(atMost(FAILOVER_MS))
    expect(result).toMatchObject({ lost: [], unlike: [] })
    // One repeat for each message of that time and receiver, and what was on its way.
    expect(result.repeated).toBeLessThanOrEqual(2 * 8 * 17 + REPEATS_PER_END)
    expect(result.mostCopies).toBeLessThanOrEqual(2)
    await untilSame(cluster.nodes)
  }, 90_000)
})
