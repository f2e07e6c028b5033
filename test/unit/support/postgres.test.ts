import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { type Postgres, ROLE, startPostgres } from '../../support/postgres.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

describe('PostgreSQL for tests', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres()
    await server.sql('CREATE TABLE public.kept (n int)')
  })
  afterAll(() => server.stop())

  const asFootman = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const ssl = { ca: readFileSync(server.ca, 'utf8') }
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, ...ROLE, ssl, connectionTimeoutMillis: 400 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await work(client)
    } finally {
      void client.end()
    }
  }
  const count = async (at = server) => (await at.sql<{ n: string }>('SELECT count(*) AS n FROM public.kept'))[0]?.n

  test('lets the account of Footman make tables in its schemas and nowhere else', async () => {
    await asFootman(async (client) => {
      await client.query('CREATE TABLE footman.a (n int)')
      await client.query('CREATE VIEW footman_qlik.a AS SELECT * FROM footman.a')
      await expect(client.query('SELECT * FROM public.kept')).rejects.toThrow('permission denied')
      const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
      expect(rows).toEqual([{ ssl: true }])
    })
  })

  test('is silent while it is paused', async () => {
    server.pause()
    await expect(asFootman((client) => client.query('SELECT 1'))).rejects.toThrow()
    server.resume()
    await asFootman((client) => client.query('SELECT 1'))
  })

  test('keeps what was committed over a kill and over restarts', async () => {
    await server.sql('INSERT INTO public.kept VALUES (1)')
    await server.kill()
    await expect(server.sql('SELECT 1')).rejects.toThrow('ECONNREFUSED')
    await server.start()
    expect(await count()).toBe('1')
    for (const mode of ['fast', 'immediate'] as const) {
      await server.sql('INSERT INTO public.kept VALUES (1)')
      await server.restart(mode)
    }
    expect(await count()).toBe('3')
  })

  test('is followed by a standby that takes over', async () => {
    await using standby = await startPostgres({ standbyOf: server })
    await server.sql('INSERT INTO public.kept VALUES (1)')
    await until(async () => (await count(standby)) === '4')
    await server.holdBackStandbys()
    await server.sql('INSERT INTO public.kept VALUES (1)')
    await server.kill()
    await standby.promote()
    await standby.sql('INSERT INTO public.kept VALUES (1)')
    expect(await count(standby)).toBe('5')
  })
})
