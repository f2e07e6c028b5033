/** Stores of nodes that were single become parts of a cluster. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createApplier } from '../../../src/cluster/apply.ts'
import { installTriggers } from '../../../src/cluster/changes.ts'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { createBacklog } from '../../../src/cluster/first-ship.ts'
import { createFollower } from '../../../src/cluster/follow.ts'
import { createMembership } from '../../../src/cluster/join.ts'
import { leaveCluster } from '../../../src/cluster/leave.ts'
import { clusterMigrations, migrateCluster } from '../../../src/cluster/migrations.ts'
import { createShipper } from '../../../src/cluster/ship.ts'
import type { ForwardedRequest } from '../../../src/cluster/types.ts'
import { readWhole } from '../../../src/cluster/whole.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, postgresPrograms, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { lead, MIGRATIONS, openSchema, rowsIn, rowsInDatabase, write } from '../../support/shared-stores.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

let server: Postgres
let pool: PostgresPool
let schemas = 0
const ends: (() => Promise<void> | void)[] = []

beforeAll(async () => {
  if (postgresPrograms()) server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function newSite(): Promise<void> {
  schemas += 1
  const opened = await openSchema(server, `join_${schemas}`)
  pool = opened
  ends.push(() => opened.close())
}

/** A store as a single node leaves it: nothing is noted. `fill` writes to it. */
function newNode(name: string, fill: (db: Database) => void) {
  const directory = tempDirectory()
  const db = openDatabase(directory.join('footman.db'), { migrations: MIGRATIONS, synchronous: 'NORMAL' })
  fill(db)
  installTriggers(db)
  const log = recordingLog()
  const asked: ForwardedRequest[] = []
  const newMembership = () =>
    createMembership({
      db,
      pool,
      log,
      node: name,
      dataDirectory: directory.path,
      ask: async (request) => {
        asked.push(request)
        return { status: 201, headers: {}, body: new Uint8Array(), note: null }
      },
    })
  const membership = newMembership()
  const follower = createFollower({
    clock: createClusterClock(systemClock),
    db,
    pool,
    log,
    node: name,
    isLeader: () => false,
    onApplied: () => undefined,
    onForgotten: () => undefined,
  })
  ends.push(
    directory.remove,
    () => db.close(),
    () => follower.stop(),
  )
  return { name, db, directory, membership, newMembership, follower, log, asked }
}

async function leadAndShip(node: ReturnType<typeof newNode>) {
  const token = randomUUID()
  await lead(pool, token)
  const [info] = await pool.query<{ id: string }>('SELECT id FROM cluster_info')
  node.membership.lead(info!.id)
  const backlog = createBacklog(node.db)
  const shipper = createShipper({
    clock: createClusterClock(systemClock),
    db: node.db,
    pool,
    log: node.log,
    node: node.name,
    backlog,
    seenRev: () => 0,
    term: () => ({ token, epoch: 1 }),
    onFenced: () => undefined,
  })
  shipper.start()
  ends.push(() => shipper.stop())
  return { shipper, backlog }
}

/** The numbers repeat, so that failures do too. */
function manyWrites(count: number, salt: number) {
  return (db: Database) =>
    db.transaction(() => {
      for (let n = 0; n < count; n += 1) {
        const seeds = Array.from({ length: 24 }, (_, at) => (n * 7919 + at * 104_729 + salt) % 100_003)
        write(db, { table: n, what: n % 4 === 3 ? 'update' : 'insert', seeds })
      }
    })
}

const pair = (db: Database, key: string, value: string, expiresAt: number | null = null): void => {
  db.run("INSERT OR IGNORE INTO kv_namespace (name, created_at) VALUES ('n', 0)")
  db.run(
    "INSERT INTO kv (namespace, key, value, expires_at, revision, created_at, updated_at) VALUES ('n', ?, ?, ?, 1, 0, 0)",
    key,
    value,
    expiresAt,
  )
}

