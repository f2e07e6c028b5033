import { startCluster } from '../test/support/cluster/cluster.ts'
await using cluster = await startCluster({ nodes: 3, postgres: { settings: { log_min_duration_statement: '0', log_line_prefix: '%m %a ' } } })
await cluster.begin()
console.log('leader', (await cluster.leader())?.name, process.uptime())
const cpu=()=>[...cluster.nodes.map(n=>n.process.pid),process.pid].map(p=>{const f=require('fs').readFileSync(`/proc/${p}/stat`,'utf8').split(') ')[1].split(' ');return Number(f[11])+Number(f[12])});const c0=cpu();
await cluster.send({ count: Number(process.argv[2] ?? 50), perSecond: 200 })
try { await cluster.untilDelivered(10000) } catch (e) { console.log(String(e)) }
cluster.report('play'); console.log('cpu ticks', cpu().map((c,i)=>c-c0[i]))
for (const n of cluster.nodes) { console.log('=====', n.name); console.log(n.lines.filter(l => /warn|error|CLUSTER|NOTIFY|EVENT/i.test(l) && !/GET .v4.cluster/.test(l)).slice(0, 40).join('\n').slice(0, 6000)) }
console.log(await cluster.database.sql('select count(*), count(settled_rev) as settled from footman.inbox'))
console.log(await cluster.database.sql('select tbl, count(*) from footman.replica group by tbl'))
console.log(await cluster.database.sql('select * from footman.leadership'))
const l = await cluster.leader()
console.log(l?.rows('select state, reason, count(*) n from event group by 1,2'), l?.rows('select state, count(*) n from delivery group by 1'))
console.log(cluster.postgres.log().slice(-200000))
