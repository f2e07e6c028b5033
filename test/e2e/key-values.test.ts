/** The key-value store in the executable, as load scripts use it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { type RawRequest, rawHttp } from '../support/raw-http.ts'
import { atMost, until, within } from '../support/wait.ts'

const ON = { restServerEndpointsEnable: { keyValueStore: true, senseStartTask: true } }

interface Listed {
  readonly keys: readonly { readonly key: string; readonly value: string; readonly revision: number }[]
  readonly nextCursor: string | null
}

describe('a running store', () => {
  let product: Footman

  beforeAll(async () => {
    product = await footman({ simulator: null, config: ON, args: ['--no-qs-connection'] })
    await product.start()
  }, 90_000)
  afterAll(async () => product?.[Symbol.asyncDispose]())

  const get = (path: string) => product.call('GET', path).then((answer) => answer.json())

  test('a pair of 700 ms is gone after that; written again without ttl it stays', async () => {
    for (const key of ['goes', 'stays']) {
      const answer = await product.call('POST', '/v4/keyvalues/expiry', { key, value: 'v', ttl: 700 })
      expect(answer.status).toBe(201)
    }
    await product.call('POST', '/v4/keyvalues/expiry', { key: 'stays', value: 'v', ttl: '' })
    expect(await get('/v4/keylist/expiry')).toEqual({ namespace: 'expiry', keys: [{ key: 'goes' }, { key: 'stays' }] })
    await until(async () => (await product.call('GET', '/v4/keyvalues/expiry?key=goes')).status === 400)
    expect(await get('/v4/keyvalues/expiry/keyexists?key=goes')).toEqual({ keyExists: false, keyValue: {} })
    expect(await get('/v4/keyvalues/expiry?key=stays')).toEqual({ namespace: 'expiry', key: 'stays', value: 'v' })
    const kept = () => product.rows<{ key: string }>(`SELECT key FROM kv WHERE namespace = 'expiry'`)
    await until(() => kept().length === 1, { what: 'the expired pair to be freed without being read' })
  })

  /** As the subs of the load-script file send it; what is not given comes from the stored connection. */
  const subs: readonly [sub: string, request: RawRequest, status: number, body: unknown][] = [
    [
      'AddKeyValue with a ttl',
      {
        method: 'POST',
        path: '/v4/keyvalues/My%20namespace',
        headers: { 'Content-Type': 'application/json', Expect: '100-continue' },
        body: '{"key": "k 1", "value": "v", "ttl": "60000"}',
      },
      201,
      { namespace: 'My namespace', key: 'k 1', value: 'v', ttl: 60_000 },
    ],
    [
      'AddKeyValue without a ttl',
      {
        method: 'POST',
        path: '/v4/keyvalues/My%20namespace',
        headers: { 'Content-Type': 'application/json', Expect: '100-continue' },
        body: '{"key": "k2", "value": "a1 abc 123"}',
      },
      201,
      { namespace: 'My namespace', key: 'k2', value: 'a1 abc 123', ttl: 0 },
    ],
    [
      'GetKeyValue',
      { path: '/v4/keyvalues/My%20namespace?key=k2' },
      200,
      { namespace: 'My namespace', key: 'k2', value: 'a1 abc 123' },
    ],
    [
      'ExistsKeyValue',
      { path: '/v4/keyvalues/My%20namespace/keyexists?key=k%201' },
      200,
      {
        keyExists: true,
        keyValue: { namespace: 'My namespace', key: 'k 1', value: 'v', ttl: expect.any(Number) },
      },
    ],
    ['GetKeyValueNamespaces', { path: '/v4/keyvaluesnamespaces' }, 200, expect.arrayContaining(['My namespace'])],
    [
      'GetAllKeysInNamespace',
      { path: '/v4/keylist/My%20namespace' },
      200,
      { namespace: 'My namespace', keys: [{ key: 'k 1' }, { key: 'k2' }] },
    ],
    [
      'DeleteKeyValue, with the body of the stored connection',
      {
        method: 'POST',
        path: '/v4/keyvalues/My%20namespace/k2',
        headers: {
          'Content-Type': 'application/json',
          'X-HTTP-Method-Override': 'DELETE',
          Expect: '100-continue',
        },
        body: '{"key":"abc","value":"123","ttl":"5000"}',
      },
      204,
      null,
    ],
    [
      'ExistsKeyValue of what was deleted',
      { path: '/v4/keyvalues/My%20namespace/keyexists?key=k2' },
      200,
      { keyExists: false, keyValue: {} },
    ],
    [
      'DeleteKeyValueNamespace, with an empty body',
      {
        method: 'POST',
        path: '/v4/keyvalues/My%20namespace',
        headers: { 'Content-Type': 'application/json', 'X-HTTP-Method-Override': 'DELETE' },
        body: '',
      },
      204,
      null,
    ],
    [
      'GetKeyValue of a namespace that is gone',
      { path: '/v4/keyvalues/My%20namespace?key=k2' },
      400,
      { statusCode: 400, error: 'Bad Request', message: 'Namespace not found: My namespace' },
    ],
  ]

  test('the key-value subs of a load script, one after the other', async () => {
    for (const [sub, request, status, body] of subs) {
      const answer = await rawHttp(product.restPort, request)
      const parsed = answer.body === '' ? null : JSON.parse(answer.body)
      expect({ sub, status: answer.status, body: parsed }).toEqual({ sub, status, body })
      if (request.headers?.Expect) expect(answer.interim[0]).toBe('HTTP/1.1 100 Continue')
    }
  })

  test('a watcher hears of writes, deletions and expiry within a second', async () => {
    const stream = watch(product, '/v4/keyvalues/watched/watch?prefix=k&initial=true')
    await stream.read(/event: ready\n/)
    await product.call('POST', '/v4/keyvalues/watched', { key: 'k1', value: 'v', ttl: 300 })
    await product.call('POST', '/v4/keyvalues/watched', { key: 'other', value: 'v' })
    await product.call('POST', '/v4/keyvalues/watched', { key: 'k2', value: 'v' })
    await product.call('DELETE', '/v4/keyvalues/watched/k2')
    const began = performance.now()
    const text = await stream.read(/event: expire\n/)
    expect(performance.now() - began).toBeLessThan(atMost(300 + 1000 + 1000))
    const events = [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => [
      event,
      JSON.parse(data!).key,
    ])
    expect(events).toEqual([
      ['ready', undefined],
      ['set', 'k1'],
      ['set', 'k2'],
      ['delete', 'k2'],
      ['expire', 'k1'],
    ])
    await stream.close()
  })
})

