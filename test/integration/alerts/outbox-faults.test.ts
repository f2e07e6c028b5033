/** The outbox when something goes wrong: a full disk, a peer that asks for patience, a clock that jumps. */
import { afterEach, describe, expect, test } from 'bun:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DeliveryResult, Message } from '../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import type { GroupWriter } from '../../../src/platform/group-commit.ts'
import { closeOutboxes, DELIVERED, startOutbox as start } from '../../support/outbox.ts'
import { until, within } from '../../support/wait.ts'

afterEach(closeOutboxes)

const REFUSED: DeliveryResult = { outcome: 'retry', detail: 'refused' }

const diskFull = Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 })

/** Hangs until the outbox gives up, as every destination must. */
const hang = (_message: Message, signal: AbortSignal) =>
  new Promise<DeliveryResult>((resolve) => signal.addEventListener('abort', () => resolve(REFUSED)))

describe('a full disk', () => {
  test('a delivery that was sent is not sent again because its new state cannot be stored', async () => {
    let full = false
    let refused = 0
    const writes = (writer: GroupWriter): GroupWriter => ({
      write: (work) => {
        if (!full) return writer.write(work)
        refused += 1
        return Promise.reject(diskFull)
      },
      flush: writer.flush,
    })
    let sent = 0
    const { outbox, fire, rows, allIn, log } = start({
      writer: writes,
      deliver: () => {
        sent += 1
        full = true
        return DELIVERED
      },
    })
    outbox.start()
    await fire()
    await until(() => sent === 1)
    await until(() => refused > 1, { what: 'the state to be stored a second time' })
    expect(sent).toBe(1)
    expect(log.of('error').filter((line) => line.includes('disk is full'))).toHaveLength(1)
    full = false
    await allIn('delivered')
    expect(sent).toBe(1)
    expect(rows()[0]).toMatchObject({ attempts: 1 })
  })
})

describe('a peer that is back', () => {
  test('is not called earlier than it asked for', async () => {
    const calls: string[] = []
    let up = false
    const { outbox, fire, allIn, log } = start({
      retryFirstMs: 50,
      deliver: (message) => {
        calls.push(message.payload as string)
        if (message.payload === 'limited') return { outcome: 'retry', detail: '429', retryAfterMs: 60_000 }
        return up ? DELIVERED : REFUSED
      },
    })
    outbox.start()
    await fire({ taskName: 'limited' })
    await until(() => calls.includes('limited'))
    await fire({ taskName: 'other' })
    await until(() => calls.length > 4)
    up = true
    await allIn('delivered')
    await until(() => log.of('info').some((line) => line.includes('works again')))
    // The lane of the limited message has worked again by then.
    await fire({ taskName: 'other' })
    await allIn('delivered', 2)
    expect(calls.filter((call) => call === 'limited')).toHaveLength(1)
  })
})

describe('order', () => {
  test('a long queue behind one delivery that has to wait does not hold up other keys', async () => {
    const { outbox, fire, allIn } = start({
      plan: (event) => [{ target: 'broker', lane: 'broker', orderKey: event.taskName }],
      deliver: (message) =>
        message.payload === 'stuck' ? { outcome: 'retry', detail: 'denied', retryAfterMs: 60_000 } : DELIVERED,
    })
    await Promise.all(Array.from({ length: 250 }, () => fire({ taskName: 'stuck' })))
    await Promise.all(Array.from({ length: 3 }, () => fire({ taskName: 'free' })))
    outbox.start()
    await allIn('delivered', 3)
  })
})

