/**
 * Every operation that the running executable describes, called by every kind of caller: with each scope while access
 * control is on, and from near, far and a browser while it is off. A new endpoint is covered without a line here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash, randomBytes } from 'node:crypto'
import { type Everything, everything } from '../support/everything.ts'
import type { Footman } from '../support/footman.ts'
import type { Described } from '../support/openapi.ts'
import { opens, SCOPES } from '../support/scopes.ts'
import { needs } from '../support/servers.ts'

needs('mosquitto')

/** Butler 16 had or documented these, and load balancers ask for the last two. All else is for callers on this machine. */
const OPEN = new Set([
  'GET /v4/butlerping',
  'GET /v4/configfile/endpointsenabled',
  'GET /v4/base62tobase16',
  'GET /v4/base16tobase62',
  'PUT /v4/reloadtask/{taskId}/start',
  'POST /v4/reloadtask/{taskId}/start',
  'PUT /v4/reloadtask/start',
  'POST /v4/reloadtask/start',
  'PUT /v4/app/{appId}/reload',
  'GET /v4/app/{appId}/dump',
  'GET /v4/senseappdump/{appId}',
  'GET /v4/apps/list',
  'GET /v4/senselistapps',
  'GET /v4/keyvaluesnamespaces',
  'GET /v4/keylist/{namespace}',
  'GET /v4/keyvalues/{namespace}/keyexists',
  ...['GET', 'POST', 'DELETE'].flatMap((method) => [
    `${method} /v4/keyvalues/{namespace}`,
    `${method} /v4/kvstore/{namespace}`,
  ]),
  'DELETE /v4/keyvalues/{namespace}/{key}',
  'GET /v4/schedules',
  'POST /v4/schedules',
  'DELETE /v4/schedules/{id}',
  'GET /v4/schedules/status',
  'PUT /v4/schedules/{id}/start',
  'PUT /v4/schedules/{id}/stop',
  'PUT /v4/schedules/startall',
  'PUT /v4/schedules/stopall',
  'PUT /v4/filecopy',
  'PUT /v4/filemove',
  'DELETE /v4/filedelete',
  'POST /v4/createdir',
  'POST /v4/createdirqvd',
  'PUT /v4/mqttpublishmessage',
  'PUT /v4/slackpostmessage',
  'POST /v4/newrelic/event',
  'POST /v4/newrelic/metric',
  'GET /health',
  'GET /health/live',
])

/** "footman console" on the machine of Footman asks for it, with the local key. */
const LOCAL_KEY_ONLY = 'POST /v4/sessions/link'

/** Each topic of the stream needs the scope of its lists; without `topic` it is closed to callers that may read none of these. */
const TOPICS = ['event:read', 'task:read', 'schedule:read', 'file:write', 'report:read']
const STREAM = 'GET /v4/stream'

interface Operation {
  readonly name: string
  readonly method: string
  readonly url: string
  readonly scope: string | null
}

async function operationsOf(product: Footman, headers: Record<string, string> = {}): Promise<Operation[]> {
  const { paths } = (await (await product.call('GET', '/documentation/json', undefined, headers)).json()) as Described
  const found = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([lower, { security = [] }]) => {
      const method = lower.toUpperCase()
      const scope = Object.values(security[0] ?? {})[0]?.[0] ?? null
      // No such task, app, event or file.
      return { name: `${method} ${path}`, method, scope, url: path.replace(/\{\w+\}/g, UNKNOWN) }
    }),
  )
  expect(found.length).toBeGreaterThan(60)
  // Needs the local key beside its scope; tested with the sign-in of the console.
  return found.filter(({ name }) => name !== 'POST /v4/sessions/link')
}

const UNKNOWN = '0f0f0f0f-0000-4000-8000-000000000001'
const REFUSED = ['UNAUTHENTICATED', 'FORBIDDEN', 'ADDRESS_NOT_ALLOWED', 'CROSS_SITE', 'HOST_NOT_ALLOWED']

/** `allowed`, or the code of the refusal. The body fits no endpoint, so that nothing is changed by those that are allowed. */
async function verdict(product: Footman, operation: Operation, headers: Record<string, string>): Promise<string> {
  const { method, url } = operation
  const hasBody = method === 'POST' || method === 'PUT'
  const response = await product.call(method, url, hasBody ? 'fits nothing' : undefined, headers)
  if (response.status !== 401 && response.status !== 403) {
    // Streams have no end.
    await response.body?.cancel()
    return 'allowed'
  }
  const { code } = (await response.json()) as { code?: string }
  return code !== undefined && REFUSED.includes(code) ? code : 'allowed'
}

/** Lines `PUT /v4/filecopy by task:run: allowed`, few calls at a time. */
async function matrix(
  product: Footman,
  operations: readonly Operation[],
  callers: ReadonlyMap<string, Record<string, string>>,
): Promise<string[]> {
  const cells = operations.flatMap((operation) =>
    [...callers].map(([caller, headers]) => ({ operation, caller, headers })),
  )
  const lines: string[] = []
  while (cells.length > 0) {
    const batch = cells.splice(0, 16).map(async ({ operation, caller, headers }) => {
      return `${operation.name} by ${caller}: ${await verdict(product, operation, headers)}`
    })
    lines.push(...(await Promise.all(batch)))
  }
  return lines
}

const lineOf = ({ name }: Operation, caller: string, expected: string) => `${name} by ${caller}: ${expected}`

