/** The parts that nodes of a cluster play: who leads, who follows, and what happens without the database. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync } from 'node:fs'
import { type Cluster, type ClusterSettings, createCluster } from '../../../src/cluster/index.ts'
import type { SharedState } from '../../../src/cluster/types.ts'
import type { StartError } from '../../../src/platform/errors.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, postgresPrograms, ROLE, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { openStore } from '../../support/shared-stores.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const LEASE_MS = 3000

interface Member extends AsyncDisposable {
  readonly name: string
  readonly cluster: Cluster
  readonly db: FileDatabase
  readonly shared: SharedState
  readonly fatal: StartError | null
  /** Modes and what they were for, oldest first. */
  readonly parts: readonly string[]
  readonly log: ReturnType<typeof recordingLog>
  /** Work that is under way when its services stop next. */
  atEnd(work: () => Promise<void>): void
  stop(): Promise<void>
}

describe.skipIf(!postgresPrograms())('nodes of a cluster', () => {
  let server: Postgres
  let directory: TempDirectory
  let schema = ''
  let schemas = 0
  const members: Member[] = []

  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server?.stop())
  beforeEach(async () => {
    directory = tempDirectory()
    schemas += 1
    schema = `modes_${schemas}`
    for (const name of [schema, `${schema}_qlik`]) await server.sql(`CREATE SCHEMA ${name} AUTHORIZATION ${ROLE.user}`)
  })
  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member.stop()))
    directory.remove()
  })

  function newMember(name: string, wish: Partial<ClusterSettings> = {}): Member {
    const dataDirectory = wish.dataDirectory ?? directory.join(name)
    mkdirSync(dataDirectory, { recursive: true })
    const db = openStore(`${dataDirectory}/footman.db`)
    const log = recordingLog()
    const parts: string[] = []
    let shared: SharedState
    let fatal: StartError | null = null
    let building: Promise<void> = Promise.resolve()
    let isStopped = false
    let atEnd = async (): Promise<void> => undefined
    const stopServices = async () => {
      await atEnd()
      atEnd = async () => undefined
      for (const service of shared.services) await service.stop(1000)
    }
    const build = async () => {
      shared = cluster.attach({ db, log })
      for (const service of shared.services) await service.start()
    }
    const cluster = createCluster(
      {
        log,
        clock: systemClock,
        onPart(because) {
          parts.push(because)
          building = building.then(stopServices).then(build)
        },
        onFatal(error) {
          fatal = error
        },
        health: () => ({}),
      },
      {
        ...{
          node: name,
          dataDirectory,
          reportDirectory: null,
          version: 'test',
          url: null,
          candidate: true,
          reader: '',
        },
        postgres: {
          ...ROLE,
          hosts: [{ host: '127.0.0.1', port: server.port }],
          schema,
          tls: { mode: 'verify-full', ca: server.ca, certificate: '', key: '', serverName: '' },
          connections: 3,
          connectTimeoutMs: 3000,
          statementTimeoutMs: 5000,
          applicationName: `footman/${name}`,
        },
        ...{ leaseMs: LEASE_MS, aloneAfterMs: () => 4000, commandTimeoutMs: () => 5000, configHashes: () => ({}) },
        ...{ whenDatabaseDown: () => 'alert', dutiesWhenDatabaseDown: 'stop' },
        ...{ dedupTtlMs: 600_000, maxOpen: 1000, keepInboxMs: 86_400_000 },
        ...wish,
      },
    )
    building = building.then(build)
    cluster.start()
    const member: Member = {
      ...{ name, cluster, db, parts, log },
      atEnd(work) {
        atEnd = work
      },
      get shared() {
        return shared
      },
      get fatal() {
        return fatal
      },
      async stop() {
        if (isStopped) return
        isStopped = true
        await building
        await stopServices()
        await cluster.stop()
        await building
        db.close()
      },
      [Symbol.asyncDispose]: () => member.stop(),
    }
    members.push(member)
    return member
  }

  const leads = ({ shared }: Member) => shared?.mode === 'leader' && shared.mayAct()
  const follows = ({ shared }: Member) => shared?.mode === 'follower'
  const untilLeads = (member: Member) => until(() => leads(member), { what: `${member.name} to lead`, state: words })
  const untilFollows = (member: Member) =>
    until(() => follows(member), { what: `${member.name} to follow`, state: words })
  const words = () => members.map(({ name, log }) => [name, log.lines.slice(-4).map(({ message }) => message)])

  const snooze = ({ db }: Member, id: string) =>
    db.run(
      "INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, '{}', 0, 9, '', '', 0)",
      id,
    )
  async function write(member: Member, id: string): Promise<void> {
    snooze(member, id)
    await member.shared.afterCommit()
  }
  const snoozes = ({ db }: Member) => db.all<{ id: string }>('SELECT id FROM snooze ORDER BY id').map(({ id }) => id)

  async function pair(wish: Partial<ClusterSettings> = {}): Promise<[leader: Member, follower: Member]> {
    const a = newMember('qs-a', wish)
    await untilLeads(a)
    const b = newMember('qs-b', wish)
    await untilFollows(b)
    return [a, b]
  }

  test('have one leader, which hands over at a clean stop at once', async () => {
    const [a, b] = await pair()
    expect([a.shared.runsDuties, b.shared.runsDuties]).toEqual([true, false])
    await write(a, 'one')
    await until(() => snoozes(b).length === 1, { what: 'the row to be followed' })
    snooze(a, 'last')
    const from = performance.now()
    await a.stop()
    await until(() => b.shared.status?.mode === 'leader', { what: 'the next leader' })
    expect(performance.now() - from).toBeLessThan(4000)
    await untilLeads(b)
    expect(snoozes(b)).toEqual(['last', 'one'])
    const rows = await server.sql<{ node: string; mode: string }>(`SELECT name AS node, mode FROM ${schema}.node`)
    expect(rows.find(({ node }) => node === 'qs-a')?.mode).toBe('leaving')
  })

  test('change the leader when it is asked to step down, which ends what it does before', async () => {
    const [a, b] = await pair()
    for (const [last, next] of [
      [a, b],
      [b, a],
    ] as const) {
      last.atEnd(() => write(last, `last of ${last.name}`))
      await last.cluster.stepDown()
      await untilLeads(next)
      await untilFollows(last)
      expect(last.parts.at(-1)).toContain('asked to lead')
      await until(() => next.shared.status?.leaderships[0]?.node === next.name, { what: 'the list of leaderships' })
      expect(snoozes(next)).toContain(`last of ${last.name}`)
    }
    expect([...a.log.lines, ...b.log.lines].filter(({ message }) => message.includes('put back'))).toEqual([])
  })

  test('tell when a section of their configuration has changed', async () => {
    let hashes: Readonly<Record<string, string>> = { calendars: '1', windows: '1' }
    const [, b] = await pair({ configHashes: () => hashes })
    const differs = () => b.shared.status?.configDiffers ?? {}
    expect(differs()).toEqual({})
    const c = newMember('qs-c', { configHashes: () => ({ calendars: '1', windows: '2' }) })
    await untilFollows(c)
    await until(() => differs().windows?.includes('qs-c'), {
      what: 'the section to be known to differ',
      state: differs,
    })
    hashes = { calendars: '1', windows: '2' }
    await until(() => Object.keys(differs()).length === 0, { what: 'the sections to be equal', state: differs })
  })

  test('need names of their own', async () => {
    const [a] = await pair()
    const other = newMember('qs-a', { dataDirectory: directory.join('other') })
    await until(() => other.fatal !== null, { what: 'the second one to be refused' })
    expect(other.fatal?.message).toContain('"qs-a"')
    expect(leads(a)).toBe(true)
  })

  test('need data of their own: a copied directory ends the process that was later', async () => {
    const [a] = await pair()
    const copy = directory.join('copy')
    mkdirSync(copy)
    copyFileSync(directory.join('qs-a', 'cluster.json'), `${copy}/cluster.json`)
    const cloned = newMember('qs-a', { dataDirectory: copy })
    await until(() => cloned.fatal !== null, { what: 'the copy to be noticed', state: words })
    expect(cloned.fatal?.message).toContain('copy of this data directory')
    expect(a.fatal).toBeNull()
    await cloned.stop()
    await until(() => members.some(leads), { what: 'one to lead again', state: words })
  })

  test('refuse the database of another cluster', async () => {
    const [a] = await pair()
    const id = a.shared.status?.clusterId
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await a.stop()
    await server.sql(`UPDATE ${schema}.cluster_info SET id = gen_random_uuid()`)
    const again = newMember('qs-a')
    await until(() => again.fatal !== null, { what: 'the other cluster to be noticed' })
    expect(again.fatal?.message).toContain('another cluster')
    expect(again.fatal?.hint).toContain(id!)
  })

  test('of a version that is too old end', async () => {
    const [a] = await pair()
    await a.stop()
    await server.sql(`UPDATE ${schema}.cluster_info SET min_protocol = 99`)
    const again = newMember('qs-a')
    await until(() => again.fatal !== null, { what: 'the protocol to be noticed' })
    expect(again.fatal?.message).toContain('too old')
  })

  test('work alone without the database and are one again when it is back; what they alone know of limits ends', async () => {
    const [a, b] = await pair()
    await write(a, 'before')
    await server.kill()
    await until(() => [a, b].every(({ shared }) => shared.mode === 'alone'), { what: 'both to be alone', state: words })
    expect([a, b].map(({ shared }) => [shared.runsDuties, shared.delivers, shared.inbox])).toEqual([
      [false, true, null],
      [false, true, null],
    ])
    await write(a, 'alone')
    await server.start()
    await until(() => [a, b].filter(leads).length === 1 && [a, b].filter(follows).length === 1, {
      what: 'one leader and one follower',
      state: words,
    })
    for (const member of [a, b]) expect(snoozes(member)).toEqual(['before'])
  }, 60_000)

  test('wait for the database where they are told to', async () => {
    const [a, b] = await pair({ whenDatabaseDown: () => 'wait' })
    await server.kill()
    await until(() => !a.shared.mayAct(), { what: 'the lease to end' })
    await until(() => (a.shared.status?.database.downForMs ?? 0) > 5000, { what: 'a long outage' })
    expect([a, b].map(({ shared }) => shared.mode)).toEqual(['leader', 'follower'])
    await server.start()
    await until(() => [a, b].some(leads), { what: 'a leader', state: words })
    expect([a, b].flatMap(({ log }) => log.lines).filter(({ message }) => /alone/.test(message))).toEqual([])
  }, 60_000)

  test('keep what a leader has done that goes on with its duties', async () => {
    const [a, b] = await pair({ dutiesWhenDatabaseDown: 'lastLeader' })
    await write(a, 'before')
    await server.kill()
    await until(() => [a, b].every(({ shared }) => shared.mode === 'alone'), { what: 'both to be alone', state: words })
    expect([a, b].map(({ shared }) => shared.runsDuties)).toEqual([true, false])
    await write(a, 'by the last leader')
    await write(b, 'by another')
    await server.start()
    await until(() => [a, b].filter(leads).length === 1 && [a, b].filter(follows).length === 1, {
      what: 'one leader and one follower',
      state: words,
    })
    for (const member of [a, b])
      await until(() => snoozes(member).length === 2, { what: 'the same rows', state: words })
    for (const member of [a, b]) expect(snoozes(member)).toEqual(['before', 'by the last leader'])
  }, 60_000)

  test('find out that the database was put back while they were away, also when it has as many rows again', async () => {
    const [a, b] = await pair()
    await write(a, 'before')
    const backup = await server.backup()
    await untilLeads(a)
    await write(a, 'late')
    for (let n = 0; n < 10; n += 1) {
      a.db.run('UPDATE snooze SET reason = ? WHERE id = ?', String(n), 'late')
      await a.shared.afterCommit()
    }
    await until(() => b.db.get("SELECT 1 FROM snooze WHERE id = 'late' AND reason = '9'"), { what: 'the last change' })
    const known = b.shared.status!.appliedRev
    await b.stop()
    await server.restore(backup)
    await until(() => a.parts.some((because) => because.includes('earlier state')) && leads(a), {
      what: 'the leader to find out, and to lead again',
      state: words,
    })
    for (let n = 0; n < 12; n += 1) await write(a, `after ${n}`)
    await until(() => a.shared.status!.headRev > known, { what: 'as many rows as before' })
    const again = newMember('qs-b')
    await untilFollows(again)
    await until(() => snoozes(again).length === snoozes(a).length, { what: 'all rows', state: () => snoozes(again) })
    expect(snoozes(again)).toEqual(snoozes(a))
    expect(snoozes(a)).toHaveLength(14)
    const parts = again.parts.length
    await write(a, 'one more')
    await until(() => snoozes(again).includes('one more'), { what: 'the next row' })
    expect(again.parts).toHaveLength(parts)
  }, 60_000)
})