/** A stream of events, read until a pattern is there. */
function watch(product: Footman, path: string) {
  const aborter = new AbortController()
  let text = ''
  const reading = fetch(`http://127.0.0.1:${product.restPort}${path}`, { signal: aborter.signal })
    .then(async (answer) => {
      for await (const chunk of answer.body!) text += new TextDecoder().decode(chunk)
      return 'ended'
    })
    .catch(() => 'cut')
  return {
    reading,
    read: (pattern: RegExp) => until(() => (pattern.test(text) ? text : null), { what: String(pattern) }),
    async close() {
      aborter.abort()
      await reading
    },
  }
}

describe('over a restart', () => {
  test('kill -9 among writes: what was answered is there, and revisions go on growing', async () => {
    await using product = await footman({ simulator: null, config: ON, args: ['--no-qs-connection'] })
    await product.start()
    const answered = new Map<string, string>()
    const killed = new AbortController()
    async function client(name: number): Promise<void> {
      for (let n = 0; !killed.signal.aborted; n++) {
        const [key, value] = [`key ${name}/${n % 50}`, `value ${n}`]
        const answer = await product.call('POST', '/v4/keyvalues/a%2Fb', { key, value }).catch(() => null)
        if (answer?.status === 201) answered.set(key, value)
      }
    }
    const clients = Array.from({ length: 8 }, (_, name) => client(name))
    await until(() => answered.size >= 200, { timeout: 15_000 })
    await product.process.kill9()
    killed.abort()
    await Promise.all(clients)

    await product.start()
    const kept = new Map<string, number>()
    let last = 0
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = (await (
        await product.call('GET', `/v4/keylist/a%2Fb?limit=500&values=true${query}`)
      ).json()) as Listed
      for (const { key, value, revision } of page.keys) {
        kept.set(key, Number(value.split(' ')[1]))
        last = Math.max(last, revision)
      }
      cursor = page.nextCursor
    }
    // A write that was on its way when the process died may be there or not.
    const lost = [...answered].filter(([key, value]) => (kept.get(key) ?? -1) < Number(value.split(' ')[1]))
    expect(lost).toEqual([])
    const next = await product.call('POST', '/v4/keyvalues/a%2Fb', { key: 'next', value: 'v' })
    expect(Number(/\d+/.exec(next.headers.get('etag')!)![0])).toBeGreaterThan(last)
  }, 60_000)

  test('pairs and what is left of their time survive; an expired one does not come back', async () => {
    await using product = await footman({ simulator: null, config: ON, args: ['--no-qs-connection'] })
    await product.start()
    await product.call('POST', '/v4/keyvalues/ns1', { key: 'long', value: 'v', ttl: 3_600_000 })
    await product.call('POST', '/v4/keyvalues/ns1', { key: 'short', value: 'v', ttl: 50 })
    await product.call('POST', '/v4/keyvalues/empty', { key: 'k', value: 'v' })
    await product.call('DELETE', '/v4/keyvalues/empty/k')
    expect(await product.process.stop()).toBe(0)
    await product.start()
    const long = (await (await product.call('GET', '/v4/keyvalues/ns1?key=long&meta=true')).json()) as { ttl: number }
    expect(long.ttl).toBeLessThan(3_600_000)
    expect(long.ttl).toBeGreaterThan(3_500_000)
    expect((await product.call('GET', '/v4/keyvalues/ns1?key=short')).status).toBe(400)
    expect(await (await product.call('GET', '/v4/keyvaluesnamespaces')).json()).toEqual(['ns1', 'empty'])
  }, 90_000)

  test('with persist: false nothing is written to disk and nothing survives', async () => {
    await using product = await footman({
      simulator: null,
      config: { ...ON, footman: { keyValue: { persist: false } } },
      args: ['--no-qs-connection'],
    })
    await product.start()
    await product.call('POST', '/v4/keyvalues/ns1', { key: 'k', value: 'v' })
    expect((await product.call('GET', '/v4/keyvalues/ns1?key=k')).status).toBe(200)
    expect(product.rows('SELECT * FROM kv')).toEqual([])
    await product.process.stop()
    await product.start()
    expect(await (await product.call('GET', '/v4/keyvaluesnamespaces')).json()).toEqual([])
  }, 90_000)

  test('an open watch does not hold up the stop', async () => {
    await using product = await footman({ simulator: null, config: ON, args: ['--no-qs-connection'] })
    await product.start()
    const stream = watch(product, '/v4/keyvalues/ns1/watch?initial=true')
    await stream.read(/event: ready\n/)
    const began = performance.now()
    expect(await product.process.stop()).toBe(0)
    expect(performance.now() - began).toBeLessThan(atMost(5000))
    await within(stream.reading, 1000, 'the end of the stream')
  }, 90_000)
})

test('2,000 calls of a load script in a minute meet no rate limit', async () => {
  await using product = await footman({
    simulator: null,
    config: { ...ON, footman: { api: { rateLimitPerMinute: undefined } } },
    args: ['--no-qs-connection'],
  })
  await product.start()
  const statuses = new Map<number, number>()
  for (let n = 0; n < 1000; n++) {
    const written = await product.call('POST', '/v4/keyvalues/loop', { key: `k${n % 100}`, value: `${n}` })
    const read = await product.call('GET', `/v4/keyvalues/loop?key=k${n % 100}`)
    for (const { status } of [written, read]) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (n === 0) expect(written.headers.get('x-ratelimit-limit')).toBe('6000')
  }
  expect(Object.fromEntries(statuses)).toEqual({ 200: 1000, 201: 1000 })
}, 60_000)
