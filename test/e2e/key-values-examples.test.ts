/** Every documented call of the key-value store, in order, against the executable; and clients that count together. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { within } from '../support/wait.ts'

let product: Footman
beforeAll(async () => {
  product = await footman({
    simulator: null,
    config: { restServerEndpointsEnable: { keyValueStore: true }, keyValueStore: { maxKeysPerNamespace: 4 } },
    args: ['--no-qs-connection'],
  })
  await product.start()
}, 90_000)
afterAll(async () => product?.[Symbol.asyncDispose]())

type Row = readonly [method: string, path: string, body: string | null, status: number, answer: unknown]

const E1 = (message: string) => ({ statusCode: 400, error: 'Bad Request', message })
const E2 = (message: string) => ({ statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message })
const MISSING = expect.objectContaining(E1('Required parameter is missing'))
const pair = (key: string, value: string, ttl: number) => ({ namespace: 'ns1', key, value, ttl })
const SALES = { namespace: 'Sales ETL step 2', key: 'Last extract timestamp', value: '2020-09-29 17:14:56' }
const POST = (body: string, status: number, answer: unknown): Row => ['POST', '/v4/keyvalues/ns1', body, status, answer]
const GET = (path: string, status: number, answer: unknown): Row => ['GET', path, null, status, answer]
const DELETE = (path: string, status: number, answer: unknown): Row => ['DELETE', path, null, status, answer]

const CALLS: readonly Row[] = [
  GET('/v4/keyvaluesnamespaces', 200, []),
  POST('{"key":"k1","value":"v1"}', 201, pair('k1', 'v1', 0)),
  POST('{"key":"k2","value":"v2","ttl":"2000000"}', 201, pair('k2', 'v2', 2_000_000)),
  POST('{"key":"k3","value":12.5,"ttl":1500000.7}', 201, pair('k3', '12.5', 1_500_000)),
  POST('{"key":"k","value":null,"ttl":null}', 201, pair('k', '', 0)),
  POST('{"key":"k","value":"a","ttl":-5}', 201, pair('k', 'a', -5)),
  POST('{"key":"k","value":"a","ttl":""}', 201, pair('k', 'a', 0)),
  POST('{"key":"k6"}', 400, MISSING),
  POST('{"value":"a"}', 400, MISSING),
  POST('{"key":"","value":"a"}', 400, MISSING),
  POST('{"key":"k","value":{"a":1}}', 400, E2('body/value must be string')),
  POST('{"key":"k","value":"a","ttl":"abc"}', 400, E2('body/ttl must be number')),
  POST('[]', 400, E2('body must be object')),
  POST(
    '{"key":"k5","value":"v"}',
    400,
    expect.objectContaining(E1('Maximum number of keys (4) reached in namespace: ns1')),
  ),
  ['POST', '/v4/keyvalues/', '{"key":"k","value":"v"}', 400, MISSING],
  GET('/v4/keyvalues/ns1?key=k1', 200, { namespace: 'ns1', key: 'k1', value: 'v1' }),
  GET('/v4/keyvalues/nons?key=k', 400, E1('Namespace not found: nons')),
  GET('/v4/keyvalues/ns1?key=nokey', 400, E1("Key 'nokey' not found in namespace: ns1")),
  GET('/v4/keyvalues/nons', 400, E2("querystring must have required property 'key'")),
  GET('/v4/keyvalues/ns1/keyexists?key=k1', 200, {
    keyExists: true,
    keyValue: { namespace: 'ns1', key: 'k1', value: 'v1' },
  }),
  GET('/v4/keyvalues/ns1/keyexists?key=nokey', 200, { keyExists: false, keyValue: {} }),
  GET('/v4/keyvalues/nons/keyexists?key=k', 400, E1('Namespace not found: nons')),
  GET('/v4/keyvalues/nons/keyexists', 400, E2("querystring must have required property 'key'")),
  GET('/v4/keylist/ns1', 200, { namespace: 'ns1', keys: [{ key: 'k1' }, { key: 'k2' }, { key: 'k3' }, { key: 'k' }] }),
  GET('/v4/keylist/nons', 400, E1('Namespace not found: nons')),
  DELETE('/v4/keyvalues/ns1/k1', 204, null),
  DELETE('/v4/keyvalues/ns1/k1', 400, E1("Key 'k1' not found in namespace: ns1")),
  DELETE('/v4/keyvalues/nons/k1', 400, E1('Namespace not found: nons')),
  [
    'POST',
    '/v4/keyvalues/a%3Ab',
    '{"key":"x:y","value":"v"}',
    201,
    { namespace: 'a:b', key: 'x:y', value: 'v', ttl: 0 },
  ],
  GET('/v4/keylist/a:b', 200, { namespace: 'a:b', keys: [{ key: 'x:y' }] }),
  [
    'POST',
    '/v4/keyvalues/a%2Fb',
    '{"key":"c/d","value":"v"}',
    201,
    { namespace: 'a/b', key: 'c/d', value: 'v', ttl: 0 },
  ],
  GET('/v4/keyvalues/a%2Fb?key=c%2Fd', 200, { namespace: 'a/b', key: 'c/d', value: 'v' }),
  DELETE('/v4/keyvalues/a%2Fb/c%2Fd', 204, null),
  GET('/v4/keyvaluesnamespaces', 200, ['ns1', 'a:b', 'a/b']),
  DELETE('/v4/keyvalues/ns1', 204, null),
  DELETE('/v4/keyvalues/ns1', 400, E1('Namespace not found: ns1')),
  GET('/v4/keyvaluesnamespaces', 200, ['a:b', 'a/b']),
  GET('/v4/keyvaluenamespaces', 404, expect.objectContaining({ error: 'Not Found' })),
  [
    'POST',
    '/v4/kvstore/Sales%20ETL%20step%202',
    JSON.stringify({ key: SALES.key, value: SALES.value }),
    201,
    { ...SALES, ttl: 0 },
  ],
  GET('/v4/kvstore/Sales%20ETL%20step%202?key=Last+extract%20timestamp', 200, SALES),
  GET('/v4/kvstore/Sales%20ETL%20step%202', 200, { namespace: SALES.namespace, keys: [{ key: SALES.key }] }),
  DELETE('/v4/kvstore/Sales%20ETL%20step%202?key=Last%20extract%20timestamp', 204, null),
  GET('/v4/kvstore/Sales%20ETL%20step%202', 200, { namespace: SALES.namespace, keys: [] }),
]

test('the documented calls, one after the other', async () => {
  for (const [method, path, body, status, expected] of CALLS) {
    const answer = await fetch(`http://127.0.0.1:${product.restPort}${path}`, {
      method,
      ...(body !== null && { body, headers: { 'content-type': 'application/json' } }),
    })
    const text = await answer.text()
    const parsed = text === '' ? null : JSON.parse(text)
    expect({ method, path, body, status: answer.status, answer: parsed }).toEqual({
      method,
      path,
      body,
      status,
      answer: expected,
    })
    if (text !== '') expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  }
})

test('50 clients with 100 increments each over HTTP: the sum is exact', async () => {
  const increment = async () => {
    const answer = await product.call('POST', '/v4/keyvalues/counters/increment', { key: 'runs' })
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()
  }
  const client = async () => {
    for (let n = 0; n < 100; n++) await increment()
  }
  await within(Promise.all(Array.from({ length: 50 }, client)), 60_000, '5,000 increments')
  expect(await (await product.call('GET', '/v4/keyvalues/counters?key=runs')).json()).toMatchObject({ value: '5000' })
}, 90_000)

test('50 clients that compare and set over HTTP: the sum is exact', async () => {
  const path = '/v4/keyvalues/compared'
  await product.call('POST', path, { key: 'sum', value: '0' })
  const addOne = async () => {
    for (;;) {
      const read = await product.call('GET', `${path}?key=sum`)
      const { value } = (await read.json()) as { value: string }
      const body = { key: 'sum', value: String(Number(value) + 1) }
      const written = await product.call('POST', path, body, { 'if-match': read.headers.get('etag')! })
      await written.arrayBuffer()
      if (written.status === 201) return
      expect(written.status).toBe(412)
    }
  }
  const client = async () => {
    for (let n = 0; n < 5; n++) await addOne()
  }
  await within(Promise.all(Array.from({ length: 50 }, client)), 60_000, '250 compared writes')
  expect(await (await product.call('GET', `${path}?key=sum`)).json()).toMatchObject({ value: '250' })
}, 90_000)
