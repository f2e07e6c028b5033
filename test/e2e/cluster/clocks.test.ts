/** Nodes whose wall clocks are wrong. */
import { expect, test } from 'bun:test'
import { startCluster } from '../../support/cluster/cluster.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { atMost, until } from '../../support/wait.ts'

needs('postgres', 'gcc')

const WRONG_S = [0, 300, -300]
const TTL_MS = 3000
const cannot = process.platform !== 'linux'

test.skipIf(cannot)(
  'nodes whose clocks are five minutes off lead, limit and forget like the others',
  async () => {
    await using cluster = await startCluster({ clockShifts: WRONG_S })
    await cluster.begin()
    const led = new Set<string>()
    while (led.size < cluster.nodes.length) {
      const leader = await cluster.untilLed()
      if (!led.has(leader.name)) {
        await cluster.send({ count: 40, perSecond: 40 })
        await cluster.untilDelivered()
        const running = cluster.nodes.filter(({ isRunning }) => isRunning)
        const pairs = running.map(async (node) => {
          const key = `${leader.name}-${node.name}`
          expect((await node.call('POST', '/v4/keyvalues/clocks', { key, value: 'x', ttl: TTL_MS })).status).toBe(201)
          const stored = performance.now()
          const exists = (reader: typeof node) =>
            reader
              .call('GET', `/v4/keyvalues/clocks/keyexists?key=${key}`)
              .then(async (answer) => ((await answer.json()) as { keyExists: boolean }).keyExists)
          for (const reader of running) expect([reader.name, await exists(reader)]).toEqual([reader.name, true])
          await until(async () => !(await exists(node)), { timeout: 3 * TTL_MS, what: 'the pair to expire' })
          return performance.now() - stored
        })
        for (const ms of await Promise.all(pairs)) {
          expect(ms).toBeGreaterThan(TTL_MS - 1500)
          expect(ms).toBeLessThan(atMost(TTL_MS + 2500))
        }
        led.add(leader.name)
      }
      // Those that have led stay away until each has had its turn.
      if (led.size < cluster.nodes.length) await leader.stop()
    }
    await cluster.recover()
    await untilSame(cluster.nodes)
    const now = Date.now()
    const times = cluster.nodes[0]!.rows<{ at: number }>('SELECT received_at AS at FROM event')
    const farthest = Math.max(...times.map(({ at }) => Math.abs(now - at)))
    const result = cluster.report(
      'clocks',
      `led: ${[...led].join(', ')}; farthest event ${Math.round(farthest)} ms ago`,
    )
    expect(result).toMatchObject({ wanted: 240, lost: [], repeated: 0, unlike: [] })
    expect(farthest).toBeLessThan(120_000)
  },
  120_000,
)

/** Between the creation of the schedule and its time: the other leader has begun by then, and the old one runs on. */
