/** Publishing to topics that a template names. */
import { expect, test } from 'bun:test'
import type { MqttService } from '../../../../src/mqtt/types.ts'
import { exampleEvent, inputFor, namedDestination, routeOf } from '../../../support/named.ts'

function broker(changes: Partial<MqttService> = {}) {
  const published: unknown[][] = []
  const mqtt: MqttService = {
    connected: true,
    onConnected: () => {},
    publish: async (topic, payload, options) => {
      published.push([topic, payload, options?.retain])
    },
    publishStatus: () => {},
    onMessage: () => {},
    ...changes,
  }
  return { mqtt, published }
}

const TOPIC = 'qliksense/events/{{type}}/{{outcome}}'

test('the whole event, at a topic made of it', async () => {
  const { mqtt, published } = broker()
  const { send } = namedDestination({ type: 'mqtt', topic: TOPIC }, { deps: { mqtt } })
  const { result, message } = await send(inputFor(exampleEvent()))
  expect(result).toEqual({ outcome: 'delivered', detail: 'published to qliksense/events/reload/failed' })
  expect(message.subject).toBe('qliksense/events/reload/failed')
  const [topic, payload, retain] = published[0]!
  expect([topic, retain]).toEqual(['qliksense/events/reload/failed', false])
  expect(JSON.parse(String(payload))).toMatchObject({
    hostName: 'qs-central',
    taskName: 'Financial Dashboard Reload',
    qs_taskTags: ['financial-reports'],
    qs_appMetadata: { name: 'Sales Dashboard' },
  })
})

test.each([
  ['short', {}, 'Financial Dashboard Reload'],
  ['body', { rule: routeOf({ texts: { body: '{{taskName}} {{outcome}}' } }) }, 'Financial Dashboard Reload failed'],
  ['body', {}, expect.stringMatching(/^App: Sales Dashboard\nHost: qs-central\n/)],
] as const)('%s', async (message, changes, payload) => {
  const { mqtt, published } = broker()
  const { send } = namedDestination({ type: 'mqtt', topic: TOPIC, message, retain: true }, { deps: { mqtt } })
  await send(inputFor(exampleEvent(), changes))
  expect(published).toEqual([['qliksense/events/reload/failed', payload, true]])
})

test('names never make wildcards', async () => {
  const { mqtt, published } = broker()
  const { send } = namedDestination({ type: 'mqtt', topic: 'tasks/{{taskName}}' }, { deps: { mqtt } })
  await send(inputFor(exampleEvent({ taskName: 'C# + more\n\u0000x' })))
  expect(published[0]![0]).toBe('tasks/C_ _ more x')
})

test('a topic that comes out empty cannot be rendered', async () => {
  const { mqtt } = broker()
  const { destination, aimed } = namedDestination({ type: 'mqtt', topic: '{{nothing}}' }, { deps: { mqtt } })
  await expect(destination.render(aimed(inputFor(exampleEvent())))).rejects.toThrow('the topic is empty')
})

test('waits for the broker; without one says what is missing', async () => {
  const listeners: (() => void)[] = []
  const { mqtt } = broker({ connected: false, onConnected: (listener) => void listeners.push(listener) })
  const { destination } = namedDestination({ type: 'mqtt', topic: TOPIC }, { deps: { mqtt } })
  expect(destination.ready?.()).toBe(false)
  destination.onReady?.(() => {})
  expect(listeners).toHaveLength(1)
  const { send } = namedDestination({ type: 'mqtt', topic: TOPIC })
  expect((await send(inputFor(exampleEvent()))).result).toMatchObject({ outcome: 'retry', slow: true })
})

test('a broker that refuses: tried again; a topic that it could never take: dead', async () => {
  const failing = (code: string) =>
    broker({ publish: () => Promise.reject(Object.assign(new Error('no'), { code })) }).mqtt
  const resultFor = async (code: string) => {
    const { send } = namedDestination({ type: 'mqtt', topic: TOPIC }, { deps: { mqtt: failing(code) } })
    return (await send(inputFor(exampleEvent()))).result.outcome
  }
  expect([await resultFor('NOT_CONNECTED'), await resultFor('INVALID_TOPIC')]).toEqual(['retry', 'rejected'])
})
