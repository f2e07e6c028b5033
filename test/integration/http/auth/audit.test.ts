import { afterEach, describe, expect, test } from 'bun:test'
import { auditLine } from '../../../../src/http/audit.ts'
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
const boss = makeKey()
const KEYS = [
  { id: 'erp', hash: erp.hash, scopes: ['task:run', 'kv:*', 'app:read'] },
  { id: 'boss', hash: boss.hash, scopes: ['admin'] },
]

interface Page {
  readonly audit: readonly {
    readonly id: string
    readonly at: string
    readonly actor: string
    readonly action: string
    readonly outcome: string
    readonly requestId: string
    readonly detail: string | null
  }[]
  readonly nextCursor: string | null
}

async function page(api: AccessApi, query = ''): Promise<Page> {
  const answer = await api.call('GET', `/v4/audit${query}`, bearer(boss.key))
  expect([query, answer.status]).toEqual([query, 200])
  return JSON.parse(answer.body) as Page
}

describe('what is recorded', () => {
  test('effects, refusals and dumps; no reads and no single key-value writes', async () => {
    const api = await started({ access: { keys: KEYS } })
    const key = bearer(erp.key)
    await api.call('PUT', '/v4/run', { ...key, 'X-Request-Id': 'my-request' }, {})
    await api.call('GET', '/v4/dump/8f2b', key)
    await api.call('POST', '/v4/keyvalues/Sales', key, { key: 'a', value: 'b' })
    await api.call('GET', '/v4/keyvalues/Sales', key)
    await api.call('GET', '/v4/open')
    await api.call('GET', '/v4/tasks', key)
    await api.call('PUT', '/v4/filecopy', {}, {})
    await api.call('PUT', '/v4/run?x=secret', { ...key, 'Content-Type': 'application/json' })
    await api.call('PUT', '/v4/nope', key, {})
    const told = (await api.audit()).map((row) => [row.actor, row.action, row.status, row.outcome, row.target])
    expect(told).toEqual([
      ['key:erp', 'task.start', 200, 'ok', '[]'],
      ['key:erp', 'app.dump', 200, 'ok', '["8f2b"]'],
      ['key:erp', 'GET /v4/tasks', 403, 'denied', '[]'],
      ['anonymous', 'PUT /v4/filecopy', 401, 'denied', '[]'],
      ['key:erp', 'task.start', 400, 'failed', '[]'],
    ])
    expect(api.log.of('info')).toContainEqual(
      expect.stringMatching(
        /^AUDIT: actor=key:erp address=127.0.0.1 action=task.start outcome=ok status=200 request=[0-9a-f-]{36}$/,
      ),
    )
    expect((await api.audit())[0]).toMatchObject({ detail: 'X-Request-Id my-request' })
  })

  test('single key-value writes when the configuration says so; refused ones always', async () => {
    const api = await started({ access: { keys: KEYS, auditKeyValues: true } })
    await api.call('POST', '/v4/keyvalues/Sales', bearer(erp.key), { key: 'a', value: 'b' })
    expect(await api.audit()).toMatchObject([{ action: 'kv.set', target: '["Sales"]', outcome: 'ok' }])
    const quiet = await started({ access: { keys: KEYS } })
    await quiet.call('POST', '/v4/keyvalues/Sales', {}, { key: 'a', value: 'b' })
    expect(await quiet.audit()).toMatchObject([{ action: 'kv.set', outcome: 'denied', status: 401 }])
  })

  test('with access control off, too', async () => {
    const api = await started({ access: { enable: false } })
    await api.call('PUT', '/v4/run', {}, {})
    expect(await api.audit()).toMatchObject([
      { actor: 'anonymous', address: '127.0.0.1', action: 'task.start', outcome: 'ok', detail: null },
    ])
  })

  test('a flood is recorded up to the rate limit only', async () => {
    const api = await started({
      access: { keys: KEYS, allowFrom: ['10.0.0.0/8'] },
      api: { rateLimitPerMinute: 3, trustedProxies: ['127.0.0.1'] },
      now: () => 0,
    })
    for (let n = 0; n < 6; n++) expect((await api.call('PUT', '/v4/run', {}, {})).status).toBe(403)
    for (let n = 0; n < 6; n++) await api.call('PUT', '/v4/run', { 'X-Forwarded-For': '10.1.1.1' }, {})
    const statuses = (await api.audit()).map(({ status }) => status)
    expect(statuses).toEqual([403, 403, 403, 401, 401, 401])
  })
})

