/** A leader whose data disk is full gives the lead away, and every way of looking at the cluster says so. */
import { expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from '../../support/binary.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { canMount, mountTmpfs } from '../../support/tmpfs.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const REASON = /(nothing can be written in its data directory: .*ENOSPC|its footman.db or journal.db cannot be written)/

test.skipIf(!canMount())(
  'a leader whose disk is full gives the lead away, and all say so; there is room, and nothing is lost',
  async () => {
    await using cluster = await startCluster({
      nodes: 2,
      start: false,
      butler: { footman: { selfAlerts: { to: ['hook'] } } },
    })
    const [full, well] = cluster.nodes as [ClusterNode, ClusterNode]
    using mounts = new DisposableStack()
    mounts.defer(mountTmpfs(full.file(''), 48)!)
    await full.start()
    await cluster.untilLed()
    await well.start()
    await cluster.untilJoined()
    await cluster.begin()
    const filler = full.file('filler')
    expect(() => writeFileSync(filler, Buffer.alloc(64 << 20, 1))).toThrow('ENOSPC')

    expect(await cluster.untilLed({ not: full })).toBe(well)
    await full.process.waitForLine(/CLUSTER This node gives the lead away: /)
    // What reaches the full node alone goes from its memory to the other one.
    const [both, alone] = [
      await cluster.send({ count: 20, perSecond: 200 }),
      await cluster.send({ count: 20, perSecond: 200, to: [full] }),
    ]
    const alerted = () => new Set(cluster.sinks.hook.received.map(({ execution }) => execution))
    await until(() => [...both, ...alone].every((execution) => alerted().has(execution)), {
      what: 'alerts of the other node',
    })
    expect((await well.call('POST', '/v4/keyvalues/spare', { key: 'a', value: '1' })).status).toBe(201)

    const health = async (node: ClusterNode) => {
      const answer = await node.call('GET', '/health')
      return [answer.status, (await answer.json()) as { checks: object; reasons?: object }] as const
    }
    expect(await health(full)).toMatchObject([503, { checks: { database: 'down' } }])
    expect((await health(well))[0]).toBe(200)

    const status = await until(async () => {
      const env = { FOOTMAN_URL: `http://127.0.0.1:${well.restPort}` }
      const answer = await runToEnd(['cluster', 'status'], { env })
      return answer.stdout.includes('cannot lead') ? answer : null
    })
    expect(status.code).toBe(0)
    expect(status.stdout).toMatch(new RegExp(`^cannot lead +${full.name}: ${REASON.source}`, 'm'))

    const file = join(well.file('..'), 'butler.yaml')
    const doctor = await runToEnd(['doctor', '-c', file, '--json', '--only', 'cluster'])
    const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string; target: string; message: string }[] }
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: 'cluster.node-unfit',
        target: full.name,
        message: expect.stringMatching(REASON),
      }),
    )
    await until(
      async () => {
        const { selfAlerts } = (await (await well.call('GET', '/v4/selfalerts')).json()) as {
          selfAlerts: { code: string; text?: string }[]
        }
        return selfAlerts.some(({ code }) => code === 'CLUSTER_NODE_UNFIT')
      },
      { what: 'a self-alert of the other node' },
    )

    rmSync(filler)
    await cluster.untilJoined()
    expect(await cluster.untilDelivered()).toMatchObject({ lost: [], unlike: [] })
  },
  60_000,
)
