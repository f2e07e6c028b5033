/** A store whose shared rows are read from the database anew. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { backupDirectoryOf, databasesOf } from '../../../src/app/migrations.ts'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { createFollower } from '../../../src/cluster/follow.ts'
import { readIdentity, storeIdentity } from '../../../src/cluster/identity.ts'
import { resetShared } from '../../../src/cluster/reset.ts'
import { createShipper } from '../../../src/cluster/ship.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { lead, openSchema, openStore } from '../../support/shared-stores.ts'
import { tempDirectory } from '../../support/temp.ts'

needs('postgres')

describe('a node that is reset', () => {
  let server: Postgres
  let pool: PostgresPool
  beforeAll(async () => {
    server = await startPostgres()
    pool = await openSchema(server, 'reset')
  }, 60_000)
  afterAll(async () => {
    await pool?.close()
    await server?.stop()
  })

  const snooze = (db: FileDatabase, id: string) =>
    db.run(
      "INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, '{}', 0, 9, '', '', 0)",
      id,
    )
  const follower = (db: FileDatabase, isLeader: boolean) =>
    createFollower({
      clock: createClusterClock(systemClock),
      db,
      pool,
      log: recordingLog(),
      node: 'a',
      isLeader: () => isLeader,
      onApplied: () => undefined,
      onForgotten: () => undefined,
    })

  test('has the rows of the database and no others, and a copy of what it had', async () => {
    await using directory = tempDirectory()
    const dataDirectory = directory.path
    const store = databasesOf(dataDirectory).find(({ name }) => name === 'footman')!
    const before = openStore(store.file)
    const shipper = createShipper({
      clock: createClusterClock(systemClock),
      db: before,
      pool,
      log: recordingLog(),
      node: 'a',
      onFenced: () => undefined,
      term: () => ({ token: '5f0c8f4e-5f0c-4f4e-8f4e-5f0c8f4e5f0c', epoch: 1 }),
      seenRev: () => 0,
    })
    await lead(pool, '5f0c8f4e-5f0c-4f4e-8f4e-5f0c8f4e5f0c')
    before.transaction(() => {
      before.run("INSERT INTO kv_namespace (name, created_at) VALUES ('n', 0)")
      before.run('UPDATE kv_revision SET last = 7')
      snooze(before, 'in the backup')
    })
    await shipper.afterCommit()
    await follower(before, true).toHead()
    before.transaction(() => snooze(before, 'newer than the backup'))
    await shipper.stop()
    before.run("INSERT OR REPLACE INTO meta VALUES ('journal.cursor', '42')")
    before.close()
    storeIdentity(dataDirectory, { ...readIdentity(dataDirectory), timeline: 3 })
    const { dataId } = readIdentity(dataDirectory)

    const log = recordingLog()
    const backupDirectory = backupDirectoryOf(dataDirectory)
    resetShared(log, { dataDirectory, store, backupDirectory, version: '1.2.3' })
    const [copy] = readdirSync(backupDirectory)
    expect(copy).toMatch(/^footman-1\.2\.3-.*\.db$/)
    expect(log.of('warn')[0]).toContain(copy!)
    expect(readIdentity(dataDirectory)).toMatchObject({ dataId, timeline: null })

    const after = openStore(store.file)
    expect(after.all('SELECT id FROM snooze')).toEqual([])
    expect(after.all('SELECT * FROM cluster_change')).toEqual([])
    await follower(after, false).toHead()
    expect(after.all('SELECT id FROM snooze')).toEqual([{ id: 'in the backup' }])
    expect(after.all('SELECT last FROM kv_revision')).toEqual([{ last: 7 }])
    expect(after.all("SELECT value FROM meta WHERE key = 'journal.cursor'")).toEqual([{ value: '42' }])
    expect(after.all('SELECT name FROM kv_namespace')).toEqual([{ name: 'n' }])
    const saved = openStore(`${backupDirectory}/${copy}`)
    expect(saved.all('SELECT id FROM snooze')).toHaveLength(2)
    saved.close()
    after.close()
  })
})
