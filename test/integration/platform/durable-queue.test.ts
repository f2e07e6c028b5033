/** What every durable queue promises, and that databases of older versions keep what waits in them. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createDurableQueue, type QueueItem, type QueueSettings } from '../../../src/platform/durable-queue.ts'
import {
  deadLetters,
  oldestItems,
  purgeDeadLetters,
  queueIds,
  queueTable,
  replayDeadLetters,
  waitingItems,
} from '../../../src/platform/durable-queue-store.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase, StorageError } from '../../../src/platform/sqlite.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const TABLE = 'parcel'
const HOUR = 3_600_000
const ANY = { reason: null, from: null, to: null }

interface Parcel {
  readonly to: string
  readonly n: number
}

let directory: TempDirectory
let now = 1_000_000
const cleanups: (() => unknown)[] = []
beforeEach(() => {
  directory = tempDirectory()
  now = 1_000_000
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  directory.remove()
})

type Send = QueueSettings<Parcel>['send']
const DELIVERED = { outcome: 'delivered' } as const
const names = (items: readonly QueueItem<Parcel>[]) => items.map(({ value }) => `${value.to}${value.n}`)
const parcels = (...list: string[]): Parcel[] => list.map((name) => ({ to: name[0]!, n: Number(name.slice(1)) }))

/** A queue in the file of this test; `attempts` holds the names of what each attempt was given. */
function open(settings: Partial<QueueSettings<Parcel>> = {}) {
  const db = openDatabase(directory.join('queue.db'), {
    migrations: [{ name: 'parcel-001', sql: queueTable(TABLE) + queueIds(TABLE) }],
  })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const attempts: string[][] = []
  const dead: string[] = []
  const send: Send = settings.send ?? (async (items) => items.map(() => DELIVERED))
  const queue = createDurableQueue<Parcel>(
    { db, writer, clock: { now: () => now }, log },
    {
      name: 'parcels',
      table: TABLE,
      what: 'PARCELS: The state of parcels',
      keyOf: ({ to }) => to,
      order: 'all',
      retry: { firstMs: 10, maxMs: 40, jitter: 0 },
      sweepMs: 10,
      onDead: ({ reason, count, detail }) => void dead.push(`${reason} ${count} ${detail}`),
      ...settings,
      send(items, signal) {
        attempts.push(names(items))
        return send(items, signal)
      },
    },
  )
  let isOpen = true
  const end = async (graceMs = 200) => {
    if (!isOpen) return
    isOpen = false
    await queue.stop(graceMs)
    db.close()
  }
  cleanups.push(() => end())
  const stored = () => oldestItems(db, TABLE, null, 100).map(({ key, attempts: n }) => `${key}${n}`)
  return { queue, db, writer, log, attempts, dead, end, stored }
}

/** Fails the first `times` attempts with an item of this key. */
function failing(key: string, times: number, more: object = {}): Send {
  let left = times
  return async (items) =>
    items.map((item) => {
      if (item.key !== key || left === 0) return DELIVERED
      left -= 1
      return { outcome: 'retry', detail: 'away', ...more }
    })
}

const empty = ({ queue }: ReturnType<typeof open>) => until(() => queue.waiting === 0)

