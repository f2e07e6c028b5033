import { afterEach, describe, expect, test } from 'bun:test'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AccessSettings } from '../../../../src/http/auth/build.ts'
import { atMost, until } from '../../../support/wait.ts'
import { type AccessApi, type AccessApiOptions, accessApi, bearer } from './support.ts'

const cleanups: AsyncDisposable[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup[Symbol.asyncDispose]()
})

const NOW = Date.parse('2026-03-02T06:00:00Z')
const SECONDS = NOW / 1000
const ISSUER = 'https://login.acme.example/realms/qlik'
const SECRET = 'a secret of at least thirty-two bytes'

type Claims = Readonly<Record<string, unknown>>
const CLAIMS: Claims = { iss: ISSUER, aud: 'footman', sub: 'alice', exp: SECONDS + 300, scope: 'task:run other' }

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens written by hand, so that every wrong one can be made. */
function token(header: Claims, claims: Claims, signature: (input: string) => Buffer): string {
  const input = `${encode({ typ: 'JWT', ...header })}.${encode(claims)}`
  return `${input}.${signature(input).toString('base64url')}`
}

const hs256 = (secret: string | Buffer, claims: Claims = CLAIMS): string =>
  token({ alg: 'HS256' }, claims, (input) => createHmac('sha256', secret).update(input).digest())
const rs256 = (key: KeyObject, claims: Claims = CLAIMS, kid?: string): string =>
  token({ alg: 'RS256', kid }, claims, (input) => sign('sha256', Buffer.from(input), key))
const es256 = (key: KeyObject, claims: Claims = CLAIMS): string =>
  token({ alg: 'ES256' }, claims, (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }))
const eddsa = (key: KeyObject, claims: Claims = CLAIMS): string =>
  token({ alg: 'EdDSA' }, claims, (input) => sign(null, Buffer.from(input), key))

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

type Jwt = NonNullable<AccessSettings['jwt']>

async function started(jwt: Partial<Jwt>, options: AccessApiOptions = {}): Promise<AccessApi> {
  const settings: Jwt = {
    secret: '',
    publicKeyFile: '',
    jwksUrl: '',
    issuer: ISSUER,
    audience: 'footman',
    claim: 'scope',
    grants: {},
    ...jwt,
  }
  const api = await accessApi({ now: () => NOW, ...options, access: { jwt: settings, ...options.access } })
  cleanups.push(api)
  return api
}

const statusOf = async (api: AccessApi, credential: string, path = '/v4/run'): Promise<number> =>
  (await api.call(path === '/v4/run' ? 'PUT' : 'GET', path, bearer(credential), path === '/v4/run' ? {} : undefined))
    .status

describe('a shared secret', () => {
  test('a good token acts as its subject', async () => {
    const api = await started({ secret: SECRET })
    const answer = await api.call('PUT', '/v4/run', bearer(hs256(SECRET)), {})
    expect([answer.status, JSON.parse(answer.body).actor]).toEqual([200, 'jwt:alice'])
    expect((await api.audit()).at(-1)).toMatchObject({ actor: 'jwt:alice', action: 'task.start', outcome: 'ok' })
  })

  test.each<[string, Claims, number]>([
    ['ends in a minute', { exp: SECONDS + 60 }, 200],
    ['has ended 59 s ago', { exp: SECONDS - 59 }, 200],
    ['has ended 61 s ago', { exp: SECONDS - 61 }, 401],
    ['has no end', { exp: undefined }, 401],
    ['begins in 59 s', { nbf: SECONDS + 59 }, 200],
    ['begins in 61 s', { nbf: SECONDS + 61 }, 401],
    ['is for another audience', { aud: 'other' }, 401],
    ['is for an audience with another case', { aud: 'Footman' }, 401],
    ['is for several audiences', { aud: ['other', 'footman'] }, 200],
    ['is for no audience', { aud: undefined }, 401],
    ['is of another issuer', { iss: `${ISSUER}/` }, 401],
    ['is of no issuer', { iss: undefined }, 401],
    ['has no subject', { sub: undefined }, 200],
  ])('a token that %s', async (_what, changes, status) => {
    const api = await started({ secret: SECRET })
    expect(await statusOf(api, hs256(SECRET, { ...CLAIMS, ...changes }))).toBe(status)
  })

  test('wrong secret, no algorithm, other families, nonsense: 401, and the reason in the log without the token', async () => {
    const api = await started({ secret: SECRET })
    const wrong = [
      hs256('another secret of at least thirty-two bytes'),
      token({ alg: 'none' }, CLAIMS, () => Buffer.alloc(0)),
      token({ alg: 'None' }, CLAIMS, () => Buffer.alloc(0)),
      rs256(rsa.privateKey),
      `${hs256(SECRET)}x`,
      hs256(SECRET).replace(/\.[^.]+\./, `.${encode({ ...CLAIMS, scope: 'admin' })}.`),
      'a.b.c',
      '..',
    ]
    for (const one of wrong) expect([one, await statusOf(api, one)]).toEqual([one, 401])
    expect(api.effects).toEqual([])
    const refusals = api.log
      .of('info')
      .filter((line) => line.startsWith('ACCESS: Credentials from 127.0.0.1 refused: '))
    expect(refusals).toHaveLength(wrong.length)
    const written = JSON.stringify([api.log.lines, await api.audit()])
    for (const one of wrong.slice(0, 6)) expect(written).not.toContain(one.split('.')[1]!.slice(0, 40))
  })
})

