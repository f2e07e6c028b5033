import { test, expect } from 'bun:test'
import { startCluster } from '../test/support/cluster/cluster.ts'
test('single', async () => {
  await using cluster = await startCluster({ nodes: 1, start: false, cluster: { enable: false }, clockShifts: [300] })
  const [node] = cluster.nodes
  await node!.start()
  console.log(await (await node!.call('GET', '/v4/butlerping')).text())
  await cluster.send({ count: 200, perSecond: 400 })
  try { await cluster.untilDelivered(undefined, 8000) } catch (e) { console.log(String(e)); console.log(node!.lines.slice(-20).join('\n')) }
  console.log(cluster.accepted().size, cluster.ledger())
  console.log(cluster.sinks.mail.received.slice(0, 2), cluster.sinks.hook.received.slice(0, 2), node!.rows('SELECT received_at FROM event LIMIT 1'), Date.now())
  cluster.report('single')
}, 60000)
