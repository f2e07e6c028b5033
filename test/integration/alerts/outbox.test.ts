import { afterEach, describe, expect, test } from 'bun:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TaskEvent } from '../../../src/events/types.ts'
import { closeOutboxes, DELIVERED, ROUTE, startOutbox as start } from '../../support/outbox.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

afterEach(closeOutboxes)

describe('delivering', () => {
  test('an event becomes one delivered message and its attempt is recorded', async () => {
    const messages: string[] = []
    const { outbox, fire, rows, allIn, db, log } = start({
      deliver: (message) => {
        messages.push(message.payload as string)
        return { outcome: 'delivered', detail: '250 OK' }
      },
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    expect(messages).toEqual(['Financial Dashboard Reload'])
    expect(rows()[0]).toMatchObject({ detail: '250 OK', attempts: 1, body: 'Financial Dashboard Reload 0' })
    expect(db.all('SELECT n, result, detail FROM delivery_attempt')).toMatchObject([
      { n: 1, result: 'ok', detail: '250 OK' },
    ])
    expect(log.of('info').join('\n')).toContain(`NOTIFY delivered channel=sink event=${ROUTE}`)
  })

  test.each([
    ['a message that shows the script log gets it now', ['scriptLog'], 'read late'],
    ['a message that does not show it goes without', [], 'none'],
  ] as const)('an event whose script log was skipped: %s', async (_what, needs, body) => {
    const { outbox, fire, rows, allIn, db } = start({
      needs,
      withLog: async (event) => ({ ...event, scriptLog: { lines: ['read late'], characters: 9 } }),
      render: async ({ deliveryId, target, event }) => {
        return { deliveryId, target, subject: null, body: event.scriptLog?.lines.join() ?? 'none', payload: null }
      },
      deliver: () => DELIVERED,
    })
    await fire()
    db.run('UPDATE event SET qlik = ?', JSON.stringify({ logSkipped: true }))
    outbox.start()
    await allIn('delivered')
    expect(rows()[0]).toMatchObject({ body })
  })

  test('routing an event twice makes no second delivery', async () => {
    let sent = 0
    const { outbox, fire, rows, allIn } = start({
      deliver: () => {
        sent += 1
        return DELIVERED
      },
    })
    outbox.start()
    const event = await fire()
    await allIn('delivered')
    await fire({ ...event, id: event.id }).catch(() => undefined)
    expect(rows()).toHaveLength(1)
    expect(sent).toBe(1)
  })

  test('peer down for three attempts, then up: exactly one arrival', async () => {
    let attempts = 0
    const { outbox, fire, rows, allIn } = start({
      deliver: () => (++attempts <= 3 ? { outcome: 'retry', detail: 'refused' } : DELIVERED),
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    expect(attempts).toBe(4)
    expect(rows()[0]).toMatchObject({ attempts: 4 })
  })

  test('a throwing destination is a failed attempt, not a lost message', async () => {
    let attempts = 0
    const { outbox, fire, allIn } = start({
      deliver: () => {
        attempts += 1
        if (attempts === 1) throw new Error('bug')
        return DELIVERED
      },
    })
    outbox.start()
    await fire()
    await allIn('delivered')
  })

  test('Retry-After is honoured beyond the back-off', async () => {
    const times: number[] = []
    const { outbox, fire, allIn } = start({
      deliver: () => {
        times.push(Date.now())
        return times.length === 1 ? { outcome: 'retry', detail: '429', retryAfterMs: 300 } : DELIVERED
      },
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(295)
  })

  test('a permanent refusal is a dead letter that keeps its message', async () => {
    const { outbox, fire, rows, allIn } = start({
      deliver: () => ({ outcome: 'rejected', detail: '550 no such user' }),
    })
    outbox.start()
    await fire()
    await allIn('dead')
    expect(rows()[0]).toMatchObject({ reason: 'REJECTED', detail: '550 no such user', attempts: 1 })
    expect(rows()[0]!.body).toContain('Financial Dashboard Reload')
  })

  test('a message that cannot be rendered is a dead letter', async () => {
    const { outbox, fire, rows, allIn } = start({
      deliver: () => DELIVERED,
      render: async () => {
        throw new Error('template is broken')
      },
    })
    outbox.start()
    await fire()
    await allIn('dead')
    expect(rows()[0]).toMatchObject({ reason: 'RENDER_FAILED', detail: 'template is broken' })
  })

  test('a delivery older than the maximum age is dead and says so', async () => {
    const { outbox, fire, rows, allIn } = start({
      deliver: () => ({ outcome: 'retry', detail: 'refused' }),
      maxAgeMs: 80,
    })
    outbox.start()
    await fire()
    await allIn('dead')
    expect(rows()[0]).toMatchObject({ reason: 'EXPIRED' })
  })

  test('shadow mode records what would have been sent and sends nothing', async () => {
    let sent = 0
    const { outbox, fire, rows, allIn } = start({
      deliver: () => {
        sent += 1
        return DELIVERED
      },
      shadow: true,
    })
    outbox.start()
    await fire()
    await allIn('suppressed')
    expect(sent).toBe(0)
    expect(rows()[0]).toMatchObject({ reason: 'SHADOW_MODE', body: 'Financial Dashboard Reload 0' })
  })
})

describe('lanes', () => {
  test('a hanging peer does not slow another lane', async () => {
    const arrived: string[] = []
    const { outbox, fire, allIn, close } = start({
      plan: () => [
        { target: 'dead', lane: 'dead' },
        { target: 'alive', lane: 'alive' },
      ],
      deliver: (message, signal) => {
        if (message.target === 'alive') {
          arrived.push(message.target)
          return DELIVERED
        }
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ outcome: 'retry', detail: 'aborted' }))
        })
      },
    })
    outbox.start()
    for (let n = 0; n < 20; n += 1) await fire()
    await allIn('delivered', 20)
    expect(arrived).toHaveLength(20)
    await close()
  })

  test('no more than the concurrency runs at a time', async () => {
    let running = 0
    let most = 0
    const { outbox, fire, allIn } = start({
      concurrency: 3,
      deliver: async () => {
        running += 1
        most = Math.max(most, running)
        await until(() => most >= 3)
        running -= 1
        return DELIVERED
      },
    })
    outbox.start()
    for (let n = 0; n < 30; n += 1) await fire()
    await allIn('delivered', 30)
    expect(most).toBe(3)
  })

  test('deliveries with one order key leave in order, also when one of them has to be repeated', async () => {
    const order: string[] = []
    let failed = false
    const { outbox, fire, allIn } = start({
      plan: () => [{ target: 'topic', lane: 'broker', orderKey: 'topic' }],
      deliver: async (message) => {
        await nextTurn()
        if (message.payload === '3' && !failed) {
          failed = true
          return { outcome: 'retry', detail: 'once' }
        }
        order.push(message.payload as string)
        return DELIVERED
      },
    })
    outbox.start()
    const names = Array.from({ length: 12 }, (_, n) => String(n))
    for (const taskName of names) await fire({ taskName })
    await allIn('delivered', 12)
    expect(order).toEqual(names)
  })

  test('while a destination is not ready nothing is tried, and all leaves when it is', async () => {
    let ready = false
    let checks = 0
    let attempts = 0
    const { outbox, fire, allIn, readyListeners, rows } = start({
      ready: () => {
        checks += 1
        return ready
      },
      deliver: () => {
        attempts += 1
        return DELIVERED
      },
    })
    outbox.start()
    await fire()
    await fire()
    const before = checks
    outbox.wake(new Set(['sink']))
    await until(() => checks > before)
    expect(attempts).toBe(0)
    expect(rows().map((row) => row.state)).toEqual(['pending', 'pending'])
    ready = true
    for (const listener of readyListeners) listener()
    await allIn('delivered', 2)
  })
})

describe('restart', () => {
  test('what was open when the process ended is sent after the start', async () => {
    const directory = tempDirectory()
    const file = directory.join('footman.db')
    const first = start({ file, deliver: () => ({ outcome: 'retry', detail: 'down' }), retryFirstMs: 5 })
    first.outbox.start()
    await first.fire()
    await until(() => first.rows()[0]!.attempts > 0)
    await first.close()

    const second = start({ file, deliver: () => DELIVERED })
    second.outbox.start()
    await second.allIn('delivered')
    directory.remove()
  })
})

describe('rate limits', () => {
  const limited = (windowMs: number) => (event: TaskEvent) => [
    { target: 'sink', lane: 'sink', limit: { key: `${ROUTE}|${event.taskId}`, windowMs } },
  ]

  test('the second alert inside the window is suppressed, the one after it is sent and tells the count', async () => {
    let shift = 0
    const { outbox, fire, rows, allIn } = start({
      clockShift: () => shift,
      plan: limited(10_000),
      deliver: () => DELIVERED,
    })
    outbox.start()
    await fire()
    await allIn('delivered')
    await fire()
    await allIn('suppressed')
    expect(rows()[1]).toMatchObject({ reason: 'RATE_LIMITED' })
    shift = 10_000
    await fire()
    await allIn('delivered', 2)
    expect(rows()[2]!.body).toBe('Financial Dashboard Reload 1')
  })

  test('a window of 0 limits nothing', async () => {
    const { outbox, fire, allIn } = start({ plan: limited(0), deliver: () => DELIVERED })
    outbox.start()
    for (let n = 0; n < 5; n += 1) await fire()
    await allIn('delivered', 5)
  })

  test('ten failures while the peer is down make one message that says nine were suppressed', async () => {
    let up = false
    let shift = 0
    const { outbox, fire, rows, allIn } = start({
      clockShift: () => shift,
      plan: limited(40),
      deliver: () => (up ? DELIVERED : { outcome: 'retry', detail: 'refused' }),
    })
    outbox.start()
    for (let n = 0; n < 10; n += 1) {
      await fire()
      // Longer than the window: the slot is kept because the first message is still under way.
      shift += 15
    }
    up = true
    await allIn('delivered')
    expect(rows().filter((row) => row.state === 'suppressed')).toHaveLength(9)
    expect(rows()[0]!.body).toBe('Financial Dashboard Reload 9')
  })

  test('a dead letter gives its slot back', async () => {
    let refuse = true
    const { outbox, fire, allIn } = start({
      plan: limited(60_000),
      deliver: () => (refuse ? { outcome: 'rejected', detail: 'no' } : DELIVERED),
    })
    outbox.start()
    await fire()
    await allIn('dead')
    refuse = false
    await fire()
    await allIn('delivered')
  })

  test('deliveries of one event that share a key share one slot', async () => {
    const { outbox, fire, allIn, rows } = start({
      plan: (event) =>
        ['a', 'b'].map((target) => ({ target, lane: 'sink', limit: { key: event.taskId, windowMs: 60_000 } })),
      deliver: () => DELIVERED,
    })
    outbox.start()
    await fire()
    await allIn('delivered', 2)
    await fire()
    await allIn('suppressed', 2)
    expect(rows()).toHaveLength(4)
  })

  test('a slot survives a restart', async () => {
    const directory = tempDirectory()
    const file = directory.join('footman.db')
    const first = start({ file, plan: limited(60_000), deliver: () => DELIVERED })
    first.outbox.start()
    await first.fire()
    await first.allIn('delivered')
    await first.close()

    const second = start({ file, plan: limited(60_000), deliver: () => DELIVERED })
    second.outbox.start()
    await second.fire()
    await second.allIn('suppressed')
    directory.remove()
  })
})
