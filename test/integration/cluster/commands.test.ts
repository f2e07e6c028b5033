/** REST calls as commands: taken once by the leader, answered or refused at the node that received them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { type Commands, createCommands } from '../../../src/cluster/commands.ts'
import { createCounters } from '../../../src/cluster/counters.ts'
import { createShipper, type Shipper } from '../../../src/cluster/ship.ts'
import type { ForwardedAnswer, ForwardedRequest, ForwardingError, Term } from '../../../src/cluster/types.ts'
import { createPostgresPool } from '../../../src/platform/postgres/pool.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { type Postgres, postgresPrograms, ROLE, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { lead, openSchema, openStore } from '../../support/shared-stores.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

let server: Postgres
let pool: PostgresPool
let schemas = 0
let ends: (() => Promise<void> | void)[] = []

beforeAll(async () => {
  if (postgresPrograms()) server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())
beforeEach(async () => {
  schemas += 1
  pool = await openSchema(server, `commands_${schemas}`)
})
afterEach(async () => {
  for (const end of ends.toReversed()) await end()
  ends = []
  await pool.close()
})

const requestOf = (body: Uint8Array | null = null): ForwardedRequest => ({
  method: 'POST',
  url: '/v4/keyvalues/ns?x=1',
  headers: { 'idempotency-key': 'k' },
  body,
  caller: { actor: 'key:erp' },
  requestId: randomUUID(),
  signal: new AbortController().signal,
})

const answerOf = (text: string): ForwardedAnswer => ({
  status: 201,
  headers: { etag: '"r1"' },
  body: Buffer.from(text),
  note: { target: ['ns'] },
})

interface Node {
  readonly commands: Commands
  readonly reached: number[]
  readonly db: FileDatabase
  lead(): Promise<void>
  readonly shipper: Shipper
}

function node(name: string, { timeoutMs = 10_000, over = pool } = {}): Node {
  const db = openStore(':memory:')
  const log = recordingLog()
  const reached: number[] = []
  let term: Term | null = null
  const shipper = createShipper({
    clock: createClusterClock(systemClock),
    db,
    pool: over,
    log,
    node: name,
    term: () => term,
    seenRev: () => 0,
    onFenced: () => undefined,
  })
  const commands = createCommands(
    {
      clock: createClusterClock(systemClock),
      pool: over,
      node: name,
      log,
      counters: createCounters(() => performance.now()),
      term: () => term,
      answer: shipper.answer,
      reach: async (rev) => void reached.push(rev),
    },
    { timeoutMs: () => timeoutMs },
  )
  const looking = setInterval(() => void commands.takeAll(), 20)
  ends.push(async () => {
    clearInterval(looking)
    commands.stop()
    await shipper.stop()
    db.close()
  })
  return {
    commands,
    reached,
    db,
    shipper,
    async lead() {
      const token = randomUUID()
      await lead(pool, token)
      const [fence] = await pool.query<{ epoch: number }>('SELECT epoch FROM fence')
      term = { token, epoch: fence!.epoch }
    },
  }
}

const faultOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: ForwardingError) => error.fault,
  )

describe('commands', () => {
  test('are carried out by the leader, and answered with what it says', async () => {
    const [leader, follower] = [node('a'), node('b')]
    const seen: ForwardedRequest[] = []
    leader.commands.serve(async (request) => {
      seen.push(request)
      return answerOf('done')
    })
    await leader.lead()
    const request = requestOf(Buffer.from('{"key":"ü"}'))
    const answer = await follower.commands.ask(request)
    expect(answer).toMatchObject({
      status: 201,
      headers: { etag: '"r1"', 'footman-leader': 'a' },
      note: { target: ['ns'] },
    })
    expect(Buffer.from(answer.body).toString()).toBe('done')
    const { signal: _, body, ...rest } = request
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject(rest)
    expect(Buffer.from(seen[0]!.body!)).toEqual(Buffer.from(body!))
    expect(follower.reached).toHaveLength(1)
  })

  test('many at once are each taken once', async () => {
    const [leader, follower] = [node('a'), node('b')]
    const urls: string[] = []
    leader.commands.serve(async ({ url }) => {
      urls.push(url)
      return answerOf(url)
    })
    await leader.lead()
    const asked = Array.from({ length: 200 }, (_, n) => follower.commands.ask({ ...requestOf(), url: `/${n}` }))
    const answers = (await Promise.all(asked)).map(({ body }) => Buffer.from(body).toString())
    expect(answers).toEqual(asked.map((_, n) => `/${n}`))
    expect(urls.toSorted()).toEqual(answers.toSorted())
  })

  test('without a leader are refused in time, and never carried out later', async () => {
    const [later, follower] = [node('a'), node('b', { timeoutMs: 300 })]
    expect(await faultOf(follower.commands.ask(requestOf()))).toBe('NO_LEADER')
    let calls = 0
    later.commands.serve(async () => {
      calls += 1
      return answerOf('late')
    })
    await later.lead()
    await later.commands.takeAll()
    expect(calls).toBe(0)
    expect(await pool.query('SELECT FROM command')).toEqual([])
  })

  test('are taken by a leader that comes in time', async () => {
    const [late, follower] = [node('a'), node('b')]
    late.commands.serve(async () => answerOf('done'))
    const asked = follower.commands.ask(requestOf())
    await until(async () => (await pool.query('SELECT FROM command')).length === 1)
    await late.lead()
    expect((await asked).status).toBe(201)
  })

  test('that a leader took before it was replaced have an unknown outcome, and no other takes them', async () => {
    const [first, second, follower] = [node('a'), node('b'), node('c', { timeoutMs: 60_000 })]
    const calls: string[] = []
    first.commands.serve(async () => {
      calls.push('a')
      await new Promise(() => undefined)
      return answerOf('never')
    })
    second.commands.serve(async () => {
      calls.push('b')
      return answerOf('second')
    })
    await first.lead()
    const asked = faultOf(follower.commands.ask(requestOf()))
    await until(() => calls.length > 0)
    await second.lead()
    expect(await asked).toBe('OUTCOME_UNKNOWN')
    expect(calls).toEqual(['a'])
  })

  test('are not taken by a leader that was replaced and does not know it', async () => {
    const [old, current, follower] = [node('a'), node('b'), node('c', { timeoutMs: 500 })]
    const calls: string[] = []
    old.commands.serve(async () => {
      calls.push('a')
      return answerOf('old')
    })
    await old.lead()
    await current.lead()
    expect(await faultOf(follower.commands.ask(requestOf()))).toBe('NO_LEADER')
    expect(calls).toEqual([])
  })

  test('that are not answered in time have an unknown outcome', async () => {
    const [leader, follower] = [node('a'), node('b', { timeoutMs: 2000 })]
    leader.commands.serve(() => new Promise(() => undefined))
    await leader.lead()
    expect(await faultOf(follower.commands.ask(requestOf()))).toBe('OUTCOME_UNKNOWN')
  })

  test('are refused when the node gets another part', async () => {
    const follower = node('b', { timeoutMs: 60_000 })
    const asked = faultOf(follower.commands.ask(requestOf()))
    await until(async () => (await pool.query('SELECT FROM command')).length === 1)
    follower.commands.stop()
    expect(await asked).toBe('NO_LEADER')
  })

  test('carry at most 10 MiB', async () => {
    const follower = node('b')
    expect(await faultOf(follower.commands.ask(requestOf(new Uint8Array(10 * 1024 * 1024 + 1))))).toBe('BODY_TOO_LARGE')
    expect(await pool.query('SELECT FROM command')).toEqual([])
  })

  test('without a database say that nothing was done', async () => {
    const away = createPostgresPool({
      ...ROLE,
      hosts: [{ host: '127.0.0.1', port: await freeTcpPort() }],
      schema: 'nowhere',
      tls: { mode: 'off', ca: '', certificate: '', key: '', serverName: '' },
      connections: 2,
      connectTimeoutMs: 200,
      statementTimeoutMs: 1000,
      applicationName: 'footman/test',
    })
    ends.push(() => away.close())
    const follower = node('b', { timeoutMs: 400, over: away })
    const began = performance.now()
    expect(await faultOf(follower.commands.ask(requestOf()))).toBe('CLUSTER_UNAVAILABLE')
    expect(performance.now() - began).toBeGreaterThanOrEqual(390)
  })

  test('wait for a database that is away for a moment', async () => {
    const [leader, follower] = [node('a'), node('b')]
    leader.commands.serve(async () => answerOf('done'))
    await leader.lead()
    await server.restart('immediate')
    expect((await follower.commands.ask(requestOf())).status).toBe(201)
  }, 90_000)
})
