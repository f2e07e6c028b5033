/** Calls that the leader of a cluster answers, between two REST APIs that share a process. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { type ForwardedRequest, ForwardingError, type SharedState } from '../../../src/cluster/types.ts'
import { createHttpApp, type HttpApp } from '../../../src/http/app.ts'
import type { Audit } from '../../../src/http/audit.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, route } from '../../../src/http/endpoint/route.ts'
import { refusal } from '../../../src/http/errors.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { recordingLog } from '../../support/recording-log.ts'

type AuditEntry = Parameters<Audit['record']>[0]
type Shared = Pick<SharedState, 'mode' | 'runsDuties' | 'atLeader' | 'caughtUp' | 'status'>

const KEY = 'a-key-for-tests-of-forwarding'
const HASH = new Bun.CryptoHasher('sha256').update(KEY).digest('hex')

/** Requests as the handlers saw them, by the node where they were carried out. */
let handled: { readonly node: string; readonly request: ApiRequest }[] = []

function routesOf(node: string): ApiRoute[] {
  const seen = (request: ApiRequest): Response => {
    handled.push({ node, request })
    request.note({ target: ['thing'], detail: `by ${node}` })
    return jsonAnswer(201, { node, body: request.body ?? null }, { etag: '"1"' })
  }
  const plain = { switch: null, summary: 'A call' } as const
  return [
    { ...plain, methods: ['POST'], path: '/v4/plain', handle: seen },
    {
      ...plain,
      methods: ['PUT'],
      path: '/v4/bytes',
      body: 'bytes',
      handle: ({ body }) => jsonAnswer(200, [...(body as Uint8Array)]),
    },
    { ...plain, methods: ['DELETE'], path: '/v4/plain', handle: () => new Response(null, { status: 204 }) },
    { ...plain, methods: ['POST'], path: '/v4/here', at: 'here', handle: seen },
    {
      ...plain,
      methods: ['POST'],
      path: '/v4/either/{id}',
      at: 'here',
      atLeaderWhen: ({ params }) => params.id === 'shared',
      handle: seen,
    },
    { ...plain, methods: ['POST'], path: '/v4/alone', alone: ({ query }) => query.limit === undefined, handle: seen },
    {
      ...plain,
      methods: ['GET'],
      path: '/v4/list',
      scope: 'kv:read',
      barrier: true,
      handle: ({ query }) => jsonAnswer(200, query),
    },
    { ...plain, methods: ['GET'], path: '/metrics', scope: 'kv:read', handle: () => jsonAnswer(200, {}) },
    {
      ...plain,
      methods: ['POST'],
      path: '/v4/scoped',
      scope: 'task:run',
      handle(request) {
        const { caller, client } = request
        return jsonAnswer(200, {
          actor: caller.actor,
          client,
          admin: caller.may('admin'),
          write: caller.may('kv:write'),
          limits: caller.limits('task:run'),
          other: caller.limits('kv:write'),
        })
      },
    },
    {
      ...plain,
      methods: ['POST'],
      path: '/v4/refused',
      handle() {
        throw refusal('NAME_TAKEN', 'thing')
      },
    },
    route({
      method: 'POST',
      path: '/v4/checked',
      summary: 'A checked call',
      body: () => z.object({ n: z.number() }),
      answers: () => ({ 201: z.object({}) }),
      handle: seen as never,
    }),
  ]
}

let [mode, forwarded]: [SharedState['mode'], ForwardedRequest[]] = ['follower', []]
let fault: ForwardingError | null = null
let [questions, staleMs] = [0, 0]
let leader: HttpApp
let follower: HttpApp
const audits: Record<'leader' | 'follower', AuditEntry[]> = { leader: [], follower: [] }

const shared: Shared = {
  get mode() {
    return mode
  },
  runsDuties: false,
  atLeader(request) {
    forwarded.push(request)
    // As through a database: everything but the bytes is JSON.
    const { signal, body, ...rest } = request
    return fault ? Promise.reject(fault) : leader.carryOut({ ...JSON.parse(JSON.stringify(rest)), signal, body })
  },
  async caughtUp() {
    questions += 1
    return { staleMs }
  },
  status: { database: { downForMs: 0 } } as SharedState['status'],
}

