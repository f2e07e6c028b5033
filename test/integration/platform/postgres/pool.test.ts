/** A pool of connections against a real PostgreSQL, with its faults. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { connectPrimary } from '../../../../src/platform/postgres/connect.ts'
import { PostgresError } from '../../../../src/platform/postgres/errors.ts'
import { createPostgresPool } from '../../../../src/platform/postgres/pool.ts'
import type { PostgresPool, PostgresSettings } from '../../../../src/platform/postgres/types.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { type Postgres, startPostgres } from '../../../support/postgres.ts'
import { poolSettings } from '../../../support/postgres-pool.ts'
import { needs } from '../../../support/servers.ts'
import { atMost, until } from '../../../support/wait.ts'

needs('postgres')

async function errorOf(work: Promise<unknown>): Promise<PostgresError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof PostgresError) return error
  throw new Error(`expected a PostgresError, got ${error}`)
}

/** Rejects unless it takes between these milliseconds. */
async function timed<T>(work: () => Promise<T>, from: number, to: number): Promise<T> {
  const start = performance.now()
  const result = await work()
  const took = performance.now() - start
  expect(took).toBeGreaterThan(from)
  expect(took).toBeLessThan(atMost(to))
  return result
}

describe('a pool of PostgreSQL', () => {
  let server: Postgres
  const pools: PostgresPool[] = []

  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close()))
    await server.stop()
  })

  function pool(settings: PostgresSettings = poolSettings(server)): PostgresPool {
    const made = createPostgresPool(settings)
    pools.push(made)
    return made
  }

  test('values arrive in the types that callers expect', async () => {
    const [row] = await pool().query(
      `SELECT 9007199254740991::bigint AS big, ARRAY[1, 2]::bigint[] AS bigs, 7::int AS small, 0.5::float8 AS half, $1::bytea AS bytes,
        $2::jsonb AS body, '2026-03-02 08:00+02'::timestamptz AS at, '-infinity'::timestamptz AS never, $3::text AS text,
        NULL::bigint AS nothing, true AS yes, $4::uuid AS id, $5::text[] AS list`,
      [
        new Uint8Array([0, 255, 10]),
        JSON.stringify({ a: [1, 'ü'] }),
        'it\'s "text" \\ 😀',
        '0198c5a0-0000-7000-8000-000000000001',
        ['a', 'b,c'],
      ],
    )
    expect(row).toMatchObject({
      big: 9007199254740991,
      bigs: [1, 2],
      small: 7,
      half: 0.5,
      body: { a: [1, 'ü'] },
      at: '2026-03-02 06:00:00+00',
      never: '-infinity',
      text: 'it\'s "text" \\ 😀',
      nothing: null,
      yes: true,
      id: '0198c5a0-0000-7000-8000-000000000001',
      list: ['a', 'b,c'],
    })
    expect([...(row!.bytes as Uint8Array)]).toEqual([0, 255, 10])
  })

  test('a session has its settings', async () => {
    const names = ['search_path', 'statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout']
    const others = ['synchronous_commit', 'TimeZone', 'application_name', 'client_encoding']
    const rows = await pool().query('SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name', [
      [...names, ...others],
    ])
    expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual({
      search_path: 'footman',
      statement_timeout: '5s',
      idle_in_transaction_session_timeout: '2s',
      lock_timeout: '2s',
      synchronous_commit: 'on',
      TimeZone: 'UTC',
      application_name: 'footman/test',
      client_encoding: 'UTF8',
    })
  })

  test('several statements without parameters run as one', async () => {
    const db = pool()
    expect(
      await db.query('CREATE TABLE several (a int); INSERT INTO several VALUES (1); SELECT a FROM several'),
    ).toEqual([{ a: 1 }])
    await db.query('DROP TABLE several')
    expect(await db.query('')).toEqual([])
  })

  test('a transaction is one connection, and undone when its work fails', async () => {
    const db = pool()
    await db.query('CREATE TABLE tx (a int PRIMARY KEY)')
    const kept = await db.transaction(async (tx) => {
      await tx.query('INSERT INTO tx VALUES (1)')
      return tx.query('SELECT a FROM tx')
    })
    expect(kept).toEqual([{ a: 1 }])
    const refused = await errorOf(
      db.transaction(async (tx) => {
        await tx.query('INSERT INTO tx VALUES (2)')
        await tx.query('INSERT INTO tx VALUES (1)')
      }),
    )
    expect(refused).toMatchObject({ fault: 'wrong', code: '23505' })
    const own = new Error('changed its mind')
    const work = db.transaction(async (tx) => {
      await tx.query('INSERT INTO tx VALUES (3)')
      throw own
    })
    expect(await work.catch((error: unknown) => error)).toBe(own)
    expect(await db.query('SELECT a FROM tx')).toEqual([{ a: 1 }])
    await db.query('DROP TABLE tx')
  })

  test('never more connections than the settings say; others wait for one', async () => {
    const db = pool(poolSettings(server, { connections: 2, applicationName: 'footman/crowd' }))
    const sleeping = Array.from({ length: 6 }, () => db.query('SELECT pg_sleep(0.05)'))
    await Promise.all(sleeping)
    const seen = await server.sql(`SELECT pid FROM pg_stat_activity WHERE application_name = 'footman/crowd'`)
    expect(seen).toHaveLength(2)
  })

  test('waiting for a connection ends in time', async () => {
    const db = pool(poolSettings(server, { connections: 1, connectTimeoutMs: 1000, statementTimeoutMs: 1000 }))
    // Each statement is short enough for the server, but the transaction keeps the connection.
    const busy = db.transaction(async (tx) => {
      for (let round = 0; round < 20; round++) await tx.query('SELECT pg_sleep(0.2)')
    })
    const error = await timed(() => errorOf(db.query('SELECT 1')), 900, 3900)
    expect(error).toMatchObject({ fault: 'down', code: null, message: 'all connections are busy' })
    await busy
    expect(await db.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  test('a statement that takes too long is ended by the server, and the connection goes on', async () => {
    const db = pool(poolSettings(server, { connections: 1, statementTimeoutMs: 300 }))
    const [before] = await db.query('SELECT pg_backend_pid() AS pid')
    const error = await timed(() => errorOf(db.query('SELECT pg_sleep(5)')), 290, 4000)
    expect(error).toMatchObject({ fault: 'down', code: '57014' })
    expect(await db.query('SELECT pg_backend_pid() AS pid')).toEqual([before!])
  })

  test.each([
    ['SELECT * FROM nowhere', 'wrong', '42P01'],
    ['SELECT 1 +', 'wrong', '42601'],
    ['CREATE TABLE public.mine (a int)', 'refused', '42501'],
    ['SELECT 1 / 0', 'wrong', '22012'],
  ])('%s is %s (%s)', async (sql, fault, code) => {
    expect(await errorOf(pool().query(sql))).toMatchObject({ fault, code })
  })

  test('a connection that the server has ended is replaced', async () => {
    const db = pool(poolSettings(server, { connections: 2, applicationName: 'footman/ended' }))
    await Promise.all([db.query('SELECT pg_sleep(0.05)'), db.query('SELECT pg_sleep(0.05)')])
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footman/ended'`)
    await until(() => db.host === null, { what: 'the pool to notice' })
    expect(await db.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
    expect(db.host).toBe(`127.0.0.1:${server.port}`)
  })

  test('a connection is ended that lies idle in a transaction', async () => {
    const db = pool(poolSettings(server, { connections: 1 }))
    await db.query(`SELECT set_config('idle_in_transaction_session_timeout', '100ms', false)`)
    const ended = Promise.withResolvers<void>()
    const work = db.transaction(async (tx) => {
      await until(() => db.host === null, { what: 'the end of the connection' })
      ended.resolve()
      await tx.query('SELECT 1')
    })
    expect(await errorOf(work)).toMatchObject({ fault: 'down' })
    await ended.promise
    expect(await db.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  test('closing ends connections, and what comes afterwards is refused', async () => {
    const db = createPostgresPool(poolSettings(server, { connections: 2, applicationName: 'footman/closed' }))
    await db.query('SELECT 1')
    const running = errorOf(db.query('SELECT pg_sleep(5)'))
    const second = db.query('SELECT 1')
    await second
    await timed(() => db.close(), -1, 1500)
    expect(await running).toMatchObject({ fault: 'down' })
    expect(await errorOf(db.query('SELECT 1'))).toMatchObject({ fault: 'down', message: 'the connections are closed' })
    await until(
      async () =>
        (
          await server.sql(
            `SELECT 1 FROM pg_stat_activity WHERE application_name = 'footman/closed' AND query NOT LIKE '%pg_sleep%'`,
          )
        ).length === 0,
    )
  })
})

/** Accepts connections and never says anything. */
async function silentServer(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer(() => undefined)
  const port = await freeTcpPort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { port, server }
}

describe('faults of PostgreSQL', () => {
  test('a server that refuses connections is not one that is silent', async () => {
    const closed = await freeTcpPort()
    const silent = await silentServer()
    const at = (port: number) => ({ host: '127.0.0.1', port })
    const settings = (ports: readonly number[]) =>
      poolSettings([], { hosts: ports.map(at), connectTimeoutMs: 300, tls: { mode: 'off' } })
    try {
      const refusing = createPostgresPool(settings([closed, closed]))
      const before = performance.now()
      const error = await errorOf(refusing.query('SELECT 1'))
      expect(error).toMatchObject({ fault: 'down', code: null })
      expect(error.message).toContain(`127.0.0.1:${closed}: `)
      const since = refusing.refusingSince
      expect(since).toBeGreaterThanOrEqual(before)
      await errorOf(refusing.query('SELECT 1'))
      expect(refusing.refusingSince).toBe(since)
      expect(refusing).toMatchObject({ host: null, timeline: null })

      const one = createPostgresPool(settings([closed, silent.port]))
      const quiet = await timed(() => errorOf(one.query('SELECT 1')), 290, 4000)
      expect(quiet).toMatchObject({ fault: 'down', code: null })
      expect(quiet.message).toContain('no answer within 300 ms')
      expect(one.refusingSince).toBeNull()

      const giving = createPostgresPool(settings([silent.port]))
      const failing = errorOf(giving.query('SELECT 1'))
      await timed(() => giving.close(), -1, 2000)
      expect((await failing).message).toContain('connecting was given up')
    } finally {
      silent.server.close()
    }
  })

  test('a host name that does not exist is no refusal', async () => {
    const opened = await connectPrimary(
      poolSettings([], { hosts: [{ host: 'pg.footman.invalid', port: 5432 }], tls: { mode: 'off' } }),
    )
    expect(opened).toMatchObject({ isRefused: false, error: { fault: 'down', code: null } })
  })

  test('a server that stands still is noticed by a deadline of our own, and used again afterwards', async () => {
    await using server = await startPostgres()
    const db = createPostgresPool(
      poolSettings(server, { connections: 2, connectTimeoutMs: 400, statementTimeoutMs: 300 }),
    )
    await Promise.all([db.query('SELECT pg_sleep(0.05)'), db.query('SELECT pg_sleep(0.05)')])
    server.pause()
    const error = await timed(() => errorOf(db.query('SELECT 1')), 1250, 5000)
    expect(error).toMatchObject({ fault: 'down', code: null })
    // The other connection went with it: the next statement waits for a new one only.
    const next = await timed(() => errorOf(db.query('SELECT 1')), 390, 4000)
    expect(next.message).toContain('no answer within 400 ms')
    expect(db.refusingSince).toBeNull()
    server.resume()
    await until(() => db.query('SELECT 1'), { what: 'an answer' })
    await db.close()
  }, 60_000)

  test('a server that was killed is used again when it is back', async () => {
    await using server = await startPostgres()
    const db = createPostgresPool(poolSettings(server))
    await db.query('CREATE TABLE kept AS SELECT 1 AS a')
    const running = errorOf(db.query('SELECT pg_sleep(4)'))
    await until(
      async () =>
        (
          await server.sql(
            `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(4)' AND state = 'active' AND pid <> pg_backend_pid()`,
          )
        ).length > 0,
    )
    await server.kill()
    expect(await running).toMatchObject({ fault: 'down' })
    expect(await errorOf(db.query('SELECT 1'))).toMatchObject({ fault: 'down' })
    expect(db.refusingSince).not.toBeNull()
    expect(db.host).toBeNull()
    await server.start()
    expect(await until(() => db.query('SELECT a FROM kept'))).toEqual([{ a: 1 }])
    expect(db.refusingSince).toBeNull()
    await db.close()
  }, 60_000)

  test('a standby is left out until it has taken over, which shows in the timeline', async () => {
    await using primary = await startPostgres()
    await using standby = await startPostgres({ standbyOf: primary, certificate: undefined })
    const settings = poolSettings([standby, primary], { tls: { mode: 'off' } })
    const db = createPostgresPool(settings)
    await db.query('SELECT 1')
    expect(db).toMatchObject({ host: `127.0.0.1:${primary.port}`, timeline: 1 })

    const only = createPostgresPool({ ...settings, hosts: settings.hosts.slice(0, 1) })
    const error = await errorOf(only.query('SELECT 1'))
    expect(error).toMatchObject({ fault: 'standby', message: `127.0.0.1:${standby.port} is a standby` })
    // It answers, but the database cannot be used.
    expect(only).toMatchObject({ refusingSince: null })

    await primary.kill()
    await errorOf(db.query('SELECT 1'))
    expect(db.refusingSince).toBeNull()
    await standby.promote()
    await until(() => db.query('SELECT 1'))
    expect(db).toMatchObject({ host: `127.0.0.1:${standby.port}`, timeline: 2 })
    await Promise.all([db.close(), only.close()])
  }, 60_000)
})
