import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { jsonAnswer } from '../../../src/http/endpoint/route.ts'
import type { Api } from '../../../src/http/server.ts'
import { type RawRequest, rawBytes, rawHttp } from '../../support/raw-http.ts'
import type { RecordingLog } from '../../support/recording-log.ts'
import { makeApi } from './support.ts'

let api: Api
let log: RecordingLog
beforeAll(async () => {
  ;({ api, log } = makeApi())
  await api.start()
})
afterAll(() => api.stop(1000))

const JSON_TYPE = { 'Content-Type': 'application/json' }
const PING = '{"response":"Butler reporting for duty","butlerVersion":"1.2.3"}'
const notFound = (method: string, url: string) =>
  `{"message":"Route ${method}:${url} not found","error":"Not Found","statusCode":404}`
const e2 = (status: number, code: string, error: string, message: string) =>
  JSON.stringify({ statusCode: status, code, error, message })
const validation = (message: string) => e2(400, 'FST_ERR_VALIDATION', 'Bad Request', message)
const copy = (body: string, headers: Record<string, string> = JSON_TYPE): RawRequest => ({
  method: 'PUT',
  path: '/v4/copy',
  headers,
  body,
})
const override = (value: string, more: Partial<RawRequest> = {}): RawRequest => ({
  method: 'POST',
  path: '/v4/values/ns',
  ...more,
  headers: { 'X-HTTP-Method-Override': value, ...more.headers },
})

