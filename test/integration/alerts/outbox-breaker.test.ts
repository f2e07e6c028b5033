/** A peer that cannot be reached is asked now and then, however much waits for it; nothing is lost, nothing leaves twice. */

import { afterEach, expect, test } from 'bun:test'
import type { DeliveryResult } from '../../../src/alerts/types.ts'
import { NOTHING_AWAITED } from '../../../src/events/event-router.ts'
import { storePending, taskEvent } from '../../support/events.ts'
import { closeOutboxes, DELIVERED, startOutbox } from '../../support/outbox.ts'
import { until } from '../../support/wait.ts'

const REFUSED: DeliveryResult = { outcome: 'retry', detail: 'refused the connection', peerDown: true }

afterEach(closeOutboxes)

test('10,000 deliveries for a dead peer are a handful of attempts, and all arrive once when it is back', async () => {
  let up = false
  let underWay = 0
  let most = 0
  const attempts: number[] = []
  const arrived: string[] = []
  const box = startOutbox({
    retryFirstMs: 50,
    concurrency: 8,
    async deliver(message) {
      attempts.push(performance.now())
      if (!up) return REFUSED
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise((done) => setImmediate(done))
      underWay -= 1
      arrived.push(message.deliveryId)
      return DELIVERED
    },
  })
  const events = Array.from({ length: 10_000 }, (_, i) => taskEvent({ taskId: `task-${i}` }))
  box.db.transaction(() => {
    for (const event of events) {
      storePending(box.db, event)
      box.router.handle(box.db, event, NOTHING_AWAITED)
    }
  })
  const start = performance.now()
  box.router.wake()
  box.outbox.start()
  // Five failures in a row open the circuit (up to eight are on their way then); after that one probe per 50 to 100 ms.
  await until(() => attempts.length >= 25)
  const seconds = (performance.now() - start) / 1000
  expect(attempts.length).toBeLessThanOrEqual(8 + 4 + Math.ceil(seconds * 25))
  expect(box.db.get<{ n: number }>('SELECT count(*) AS n FROM delivery WHERE attempts > 1')!.n).toBeLessThan(20)

  up = true
  await until(
    () => box.db.get<{ n: number }>(`SELECT count(*) AS n FROM delivery WHERE state = 'delivered'`)!.n === 10_000,
    {
      timeout: 30_000,
    },
  )
  expect(new Set(arrived).size).toBe(10_000)
  expect(arrived).toHaveLength(10_000)
  expect(most).toBe(8)
}, 60_000)

test('what waits for its next attempt leaves as soon as the peer works again', async () => {
  let attempts = 0
  const box = startOutbox({
    retryFirstMs: 600_000,
    deliver: () => (++attempts <= 4 ? { outcome: 'retry', detail: 'busy' } : DELIVERED),
  })
  const fire = (name: string) => {
    const event = taskEvent({ taskId: name })
    box.db.transaction(() => {
      storePending(box.db, event)
      box.router.handle(box.db, event, NOTHING_AWAITED)
    })
    box.router.wake()
  }
  const count = (condition: string) =>
    box.db.get<{ n: number }>(`SELECT count(*) AS n FROM delivery WHERE ${condition}`)!.n
  box.outbox.start()
  for (const name of ['a', 'b', 'c', 'd']) fire(name)
  await until(() => count("state = 'pending' AND attempts = 1") === 4)
  fire('e')
  await until(() => count("state = 'delivered'") === 5)
  expect(attempts).toBe(9)
})

test('a peer that answers with errors is not taken for dead', async () => {
  let attempts = 0
  const box = startOutbox({
    retryFirstMs: 20,
    deliver() {
      attempts += 1
      return attempts <= 30 ? { outcome: 'retry', detail: 'HTTP 500' } : DELIVERED
    },
  })
  box.outbox.start()
  for (let i = 0; i < 10; i += 1) await box.fire({ taskId: `task-${i}` })
  await box.allIn('delivered', 10)
  expect(attempts).toBe(40)
}, 90_000)

