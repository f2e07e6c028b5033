/** What a node could not send while its database was away. */
import { expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { modesOf, SHORT_TIMES } from '../../support/cluster/faults.ts'
import type { ClusterNode, Tree } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

interface Hindrance {
  set(cluster: TestCluster, isOn: boolean): void
  /** The rows that wait because of it. */
  readonly sql: string
}

/** What keeps a node that is alone from sending. */
const HINDRANCES: Readonly<Record<string, Hindrance>> = {
  'receivers that refuse': {
    set({ sinks }, isOn) {
      for (const sink of Object.values(sinks)) sink.isDown = isOn
    },
    sql: `SELECT event_id FROM delivery WHERE state = 'pending' AND attempts > 0 GROUP BY event_id`,
  },
  'a Qlik Sense that does not answer': {
    set: ({ site }, isOn) => void process.kill(site.pid, isOn ? 'SIGSTOP' : 'SIGCONT'),
    sql: `SELECT id FROM event WHERE state = 'pending'`,
  },
}

for (const [what, hindrance] of Object.entries(HINDRANCES)) {
  test(`what a node could not send alone because of ${what} is sent by the node that leads afterwards`, async () => {
    await using cluster = await startCluster({ nodes: 2, start: false, cluster: SHORT_TIMES })
    const [leader, other] = cluster.nodes as [ClusterNode, ClusterNode]
    other.configure((butler) => {
      const footman = butler.footman as Tree
      return { ...butler, footman: { ...footman, cluster: { ...(footman.cluster as Tree), candidate: false } } }
    })
    await Promise.all([leader.start(), other.start()])
    await cluster.untilJoined()
    await cluster.begin()
    await cluster.postgres.kill()
    await until(async () => (await modesOf(cluster)).every((mode) => mode === 'alone'), { what: 'all to be alone' })
    hindrance.set(cluster, true)
    try {
      await cluster.send({ count: 10, perSecond: 100, to: [other] })
      await until(() => other.rows(hindrance.sql).length === 10, { what: 'alerts to wait at the other node' })
      // The leader is at work again when the other one brings what it has.
      await other.cut()
      await cluster.postgres.start()
      expect(await cluster.untilLed()).toBe(leader)
      await other.heal()
      await cluster.untilJoined()
      await untilSame(cluster.nodes)
    } finally {
      hindrance.set(cluster, false)
    }
    await cluster.untilDelivered(30_000)
    const result = cluster.report(`sent by the next leader: ${what}`)
    expect(result).toMatchObject({ wanted: 20, lost: [], repeated: 0, unlike: [] })
    await untilSame(cluster.nodes)
  }, 90_000)
}