/** Request, status, exact body. */
const TABLE: [name: string, request: RawRequest, status: number, body: string][] = [
  ['ping', { path: '/v4/butlerping' }, 200, PING],
  ['HTTP/1.0', { path: '/v4/butlerping', version: '1.0' }, 200, PING],
  [
    'enabled endpoints',
    { path: '/v4/configfile/endpointsenabled' },
    200,
    '["butlerping","apiListEnabledEndpoints","sample","inner"]',
  ],
  ['live', { path: '/health/live' }, 200, '{"statusCode":200,"status":"ok"}'],
  // Routing
  ['other letter case', { path: '/V4/Butlerping' }, 404, notFound('GET', '/V4/Butlerping')],
  ['trailing slash', { path: '/v4/butlerping/' }, 404, notFound('GET', '/v4/butlerping/')],
  ['raw URL in 404', { path: '/v4/nope?x=1&y=%20' }, 404, notFound('GET', '/v4/nope?x=1&y=%20')],
  ['other method', { method: 'PUT', path: '/v4/butlerping' }, 404, notFound('PUT', '/v4/butlerping')],
  ['OPTIONS', { method: 'OPTIONS', path: '/v4/butlerping' }, 404, notFound('OPTIONS', '/v4/butlerping')],
  ['PATCH', { method: 'PATCH', path: '/v4/butlerping' }, 404, notFound('PATCH', '/v4/butlerping')],
  ['encoded slash', { path: '/v4/values/a%2Fb' }, 200, '{"namespace":"a/b","method":"GET"}'],
  ['plus in the path', { path: '/v4/values/a+b' }, 200, '{"namespace":"a+b","method":"GET"}'],
  ['plus in the query', { path: '/v4/values/n?key=a+b%2B' }, 200, '{"namespace":"n","key":"a b+","method":"GET"}'],
  ['repeated parameter', { path: '/v4/values/n?k=1&k=2' }, 200, '{"namespace":"n","k":["1","2"],"method":"GET"}'],
  ['fixed segment first', { path: '/v4/values/all' }, 200, '"fixed"'],
  [
    'long parameter',
    { path: `/v4/values/${'x'.repeat(1024)}` },
    200,
    `{"namespace":"${'x'.repeat(1024)}","method":"GET"}`,
  ],
  [
    'bad percent sequence in the path',
    { path: '/v4/values/%zz?key=k' },
    400,
    '{"error":"Bad Request","code":"FST_ERR_BAD_URL","message":"\'/v4/values/%zz?key=k\' is not a valid url component","statusCode":400}',
  ],
  [
    'bad percent sequence in the query',
    { path: '/v4/values/ns?key=%zz' },
    400,
    '{"statusCode":400,"error":"Bad Request","message":"URI malformed"}',
  ],
  // Method override
  [
    'POST + PUT',
    override('PUT', { path: '/v4/copy', headers: JSON_TYPE, body: '{"fromFile":"a","toFile":"b"}' }),
    201,
    '{"fromFile":"a","toFile":"b"}',
  ],
  ['POST + DELETE', override('DELETE'), 204, ''],
  ['POST + delete', override('delete'), 204, ''],
  ['POST + DELETE with the stored body', override('DELETE', { headers: JSON_TYPE, body: '{"key":"abc"}' }), 204, ''],
  [
    'POST + GET with a body',
    override('GET', { headers: JSON_TYPE, body: '{"key":"abc"}' }),
    200,
    '{"namespace":"ns","method":"GET"}',
  ],
  ['POST + empty override', override('', { headers: JSON_TYPE, body: '1' }), 201, '{"body":1}'],
  [
    'GET ignores the override',
    { path: '/v4/values/ns', headers: { 'X-HTTP-Method-Override': 'DELETE' } },
    200,
    '{"namespace":"ns","method":"GET"}',
  ],
  [
    'PUT ignores the override',
    { ...copy('{"fromFile":"a","toFile":"b"}'), headers: { ...JSON_TYPE, 'X-HTTP-Method-Override': 'DELETE' } },
    201,
    '{"fromFile":"a","toFile":"b"}',
  ],
  [
    'override that is no method',
    override('FOO BAR'),
    400,
    '{"statusCode":400,"error":"Bad Request","message":"Invalid X-HTTP-Method-Override: FOO BAR","details":"X-HTTP-Method-Override must be GET, POST, PUT or DELETE."}',
  ],
  [
    'override to PATCH',
    override('PATCH'),
    400,
    '{"statusCode":400,"error":"Bad Request","message":"Invalid X-HTTP-Method-Override: PATCH","details":"X-HTTP-Method-Override must be GET, POST, PUT or DELETE."}',
  ],
  ['overridden 404 names the wanted method', override('PUT', { path: '/v4/nope' }), 404, notFound('PUT', '/v4/nope')],
  [
    'plain POST on a PUT-only path',
    { method: 'POST', path: '/v4/copy', headers: JSON_TYPE, body: '{"fromFile":"a","toFile":"b"}' },
    201,
    '{"fromFile":"a","toFile":"b"}',
  ],
  // Bodies
  [
    'charset and letter case of the type',
    copy('{"fromFile":"å","toFile":"b"}', { 'Content-Type': 'Application/JSON; charset=latin1' }),
    201,
    '{"fromFile":"å","toFile":"b"}',
  ],
  ['byte order mark', copy('\ufeff{"fromFile":"a","toFile":"b"}'), 201, '{"fromFile":"a","toFile":"b"}'],
  [
    'chunked',
    { method: 'PUT', path: '/v4/copy', headers: JSON_TYPE, chunks: ['{"fromFile":', '"a","toFile":"b"}'] },
    201,
    '{"fromFile":"a","toFile":"b"}',
  ],
  [
    'JSON under another type',
    copy('{"fromFile":"a","toFile":"b"}', { 'Content-Type': 'application/x-www-form-urlencoded' }),
    201,
    '{"fromFile":"a","toFile":"b"}',
  ],
  ['JSON without type', copy('{"fromFile":"a","toFile":"b"}', {}), 201, '{"fromFile":"a","toFile":"b"}'],
  [
    'empty JSON',
    copy(''),
    400,
    e2(
      400,
      'FST_ERR_CTP_EMPTY_JSON_BODY',
      'Bad Request',
      "Body cannot be empty when content-type is set to 'application/json'",
    ),
  ],
  [
    'empty JSON on GET',
    { path: '/v4/values/ns', headers: JSON_TYPE, body: '' },
    200,
    '{"namespace":"ns","method":"GET"}',
  ],
  ['empty JSON on DELETE', { method: 'DELETE', path: '/v4/values/ns', headers: JSON_TYPE, body: '' }, 204, ''],
  [
    'broken JSON',
    copy('{'),
    400,
    e2(
      400,
      'FST_ERR_CTP_INVALID_JSON_BODY',
      'Bad Request',
      "Body is not valid JSON but content-type is set to 'application/json'",
    ),
  ],
  [
    '__proto__',
    copy('{"a":{"__proto__":1}}'),
    400,
    e2(
      400,
      'FST_ERR_CTP_INVALID_JSON_BODY',
      'Bad Request',
      "Body is not valid JSON but content-type is set to 'application/json'",
    ),
  ],
  [
    '__proto__ with an escape',
    copy('{"a":[{"\\u005f_pro\\u0074o__":1}]}'),
    400,
    e2(
      400,
      'FST_ERR_CTP_INVALID_JSON_BODY',
      'Bad Request',
      "Body is not valid JSON but content-type is set to 'application/json'",
    ),
  ],
  ['plain text', copy('hello', { 'Content-Type': 'text/plain' }), 400, validation('body must be object')],
  [
    'other type',
    copy('<a/>', { 'Content-Type': 'application/xml' }),
    415,
    e2(415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'Unsupported Media Type', 'Unsupported Media Type'),
  ],
  [
    'text without type',
    copy('hello', {}),
    415,
    e2(415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'Unsupported Media Type', 'Unsupported Media Type'),
  ],
  ['no body', { method: 'PUT', path: '/v4/copy' }, 400, validation('body must be object')],
  ['JSON null', copy('null'), 400, validation('body must be object')],
  ['array', copy('[]'), 400, validation('body must be object')],
  [
    'too large',
    copy(`"${'x'.repeat(1_048_576)}"`),
    413,
    e2(413, 'FST_ERR_CTP_BODY_TOO_LARGE', 'Payload Too Large', 'Request body is too large'),
  ],
  [
    'too large, chunked',
    { method: 'PUT', path: '/v4/copy', headers: JSON_TYPE, chunks: Array(17).fill('x'.repeat(65_536)) },
    413,
    e2(413, 'FST_ERR_CTP_BODY_TOO_LARGE', 'Payload Too Large', 'Request body is too large'),
  ],
  [
    'just fits',
    { method: 'POST', path: '/v4/values/ns', headers: JSON_TYPE, body: `"${'x'.repeat(1_048_574)}"` },
    201,
    `{"body":"${'x'.repeat(1_048_574)}"}`,
  ],
  // Validation and coercion
  ['first missing member', copy('{}'), 400, validation("body must have required property 'fromFile'")],
  ['missing before wrong', copy('{"fromFile":{}}'), 400, validation("body must have required property 'toFile'")],
  ['wrong type', copy('{"fromFile":{},"toFile":"b"}'), 400, validation('body/fromFile must be string')],
  [
    'coercion',
    copy('{"fromFile":12.5,"toFile":null,"overwrite":"true","extra":[1]}'),
    201,
    '{"fromFile":"12.5","toFile":"","overwrite":true,"extra":[1]}',
  ],
  [
    'list of one',
    copy('{"fromFile":["a"],"toFile":true,"overwrite":0}'),
    201,
    '{"fromFile":"a","toFile":"true","overwrite":false}',
  ],
  [
    'no boolean',
    copy('{"fromFile":"a","toFile":"b","overwrite":"TRUE"}'),
    400,
    validation('body/overwrite must be boolean'),
  ],
]

