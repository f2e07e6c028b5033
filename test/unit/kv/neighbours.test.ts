/** What the store does for start requests, for the broker, and by itself. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createExpiry, createStoreKeyValues } from '../../../src/kv/store.ts'
import { createChangePublisher } from '../../../src/kv/watch.ts'
import type { OutgoingMessage } from '../../../src/mqtt/types.ts'
import { testStore } from '../../support/key-values.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

describe('start requests', () => {
  const item = (key: string, value = 'v', ttl = 0) => ({ namespace: 'ns', key, value, ttl })

  test('pairs of a full namespace are skipped with a warning, the others stored', async () => {
    const { store } = testStore({ maxKeysPerNamespace: 2, maxValueSize: 5 })
    const log = recordingLog()
    const storeKeyValues = createStoreKeyValues({ store, log })
    await storeKeyValues([item('a'), item('b', 'too long'), item('c'), item('d'), item('a', 'new', 50)])
    expect(store.keys('ns')).toEqual(['a', 'c'])
    expect(store.get('ns', 'a')?.value).toBe('new')
    expect(log.of('warn')).toEqual([
      "KEYVALUE: Key b of a start request is not stored: The value of key 'b' has 8 bytes; Butler.footman.keyValue.maxValueSize allows 5.",
      'KEYVALUE: Key d of a start request is not stored: Maximum number of keys (2) reached in namespace: ns',
    ])
  })

  test('a failing storage fails the request', async () => {
    const { store, db } = testStore()
    db.exec('DROP TABLE kv')
    const storeKeyValues = createStoreKeyValues({ store, log: recordingLog() })
    await expect(storeKeyValues([item('a')])).rejects.toThrow('no such table')
  })
})

describe('changes for the broker', () => {
  function scene(answer: () => Promise<'stored' | 'full'> = async () => 'stored') {
    const sent: OutgoingMessage[] = []
    const log = recordingLog()
    const outgoing = {
      send(message: OutgoingMessage) {
        sent.push(message)
        return answer()
      },
    }
    return {
      sent,
      log,
      publish: createChangePublisher({ outgoing, log }, { mqttTopic: 'site/kv', startTopic: 'site/kv/tasks/start' }),
    }
  }
  const change = { event: 'set', namespace: 'a/b', key: 'k+#', value: 'v', revision: 7 } as const

  test('names become one topic level each', () => {
    const { sent, publish } = scene()
    publish(change)
    publish({ event: 'expire', namespace: '$ns', key: 'å', revision: 8 })
    expect(sent).toEqual([
      {
        topic: 'site/kv/a%2Fb/k%2B%23',
        payload: '{"namespace":"a/b","key":"k+#","value":"v","revision":7,"event":"set"}',
      },
      { topic: 'site/kv/%24ns/%C3%A5', payload: '{"namespace":"$ns","key":"å","revision":8,"event":"expire"}' },
    ])
  })

  test.each([
    ['a full outbox', async () => 'full' as const, 'too many messages wait'],
    ['a full disk', () => Promise.reject(new Error('disk full')), 'disk full'],
  ])('%s is said once, and never thrown', async (_, answer, text) => {
    const { log, publish } = scene(answer)
    for (let n = 0; n < 5; n++) publish(change)
    await until(() => log.of('error').length === 1)
    expect(log.of('error')[0]).toContain(text)
  })

  test('the topic that starts tasks is left out', async () => {
    const { sent, log, publish } = scene()
    publish({ ...change, namespace: 'tasks', key: 'start' })
    await until(() => log.of('error').length === 1)
    expect([sent, log.of('error')[0]]).toEqual([[], expect.stringContaining('starts tasks')])
  })

  test('a name that is too long for a topic is left out', async () => {
    const { sent, log, publish } = scene()
    publish({ ...change, key: 'å'.repeat(20_000) })
    await until(() => log.of('error').length === 1)
    expect(sent).toEqual([])
  })
})

describe('expiry by itself', () => {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  test('frees more than one portion without being asked, and stops', async () => {
    const { store, db, clock } = testStore({ maxKeysPerNamespace: 5000 })
    const set = (key: string) => store.set({ namespace: 'ns', key, value: 'v', ttl: 100 })
    await Promise.all(Array.from({ length: 1200 }, (_, n) => set(`k${n}`)))
    const expiry = createExpiry({ store, log: recordingLog() })
    stops.push(() => expiry.stop(1000))
    await expiry.start()
    clock.advance(101)
    const left = () => db.get<{ n: number }>('SELECT count(*) AS n FROM kv')!.n
    await until(() => left() === 0)
    expect(store.namespaces()).toEqual(['ns'])
  })

  test('a failure is said once', async () => {
    const { store, db } = testStore()
    const log = recordingLog()
    db.exec('DROP TABLE kv')
    const expiry = createExpiry({ store, log })
    stops.push(() => expiry.stop(1000))
    await expiry.start()
    await until(() => log.of('error').length > 0)
    expect(log.of('error')).toEqual([expect.stringContaining('Expired pairs could not be removed')])
  })
})
