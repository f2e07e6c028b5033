/** Revisions, numbers, pages, export and import. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { keyValueApi } from '../../support/key-values.ts'

let api: Awaited<ReturnType<typeof keyValueApi>>
beforeEach(async () => {
  api = await keyValueApi({ maxKeysPerNamespace: 10_000 })
})
afterEach(() => api[Symbol.asyncDispose]())

const set = (key: string, value = 'v', ttl = 0, namespace = 'ns1') => api.store.set({ namespace, key, value, ttl })
const mismatch = (currentRevision: number) => ({
  status: 412,
  body: expect.objectContaining({
    error: 'Revision mismatch',
    statusCode: 412,
    code: 'REVISION_MISMATCH',
    currentRevision,
  }),
})

describe('revisions', () => {
  test('a read tells the revision; with meta also what is left of its time', async () => {
    const { revision } = await set('k', 'v', 60_000)
    api.clock.advance(1000)
    const answer = await api.send('GET', '/v4/keyvalues/ns1?key=k&meta=true')
    expect(answer.headers.etag).toBe(`"r${revision}"`)
    expect(JSON.parse(answer.body)).toEqual({
      namespace: 'ns1',
      key: 'k',
      value: 'v',
      revision,
      ttl: 59_000,
      updatedAt: '2026-03-02T06:00:00.000Z',
    })
    const plain = await api.send('GET', '/v4/keyvalues/ns1?key=k')
    expect(plain.headers.etag).toBe(`"r${revision}"`)
    expect(plain.body).toBe('{"namespace":"ns1","key":"k","value":"v"}')
  })

  test('namespaces with counts have keys, bytes of UTF-8 and the last change', async () => {
    await set('k', 'v')
    await set('å', 'åå')
    expect((await api.call('GET', '/v4/keyvaluesnamespaces')).body).toEqual(['ns1'])
    expect((await api.call('GET', '/v4/keyvaluesnamespaces?counts=true')).body).toEqual([
      { namespace: 'ns1', keys: 2, bytes: 8, changedAt: '2026-03-02T06:00:00.000Z' },
    ])
    await api.call('DELETE', '/v4/keyvalues/ns1/k')
    await api.call('DELETE', '/v4/keyvalues/ns1/%C3%A5')
    expect((await api.call('GET', '/v4/keyvaluesnamespaces?counts=true')).body).toEqual([
      { namespace: 'ns1', keys: 0, bytes: 0, changedAt: null },
    ])
  })

  test('at its very last millisecond a pair has 1 ms left: 0 means none', async () => {
    await set('k', 'v', 100)
    api.clock.advance(100)
    expect((await api.call('GET', '/v4/keyvalues/ns1?key=k&meta=true')).body.ttl).toBe(1)
    expect((await api.call('GET', '/v4/keyvalues/ns1/keyexists?key=k')).body.keyValue.ttl).toBe(1)
  })

  const post = (headers: Record<string, string>, more = {}) =>
    api.call('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'new', ...more }, headers)

  test('If-Match lets only the writer pass who knows the present revision', async () => {
    expect(await post({ 'If-Match': '"r1"' })).toEqual(mismatch(0))
    expect(api.store.namespaces()).toEqual([])
    const { revision } = await set('k')
    for (const tag of ['"r999999"', 'W/"r1"', 'nonsense', '""']) {
      expect(await post({ 'If-Match': tag })).toEqual(mismatch(revision))
    }
    expect(api.store.get('ns1', 'k')?.value).toBe('v')
    expect((await post({ 'If-Match': `"r999999", "r${revision}"` })).status).toBe(201)
    expect((await post({ 'If-Match': '*' })).status).toBe(201)
  })

  test('If-None-Match: * only makes new pairs', async () => {
    expect((await post({ 'If-None-Match': '*' })).status).toBe(201)
    const { revision } = api.store.get('ns1', 'k')!
    expect(await post({ 'If-None-Match': '*' })).toEqual(mismatch(revision))
  })

  test('ifRevision in the body does the same; 0 means that there must be none', async () => {
    expect((await post({}, { ifRevision: 0 })).status).toBe(201)
    const { revision } = api.store.get('ns1', 'k')!
    expect(await post({}, { ifRevision: 0 })).toEqual(mismatch(revision))
    const answer = await api.send('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'v', ifRevision: revision })
    expect(answer.status).toBe(201)
    expect(answer.headers.etag).toBe(`"r${api.store.get('ns1', 'k')!.revision}"`)
  })

  test('an expired pair counts as none', async () => {
    await set('k', 'v', 10)
    api.clock.advance(11)
    expect((await post({ 'If-None-Match': '*' })).status).toBe(201)
  })

  test('DELETE with If-Match', async () => {
    const { revision } = await set('k')
    const remove = (tag: string) => api.call('DELETE', '/v4/keyvalues/ns1/k', undefined, { 'If-Match': tag })
    expect(await remove('"r999999"')).toEqual(mismatch(revision))
    expect((await remove(`"r${revision}"`)).status).toBe(204)
    expect(await remove(`"r${revision}"`)).toEqual(mismatch(0))
  })
})

describe('POST /v4/keyvalues/{namespace}/increment', () => {
  const increment = (body: unknown, method = 'POST') => api.call(method, '/v4/keyvalues/ns1/increment', body)

  test('adds to a number and answers it as text', async () => {
    expect(await increment({ key: 'runs' })).toEqual({
      status: 200,
      body: { namespace: 'ns1', key: 'runs', value: '1', revision: expect.any(Number) },
    })
    expect((await increment({ key: 'runs', by: '41' }, 'PUT')).body.value).toBe('42')
    expect((await increment({ key: 'runs', by: -43 })).body.value).toBe('-1')
  })

  test('a text that is no integer is a 409', async () => {
    await set('runs', 'many')
    const { status, body } = await increment({ key: 'runs' })
    expect(status).toBe(409)
    expect(body).toMatchObject({ error: 'Not a number', statusCode: 409, code: 'NOT_A_NUMBER' })
  })

  test.each([
    [{}, 'key'],
    [{ key: '' }, 'key'],
    [{ key: 'k', by: 1.5 }, 'by'],
    [{ key: 'k', step: 1 }, 'step'],
    [[], 'body'],
  ])('%j is refused', async (body, path) => {
    const answer = await increment(body)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ code: 'VALIDATION', issues: [{ path, message: expect.any(String) }] })
    expect(api.store.namespaces()).toEqual([])
  })
})

describe('key lists in pages', () => {
  const list = (query: string) => api.call('GET', `/v4/keylist/ns1?${query}`)

  test('sorted, with values when asked for', async () => {
    await set('b', '2', 5000)
    const { revision } = await set('a', '1')
    expect((await list('values=true')).body).toEqual({
      namespace: 'ns1',
      keys: [
        { key: 'a', value: '1', ttl: 0, revision },
        { key: 'b', value: '2', ttl: 5000, revision: revision - 1 },
      ],
      nextCursor: null,
    })
    expect((await list('prefix=a')).body).toEqual({ namespace: 'ns1', keys: [{ key: 'a' }], nextCursor: null })
  })

  test('5,000 keys by pages of 500 while others write: none of the start is missing or twice', async () => {
    const start = Array.from({ length: 5000 }, (_, n) => `key ${n}`)
    await Promise.all(start.map((key) => set(key)))
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await list(`limit=500${cursor && `&cursor=${cursor}`}`)
      found.push(...body.keys.map(({ key }: { key: string }) => key))
      cursor = body.nextCursor
      await Promise.all([set(`key ${found.length}5`), set(`a${found.length}`), set(`z${found.length}`)])
    }
    const present = new Set(start)
    expect(found.filter((key) => present.has(key)).toSorted()).toEqual(start.toSorted())
    expect(new Set(found).size).toBe(found.length)
  })

  test('large values end a page early, so that no answer grows without bounds', async () => {
    const value = 'x'.repeat(1_000_000)
    for (const key of 'abcdefgh') await set(key, value)
    const { body } = await list('values=true')
    expect(body.keys.length).toBeLessThan(7)
    const rest = await list(`values=true&cursor=${body.nextCursor}`)
    expect(body.keys.length + rest.body.keys.length).toBe(8)
  })

  test.each([
    ['limit=0', 'VALIDATION'],
    ['limit=501', 'VALIDATION'],
    ['values=maybe', 'VALIDATION'],
    ['cursor=%21', 'INVALID_CURSOR'],
    ['prefix=a&prefix=b', 'VALIDATION'],
  ])('%s is refused', async (query, code) => {
    await set('a')
    const { status, body } = await list(query)
    expect({ status, code: body.code }).toEqual({ status: 400, code })
  })
})

describe('export and import', () => {
  interface Export {
    readonly format: string
    readonly exportedAt: string
    readonly namespaces: Readonly<Record<string, unknown>>
  }
  const url = (path: string) => `http://127.0.0.1:${api.port}${path}`
  const exported = async (query = '') => (await (await fetch(url(`/v4/keyvaluesexport${query}`))).json()) as Export
  const post = (path: string, body: unknown) => fetch(url(path), { method: 'POST', body: JSON.stringify(body) })
  const imported = (body: unknown, query = '') => api.call('POST', `/v4/keyvaluesimport${query}`, body)

  test('the form of an export', async () => {
    await set('k1', 'v1')
    await set('k2', 'v2', 60_000)
    await set('k3', 'v3', 10)
    await set('x', 'y', 0, 'other')
    await api.store.delete('other', 'x')
    api.clock.advance(1000)
    expect(await exported()).toEqual({
      format: 'footman.kv/1',
      exportedAt: '2026-03-02T06:00:01.000Z',
      namespaces: {
        ns1: [
          { key: 'k1', value: 'v1', expiresAt: null },
          { key: 'k2', value: 'v2', expiresAt: '2026-03-02T06:01:00.000Z' },
        ],
        other: [],
      },
    })
    expect(Object.keys((await exported('?namespace=other')).namespaces)).toEqual(['other'])
    expect(await api.call('GET', '/v4/keyvaluesexport?namespace=nons')).toMatchObject({
      status: 400,
      body: { message: 'Namespace not found: nons' },
    })
  })

  test('exported, wiped, imported: the same pairs with the same remaining life', async () => {
    for (let n = 0; n < 100; n++) await set(`k${n} "\\ \u{1F600}`, `v${n}\n`, n * 100)
    await set('big', 'x'.repeat(300_000), 0, 'a:b/c')
    const before = await exported()
    for (const namespace of api.store.namespaces()) await api.store.clear(namespace)
    expect(await exported()).toMatchObject({ namespaces: {} })
    expect(await imported(before)).toEqual({ status: 200, body: { namespaces: 2, keys: 101, skipped: 0 } })
    expect((await exported()).namespaces).toEqual(before.namespaces)
    expect(api.store.keys('ns1')[7]).toBe('k7 "\\ \u{1F600}')
  })

  const file = (pairs: unknown) => ({ format: 'footman.kv/1', namespaces: { ns1: pairs } })

  test('merge keeps what is there, replace does not; expired pairs are skipped', async () => {
    await set('old', '1')
    const pairs = [
      { key: 'new', value: '2', expiresAt: null },
      { key: 'late', value: '3', expiresAt: '2026-03-02T05:00:00.000Z' },
    ]
    expect((await imported(file(pairs))).body).toEqual({ namespaces: 1, keys: 1, skipped: 1 })
    expect(api.store.keys('ns1')).toEqual(['old', 'new'])
    expect((await imported(file(pairs), '?mode=replace')).body).toEqual({ namespaces: 1, keys: 1, skipped: 1 })
    expect(api.store.keys('ns1')).toEqual(['new'])
  })

  test('all or nothing: a namespace that would be too full stops the whole import', async () => {
    await using small = await keyValueApi({ maxKeysPerNamespace: 2 })
    const pairs = ['a', 'b', 'c'].map((key) => ({ key, value: 'v' }))
    const body = { format: 'footman.kv/1', namespaces: { first: [{ key: 'a', value: 'v' }], ns1: pairs } }
    expect(await small.call('POST', '/v4/keyvaluesimport', body)).toMatchObject({
      status: 400,
      body: { message: 'Maximum number of keys (2) reached in namespace: ns1' },
    })
    expect(small.store.namespaces()).toEqual([])
  })

  test.each([
    [undefined, 'body'],
    [{ namespaces: {} }, 'format'],
    [{ format: 'footman.kv/2', namespaces: {} }, 'format'],
    [{ format: 'footman.kv/1' }, 'namespaces'],
    [{ format: 'footman.kv/1', namespaces: { '': [] } }, 'namespaces'],
    [{ format: 'footman.kv/1', namespaces: {}, extra: 1 }, 'extra'],
    [file({}), 'namespaces.ns1'],
    [file([1]), 'namespaces.ns1.0'],
    [file([{ key: '', value: 'v' }]), 'namespaces.ns1.0.key'],
    [file([{ key: 'k', value: 5 }]), 'namespaces.ns1.0.value'],
    [file([{ key: 'k', value: 'v', ttl: 5 }]), 'namespaces.ns1.0.ttl'],
    [file([{ key: 'k', value: 'v', expiresAt: 'soon' }]), 'namespaces.ns1.0.expiresAt'],
    [
      file([
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ]),
      'namespaces.ns1.1.key',
    ],
  ])('%j is refused', async (body, path) => {
    const answer = await imported(body)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ code: 'VALIDATION', issues: [{ path }] })
    expect(api.store.namespaces()).toEqual([])
  })

  test.each([
    ['a lost letter', '{"format":"footman.kv/1","namespaces":{"ns1":[{"key":"k","value":"gr\ufffder"}]}}', 'U+FFFD'],
    ['a namespace twice', '{"format":"footman.kv/1","namespaces":{"ns1":[],"ns1":[]}}', '"ns1" a second time'],
  ])('%s is refused', async (_, body, details) => {
    const answer = await fetch(url('/v4/keyvaluesimport'), { method: 'POST', body })
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { code: 'INVALID_JSON', details: expect.stringContaining(details) },
    ])
    expect(api.store.namespaces()).toEqual([])
  })

  test('the sign for a lost letter that a caller has stored is exported and imported', async () => {
    await set('k', 'gr\ufffder')
    const text = await (await fetch(url('/v4/keyvaluesexport'))).text()
    await api.store.clear('ns1')
    expect((await fetch(url('/v4/keyvaluesimport'), { method: 'POST', body: text })).status).toBe(200)
    expect(api.store.get('ns1', 'k')?.value).toBe('gr\ufffder')
  })

  test('another mode is refused', async () => {
    expect((await imported(file([]), '?mode=wipe')).body).toMatchObject({
      code: 'VALIDATION',
      issues: [{ path: 'mode' }],
    })
  })

  test('an import may have 10 MiB, everything else 1 MiB', async () => {
    const pairs = Array.from({ length: 9 }, (_, n) => ({ key: `k${n}`, value: 'x'.repeat(1_000_000) }))
    expect((await post('/v4/keyvaluesimport', file(pairs))).status).toBe(200)
    const value = 'x'.repeat(1_100_000)
    expect((await post('/v4/keyvalues/ns1', { key: 'k', value })).status).toBe(413)
    const more = [...pairs, { key: 'k9', value }, { key: 'k10', value }]
    expect((await post('/v4/keyvaluesimport', file(more))).status).toBe(413)
  })
})
