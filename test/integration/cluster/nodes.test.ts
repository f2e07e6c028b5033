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

/** Identity of the data directory of a node, copies included. */
const DATA: Record<string, string> = {}

/** A process that works as a node, with its data directory or a copy of it. */
function processOf(name: string, startedAt: number) {
  DATA[name] ??= randomUUID()
  const dataId = DATA[name]
  const config = () => ({})
  const self = { name, dataId, instance: randomUUID(), version: '1.0.0', candidate: true, url: null, startedAt, config }
  const nodes = createNodes(pool, self)
  const state = { mode: 'follower', appliedRev: 0, waiting: 0, offsetMs: 0, health: {} } as const
  return { register: () => nodes.register(state), beat: () => nodes.beat(state) }
}

const silence = (name: string, seconds: number) =>
  pool.query('UPDATE node SET seen_at = seen_at - make_interval(secs => $2) WHERE name = $1', [name, seconds])

test('a late beat of the process before does not end a node', async () => {
  const [before, after] = [processOf('late', 1), processOf('late', 2)]
  expect(await before.register()).toBe(true)
  await silence('late', 3)
  expect(await after.register()).toBe(true)
  await before.beat()
  await after.beat()
  await after.beat()
})

test('a node ends when an older process goes on to work as it', async () => {
  const [older, newer] = [processOf('twice', 1), processOf('twice', 2)]
  await older.register()
  await silence('twice', 3)
  await newer.register()
  const both = async () => {
    await older.beat()
    await newer.beat()
  }
  await both()
  await expect(both()).rejects.toThrow('Another process works as node "twice" with a copy of this data directory')
})

test('a process does not take the name of one that goes on to beat, and ends', async () => {
  const [first, copy] = [processOf('copied', 1), processOf('copied', 2)]
  await first.register()
  expect(await copy.register()).toBe(false)
  await first.beat()
  expect(await copy.register()).toBe(false)
  await first.beat()
  await expect(copy.register()).rejects.toThrow('Another process works as node "copied" with a copy')
  await first.beat()
  await first.beat()
})

test('of two processes that start at once, one takes the name', async () => {
  const both = [processOf('at once', 1), processOf('at once', 1)]
  for (const silent of [0, 3]) {
    if (silent > 0) await silence('at once', silent)
    const taken = await Promise.all(both.map(({ register }) => register()))
    expect(taken.sort()).toEqual([false, true])
  }
})
