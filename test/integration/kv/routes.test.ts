/** The endpoints that load scripts know: exact bodies and status codes. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { keyValueApi } from '../../support/key-values.ts'

let api: Awaited<ReturnType<typeof keyValueApi>>
beforeEach(async () => {
  api = await keyValueApi({ maxKeysPerNamespace: 3, maxValueSize: 100 })
})
afterEach(() => api[Symbol.asyncDispose]())

const E1 = (message: string, more = {}) => ({ statusCode: 400, error: 'Bad Request', message, ...more })
const E2 = (message: string) => ({ statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message })
const NO_NAMESPACE = E1('Namespace not found: nons')
const MISSING = { statusCode: 400, error: 'Bad Request', message: 'Required parameter is missing' }

describe('POST /v4/keyvalues/{namespace}', () => {
  const stored: readonly [body: string, answer: string][] = [
    ['{"key":"k1","value":"v1"}', '{"namespace":"ns1","key":"k1","value":"v1","ttl":0}'],
    ['{"key":"k2","value":"v2","ttl":"2000"}', '{"namespace":"ns1","key":"k2","value":"v2","ttl":2000}'],
    ['{"key":"k3","value":12.5,"ttl":1500.7}', '{"namespace":"ns1","key":"k3","value":"12.5","ttl":1500}'],
    ['{"key":"k","value":null,"ttl":null}', '{"namespace":"ns1","key":"k","value":"","ttl":0}'],
    ['{"key":"k","value":"a","ttl":-5}', '{"namespace":"ns1","key":"k","value":"a","ttl":-5}'],
    ['{"key":"k","value":"a","ttl":-0.5}', '{"namespace":"ns1","key":"k","value":"a","ttl":0}'],
    ['{"key":"k","value":"a","ttl":""}', '{"namespace":"ns1","key":"k","value":"a","ttl":0}'],
    ['{"key":7,"value":true}', '{"namespace":"ns1","key":"7","value":"true","ttl":0}'],
    ['{"key":["k"],"value":["v"],"other":{}}', '{"namespace":"ns1","key":"k","value":"v","ttl":0}'],
    ['{"key":"abc","value":"123","ttl":"5000"}', '{"namespace":"ns1","key":"abc","value":"123","ttl":5000}'],
    [
      '{"key":"k","value":"v","ttl":9007199254740992}',
      '{"namespace":"ns1","key":"k","value":"v","ttl":9007199254740992}',
    ],
  ]
  test.each(stored)('%s is stored', async (body, text) => {
    const answer = await api.send('POST', '/v4/keyvalues/ns1', body)
    expect(answer.status).toBe(201)
    expect(answer.body).toBe(text)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const { key, value } = JSON.parse(text)
    expect(await api.call('GET', `/v4/keyvalues/ns1?key=${key}`)).toEqual({
      status: 200,
      body: { namespace: 'ns1', key, value },
    })
  })

  const refused: readonly [body: string, answer: object][] = [
    ['{"key":"k6"}', MISSING],
    ['{"value":"a"}', MISSING],
    ['{"key":"","value":"a"}', MISSING],
    ['{"key":"k","value":{"a":1}}', E2('body/value must be string')],
    ['{"key":"k","value":["a","b"]}', E2('body/value must be string')],
    ['{"key":"k","value":"a","ttl":"abc"}', E2('body/ttl must be number')],
    ['{"key":"k","value":"a","ttl":"Infinity"}', E2('body/ttl must be number')],
    ['[]', E2('body must be object')],
    ['null', E2('body must be object')],
    ['"text"', E2('body must be object')],
  ]
  test.each(refused)('%s is refused', async (body, expected) => {
    const { status, body: answer } = await api.call('POST', '/v4/keyvalues/ns1', body)
    expect(status).toBe(400)
    expect(answer).toMatchObject(expected)
    expect(Object.keys(answer).slice(0, 3)).toEqual(Object.keys(expected).slice(0, 3))
    expect(api.store.namespaces()).toEqual([])
  })

  test.each(['/v4/keyvalues/', '/v4/kvstore/'])('%s, the empty namespace, is refused', async (path) => {
    expect(await api.call('POST', path, { key: 'k', value: 'v' })).toMatchObject({ status: 400, body: MISSING })
  })

  test('a full namespace refuses new keys', async () => {
    for (const key of ['a', 'b', 'c']) await api.call('POST', '/v4/keyvalues/ns1', { key, value: 'v' })
    const { status, body } = await api.call('POST', '/v4/keyvalues/ns1', { key: 'd', value: 'v' })
    expect(status).toBe(400)
    expect(body).toMatchObject(E1('Maximum number of keys (3) reached in namespace: ns1'))
    expect((await api.call('POST', '/v4/keyvalues/ns1', { key: 'a', value: 'w' })).status).toBe(201)
  })

  test('a value beyond maxValueSize is refused', async () => {
    const { status, body } = await api.call('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'x'.repeat(101) })
    expect(status).toBe(413)
    expect(body).toMatchObject({ error: 'Value too large', statusCode: 413, code: 'BODY_TOO_LARGE' })
    expect(body.details).toBe("The value of key 'k' has 101 bytes; Butler.footman.keyValue.maxValueSize allows 100.")
  })

  test('a failing disk is a 500 with the older text, and the log says why', async () => {
    api.db.exec('DROP TABLE kv')
    const { status, body } = await api.call('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'v' })
    expect(status).toBe(500)
    expect(body).toMatchObject({
      statusCode: 500,
      error: 'Internal Server Error',
      message: 'Failed adding key-value to namespace',
    })
    expect(api.log.of('error').join()).toContain('no such table: kv')
  })
})

describe('reading', () => {
  beforeEach(async () => {
    await api.store.set({ namespace: 'ns1', key: 'k1', value: 'v1', ttl: 0 })
    await api.store.set({ namespace: 'ns1', key: 'k2', value: 'v2', ttl: 700 })
    await api.store.set({
      namespace: 'Sales ETL step 2',
      key: 'Last extract timestamp',
      value: '2020-09-29 17:14:56',
      ttl: 0,
    })
  })

  const rows: readonly [path: string, status: number, answer: unknown][] = [
    ['/v4/keyvaluesnamespaces', 200, ['ns1', 'Sales ETL step 2']],
    ['/v4/keyvaluenamespaces', 404, undefined],
    ['/v4/keyvalues/ns1?key=k1', 200, { namespace: 'ns1', key: 'k1', value: 'v1' }],
    [
      '/v4/keyvalues/Sales%20ETL%20step%202?key=Last+extract%20timestamp',
      200,
      { namespace: 'Sales ETL step 2', key: 'Last extract timestamp', value: '2020-09-29 17:14:56' },
    ],
    ['/v4/keyvalues/nons', 400, E2("querystring must have required property 'key'")],
    ['/v4/keyvalues/ns1?key=a&key=b', 400, E2('querystring/key must be string')],
    ['/v4/keyvalues/nons?key=k', 400, NO_NAMESPACE],
    ['/v4/keyvalues/ns1?key=nokey', 400, E1("Key 'nokey' not found in namespace: ns1")],
    ['/v4/keyvalues/ns1?key=', 400, E1("Key '' not found in namespace: ns1")],
    ['/v4/keyvalues/NS1?key=k1', 400, E1('Namespace not found: NS1')],
    [
      '/v4/keyvalues/ns1/keyexists?key=k1',
      200,
      { keyExists: true, keyValue: { namespace: 'ns1', key: 'k1', value: 'v1' } },
    ],
    [
      '/v4/keyvalues/ns1/keyexists?key=k2',
      200,
      { keyExists: true, keyValue: { namespace: 'ns1', key: 'k2', value: 'v2', ttl: 700 } },
    ],
    ['/v4/keyvalues/ns1/keyexists?key=k3', 200, { keyExists: false, keyValue: {} }],
    ['/v4/keyvalues/nons/keyexists?key=k', 400, NO_NAMESPACE],
    ['/v4/keyvalues/nons/keyexists', 400, E2("querystring must have required property 'key'")],
    ['/v4/keylist/ns1', 200, { namespace: 'ns1', keys: [{ key: 'k1' }, { key: 'k2' }] }],
    ['/v4/keylist/nons', 400, NO_NAMESPACE],
    ['/v4/kvstore/ns1?key=k1', 200, { namespace: 'ns1', key: 'k1', value: 'v1' }],
    ['/v4/kvstore/ns1', 200, { namespace: 'ns1', keys: [{ key: 'k1' }, { key: 'k2' }] }],
    ['/v4/kvstore/nons', 400, NO_NAMESPACE],
    ['/v4/kvstore/nons?key=k', 400, NO_NAMESPACE],
  ]
  test.each(rows)('GET %s answers %d', async (path, status, expected) => {
    const answer = await api.send('GET', path)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    if (expected !== undefined) expect(answer.body).toBe(JSON.stringify(expected))
  })

  test('an expired pair is gone for every way of reading', async () => {
    api.clock.advance(701)
    const gone = E1("Key 'k2' not found in namespace: ns1")
    expect(await api.call('GET', '/v4/keyvalues/ns1?key=k2')).toEqual({ status: 400, body: gone })
    expect((await api.call('GET', '/v4/keyvalues/ns1/keyexists?key=k2')).body).toEqual({
      keyExists: false,
      keyValue: {},
    })
    expect((await api.call('GET', '/v4/keylist/ns1')).body.keys).toEqual([{ key: 'k1' }])
    expect(await api.call('DELETE', '/v4/keyvalues/ns1/k2')).toEqual({ status: 400, body: gone })
  })

  test('what is not found stands in the log at verbose only, and no value at all', async () => {
    await api.call('GET', '/v4/keyvalues/nons?key=k')
    await api.call('GET', '/v4/keyvalues/ns1?key=nokey')
    await api.call('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'secret-value' })
    expect(api.log.of('verbose')).toContain('KEYVALUE: Namespace not found: nons')
    expect(api.log.of('verbose')).toContain('KEYVALUE: Key nokey not found in namespace ns1.')
    const above = api.log.lines.filter(({ level }) => level !== 'debug' && level !== 'silly')
    expect(JSON.stringify(above)).not.toContain('secret-value')
    expect(api.log.of('error')).toEqual([])
  })
})

describe('deleting', () => {
  beforeEach(async () => {
    await api.store.set({ namespace: 'ns1', key: 'k1', value: 'v1', ttl: 0 })
  })

  test.each([
    ['DELETE', '/v4/keyvalues/ns1/k1', undefined, {}],
    ['DELETE', '/v4/keyvalues/ns1/k1', '{"any":"body"}', {}],
    ['DELETE', '/v4/keyvalues/ns1/k1', '', {}],
    ['POST', '/v4/keyvalues/ns1/k1', undefined, { 'X-HTTP-Method-Override': 'DELETE' }],
    [
      'POST',
      '/v4/keyvalues/ns1/k1',
      '{"key":"abc","value":"123","ttl":"5000"}',
      { 'X-HTTP-Method-Override': 'delete' },
    ],
    ['DELETE', '/v4/kvstore/ns1?key=k1', undefined, {}],
  ])('%s %s with body %p removes the pair, not the namespace', async (method, path, body, headers) => {
    const answer = await api.send(method, path, body, headers as Record<string, string>)
    expect(answer.status).toBe(204)
    expect(answer.body).toBe('')
    expect(answer.headers['content-type']).toBeUndefined()
    expect(api.store.namespaces()).toEqual(['ns1'])
    expect(api.store.keys('ns1')).toEqual([])
  })

  test.each([
    ['/v4/keyvalues/nons/k', NO_NAMESPACE],
    ['/v4/keyvalues/ns1/k2', E1("Key 'k2' not found in namespace: ns1")],
    ['/v4/keyvalues/nons', NO_NAMESPACE],
    ['/v4/kvstore/ns1', E2("querystring must have required property 'key'")],
    ['/v4/kvstore/nons?key=k', NO_NAMESPACE],
  ])('DELETE %s is refused', async (path, body) => {
    expect(await api.call('DELETE', path)).toEqual({ status: 400, body })
    expect(api.store.keys('ns1')).toEqual(['k1'])
  })

  test('a namespace goes with all that is in it', async () => {
    const answer = await api.send('POST', '/v4/keyvalues/ns1', '{"key":"abc","value":"123","ttl":"5000"}', {
      'X-HTTP-Method-Override': 'DELETE',
    })
    expect(answer.status).toBe(204)
    expect(api.store.namespaces()).toEqual([])
    expect(api.log.of('verbose')).toContain('KEYVALUE: Cleared namespace: ns1')
  })
})

describe('names', () => {
  const names = [
    'a/b',
    '100%',
    '%2F',
    'a:b',
    'x y',
    'a+b',
    'åäö',
    '日本',
    '\u{1F600}',
    '?',
    '#',
    '&=',
    "'",
    '"',
    '\\',
    '-',
    'keyexists',
    'watch',
    'increment',
  ]
  test.each([...names, 'n'.repeat(1024)].map((name) => [name]))('%s as namespace and key', async (name) => {
    const [ns, key] = [encodeURIComponent(name), encodeURIComponent(name)]
    expect((await api.call('POST', `/v4/keyvalues/${ns}`, { key: name, value: name.slice(0, 20) })).status).toBe(201)
    expect((await api.call('GET', '/v4/keyvaluesnamespaces')).body).toEqual([name])
    expect((await api.call('GET', `/v4/keyvalues/${ns}?key=${key}`)).body.key).toBe(name)
    expect((await api.call('GET', `/v4/keyvalues/${ns}/keyexists?key=${key}`)).body.keyExists).toBe(true)
    expect((await api.call('GET', `/v4/keylist/${ns}`)).body).toEqual({ namespace: name, keys: [{ key: name }] })
    expect((await api.call('DELETE', `/v4/keyvalues/${ns}/${key}`)).status).toBe(204)
    expect((await api.call('DELETE', `/v4/keyvalues/${ns}`)).status).toBe(204)
  })

  test('any text, percent-encoded, comes back from every endpoint', async () => {
    const text = fc.string({
      unit: fc.constantFrom(...'ab/%:+ ?#&.é日', '\u{1F600}', '\n', '%2F'),
      minLength: 1,
      maxLength: 12,
    })
    // A client may resolve segments of dots before it sends them.
    const name = text.filter((one) => !/^\.{1,2}$/.test(one))
    await fc.assert(
      fc.asyncProperty(name, name, async (namespace, key) => {
        const [ns, k] = [encodeURIComponent(namespace), encodeURIComponent(key)]
        expect((await api.call('POST', `/v4/keyvalues/${ns}`, { key, value: 'v' })).body).toEqual({
          namespace,
          key,
          value: 'v',
          ttl: 0,
        })
        expect((await api.call('GET', `/v4/kvstore/${ns}?key=${k}`)).body).toEqual({ namespace, key, value: 'v' })
        expect((await api.call('DELETE', `/v4/keyvalues/${ns}/${k}`)).status).toBe(204)
        expect((await api.call('DELETE', `/v4/keyvalues/${ns}`)).status).toBe(204)
      }),
      { numRuns: 50 },
    )
  })

  test('a percent sign that encodes nothing is refused', async () => {
    expect(await api.call('GET', '/v4/keyvalues/%zz?key=k')).toEqual({
      status: 400,
      body: {
        error: 'Bad Request',
        code: 'FST_ERR_BAD_URL',
        message: "'/v4/keyvalues/%zz?key=k' is not a valid url component",
        statusCode: 400,
      },
    })
  })
})

test('the walk-through of the demo app', async () => {
  const ns = '/v4/keyvalues/MyNamespace'
  const remove = { 'X-HTTP-Method-Override': 'DELETE' }
  const value = 'a1 abc 123'
  expect((await api.call('POST', ns, { key: 'MyKey1', value })).status).toBe(201)
  expect((await api.call('GET', `${ns}?key=MyKey1`)).body).toEqual({ namespace: 'MyNamespace', key: 'MyKey1', value })
  expect((await api.call('GET', `${ns}/keyexists?key=MyKey1`)).body.keyExists).toBe(true)
  expect((await api.call('POST', `${ns}/MyKey1`, undefined, remove)).status).toBe(204)
  expect(await api.call('GET', `${ns}/keyexists?key=MyKey1`)).toEqual({
    status: 200,
    body: { keyExists: false, keyValue: {} },
  })
  expect((await api.call('GET', '/v4/keyvaluesnamespaces')).body).toContain('MyNamespace')
  for (const key of ['MyKey2', 'MyKey3', 'MyKey4']) await api.call('POST', ns, { key, value })
  expect((await api.call('GET', '/v4/keylist/MyNamespace')).body.keys).toEqual([
    { key: 'MyKey2' },
    { key: 'MyKey3' },
    { key: 'MyKey4' },
  ])
  expect((await api.call('POST', ns, undefined, remove)).status).toBe(204)
  expect((await api.call('GET', '/v4/keyvaluesnamespaces')).body).not.toContain('MyNamespace')
  await api.call('POST', ns, { key: 'TTL 3 sec', value, ttl: '3000' })
  expect((await api.call('GET', `${ns}?key=TTL%203%20sec`)).body.value).toBe(value)
  api.clock.advance(4000)
  expect(await api.call('GET', `${ns}/keyexists?key=TTL%203%20sec`)).toEqual({
    status: 200,
    body: { keyExists: false, keyValue: {} },
  })
})
