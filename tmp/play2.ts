import { startCluster } from '../test/support/cluster/cluster.ts'
await using cluster = await startCluster({ nodes: 3 })
const victim = process.argv[2] === 'follower' ? cluster.nodes.find(async n => n !== await cluster.leader())! : (await cluster.leader())!
await cluster.send({ count: 10 }); await cluster.untilDelivered()
await victim.kill(); victim.deleteData()
await cluster.untilLed({ not: victim })
const n = victim.lines.length
try { await victim.start(); await Bun.sleep(500)
await cluster.untilJoined(15000) } catch (e) { console.log(String(e)) }
console.log(victim.name, victim.isRunning); console.log(victim.lines.slice(n).filter(l => !/GET .v4.cluster/.test(l)).slice(-14).join('\n'))
