/** The group `cluster` of the doctor, against real servers. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { configHashes } from '../../../../src/app/cluster.ts'
import { versionFinding } from '../../../../src/cli/doctor/cluster/server.ts'
import { migrateCluster, PROTOCOL } from '../../../../src/cluster/migrations.ts'
import { migrationsOf } from '../../../../src/cluster/views.ts'
import { createPostgresPool } from '../../../../src/platform/postgres/pool.ts'
import { certificatePair } from '../../../support/certificates.ts'
import { configOf, loadButler } from '../../../support/config.ts'
import { type Diagnosis, diagnose } from '../../../support/doctor.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { type Postgres, ROLE, SUPERUSER, startPostgres } from '../../../support/postgres.ts'
import { poolSettings } from '../../../support/postgres-pool.ts'
import { startPooler } from '../../../support/postgres-pooler.ts'
import { needs } from '../../../support/servers.ts'
import { tempDirectory } from '../../../support/temp.ts'

needs('postgres')

type Section = Readonly<Record<string, unknown>>

interface Site {
  readonly section?: Section
  readonly dataDirectory?: string
  readonly node?: string
  readonly butler?: Section
}

/** The findings for a node of these servers. */
function examine(servers: readonly Pick<Postgres, 'port' | 'ca'>[], site: Site = {}): Promise<Diagnosis> {
  const { section = {}, dataDirectory, node = 'n1', butler = {} } = site
  const cluster = {
    enable: true,
    hosts: servers.map(({ port }) => `127.0.0.1:${port}`),
    password: ROLE.password,
    tls: { ca: servers[0]?.ca ?? '' },
    connectTimeout: '1s',
    ...section,
  }
  const footman = { node: { name: node }, cluster, ...(dataDirectory !== undefined && { dataDirectory }) }
  return diagnose({ ...butler, footman }, { only: ['cluster'] })
}

/** `level code target` of each, without what is in order. */
const troubles = ({ findings }: Diagnosis) =>
  findings.filter(({ level }) => level !== 'ok' && level !== 'info').map(({ level, code }) => `${level} ${code}`)
const findingOf = ({ findings }: Diagnosis, code: string) =>
  findings.find((finding) => finding.code === `cluster.${code}`)