beforeAll(async () => {
  const make = (node: 'leader' | 'follower', more: object) =>
    createHttpApp(
      {
        log: recordingLog(),
        clock: systemClock,
        readFile: async () => '',
        ...more,
        audit: { record: (entry) => void audits[node].push(entry) },
      },
      {
        api: { rateLimitPerMinute: 0, trustedProxies: [], compress: true },
        accessLog: false,
        access: {
          enable: node === 'follower',
          keys: [
            {
              id: 'erp',
              hash: `sha256:${HASH}`,
              scopes: ['task:run', 'kv:read'],
              startFilter: { taskId: ['t'], tag: [], customProperty: [] },
            },
          ],
          anonymous: { scopes: ['kv:read'] },
          allowFrom: [],
        } as never,
      },
      { serverHost: '127.0.0.1', routes: routesOf(node) },
    )
  leader = await make('leader', {})
  follower = await make('follower', { shared })
})
afterAll(async () => {
  await leader.close()
  await follower.close()
})
beforeEach(() => {
  handled = []
  forwarded = []
  mode = 'follower'
  fault = null
  questions = 0
  staleMs = 0
  audits.leader.length = 0
  audits.follower.length = 0
})

async function call(method: string, path: string, body?: BodyInit, headers: Record<string, string> = {}) {
  const request = new Request(`http://127.0.0.1${path}`, { method, headers, ...(body !== undefined && { body }) })
  const answer = await follower.answer(request, { remoteAddress: '10.1.2.3' })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
}
const JSON_TYPE = { 'content-type': 'application/json' }

