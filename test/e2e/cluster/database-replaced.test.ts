/** Three nodes whose database is put back to an earlier state, or replaced by its standby. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { during, REPEATS_PER_END, SHORT_TIMES } from '../../support/cluster/faults.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

describe('three nodes whose database', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({ cluster: SHORT_TIMES })
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  test('is put back to an earlier state add what they have and alert about nothing again', async () => {
    await cluster.begin()
    const early = await cluster.send({ count: 40, perSecond: 40 })
    await cluster.untilDelivered()
    const backup = await cluster.postgres.backup()
    const late = await cluster.send({ count: 40, perSecond: 40 })
    await cluster.untilDelivered()
    await untilSame(cluster.nodes)
    const known = new Set([...early, ...late])
    const alerts = () =>
      Object.values(cluster.sinks).flatMap(({ received }) => received.filter(({ execution }) => known.has(execution)))
    const alerted = alerts().length
    const found = () => cluster.nodes.map(({ lines }) => lines.filter((line) => /was put back/.test(line)).length)
    const takeovers = () =>
      cluster.nodes.flatMap(({ lines }) => lines.filter((line) => /takes over \(term/.test(line))).length
    const [before, leaders] = [found(), takeovers()]
    await cluster.postgres.restore(backup)
    // Until then it looks like a restart, and the leader goes on.
    await until(() => found().every((times, index) => times > before[index]!), { what: 'nodes to find it out' })
    await cluster.untilJoined()
    await cluster.send({ count: 40, perSecond: 40 })
    await cluster.untilDelivered()
    await untilSame(cluster.nodes)
    const result = cluster.report('database put back')
    expect(alerts()).toHaveLength(alerted)
    expect(result).toMatchObject({ wanted: 240, lost: [], unlike: [] })
    // One is found anew; a busy machine may change it again.
    expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END * (takeovers() - leaders - 1))
    const counts = async () => {
      const [row] = await cluster.postgres.sql<{ n: string }>(
        `SELECT count(*) AS n FROM footman.replica WHERE tbl = 'event' AND NOT deleted`,
      )
      return [Number(row?.n), cluster.nodes[0]!.rows('SELECT 1 FROM event').length]
    }
    await until(async () => new Set(await counts()).size === 1, { what: 'the same events everywhere', state: counts })
  }, 90_000)
})

test('three nodes go on at the standby when the primary is killed', async () => {
  await using cluster = await startCluster({ standby: true })
  await cluster.begin()
  await during(cluster.send({ count: 150, perSecond: 15 }), async () => {
    await Bun.sleep(2000)
    // The standby has not got the last half second.
    await cluster.postgres.holdBackStandbys()
    await Bun.sleep(500)
    await cluster.postgres.kill()
    await cluster.standby!.promote()
    cluster.database = cluster.standby!
  })
  await cluster.untilJoined()
  await cluster.untilDelivered()
  await untilSame(cluster.nodes)
  const result = cluster.report('standby promoted')
  expect(result).toMatchObject({ wanted: 300, lost: [], unlike: [] })
  expect(result.repeated).toBeLessThanOrEqual(REPEATS_PER_END)
}, 120_000)
