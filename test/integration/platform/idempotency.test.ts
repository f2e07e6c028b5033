import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { EVERYBODY } from '../../../src/http/endpoint/caller.ts'
import { createIdempotency, type Idempotency, idempotencyMigrations } from '../../../src/http/endpoint/idempotency.ts'
import { type ApiRequest, jsonAnswer } from '../../../src/http/endpoint/route.ts'
import { refused } from '../../../src/http/errors.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { createZoneTimes } from '../../../src/platform/zone-times.ts'
import { recordingLog } from '../../support/recording-log.ts'

const HOUR = 3_600_000

let db: Database
let now = 0
let idempotency: Idempotency
const ids: (string | null)[] = []

/** As after a restart: only what is on disk is left. */
function restart(): Idempotency {
  return createIdempotency(
    { db, writer: createGroupWriter(db), clock: { now: () => now }, log: recordingLog() },
    'leader',
  )
}

beforeEach(() => {
  db = openDatabase(':memory:', { migrations: idempotencyMigrations })
  now = 1_800_000_000_000
  ids.length = 0
  idempotency = restart()
})
afterEach(() => db.close())

function call(key: string | null, changes: { body?: unknown; client?: string; actor?: string } = {}): ApiRequest {
  const { body = { tag: ['a'] }, client = '10.0.0.1', actor = 'anonymous' } = changes
  return {
    method: 'POST',
    url: '/v4/reloadtask/-/start',
    params: {},
    query: {},
    body,
    client,
    requestId: 'r',
    times: createZoneTimes('UTC'),
    peer: client,
    secure: false,
    prefix: '',
    headers: new Headers(key === null ? {} : { 'idempotency-key': key }),
    caller: { ...EVERYBODY, actor },
    sees: () => true,
    note: () => {},
    signal: new AbortController().signal,
    pages: undefined as never,
  }
}

const work =
  (status = 200) =>
  (id: string | null) => {
    ids.push(id)
    return Promise.resolve(jsonAnswer(status, { count: ids.length }))
  }

const read = async (answer: Response | Promise<Response>) => {
  const response = await answer
  return [response.status, await response.json(), response.headers.get('idempotent-replay')] as unknown
}

describe('a call with an idempotency key', () => {
  test('is carried out once, also after a restart', async () => {
    expect(await read(idempotency.once(call('k'), work(202)))).toEqual([202, { count: 1 }, null])
    expect(await read(idempotency.once(call('k'), work()))).toEqual([202, { count: 1 }, 'true'])
    expect(await read(restart().once(call('k'), work()))).toEqual([202, { count: 1 }, 'true'])
  })

  test('is remembered for 24 hours', async () => {
    await idempotency.once(call('k'), work())
    now += 24 * HOUR - 1
    expect(await read(idempotency.once(call('k'), work()))).toEqual([200, { count: 1 }, 'true'])
    now += 1
    expect(await read(idempotency.once(call('k'), work()))).toEqual([200, { count: 2 }, null])
  })

  test('belongs to its caller', async () => {
    await idempotency.once(call('k'), work())
    for (const other of [{ client: '10.0.0.2' }, { actor: 'key:erp' }, { actor: 'key:other' }]) {
      expect(await read(idempotency.once(call('k', other), work()))).toMatchObject([200, {}, null])
    }
    expect(await read(idempotency.once(call('k', { actor: 'key:erp', client: '::1' }), work()))).toMatchObject([
      200,
      { count: 3 },
      'true',
    ])
  })

  test('with another body is refused', async () => {
    await idempotency.once(call('k'), work())
    await expect(idempotency.once(call('k', { body: { tag: ['b'] } }), work())).rejects.toMatchObject({
      status: 409,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    })
  })

  test('that was cut short keeps its id, so that it can go on where it stood', async () => {
    // The process ended while this was carried out.
    void idempotency.once(call('k'), (id) => {
      ids.push(id)
      return new Promise(() => {})
    })
    while (ids.length === 0) await new Promise((done) => setImmediate(done))
    expect(await read(restart().once(call('k'), work()))).toEqual([200, { count: 2 }, null])
    expect(ids[1]).toBe(ids[0]!)
  })

  test('is tried again after a failure, with the same id', async () => {
    expect(await read(idempotency.once(call('k'), work(502)))).toEqual([502, { count: 1 }, null])
    expect(await read(idempotency.once(call('k'), work()))).toEqual([200, { count: 2 }, null])
    expect(ids[1]).toBe(ids[0]!)
  })

  test('leaves the key free when it is refused', async () => {
    const refuse = () => Promise.reject(refused(400, 'no'))
    await expect(idempotency.once(call('k'), refuse)).rejects.toMatchObject({ status: 400 })
    expect(await read(idempotency.once(call('k', { body: {} }), work()))).toEqual([200, { count: 1 }, null])
  })

  test.each(['', 'x'.repeat(129), 'ä'])('the key %p is refused', async (key) => {
    const request = { ...call(null), headers: new Headers([['idempotency-key', key]]) }
    const refuses = async () => idempotency.once(request, work())
    await expect(refuses()).rejects.toMatchObject({ status: 400, body: { code: 'VALIDATION' } })
  })

  test('without a key nothing is remembered', async () => {
    await idempotency.once(call(null), work())
    await idempotency.once(call(null), work())
    expect(ids).toEqual([null, null])
    expect(db.all('SELECT id FROM idempotency_key')).toEqual([])
  })
})
