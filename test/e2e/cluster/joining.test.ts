/** Nodes that join, leave and go on alone; newer versions beside older ones; servers that must not be trusted. */
import { expect, test } from 'bun:test'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode, Tree } from '../../support/cluster/node.ts'
import { refusedServersTest } from '../../support/cluster/refused-servers.ts'
import { sharedRows, untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const switched = (enable: boolean) => (butler: Tree) => {
  const footman = butler.footman as Tree
  return { ...butler, footman: { ...footman, cluster: { ...(footman.cluster as Tree), enable } } }
}

test('a single node becomes a cluster, and single again, with everything', async () => {
  await using cluster = await startCluster({ nodes: 2, start: false })
  const [first, second] = cluster.nodes as [ClusterNode, ClusterNode]
  first.configure(switched(false))
  await first.start()
  await cluster.send({ count: 150, perSecond: 300, to: [first] })
  await cluster.untilDelivered()
  for (let n = 0; n < 50; n++) await first.call('POST', '/v4/keyvalues/moved', { key: `k${n}`, value: `v${n}` })
  await first.call('POST', '/v4/snoozes', { match: { taskId: [guidOf('task', 499)] }, for: '1h', reason: 'test' })
  await until(() => first.rows(`SELECT 1 FROM delivery WHERE state <> 'delivered'`).length === 0)
  expect(await first.stop()).toBe(0)
  const before = sharedRows(first)
  expect([before.event?.length, before.kv?.length, before.snooze?.length]).toEqual([150, 50, 1])

  first.configure(switched(true))
  await first.start()
  await cluster.untilJoined()
  await second.start()
  await cluster.untilJoined()
  await untilSame(cluster.nodes)
  expect(sharedRows(second)).toEqual(before)
  expect(await second.call('GET', '/v4/keyvalues/moved?key=k7').then((answer) => answer.json())).toMatchObject({
    value: 'v7',
  })

  expect(await first.stop()).toBe(0)
  expect(await second.stop()).toBe(0)
  second.configure(switched(false))
  await cluster.postgres.kill()
  await second.start()
  expect(await second.call('GET', '/v4/keyvalues/moved?key=k8').then((answer) => answer.json())).toMatchObject({
    value: 'v8',
  })
  expect(sharedRows(second)).toEqual(before)
  expect((await second.call('POST', '/v4/keyvalues/moved', { key: 'after', value: 'x' })).status).toBe(201)
  const { lost, repeated } = cluster.report('single, cluster, single')
  expect([lost, repeated]).toEqual([[], 0])
}, 120_000)

test('a single node whose messages wait for Qlik Sense brings them when it joins', async () => {
  await using cluster = await startCluster({ nodes: 2, start: false })
  const [first, second] = cluster.nodes as [ClusterNode, ClusterNode]
  second.configure(switched(false))
  await Promise.all([first.start(), second.start()])
  await cluster.untilLed()
  process.kill(cluster.site.pid, 'SIGSTOP')
  try {
    // A hundred of a minute become events at once.
    await cluster.send({ count: 150, perSecond: 150, to: [second] })
    await until(() => second.rows('SELECT 1 FROM unverified').length >= 50, { what: 'messages to wait' })
    expect(await second.stop()).toBe(0)
    second.configure(switched(true))
    await second.start()
    await cluster.untilJoined()
  } finally {
    process.kill(cluster.site.pid, 'SIGCONT')
  }
  await cluster.untilDelivered()
  const result = cluster.report('joined without Qlik Sense')
  expect(result).toMatchObject({ wanted: 300, lost: [], repeated: 0, unlike: [] })
  await untilSame(cluster.nodes)
}, 90_000)

test('columns and tables of a newer version survive the writes of this one', async () => {
  await using cluster = await startCluster({ nodes: 2 })
  const leader = await cluster.untilLed()
  const [follower] = cluster.nodes.filter((node) => node !== leader)
  await follower!.call('POST', '/v4/keyvalues/newer', { key: 'pair', value: 'old' })
  const { sql } = cluster.postgres
  const pair = `tbl = 'kv' AND body->>'key' = 'pair'`
  // A newer node has stored a column more, and a row of a table that this version does not know.
  await sql(`UPDATE footman.head SET rev = rev + 2`)
  await sql(
    `UPDATE footman.replica SET body = body || '{"invented_later": 7}', rev = (SELECT rev - 1 FROM footman.head), node = 'newer' WHERE ${pair}`,
  )
  await sql(`INSERT INTO footman.replica (tbl, key, rev, epoch, node, body)
    SELECT 'invented_table', 'x', rev, 1, 'newer', '{"a": 1}' FROM footman.head`)
  await sql(`SELECT pg_notify('footman_rev', rev::text) FROM footman.head`)
  expect((await follower!.call('POST', '/v4/keyvalues/newer', { key: 'pair', value: 'new' })).status).toBe(201)
  const [row] = await sql<{ body: Tree }>(`SELECT body FROM footman.replica WHERE ${pair}`)
  expect(row?.body).toMatchObject({ invented_later: 7, value: 'new' })
  const unknown = await sql(`SELECT body FROM footman.replica WHERE tbl = 'invented_table'`)
  expect(unknown).toEqual([{ body: { a: 1 } }])
  await cluster.send({ count: 40, perSecond: 40 })
  await cluster.untilDelivered()
  await untilSame(cluster.nodes)
}, 90_000)

refusedServersTest('compiled')