/** Passes connections on; `change` may hold back, or rewrite, what the server says. */
async function proxyTo(port: number, change: (chunk: Uint8Array, pass: (chunk: Uint8Array) => void) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const up = connectTcp(port, '127.0.0.1')
    client.on('data', (chunk) => void up.write(chunk))
    up.on('data', (chunk: Buffer) => change(chunk, (changed) => void client.write(changed)))
    for (const [one, other] of [
      [client, up],
      [up, client],
    ] as const) {
      sockets.add(one)
      one.on('close', () => other.destroy())
      one.on('error', () => other.destroy())
    }
  })
  const own = await freeTcpPort()
  await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve))
  return {
    port: own,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

describe('the doctor of a cluster', () => {
  let server: Postgres

  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())

  /** An empty schema, as `footman cluster sql` makes it. */
  beforeEach(async () => {
    await server.sql(`DROP SCHEMA IF EXISTS footman CASCADE; DROP SCHEMA IF EXISTS footman_qlik CASCADE;
      CREATE SCHEMA footman AUTHORIZATION footman; CREATE SCHEMA footman_qlik AUTHORIZATION footman`)
  })

  async function migrate(): Promise<string> {
    const pool = createPostgresPool(poolSettings(server))
    const { clusterId } = await migrateCluster(
      pool,
      '1.0.0',
      migrationsOf({ schema: 'footman', views: 'footman_qlik', reader: '' }),
    )
    await pool.close()
    return clusterId
  }

  interface NodeRow {
    readonly mode?: string
    readonly version?: string
    /** Seconds ago. */
    readonly seen?: number
    readonly started?: number
    readonly offset?: number
    readonly config?: Readonly<Record<string, string>>
    readonly dataId?: string
  }
  async function addNode(name: string, row: NodeRow = {}): Promise<void> {
    const { mode = 'follower', version = '1.0.0', seen = 1, started = 60, offset = 0, config = {} } = row
    await server.sql(
      `INSERT INTO footman.node (name, instance, data_id, version, protocol, candidate, mode, started_at, seen_at, offset_ms, config)
       VALUES ($1, gen_random_uuid(), $2, $3, 1, true, $4, clock_timestamp() - make_interval(secs => $5),
         clock_timestamp() - make_interval(secs => $6), $7, $8)`,
      [name, row.dataId ?? crypto.randomUUID(), version, mode, started, seen, offset, JSON.stringify(config)],
    )
  }

  test('an empty database that can be used is in order', async () => {
    const found = await examine([server])
    expect(troubles(found)).toEqual([])
    expect(found.code).toBe(0)
    expect(found.findings.map(({ level, code }) => `${level} ${code}`)).toEqual([
      'ok cluster.round-trip',
      'ok cluster.order',
      'info cluster.no-standby',
    ])
    expect(findingOf(found, 'round-trip')?.message).toMatch(
      /^a statement usually takes \d+\.\d ms, the slowest hundredth \d+\.\d ms, a commit \d+\.\d ms, the slowest hundredth \d+\.\d ms$/,
    )
    expect(findingOf(found, 'order')?.message).toContain('the first node that starts makes them')
    // It has changed nothing.
    expect(await server.sql(`SELECT 1 FROM pg_class WHERE relnamespace = 'footman'::regnamespace`)).toEqual([])
  })

  test('says who leads, and which nodes there are', async () => {
    await migrate()
    await addNode('n2', { mode: 'leader' })
    await addNode('n3')
    await server.sql(
      `UPDATE footman.lease SET node = 'n2', expires_at = clock_timestamp() + interval '1 min';
       INSERT INTO footman.leadership VALUES (1, 'n2', '2026-03-02 06:00Z', 'start'); UPDATE footman.head SET rev = 12`,
    )
    const found = await examine([server])
    expect(findingOf(found, 'order')).toMatchObject({ level: 'ok', target: `127.0.0.1:${server.port}` })
    expect(findingOf(found, 'order')?.message).toMatch(
      /^PostgreSQL 1\d\.\d+.*, leader n2 since 2026-03-02T06:00:00.000Z; n2 \(leader\), n3 \(follower\); followers are at most 12 changes behind$/,
    )
  })

  describe('hosts that cannot be used', () => {
    test('a closed port, and a name that does not exist', async () => {
      const port = await freeTcpPort()
      const found = await examine([], { section: { hosts: [`127.0.0.1:${port}`, 'pg.footman.invalid'] } })
      expect(troubles(found)).toEqual(['error cluster.unreachable', 'error cluster.unreachable'])
      expect(found.findings[0]).toMatchObject({
        target: `127.0.0.1:${port}`,
        message: `127.0.0.1:${port} refused the connection`,
        fix: 'check that the server runs, the port in Butler.footman.cluster.hosts, and the firewalls on the way',
        key: 'footman.cluster.hosts',
      })
      expect(found.findings[1]).toMatchObject({
        target: 'pg.footman.invalid:5432',
        message: 'the name pg.footman.invalid cannot be resolved',
      })
      expect(found.code).toBe(3)
    })

    test('a port that stays silent', async () => {
      await using silent = await proxyTo(server.port, () => undefined)
      const found = await examine([{ ...silent, ca: server.ca }])
      expect(troubles(found)).toEqual(['error cluster.unreachable'])
      expect(found.findings[0]?.message).toContain('does not answer in time')
    })

    test('one of two is missed, the other is used', async () => {
      const port = await freeTcpPort()
      const found = await examine([{ port, ca: server.ca }, server])
      expect(troubles(found)).toEqual(['error cluster.unreachable'])
      expect(findingOf(found, 'order')?.target).toBe(`127.0.0.1:${server.port}`)
    })

    test.each([
      [{ password: 'geheim-wrong' }, 'login', 'ALTER ROLE footman PASSWORD', 'footman.cluster.password'],
      [{ user: 'nobody' }, 'login', 'ALTER ROLE', 'footman.cluster.password'],
      [{ database: 'other' }, 'database', 'footman cluster sql', 'footman.cluster.database'],
      [{ tls: { ca: '' } }, 'tls-authority', 'tls.ca', 'footman.cluster.tls.ca'],
      [{ tls: { ca: '/nowhere.pem' } }, 'tls-authority', 'correct the files', 'footman.cluster.tls.ca'],
    ])('%j', async (section, code, fix, key) => {
      const found = await examine([server], { section })
      expect(troubles(found)).toEqual([`error cluster.${code}`])
      expect(found.findings[0]).toMatchObject({ key, target: `127.0.0.1:${server.port}` })
      expect(found.findings[0]?.fix).toContain(fix)
      expect(found.text).not.toContain('geheim')
    })

    test('a certificate for another name, and a server without TLS', async () => {
      await using named = await startPostgres({ certificate: await certificatePair('pg.acme.example') })
      const wrong = await examine([named])
      expect(troubles(wrong)).toEqual(['error cluster.tls-name'])
      expect(wrong.findings[0]?.fix).toContain('tls.serverName')
      expect(
        troubles(await examine([named], { section: { tls: { ca: named.ca, serverName: 'pg.acme.example' } } })),
      ).toEqual([])

      await using plain = await startPostgres({ tls: false })
      const refused = await examine([plain])
      expect(troubles(refused)).toEqual(['error cluster.tls-refused'])
      expect(refused.findings[0]?.fix).toContain('ssl = on')
    }, 60_000)

    test('an address that pg_hba.conf does not know, with the line for it', async () => {
      await using folder = tempDirectory()
      const hba = folder.join('hba')
      writeFileSync(hba, 'host all postgres 127.0.0.1/32 scram-sha-256\n')
      Bun.spawnSync(['chmod', '-R', 'a+rX', folder.path])
      await using closed = await startPostgres({ settings: { hba_file: hba } })
      const found = await examine([closed])
      expect(troubles(found)).toEqual(['error cluster.login'])
      expect(found.findings[0]?.message).toContain('no pg_hba.conf entry')
      expect(found.findings[0]?.fix).toContain('"hostssl footman footman 10.1.2.0/24 scram-sha-256"')
      // Nor does it advise a line without TLS where there is none yet.
      const plain = await examine([closed], { section: { tls: { mode: 'off' } } })
      expect(troubles(plain)).toEqual(['error cluster.login'])
      expect(plain.findings[0]?.fix).toContain('"hostssl footman footman 10.1.2.0/24 scram-sha-256"')
      expect(plain.findings[0]?.fix).toContain('remove tls.mode: off')
      expect(plain.text).not.toMatch(/\bhost footman/)
    }, 60_000)

    test('too many connections', async () => {
      await server.sql('ALTER ROLE footman CONNECTION LIMIT 0')
      try {
        const found = await examine([server])
        expect(troubles(found)).toEqual(['error cluster.login'])
        expect(found.findings[0]?.fix).toContain('CONNECTION LIMIT')
      } finally {
        await server.sql('ALTER ROLE footman CONNECTION LIMIT 100')
      }
    })

    test('a role that may not connect to the database', async () => {
      await server.sql('REVOKE CONNECT ON DATABASE footman FROM footman')
      try {
        const found = await examine([server])
        expect(troubles(found)).toEqual(['error cluster.rights'])
        expect(found.findings[0]?.fix).toBe('GRANT CONNECT ON DATABASE footman TO footman')
      } finally {
        await server.sql('GRANT CONNECT ON DATABASE footman TO footman')
      }
    })
  })

  describe('rights', () => {
    test('a superuser has too many', async () => {
      const found = await examine([server], { section: { user: SUPERUSER.user, password: SUPERUSER.password } })
      expect(troubles(found)).toEqual(['warning cluster.rights'])
      expect(findingOf(found, 'rights')?.message).toBe(
        'is a superuser, may create databases, may create roles, may replicate, which Footman never needs',
      )
    })

    test('the role that is to read the views is missing', async () => {
      const found = await examine([server], { section: { reader: 'qlik_reader' } })
      expect(troubles(found)).toEqual(['warning cluster.rights'])
      expect(findingOf(found, 'rights')).toMatchObject({
        message: 'the role qlik_reader, which is to read the views, does not exist',
        fix: "CREATE ROLE qlik_reader LOGIN PASSWORD '...', then restart a node",
      })
    })

    test('a schema is missing', async () => {
      await server.sql('DROP SCHEMA footman_qlik CASCADE')
      const found = await examine([server])
      expect(troubles(found)).toEqual(['error cluster.rights'])
      expect(findingOf(found, 'rights')?.message).toBe('the schema footman_qlik does not exist')
    })

    test('a schema may not be used', async () => {
      await server.sql('ALTER SCHEMA footman OWNER TO postgres')
      expect(findingOf(await examine([server]), 'rights')).toMatchObject({
        level: 'error',
        fix: 'GRANT USAGE ON SCHEMA footman TO footman',
      })
    })

    test('tables have to be made, and may not be', async () => {
      await server.sql('ALTER SCHEMA footman OWNER TO postgres; GRANT USAGE ON SCHEMA footman TO footman')
      expect(findingOf(await examine([server]), 'rights')).toMatchObject({
        level: 'error',
        message: expect.stringContaining('may not make the tables of this version (cluster-001'),
        fix: 'run the SQL that "footman cluster sql --migrate" prints as the owner of the schema',
      })
    })

    test('rows of a table may not be changed', async () => {
      await migrate()
      await server.sql('ALTER TABLE footman.lease OWNER TO postgres; GRANT SELECT ON footman.lease TO footman')
      expect(findingOf(await examine([server]), 'rights')).toMatchObject({
        level: 'error',
        message: 'lacks INSERT, UPDATE, DELETE on footman.lease',
      })
    })
  })

  describe('the server', () => {
    test('standbys', async () => {
      await using primary = await startPostgres()
      await using standby = await startPostgres({ standbyOf: primary })
      const section = { tls: { mode: 'off' } }
      const only = await examine([standby], { section })
      expect(troubles(only)).toEqual(['error cluster.standby-only'])
      expect(only.findings[0]).toMatchObject({
        target: `127.0.0.1:${standby.port}`,
        fix: expect.stringContaining('pg_promote'),
      })

      const both = await examine([standby, primary], { section })
      expect(troubles(both)).toEqual([])
      expect(findingOf(both, 'standby-async')?.level).toBe('info')

      await primary.sql(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
      await primary.sql('SELECT pg_reload_conf()')
      const synchronous = await examine([standby, primary], { section })
      expect(synchronous.findings.filter(({ code }) => code.includes('standby'))).toEqual([])
    }, 60_000)

    test('a pooler that loses notifications', async () => {
      await using proxy = await startPooler(server.port)
      const section = { tls: { mode: 'off' } }
      const found = await examine([{ port: proxy.port, ca: '' }], { section })
      expect(troubles(found)).toEqual(['error cluster.pooler'])
      expect(findingOf(found, 'pooler')?.fix).toContain('pool_mode = session')
    })

    test.each([
      [30, 'every alert waits'],
      [60, 'a cluster is no use over this distance'],
    ])('a way of %d ms', async (delay, fix) => {
      await using proxy = await proxyTo(server.port, (chunk, pass) => void setTimeout(() => pass(chunk), delay))
      const found = await examine([{ ...proxy, ca: server.ca }])
      expect(troubles(found)).toEqual(['warning cluster.round-trip'])
      expect(findingOf(found, 'round-trip')?.fix).toContain(fix)
    })

    const at = (text: string) => Date.parse(text)
    test.each([
      [11, '2026-01-01', 'error'],
      [12, '2024-11-20', null],
      [12, '2026-01-01', 'warning'],
      [15, '2026-11-23', null],
      [15, '2027-11-12', 'warning'],
      [19, '2040-01-01', null],
    ] as const)('version %d on %s: %p', (version, day, level) => {
      expect(versionFinding(version, 'pg1', at(day)).map((finding) => finding.level)).toEqual(level ? [level] : [])
    })
  })

  describe('nodes', () => {
    test('the database of another cluster', async () => {
      const id = await migrate()
      await using data = tempDirectory()
      const identity = (clusterId: string | null) =>
        writeFileSync(data.join('cluster.json'), JSON.stringify({ dataId: crypto.randomUUID(), clusterId }))
      mkdirSync(data.path, { recursive: true })
      identity(id)
      expect(troubles(await examine([server], { dataDirectory: data.path }))).toEqual([])
      identity('0198c5a0-0000-7000-8000-000000000001')
      const found = await examine([server], { dataDirectory: data.path })
      expect(troubles(found)).toEqual(['error cluster.foreign'])
      expect(findingOf(found, 'foreign')?.message).toContain(id)
    })

    test('another node of the same name', async () => {
      await migrate()
      const dataId = crypto.randomUUID()
      await addNode('n1', { dataId })
      const found = await examine([server])
      expect(troubles(found)).toEqual(['error cluster.name-in-use'])
      // The node itself, which runs.
      await using data = tempDirectory()
      writeFileSync(data.join('cluster.json'), JSON.stringify({ dataId }))
      expect(troubles(await examine([server], { dataDirectory: data.path }))).toEqual([])
    })

    test('a data directory that is a copy of that of another node', async () => {
      await migrate()
      const dataId = crypto.randomUUID()
      await addNode('n2', { dataId })
      await using data = tempDirectory()
      writeFileSync(data.join('cluster.json'), JSON.stringify({ dataId }))
      const found = await examine([server], { dataDirectory: data.path })
      expect(troubles(found)).toEqual(['error cluster.clone'])
      expect(findingOf(found, 'clone')).toMatchObject({
        target: 'n1',
        message: expect.stringContaining('node "n2"'),
        fix: expect.stringContaining('cluster.json'),
      })
    })

    test('a protocol that this version does not speak', async () => {
      await migrate()
      await server.sql(`UPDATE footman.cluster_info SET min_protocol = ${PROTOCOL + 1}`)
      const found = await examine([server])
      expect(troubles(found)).toEqual(['error cluster.protocol'])
      expect(findingOf(found, 'protocol')?.message).toBe(
        `the cluster needs protocol ${PROTOCOL + 1}, this version speaks ${PROTOCOL}`,
      )
    })

    test('nodes that are gone, on the wrong clock, or of another version for days', async () => {
      await migrate()
      const day = 86_400
      await addNode('n2', { started: 3 * day })
      await addNode('n3', { version: '1.1.0', started: 2 * day, offset: -300_000 })
      await addNode('n4', { seen: 61 })
      await addNode('n5', { seen: 600, mode: 'leaving' })
      const found = await examine([server])
      expect(troubles(found)).toEqual([
        'warning cluster.node-lost',
        'warning cluster.clock',
        'warning cluster.versions-mixed',
      ])
      expect(findingOf(found, 'node-lost')).toMatchObject({ target: 'n4', fix: expect.stringContaining('remove n4') })
      expect(findingOf(found, 'clock')).toMatchObject({
        target: 'n3',
        message: 'its clock is 300.0 s ahead of that of the database',
      })
      expect(findingOf(found, 'versions-mixed')?.target).toBe('n2 1.0.0, n3 1.1.0')
      expect(found.code).toBe(0)
    })

    test('an upgrade of today is no finding', async () => {
      await migrate()
      await addNode('n2', { started: 200_000 })
      await addNode('n3', { version: '1.1.0', started: 3600 })
      expect(troubles(await examine([server]))).toEqual([])
    })

    test('settings that differ from those of the leader', async () => {
      await migrate()
      const config = configHashes(await configOf(loadButler('footman: {node: {name: n1}}')))
      await addNode('n2', { mode: 'leader', config })
      await addNode('n3', { config: { ...config, windows: 'other' } })
      await server.sql(`UPDATE footman.lease SET node = 'n2', expires_at = clock_timestamp() + interval '1 min'`)
      const found = await examine([server], { butler: { startTaskFilter: { enable: true } } })
      expect(troubles(found)).toEqual(['warning cluster.config-differs'])
      expect(findingOf(found, 'config-differs')).toMatchObject({
        target: 'n2',
        message: 'other nodes have other settings: windows (n3), startTaskFilter (n1)',
      })
    })

    test('duties of the last leader', async () => {
      const found = await examine([server], { section: { dutiesWhenDatabaseDown: 'lastLeader' } })
      expect(troubles(found)).toEqual(['warning cluster.duties-last-leader'])
    })
  })
})

test('a node of its own has no such group', async () => {
  expect((await diagnose({}, { only: ['cluster'] })).findings).toEqual([])
})