test.each(TABLE)('%s', async (_, request, status, body) => {
  const answer = await rawHttp(api.port, request)
  expect(answer.body).toBe(body)
  expect(answer.status).toBe(status)
  if (status === 204) expect(answer.headers['content-type']).toBeUndefined()
  else if (answer.body.includes('FST_ERR_BAD_URL')) expect(answer.headers['content-type']).toBe('application/json')
  else expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
})

describe('protocol', () => {
  test('Expect: 100-continue', async () => {
    const body = '{"fromFile":"a","toFile":"b"}'
    const answer = await rawHttp(api.port, {
      method: 'POST',
      path: '/v4/copy',
      headers: { ...JSON_TYPE, 'X-HTTP-Method-Override': 'PUT', Expect: '100-continue' },
      body,
    })
    expect(answer.interim).toEqual(['HTTP/1.1 100 Continue'])
    expect(answer.status).toBe(201)
    expect(answer.body).toBe(body)
  })

  test('HEAD answers like GET without body', async () => {
    const answer = await rawHttp(api.port, { method: 'HEAD', path: '/v4/butlerping' })
    expect(answer.status).toBe(200)
    expect(answer.body).toBe('')
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers['x-ratelimit-limit']).toBe('6000')
    expect((await rawHttp(api.port, { method: 'HEAD', path: '/v4/nope' })).status).toBe(404)
  })

  test('several requests on one connection', async () => {
    const one = 'GET /v4/butlerping HTTP/1.1\r\nHost: h\r\n\r\n'
    const answer = await rawBytes(api.port, `${one}${one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`)
    expect(answer.body).toContain('HTTP/1.1 200 OK')
  })

  test('the name that a caller gives its request stands beside our own id', async () => {
    const OWN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
    const ids = async (value: string) => {
      const { headers } = await rawHttp(api.port, { path: '/v4/butlerping', headers: { 'X-Request-Id': value } })
      return [headers['x-request-id'], headers['x-correlation-id']] as const
    }
    const [first, again] = [await ids('abc-1.2_X'), await ids('abc-1.2_X')]
    expect([first[1], again[1]]).toEqual(['abc-1.2_X', 'abc-1.2_X'])
    expect(first[0]).toMatch(OWN)
    expect(again[0]).not.toBe(first[0])
    const line = `/v4/butlerping called from 127.0.0.1, request ${first[0]}, X-Request-Id abc-1.2_X`
    expect(log.of('info')).toContain(line)
    for (const bad of ['a b', '', 'x'.repeat(65)]) {
      const [own, named] = await ids(bad)
      expect([own, named]).toEqual([expect.stringMatching(OWN), undefined])
    }
  })

  test('a fault of ours is 500 without its reason; the reason is in the log', async () => {
    const answer = await rawHttp(api.port, { path: '/v4/broken', headers: { 'X-Request-Id': 'r1' } })
    expect(answer.status).toBe(500)
    const id = answer.headers['x-request-id']
    expect(answer.body).toBe(
      `{"statusCode":500,"error":"Internal Server Error","message":"Internal Server Error","details":"The log of Footman says more about request ${id}."}`,
    )
    expect(log.of('error').at(-1)).toContain('boom')
  })

  test('the access log shows raw URL and caller, secrets are masked at debug', async () => {
    await rawHttp(api.port, { path: '/v4/values/ns1?key=k1', headers: { Authorization: 'Bearer geheim' } })
    expect(log.of('info')).toContain('/v4/values/ns1?key=k1 called from 127.0.0.1')
    expect(log.of('debug')).toContain('Query: {"key":"k1"}')
    expect(log.of('debug')).toContain('Params: {"namespace":"ns1"}')
    expect(log.of('debug').join()).not.toContain('geheim')
  })
})

