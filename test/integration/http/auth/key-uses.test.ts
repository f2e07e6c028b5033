/** The list of API keys with their last use. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createKeyUses, isDue, keyUseMigrations } from '../../../../src/http/auth/key-uses.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { type AccessApi, type AccessApiOptions, accessApi, bearer, makeKey } from './support.ts'

const cleanups: AccessApi[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup[Symbol.asyncDispose]()
})

async function started(options: AccessApiOptions = {}): Promise<AccessApi> {
  const api = await accessApi(options)
  cleanups.push(api)
  return api
}

const [erp, admin, old, far] = [makeKey(), makeKey(), makeKey(), makeKey()]
const KEYS = [
  { id: 'erp', hash: erp.hash, scopes: ['task:run'] },
  { id: 'admin', hash: admin.hash, scopes: ['admin'] },
  { id: 'old', hash: old.hash, scopes: ['task:*'], expires: '2026-03-01T00:00:00Z' },
  { id: 'far', hash: far.hash, scopes: ['task:run'], allowFrom: ['10.0.0.0/8'] },
]
const NOON = Date.parse('2026-03-02T12:00:00Z')
const iso = (at: number) => new Date(at).toISOString()

async function listed(api: AccessApi, key = admin.key) {
  const { status, body } = await api.call('GET', '/v4/access/keys', bearer(key))
  expect(status).toBe(200)
  expect(body).not.toContain('fm_')
  expect(body).not.toContain('sha256')
  return (JSON.parse(body) as { keys: { id: string; lastUsedAt: string | null; lastAddress: string | null }[] }).keys
}
const lastUses = async (api: AccessApi) =>
  Object.fromEntries((await listed(api)).map(({ id, lastUsedAt }) => [id, lastUsedAt]))

describe('whether a use is written', () => {
  test.each([
    ['the first', null, NOON, true],
    ['within a minute of the last', NOON, NOON + 59_999, false],
    ['a minute after the last', NOON, NOON + 60_000, true],
    ['with a clock that is a little behind', NOON, NOON - 100, false],
    ['with a clock that was set back', NOON, NOON - 3_600_000, true],
  ])('%s', (_, writtenAt, now, expected) => {
    expect(isDue(writtenAt, now)).toBe(expected)
  })
})

test('shows scopes, end and last use, the newest one although fewer are written', async () => {
  let now = NOON
  const api = await started({ access: { keys: KEYS }, now: () => now })
  expect((await api.call('POST', '/v4/run', bearer(erp.key), {})).status).toBe(200)
  now += 30_000
  expect((await api.call('POST', '/v4/run', bearer(erp.key), {})).status).toBe(200)
  expect(await listed(api)).toEqual([
    {
      id: 'erp',
      scopes: ['task:run'],
      expiresAt: null,
      lastUsedAt: iso(NOON + 30_000),
      lastAddress: '127.0.0.1',
    },
    {
      id: 'admin',
      scopes: ['admin'],
      expiresAt: null,
      lastUsedAt: iso(NOON + 30_000),
      lastAddress: '127.0.0.1',
    },
    {
      id: 'old',
      scopes: ['task:*'],
      expiresAt: '2026-03-01T00:00:00.000Z',
      lastUsedAt: null,
      lastAddress: null,
    },
    { id: 'far', scopes: ['task:run'], expiresAt: null, lastUsedAt: null, lastAddress: null },
  ] as never)
  expect(await api.storedUses()).toEqual([
    ['erp', NOON, '127.0.0.1'],
    ['admin', NOON + 30_000, '127.0.0.1'],
  ])
})

test('a request that is refused is a use when the key was accepted, and only then', async () => {
  const api = await started({ access: { keys: KEYS }, now: () => NOON })
  expect((await api.call('GET', '/v4/tasks', bearer(erp.key))).status).toBe(403)
  expect((await api.call('POST', '/v4/run', bearer(old.key), {})).status).toBe(401)
  expect((await api.call('POST', '/v4/run', bearer(far.key), {})).status).toBe(403)
  expect((await api.call('POST', '/v4/run', bearer(makeKey().key), {})).status).toBe(401)
  expect(await lastUses(api)).toEqual({ erp: iso(NOON), admin: iso(NOON), old: null, far: null })
})

test('a caller without admin sees its own key, one without a key none', async () => {
  const api = await started({ access: { keys: KEYS, anonymous: { scopes: ['task:read'] } }, now: () => NOON })
  expect((await listed(api, erp.key)).map(({ id }) => id)).toEqual(['erp'])
  expect(JSON.parse((await api.call('GET', '/v4/access/keys')).body)).toEqual({ keys: [] })
  const closed = await started({ access: { keys: KEYS } })
  expect((await closed.call('GET', '/v4/access/keys')).status).toBe(401)
  const open = await started({ access: { keys: KEYS, enable: false } })
  expect(JSON.parse((await open.call('GET', '/v4/access/keys')).body)).toEqual({ keys: [] })
})

test('stays over a stop with its last moment, but not for another key of the same id', async () => {
  await using directory = tempDirectory()
  let now = NOON
  const options = { directory, now: () => now }
  const first = await accessApi({ ...options, access: { keys: KEYS } })
  await first.call('POST', '/v4/run', bearer(erp.key), {})
  now += 20_000
  await first.call('POST', '/v4/run', bearer(erp.key), {})
  await first[Symbol.asyncDispose]()

  const second = await accessApi({ ...options, access: { keys: KEYS } })
  expect((await lastUses(second)).erp).toBe(iso(NOON + 20_000))
  await second[Symbol.asyncDispose]()

  const anew = KEYS.map((one) => (one.id === 'erp' ? { ...one, hash: makeKey().hash } : one))
  const third = await accessApi({ ...options, access: { keys: anew } })
  expect((await lastUses(third)).erp).toBeNull()
  await third[Symbol.asyncDispose]()
})

test('many requests of many keys write each key once a minute', async () => {
  await using directory = tempDirectory()
  const db = openDatabase(directory.join('footman.db'), { migrations: keyUseMigrations, synchronous: 'NORMAL' })
  const writer = createGroupWriter(db)
  let now = NOON
  let writes = 0
  const counting: typeof writer = {
    ...writer,
    write(work, when) {
      writes += 1
      return writer.write(work, when)
    },
  }
  const uses = createKeyUses({ db, writer: counting, clock: { now: () => now }, node: 'fm1' })
  const keys = Array.from({ length: 5 }, (_, n) => ({ id: `key${n}`, digest: Buffer.from(`digest ${n}`) }))
  for (; now < NOON + 180_000; now += 100) uses.note(keys[(now / 100) % 5]!, '10.1.2.3')
  await writer.flush()
  expect(writes).toBe(15)
  db.close()
})

test('the newest use of all nodes counts, and older ones of other nodes are removed after a day', async () => {
  await using directory = tempDirectory()
  const db = openDatabase(directory.join('footman.db'), { migrations: keyUseMigrations, synchronous: 'NORMAL' })
  const writer = createGroupWriter(db)
  const key = { id: 'erp', digest: Buffer.from('digest') }
  const at = (node: string, now: number) => createKeyUses({ db, writer, clock: { now: () => now }, node })
  const [early, late] = [at('fm1', NOON), at('fm2', NOON + 5000)]
  early.note(key, '10.0.0.1')
  late.note(key, '10.0.0.2')
  at('fm1', NOON).note({ ...key, id: 'other' }, '10.0.0.3')
  await writer.flush()
  expect(early.last(key)).toEqual({ usedAt: NOON + 5000, address: '10.0.0.2' })
  expect(late.last(key)).toEqual({ usedAt: NOON + 5000, address: '10.0.0.2' })
  const [{ keepMs, purge } = { keepMs: 0, purge: () => -1 }] = early.pruning
  expect(keepMs).toBe(86_400_000)
  expect([purge(db, NOON, 100), purge(db, NOON + 1, 100)]).toEqual([0, 1])
  expect(db.all<{ node: string }>('SELECT node FROM key_use ORDER BY node').map(({ node }) => node)).toEqual([
    'fm1',
    'fm2',
  ])
  db.close()
})
