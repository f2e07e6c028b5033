import { afterEach, describe, expect, test } from 'bun:test'
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { compileKeys, createKeyCheck } from '../../../../src/http/auth/keys.ts'
import { rawBytes } from '../../../support/raw-http.ts'
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

const erp = makeKey()
const ERP = { id: 'erp', hash: erp.hash, scopes: ['task:run'] }

const UNAUTHENTICATED = {
  error: 'Unauthorized',
  details:
    'This endpoint needs credentials: send "Authorization: Bearer <key or token>" or "X-Api-Key: <key>", or use a client certificate.',
  statusCode: 401,
  code: 'UNAUTHENTICATED',
  message:
    'Unauthorized: This endpoint needs credentials: send "Authorization: Bearer <key or token>" or "X-Api-Key: <key>", or use a client certificate.',
}

test('a foreign page cannot use what callers without credentials may do', async () => {
  const api = await started({ access: { keys: [ERP], anonymous: { scopes: ['task:run'] } } })
  const foreign = { Origin: 'https://evil.example' }
  expect((await api.call('PUT', '/v4/run', {}, {})).status).toBe(200)
  expect(JSON.parse((await api.call('PUT', '/v4/run', foreign, {})).body).code).toBe('CROSS_SITE')
  expect((await api.call('PUT', '/v4/filecopy', foreign, {})).status).toBe(401)
  expect((await api.call('PUT', '/v4/run', { ...foreign, ...bearer(erp.key) }, {})).status).toBe(200)
  expect(api.effects).toEqual(['PUT /v4/run', 'PUT /v4/run'])
})

