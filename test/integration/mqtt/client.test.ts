import { afterEach, describe, expect, test } from 'bun:test'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { IncomingMessage } from '../../../src/mqtt/types.ts'
import type { Service } from '../../../src/platform/types.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'
import { type Spy, service, spy } from './support.ts'

needs('mosquitto')

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function broker(settings?: Parameters<typeof startMosquitto>[0]): Promise<Mosquitto> {
  const started = await startMosquitto(settings)
  cleanups.push(() => started.stop())
  return started
}

async function running<T extends Service & { connected: boolean }>(mqtt: T): Promise<T> {
  cleanups.push(() => mqtt.stop(500))
  await mqtt.start()
  await until(() => mqtt.connected, { what: 'connection' })
  return mqtt
}

async function watching(port: number): Promise<Spy> {
  const watcher = await spy(port)
  cleanups.push(() => watcher.end())
  return watcher
}

const text = (message: IncomingMessage) => Buffer.from(message.payload).toString()

describe('connecting', () => {
  test('publishes its status, subscribes and delivers messages', async () => {
    const { port } = await broker()
    const watcher = await watching(port)
    const { mqtt, log } = service(port, { mqtt: { clientId: 'footman-1' } })
    const messages: IncomingMessage[] = []
    mqtt.onMessage('qliksense/start_task', async (message) => void messages.push(message))
    await running(mqtt)
    await until(() => watcher.received.length === 1)
    expect(watcher.received[0]).toEqual({
      topic: 'qliksense/butler/mqtt/status',
      payload: `Connected to MQTT broker 127.0.0.1:${port} with client ID footman-1`,
      retain: false,
    })
    expect(log.of('info')).toContain(`MQTT: Connected to broker 127.0.0.1:${port} with client ID footman-1`)
    await until(() => log.of('verbose').includes('MQTT: Subscribed to qliksense/#'))
    await watcher.publish('qliksense/start_task', 'abc')
    await watcher.publish('qliksense/other', 'ignored')
    await until(() => messages.length === 1)
    expect(text(messages[0]!)).toBe('abc')
    expect(messages[0]!.retain).toBe(false)
  })

  test('subscribes at once to a topic that is asked for while connected', async () => {
    const { port } = await broker()
    const watcher = await watching(port)
    const { mqtt, log } = service(port)
    await running(mqtt)
    const messages: IncomingMessage[] = []
    mqtt.onMessage('erp/closed', async (message) => void messages.push(message))
    await until(() => log.of('verbose').includes('MQTT: Subscribed to erp/closed'))
    await watcher.publish('erp/closed', 'abc')
    await until(() => messages.length === 1)
    expect(text(messages[0]!)).toBe('abc')
  })

  test('makes a client id like Butler 16 when none is set', async () => {
    const { port } = await broker()
    const watcher = await watching(port)
    await running(service(port).mqtt)
    await until(() => watcher.received.length === 1)
    expect(watcher.received[0]!.payload).toMatch(/ with client ID mqttjs_[0-9a-f]{8}$/)
  })

  test('leaves its last will when the connection breaks, none when it is stopped', async () => {
    const { port } = await broker()
    const watcher = await watching(port)
    const status = () => watcher.received.filter((one) => one.topic === 'qliksense/butler/mqtt/status')
    const first = service(port, { mqtt: { clientId: 'same' } }).mqtt
    await running(first)
    // A second client with the same id makes the broker throw out the first one.
    const second = service(port, { mqtt: { clientId: 'same' } }).mqtt
    await running(second)
    await until(() => status().some((one) => one.payload.startsWith('Disconnected')))
    expect(status().find((one) => one.payload.startsWith('Disconnected'))!.payload).toBe(
      `Disconnected from MQTT broker 127.0.0.1:${port}, client ID same`,
    )
    await first.stop(500)
    await until(() => second.connected)
    const before = status().length
    await second.stop(500)
    await watcher.publish('end', '')
    await until(() => watcher.received.some((one) => one.topic === 'end'))
    expect(
      status()
        .slice(before)
        .filter((one) => one.payload.startsWith('Disconnected')),
    ).toEqual([])
  })

  test('keeps trying while the broker is down, with one error line, and says how long it took', async () => {
    const port = await freeTcpPort()
    const { mqtt, log } = service(port)
    let connects = 0
    mqtt.onConnected(() => connects++)
    cleanups.push(() => mqtt.stop(500))
    await mqtt.start()
    await until(() => log.of('debug').filter((line) => line.includes('Cannot connect')).length >= 2)
    expect(log.of('error')).toHaveLength(1)
    expect(log.of('error')[0]).toContain('ECONNREFUSED')
    await broker({ port })
    await until(() => connects === 1)
    expect(log.of('info').some((line) => /^MQTT: Reconnected after \d+ s$/.test(line))).toBe(true)
  })

  test('goes on after a refused login', async () => {
    const closed = await broker({ anonymous: false })
    const { mqtt, log } = service(closed.port)
    cleanups.push(() => mqtt.stop(500))
    await mqtt.start()
    await until(() => log.of('debug').filter((line) => line.includes('Cannot connect')).length >= 2)
    expect(log.of('error')).toEqual([expect.stringContaining('Connection refused: Not authorized')])
    await closed.stop()
    await broker({ port: closed.port })
    await until(() => mqtt.connected)
  })

  test('subscribes again after the broker came back', async () => {
    const server = await broker()
    const { mqtt, log } = service(server.port)
    const messages: string[] = []
    mqtt.onMessage('qliksense/start_task', async (message) => void messages.push(text(message)))
    const subscribed = () => log.of('verbose').filter((line) => line.includes('Subscribed')).length
    await running(mqtt)
    await until(() => subscribed() === 1)
    await server.kill()
    await until(() => !mqtt.connected)
    await server.start()
    await until(() => subscribed() === 2)
    const watcher = await watching(server.port)
    await watcher.publish('qliksense/start_task', 'again')
    await until(() => messages.length === 1)
    expect(log.of('error')[0]).toContain('Lost broker')
  })

  test('a start topic outside the root topic is subscribed separately, with a warning', async () => {
    const { port } = await broker()
    const { mqtt, log } = service(port, { mqttConfig: { subscriptionRootTopic: 'other/#' } })
    const messages: string[] = []
    mqtt.onMessage('qliksense/start_task', async (message) => void messages.push(text(message)))
    await running(mqtt)
    await until(() => log.of('verbose').includes('MQTT: Subscribed to qliksense/start_task'))
    expect(log.of('warn')[0]).toContain('lies outside subscriptionRootTopic')
    const watcher = await watching(port)
    await watcher.publish('qliksense/start_task', 'x')
    await until(() => messages.length === 1)
  })

  test('a shared group spreads requests over its members', async () => {
    const { port } = await broker()
    const seen: string[] = []
    for (const _ of [1, 2]) {
      const { mqtt, log } = service(port, { mqtt: { sharedGroup: 'butlers' } })
      mqtt.onMessage('qliksense/start_task', async (message) => void seen.push(text(message)))
      await running(mqtt)
      await until(() => log.of('verbose').includes('MQTT: Subscribed to $share/butlers/qliksense/start_task'))
    }
    const watcher = await watching(port)
    for (let n = 0; n < 100; n++) await watcher.publish('qliksense/start_task', String(n))
    await until(() => seen.length >= 100)
    expect(new Set(seen).size).toBe(100)
    expect(seen).toHaveLength(100)
  })
})