describe('a slow disk', () => {
  // The time that a commit takes is what these tests are about.
  const COMMIT_MS = 20
  const slow = (writer: GroupWriter): GroupWriter => ({
    write: async (work) => {
      const result = await writer.write(work)
      await Bun.sleep(COMMIT_MS)
      return result
    },
    flush: writer.flush,
  })

  test('does not make ordered messages wait for each other; few are sent and not stored', async () => {
    const order: string[] = []
    let unstored = 0
    let most = 0
    const { outbox, fire, allIn } = start({
      plan: () => [{ target: 'topic', lane: 'broker', orderKey: 'topic' }],
      writer: slow,
      deliver: (message) => {
        order.push(message.payload as string)
        unstored += 1
        most = Math.max(most, unstored)
        setTimeout(() => {
          unstored -= 1
        }, COMMIT_MS)
        return DELIVERED
      },
    })
    const names = Array.from({ length: 40 }, (_, n) => String(n))
    for (const taskName of names) await fire({ taskName })
    const before = performance.now()
    outbox.start()
    await allIn('delivered', 40)
    // One after the other would take 40 of them.
    expect(performance.now() - before).toBeLessThan(40 * COMMIT_MS)
    expect(order).toEqual(names)
    expect(most).toBeLessThanOrEqual(4)
  })

  test('changes nothing about a failure in the middle: what comes after it waits', async () => {
    const order: string[] = []
    const failed = new Set<string>()
    const { outbox, fire, allIn } = start({
      plan: () => [{ target: 'topic', lane: 'broker', orderKey: 'topic' }],
      writer: slow,
      deliver: async (message) => {
        const name = message.payload as string
        await nextTurn()
        if (Number(name) % 5 === 3 && !failed.has(name)) {
          failed.add(name)
          return REFUSED
        }
        order.push(name)
        return Number(name) % 7 === 6 ? { outcome: 'rejected', detail: 'no' } : DELIVERED
      },
    })
    outbox.start()
    const names = Array.from({ length: 30 }, (_, n) => String(n))
    for (const taskName of names) await fire({ taskName })
    await allIn('delivered', 26)
    expect(order).toEqual(names)
  })
})

describe('rate limits', () => {
  const WINDOW_MS = 60_000
  const limited =
    (windowMs: number, targets = ['sink']) =>
    (event: TaskEvent) =>
      targets.map((target) => ({ target, lane: target, limit: { key: event.taskId, windowMs } }))

  test('every message of an event tells the count, and no suppression is forgotten or told twice', async () => {
    const held: (() => void)[] = []
    let hold = true
    let shift = 0
    const endWindow = () => {
      shift += WINDOW_MS
    }
    const { outbox, fire, rows, allIn } = start({
      clockShift: () => shift,
      maxAgeMs: 100 * WINDOW_MS,
      plan: limited(WINDOW_MS, ['a', 'b']),
      deliver: async ({ target }) => {
        if (target === 'b' && hold) await new Promise<void>((resolve) => held.push(resolve))
        return DELIVERED
      },
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    await Promise.all([fire(), fire()])
    await allIn('suppressed', 4)
    hold = false
    for (const release of held.splice(0)) release()
    await allIn('delivered', 2)
    endWindow()

    hold = true
    await fire()
    await until(() => held.length === 1)
    await allIn('delivered', 3)
    await fire()
    await allIn('suppressed', 6)
    hold = false
    for (const release of held) release()
    await allIn('delivered', 4)
    endWindow()
    await fire()
    await allIn('delivered', 6)
    endWindow()
    await fire()
    await allIn('delivered', 8)
    const sent = rows().filter((row) => row.state === 'delivered')
    expect(sent.map((row) => Number(row.body!.split(' ').at(-1)))).toEqual([0, 0, 2, 2, 1, 1, 0, 0])
  })

  test('a slot taken while the clock was wrong does not silence the task', async () => {
    let shift = 30 * 86_400_000
    const { outbox, fire, allIn } = start({
      clockShift: () => shift,
      plan: limited(WINDOW_MS),
      maxAgeMs: 365 * 86_400_000,
      deliver: () => DELIVERED,
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    shift = 0
    await fire()
    await allIn('delivered', 2)
  })
})

describe('stopping', () => {
  test('a send that is cut off stays as it was and is no failure of the peer', async () => {
    const { outbox, fire, rows, log } = start({ deliver: hang })
    outbox.start()
    await fire()
    await until(() => rows()[0]!.state === 'sending')
    await within(outbox.stop(300), 300, 'the outbox to stop within its time')
    expect(rows()[0]).toMatchObject({ state: 'sending', attempts: 0 })
    expect(log.of('warn')).toEqual([])
  })

  test('a destination that never answers does not hold up the stop', async () => {
    const { outbox, fire, rows } = start({ deliver: () => new Promise(() => undefined) })
    outbox.start()
    await fire()
    await until(() => rows()[0]!.state === 'sending')
    await within(outbox.stop(300), 1000, 'the outbox to stop')
  })
})

describe('a broken route', () => {
  test('costs its own message only', async () => {
    const { outbox, fire, allIn, log } = start({
      plan: (event) => {
        if (event.taskName === 'odd') throw new TypeError('undefined is not an object')
        return [{ target: 'sink', lane: 'sink' }]
      },
      deliver: () => DELIVERED,
    })
    outbox.start()
    await fire({ taskName: 'odd' })
    await fire()
    await allIn('delivered')
    expect(log.of('error').join('\n')).toContain('undefined is not an object')
  })
})