describe('access control off', () => {
  const off = { access: { enable: false } }

  test('inherited endpoints are open to everybody, whatever they send as credentials', async () => {
    const api = await started({ ...off, api: { trustedProxies: ['127.0.0.1'] } })
    expect((await api.call('PUT', '/v4/run', {}, {})).status).toBe(200)
    expect(
      (await api.call('PUT', '/v4/run', { ...bearer('nonsense'), 'X-Forwarded-For': '10.9.9.9' }, {})).status,
    ).toBe(200)
  })

  test('new endpoints serve callers on this machine only', async () => {
    const api = await started(off)
    const get = async (headers: Record<string, string> = {}) => (await api.call('GET', '/v4/tasks', headers)).status
    expect(await get()).toBe(200)
    expect(await get({ Origin: 'http://127.0.0.1' })).toBe(200)
    expect(await get({ Origin: 'https://evil.example' })).toBe(403)
    expect(await get({ Origin: 'null' })).toBe(403)
    expect(await get({ 'X-Forwarded-For': '127.0.0.1' })).toBe(403)
    expect(await get({ Forwarded: 'for=127.0.0.1' })).toBe(403)
    const refused = await api.call('GET', '/v4/tasks', { 'X-Forwarded-For': '10.1.2.3' })
    expect(JSON.parse(refused.body)).toEqual({
      error: 'Forbidden',
      details:
        'While access control is off, this endpoint answers callers on this machine only. Configure Butler.footman.access to open it to others.',
      statusCode: 403,
      code: 'FORBIDDEN',
      message:
        'Forbidden: While access control is off, this endpoint answers callers on this machine only. Configure Butler.footman.access to open it to others.',
    })
  })

  test.each([
    ['localhost', 200],
    ['LOCALHOST:8080', 200],
    ['127.0.0.1:8080', 200],
    ['[::1]:8080', 200],
    [hostname(), 200],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
  ])('a request for the host %s is answered with %d', async (host, status) => {
    const api = await started(off)
    const answer = await rawBytes(api.port, `GET /v4/tasks HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    expect(answer.status).toBe(status)
  })

  test('behind a trusted proxy the forwarded address counts', async () => {
    const api = await started({ ...off, api: { trustedProxies: ['127.0.0.1'] } })
    const get = async (client: string) => (await api.call('GET', '/v4/tasks', { 'X-Forwarded-For': client })).status
    expect(await get('127.0.0.1')).toBe(200)
    expect(await get('10.1.2.3')).toBe(403)
    expect(await get('127.0.0.1, 10.1.2.3')).toBe(403)
    expect(await get('10.1.2.3:51234')).toBe(403)
    expect(await get('garbage')).toBe(403)
    expect(await get('')).toBe(403)
  })
})

describe('API keys', () => {
  test('a key opens what its scopes name and nothing else', async () => {
    const api = await started({ access: { keys: [ERP] } })
    for (const headers of [bearer(erp.key), { 'X-Api-Key': erp.key }, { Authorization: `bearer  ${erp.key}` }]) {
      const answer = await api.call('PUT', '/v4/run', headers, {})
      expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { actor: 'key:erp', params: {} }])
    }
    const refused = await api.call('PUT', '/v4/filecopy', bearer(erp.key), {})
    expect(refused.status).toBe(403)
    expect(JSON.parse(refused.body)).toEqual({
      error: 'Forbidden',
      details: 'Scope file:write is required',
      statusCode: 403,
      code: 'FORBIDDEN',
      message: 'Forbidden: Scope file:write is required',
    })
    expect(api.effects).toEqual(['PUT /v4/run', 'PUT /v4/run', 'PUT /v4/run'])
  })

  test('without credentials: 401 where a scope is needed, open where none is', async () => {
    const api = await started({ access: { keys: [ERP] } })
    const refused = await api.call('PUT', '/v4/run', {}, {})
    expect(refused.status).toBe(401)
    expect(JSON.parse(refused.body)).toEqual(UNAUTHENTICATED)
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="footman"')
    expect((await api.call('GET', '/v4/open')).status).toBe(200)
    expect((await api.call('GET', '/v4/butlerping')).status).toBe(200)
    expect((await api.call('GET', '/health/live')).status).toBe(200)
    expect((await api.call('GET', '/health')).body).toBe('{"statusCode":200,"status":"ok"}')
    expect((await api.call('GET', '/v4/tasks')).status).toBe(401)
  })

  test('what is not there stays a 404 for everybody, credentials or not', async () => {
    const api = await started({ access: { keys: [ERP] } })
    for (const headers of [{}, bearer(erp.key), bearer('nonsense')]) {
      for (const path of ['/v4/disabled', '/v4/nope']) {
        const answer = await api.call('PUT', path, headers, {})
        expect(answer.body).toBe(`{"message":"Route PUT:${path} not found","error":"Not Found","statusCode":404}`)
      }
    }
  })

  test('wrong credentials are 401, never anonymous', async () => {
    const api = await started({ access: { keys: [ERP], anonymous: { scopes: ['task:run'] } } })
    expect((await api.call('PUT', '/v4/run', {}, {})).status).toBe(200)
    const wrong: Record<string, string>[] = [
      bearer(makeKey().key),
      { 'X-Api-Key': '' },
      { Authorization: 'Basic dXNlcjpwYXNz' },
      { Authorization: 'Bearer' },
      { Authorization: erp.key },
      { ...bearer(erp.key), 'X-Api-Key': makeKey().key },
      bearer('a.b.c'),
    ]
    for (const headers of wrong) {
      const answer = await api.call('PUT', '/v4/run', headers, {})
      expect([headers, answer.status]).toEqual([headers, 401])
      expect(JSON.parse(answer.body).details).toBe('The credentials were not accepted; the log of Footman says why.')
      expect((await api.call('GET', '/v4/open', headers)).status).toBe(401)
    }
    expect((await api.call('PUT', `/v4/run?apiKey=${erp.key}&access_token=${erp.key}`, {}, {})).status).toBe(200)
    expect((await api.audit()).at(-1)?.actor).toBe('anonymous')
    expect(api.effects).toHaveLength(2)
  })

  test('a key ends at the end of its day in the configured zone', async () => {
    let now = Date.parse('2027-06-30T23:59:59+02:00')
    const keys = [
      { ...ERP, expires: '2027-06-30' },
      { id: 'exact', hash: makeKey().hash, scopes: ['*:*'], expires: '2027-07-10T12:00:00Z' },
      { id: 'later', hash: makeKey().hash, scopes: ['*:*'], expires: '2027-08-30' },
    ]
    const api = await started({ access: { keys }, settings: { timezone: 'Europe/Stockholm' }, now: () => now })
    expect(api.log.of('warn')).toEqual([
      'ACCESS: API key erp expires at 2027-07-01 00:00:00 Europe/Stockholm',
      'ACCESS: API key exact expires at 2027-07-10 14:00:00 Europe/Stockholm',
    ])
    expect((await api.call('PUT', '/v4/run', bearer(erp.key), {})).status).toBe(200)
    now += 1000
    expect((await api.call('PUT', '/v4/run', bearer(erp.key), {})).status).toBe(401)
    expect(api.log.of('info')).toContain('ACCESS: Credentials from 127.0.0.1 refused: API key erp has expired')
  })

  test('a key is good from its addresses only', async () => {
    const keys = [
      { ...ERP, allowFrom: ['10.1.2.0/24', '::1'] },
      { id: 'none', hash: makeKey().hash, scopes: ['*:*'] },
    ]
    const api = await started({ access: { keys }, api: { trustedProxies: ['127.0.0.1'] } })
    const from = (client: string) => api.call('PUT', '/v4/run', { ...bearer(erp.key), 'X-Forwarded-For': client }, {})
    expect((await from('10.1.2.77')).status).toBe(200)
    const refused = await from('10.1.3.77')
    expect(refused.status).toBe(403)
    expect(JSON.parse(refused.body)).toEqual({
      error: 'Forbidden',
      details: 'Calls from 10.1.3.77 are not allowed',
      statusCode: 403,
      code: 'ADDRESS_NOT_ALLOWED',
      message: 'Forbidden: Calls from 10.1.3.77 are not allowed',
    })
  })

  test('a key is bound to its namespaces', async () => {
    const reader = { id: 'reader', hash: erp.hash, scopes: ['kv:*'], keyValueNamespaces: ['Sales*', 'q?'] }
    const api = await started({ access: { keys: [reader] } })
    const get = async (namespace: string) =>
      (await api.call('GET', `/v4/keyvalues/${namespace}`, bearer(erp.key))).status
    expect(await Promise.all(['Sales', 'sales%20EU', 'q1', 'Sale', 'q', 'Finance%2FSales'].map(get))).toEqual([
      200, 200, 200, 403, 403, 403,
    ])
    const refused = await api.call('POST', '/v4/keyvalues/Finance', bearer(erp.key), { key: 'a', value: 'b' })
    expect(JSON.parse(refused.body)).toMatchObject({ statusCode: 403, code: 'FORBIDDEN' })
    expect(api.effects.some((effect) => effect.includes('Finance'))).toBe(false)
  })

  test('10,000 random and near-miss keys: all 401, nothing of them in log, audit or answer', async () => {
    const others = Array.from({ length: 5 }, (_, n) => ({ id: `k${n}`, hash: makeKey().hash, scopes: ['*:*'] }))
    const api = await started({ access: { keys: [ERP, ...others] } })
    const tried: string[] = []
    for (let n = 0; n < 10_000; n++) tried.push(n % 2 === 0 ? makeKey().key : nearMiss(erp.key, n))
    const answers: string[] = []
    for (let from = 0; from < tried.length; from += 50) {
      const batch = tried.slice(from, from + 50).map(async (key, index) => {
        const headers: Record<string, string> = index % 2 === 0 ? bearer(key) : { 'x-api-key': key }
        const answer = await fetch(`http://127.0.0.1:${api.port}/v4/run`, { method: 'POST', headers })
        expect(answer.status).toBe(401)
        return `${await answer.text()} ${JSON.stringify([...answer.headers])}`
      })
      answers.push(...(await Promise.all(batch)))
    }
    expect(api.effects).toEqual([])
    const rows = await api.audit()
    expect(rows).toHaveLength(10_000)
    const written = JSON.stringify([api.log.lines, rows, answers])
    // Seven characters of a key are more than chance would produce anywhere else.
    const parts = new Set([erp.key, ...tried].map((key) => key.slice(5, 14)))
    const found = Array.from({ length: written.length }, (_, at) => at).filter((at) =>
      parts.has(written.slice(at, at + 9)),
    )
    expect(found).toEqual([])
  }, 60_000)

  test('each known key is compared in constant time, whichever matches', () => {
    const keys = [makeKey(), makeKey(), makeKey()]
    const known = compileKeys(
      keys.map(({ hash }, n) => ({ id: `k${n}`, hash, scopes: [] })),
      'UTC',
    )
    let compared = 0
    const check = createKeyCheck(known, { now: () => 0 }, (a, b) => {
      compared += 1
      return timingSafeEqual(a, b)
    })
    for (const { key } of keys) check(key)
    check('nonsense')
    expect(compared).toBe(12)
  })
})