describe('rights', () => {
  const grants: Jwt['grants'] = {
    operators: { scopes: ['task:run'] },
    readers: { scopes: ['kv:read'], keyValueNamespaces: ['Sales*'] },
    elsewhere: { scopes: ['file:write'], allowFrom: ['10.0.0.0/8'] },
    'task:read': { scopes: ['admin'] },
  }
  const rights = async (claims: Claims, claim = 'scope') => {
    const api = await started({ secret: SECRET, grants, claim })
    const good = hs256(SECRET, { ...CLAIMS, scope: undefined, ...claims })
    const paths = ['/v4/run', '/v4/tasks', '/v4/keyvalues/Sales', '/v4/keyvalues/Finance', '/v4/secret']
    const statuses = []
    for (const path of paths) statuses.push(await statusOf(api, good, path))
    return statuses
  }

  test.each<[string, Claims, string, number[]]>([
    ['a scope', { scope: 'task:run' }, 'scope', [200, 403, 403, 403, 403]],
    ['several scopes and a grant', { scope: 'task:read  operators' }, 'scope', [200, 200, 403, 403, 403]],
    ['a list', { scope: ['operators', 'kv:*'] }, 'scope', [200, 403, 200, 200, 403]],
    ['a limit binds its own grant only', { scope: ['readers', 'operators'] }, 'scope', [200, 403, 200, 403, 403]],
    ['values without a grant', { scope: 'qlik-users offline_access *' }, 'scope', [403, 403, 403, 403, 403]],
    ['a scope is never the name of a grant', { scope: 'task:read' }, 'scope', [403, 200, 403, 403, 403]],
    ['no claim', {}, 'scope', [403, 403, 403, 403, 403]],
    ['a claim of another kind', { scope: { 'task:run': true } }, 'scope', [403, 403, 403, 403, 403]],
    ['everything except admin', { scope: '*:*' }, 'scope', [200, 200, 200, 200, 403]],
    ['everything', { scope: 'admin' }, 'scope', [200, 200, 200, 200, 200]],
    ['a path', { realm_access: { roles: ['operators'] } }, 'realm_access.roles', [200, 403, 403, 403, 403]],
    ['a name with dots', { 'https://a.example/r': 'operators' }, 'https://a.example/r', [200, 403, 403, 403, 403]],
    ['not what objects inherit', {}, 'constructor.name', [403, 403, 403, 403, 403]],
  ])('%s', async (_what, claims, claim, statuses) => {
    expect(await rights(claims, claim)).toEqual(statuses)
  })

  test('a grant bound to other addresses', async () => {
    const api = await started({ secret: SECRET, grants })
    const answer = await api.call('PUT', '/v4/filecopy', bearer(hs256(SECRET, { ...CLAIMS, scope: 'elsewhere' })), {})
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 403, code: 'ADDRESS_NOT_ALLOWED' })
  })
})

describe('a public key', () => {
  const withKey = async (key: KeyObject): Promise<AccessApi> => {
    const file = `${import.meta.dirname}/key.pem`
    return started(
      { publicKeyFile: file },
      { readFile: async (path) => (path === file ? pem(key) : Promise.reject(new Error('not there'))) },
    )
  }

  test('signs in its own family only', async () => {
    const [withRsa, withEc, withEd] = await Promise.all([rsa, ec, ed].map(({ publicKey }) => withKey(publicKey)))
    expect(await statusOf(withRsa!, rs256(rsa.privateKey))).toBe(200)
    expect(await statusOf(withEc!, es256(ec.privateKey))).toBe(200)
    expect(await statusOf(withEd!, eddsa(ed.privateKey))).toBe(200)
    expect(await statusOf(withRsa!, es256(ec.privateKey))).toBe(401)
    expect(await statusOf(withEc!, rs256(rsa.privateKey))).toBe(401)
    expect(await statusOf(withRsa!, rs256(otherRsa.privateKey))).toBe(401)
    // The public key as if it were a shared secret.
    expect(await statusOf(withRsa!, hs256(pem(rsa.publicKey)))).toBe(401)
    expect(await statusOf(withRsa!, hs256(Buffer.from(pem(rsa.publicKey).trim())))).toBe(401)
    expect(
      await statusOf(
        withRsa!,
        token({ alg: 'none' }, CLAIMS, () => Buffer.alloc(0)),
      ),
    ).toBe(401)
  })

  test('that cannot be read stops the start', async () => {
    const start = started({ publicKeyFile: '/nowhere.pem' })
    await expect(start).rejects.toMatchObject({
      name: 'StartError',
      message: expect.stringContaining('footman.access.jwt.publicKeyFile cannot be used (/nowhere.pem)'),
    })
  })
})