test('a pause that the peer asked for outlasts the end of the outage', async () => {
  let calls = 0
  let up = false
  const started = Date.now()
  const times: number[] = []
  const box = startOutbox({
    concurrency: 1,
    deliver(message) {
      calls += 1
      if (message.payload === 'patient' && times.push(Date.now()) === 1) {
        return { outcome: 'retry', detail: 'HTTP 429', retryAfterMs: 1500 }
      }
      return up ? DELIVERED : REFUSED
    },
  })
  box.outbox.start()
  await box.fire({ taskName: 'patient' })
  await until(() => times.length === 1)
  for (let i = 0; i < 3; i += 1) await box.fire({ taskId: `task-${i}`, taskName: 'other' })
  await until(() => calls >= 9)
  up = true
  await box.allIn('delivered', 4)
  expect(times[1]! - started).toBeGreaterThanOrEqual(1400)
}, 90_000)

test('what grows too old behind a dead peer is given up, although it was never tried', async () => {
  const box = startOutbox({ maxAgeMs: 1500, retryFirstMs: 100, deliver: () => REFUSED })
  box.outbox.start()
  for (let i = 0; i < 30; i += 1) await box.fire({ taskId: `task-${i}` })
  await box.allIn('dead', 30)
  expect(new Set(box.rows().map(({ reason }) => reason))).toEqual(new Set(['EXPIRED']))
}, 90_000)

test('a message that is never finished does not hold up its lane for ever', async () => {
  let renders = 0
  const box = startOutbox({
    concurrency: 1,
    renderTimeoutMs: 50,
    async render({ deliveryId, target }) {
      renders += 1
      if (renders === 1) await new Promise(() => {})
      return { deliveryId, target, subject: null, body: 'ok', payload: 'ok' }
    },
    deliver: () => DELIVERED,
  })
  box.outbox.start()
  await box.fire()
  await box.fire({ taskId: 'another' })
  await box.allIn('delivered', 2)
  const attempts = box.db.all<{ result: string; detail: string }>(
    'SELECT result, detail FROM delivery_attempt ORDER BY at',
  )
  expect(attempts[0]).toEqual({ result: 'retry', detail: 'the message could not be made within 0.05 s' })
}, 90_000)

test('a delivery that is cancelled while it waits in its lane does not leave', async () => {
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const sent: string[] = []
  const box = startOutbox({
    concurrency: 1,
    async deliver(message) {
      sent.push(message.deliveryId)
      await gate
      return DELIVERED
    },
  })
  for (let i = 0; i < 3; i += 1) await box.fire({ taskId: `task-${i}` })
  box.outbox.start()
  await until(() => sent.length === 1)
  const [, second] = box.rows()
  box.db.run(`UPDATE delivery SET state = 'dead', reason = 'CANCELLED' WHERE id = ?`, second!.id)
  open()
  await box.allIn('delivered', 2)
  expect(sent).not.toContain(second!.id)
}, 90_000)

test('an outage is a warning with the key of the destination at its begin, and again every ten minutes', async () => {
  let shift = 0
  let up = false
  const box = startOutbox({
    retryFirstMs: 5,
    clockShift: () => shift,
    deliver: () => (up ? DELIVERED : REFUSED),
    maxAgeMs: 7_200_000,
  })
  await box.fire()
  box.outbox.start()
  await until(() => box.rows()[0]!.attempts >= 3)
  expect(box.log.of('warn')).toHaveLength(1)
  expect(box.log.of('warn')[0]).toMatch(
    /^NOTIFY sink \(Butler\.test\.reloadTaskFailure\): delivery failed, next attempt \S+: refused the connection$/,
  )
  shift = 601_000
  await until(() => box.log.of('warn').length === 2)
  expect(box.log.of('warn')[1]).toMatch(
    /: delivery failed \(\d+ failed attempts since the last warning\), next attempt /,
  )
  up = true
  await box.allIn('delivered')
  expect(box.log.of('warn')).toHaveLength(2)
}, 90_000)