function nearMiss(key: string, n: number): string {
  const at = 3 + (n % 43)
  const changed = key[at] === 'A' ? 'B' : 'A'
  const kinds = [`${key.slice(0, at)}${changed}${key.slice(at + 1)}`, key.slice(0, -1), `${key}A`, key.toUpperCase()]
  return kinds[n % 7 === 0 ? 1 + (n % 3) : 0] ?? randomBytes(8).toString('hex')
}

describe('whole listener', () => {
  test('allowFrom closes everything except health, before routes and credentials are looked at', async () => {
    const api = await started({
      access: { keys: [ERP], allowFrom: ['10.0.0.0/8', '::1'] },
      api: { trustedProxies: ['127.0.0.1'] },
    })
    const from = (client: string, path: string) =>
      api.call('GET', path, { ...bearer(erp.key), 'X-Forwarded-For': client })
    expect((await from('10.200.1.1', '/v4/open')).status).toBe(200)
    for (const path of ['/v4/open', '/v4/nope', '/v4/butlerping', '/healthy', '/v4/%zz']) {
      const answer = await from('192.168.1.1', path)
      expect([path, answer.status, JSON.parse(answer.body).code]).toEqual([path, 403, 'ADDRESS_NOT_ALLOWED'])
    }
    expect((await from('192.168.1.1', '/health?x=1')).status).toBe(200)
    expect((await from('192.168.1.1', '/health/live')).status).toBe(200)
    expect((await from('nonsense', '/v4/open')).status).toBe(403)
  })

  test('the rate limit counts per actor, for wrong credentials per address', async () => {
    const other = makeKey()
    const keys = [ERP, { id: 'other', hash: other.hash, scopes: ['task:run'] }]
    const api = await started({ access: { keys }, api: { rateLimitPerMinute: 2 }, now: () => 0 })
    const run = async (headers: Record<string, string>) => (await api.call('PUT', '/v4/run', headers, {})).status
    expect([await run(bearer(erp.key)), await run(bearer(erp.key)), await run(bearer(erp.key))]).toEqual([
      200, 200, 429,
    ])
    expect(await run(bearer(other.key))).toBe(200)
    expect([await run({}), await run(bearer('wrong')), await run(bearer('wrong')), await run({})]).toEqual([
      401, 401, 429, 429,
    ])
    expect(await run(bearer(other.key))).toBe(200)
    expect((await api.call('GET', '/health', bearer('wrong'))).status).toBe(429)
  })

  test('nothing is read of a body whose sender may not send it', async () => {
    const api = await started({ access: { keys: [ERP] } })
    const refused = await api.call('PUT', '/v4/run', {
      'Content-Type': 'application/json',
      'Content-Length': '9999999',
    })
    expect(refused.status).toBe(401)
  })

  test('a preflight needs no credentials, the answer itself does', async () => {
    const origin = 'https://qs.acme.example'
    const api = await started({ access: { keys: [ERP] }, api: { cors: { origins: [origin] } } })
    const asked = await api.call('OPTIONS', '/v4/run', { Origin: origin, 'Access-Control-Request-Method': 'PUT' })
    expect(asked.status).toBe(204)
    expect(asked.headers['access-control-allow-origin']).toBe(origin)
    expect(asked.headers.vary).toBe('Origin')
    const refused = await api.call('PUT', '/v4/run', { Origin: origin }, {})
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, origin])
  })

  test('credentials stay out of the request log', async () => {
    const api = await started({ access: { keys: [ERP] } })
    await api.call('PUT', '/v4/run', { ...bearer(erp.key) }, {})
    await api.call('PUT', '/v4/run', { 'X-Api-Key': erp.key }, {})
    expect(JSON.stringify(api.log.lines)).not.toContain(erp.key.slice(3))
  })
})