describe('order', () => {
  const ROWS: [name: string, settings: Partial<QueueSettings<Parcel>>, added: string[], expected: string[][]][] = [
    ['one after the other', {}, ['a1', 'b1', 'a2'], [['a1'], ['b1'], ['a2']]],
    ['several at once, in their order', { batch: 2 }, ['a1', 'b1', 'a2'], [['a1', 'b1'], ['a2']]],
    [
      'all wait for the first one, which is tried again',
      { send: failing('a', 1) },
      ['a1', 'b1'],
      [['a1'], ['a1'], ['b1']],
    ],
    [
      'by key: a stuck key holds up no other, its own order stays',
      { order: 'key', send: failing('a', 1) },
      ['a1', 'a2', 'b1'],
      [['a1'], ['b1'], ['a1'], ['a2']],
    ],
    [
      'a batch goes on behind what was delivered',
      { batch: 3, send: failing('b', 1) },
      ['a1', 'b1'],
      [['a1', 'b1'], ['b1']],
    ],
  ]
  test.each(ROWS)('%s', async (_, settings, added, expected) => {
    const one = open(settings)
    await one.queue.add(parcels(...added))
    await one.queue.start()
    await empty(one)
    expect(one.attempts).toEqual(expected)
    expect([deadLetters(one.db, TABLE), one.dead]).toEqual([[], []])
  })

  test('so many keys at a time, one item of each', async () => {
    const open3 = new Set<string>()
    let most = 0
    const one = open({
      order: 'key',
      concurrency: 3,
      async send([item]) {
        expect(open3.has(item!.key)).toBe(false)
        open3.add(item!.key)
        most = Math.max(most, open3.size)
        await until(() => most >= 3)
        open3.delete(item!.key)
        return [DELIVERED]
      },
    })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'b1', 'c1', 'd1', 'a2', 'b2', 'e1'))
    await empty(one)
    expect(most).toBe(3)
  })

  test('items gather for a moment; a whole batch does not wait', async () => {
    const one = open({ batch: 3, gatherMs: 30 })
    await one.queue.start()
    await Promise.all([one.queue.add(parcels('a1')), one.queue.add(parcels('a2'))])
    await empty(one)
    expect(one.attempts).toEqual([['a1', 'a2']])
    const slow = open({ batch: 2, gatherMs: 60_000 })
    await slow.queue.start()
    await slow.queue.add(parcels('a1'))
    await slow.queue.add(parcels('a2', 'a3'))
    await until(() => slow.attempts.length > 0)
    expect(slow.attempts[0]).toEqual(['a1', 'a2'])
  })
})

describe('pauses', () => {
  const ROWS: [name: string, more: object, atLeastMs: number][] = [
    ['grow up to the longest', {}, 10 + 20 + 40],
    ['are as long as the receiver asks', { retryAfterMs: 60 }, 180],
    ['are the longest when a person is needed', { slow: true }, 120],
    ['are those of the sender', { delayMs: 0 }, 0],
  ]
  test.each(ROWS)('%s', async (_, more, atLeastMs) => {
    const one = open({ send: failing('a', 3, more) })
    await one.queue.start()
    const begun = performance.now()
    await one.queue.add(parcels('a1'))
    await empty(one)
    expect(one.attempts).toHaveLength(4)
    // Timers may be a millisecond early.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(atLeastMs - 3)
  })

  test('new items do not cut a pause short; failed attempts are counted on disk', async () => {
    const one = open({ send: failing('a', 1, { delayMs: 60_000 }) })
    await one.queue.start()
    await one.queue.add(parcels('a1'))
    await until(() => one.stored().includes('a1'))
    await one.queue.add(parcels('b1'))
    one.queue.wake()
    expect(one.attempts).toEqual([['a1']])
    expect(one.stored()).toEqual(['a1', 'b0'])
    await one.end()
    const next = open()
    await next.queue.start()
    await empty(next)
    expect(next.attempts).toEqual([['a1'], ['b1']])
  })

  test('nothing is tried while the receiver is not ready', async () => {
    let isReady = false
    const one = open({ ready: () => isReady })
    await one.queue.start()
    await one.queue.add(parcels('a1'))
    expect(one.attempts).toEqual([])
    isReady = true
    one.queue.wake()
    await empty(one)
    expect(one.attempts).toEqual([['a1']])
  })

  test('an attempt that throws is one that failed', async () => {
    let isFirst = true
    const one = open({
      async send() {
        if (!isFirst) return [DELIVERED]
        isFirst = false
        throw new Error('crossed wires')
      },
    })
    await one.queue.start()
    await one.queue.add(parcels('a1'))
    await empty(one)
    expect(one.attempts).toEqual([['a1'], ['a1']])
  })
})

