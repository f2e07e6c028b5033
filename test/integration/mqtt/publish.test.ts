import { afterEach, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { publishRoutes } from '../../../src/mqtt/http.ts'
import {
  createMqttOutgoing,
  OUTGOING_TABLE,
  type OutgoingSettings,
  outgoingMigrations,
} from '../../../src/mqtt/outgoing.ts'
import { purgeDeadLetters } from '../../../src/platform/durable-queue-store.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'
import { needs } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'
import { service, spy } from './support.ts'

needs('mosquitto')

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const HOUR = 3_600_000

interface Options {
  readonly settings?: Partial<OutgoingSettings>
  readonly publishTimeoutMs?: number
  readonly closedTopics?: readonly string[]
  readonly shadow?: boolean
  readonly file?: string
  readonly now?: () => number
}

/** The endpoint, its outbox and a connection to `port`, in a process of their own as it were. */
async function publisher(port: number, options: Options = {}) {
  const directory = tempDirectory()
  const file = options.file ?? directory.join('footman.db')
  const db = openDatabase(file, { migrations: outgoingMigrations })
  const log = recordingLog()
  const { mqtt } = service(port, { publishTimeoutMs: options.publishTimeoutMs ?? 300 })
  const outgoing = createMqttOutgoing(
    {
      mqtt,
      db,
      writer: createGroupWriter(db),
      clock: { now: options.now ?? Date.now },
      log,
    },
    {
      retry: { firstMs: 50, maxMs: 200 },
      maxAgeMs: HOUR,
      maxBacklog: 1000,
      concurrency: 4,
      sweepMs: 20,
      ...options.settings,
    },
  )
  const { closedTopics = [], shadow = false } = options
  const api = await routesApi(publishRoutes({ outgoing }, { closedTopics, shadow }), log)
  await mqtt.start()
  await outgoing.start()
  let stopped = false
  async function stop(): Promise<void> {
    if (stopped) return
    stopped = true
    await api[Symbol.asyncDispose]()
    await outgoing.stop(200)
    await mqtt.stop(200)
    db.close()
  }
  cleanups.push(directory.remove, stop)
  return {
    api,
    log,
    mqtt,
    file,
    stop,
    db,
    rows: <T>(sql: string) => db.all<T>(sql),
    publish: (topic: string, message: string, more: object = {}) =>
      api.send('PUT', '/v4/mqttpublishmessage', { topic, message, ...more }),
  }
}

async function broker(): Promise<Mosquitto> {
  const started = await startMosquitto()
  cleanups.push(() => started.stop())
  return started
}

async function watch(port: number) {
  const watcher = await spy(port)
  cleanups.push(() => watcher.end())
  const payloads = () => watcher.received.filter(({ topic }) => topic !== STATUS).map(({ payload }) => payload)
  return { ...watcher, payloads }
}

/** Another way to the broker, closed at first, so that the watcher subscribes before the messages come. */
async function gateTo(port: number) {
  const gate = createServer((socket) => {
    const onward = connect(port, '127.0.0.1')
    for (const one of [socket, onward]) one.on('error', () => {})
    socket.pipe(onward).pipe(socket)
  })
  const own = await freeTcpPort()
  cleanups.push(() => gate.close())
  return {
    port: own,
    async open() {
      gate.listen(own, '127.0.0.1')
      await once(gate, 'listening')
    },
  }
}

const STATUS = 'qliksense/butler/mqtt/status'
const waiting = `SELECT count(*) AS n FROM mqtt_outgoing WHERE state = 'waiting'`

describe('with a broker', () => {
  test('a message is stored, answered and published', async () => {
    const { port } = await broker()
    const watcher = await watch(port)
    const one = await publisher(port)
    const answer = await one.publish('qliksense/new_data_notification/sales', 'dt=20201028')
    expect(answer.body).toBe('{"topic":"qliksense/new_data_notification/sales","message":"dt=20201028"}')
    expect([answer.status, answer.headers['content-type']]).toEqual([201, 'application/json; charset=utf-8'])
    await until(() => watcher.payloads().length === 1)
    expect(watcher.received.at(-1)).toEqual({
      topic: 'qliksense/new_data_notification/sales',
      payload: 'dt=20201028',
      retain: false,
    })
    await until(() => one.rows(`SELECT seq FROM mqtt_outgoing`).length === 0)
  })

  test('qos and retain are the caller’s choice', async () => {
    const running = await broker()
    const one = await publisher(running.port)
    await one.publish('sales/last', 'kept', { qos: 0, retain: true })
    await until(() => /Received PUBLISH from \S+ \(d0, q0, r1, m0, 'sales\/last'/.test(running.log()))
    await one.publish('sales/last', 'kept', { qos: '1' })
    await until(() => /\(d0, q1, r0, m\d+, 'sales\/last'/.test(running.log()))
  })

  test('while the broker is away messages wait on disk, through a restart, and arrive once and in order', async () => {
    const running = await broker()
    const first = await publisher(running.port)
    await until(() => first.mqtt.connected)
    await running.kill()
    await until(() => !first.mqtt.connected)
    for (let n = 0; n < 5; n++) expect((await first.publish('sales/new', `a${n}`)).status).toBe(201)
    await first.stop()

    const gate = await gateTo(running.port)
    const second = await publisher(gate.port, { file: first.file })
    for (let n = 5; n < 10; n++) await second.publish('sales/new', `a${n}`)
    expect(second.rows(waiting)).toEqual([{ n: 10 }])
    await running.start()
    const watcher = await watch(running.port)
    await gate.open()
    await until(() => watcher.payloads().length >= 10, { timeout: 10_000, state: () => watcher.received })
    await until(() => second.rows<{ n: number }>(waiting)[0]?.n === 0)
    expect(watcher.payloads()).toEqual(Array.from({ length: 10 }, (_, n) => `a${n}`))
  })

  test('a broker that falls silent gets the messages when it wakes up, in order', async () => {
    const running = await broker()
    const watcher = await watch(running.port)
    const one = await publisher(running.port)
    await until(() => one.mqtt.connected)
    running.freeze()
    for (const text of ['a', 'b', 'c']) expect((await one.publish('sales/new', text)).status).toBe(201)
    await until(() => one.log.of('verbose').some((line) => line.startsWith('NOTIFY retry channel=mqtt')))
    running.resume()
    await until(() => watcher.payloads().includes('c'), { timeout: 10_000 })
    // At least once: the broker may have had the first one in its socket buffer when it fell silent.
    expect([...new Set(watcher.payloads())]).toEqual(['a', 'b', 'c'])
  })

  test('a message on which the broker hangs up does not hold up other topics', async () => {
    const running = await startMosquitto({ lines: () => ['max_packet_size 2000'] })
    cleanups.push(() => running.stop())
    const watcher = await watch(running.port)
    const one = await publisher(running.port, { settings: { maxAgeMs: 1500 } })
    await until(() => one.mqtt.connected)
    await one.publish('too/large', 'x'.repeat(5000))
    await one.publish('sales/new', 'a')
    await until(() => watcher.payloads().includes('a'), { timeout: 10_000 })
    const dead = () => one.rows(`SELECT key AS topic, reason FROM mqtt_outgoing WHERE state = 'dead'`)
    await until(() => dead().length === 1, { timeout: 10_000 })
    expect(dead()).toEqual([{ topic: 'too/large', reason: 'EXPIRED' }])
  })
})

describe('without a broker', () => {
  const CLOSED_PORT = 1

  test('a full backlog refuses', async () => {
    const one = await publisher(CLOSED_PORT, { settings: { maxBacklog: 2 } })
    const answers = [await one.publish('t', 'a'), await one.publish('t', 'b'), await one.publish('t', 'c')]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 503])
    expect(JSON.parse(answers[2]!.body)).toEqual({
      statusCode: 503,
      error: 'Service Unavailable',
      message: 'Backlog is full',
      details: 'Butler.footman.delivery.maxBacklog messages wait for the MQTT broker.',
    })
  })

  test('a message that is too old becomes a dead letter, and is forgotten in the end', async () => {
    let now = 1_000_000
    const one = await publisher(CLOSED_PORT, { now: () => now, settings: { maxBacklog: 1 } })
    await one.publish('sales/new', 'a')
    now += HOUR + 1
    await until(() => one.log.of('error').some((line) => line.includes('1 messages waited too long')))
    expect(one.rows(`SELECT state, reason FROM mqtt_outgoing`)).toEqual([{ state: 'dead', reason: 'EXPIRED' }])
    // It no longer counts as backlog.
    expect((await one.publish('sales/new', 'b')).status).toBe(201)
    now += HOUR + 1
    await until(() => one.rows(`SELECT seq FROM mqtt_outgoing WHERE state = 'dead'`).length === 2)
    expect(purgeDeadLetters(one.db, OUTGOING_TABLE, now - HOUR, 10)).toBe(1)
    expect(one.rows(`SELECT seq FROM mqtt_outgoing WHERE state = 'dead'`)).toHaveLength(1)
  })

  test('the echo keeps order, coerced values and extra members', async () => {
    const one = await publisher(CLOSED_PORT)
    const answer = await one.api.send('PUT', '/v4/mqttpublishmessage', '{"message":42,"topic":["t/1"],"extra":1}')
    expect(answer.body).toBe('{"message":"42","topic":"t/1","extra":1}')
    const empty = await one.api.send('PUT', '/v4/mqttpublishmessage', { topic: 't', message: null })
    expect(empty.body).toBe('{"topic":"t","message":""}')
  })

  test('nothing is published in shadow mode', async () => {
    const one = await publisher(CLOSED_PORT, { shadow: true })
    expect((await one.publish('t', 'a')).status).toBe(409)
    expect(one.rows(waiting)).toEqual([{ n: 0 }])
  })
})

describe('refused', () => {
  const E1 = (statusCode: number, error: string, message: string) => ({ statusCode, error, message })
  let api: RoutesApi
  const send = (body: unknown) => api.send('PUT', '/v4/mqttpublishmessage', body)
  const sent: string[] = []
  const outgoing = {
    async send({ topic }: { topic: string }) {
      sent.push(topic)
      return 'stored' as const
    },
  }
  const open = async (deps = { outgoing }, closedTopics: string[] = []) => {
    api = await routesApi(publishRoutes(deps, { closedTopics, shadow: false }))
    cleanups.push(() => api[Symbol.asyncDispose]())
  }

  test.each([
    [{ message: 'm' }, "body must have required property 'topic'"],
    [{ topic: 't' }, "body must have required property 'message'"],
    [{ topic: 't', message: {} }, 'body/message must be string'],
    [{ topic: 't', message: 'm', qos: 2 }, 'body/qos must be equal to one of the allowed values'],
    [{ topic: 't', message: 'm', retain: 'yes' }, 'body/retain must be boolean'],
    [undefined, 'body must be object'],
    [[], 'body must be object'],
    ['null', 'body must be object'],
  ])('%j', async (body, message) => {
    await open()
    const answer = await send(body)
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 400,
      code: 'FST_ERR_VALIDATION',
      error: 'Bad Request',
      message,
    })
    expect(sent).toEqual([])
  })

  test.each([
    ['', 'The topic is empty.'],
    ['a/+/b', 'The topic holds a wildcard (+ or #).'],
    ['a/#', 'The topic holds a wildcard (+ or #).'],
    ['a\0b', 'The topic holds a NUL character.'],
    ['ä'.repeat(32_768), 'The topic is longer than 65535 bytes.'],
  ])('topic %#', async (topic, details) => {
    await open()
    const answer = await send({ topic, message: 'm' })
    expect(JSON.parse(answer.body)).toEqual({ ...E1(400, 'Bad Request', 'Invalid MQTT topic'), details })
  })

  test('the start topic, when the start filter would be bypassed', async () => {
    await open({ outgoing }, ['qliksense/start_task'])
    const answer = await send({ topic: 'qliksense/start_task', message: 'x' })
    expect(answer.status).toBe(403)
    expect(JSON.parse(answer.body)).toMatchObject(E1(403, 'Forbidden', 'Topic not allowed'))
    expect(sent).toEqual([])
    expect((await send({ topic: 'qliksense/start_task/other', message: 'x' })).status).toBe(201)
  })

  test('anything while MQTT is off, at once', async () => {
    api = await routesApi(publishRoutes({ outgoing: null }, { closedTopics: [], shadow: false }))
    cleanups.push(() => api[Symbol.asyncDispose]())
    const answer = await send({ topic: 't', message: 'm' })
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.body)).toMatchObject(E1(503, 'Service Unavailable', 'MQTT is not enabled'))
  })
})
