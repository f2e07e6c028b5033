/** Nothing that one task or one sender brings in large numbers keeps what others bring waiting. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createCounters } from '../../../src/events/counters.ts'
import { createBacklog } from '../../../src/events/enrich/backlog.ts'
import { type StoredEvent, writeMeta } from '../../../src/events/store.ts'
import { appSubject, createUnverified, subjectsInTurn } from '../../../src/events/unverified.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import type { Database } from '../../../src/platform/sqlite.ts'
import { pipelineDatabase, storePending, taskEvent } from '../../support/events.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const NOW = Date.parse('2026-03-02T06:03:12.000Z')
const task = (n: number) => `70000000-0000-4000-8000-${String(n).padStart(12, '0')}`

describe('the events in memory', () => {
  test('hold at most a tenth of one task, or half while no other waits, each once, and in the end every one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 80 }),
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.boolean()),
        (tasks, capacity, leaves) => {
          const db = pipelineDatabase(':memory:')
          for (const n of tasks) storePending(db, taskEvent({ taskId: task(n), receivedAt: NOW - 1000 }))
          const inHand = new Map<number, { readonly event: StoredEvent }>()
          const backlog = createBacklog(db, inHand, capacity)
          const done = new Set<number>()
          for (let round = 0; done.size < tasks.length; round += 1) {
            expect(round).toBeLessThan(2000)
            for (const event of backlog.due(NOW)) {
              expect(inHand.has(event.seq) || done.has(event.seq)).toBeFalse()
              inHand.set(event.seq, { event })
            }
            expect(inHand.size).toBeLessThanOrEqual(capacity)
            for (const one of Map.groupBy(inHand.values(), ({ event }) => event.taskId).values()) {
              expect(one.length).toBeLessThanOrEqual(Math.max(Math.ceil(capacity / 10), Math.ceil(capacity / 2)))
            }
            for (const [seq] of [...inHand]) {
              if (!leaves.next().value) continue
              db.run(`UPDATE event SET state = 'routed' WHERE seq = ?`, seq)
              inHand.delete(seq)
              done.add(seq)
            }
          }
          db.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('of a task with one event are not hidden behind thousands of another', () => {
    const db = pipelineDatabase(':memory:')
    db.transaction(() => {
      for (let n = 0; n < 5000; n += 1) storePending(db, taskEvent({ taskId: task(1), receivedAt: NOW - 1000 }))
      storePending(db, taskEvent({ taskId: task(2), receivedAt: NOW - 1000 }))
    })
    const found = createBacklog(db, new Map(), 210).due(NOW)
    expect(found.map(({ taskId }) => taskId)).toEqual([...Array(21).fill(task(1)), task(2), ...Array(83).fill(task(1))])
    db.close()
  })

  test('leave half of the room to others that come, however many wait of a few tasks', () => {
    const db = pipelineDatabase(':memory:')
    db.transaction(() => {
      for (let n = 0; n < 1500; n += 1) storePending(db, taskEvent({ taskId: task(n % 3), receivedAt: NOW - 1000 }))
    })
    const inHand = new Map<number, { readonly event: StoredEvent }>()
    const backlog = createBacklog(db, inHand, 210)
    for (const event of backlog.due(NOW)) inHand.set(event.seq, { event })
    expect(inHand.size).toBe(105)
    for (let n = 10; n < 200; n += 1) storePending(db, taskEvent({ taskId: task(n), receivedAt: NOW - 1000 }))
    backlog.changed()
    const others = backlog.due(NOW)
    expect(others).toHaveLength(105)
    expect(others.filter(({ taskId }) => taskId < task(10))).toEqual([])
    db.close()
  })
})

describe('messages about unknown tasks', () => {
  /** QRS has the tasks below 10 only. */
  function world(
    options: { maxWaiting?: number; isDown?: boolean; known?: readonly string[]; listed?: boolean; db?: Database } = {},
  ) {
    const db = options.db ?? pipelineDatabase(':memory:')
    // All tasks were listed a minute ago, when the site had none.
    if (options.listed ?? true) writeMeta(db, 'tasks.listedAt', String(NOW - 60_000))
    const writer = createGroupWriter(db)
    const counters = createCounters()
    const admitted: string[] = []
    const asked: string[] = []
    const state = {
      isDown: options.isDown ?? false,
      refusesLists: false,
      now: NOW,
      tasks: 10,
      whileListing: (): void => {},
    }
    const log = recordingLog()
    const exists = (id: string) => id !== '' && Number(id.slice(-12)) < state.tasks
    const unverified = createUnverified(
      {
        db,
        writer,
        counters,
        log,
        clock: { now: () => state.now },
        isUnreachable: () => state.isDown,
        qrs: {
          async existingTasks(ids) {
            asked.push(`${ids.length} ids`)
            if (state.isDown) throw new Error('connect ECONNREFUSED')
            return new Set(ids.filter(exists))
          },
          async existingApps(ids) {
            asked.push(`${ids.length} apps`)
            if (state.isDown) throw new Error('connect ECONNREFUSED')
            return new Set(ids.filter(exists))
          },
          async allTaskIds() {
            asked.push('all')
            if (state.isDown || state.refusesLists) throw new Error('no answer')
            state.whileListing()
            return new Set(Array.from({ length: state.tasks }, (_, n) => task(n)))
          },
        },
        knowsTask: (_db, id) => options.known?.includes(id) ?? false,
        admit(_tx, messages) {
          admitted.push(...messages.map(({ raw }) => Buffer.from(raw).toString()))
          return true
        },
        onAdmitted: () => undefined,
      },
      { maxWaiting: options.maxWaiting ?? 1000 },
    )
    /** True when the message becomes an event at once. */
    const arrive = (sender: string, taskId: string) =>
      !unverified.hold(db, { journalId: null, receivedAt: NOW, sender, raw: Buffer.from(taskId) }, taskId, null)
    return { db, counters, admitted, asked, state, unverified, arrive, log }
  }

  test('a hundred of each sender become events at once, and all about tasks that are known', () => {
    const { arrive, db } = world({ known: [task(900)] })
    const direct = (sender: string) => Array.from({ length: 150 }, (_, n) => arrive(sender, task(n))).filter(Boolean)
    expect(direct('10.0.0.1')).toHaveLength(100)
    expect(direct('10.0.0.2')).toHaveLength(100)
    expect(arrive('10.0.0.1', task(900))).toBeTrue()
    expect(db.get<{ n: number }>('SELECT count(*) AS n FROM unverified')!.n).toBe(100)
  })

  test('the others are asked about together: those that exist become events, the rest are counted and kept as samples', async () => {
    const { arrive, unverified, admitted, asked, counters, db } = world()
    for (let n = 0; n < 100; n += 1) arrive('10.0.0.1', task(100 + n))
    for (let n = 0; n < 150; n += 1) arrive('10.0.0.1', task(n % 2 === 0 ? n / 2 : 1000 + n))
    unverified.wake()
    await until(() => unverified.waiting === 0)
    expect(asked).toEqual(['150 ids'])
    expect(admitted).toEqual(Array.from({ length: 10 }, (_, n) => task(n)))
    expect(counters.dropped.TASK_NOT_FOUND).toBe(140)
    const dropped = db.all<{ reason: string }>('SELECT reason FROM dropped_datagram')
    expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(['TASK_NOT_FOUND']))
    // What was found to exist is known from now on.
    expect(arrive('10.0.0.1', task(3))).toBeTrue()
    await unverified.stop()
  })

  test('for very many the list of all tasks is read; a server without it is asked for each', async () => {
    for (const refusesLists of [false, true]) {
      const { arrive, unverified, admitted, asked, state } = world()
      state.refusesLists = refusesLists
      for (let n = 0; n < 350; n += 1) arrive('10.0.0.1', task(n + 1000))
      arrive('10.0.0.2', task(1))
      for (let n = 0; n < 100; n += 1) arrive('10.0.0.2', task(n + 5000))
      arrive('10.0.0.2', task(2))
      unverified.wake()
      await until(() => unverified.waiting === 0)
      expect(admitted).toEqual([task(2)])
      expect(asked).toEqual(refusesLists ? ['all', '200 ids', '52 ids'] : ['all'])
      await unverified.stop()
    }
  })

  test('and those about apps that were reloaded without a task are asked about in the same way, beside the tasks', async () => {
    const { arrive, unverified, admitted, asked, counters, db } = world()
    const app = (n: number) => appSubject(task(n))
    for (let n = 0; n < 100; n += 1) expect(arrive('10.0.0.1', app(100 + n))).toBeTrue()
    for (let n = 0; n < 130; n += 1) expect(arrive('10.0.0.1', app(n < 5 ? n : 1000 + n))).toBeFalse()
    expect(arrive('10.0.0.1', appSubject(''))).toBeFalse()
    arrive('10.0.0.1', task(3))
    unverified.wake()
    await until(() => unverified.waiting === 0)
    expect(asked).toEqual(['1 ids', '100 apps', '31 apps'])
    expect(admitted).toEqual([...[0, 1, 2, 3, 4].map(app), task(3)])
    expect(counters.dropped).toMatchObject({ APP_NOT_FOUND: 126, TASK_NOT_FOUND: 0 })
    const reasons = db.all<{ reason: string }>('SELECT DISTINCT reason FROM dropped_datagram')
    expect(reasons).toEqual([{ reason: 'APP_NOT_FOUND' }])
    expect(arrive('10.0.0.1', app(3))).toBeTrue()
    await unverified.stop()
  })

  test('about apps are not refused by a list of all tasks', async () => {
    const { arrive, unverified, admitted, asked, counters } = world({ listed: false })
    for (let n = 0; n < 103; n += 1) arrive('10.0.0.1', appSubject(task(n < 100 ? n + 1000 : n - 100)))
    unverified.refresh()
    await until(() => unverified.waiting === 0)
    expect(asked).toEqual(['all', '3 apps'])
    expect(admitted).toEqual([0, 1, 2].map((n) => appSubject(task(n))))
    expect(counters.dropped.APP_NOT_FOUND).toBe(0)
    await unverified.stop()
  })

  test('wait while QRS is down, over a restart too, and none is lost', async () => {
    const { arrive, unverified, admitted, state, db, asked } = world({ isDown: true })
    for (let n = 0; n < 103; n += 1) arrive('10.0.0.1', task(n < 100 ? n + 1000 : n - 100))
    unverified.wake()
    await until(() => asked.length === 1)
    expect(unverified.oldestAt).toBe(NOW)
    await unverified.stop()
    expect(admitted).toEqual([])
    state.isDown = false
    const again = createUnverified(
      {
        db,
        writer: createGroupWriter(db),
        counters: createCounters(),
        log: recordingLog(),
        clock: { now: () => NOW },
        isUnreachable: () => false,
        qrs: {
          existingTasks: async (ids) => new Set(ids),
          existingApps: async (ids) => new Set(ids),
          allTaskIds: async () => new Set(),
        },
        knowsTask: () => false,
        admit: (_tx, messages) => admitted.push(...messages.map(({ raw }) => Buffer.from(raw).toString())) > 0,
        onAdmitted: () => undefined,
      },
      { maxWaiting: 1000 },
    )
    expect(again.waiting).toBe(3)
    again.wake()
    await until(() => again.waiting === 0)
    expect(admitted).toEqual([task(0), task(1), task(2)])
    await again.stop()
  })

  test('when too many wait, a sender that has its share is refused, and another one is not', () => {
    const { arrive, unverified, counters } = world({ isDown: true, maxWaiting: 50 })
    for (let n = 0; n < 300; n += 1) arrive('10.0.0.1', task(n + 1000))
    expect(unverified.waiting).toBe(50)
    expect(counters.dropped.BACKLOG_FULL).toBe(150)
    for (let n = 0; n < 110; n += 1) arrive('10.0.0.2', task(n + 2000))
    expect(unverified.waiting).toBe(60)
    expect(counters.dropped.BACKLOG_FULL).toBe(150)
  })

  test('are none where the list of all tasks is read first, over a restart too: it is read once an hour', async () => {
    const { arrive, unverified, asked, state, admitted, db } = world({ listed: false })
    state.tasks = 3000
    unverified.refresh()
    await until(() => db.get<{ n: number }>('SELECT count(*) AS n FROM meta WHERE key = ?', 'tasks.listedAt')!.n === 1)
    for (let n = 0; n < 3000; n += 1) expect(arrive('10.0.0.1', task(n).toUpperCase())).toBeTrue()
    expect(asked).toEqual(['all'])
    await unverified.stop()
    const again = world({ db, listed: false })
    again.unverified.refresh()
    expect(again.arrive('10.0.0.1', task(2999))).toBeTrue()
    expect(again.asked).toEqual([])
    again.state.now += 3_600_000
    again.state.tasks = 2000
    again.unverified.refresh()
    await until(() => again.db.get<{ n: number }>('SELECT count(*) AS n FROM listed_task')!.n === 2000)
    expect([again.asked, admitted, again.admitted]).toEqual([['all'], [], []])
    await again.unverified.stop()
  })

  test('that come while the list is read become events with it; what is not in it is refused with the next answer', async () => {
    const { arrive, unverified, asked, state, admitted, counters } = world({ listed: false })
    state.tasks = 500
    state.whileListing = () => {
      state.whileListing = () => {}
      for (let n = 0; n < 500; n += 1) arrive('10.0.0.1', task(n))
      arrive('10.0.0.1', task(7777))
    }
    unverified.refresh()
    await until(() => admitted.length === 400)
    expect(asked).toEqual(['all'])
    expect(counters.dropped.TASK_NOT_FOUND).toBe(0)
    await until(() => unverified.waiting === 0)
    expect(asked).toEqual(['all', '1 ids'])
    expect(counters.dropped.TASK_NOT_FOUND).toBe(1)
    await unverified.stop()
  })

  test('are asked for one round after the other where lists are refused and the tasks exist', async () => {
    const { arrive, unverified, asked, state, admitted, log } = world({ listed: false })
    state.tasks = 2000
    state.refusesLists = true
    for (let n = 0; n < 1100; n += 1) arrive('10.0.0.1', task(n))
    const started = performance.now()
    unverified.refresh()
    await until(() => unverified.waiting === 0)
    const existing = performance.now() - started
    expect(admitted).toHaveLength(1000)
    expect(asked).toEqual(['all', ...Array(5).fill('200 ids')])
    expect(log.lines.filter(({ message }) => message.includes('does not list all tasks'))).toHaveLength(1)
    for (let n = 0; n < 400; n += 1) arrive('10.0.0.1', task(n + 5000))
    const madeUp = performance.now()
    unverified.refresh()
    await until(() => unverified.waiting === 0)
    expect(performance.now() - madeUp).toBeGreaterThan(existing)
    await unverified.stop()
  })

  test('the list that cannot be read at the start is read a minute later, without a word about messages', async () => {
    const { unverified, asked, state, log, db } = world({ listed: false, isDown: true })
    unverified.refresh()
    await until(() => asked.length === 1)
    state.isDown = false
    state.now += 60_000
    await until(() => {
      unverified.refresh()
      return db.get('SELECT 1 FROM listed_task') !== undefined
    })
    expect(asked).toEqual(['all', 'all'])
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([])
    await unverified.stop()
  })

  test('are asked about in turn: one id of each sender, those of a sender in order, each id once', () => {
    const sent = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 20 })), { maxLength: 60 })
    fc.assert(
      fc.property(sent, fc.integer({ min: 1, max: 30 }), (messages, limit) => {
        const db = pipelineDatabase(':memory:')
        for (const [sender, n] of messages) {
          db.run(
            'INSERT INTO unverified (journal_id, received_at, sender, task_id, raw) VALUES (NULL, 0, ?, ?, ?)',
            sender,
            task(n),
            Buffer.from(''),
          )
        }
        const found = subjectsInTurn(db, messages.length, limit, 'task')
        db.close()
        expect(new Set(found).size).toBe(found.length)
        expect(found).toHaveLength(Math.min(limit, new Set(messages.map(([, n]) => n)).size))
        // As many ids as there are senders: the first one of each is among them.
        const first = new Map(messages.toReversed().map(([sender, n]) => [sender, task(n)]))
        if (limit >= first.size) for (const id of first.values()) expect(found).toContain(id)
      }),
      { numRuns: 60 },
    )
  })
})