describe('acknowledging', () => {
  test('a message whose handler failed comes again with the next connection, an acknowledged one does not', async () => {
    const server = await broker()
    const watcher = await watching(server.port)
    const session = { mqtt: { clientId: 'durable', cleanSession: false } }
    const first = service(server.port, session)
    const seen: string[] = []
    first.mqtt.onMessage('qliksense/start_task', async (message) => {
      seen.push(text(message))
      if (text(message) === 'bad') throw new Error('journal not writable')
    })
    await running(first.mqtt)
    await until(() => first.log.of('verbose').some((line) => line.includes('Subscribed')))
    await watcher.publish('qliksense/start_task', 'good')
    await watcher.publish('qliksense/start_task', 'bad')
    await watcher.publish('qliksense/start_task', 'good too')
    await until(() => seen.length === 3)
    await first.mqtt.stop(500)
    expect(first.log.of('error')[0]).toContain('journal not writable')

    const second = service(server.port, session)
    const again: IncomingMessage[] = []
    second.mqtt.onMessage('qliksense/start_task', async (message) => void again.push(message))
    await running(second.mqtt)
    await until(() => again.length === 1)
    await watcher.publish('qliksense/start_task', 'new')
    await until(() => again.length === 2)
    expect(again.map(text)).toEqual(['bad', 'new'])
    expect(again.map((message) => message.dup)).toEqual([true, false])
  })
})