describe('the local key', () => {
  test('is fresh, private, for callers on this machine, and gone afterwards', async () => {
    const api = await accessApi({ access: { keys: [ERP] }, api: { trustedProxies: ['127.0.0.9'] } })
    const file = api.directory.join('local.key')
    const key = readFileSync(file, 'utf8').trim()
    expect(key).toMatch(/^fm_[A-Za-z0-9_-]{43}$/)
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
    const mine = await api.call('GET', '/v4/secret', bearer(key))
    expect([mine.status, JSON.parse(mine.body).actor]).toEqual([200, 'local'])
    for (const [sent, actor] of [
      ['anna', 'local:anna'],
      [encodeURIComponent('ACME\\Åsa Öst'), 'local:ACME\\Åsa Öst'],
      [encodeURIComponent('anna\nkey:erp'), 'local'],
      ['%E0%A4%A', 'local'],
      ['a'.repeat(65), 'local'],
    ] as const) {
      const named = await api.call('GET', '/v4/secret', { ...bearer(key), 'X-Footman-User': sent })
      expect(JSON.parse(named.body).actor).toBe(actor)
    }
    expect((await api.call('GET', '/v4/secret', { ...bearer(key), 'X-Forwarded-For': '10.1.2.3' })).status).toBe(401)
    expect((await api.call('GET', '/v4/secret', { ...bearer(key), Origin: 'https://evil.example' })).status).toBe(401)
    await api[Symbol.asyncDispose]()
    expect(() => statSync(file)).toThrow()
    const next = await started({ access: { keys: [ERP] } })
    expect(readFileSync(next.directory.join('local.key'), 'utf8').trim()).not.toBe(key)
  })

  test('is not written while access control is off', async () => {
    const api = await started({ access: { enable: false } })
    expect(() => statSync(api.directory.join('local.key'))).toThrow()
  })
})
