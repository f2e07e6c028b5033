/** An execution whose failure comes once more: after the time of repeats, and as an old copy that a node brings back. */
import { expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { sendDatagrams } from '../../support/cluster/datagrams.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const HOUR_MS = 3_600_000
const EXECUTION = 7
const LAST = 8
const REMEMBERED_S = 3

test('an execution that fails again later is a second event, and an hour-old copy of it on a node that returns is none', async () => {
  await using cluster = await startCluster({
    butler: { udpServerConfig: { deduplication: { enable: true, ttlMinutes: REMEMBERED_S / 60 } } },
  })
  const send = (first: number, nodes: readonly ClusterNode[]) =>
    sendDatagrams({ first, count: 1, perSecond: 1000, ports: () => nodes.map(({ udpPort }) => udpPort) })
  const events = (node: ClusterNode, execution: number) =>
    node.rows(`SELECT 1 FROM event WHERE execution_id = '${guidOf('execution', execution)}'`).length

  // One node has it in its journal, and ends before it can offer it.
  const leader = await cluster.untilLed()
  const away = cluster.nodes.find((node) => node !== leader) as ClusterNode
  const others = cluster.nodes.filter((node) => node !== away)
  away.silence()
  await send(EXECUTION, cluster.nodes)
  await until(() => away.accepted().has(EXECUTION))
  await away.kill()
  await until(() => others.every((node) => events(node, EXECUTION) === 1), { what: 'the first event' })
  const journal = new DatabaseSync(away.file('journal.db'))
  journal.prepare('UPDATE datagram SET received_at = received_at - ?').run(HOUR_MS)
  journal.close()

  await until(
    async () =>
      (await cluster.database.sql('SELECT 1 FROM footman.inbox WHERE expires_at < clock_timestamp()')).length === 1,
    { what: 'the end of the time of repeats' },
  )
  await send(EXECUTION, others)
  await until(() => others.every((node) => events(node, EXECUTION) === 2), { what: 'the second event' })

  await away.heal()
  await away.start()
  await cluster.untilJoined()
  // Behind the old copy in its journal.
  await send(LAST, [away])
  await until(() => cluster.nodes.every((node) => events(node, LAST) === 1), { what: 'the event after the old copy' })
  await untilSame(cluster.nodes)
  expect(cluster.nodes.map((node) => events(node, EXECUTION))).toEqual([2, 2, 2])
  const { hook, mail } = cluster.sinks
  for (const { name, received } of [hook, mail]) {
    const keys = received.filter(({ execution }) => execution === EXECUTION).map(({ key }) => key)
    expect([name, keys.length, new Set(keys).size]).toEqual([name, 2, 2])
  }
}, 60_000)
