/** Whatever a leader writes, crashes included, the database and the other nodes have the same rows. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { createFollower, type Follower } from '../../../src/cluster/follow.ts'
import { createShipper, type Shipper } from '../../../src/cluster/ship.ts'
import type { PostgresPool, Queryable } from '../../../src/platform/postgres/types.ts'
import type { FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import {
  lead,
  openSchema,
  openStore,
  type RandomWrite,
  rowsIn,
  rowsInDatabase,
  write,
} from '../../support/shared-stores.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

let server: Postgres
let schemas = 0

function newSchema(): Promise<PostgresPool> {
  schemas += 1
  return openSchema(server, `property_${schemas}`)
}

beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())

type Step =
  | { readonly do: 'commit'; readonly writes: readonly RandomWrite[] }
  | { readonly do: 'ship' | 'follow' | 'follower dies' }
  | { readonly do: 'leader dies'; readonly when: 'before' | 'after' }

const writes = fc.array(
  fc.record({
    table: fc.nat(1000),
    what: fc.constantFrom(
      'insert' as const,
      'insert' as const,
      'update' as const,
      'update' as const,
      'delete' as const,
    ),
    seeds: fc.array(fc.nat(100_000), { minLength: 4, maxLength: 40 }),
  }),
  { minLength: 1, maxLength: 60 },
)
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), writes }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('ship' as const, 'follow' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('follower dies' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('leader dies' as const),
        when: fc.constantFrom('before' as const, 'after' as const),
      }),
    },
  ),
  { minLength: 5, maxLength: 30 },
)

/** A pool whose caller dies before or after the database has done what it was asked. */
function mortal(pool: PostgresPool): { readonly pool: PostgresPool; die(when: 'before' | 'after'): void } {
  let when: 'before' | 'after' | null = null
  async function once<T>(work: () => Promise<T>): Promise<T> {
    if (when === 'before') throw new Error('dead')
    const result = await work()
    if (when) throw new Error('dead')
    return result
  }
  return {
    pool: {
      ...pool,
      query: <Row>(sql: string, parameters?: readonly unknown[]) => once(() => pool.query<Row>(sql, parameters)),
      transaction: <T>(work: (tx: Queryable) => Promise<T>) => once(() => pool.transaction(work)),
    },
    die(at) {
      when = at
    },
  }
}

describe('a leader and a follower', () => {
  test('random writes', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        await using directory = tempDirectory()
        const shared = await newSchema()
        const site = await openSite(directory.join('leader.db'), directory.join('follower.db'), shared)
        for (const step of plan) await site.take(step)
        await site.finish()
        const here = rowsIn(site.leader)
        expect(differences(withoutCounts(here), await rowsInDatabase(shared, site.leader))).toEqual([])
        expect(differences(here, rowsIn(site.follower))).toEqual([])
        expect(site.follower.all('PRAGMA foreign_key_check')).toEqual([])
        await site.close()
        await shared.close()
      }),
      { numRuns: 10, interruptAfterTimeLimit: 20_000 },
    )
  }, 120_000)
})

describe('many rows', () => {
  test('are shipped in groups of a commit and followed in pages', async () => {
    await using directory = tempDirectory()
    const shared = await newSchema()
    const site = await openSite(directory.join('leader.db'), directory.join('follower.db'), shared)
    const text = 'x'.repeat(1500)
    const began = performance.now()
    for (let group = 0; group < GROUPS; group += 1) {
      site.leader.transaction(() => {
        for (let n = 0; n < GROUP; n += 1) {
          site.leader.run(
            "INSERT INTO audit (id, at, actor, action, target, outcome, detail) VALUES (?, 0, '', '', '', 'ok', ?)",
            `${group} ${n}`,
            text,
          )
        }
      })
      await site.take({ do: 'ship' })
    }
    const shipped = performance.now()
    await site.take({ do: 'follow' })
    const rate = (from: number, to: number) => Math.round((GROUPS * GROUP * 1000) / (to - from))
    console.log(`    shipped ${rate(began, shipped)} rows/s, followed ${rate(shipped, performance.now())} rows/s`)
    const count = site.follower.get<{ n: number }>('SELECT count(*) AS n FROM audit')!.n
    expect(count).toBe(GROUPS * GROUP)
    await site.close()
    await shared.close()
  }, 60_000)
})