describe('a filled store', () => {
  test('is shipped by the first node while work goes on, and another node gets all of it', async () => {
    await newSite()
    const a = newNode('a', manyWrites(2000, 1))
    expect(await a.membership.ensure()).toBe(false)
    const { shipper, backlog } = await leadAndShip(a)
    for (let n = 0; n < 20; n += 1) {
      manyWrites(30, 1000 + n)(a.db)
      await shipper.afterCommit()
    }
    await until(() => !backlog.isLeft && shipper.unshipped === 0, { timeout: 3000, state: () => a.log })
    const plain = (rows: Record<string, string[]>) =>
      Object.fromEntries(
        Object.entries(rows).map(([table, of]) => [
          table,
          of.map((row) => row.slice(0, row.lastIndexOf(' '))).toSorted(),
        ]),
      )
    const here = plain(rowsIn(a.db))
    const there = await rowsInDatabase(pool, a.db)
    for (const [table, rows] of Object.entries(here))
      expect({ table, rows: there[table]!.toSorted() }).toEqual({ table, rows })

    const b = newNode('b', () => undefined)
    expect(await b.membership.ensure()).toBe(true)
    await b.follower.toHead()
    expect(plain(rowsIn(b.db))).toEqual(here)
    expect(readdirSync(a.directory.join('backup'))).toHaveLength(1)
    expect(readdirSync(b.directory.path)).not.toContain('backup')
  }, 60_000)

  test('is shipped on from its position after a restart', async () => {
    await newSite()
    const a = newNode('a', manyWrites(3000, 2))
    const first = await leadAndShip(a)
    await until(() => first.shipper.shippedRows > 0)
    await first.shipper.stop()
    const second = await leadAndShip(a)
    await until(() => !second.backlog.isLeft && second.shipper.unshipped === 0)
    const sum = (rows: Record<string, string[]>) => Object.values(rows).flat().length
    expect(sum(await rowsInDatabase(pool, a.db))).toBe(sum(rowsIn(a.db)))
    expect(a.db.get("SELECT * FROM meta WHERE key = 'cluster.first_ship'")).toBeUndefined()
  }, 60_000)

  test('of a first node that lost the lead before it was shipped becomes that of the cluster all the same', async () => {
    await newSite()
    const a = newNode('a', manyWrites(3000, 4))
    const { shipper, backlog } = await leadAndShip(a)
    await until(() => shipper.shippedRows > 0)
    await shipper.stop()
    expect(backlog.isLeft).toBe(true)
    const before = Object.values(rowsIn(a.db)).flat().length
    expect(Object.values(await rowsInDatabase(pool, a.db)).flat().length).toBeLessThan(before)

    expect(await a.newMembership().ensure()).toBe(true)
    await a.follower.toHead()
    expect(Object.values(rowsIn(a.db)).flat()).toHaveLength(before)
    expect(Object.values(await rowsInDatabase(pool, a.db)).flat()).toHaveLength(before)
  }, 60_000)

  test('is that of a single node again when it leaves, and joins anew with what it has made meanwhile', async () => {
    await newSite()
    const a = newNode('a', manyWrites(100, 3))
    const { shipper, backlog } = await leadAndShip(a)
    await until(() => !backlog.isLeft && shipper.unshipped === 0)
    const b = newNode('b', () => undefined)
    await b.membership.ensure()
    await b.follower.toHead()
    const before = rowsIn(b.db)
    leaveCluster(b.db)
    expect(b.db.all("SELECT name FROM sqlite_schema WHERE name GLOB 'cluster_*'")).toEqual([])
    expect(b.db.all("SELECT key FROM meta WHERE key GLOB 'cluster.*'")).toEqual([])
    expect(rowsIn(b.db)).toEqual(before)

    b.db.run("INSERT INTO audit (id, at, actor, action, target, outcome) VALUES ('alone', 0, '', '', '', 'ok')")
    installTriggers(b.db)
    const membership = createMembership({
      db: b.db,
      pool,
      log: b.log,
      node: 'b',
      dataDirectory: b.directory.path,
      ask: () => Promise.reject(new Error('not asked')),
    })
    expect(await membership.ensure()).toBe(true)
    const audited = await rowsInDatabase(pool, a.db)
    expect(audited.audit!.filter((row) => row.includes('alone'))).toHaveLength(1)
  }, 60_000)

  test('of a second node adds its history, what waits to be sent, and its pairs where the key is new', async () => {
    await newSite()
    const event = `INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
      next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
      VALUES (?, 5, 'udp', '', 'reload', 'failure', 'failure', 'error', 'routed', 0, 0, '', '', '', '', '', '', '', '', '', '')`
    const snooze =
      "INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, '{}', 0, 9, '', '', 0)"
    const a = newNode('a', (db) => {
      db.run(event, 'of a')
      db.run(snooze, 'of a')
      pair(db, 'same', '1')
      pair(db, 'other', 'a')
    })
    const { shipper, backlog } = await leadAndShip(a)
    await until(() => !backlog.isLeft && shipper.unshipped === 0, { timeout: 3000, state: () => a.log })
    const b = newNode('b', (db) => {
      db.run(event, 'of b')
      db.run(snooze, 'of b')
      db.run("INSERT INTO cloud_message (id, received_at, payload) VALUES ('of b', 0, x'00')")
      for (const key of ['known by its key', null]) {
        db.run(
          "INSERT INTO unverified (received_at, sender, task_id, raw, message_key) VALUES (0, '', '', x'', ?)",
          key,
        )
      }
      pair(db, 'same', '1')
      pair(db, 'other', 'b')
      pair(db, 'new', 'b', Date.now() + 3_600_000)
      pair(db, 'over', 'b', 1)
    })
    expect(await b.membership.ensure()).toBe(true)
    await b.follower.toHead()
    await a.follower.toHead()

    const ids = (db: Database, table: string) =>
      db.all<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`).map(({ id }) => id)
    expect([ids(a.db, 'event'), ids(b.db, 'event')]).toEqual([
      ['of a', 'of b'],
      ['of a', 'of b'],
    ])
    expect(ids(b.db, 'snooze')).toEqual(['of a'])
    expect([ids(a.db, 'cloud_message'), ids(b.db, 'cloud_message')]).toEqual([['of b'], ['of b']])
    // It is brought to the leader before the first look at what others have; rows of another leader are not its own.
    expect(b.db.all('SELECT message_key AS key FROM unverified')).toEqual([{ key: 'known by its key' }])
    expect(b.db.get<{ keys: number }>('SELECT keys FROM kv_namespace')!.keys).toBe(2)

    await b.membership.addPairs()
    expect(
      b.asked.map(({ method, url, headers, body }) => [
        method,
        url,
        headers['if-none-match'],
        new TextDecoder().decode(body!),
      ]),
    ).toEqual([['POST', '/v4/keyvalues/n', '*', expect.stringContaining('"key":"new","value":"b","ttl":3')]])
    const [file] = readdirSync(b.directory.path).filter((name) => name.startsWith('kv-conflicts-'))
    if (process.platform !== 'win32') expect(statSync(b.directory.join(file!)).mode & 0o777).toBe(0o600)
    const kept = readFileSync(b.directory.join(file!), 'utf8').trim().split('\n')
    expect(kept.map((line) => JSON.parse(line))).toEqual([
      { namespace: 'n', key: 'other', value: 'b', expiresAt: null },
    ])
    await b.membership.addPairs()
    expect(b.asked).toHaveLength(1)
    const [copy] = readdirSync(b.directory.join('backup'))
    const saved = openDatabase(b.directory.join('backup', copy!), { readOnly: true })
    expect(ids(saved, 'snooze')).toEqual(['of b'])
    saved.close()
  }, 60_000)
})

test('an update gives sessions of readers in the database the table of all sessions', async () => {
  schemas += 1
  const before = clusterMigrations.filter(({ name }) => name !== 'cluster-003')
  pool = await openSchema(server, `join_${schemas}`, before)
  ends.push(() => pool.close())
  const body = { hash: 'a1b2c3d4e5f60718', address: 'anna@acme.example', at: 1000, expires_at: 9_000_000_000_000 }
  await pool.query(
    "INSERT INTO replica (tbl, key, rev, epoch, node, body) VALUES ('report_hub_session', $1, 1, 1, 'a', $2::jsonb)",
    [body.hash, JSON.stringify(body)],
  )
  await migrateCluster(pool, '1.1.0')
  const { db } = newNode('b', () => {})
  const applier = createApplier(db)
  expect([...(await readWhole(pool, applier, 'session'))]).toEqual([body.hash])
  expect(db.all<object>('SELECT * FROM session').map((row) => ({ ...row }))).toEqual([
    {
      hash: body.hash,
      id: 'rs_a1b2c3d4e5f6',
      kind: 'reader',
      actor: 'reader:anna@acme.example',
      holder: null,
      address: '',
      browser: '',
      created_at: 1000,
      seen_at: 1000,
      expires_at: 9_000_000_000_000,
    },
  ])
})
