/** The SQL that `footman cluster sql` prints does what it says on a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { runClusterSql } from '../../../src/cli/cluster/sql.ts'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import type { ClusterConfig } from '../../../src/cluster/config.ts'
import { createLease } from '../../../src/cluster/lease.ts'
import { migrateCluster } from '../../../src/cluster/migrations.ts'
import { viewNamesOf } from '../../../src/cluster/settings.ts'
import { hbaLine, migrationSql, setupSql } from '../../../src/cluster/sql.ts'
import { admitReader, migrationsOf } from '../../../src/cluster/views.ts'
import { createPostgresPool } from '../../../src/platform/postgres/pool.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { configOf, loadButler, withFolder } from '../../support/config.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { poolSettings } from '../../support/postgres-pool.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'

needs('postgres')

const sectionOf = async (keys: string): Promise<ClusterConfig> =>
  (await configOf(loadButler(`footman: {cluster: {${keys}}}`))).footman.cluster

const PASSWORD = 'geheim-site'

/** The statements before and after the line that says to connect to the new database. */
function partsOf(sql: string): readonly (readonly string[])[] {
  return sql.split(/^\\connect .*$/m).map((part) =>
    part
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('--'))
      .map((line) => line.replace("'...'", `'${PASSWORD}'`)),
  )
}

describe('the SQL for the administrator', () => {
  let server: Postgres

  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())

  async function setUp(section: ClusterConfig): Promise<void> {
    const [before = [], inside = []] = partsOf(setupSql(section))
    for (const statement of before) await server.sql(statement, [], 'postgres')
    for (const statement of inside) await server.sql(statement, [], section.database)
  }

  const poolOf = ({ database, user, schema }: ClusterConfig) =>
    createPostgresPool(poolSettings(server, { database, user, schema, password: PASSWORD }))

  test('makes a role that can set up a cluster and nothing else', async () => {
    const section = await sectionOf('database: Site B, user: "foot\\"man", schema: site_b, reader: qlik')
    await setUp(section)
    const pool = poolOf(section)
    const migrations = migrationsOf(viewNamesOf(section))
    const { clusterId } = await migrateCluster(pool, '1.0.0', migrations)
    expect(await migrateCluster(pool, '1.0.0', migrations)).toEqual({ clusterId })
    for (const sql of [
      'CREATE TABLE public.a (b int)',
      'CREATE SCHEMA other',
      'CREATE DATABASE other',
      'CREATE ROLE a',
    ]) {
      expect(await pool.query(sql).catch(({ code }) => code)).toBe('42501')
    }
    const other = createPostgresPool(
      poolSettings(server, { database: 'Site B', user: 'qlik', schema: 'site_b', password: PASSWORD }),
    )
    expect(await other.query('SELECT * FROM site_b_qlik.nodes')).toEqual([])
    expect(await other.query('SELECT * FROM site_b.node').catch(({ code }) => code)).toBe('42501')
    await Promise.all([pool.close(), other.close()])
  })

  test('makes the tables for a role that may not make any', async () => {
    const section = await sectionOf('database: strict, user: strict, schema: strict, reader: strict_reader')
    await setUp(section)
    await server.sql('ALTER SCHEMA strict OWNER TO postgres; ALTER SCHEMA strict_qlik OWNER TO postgres', [], 'strict')
    const pool = poolOf(section)
    const migrate = (version: string) => migrateCluster(pool, version, migrationsOf(viewNamesOf(section)))
    expect(await migrate('1.0.0').catch(({ fault }) => fault)).toBe('refused')

    await server.sql(migrationSql(section, '1.0.0'), [], 'strict')
    const joined = await migrate('1.0.0')
    // Again: nothing is made twice, and the cluster stays the same.
    await server.sql(migrationSql(section, '1.1.0'), [], 'strict')
    expect(await migrate('1.1.0')).toEqual(joined)
    expect(await pool.query('SELECT DISTINCT by_version FROM schema_migration')).toEqual([{ by_version: '1.0.0' }])

    const deps = { db: pool, clock: createClusterClock(systemClock), log: recordingLog() }
    const lease = createLease(deps, { node: 'a', dataId: crypto.randomUUID(), durationMs: 6000 })
    expect(await lease.acquire()).not.toBeNull()
    expect(await pool.query('CREATE TABLE more (a int)').catch(({ code }) => code)).toBe('42501')
    const other = createPostgresPool(
      poolSettings(server, { database: 'strict', user: 'strict_reader', schema: 'strict', password: PASSWORD }),
    )
    expect(await other.query('SELECT epoch, node FROM strict_qlik.leadership')).toEqual([{ epoch: 1, node: 'a' }])
    await Promise.all([pool.close(), other.close()])
  })

  test('views wait for a reader that does not exist, and are read when it does', async () => {
    const section = await sectionOf('database: late, user: late, schema: late, reader: late_reader')
    await setUp({ ...section, reader: '' })
    const pool = poolOf(section)
    const names = viewNamesOf(section)
    const log = recordingLog()
    const warnings = () => log.lines.filter(({ message }) => message.includes('has no role "late_reader"')).length
    await migrateCluster(pool, '1.0.0', migrationsOf(names))
    await admitReader(pool, names, log)
    expect(warnings()).toBe(1)
    await server.sql(`CREATE ROLE late_reader LOGIN PASSWORD '${PASSWORD}'`, [], 'late')
    await server.sql('GRANT CONNECT ON DATABASE late TO late_reader', [], 'late')
    await admitReader(pool, names, log)
    expect(warnings()).toBe(1)
    const other = createPostgresPool(
      poolSettings(server, { database: 'late', user: 'late_reader', schema: 'late', password: PASSWORD }),
    )
    expect(await other.query('SELECT * FROM late_qlik.nodes')).toEqual([])
    expect(await other.query('SELECT * FROM late.node').catch(({ code }) => code)).toBe('42501')
    await Promise.all([pool.close(), other.close()])
  })

  test('an older version leaves the columns of a newer one in the views', async () => {
    const names = viewNamesOf(await sectionOf(''))
    const pool = createPostgresPool(poolSettings(server))
    await migrateCluster(pool, '1.1.0', migrationsOf(names))
    await pool.query(`CREATE OR REPLACE VIEW footman_qlik.leadership AS
      SELECT epoch, node, from_at, lead(from_at) OVER (ORDER BY epoch) AS to_at, reason, 1 AS added FROM leadership`)
    await pool.query(`DELETE FROM schema_migration WHERE name LIKE 'views-%'`)
    await migrateCluster(pool, '1.0.0', migrationsOf(names))
    expect(
      await pool.query(
        `SELECT 1 AS a FROM information_schema.columns WHERE table_name = 'leadership' AND column_name = 'added'`,
      ),
    ).toEqual([{ a: 1 }])
    await pool.close()
  })
})