describe('a follower that is notified', () => {
  test('of shipments in quick succession looks at most every 50 ms', async () => {
    await using directory = tempDirectory()
    const shared = await newSchema()
    const site = await openSite(directory.join('leader.db'), directory.join('follower.db'), shared)
    await site.take({ do: 'follow' })
    const [looked, began] = [site.looks(), performance.now()]
    for (let n = 0; n < 20; n += 1) {
      site.leader.run(
        "INSERT INTO audit (id, at, actor, action, target, outcome, detail) VALUES (?, 0, '', '', '', 'ok', '')",
        `${n}`,
      )
      await site.take({ do: 'ship' })
      site.wake()
      // A look that began at once would have ended.
      await Bun.sleep(3)
    }
    await until(() => site.follower.all('SELECT id FROM audit').length === 20, { timeout: 2000 })
    // Timers may be a millisecond early.
    expect(site.looks() - looked).toBeLessThanOrEqual(1 + (performance.now() - began) / 49)
    await site.close()
    await shared.close()
  }, 30_000)
})

const GROUPS = 20
const GROUP = 200

/** The tables whose rows are not the same. */
const differences = (here: Record<string, string[]>, there: Record<string, string[]>) =>
  Object.keys(here)
    .map((table) => ({ table, here: here[table]!.toSorted(), there: (there[table] ?? []).toSorted() }))
    .filter((one) => JSON.stringify(one.here) !== JSON.stringify(one.there))

/** The last word of a row is the count. */
const withoutCounts = (rows: Record<string, string[]>) =>
  Object.fromEntries(
    Object.entries(rows).map(([table, of]) => [table, of.map((row) => row.slice(0, row.lastIndexOf(' ')))]),
  )

async function openSite(leaderFile: string, followerFile: string, shared: PostgresPool) {
  const token = randomUUID()
  await lead(shared, token)
  const log = recordingLog()
  let leader = openStore(leaderFile)
  let mortalPool = mortal(shared)
  let shipper = newShipper()
  let follower = openStore(followerFile)
  let looks = 0
  let following = newFollower()

  function newShipper(): Shipper {
    mortalPool = mortal(shared)
    return createShipper({
      clock: createClusterClock(systemClock),
      db: leader,
      pool: mortalPool.pool,
      log,
      node: 'a',
      seenRev: () => 0,
      term: () => ({ token, epoch: 1 }),
      onFenced: () => {
        throw new Error('nobody else leads')
      },
    })
  }

  function newFollower(): Follower {
    return createFollower({
      clock: createClusterClock(systemClock),
      onForgotten: () => undefined,
      db: follower,
      pool: {
        ...shared,
        query<Row>(sql: string, parameters?: readonly unknown[]) {
          looks += 1
          return shared.query<Row>(sql, parameters)
        },
      },
      log,
      node: 'b',
      isLeader: () => false,
      onApplied: () => undefined,
    })
  }

  // The migration has made this row before anything was noted.
  leader.exec('UPDATE kv_revision SET last = 1')

  async function take(step: Step): Promise<void> {
    if (step.do === 'commit') {
      leader.transaction(() => {
        for (const one of step.writes) write(leader, one)
      })
      // Not awaited: further commits come while it is in flight.
      shipper.afterCommit()?.catch(() => undefined)
    } else if (step.do === 'ship') await shipper.drain()
    else if (step.do === 'follow') await following.toHead()
    else if (step.do === 'follower dies') {
      follower.close()
      follower = openStore(followerFile)
      following = newFollower()
    } else if (step.do === 'leader dies') {
      mortalPool.die(step.when)
      leader.close()
      await shipper.stop().catch(() => undefined)
      leader = openStore(leaderFile)
      shipper = newShipper()
    }
  }

  return {
    take,
    /** A notification. */
    wake: () => following.wake(),
    /** Questions of the follower to the database. */
    looks: () => looks,
    get leader(): FileDatabase {
      return leader
    },
    get follower(): FileDatabase {
      return follower
    },
    async finish() {
      await shipper.drain()
      await following.toHead()
    },
    async close() {
      await Promise.all([shipper.stop(), following.stop()])
      leader.close()
      follower.close()
    },
  }
}
