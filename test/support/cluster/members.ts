/** Nodes of a cluster in this process, on one PostgreSQL: each has its data directory, and no app but its store. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { type Cluster, type ClusterSettings, createCluster } from '../../../src/cluster/index.ts'
import type { SharedState } from '../../../src/cluster/types.ts'
import type { StartError } from '../../../src/platform/errors.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, ROLE, startPostgres } from '../postgres.ts'
import { recordingLog } from '../recording-log.ts'
import { openStore } from '../shared-stores.ts'
import { type TempDirectory, tempDirectory } from '../temp.ts'
import { until } from '../wait.ts'

const LEASE_MS = 3000

export interface Member extends AsyncDisposable {
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

// One server serves all tests of a file, each with a schema and a directory of its own.
export let server: Postgres
export let directory: TempDirectory
export let schema = ''
export const members: Member[] = []

/** Starts the server before the tests of a file, and stops the nodes after each. Called once, at the top level. */
export function startMembers(): void {
  let schemas = 0
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
}

export const settingsOf = (name: string): ClusterSettings['postgres'] => ({
  ...ROLE,
  hosts: [{ host: '127.0.0.1', port: server.port }],
  schema,
  tls: { mode: 'verify-full', ca: server.ca, certificate: '', key: '', serverName: '' },
  connections: 3,
  connectTimeoutMs: 3000,
  statementTimeoutMs: 5000,
  applicationName: `footman/${name}`,
})

export function newMember(
  name: string,
  own: Partial<ClusterSettings> = {},
  health: () => Readonly<Record<string, unknown>> = () => ({}),
): Member {
  const dataDirectory = own.dataDirectory ?? directory.join(name)
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
      ...own,
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

export const leads = ({ shared }: Member) => shared?.mode === 'leader' && shared.mayAct()
export const follows = ({ shared }: Member) => shared?.mode === 'follower'
export const untilLeads = (member: Member) =>
  until(() => leads(member), { what: `${member.name} to lead`, state: words })
export const untilFollows = (member: Member) =>
  until(() => follows(member), { what: `${member.name} to follow`, state: words })
export const words = () => members.map(({ name, log }) => [name, log.lines.slice(-4).map(({ message }) => message)])

export const snooze = ({ db }: Member, id: string) =>
  db.run(
    "INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, '{}', 0, 9, '', '', 0)",
    id,
  )
export async function write(member: Member, id: string): Promise<void> {
  snooze(member, id)
  await member.shared.afterCommit()
}
export const snoozes = ({ db }: Member) =>
  db.all<{ id: string }>('SELECT id FROM snooze ORDER BY id').map(({ id }) => id)

export async function pair(own: Partial<ClusterSettings> = {}): Promise<[leader: Member, follower: Member]> {
  const a = newMember('qs-a', own)
  await untilLeads(a)
  const b = newMember('qs-b', own)
  await untilFollows(b)
  return [a, b]
}