describe('dead letters', () => {
  const refuse = (name: string): Send => {
    return async (items) =>
      items.map(({ value: { to, n } }) =>
        `${to}${n}` === name ? { outcome: 'rejected', detail: `no ${name}` } : DELIVERED,
      )
  }

  test('what is refused costs its neighbours nothing', async () => {
    const one = open({ batch: 3, send: refuse('b1') })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'b1', 'c1'))
    await empty(one)
    expect(deadLetters(one.db, TABLE)).toEqual([
      { key: 'b', reason: 'REJECTED', detail: 'no b1', count: 1, oldestAt: now, newestAt: now },
    ])
    expect(one.dead).toEqual(['REJECTED 1 no b1'])
  })

  test('what is too old is given up, in steps, also while the receiver is not ready', async () => {
    const one = open({ maxAgeMs: HOUR, ready: () => false })
    await one.queue.add(Array.from({ length: 1200 }, (_, n) => ({ to: 'a', n })))
    now += HOUR / 2
    await one.queue.add(parcels('b1'))
    now += HOUR / 2 + 1
    await one.queue.start()
    await until(() => one.dead.length > 0)
    expect(one.dead).toEqual(['EXPIRED 1200 '])
    expect(one.queue.waiting).toBe(1)
  })

  test('what is under way does not grow too old', async () => {
    const gate = Promise.withResolvers<void>()
    const one = open({
      maxAgeMs: HOUR,
      async send(items) {
        await gate.promise
        return items.map(() => DELIVERED)
      },
    })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'b1'))
    await until(() => one.attempts.length === 1)
    now += HOUR + 1
    await until(() => one.dead.length === 1)
    gate.resolve()
    await empty(one)
    expect(deadLetters(one.db, TABLE).map(({ key, count }) => [key, count])).toEqual([['b', 1]])
  })

  test('are replayed by reason and time, and are as young as new ones then', async () => {
    const one = open({ maxAgeMs: HOUR, send: refuse('a1') })
    await one.queue.start()
    await one.queue.add(parcels('a1'))
    await until(() => one.dead.length === 1)
    const replay = (filter: object) => replayDeadLetters(one.db, TABLE, { ...ANY, ...filter }, now)
    expect([replay({ reason: ['EXPIRED'] }), replay({ from: now + 1 }), replay({ to: now })]).toEqual([0, 0, 0])
    now += 3 * HOUR
    expect(replay({ reason: ['REJECTED'], from: now - 3 * HOUR, to: now })).toBe(1)
    one.queue.wake()
    await until(() => one.dead.length === 2)
    expect(one.dead[1]).toBe('REJECTED 1 no a1')
    expect(purgeDeadLetters(one.db, TABLE, now, 10)).toBe(0)
    expect(purgeDeadLetters(one.db, TABLE, now + 1, 10)).toBe(1)
  })

  test('what a failing disk has spoiled does not stop the rest', async () => {
    const one = open({ batch: 2 })
    await one.queue.add(parcels('a1', 'b1', 'c1'))
    one.db.run(`UPDATE ${TABLE} SET body = '{"to' WHERE key = 'a'`)
    await one.queue.start()
    await empty(one)
    expect(one.attempts.flat()).toEqual(['b1', 'c1'])
    expect(one.dead).toEqual(['REJECTED 1 its stored form cannot be read'])
  })
})

