/** `GET /v4/keyvalues/{namespace}/watch`: changes as server-sent events. */
import { afterEach, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import type { EventStreamSettings } from '../../../src/http/endpoint/event-stream.ts'
import { keyValueApi } from '../../support/key-values.ts'
import { until, within } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function scene(streams: EventStreamSettings = {}) {
  const api = await keyValueApi({ streams, maxKeysPerNamespace: 100_000 })
  cleanups.push(() => api[Symbol.asyncDispose]())
  const set = (key: string, value = 'v', ttl = 0) => api.store.set({ namespace: 'ns1', key, value, ttl })
  const open = (query = '') => listen(`http://127.0.0.1:${api.port}/v4/keyvalues/ns1/watch${query}`)
  return { ...api, set, open }
}

async function listen(url: string) {
  const aborter = new AbortController()
  cleanups.push(() => aborter.abort())
  const answer = await fetch(url, { signal: aborter.signal })
  let text = ''
  const ended = (async () => {
    for await (const chunk of answer.body!) text += new TextDecoder().decode(chunk)
  })().catch(() => undefined)
  const stream = {
    answer,
    ended,
    hangUp: () => aborter.abort(),
    text: () => text,
    /** Event, id and data of what has come so far. */
    events: () =>
      [...text.matchAll(/^(?:id: (\d+)\n)?event: (\w+)\ndata: (.*)\n\n/gm)].map(([, id, event, data]) => ({
        event,
        id: id === undefined ? null : Number(id),
        data: JSON.parse(data!),
      })),
    until: (pattern: RegExp) =>
      until(() => pattern.test(text), { what: String(pattern), state: () => text.slice(-500) }),
  }
  // The head of the stream shows that the subscription is there.
  if (answer.status === 200) await stream.until(/^retry: 3000\n\n/)
  return stream
}

test('the form of the answer and of its events', async () => {
  const { store, set, open } = await scene()
  const stream = await open()
  expect(stream.answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const first = await set('k1', 'a\n"b"')
  await store.delete('ns1', 'k1')
  await stream.until(/event: delete\ndata: .*\n\n/)
  expect(stream.text()).toBe(
    [
      'retry: 3000\n\n',
      `id: ${first.revision}\nevent: set\ndata: {"namespace":"ns1","key":"k1","value":"a\\n\\"b\\"","revision":${first.revision}}\n\n`,
      `id: ${first.revision + 1}\nevent: delete\ndata: {"namespace":"ns1","key":"k1","revision":${first.revision + 1}}\n\n`,
    ].join(''),
  )
})

test('only keys with the prefix, only of the namespace', async () => {
  const { store, set, open } = await scene()
  const stream = await open('?prefix=sales%2F')
  await set('sales/1')
  await set('hr/1')
  await store.set({ namespace: 'other', key: 'sales/2', value: 'v', ttl: 0 })
  await store.clear('ns1')
  await stream.until(/event: delete/)
  expect(stream.events().map(({ event, data }) => [event, data.key])).toEqual([
    ['set', 'sales/1'],
    ['delete', 'sales/1'],
  ])
})

test('initial sends the present pairs, then ready, then what changes', async () => {
  const { store, clock, set, open } = await scene()
  for (let n = 0; n < 50; n++) await set(`k${String(n).padStart(2, '0')}`)
  await set('expired', 'v', 10)
  clock.advance(11)
  const stream = await open('?initial=true&prefix=k')
  await stream.until(/event: ready\ndata: .*\n\n/)
  await set('k99')
  await stream.until(/"key":"k99"/)
  const events = stream.events()
  expect(events.slice(0, 50).map(({ data }) => data.key)).toEqual(store.keys('ns1').slice(0, 50))
  expect(events.slice(50).map(({ event }) => event)).toEqual(['ready', 'set'])
})

test('expiry is told with the next removal', async () => {
  const { store, clock, set, open } = await scene()
  const stream = await open()
  await set('k', 'v', 10)
  clock.advance(11)
  await store.removeExpired(10)
  await stream.until(/event: expire\ndata: \{"namespace":"ns1","key":"k","revision":2\}/)
})

test.each(['initial=yes', 'since=5', 'prefix=a&prefix=b'])('%s is refused', async (query) => {
  const { call } = await scene()
  expect(await call('GET', `/v4/keyvalues/ns1/watch?${query}`)).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION' },
  })
})

