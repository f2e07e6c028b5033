/** A database that answers and takes no writes: full, or read-only. It counts as away, for the nodes that find it so. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { runToEnd } from '../../support/binary.ts'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

type Sql = TestCluster['database']['sql']

/** As a server whose disk is full; `whom` = a condition on the session. */
async function fillDisk(sql: Sql, whom: string): Promise<void> {
  await sql(`CREATE FUNCTION footman.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF ${whom} THEN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END IF;
    RETURN NEW; END $$`)
  const tables = await sql<{ name: string }>(`SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'footman'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`)
  for (const { name } of tables)
    await sql(
      `CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON footman.${name} FOR EACH ROW EXECUTE FUNCTION footman.full_disk()`,
    )
}

const endSessions = (sql: Sql) =>
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'footman/%'")
const database = async (sql: Sql) => (await sql<{ name: string }>('SELECT current_database() AS name'))[0]!.name

test.each<[string, (sql: Sql) => Promise<unknown>, (sql: Sql) => Promise<unknown>, readonly string[]]>([
  [
    'read-only',
    async (sql) => {
      await sql(`ALTER DATABASE ${await database(sql)} SET default_transaction_read_only = on`)
      await endSessions(sql)
    },
    async (sql) => {
      await sql(`ALTER DATABASE ${await database(sql)} RESET default_transaction_read_only`, [], 'postgres')
      await endSessions(sql)
    },
    ['qs-a', 'qs-b'],
  ],
  ['full', (sql) => fillDisk(sql, 'true'), (sql) => sql('DROP FUNCTION footman.full_disk CASCADE'), ['qs-a', 'qs-b']],
  [
    'closed to one node',
    (sql) => fillDisk(sql, "current_setting('application_name') LIKE 'footman/qs-b%'"),
    (sql) => sql('DROP FUNCTION footman.full_disk CASCADE'),
    ['qs-b'],
  ],
])(
  '%s: the nodes that find it so alert alone and say why, until it takes writes again',
  async (name, harm, mend, harmed) => {
    await using cluster = await startCluster({
      nodes: 2,
      start: false,
      cluster: { leaseDuration: '3s', aloneAfter: '5s' },
      butler: { footman: { selfAlerts: { to: ['hook'] } } },
    })
    const [first, second] = cluster.nodes
    await first!.start()
    await cluster.untilLed()
    await second!.start()
    await cluster.untilJoined()
    await cluster.begin()
    const { sql } = cluster.database
    await harm(sql)
    const concerned = cluster.nodes.filter((node) => harmed.includes(node.name))
    const modes = () => Promise.all(concerned.map((node) => cluster.modeOf(node)))
    await until(async () => (await modes()).every((mode) => mode === 'alone'), { what: 'them to work alone' })
    const sent = await cluster.send({ count: 5, perSecond: 50, to: concerned })
    const alerted = () => new Set(cluster.sinks.hook.received.map(({ execution }) => execution))
    await until(() => sent.every((execution) => alerted().has(execution)), { what: 'the alerts' })
    expect(await modes()).toEqual(concerned.map(() => 'alone'))

    for (const node of concerned) {
      const health = (await (await node.call('GET', '/health')).json()) as { reasons: { cluster: string } }
      expect(health.reasons.cluster).toMatch(/read-only transaction|No space left on device/)
      await until(
        async () => (await (await node.call('GET', '/v4/selfalerts')).text()).includes('CLUSTER_DATABASE_DOWN'),
        {
          what: 'the self-alert',
        },
      )
    }
    const file = join(concerned[0]!.file('..'), 'butler.yaml')
    const doctor = await runToEnd(['doctor', '-c', file, '--json', '--only', 'cluster'])
    const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string }[] }
    if (harmed.length > 1) expect(findings).toContainEqual(expect.objectContaining({ code: 'cluster.no-writes' }))

    await mend(sql)
    await cluster.untilJoined()
    expect(cluster.report(name)).toMatchObject({ lost: [], unlike: [] })
  },
  120_000,
)
