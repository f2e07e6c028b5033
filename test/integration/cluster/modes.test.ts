/** The parts that nodes of a cluster play: who leads, who follows, and what happens without the database. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { type Cluster, type ClusterSettings, createCluster } from '../../../src/cluster/index.ts'
import type { SharedState } from '../../../src/cluster/types.ts'
import type { StartError } from '../../../src/platform/errors.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, ROLE, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { openStore } from '../../support/shared-stores.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

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

describe('nodes of a cluster', () => {
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

  const settingsOf = (name: string): ClusterSettings['postgres'] => ({
    ...ROLE,
    hosts: [{ host: '127.0.0.1', port: server.port }],
    schema,
    tls: { mode: 'verify-full', ca: server.ca, certificate: '', key: '', serverName: '' },
    connections: 3,
    connectTimeoutMs: 3000,
    statementTimeoutMs: 5000,
    applicationName: `footman/${name}`,
  })

  function newMember(
    name: string,
    wish: Partial<ClusterSettings> = {},
    health: () => Readonly<Record<string, unknown>> = () => ({}),
  ): Member {
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
        health,
      },
      {
        node: name,
        dataDirectory,
        reportDirectory: null,
        version: 'test',
        url: null,
        candidate: true,
        reader: '',
        postgres: settingsOf(name),
        leaseMs: LEASE_MS,
        aloneAfterMs: () => 4000,
        commandTimeoutMs: () => 5000,
        configHashes: () => ({}),
        refusedAfterMs: () => 600_000,
        whenDatabaseDown: () => 'alert',
        dutiesWhenDatabaseDown: 'stop',
        dedupTtlMs: 600_000,
        maxOpen: 1000,
        keepInboxMs: 86_400_000,
        ...wish,
      },
    )
    building = building.then(build)
    cluster.start()
    const member: Member = {
      name,
      cluster,
      db,
      parts,
      log,
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

  test('do not leave the lead to one that cannot write its disk, whose app is built anew when it can', async () => {
    let database = 'up'
    const a = newMember('qs-a', {}, () => ({ database }))
    await untilLeads(a)
    const b = newMember('qs-b')
    await untilFollows(b)
    database = 'down'
    await untilLeads(b)
    const disk = (member: Member) => {
      const own = member.shared.status?.nodes.find(({ name }) => name === 'qs-a')
      return (own?.health.lacks as { disk?: string } | undefined)?.disk
    }
    expect(disk(b)).toContain('cannot be written')
    expect([a.shared.mayAct(), a.parts]).toEqual([false, [expect.stringContaining('leads the cluster')]])
    // None takes the lead that cannot write, when no other node is there.
    const c = newMember('qs-c', {}, () => ({ database: 'down' }))
    await untilFollows(c)
    await b.stop()
    await until(() => c.log.lines.some(({ message }) => message.includes('does not take the lead')), {
      what: 'the node to leave the lead alone',
      state: words,
    })
    expect(a.parts).toHaveLength(1)
    database = 'up'
    await untilLeads(a)
  }, 60_000)

  test('a node whose repository is away leaves the lead to one that reaches it', async () => {
    const a = newMember('qs-a', {}, () => ({ database: 'up', qrs: 'down' }))
    await untilLeads(a)
    const b = newMember('qs-b', {}, () => ({ database: 'up', qrs: 'up' }))
    await untilFollows(b)
    await a.stop()
    const again = newMember('qs-a', {}, () => ({ database: 'up', qrs: 'down' }))
    await untilLeads(b)
    await untilFollows(again)
  }, 60_000)

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

  test('need data of their own also under another name', async () => {
    const [a] = await pair()
    const copy = directory.join('copy')
    mkdirSync(copy)
    copyFileSync(directory.join('qs-a', 'cluster.json'), `${copy}/cluster.json`)
    const cloned = newMember('qs-x', { dataDirectory: copy })
    await until(() => cloned.fatal !== null, { what: 'the copy to be noticed', state: words })
    expect(cloned.fatal?.message).toContain('Node "qs-a" of the cluster works with the same data directory')
    expect(leads(a)).toBe(true)
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

  test('a node that the database refuses keeps what it receives, and does nothing that others do', async () => {
    const [a] = await pair()
    const postgres = { ...settingsOf('qs-c'), password: 'wrong' }
    const c = newMember('qs-c', { postgres })
    const isRefused = () => c.shared.mode === 'alone' && c.shared.inbox !== null
    await until(isRefused, { what: 'the refusal to count', state: words })
    expect([c.shared.runsDuties, c.shared.status?.database.isRefused]).toEqual([false, true])
    expect(c.shared.status?.database.reason).toMatch(/refuses this node: .*password authentication failed/)
    expect(c.log.lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('footman doctor'))
    await expect(c.shared.inbox!.offer([])).rejects.toThrow()
    expect(leads(a)).toBe(true)
    await server.kill()
    await until(() => c.shared.mode === 'alone' && c.shared.inbox === null, {
      what: 'it to work alone without a server',
      state: words,
    })
    await server.start()
    await until(isRefused, { what: 'the refusal to count again', state: words })
  }, 60_000)

  test('a node that the database refuses for long alerts about what it has received, until it is let in', async () => {
    const [a] = await pair()
    const refusedAfterMs = () => 6000
    const postgres = { ...settingsOf('qs-c'), password: 'wrong' }
    const [c, d] = [
      newMember('qs-c', { postgres, refusedAfterMs }),
      newMember('qs-d', { postgres, refusedAfterMs, whenDatabaseDown: () => 'wait' }),
    ]
    const waits = ({ shared }: Member) => shared.mode === 'alone' && shared.inbox !== null
    const alerts = ({ shared }: Member) => shared.mode === 'alone' && shared.inbox === null
    await until(() => [c, d].every(waits), { what: 'the refusal to count', state: words })
    await until(() => alerts(c), { what: 'the node to alert', state: words })
    expect([c.shared.runsDuties, c.shared.status?.database]).toEqual([
      false,
      expect.objectContaining({ isRefused: true, isWaitedFor: false }),
    ])
    // It stays so: the app is not built anew at every look.
    const parts = c.parts.length
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE.user}'`)
    await untilLeads(a)
    expect([c.parts.length, waits(d)]).toEqual([parts, true])
    await server.sql(`ALTER ROLE ${ROLE.user} PASSWORD 'wrong'`)
    try {
      await until(() => follows(c), { what: 'it to be let in', state: words })
    } finally {
      await server.sql(`ALTER ROLE ${ROLE.user} PASSWORD '${ROLE.password}'`)
    }
  }, 60_000)

  test('do with what comes in as the guide says', async () => {
    const [a, b] = await pair()
    const request = { method: 'PUT', url: '/', headers: {}, body: null, caller: null, requestId: '' }
    const change = async ({ shared }: Member) => {
      const signal = AbortSignal.timeout(500)
      const passed = shared.atLeader({ ...request, signal })
      if (passed === null) return shared.mayAct() ? 'done' : 'refused'
      return passed.then(
        () => 'passed',
        (error: { readonly fault?: string }) => (error.fault === 'CLUSTER_UNAVAILABLE' ? 'refused' : 'passed'),
      )
    }
    const duty = ({ shared }: Member) => (shared.runsDuties && shared.mayAct() ? 'done' : 'kept')
    const walk = async (member: Member) => ({
      UDP: member.shared.delivers && member.shared.mayAct() ? 'done' : 'kept',
      'REST, changing': await change(member),
      'key-value pair, changing': await change(member),
      'MQTT start request': duty(member),
      'MQTT trigger, MQTT message to keep': duty(member),
      'schedule that is due': duty(member),
      'report trigger': duty(member),
    })
    a.shared.serve(async () => ({ status: 204, headers: {}, body: new Uint8Array(), note: null }))
    const found = { leader: await walk(a), follower: await walk(b) }
    await server.kill()
    await until(() => b.shared.mode === 'alone', { what: 'the node to be alone', state: words })
    const all = { ...found, alone: await walk(b) }
    await server.start()
    const guide = readFileSync('docs/several-nodes.md', 'utf8')
    const rows = guide.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    const head = rows.find((cells) => cells[1] === 'Input')!
    for (const [state, inputs] of Object.entries(all)) {
      const column = head.indexOf(state)
      const told = Object.keys(inputs).map((input) => [
        input,
        rows.find((cells) => cells[1] === input)?.[column]?.match(/\w+/)?.[0],
      ])
      expect([state, Object.fromEntries(told)]).toEqual([state, inputs])
    }
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

  test('go on when the database is put back once more while they add what it has forgotten', async () => {
    const a = newMember('qs-a')
    await untilLeads(a)
    for (let n = 0; n < 5; n += 1) await write(a, `before ${n}`)
    const isAdding = `EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'UPDATE node SET returned_at%' AND wait_event_type = 'Lock')`
    // It is put back once when its table of nodes is locked, and again in the last step of the node's return.
    const puttingBack = server.sql(`DO $$ BEGIN
      LOCK TABLE ${schema}.node;
      LOOP EXIT WHEN ${isAdding}; PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02); END LOOP;
      UPDATE ${schema}.head SET rev = 1;
    END $$`)
    await until(
      () =>
        server
          .sql(`SELECT FROM pg_locks WHERE relation = '${schema}.node'::regclass AND mode = 'AccessExclusiveLock'`)
          .then((rows) => rows.length > 0),
      { what: 'the lock' },
    )
    await server.sql(`UPDATE ${schema}.head SET rev = 2`)
    await puttingBack
    await until(() => a.parts.filter((because) => because.includes('earlier state')).length === 2, {
      what: 'the node to find out twice',
      state: words,
    })
    await untilLeads(a)
    await write(a, 'after')
    expect(snoozes(a)).toHaveLength(6)
    const rows = await server.sql(`SELECT key FROM ${schema}.replica WHERE tbl = 'snooze' AND NOT deleted`)
    expect(rows).toHaveLength(6)
  }, 60_000)

  test('add what the database has forgotten also when the app before takes long to end', async () => {
    const a = newMember('qs-a')
    await untilLeads(a)
    await write(a, 'before')
    const looks = new Set<string>()
    a.atEnd(async () => {
      const look = `SELECT query_start FROM pg_stat_activity WHERE query LIKE 'SELECT node, epoch, expires_at%' AND application_name LIKE 'footman/qs-a%'`
      await until(
        async () => {
          for (const row of await server.sql<{ query_start: Date }>(look)) looks.add(String(row.query_start.getTime()))
          return looks.size > 3
        },
        { what: 'looks at the lease while the app ends' },
      )
    })
    // As many rows again as it knows: it is seen once, by the history.
    await server.sql(`DELETE FROM ${schema}.replica; UPDATE ${schema}.head SET history = 'another'`)
    await until(
      () => a.log.lines.some(({ message }) => /rows of the last hour are in the database again/.test(message)),
      {
        what: 'the rows to be added',
        state: words,
      },
    )
    await untilLeads(a)
    const rows = await server.sql(`SELECT key FROM ${schema}.replica WHERE tbl = 'snooze' AND NOT deleted`)
    expect(rows).toEqual([{ key: 'before' }])
    // It was no follower in between, which would have taken the lead with a part that has ended.
    expect(a.log.lines.filter(({ message }) => /is follower now/.test(message))).toHaveLength(2)
  }, 60_000)
})
