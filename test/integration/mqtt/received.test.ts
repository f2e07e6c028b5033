import { afterEach, describe, expect, test } from 'bun:test'
import { receivedRoutes } from '../../../src/mqtt/http.ts'
import { createReceived, createReceivedStore, receivedMigrations } from '../../../src/mqtt/received.ts'
import type { IncomingMessage, MessageHandler, MqttService } from '../../../src/mqtt/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { topicMatches } from '../../../src/platform/mqtt-topics.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { routesApi } from '../../support/routes-api.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'
import { service, spy } from './support.ts'

needs('mosquitto')

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const HOUR = 3_600_000
const START = Date.parse('2026-03-02T06:30:00.000Z')

interface Answer {
  readonly messages: {
    topic: string
    payload: string | null
    payloadBase64: string | null
    at: string
    truncated?: true
  }[]
  readonly nextCursor: string | null
}

async function reader(mqtt: MqttService, receivedTopics: readonly string[], settings: { maxPerTopic?: number } = {}) {
  let now = START
  const clock = { now: () => now }
  const db = openDatabase(':memory:', { migrations: receivedMigrations })
  const store = createReceivedStore(
    { db, writer: createGroupWriter(db) },
    { maxPerTopic: settings.maxPerTopic ?? 1000 },
  )
  const received = createReceived(
    { mqtt, store, clock, log: recordingLog() },
    { receivedTopics, receivedKeep: 24 * HOUR },
  )
  const api = await routesApi(receivedRoutes({ store, clock }))
  await received.start()
  cleanups.push(
    () => db.close(),
    () => api[Symbol.asyncDispose](),
    () => received.stop(100),
  )
  const raw = (query: string) => api.send('GET', `/v4/mqttmessages${query}`)
  const list = async (query = ''): Promise<Answer> => JSON.parse((await raw(query)).body)
  return {
    raw,
    list,
    payloads: async (query = '') => (await list(query)).messages.map(({ payload }) => payload),
    store,
    advance(ms: number) {
      now += ms
    },
  }
}

/** The connection as far as handlers see it. */
function fakeMqtt() {
  const handlers: { filter: string; handler: MessageHandler }[] = []
  const mqtt: MqttService = {
    connected: true,
    onConnected: () => {},
    publish: async () => {},
    publishStatus: () => {},
    onMessage: (filter, handler) => void handlers.push({ filter, handler }),
  }
  return {
    mqtt,
    filters: () => handlers.map(({ filter }) => filter),
    async arrive(topic: string, payload: string | Uint8Array, more: Partial<IncomingMessage> = {}) {
      const message = { topic, payload: Buffer.from(payload as string), retain: false, qos: 1 as const, ...more }
      for (const { filter, handler } of handlers) if (topicMatches(filter, topic)) await handler(message)
    },
  }
}