describe('a call that changes something', () => {
  test('is carried out by the leader, and recorded at the node that got it', async () => {
    const answer = await call('POST', '/v4/plain?x=%20', '{"a":"ü"}', {
      ...JSON_TYPE,
      'x-request-id': 'abc',
      authorization: `Bearer ${KEY}`,
    })
    expect([answer.status, answer.headers.get('etag'), answer.headers.get('x-correlation-id')]).toEqual([
      201,
      '"1"',
      'abc',
    ])
    const requestId = answer.headers.get('x-request-id')!
    expect(answer.body).toEqual({ node: 'leader', body: { a: 'ü' } })
    expect(handled[0]?.request).toMatchObject({ url: '/v4/plain?x=%20', client: '10.1.2.3', requestId })
    expect(JSON.stringify(forwarded[0]?.headers)).not.toContain(KEY)
    expect(audits.leader).toEqual([])
    expect(audits.follower).toMatchObject([
      {
        actor: 'key:erp',
        address: '10.1.2.3',
        action: 'POST /v4/plain',
        target: ['thing'],
        detail: 'by leader, X-Request-Id abc',
        status: 201,
      },
    ])
  })

  const bodies: readonly [name: string, sent: string | undefined, headers: Record<string, string>, seen: unknown][] = [
    ['no body', undefined, {}, null],
    ['an empty text', '', { 'content-type': 'text/plain' }, null],
    ['null', 'null', JSON_TYPE, null],
    ['a text', 'hello', { 'content-type': 'text/plain' }, 'hello'],
    ['a text in quotes', '"1"', JSON_TYPE, '1'],
    ['a number', '1', JSON_TYPE, 1],
  ]
  for (const [name, sent, headers, seen] of bodies) {
    test(`has the same body at the leader: ${name}`, async () => {
      const { status, body } = await call('POST', '/v4/plain', sent, headers)
      expect([status, body.body || null]).toEqual([201, seen as never])
    })
  }

  test('has the same bytes at the leader', async () => {
    expect((await call('PUT', '/v4/bytes', new Uint8Array([0, 255, 128]))).body).toEqual([0, 255, 128])
  })

  test('may have no answer to show', async () => {
    expect(await call('DELETE', '/v4/plain', undefined, JSON_TYPE)).toMatchObject({ status: 204, body: null })
  })

  test('has the rights of its caller at the leader, whatever the leader knows of callers', async () => {
    const { body } = await call('POST', '/v4/scoped', '{}', { ...JSON_TYPE, 'x-api-key': KEY })
    expect(body).toEqual({
      actor: 'key:erp',
      client: '10.1.2.3',
      admin: false,
      write: false,
      limits: { startFilter: { taskId: ['t'], tag: [], customProperty: [] }, keyValueNamespaces: null },
      other: { startFilter: { taskId: [], tag: [], customProperty: [] }, keyValueNamespaces: [] },
    })
  })

  test('is refused here without the right, and when it is wrong', async () => {
    expect((await call('POST', '/v4/scoped', '{}', JSON_TYPE)).status).toBe(401)
    expect((await call('POST', '/v4/checked', '{"n":"1"}', JSON_TYPE)).status).toBe(400)
    expect((await call('POST', '/v4/plain', '{', JSON_TYPE)).status).toBe(400)
    expect(forwarded).toEqual([])
    expect(await call('POST', '/v4/checked', '{"n":1}', JSON_TYPE)).toMatchObject({
      status: 201,
      body: { body: { n: 1 } },
    })
  })

  test('shows the refusal of the leader', async () => {
    expect(await call('POST', '/v4/refused', '{}', JSON_TYPE)).toMatchObject({
      status: 409,
      body: { code: 'NAME_TAKEN' },
    })
    expect(audits.follower).toMatchObject([{ status: 409, outcome: 'failed' }])
  })

  test('stays here where it concerns this node', async () => {
    expect((await call('POST', '/v4/here', '{}', JSON_TYPE)).body.node).toBe('follower')
    expect(forwarded).toEqual([])
  })

  test('stays here or goes to the leader by what a call names', async () => {
    expect((await call('POST', '/v4/either/own', '{}', JSON_TYPE)).body.node).toBe('follower')
    expect((await call('POST', '/v4/either/shared', '{}', JSON_TYPE)).body.node).toBe('leader')
    expect(forwarded.map(({ url }) => url)).toEqual(['/v4/either/shared'])
  })

  for (const [name, status, retry] of [
    ['NO_LEADER', 503, '5'],
    ['CLUSTER_UNAVAILABLE', 503, '10'],
    ['OUTCOME_UNKNOWN', 504, null],
    ['BODY_TOO_LARGE', 413, null],
  ] as const) {
    test(`that is not answered is a ${name}`, async () => {
      fault = new ForwardingError(name, 'why')
      const answer = await call('POST', '/v4/plain', '{}', JSON_TYPE)
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([status, name, retry])
      expect(answer.body.details).toBe('why')
    })
  }

  test('is carried out by a node that is alone only where no other is needed', async () => {
    mode = 'alone'
    fault = new ForwardingError('CLUSTER_UNAVAILABLE', 'alone')
    expect((await call('POST', '/v4/alone', '{}', JSON_TYPE)).body.node).toBe('follower')
    expect((await call('POST', '/v4/alone?limit=1', '{}', JSON_TYPE)).status).toBe(503)
    expect((await call('POST', '/v4/plain', '{}', JSON_TYPE)).status).toBe(503)
  })
})

describe('a read', () => {
  test('waits until all that was answered is here', async () => {
    const { headers, body } = await call('GET', '/v4/list?a=1')
    expect([questions, headers.get('footman-stale'), body]).toEqual([1, null, { a: '1' }])
  })

  test('says how old it may be', async () => {
    staleMs = 1200
    expect((await call('GET', '/v4/list')).headers.get('footman-stale')).toBe('2')
  })

  test('does not wait when it is in a hurry, and the parameter is not that of the endpoint', async () => {
    const { body } = await call('GET', '/v4/list?barrier=false&a=1')
    expect([questions, body]).toEqual([0, { a: '1' }])
    expect((await call('GET', '/v4/list?barrier=true')).body).toEqual({})
    expect(questions).toBe(1)
  })

  test('of metrics never waits for the database', async () => {
    await call('GET', '/metrics')
    expect(questions).toBe(0)
  })
})