describe('a key set', () => {
  interface Issuer extends AsyncDisposable {
    readonly url: string
    asked: number
    /** What is answered; null = nothing, ever. */
    answer: object | string | null
  }

  async function issuer(answer: Issuer['answer']): Promise<Issuer> {
    const state = { asked: 0, answer }
    const server: Server = createServer((_request, response) => {
      state.asked += 1
      if (state.answer === null) return
      response.end(typeof state.answer === 'string' ? state.answer : JSON.stringify(state.answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const made: Issuer = Object.assign(state, {
      url: `http://127.0.0.1:${port}/certs`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        server.close()
      },
    })
    cleanups.push(made)
    return made
  }

  const keySet = (...keys: [string, KeyObject][]) => ({
    keys: keys.map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' })),
  })
  const MINUTE = 60_000

  test('is fetched ahead, kept for ten minutes, and asked again for unknown keys at most every 30 s', async () => {
    let now = NOW
    const from = await issuer(keySet(['one', rsa.publicKey]))
    const api = await started({ jwksUrl: from.url }, { now: () => now })
    await until(() => from.asked === 1)
    const one = () => statusOf(api, rs256(rsa.privateKey, { ...CLAIMS, exp: now / 1000 + 60 }, 'one'))
    const two = () => statusOf(api, rs256(otherRsa.privateKey, { ...CLAIMS, exp: now / 1000 + 60 }, 'two'))
    expect([await one(), await one(), await two(), await two()]).toEqual([200, 200, 401, 401])
    expect(from.asked).toBe(1)
    from.answer = keySet(['one', rsa.publicKey], ['two', otherRsa.publicKey])
    now += 29_000
    expect([await two(), from.asked]).toEqual([401, 1])
    now += 1000
    expect([await two(), from.asked]).toEqual([200, 2])
    expect([await Promise.all([one(), two(), one()]), from.asked]).toEqual([[200, 200, 200], 2])
    now += 10 * MINUTE
    from.answer = keySet(['two', otherRsa.publicKey])
    expect([await Promise.all([one(), two(), one()]), from.asked]).toEqual([[401, 200, 401], 3])
  })

  test('while it cannot be fetched the last keys hold for a day, and nobody waits longer than 5 s', async () => {
    let now = NOW
    const from = await issuer(keySet(['one', rsa.publicKey]))
    const api = await started({ jwksUrl: from.url }, { now: () => now })
    const one = () => statusOf(api, rs256(rsa.privateKey, { ...CLAIMS, exp: now / 1000 + 60 }, 'one'))
    const two = () => statusOf(api, rs256(otherRsa.privateKey, { ...CLAIMS, exp: now / 1000 + 60 }, 'two'))
    expect(await one()).toBe(200)
    from.answer = null
    now += 11 * MINUTE
    const began = performance.now()
    expect(await Promise.all([one(), two()])).toEqual([200, 401])
    expect(performance.now() - began).toBeLessThan(atMost(5000))
    const again = performance.now()
    expect(await Promise.all([one(), two()])).toEqual([200, 401])
    expect(performance.now() - again).toBeLessThan(atMost(1000))
    expect(api.log.of('warn')).toEqual([
      expect.stringMatching(/^ACCESS: The keys of the token issuer could not be fetched: /),
    ])
    from.answer = 'no JSON'
    now = NOW + 24 * 60 * MINUTE - 1000
    expect(await one()).toBe(200)
    now = NOW + 24 * 60 * MINUTE + 31_000
    expect(await one()).toBe(401)
    from.answer = keySet(['one', rsa.publicKey])
    now += 31_000
    expect(await one()).toBe(200)
  }, 90_000)

  test('symmetric keys and the wrong algorithm of a key are refused', async () => {
    const shared = { kty: 'oct', kid: 'shared', k: Buffer.from(SECRET).toString('base64url'), alg: 'HS256' }
    const from = await issuer({ keys: [shared, ...keySet(['one', rsa.publicKey]).keys] })
    const api = await started({ jwksUrl: from.url })
    const withShared = token({ alg: 'HS256', kid: 'shared' }, CLAIMS, (input) =>
      createHmac('sha256', SECRET).update(input).digest(),
    )
    expect(await statusOf(api, withShared)).toBe(401)
    expect(await statusOf(api, hs256(pem(rsa.publicKey)))).toBe(401)
    expect(await statusOf(api, rs256(rsa.privateKey))).toBe(200)
  })
})