describe('publishing', () => {
  test('broker down, three attempts, broker up: exactly one message arrives', async () => {
    const server = await broker()
    const { mqtt } = service(server.port)
    await running(mqtt)
    await server.kill()
    await until(() => !mqtt.connected)
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(mqtt.publish('t', 'x')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    }
    await server.start()
    const watcher = await watching(server.port)
    await until(() => mqtt.connected)
    await mqtt.publish('t', 'x')
    await mqtt.publish('last', '')
    await until(() => watcher.received.some((one) => one.topic === 'last'))
    expect(watcher.received.filter((one) => one.topic === 't')).toHaveLength(1)
  })

  test('a silent broker: the attempt times out, later ones are refused instead of piling up', async () => {
    const server = await broker()
    const watcher = await watching(server.port)
    const { mqtt } = service(server.port, { publishTimeoutMs: 1000 })
    await running(mqtt)
    await mqtt.publish('warm', '')
    server.freeze()
    const attempts = ['TIMEOUT', 'NOT_CONNECTED', 'NOT_CONNECTED']
    for (const code of attempts) {
      const failure = await mqtt.publish('t', 'x').then(
        () => null,
        (error: unknown) => error,
      )
      expect(failure).toMatchObject({ code })
      await until(() => !mqtt.connected)
    }
    server.resume()
    await until(() => mqtt.connected, { timeout: 10_000 })
    await mqtt.publish('t', 'x')
    await mqtt.publish('last', '')
    await until(() => watcher.received.some((one) => one.topic === 'last'))
    // The one that timed out was already on its way to the broker; the refused ones never left.
    expect(watcher.received.filter((one) => one.topic === 't').length).toBeLessThanOrEqual(2)
  })

  test('refuses topics that a broker would answer by closing the connection', async () => {
    const { port } = await broker()
    const mqtt = await running(service(port).mqtt)
    for (const topic of ['', 'a/+', '#', 'a\0b']) {
      await expect(mqtt.publish(topic, 'x')).rejects.toMatchObject({ code: 'INVALID_TOPIC' })
    }
    await mqtt.publish('fine', 'x')
  })

  test('stops waiting when the caller gives up', async () => {
    const server = await broker()
    const mqtt = await running(service(server.port).mqtt)
    await mqtt.publish('warm', '')
    server.freeze()
    const controller = new AbortController()
    const publishing = mqtt.publish('t', 'x', { signal: controller.signal })
    controller.abort()
    await expect(publishing).rejects.toMatchObject({ code: 'ABORTED' })
    server.resume()
  })

  test('retains when asked, keeps order on one topic, passes bytes and UTF-8', async () => {
    const { port } = await broker()
    const mqtt = await running(service(port).mqtt)
    await mqtt.publish('kept', 'emoji 🤪', { retain: true })
    const watcher = await watching(port)
    await Promise.all(Array.from({ length: 50 }, (_, n) => mqtt.publish('row', String(n))))
    await mqtt.publish('bytes', Buffer.from('åäö'))
    await until(() => watcher.received.some((one) => one.topic === 'bytes'))
    expect(watcher.received[0]).toEqual({ topic: 'kept', payload: 'emoji 🤪', retain: true })
    const row = watcher.received.filter((one) => one.topic === 'row').map((one) => Number(one.payload))
    expect(row).toEqual(Array.from({ length: 50 }, (_, n) => n))
    expect(watcher.received.at(-1)!.payload).toBe('åäö')
  })

  test('of a status only the latest value arrives, again after each connect, and at a stop', async () => {
    const server = await broker()
    const { mqtt } = service(server.port)
    const topic = 'qliksense/butler/task_failure_server'
    mqtt.publishStatus(topic, 'error')
    mqtt.publishStatus(topic, 'start')
    mqtt.publishStatus('', 'never')
    const watcher = await watching(server.port)
    const values = () => watcher.received.filter((one) => one.topic === topic).map((one) => one.payload)
    await running(mqtt)
    await until(() => values().length === 1)
    await server.kill()
    await until(() => !mqtt.connected)
    await server.start()
    await until(() => mqtt.connected)
    const second = await watching(server.port)
    mqtt.publishStatus(topic, 'stop')
    await mqtt.stop(1000)
    await until(() => second.received.some((one) => one.topic === topic && one.payload === 'stop'))
    expect(values()[0]).toBe('start')
    expect(values()).not.toContain('error')
  })

  test('a status that changes while the connection is being set up arrives once', async () => {
    const server = await broker()
    const gate = await holdAnswers(server.port)
    cleanups.push(() => gate.stop())
    const { mqtt } = service(gate.port)
    const watcher = await watching(server.port)
    await running(mqtt)
    const topic = 'qliksense/butler/task_failure_server'
    mqtt.publishStatus(topic, 'start')
    gate.release()
    await until(() => watcher.received.some((one) => one.topic === topic))
    mqtt.publishStatus(topic, 'stop')
    await until(() => watcher.received.some((one) => one.payload === 'stop'))
    const values = watcher.received.filter((one) => one.topic === topic).map((one) => one.payload)
    expect(values).toEqual(['start', 'stop'])
  })
})

/** Passes everything on to the broker, and of its answers only the first (CONNACK) until `release`. */
async function holdAnswers(brokerPort: number) {
  const held: (() => void)[] = []
  const sockets = new Set<Socket>()
  let released = false
  const server = createServer((client) => {
    const broker = connect(brokerPort, '127.0.0.1')
    let isFirst = true
    for (const socket of [client, broker]) sockets.add(socket.on('error', () => undefined))
    client.pipe(broker)
    broker.on('data', (chunk) => {
      const pass = () => void client.write(chunk)
      if (isFirst || released) pass()
      else held.push(pass)
      isFirst = false
    })
  })
  const listening = await new Promise<AddressInfo>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(server.address() as AddressInfo)),
  )
  return {
    port: listening.port,
    release() {
      released = true
      for (const pass of held.splice(0)) pass()
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