describe('limits', () => {
  test('one stream more than allowed is refused, until another one ends', async () => {
    const { call, open } = await scene({ maxStreams: () => 2 })
    const streams = [await open(), await open()]
    expect(await call('GET', '/v4/keyvalues/ns1/watch')).toMatchObject({
      status: 503,
      body: { error: 'Too many streams', code: 'TOO_MANY_STREAMS' },
    })
    streams[0]!.hangUp()
    await until(async () => (await open()).answer.status === 200)
  })

  test('the answer to HEAD keeps no stream open', async () => {
    const { send, open } = await scene({ maxStreams: () => 1 })
    for (let n = 0; n < 5; n++) expect((await send('HEAD', '/v4/keyvalues/ns1/watch')).status).toBe(200)
    expect((await open()).answer.status).toBe(200)
  })

  test('a reader that takes nothing is cut off, and the others go on', async () => {
    const { port, set, open } = await scene({ maxStreams: () => 2, maxWaiting: 100 })
    const socket = await silentReader(port)
    const reader = await open()
    await expect(open()).resolves.toMatchObject({ answer: { status: 503 } })
    const value = 'x'.repeat(100_000)
    let sent = 0
    await until(
      async () => {
        for (let n = 0; n < 20; n++) await set(`k${sent++ % 10}`, value)
        const another = await open()
        another.hangUp()
        return another.answer.status === 200
      },
      { timeout: 15_000, what: 'the slow reader to lose its place' },
    )
    await set('last')
    await reader.until(/"key":"last"/)
    expect(reader.events().filter(({ event }) => event === 'set')).toHaveLength(sent + 1)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.resume()
    await within(closed, 5000, 'the end of the connection')
  }, 90_000)

  test('a reader that takes nothing loses its place also when nothing happens any more', async () => {
    const { port, set, open } = await scene({ maxStreams: () => 1, heartbeatMs: 20, maxStandstillMs: 1000 })
    await silentReader(port)
    // More than the buffers of both ends of a connection hold, and less than what may wait.
    for (let n = 0; n < 150; n++) await set(`k${n % 10}`, 'x'.repeat(100_000))
    await expect(open()).resolves.toMatchObject({ answer: { status: 503 } })
    await until(async () => (await open()).answer.status === 200, { what: 'the place of the silent reader' })
  }, 90_000)

  test('a reader that takes everything stays, however long nothing happens', async () => {
    const { open, set } = await scene({ heartbeatMs: 100, maxStandstillMs: 1000 })
    const stream = await open()
    await stream.until(/(: still here\n\n){15}/)
    await set('last')
    await stream.until(/"key":"last"/)
  })

  test('an idle stream hears that it is alive', async () => {
    const { open } = await scene({ heartbeatMs: 20 })
    const stream = await open()
    await stream.until(/(: still here\n\n){3}/)
    expect(stream.events()).toEqual([])
  })

  test('a stop ends every stream and takes no new one', async () => {
    const { streams, call, open } = await scene()
    const stream = await open()
    streams.stop()
    await within(stream.ended, 2000, 'the end of the stream')
    expect(await call('GET', '/v4/keyvalues/ns1/watch')).toMatchObject({ status: 503 })
  })
})

/** Asks for the stream and never reads what comes after the first bytes. */
function silentReader(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET /v4/keyvalues/ns1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n')
    })
    cleanups.push(() => socket.destroy())
    socket.once('error', reject)
    socket.once('data', () => {
      socket.pause()
      resolve(socket)
    })
  })
}
