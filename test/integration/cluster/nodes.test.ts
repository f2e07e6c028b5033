/** The signs of life of nodes in a real database: processes that work as the same node. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { createNodes } from '../../../src/cluster/nodes.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { needs } from '../../support/servers.ts'
import { openSchema } from '../../support/shared-stores.ts'

needs('postgres')

let server: Postgres
let pool: PostgresPool
beforeAll(async () => {
  server = await startPostgres()
  pool = await openSchema(server, 'nodes')
}, 60_000)
afterAll(async () => {
  await pool?.close()
  await server?.stop()
})

const DATA = randomUUID()

/** A process that works as a node with a data directory. */
function processOf(name: string, dataId: string, startedAt: number) {
  const config = () => ({})
  const self = { name, dataId, instance: randomUUID(), version: '1.0.0', candidate: true, url: null, startedAt, config }
  const nodes = createNodes(pool, self)
  return () => nodes.beat({ mode: 'follower', appliedRev: 0, waiting: 0, offsetMs: 0, health: {} })
}

test('a late beat of the process before does not end a node', async () => {
  const [before, after] = [processOf('late', DATA, 1), processOf('late', DATA, 2)]
  await before()
  await after()
  await before()
  await after()
  await after()
})

test('a node ends when an older process goes on to work as it', async () => {
  const [older, newer] = [processOf('twice', DATA, 1), processOf('twice', DATA, 2)]
  const both = async () => {
    await older()
    await newer()
  }
  await both()
  await both()
  await expect(both()).rejects.toThrow('Another process works as node "twice" with a copy of this data directory')
})