describe('reading', () => {
  test('byte-exact form of a message', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['sales/#'])
    await arrive('sales/new_data', 'dt=20260302')
    const answer = await one.raw('?topic=sales/%23&from=1h&limit=1')
    expect(answer.status).toBe(200)
    expect(answer.body.replace(/"id":"[0-9a-f-]{36}"/, '"id":"<id>"')).toBe(
      '{"messages":[{"id":"<id>","at":"2026-03-02T06:30:00.000Z","topic":"sales/new_data","qos":1,"retained":false,"payload":"dt=20260302","payloadBase64":null}],"nextCursor":null}',
    )
  })

  test('newest first, filtered by topic', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['#'])
    for (const [topic, payload] of [
      ['sales/eu', '1'],
      ['sales/us/ny', '2'],
      ['stock', '3'],
      ['sales/eu', '4'],
    ] as const) {
      await arrive(topic, payload)
    }
    expect(await one.payloads()).toEqual(['4', '3', '2', '1'])
    expect(await one.payloads('?topic=sales/%23')).toEqual(['4', '2', '1'])
    expect(await one.payloads('?topic=sales/%2B')).toEqual(['4', '1'])
    expect(await one.payloads('?topic=stock')).toEqual(['3'])
    expect(await one.payloads('?topic=sales')).toEqual([])
    expect(await one.payloads('?topic=sales/%23&limit=1')).toEqual(['4'])
  })

  test('page by page', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['a', 'b'])
    for (let n = 1; n <= 5; n++) await arrive(n % 2 ? 'a' : 'b', String(n))
    const first = await one.list('?limit=2')
    const second = await one.list(`?limit=2&cursor=${first.nextCursor}`)
    const third = await one.list(`?limit=2&cursor=${second.nextCursor}`)
    expect([first, second, third].map(({ messages }) => messages.map(({ payload }) => payload))).toEqual([
      ['5', '4'],
      ['3', '2'],
      ['1'],
    ])
    expect(third.nextCursor).toBeNull()
  })

  test('by time, absolute and counted back', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['a'])
    await arrive('a', 'old')
    one.advance(2 * HOUR)
    await arrive('a', 'new')
    expect(await one.payloads('?from=1h')).toEqual(['new'])
    expect(await one.payloads('?to=1h')).toEqual(['old'])
    expect(await one.payloads('?from=2026-03-02T06:30:00Z&to=2026-03-02T08:30:00Z')).toEqual(['old'])
  })

  test('bytes that are no text, and long payloads', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['a'])
    await arrive('a', new Uint8Array([0xff, 0x00, 0x41]))
    // 'ä' takes two bytes; the limit falls in the middle of one.
    await arrive('a', `x${'ä'.repeat(200_000)}`)
    const [long, binary] = (await one.list()).messages
    expect(binary).toMatchObject({ payload: null, payloadBase64: '/wBB' })
    expect(long).toMatchObject({ payloadBase64: null, truncated: true })
    expect(long?.payload).toBe(`x${'ä'.repeat(131_071)}`)
  })

  test.each([
    ['?limit=0', 'VALIDATION', 'limit'],
    ['?limit=501', 'VALIDATION', 'limit'],
    ['?from=yesterday', 'VALIDATION', 'from'],
    ['?colour=red', 'VALIDATION', 'colour'],
    ['?topic=a&topic=b', 'VALIDATION', 'topic'],
    ['?cursor=%21', 'INVALID_CURSOR', 'nextCursor'],
  ])('%s is refused', async (query, code, named) => {
    const one = await reader(fakeMqtt().mqtt, ['a'])
    const answer = await one.raw(query)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 400, code })
    expect(answer.body).toContain(named)
  })
})

describe('keeping', () => {
  test('only so many per topic', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['#'], { maxPerTopic: 3 })
    for (let n = 1; n <= 10; n++) await arrive('busy', String(n))
    await arrive('calm', 'c')
    expect(await one.payloads()).toEqual(['c', '10', '9', '8'])
  })

  test('only so long', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['#'])
    await arrive('a', 'old')
    one.advance(24 * HOUR)
    await arrive('a', 'new')
    expect(await one.store.purge(START + 1)).toBe(1)
    expect(await one.payloads()).toEqual(['new'])
  })

  test('a message that fits two filters is kept once', async () => {
    const { mqtt, arrive, filters } = fakeMqtt()
    const one = await reader(mqtt, ['sales/#', 'sales/eu', 'sales/#'])
    expect(filters()).toEqual(['sales/#', 'sales/eu'])
    await arrive('sales/eu', '1')
    expect(await one.payloads()).toEqual(['1'])
  })

  test('a retained message that the broker repeats at every connection is kept once', async () => {
    const { mqtt, arrive } = fakeMqtt()
    const one = await reader(mqtt, ['a'])
    for (const payload of ['1', '1', '2', '2']) await arrive('a', payload, { retain: true })
    await arrive('a', '2')
    expect(await one.payloads()).toEqual(['2', '2', '1'])
  })
})

describe('with a broker', () => {
  test('a load script reads the last message of a topic published before its own start', async () => {
    const broker = await startMosquitto()
    cleanups.push(() => broker.stop())
    const { mqtt } = service(broker.port)
    const one = await reader(mqtt, ['sales/#'])
    cleanups.push(() => mqtt.stop(200))
    await mqtt.start()
    await until(() => mqtt.connected)
    const sender = await spy(broker.port)
    cleanups.push(() => sender.end())
    await until(() => /SUBSCRIBE[\s\S]*sales\/# \(QoS 1\)/.test(broker.log()))
    await sender.publish('sales/new_data', 'dt=20260301')
    await sender.publish('sales/new_data', 'dt=20260302')
    await sender.publish('other', 'x')
    await until(async () => (await one.payloads()).length === 2)
    expect(await one.payloads('?topic=sales/new_data&limit=1')).toEqual(['dt=20260302'])
  })
})
