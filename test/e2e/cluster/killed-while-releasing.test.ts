/** A leader that is killed while it gives licences back. */
import { describe, expect, test } from 'bun:test'
import { cluster, killLeaders, requests, site, takenOver } from '../../support/cluster/killed-leader.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'postgres')

const TIMEOUT = 60_000

killLeaders()

describe('a release of licences', () => {
  const LICENCE = 'license/professionalaccesstype/'
  const held = () => site.simulator.site.licences.professional.size
  const marks = (node: ClusterNode) =>
    new Map(
      node
        .rows<{ name: string; at: number }>(`SELECT name, at FROM safety_net_mark WHERE name LIKE '%license release%'`)
        .map(({ name, at }) => [name.split('.')[1], at]),
    )

  test(
    'is taken up by the next leaders, gives no licence back twice, and is done once',
    async () => {
      const first = await cluster.untilLed()
      await until(() => requests('GET', 'license/').length > 0, { what: 'the first question about licences' })
      // The second leader gives some back, and hangs at one.
      await first.kill()
      site.simulator.clearFaults()
      const { id } = site.simulator.site.userByName('LAB', 'hanna')!
      site.simulator.fault({ listener: 'qrs', match: `user/${id}`, mode: 'hang' })
      const second = await cluster.untilLed({ not: first })
      await until(() => requests('GET', `user/${id}`).length > 0, { what: 'the release to hang' })
      expect(held()).toBeLessThan(9)
      const third = await takenOver(second)
      await until(() => marks(third).has('done'), { what: 'the release to have ended' })
      expect(marks(third).get('done')).toBe(marks(third).get('begun')!)
      expect(held()).toBe(4)
      expect(new Set(requests('DELETE', LICENCE)).size).toBe(requests('DELETE', LICENCE).length)
    },
    TIMEOUT,
  )

  test(
    'that has ended is not begun again by the next one',
    async () => {
      const leader = await cluster.untilLed()
      await until(() => marks(leader).has('done'))
      const alerts = (node: ClusterNode) => node.rows(`SELECT id FROM event WHERE type = 'license'`).length
      await until(() => alerts(leader) > 0, { what: 'the alert about the end of the licence' })
      const before = alerts(leader)
      site.simulator.clearRequests()
      const next = await takenOver(leader)
      await until(() => next.lines.some((line) => line.includes('LICENSE RELEASE: It was done at')))
      expect(requests('GET', 'license/professionalaccesstype')).toEqual([])
      await until(() => requests('GET', 'qrs/license').length > 0, { what: 'the next leader to look at the licence' })
      await next.stop()
      expect(alerts(next)).toBe(before)
    },
    TIMEOUT,
  )
})