describe('storing', () => {
  test('a full queue refuses', async () => {
    const one = open({ maxWaiting: 2 })
    expect(await one.queue.add(parcels('a1', 'a2'))).toBe('stored')
    expect(await one.queue.add(parcels('a3'))).toBe('full')
    await one.queue.start()
    await empty(one)
    expect(await one.queue.add(parcels('a3', 'a4'))).toBe('stored')
  })

  test('rejects what cannot be stored', async () => {
    const one = open()
    one.db.refuseWrites(new StorageError('disk full'))
    await expect(one.queue.add(parcels('a1'))).rejects.toThrow('disk full')
  })

  test('within the transaction of a caller: all or nothing', async () => {
    const one = open()
    await one.queue.start()
    await one.writer.write((tx) => one.queue.put(tx, parcels('a1')[0]!))
    const undone = one.writer.write((tx) => {
      one.queue.put(tx, parcels('b1')[0]!)
      throw new Error('changed my mind')
    })
    await expect(undone).rejects.toThrow('changed my mind')
    await empty(one)
    expect(one.attempts).toEqual([['a1']])
  })

  test('what belongs to a delivery is written with it', async () => {
    const one = open({
      send: async () => [
        { outcome: 'delivered', also: (tx) => void tx.run('INSERT INTO note VALUES (?)', waitingItems(tx, TABLE)) },
      ],
    })
    one.db.exec('CREATE TABLE note (waiting INTEGER)')
    await one.queue.start()
    await one.queue.add(parcels('a1', 'a2'))
    await empty(one)
    expect(one.db.all('SELECT waiting FROM note')).toEqual([{ waiting: 1 }, { waiting: 0 }])
  })

  test('while the disk is full what was delivered is not sent again', async () => {
    const one = open({
      async send(items) {
        if (one.attempts.length === 1) one.db.refuseWrites(new StorageError('disk full'))
        return items.map(() => DELIVERED)
      },
    })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'a2'))
    await until(() => one.log.of('error').some((line) => line.startsWith('PARCELS: The state of parcels cannot be')))
    one.db.refuseWrites(null)
    await empty(one)
    expect(one.attempts).toEqual([['a1'], ['a2']])
  })
})

describe('an end', () => {
  test('a stop lets leave what gathers', async () => {
    const one = open({ batch: 10, gatherMs: 60_000 })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'a2'))
    await one.end()
    expect(one.attempts).toEqual([['a1', 'a2']])
  })

  test('a stop cuts off what hangs, which is no failed attempt', async () => {
    const one = open({ send: () => new Promise(() => {}) })
    await one.queue.start()
    await one.queue.add(parcels('a1'))
    await until(() => one.attempts.length === 1)
    await one.end(10)
    const next = open()
    expect(next.stored()).toEqual(['a0'])
  })

  test('after a crash between delivery and its note an item is sent again, in order', async () => {
    // The process is gone before the promise resolves.
    const one = open({ send: () => new Promise(() => {}) })
    await one.queue.start()
    await one.queue.add(parcels('a1', 'a2'))
    await until(() => one.attempts.length === 1)
    const next = open()
    await next.queue.start()
    await empty(next)
    expect(next.attempts).toEqual([['a1'], ['a2']])
  })
})

