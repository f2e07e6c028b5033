import { startCluster } from '../test/support/cluster/cluster.ts'
await using cluster = await startCluster({ nodes: 1, start: false, cluster: { enable: false } })
const [n] = cluster.nodes; await n!.start()
await cluster.send({ count: 5, perSecond: 200, withExecutionId: false })
await Bun.sleep(8000)
console.log(cluster.sinks.hook.all, n!.rows('select state, reason, execution_id, count(*) n from event group by 1,2,3'))
console.log(n!.lines.slice(-10).join('\n'))
