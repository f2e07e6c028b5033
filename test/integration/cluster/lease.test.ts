/** One leader at a time, by a real database: takeovers, own leases taken back, and clocks that are wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { createLease, type Lease } from '../../../src/cluster/lease.ts'
import { shipAsLeader } from '../../../src/cluster/replica.ts'
import { createPostgresPool } from '../../../src/platform/postgres/pool.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import { type Postgres, ROLE, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { openSchema } from '../../support/shared-stores.ts'
import { atMost, until } from '../../support/wait.ts'

needs('postgres')

const DURATION_MS = 3000
const BELIEVED_MS = DURATION_MS - DURATION_MS / 6

interface NodeWish {
  readonly dataId?: string
  /** The wall clock is ahead by so many milliseconds. */
  readonly aheadMs?: number
  readonly monotonic?: () => number
}

describe('the lease of the leader', () => {
  let server: Postgres
  let pool: PostgresPool
  let schemas = 0
  let schema = ''
  const pools: PostgresPool[] = []

  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server?.stop())
  afterEach(async () => {
    server.resume()
    await Promise.all(pools.splice(0).map((one) => one.close()))
  })

  async function newCluster(): Promise<void> {
    schemas += 1
    schema = `lease_${schemas}`
    pool = await openSchema(server, schema)
    pools.push(pool)
  }

  function connect(): PostgresPool {
    const own = createPostgresPool({
      ...ROLE,
      hosts: [{ host: '127.0.0.1', port: server.port }],
      schema,
      tls: { mode: 'verify-full', ca: server.ca, certificate: '', key: '', serverName: '' },
      connections: 1,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 1000,
      applicationName: 'footman/test',
    })
    pools.push(own)
    return own
  }

  function newNode(name: string, { dataId = randomUUID(), aheadMs = 0, monotonic }: NodeWish = {}) {
    const wall = () => Date.now() + aheadMs
    const clock = createClusterClock({ now: wall }, 0, monotonic)
    const lease = createLease(
      { db: connect(), clock, log: recordingLog(), wall },
      { node: name, dataId, durationMs: DURATION_MS },
    )
    return { lease, clock, dataId }
  }

  const shipsWith = async ({ token }: { readonly token: string }) =>
    (await shipAsLeader(pool, 'qs', { token, seenRev: 0 }, { rows: [], settled: [], answers: [] })) !== null

  const headNow = async () => (await pool.query<{ rev: number }>('SELECT rev FROM head'))[0]!.rev

  async function takeoverMs(candidate: Lease, from: number): Promise<number> {
    await until(() => candidate.acquire(), { what: 'the lease to be taken' })
    return performance.now() - from
  }

  test('is taken by one of many candidates, and by the next when it has ended', async () => {
    await newCluster()
    const [first, ...others] = ['qs-a', 'qs-b', 'qs-c'].map((name) => newNode(name).lease)
    const terms = await Promise.all([first!, ...others].map((lease) => lease.acquire()))
    const won = terms.filter((term) => term !== null)
    expect(won).toHaveLength(1)
    expect(won[0]!.epoch).toBe(1)
    const winner = terms.findIndex((term) => term !== null)
    const rest = [first!, ...others].filter((_, index) => index !== winner)
    const renewedAt = performance.now()
    expect(await [first!, ...others][winner]!.renew()).toMatchObject({ isHeld: true })
    expect(await rest[0]!.look()).toMatchObject({ epoch: 1, isFree: false })
    const ms = await takeoverMs(rest[0]!, renewedAt)
    expect(ms).toBeGreaterThan(DURATION_MS - 50)
    expect(ms).toBeLessThan(atMost(DURATION_MS + 1000))
    expect(rest[0]!.term()?.epoch).toBe(2)
    expect(await rest[1]!.acquire()).toBeNull()
    const leaderships = await pool.query('SELECT epoch, reason FROM leadership ORDER BY epoch')
    expect(leaderships).toEqual([
      { epoch: 1, reason: 'first' },
      { epoch: 2, reason: 'expired' },
    ])
  })

  test('is taken back at once by the same data directory, with a token of its own', async () => {
    await newCluster()
    const { lease, dataId } = newNode('qs-a')
    const before = (await lease.acquire())!
    expect(await newNode('qs-b').lease.acquire()).toBeNull()
    const again = (await newNode('qs-a', { dataId }).lease.acquire())!
    expect(again).toMatchObject({ epoch: 2, reason: 'restart' })
    expect(again.token).not.toBe(before.token)
    expect(await shipsWith(before)).toBe(false)
    expect(await shipsWith(again)).toBe(true)
    await pool.query('UPDATE head SET rev = rev + 7')
    // An old head would look like that of a database that was put back to an earlier state.
    expect(await lease.renew()).toMatchObject({ isHeld: false, head: await headNow() })
    expect(lease.last).toBeNull()
  })

  test('is renewed after its end as long as it is free, and lost when another node has it', async () => {
    await newCluster()
    let now = performance.now()
    const old = newNode('qs-a', { monotonic: () => now }).lease
    const term = (await old.acquire())!
    await until(async () => (await old.look()).isFree, { what: 'the lease to end' })
    now += DURATION_MS + 1
    expect(old.term()).toBeNull()
    expect(await old.renew()).toMatchObject({ isHeld: true })
    expect(old.term()?.token).toBe(term.token)
    const next = newNode('qs-b').lease
    await until(() => next.acquire(), { what: 'another leader' })
    expect(await shipsWith(term)).toBe(false)
    expect(await old.renew()).toMatchObject({ isHeld: false })
    expect(old.term()).toBeNull()
  })

  test('is handed over at a clean stop, and the old leader is not preferred then', async () => {
    await newCluster()
    const { lease, dataId } = newNode('qs-a')
    const term = (await lease.acquire())!
    const next = newNode('qs-b').lease
    expect(await next.look()).toMatchObject({ node: 'qs-a' })
    const released = performance.now()
    const releasing = lease.release()
    expect(await lease.renew()).toBeNull()
    await releasing
    expect(await lease.renew()).toBeNull()
    expect(lease.term()).toBeNull()
    expect(await takeoverMs(next, released)).toBeLessThan(atMost(2000))
    expect(await shipsWith(term)).toBe(false)
    expect(await newNode('qs-a', { dataId }).lease.acquire()).toBeNull()
  })

  test('is believed in for five sixths of its time after the last renewal was sent', async () => {
    await newCluster()
    let now = 1000
    const { lease } = newNode('qs-a', { monotonic: () => now })
    const term = (await lease.acquire())!
    now += BELIEVED_MS - 1
    expect(lease.term()?.token).toBe(term.token)
    now += 1
    expect(lease.term()).toBeNull()
    expect(await lease.renew()).toMatchObject({ isHeld: true })
    expect(lease.term()?.token).toBe(term.token)
  })

  test('protects by its token where the clock of a leader stands still', async () => {
    await newCluster()
    const { lease: frozen } = newNode('qs-a', { monotonic: () => 1 })
    const term = (await frozen.acquire())!
    const next = newNode('qs-b').lease
    await until(() => next.acquire(), { what: 'the takeover' })
    expect(frozen.term()?.token).toBe(term.token)
    expect(await shipsWith(term)).toBe(false)
    expect(await shipsWith(next.last!)).toBe(true)
    expect(await frozen.renew()).toMatchObject({ isHeld: false })
    expect(frozen.term()).toBeNull()
  })

  for (const aheadMs of [300_000, -300_000]) {
    test(`does not depend on a wall clock that is ${aheadMs / 60_000} minutes ahead`, async () => {
      await newCluster()
      const { lease: right } = newNode('qs-a')
      const { lease: wrong, clock } = newNode('qs-b', { aheadMs })
      await Promise.all([right.look(), wrong.look()])
      const renewedAt = performance.now()
      await right.acquire()
      expect(await wrong.acquire()).toBeNull()
      const ms = await takeoverMs(wrong, renewedAt)
      expect(ms).toBeGreaterThan(DURATION_MS - 50)
      expect(ms).toBeLessThan(atMost(DURATION_MS + 1000))
      expect(wrong.term()?.epoch).toBe(2)
      expect(await right.acquire()).toBeNull()
      expect(Math.abs(clock.offsetMs + aheadMs)).toBeLessThan(1000)
      expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000)
    })
  }

  test('is not believed in while the database is silent, and goes on when it answers again', async () => {
    await newCluster()
    const { lease } = newNode('qs-a')
    const term = (await lease.acquire())!
    server.pause()
    const silentAt = performance.now()
    await expect(lease.renew()).rejects.toThrow()
    await until(() => lease.term() === null, { what: 'the belief to end' })
    expect(performance.now() - silentAt).toBeLessThan(BELIEVED_MS + 500)
    server.resume()
    await until(() => lease.renew(), { what: 'the renewal' })
    expect(lease.term()?.token).toBe(term.token)
  })
})