test('databases of older versions: what waits stays, in order; dead letters too; answers are among the messages', () => {
  const queues = /^(influx-00[34]|mqtt-outgoing-00[23]|start-task-00[3-6])$/
  const file = directory.join('footman.db')
  const old = openDatabase(file, { migrations: MIGRATIONS.filter(({ name }) => !queues.test(name)) })
  old.exec(`
    INSERT INTO influx_point (seq, line, measurement, state, reason, detail, created_at, dead_at) VALUES
      (7, 'm,n=1 f=1 1', 'm', 'waiting', NULL, NULL, 100, NULL),
      (8, 'a\\,b f="x" 2', 'a,b', 'dead', 'REJECTED', 'HTTP 400', 101, 200),
      (9, 'm,n=2 f=2 3', 'm', 'waiting', NULL, NULL, 102, NULL);
    INSERT INTO mqtt_outgoing
      (seq, topic, payload, qos, retain, state, reason, detail, attempts, created_at, next_attempt_at, finished_at) VALUES
      (3, 'sales/new', CAST('Größe "1" 👻' AS BLOB), NULL, 0, 'pending', NULL, 'away', 2, 100, 900, NULL),
      (4, 'sales/last', CAST('' AS BLOB), 0, 1, 'pending', NULL, NULL, 0, 101, 101, NULL),
      (5, 'too/large', x'780079', 1, 0, 'dead', 'EXPIRED', 'could not be published in time', 4, 102, 102, 300);
    INSERT INTO start_request (id, received_at, topic, payload, fingerprint, request_id, state, answer, answer_topic) VALUES
      ('id-1', 100, 'start', x'7b7d', 'f1', NULL, 'pending', NULL, NULL),
      ('id-2', 101, 'start', x'7b7d', 'f2', 'erp-2', 'answering', '{"n":2}', 'erp/answer'),
      ('id-3', 102, 'start', x'7b7d', 'f3', NULL, 'done', '{"n":3}', 'erp/answer'),
      ('id-4', 103, 'start', x'7b7d', 'f4', NULL, 'pending', NULL, NULL);
    INSERT INTO start_request_task VALUES ('id-1', 'task', 'execution');`)
  old.close()

  const db = openDatabase(file, { migrations: MIGRATIONS })
  cleanups.push(() => db.close())
  const ids = new Set<unknown>()
  const rows = (table: string) =>
    db.all<{ id: unknown }>(`SELECT * FROM ${table} ORDER BY seq`).map(({ id, ...row }) => {
      ids.add(id)
      return row
    })
  const alive = { state: 'waiting', reason: null, detail: null, attempts: 0, dead_at: null }
  expect(rows('influx_point')).toEqual([
    { ...alive, seq: 7, key: 'm', body: 'm,n=1 f=1 1', created_at: 100 },
    {
      seq: 8,
      key: 'a,b',
      body: 'a\\,b f="x" 2',
      state: 'dead',
      reason: 'REJECTED',
      detail: 'HTTP 400',
      attempts: 0,
      created_at: 101,
      dead_at: 200,
    },
    { ...alive, seq: 9, key: 'm', body: 'm,n=2 f=2 3', created_at: 102 },
  ] as never)
  const messages = rows('mqtt_outgoing') as unknown as { body: string; created_at: number }[]
  expect(messages.map(({ body, ...row }) => ({ ...row, ...JSON.parse(body) }))).toEqual([
    {
      ...alive,
      seq: 3,
      key: 'sales/new',
      detail: 'away',
      attempts: 2,
      created_at: 100,
      topic: 'sales/new',
      payload: 'Größe "1" 👻',
      retain: false,
    },
    {
      ...alive,
      seq: 4,
      key: 'sales/last',
      created_at: 101,
      topic: 'sales/last',
      payload: '',
      retain: true,
      qos: 0,
    },
    {
      seq: 5,
      key: 'too/large',
      state: 'dead',
      reason: 'EXPIRED',
      detail: 'could not be published in time',
      attempts: 4,
      created_at: 102,
      dead_at: 300,
      topic: 'too/large',
      payload: 'x\0y',
      retain: false,
      qos: 1,
    },
    { ...alive, seq: 6, key: 'erp/answer', created_at: 101, topic: 'erp/answer', payload: '{"n":2}' },
  ] as never)
  expect(rows('start_request_queue')).toEqual([
    { ...alive, seq: 1, key: 'id-1', body: 'id-1', created_at: 100 },
    { ...alive, seq: 2, key: 'id-4', body: 'id-4', created_at: 103 },
  ] as never)
  // Nine items, each with a name of its own.
  expect([ids.size, ids.has(null)]).toEqual([9, false])
  expect(db.all('SELECT id, state FROM start_request ORDER BY id')).toEqual([
    { id: 'id-1', state: 'pending' },
    { id: 'id-2', state: 'done' },
    { id: 'id-3', state: 'done' },
    { id: 'id-4', state: 'pending' },
  ])
  expect(db.all('SELECT request FROM start_request_task')).toEqual([{ request: 'id-1' }])
})