describe('the log line', () => {
  const entry = {
    actor: 'key:erp',
    address: '10.1.2.3',
    action: 'task.start',
    target: [],
    status: 200,
    outcome: 'ok' as const,
    requestId: '019cad26-62e0-7f58-b914-5b24d108d7ac',
    detail: '1 started',
  }

  test('names all members in their order', () => {
    expect(auditLine({ ...entry, target: ['a8b4c123-def4-5678-9abc-def012345678'] })).toBe(
      'AUDIT: actor=key:erp address=10.1.2.3 action=task.start outcome=ok status=200 request=019cad26-62e0-7f58-b914-5b24d108d7ac target=a8b4c123-def4-5678-9abc-def012345678',
    )
  })

  test('nobody can write a second line or member', () => {
    expect(auditLine({ ...entry, actor: 'jwt:eve\noutcome=ok', address: null })).toBe(
      'AUDIT: actor="jwt:eve\\noutcome=ok" action=task.start outcome=ok status=200 request=019cad26-62e0-7f58-b914-5b24d108d7ac',
    )
    expect(auditLine({ ...entry, target: ['a b'] })).toEndWith(' target="a b"')
  })
})

describe('GET /v4/audit', () => {
  const filled = async (now: () => number = Date.now) => {
    const api = await started({ access: { keys: KEYS }, now })
    return api
  }

  test('needs admin', async () => {
    const api = await filled()
    expect((await api.call('GET', '/v4/audit')).status).toBe(401)
    expect((await api.call('GET', '/v4/audit', bearer(erp.key))).status).toBe(403)
    const off = await started({ access: { enable: false } })
    expect((await off.call('GET', '/v4/audit')).status).toBe(200)
    expect((await off.call('GET', '/v4/audit', { 'X-Forwarded-For': '10.1.2.3' })).status).toBe(403)
  })

  test('newest first, all members', async () => {
    const now = Date.parse('2026-03-02T06:05:00.120Z')
    const api = await filled(() => now)
    await api.call('PUT', '/v4/run', { ...bearer(erp.key), 'X-Request-Id': 'r1' }, {})
    const { audit, nextCursor } = await page(api)
    expect(nextCursor).toBeNull()
    expect(audit).toEqual([
      {
        id: expect.stringMatching(/^019cad26-6358-7/),
        at: '2026-03-02T06:05:00.120Z',
        actor: 'key:erp',
        address: '127.0.0.1',
        action: 'task.start',
        target: [],
        status: 200,
        outcome: 'ok',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        detail: 'X-Request-Id r1',
      },
    ] as never)
    expect(Object.keys(audit[0]!)).toEqual([
      'id',
      'at',
      'actor',
      'address',
      'action',
      'target',
      'status',
      'outcome',
      'requestId',
      'detail',
    ])
  })

  test('pages show every entry once', async () => {
    const api = await filled()
    for (let n = 0; n < 25; n++) await api.call('PUT', '/v4/run', { ...bearer(erp.key), 'X-Request-Id': `r${n}` }, {})
    const seen: string[] = []
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const { audit, nextCursor }: Page = await page(api, `?limit=10${cursor && `&cursor=${cursor}`}`)
      seen.push(...audit.map(({ detail }) => String(detail)))
      cursor = nextCursor
      pages += 1
    }
    expect(pages).toBe(3)
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `X-Request-Id r${24 - n}`))
  })

  test('filters by actor, action, outcome and time', async () => {
    let now = Date.parse('2026-03-02T06:00:00Z')
    const api = await filled(() => now)
    const key = bearer(erp.key)
    await api.call('PUT', '/v4/run', key, {})
    now += 60_000
    await api.call('PUT', '/v4/filecopy', key, {})
    now += 60_000
    await api.call('GET', '/v4/dump/x', key)
    await api.call('PUT', '/v4/run', {}, {})
    now += 60_000
    const actions = async (query: string) => (await page(api, query)).audit.map(({ action }) => action)
    const [run, copy, dump] = ['task.start', 'PUT /v4/filecopy', 'app.dump']
    expect(await actions('')).toEqual([run, dump, copy, run])
    expect(await actions('?actor=KEY:*')).toEqual([dump, copy, run])
    expect(await actions('?actor=anonymous&actor=nobody')).toEqual([run])
    expect(await actions('?action=app.*&action=*filecopy')).toEqual([dump, copy])
    expect(await actions('?action=dump')).toEqual([])
    expect(await actions('?outcome=denied')).toEqual([run, copy])
    expect(await actions('?outcome=ok&outcome=failed')).toEqual([dump, run])
    expect(await actions('?from=90s')).toEqual([run, dump])
    expect(await actions('?from=2026-03-02T06:01:00Z&to=2026-03-02T06:02:00Z')).toEqual([copy])
    expect(await actions('?to=2026-03-02T06:01:00Z')).toEqual([run])
  })

  test.each([
    ['?limit=0', 'VALIDATION'],
    ['?limit=501', 'VALIDATION'],
    ['?outcome=good', 'VALIDATION'],
    ['?from=yesterday', 'VALIDATION'],
    ['?who=erp', 'VALIDATION'],
    ['?cursor=abc', 'INVALID_CURSOR'],
  ])('%s is refused: %s', async (query, code) => {
    const api = await filled()
    const answer = await api.call('GET', `/v4/audit${query}`, bearer(boss.key))
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, code])
  })
})
