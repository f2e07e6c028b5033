/** What only the disk of a lost node had: Qlik Sense knows it, and the reconciler of the leader finds it there. */
import { expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { createSimClock } from '../../../simulator/clock.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { needs } from '../../support/servers.ts'
import { startSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const MINUTE = 60_000
const FAILURES = 5

/** The reconciler looks at what ended since then. */
const LOOK_FROM = `WITH h AS (UPDATE footman.head SET rev = rev + 1 RETURNING rev)
  UPDATE footman.replica SET rev = h.rev, body = body || jsonb_build_object('at', $1::float8)
    FROM h WHERE tbl = 'safety_net_mark' AND body->>'name' = 'reconciler.since' RETURNING h.rev`

function messagesIn(journal: string): number {
  const db = new DatabaseSync(journal, { readOnly: true })
  try {
    return (
      db.prepare(`SELECT count(*) AS n FROM datagram WHERE instr(raw, '/scheduler-task-failed/')`).get() as {
        n: number
      }
    ).n
  } finally {
    db.close()
  }
}

test('failures of which only a lost disk had the messages are found and alerted once', async () => {
  // Behind the clock of the nodes: what ends has ended long enough ago at once.
  await using site = await startSite({}, { clock: createSimClock({ now: Date.now() - 3 * MINUTE }) })
  await using sink = await startHttpSink()
  const { certificates, ports } = site.simulator
  const { clientCert, clientCertKey, clientCertCA } = certificates
  await using cluster = await startCluster({
    butler: {
      cert: { clientCert, clientCertKey, clientCertCA },
      configQRS: { host: '127.0.0.1', port: ports.qrs, rejectUnauthorized: true },
      footman: {
        destinations: { hook: { type: 'webhook', url: sink.url } },
        alertRoutes: [{ name: 'failures', match: { outcome: 'failed' }, to: ['hook'], limit: 'none' }],
        reconciler: { interval: '10s' },
      },
    },
  })
  const leader = await cluster.untilLed()
  const victim = cluster.nodes.find((node) => node !== leader)!
  const nextLeader = cluster.nodes.find((node) => node !== leader && node !== victim)!
  await until(async () => (await cluster.database.sql(LOOK_FROM, [Date.now() - 60 * MINUTE])).length === 1, {
    what: 'the mark of the reconciler',
  })
  await until(() => {
    const [mark] = nextLeader.rows<{ at: number }>(`SELECT at FROM safety_net_mark WHERE name = 'reconciler.since'`)
    return mark && mark.at < Date.now() - 59 * MINUTE
  })

  cluster.postgres.pause()
  site.simulator.setUdpTarget({ host: '127.0.0.1', port: victim.udpPort })
  const executions = await Promise.all(
    site.simulator.addTasks(FAILURES).map(async (task) => {
      site.simulator.setTask(task, { outcome: 'fail', durationMs: 30 })
      const ended = site.simulator.ended(task)
      const execution = site.simulator.runTask(task)
      await ended
      return execution
    }),
  )
  await until(() => messagesIn(victim.file('journal.db')) >= FAILURES, { what: 'the messages in the journal' })
  await Promise.all([victim.kill(), leader.kill()])
  cluster.postgres.resume()
  await cluster.loseDisk(victim, 'forgotten')

  await cluster.untilLed({ not: leader })
  const alerted = () => sink.requests.map(({ body }) => executions.find((id) => body.includes(id)) ?? body)
  await until(() => alerted().length >= FAILURES, { timeout: 40_000, what: 'the alerts', state: alerted })
  await Promise.all([leader.start(), victim.start()])
  await cluster.untilJoined()
  await untilSame(cluster.nodes)
  expect(alerted().toSorted()).toEqual(executions.toSorted())
  const sources = victim.rows<{ source: string }>('SELECT source FROM event')
  expect(sources).toEqual(Array.from({ length: FAILURES }, () => ({ source: 'reconciler' })))
}, 90_000)