describe('with access control', () => {
  let all: Everything
  const keys = new Map(SCOPES.map((scope) => [scope, `fm_${randomBytes(32).toString('base64url')}`]))
  const bearer = (scope: string) => ({ authorization: `Bearer ${keys.get(scope)}` })

  beforeAll(async () => {
    all = await everything({
      footman: {
        dataDirectory: 'data',
        api: { rateLimitPerMinute: 0 },
        mqtt: { receivedTopics: ['plant/#'] },
        access: {
          enable: true,
          keys: [...keys].map(([scope, key], index) => ({
            id: `key-${index}`,
            hash: `sha256:${createHash('sha256').update(key).digest('hex')}`,
            scopes: [scope],
          })),
        },
      },
    })
    await all.product.start()
  }, 60_000)
  afterAll(() => all?.[Symbol.asyncDispose]())

  test('every operation opens to its documented scope and to no other', async () => {
    const operations = await operationsOf(all.product)
    const callers = new Map<string, Record<string, string>>([
      ...SCOPES.map((scope): [string, Record<string, string>] => [scope, bearer(scope)]),
      ['no key', {}],
      ['a wrong key', { 'x-api-key': `fm_${'x'.repeat(43)}` }],
    ])
    const expected = operations.flatMap((operation) => {
      const { scope } = operation
      return [
        ...SCOPES.map((held) => {
          const wanted = operation.name === STREAM ? TOPICS : [scope ?? 'any']
          const isOpen = wanted.some((one) => opens(held, one)) && operation.name !== LOCAL_KEY_ONLY
          return lineOf(operation, held, isOpen ? 'allowed' : 'FORBIDDEN')
        }),
        lineOf(operation, 'no key', scope ? 'UNAUTHENTICATED' : 'allowed'),
        lineOf(operation, 'a wrong key', 'UNAUTHENTICATED'),
      ]
    })
    expect(await matrix(all.product, operations, callers)).toEqual(expected)
  }, 300_000)
})

describe('without access control', () => {
  let all: Everything
  beforeAll(async () => {
    all = await everything({
      footman: {
        dataDirectory: 'data',
        // Lets a test call from afar.
        api: { rateLimitPerMinute: 0, trustedProxies: ['127.0.0.1'], allowedHosts: ['footman.acme.example'] },
        mqtt: { receivedTopics: ['plant/#'] },
      },
    })
    await all.product.start()
  }, 60_000)
  afterAll(() => all?.[Symbol.asyncDispose]())

  test('every operation, from near, far and browsers', async () => {
    const { product } = all
    const host = `127.0.0.1:${product.restPort}`
    const callers: readonly [caller: string, headers: Record<string, string>, (isOpen: boolean) => string][] = [
      ['a program here', {}, () => 'allowed'],
      ['a program elsewhere', { 'x-forwarded-for': '203.0.113.9' }, (isOpen) => (isOpen ? 'allowed' : 'FORBIDDEN')],
      ['a program by another name', { host: 'x.example' }, (isOpen) => (isOpen ? 'allowed' : 'FORBIDDEN')],
      ['our page', { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }, () => 'allowed'],
      [
        'our page behind a proxy',
        { host: 'footman.acme.example', origin: 'https://footman.acme.example' },
        () => 'allowed',
      ],
      ['the address bar', { 'sec-fetch-site': 'none' }, () => 'allowed'],
      ['a foreign page', { 'sec-fetch-site': 'cross-site' }, () => 'CROSS_SITE'],
      ['an old browser', { origin: 'https://evil.example' }, () => 'CROSS_SITE'],
      ['a rebound name', { host: 'evil.example', origin: 'http://evil.example' }, () => 'HOST_NOT_ALLOWED'],
    ]
    const operations = await operationsOf(product)
    const unknown = [...OPEN].filter((name) => !operations.some((operation) => operation.name === name))
    expect(unknown).toEqual([])
    const expected = operations.flatMap((operation) =>
      callers.map(([caller, , wanted]) => lineOf(operation, caller, wanted(OPEN.has(operation.name)))),
    )
    const headers = new Map(callers.map(([caller, sent]) => [caller, sent]))
    expect(await matrix(product, operations, headers)).toEqual(expected)
  }, 300_000)

  test('a form of a foreign page starts no task, whatever it calls its body', async () => {
    const { product, site } = all
    const before = site.simulator.requests({ listener: 'qrs' }).length
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json']) {
      const answer = await fetch(`http://127.0.0.1:${product.restPort}/v4/reloadtask/-/start`, {
        method: 'POST',
        headers: { 'content-type': type, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
        body: '{"tag":["hourly-reload"]}',
      })
      expect([type, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([type, 403, 'CROSS_SITE'])
    }
    expect(site.simulator.requests({ listener: 'qrs' }).length).toBe(before)
  })

  test('a link of another site leads to a page that says why, and to the page itself from there', async () => {
    const url = `http://127.0.0.1:${all.product.restPort}/documentation/`
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
    const refused = await fetch(url, { headers: { accept, 'sec-fetch-site': 'cross-site' } })
    expect([refused.status, refused.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8'])
    expect(await refused.text()).toContain('<a href="">Open the page</a>')
    expect((await fetch(url, { headers: { accept, 'sec-fetch-site': 'same-origin' } })).status).toBe(200)
  })
})
