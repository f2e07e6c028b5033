/** A node that follows: pairs that the leader has changed are read here, and listeners are told of them. */
import { expect, test } from 'bun:test'
import { createKeyValueStore, keyValueMigrations } from '../../../src/kv/store.ts'
import type { Change } from '../../../src/kv/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'

const TABLES = ['kv_change', 'kv', 'kv_namespace', 'kv_revision']
const LIMITS = { maxKeysPerNamespace: 100, maxValueSize: 1000 }

type Listener = (tables: ReadonlySet<string>) => void

function node(mode: 'leader' | 'follower', clock: { now(): number }, existing?: Database) {
  const db = existing ?? openDatabase(':memory:', { migrations: keyValueMigrations })
  const listeners = new Set<Listener>()
  const shared = {
    mode,
    onApplied(listener: Listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const store = createKeyValueStore({ db, writer: createGroupWriter(db), clock, shared }, LIMITS)
  const changes: Change[] = []
  store.onChange((change) => changes.push(change))
  const applied = (...tables: string[]) => {
    for (const listener of listeners) listener(new Set(tables))
  }
  return { db, store, changes, applied }
}

/** All rows as they are now, as following stores them. */
function follow(from: Database, to: Database): void {
  to.transaction(() => {
    for (const table of TABLES) {
      to.run(`DELETE FROM ${table}`)
    }
    for (const table of TABLES.toReversed()) {
      for (const row of from.all<Record<string, string | number | null>>(`SELECT * FROM ${table}`)) {
        const columns = Object.keys(row)
        to.run(
          `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
          ...Object.values(row),
        )
      }
    }
  })
}

test('a follower tells the changes of the leader with the same revisions, and reads the new values', async () => {
  let now = 1000
  const clock = { now: () => now }
  const leader = node('leader', clock)
  const follower = node('follower', clock)
  const step = () => {
    follow(leader.db, follower.db)
    follower.applied(...TABLES)
  }

  await leader.store.set({ namespace: 'ns', key: 'a', value: '1', ttl: 0 })
  step()
  expect(follower.store.get('ns', 'a')?.value).toBe('1')
  await leader.store.set({ namespace: 'ns', key: 'a', value: '2', ttl: 0 })
  step()
  expect(follower.store.get('ns', 'a')?.value).toBe('2')

  await leader.store.set({ namespace: 'ns', key: 'short', value: 'x', ttl: 10 })
  await leader.store.delete('ns', 'a')
  now = 2000
  await leader.store.removeExpired(10)
  step()
  expect(follower.store.get('ns', 'a')).toBeUndefined()

  // The value of a pair that is gone again is not known any more; its end is told.
  expect(follower.changes).toEqual(leader.changes.filter(({ key, event }) => key !== 'short' || event === 'expire'))
  expect(follower.changes.map(({ event, key, value }) => [event, key, value])).toEqual([
    ['set', 'a', '1'],
    ['set', 'a', '2'],
    ['delete', 'a', undefined],
    ['expire', 'short', undefined],
  ])
})

test('a pair that changed several times between two steps is told once, as it is', async () => {
  const clock = { now: () => 1000 }
  const leader = node('leader', clock)
  const follower = node('follower', clock)
  for (const value of ['1', '2', '3']) await leader.store.set({ namespace: 'ns', key: 'a', value, ttl: 0 })
  follow(leader.db, follower.db)
  follower.applied('kv')
  expect(follower.changes).toEqual([])
  follower.applied('kv', 'kv_change')
  follower.applied('kv_change')
  expect(follower.changes).toEqual([{ event: 'set', namespace: 'ns', key: 'a', value: '3', revision: 3 }])
})

test('changes that a reader has missed are known on every node, while they are kept', async () => {
  const clock = { now: () => 1000 }
  const leader = node('leader', clock)
  const follower = node('follower', clock)
  for (const key of ['a', 'b', 'c']) await leader.store.set({ namespace: 'ns', key, value: '1', ttl: 0 })
  follow(leader.db, follower.db)
  for (const { store } of [leader, follower]) {
    expect(store.changesAfter(1)?.map(({ key, revision }) => [key, revision])).toEqual([
      ['b', 2],
      ['c', 3],
    ])
    expect(store.changesAfter(3)).toEqual([])
    expect(store.changesAfter(4)).toBeNull()
  }
  leader.db.run('DELETE FROM kv_change WHERE revision < 3')
  expect(leader.store.changesAfter(1)).toBeNull()
  expect(leader.store.changesAfter(2)).toHaveLength(1)
})

test('changes from before the build are not told', async () => {
  const clock = { now: () => 1000 }
  const leader = node('leader', clock)
  await leader.store.set({ namespace: 'ns', key: 'a', value: '1', ttl: 0 })
  const follower = node('follower', clock, leader.db)
  follower.applied(...TABLES)
  expect(follower.changes).toEqual([])
})
