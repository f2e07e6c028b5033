import pg from 'pg'
import { startPostgres, SUPERUSER } from '../test/support/postgres.ts'
import { startDatabaseProxy } from '../test/support/cluster/database-proxy.ts'
await using server = await startPostgres()
await using proxy = await startDatabaseProxy(server.port)
for (const port of [server.port, proxy.port]) {
  const client = new pg.Client({ host: '127.0.0.1', port, ...SUPERUSER, database: 'footman', ssl: { rejectUnauthorized: false } })
  await client.connect()
  const t = performance.now()
  for (let i = 0; i < 100; i++) await client.query('SELECT $1::text', ['x'.repeat(5000)])
  console.log(port === proxy.port ? 'proxy' : 'direct', (performance.now() - t) / 100, 'ms')
  await client.end()
}
