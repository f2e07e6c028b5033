/** Nothing that one task or one sender brings in large numbers keeps what others bring waiting. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createCounters } from '../../../src/events/counters.ts'
import { createBacklog } from '../../../src/events/enrich/backlog.ts'
import type { StoredEvent } from '../../../src/events/store.ts'
import { createUnverified, taskIdsInTurn } from '../../../src/events/unverified.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
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
  function world(options: { maxWaiting?: number; isDown?: boolean; known?: readonly string[] } = {}) {
    const db = pipelineDatabase(':memory:')
    const writer = createGroupWriter(db)
    const counters = createCounters()
    const admitted: string[] = []
    const asked: string[] = []
    const state = { isDown: options.isDown ?? false, refusesLists: false }
    const exists = (id: string) => Number(id.slice(-12)) < 10
    const unverified = createUnverified(
      {
        ...{ db, writer, counters, log: recordingLog(), clock: { now: () => NOW } },
        isUnreachable: () => state.isDown,
        qrs: {
          async existingTasks(ids) {
            asked.push(`${ids.length} ids`)
            if (state.isDown) throw new Error('connect ECONNREFUSED')
            return new Set(ids.filter(exists))
          },
          async allTaskIds() {
            asked.push('all')
            if (state.isDown || state.refusesLists) throw new Error('no answer')
            return new Set(Array.from({ length: 10 }, (_, n) => task(n)))
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
    return { db, counters, admitted, asked, state, unverified, arrive }
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
        ...{ db, writer: createGroupWriter(db), counters: createCounters(), log: recordingLog() },
        clock: { now: () => NOW },
        isUnreachable: () => false,
        qrs: { existingTasks: async (ids) => new Set(ids), allTaskIds: async () => new Set() },
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

  test('are asked about in turn: one id of each sender, those of a sender in order, each id once', () => {
    const sent = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 20 })), { maxLength: 60 })
    fc.assert(
      fc.property(sent, fc.integer({ min: 1, max: 30 }), (messages, limit) => {
        const db = pipelineDatabase(':memory:')
        for (const [sender, n] of messages) {
          db.run(
            'INSERT INTO unverified (journal_id, received_at, sender, task_id, raw) VALUES (NULL, 0, ?, ?, ?)',
            ...[sender, task(n), Buffer.from('')],
          )
        }
        const found = taskIdsInTurn(db, messages.length, limit)
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