describe('which endpoint a path belongs to', () => {
  const PATHS = [
    '/v4/kv/{ns}',
    '/v4/kv/{ns}/exists',
    '/v4/kv/{ns}/{key}',
    '/v4/kv/',
    '/v4/app/x/dump',
    '/v4/app/{id}/dump',
    '/v4/app//reload',
    '/a/b/c',
    '/a/{x}/d',
  ]
  let other: Api
  beforeAll(async () => {
    const routes = PATHS.map((path) => ({
      methods: ['GET' as const],
      path,
      switch: null,
      summary: path,
      handle: ({ params }: { params: object }) => jsonAnswer(200, [path, params]),
    }))
    ;({ api: other } = makeApi({ routes }))
    await other.start()
  })
  afterAll(() => other.stop(1000))

  test.each<[path: string, found: string, params: object]>([
    ['/v4/kv/a', '/v4/kv/{ns}', { ns: 'a' }],
    ['/v4/kv/a?b=/c', '/v4/kv/{ns}', { ns: 'a' }],
    ['/v4/kv/a/exists', '/v4/kv/{ns}/exists', { ns: 'a' }],
    ['/v4/kv/a/b', '/v4/kv/{ns}/{key}', { ns: 'a', key: 'b' }],
    ['/v4/kv/', '/v4/kv/', {}],
    ['/v4/app/x/dump', '/v4/app/x/dump', {}],
    ['/v4/app/y/dump', '/v4/app/{id}/dump', { id: 'y' }],
    ['/v4/app//reload', '/v4/app//reload', {}],
    // A way that begins fixed and leads nowhere is given up.
    ['/a/b/d', '/a/{x}/d', { x: 'b' }],
    // Decoded once.
    ['/v4/kv/%2541/b%2Fc', '/v4/kv/{ns}/{key}', { ns: '%41', key: 'b/c' }],
    ['/v4/kv/a#b/c', '/v4/kv/{ns}/{key}', { ns: 'a#b', key: 'c' }],
    ['/v4/kv/100%25', '/v4/kv/{ns}', { ns: '100%' }],
    ['/v4/kv/%C3%A5%20:%7Bid%7D/*', '/v4/kv/{ns}/{key}', { ns: 'å :{id}', key: '*' }],
    ['/v4/kv/__proto__/constructor', '/v4/kv/{ns}/{key}', { ns: '__proto__', key: 'constructor' }],
  ])('%s: %s', async (path, found, params) => {
    const { status, body } = await rawHttp(other.port, { path })
    expect([status, JSON.parse(body)]).toEqual([200, [found, params]])
  })

  test.each([
    '/v4/kv',
    '/v4/kv/a/',
    '/v4/kv//b',
    '/v4/kv/a/b/c',
    '/V4/kv/a',
    '/v4/app/x',
    '/v4/app/x/',
    '/',
    '//v4/kv/a',
  ])('%s: none', async (path) => {
    const { status, body } = await rawHttp(other.port, { path })
    expect([status, body]).toEqual([404, notFound('GET', path)])
  })
})