test.each([
  ['', 'hostssl footman footman 10.1.2.0/24 scram-sha-256'],
  ['hosts: [localhost], tls: {mode: off}', 'host footman footman 127.0.0.1/32 scram-sha-256'],
  ['tls: {certificate: a, key: b}', 'hostssl footman footman 10.1.2.0/24 cert'],
  ['database: Site B, user: foot-man', 'hostssl "Site B" "foot-man" 10.1.2.0/24 scram-sha-256'],
])('the line of pg_hba.conf for {%s}', async (keys, line) => {
  const section = await sectionOf(keys)
  expect(hbaLine(section)).toBe(line)
  expect(setupSql(section)).toContain(`\n-- ${line}\n`.slice(0, -1))
})

describe('footman cluster sql', () => {
  async function run(files: Readonly<Record<string, string>>, options: { configfile?: string; migrate?: boolean }) {
    const printed: string[] = []
    const io = { out: (text: string) => void printed.push(text), err: (text: string) => void printed.push(`! ${text}`) }
    const code = await withFolder(files, (cwd) => runClusterSql(options, io, { env: {}, cwd }))
    return { code, text: printed.join('\n') }
  }

  test('needs no configuration', async () => {
    const { code, text } = await run({}, {})
    expect(code).toBe(0)
    expect(text).toContain('CREATE SCHEMA footman_qlik AUTHORIZATION footman;')
    expect(text).not.toContain('!')
  })

  test('uses the names of the configuration, and no password', async () => {
    const files = {
      'a.yaml':
        'Butler: {footman: {cluster: {schema: site_a, user: fm, password: geheim-a, tls: {certificate: c, key: k}}}}',
      // The administrator of the database cannot read what the service can.
      'b.yaml': `Butler: {footman: {cluster: {schema: site_b, password: "$\{credential:none}"}}}`,
    }
    const setup = await run(files, { configfile: 'a.yaml' })
    expect(setup.code).toBe(0)
    expect(setup.text).toContain('CREATE ROLE fm LOGIN NOSUPERUSER')
    expect(setup.text).toContain('CREATE SCHEMA site_a_qlik AUTHORIZATION fm;')
    const tables = await run(files, { configfile: 'a.yaml', migrate: true })
    expect(tables.text).toContain('SET LOCAL search_path = site_a;')
    expect(`${setup.text}${tables.text}`).not.toContain('geheim')
    const other = await run(files, { configfile: 'b.yaml' })
    expect([other.code, other.text.includes('CREATE SCHEMA site_b_qlik')]).toEqual([0, true])
  })

  test('a configuration with errors is refused', async () => {
    const { code, text } = await run(
      { 'a.yaml': 'Butler: {footman: {cluster: {schema: 1a}}}' },
      { configfile: 'a.yaml' },
    )
    expect(code).toBe(1)
    expect(text).toContain('Butler.footman.cluster.schema')
    expect(text).toContain('! error: cluster sql: the configuration has errors')
  })
})
