import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  giveBackSlot,
  markReported,
  purgeSlots,
  suppressedCount,
  takeSlot,
} from '../../../src/alerts/outbox/rate-limit.ts'
import { insertDelivery } from '../../../src/alerts/outbox/store.ts'
import type { Database } from '../../../src/platform/sqlite.ts'
import { pipelineDatabase, storePending, taskEvent } from '../../support/events.ts'

const HOUR = 3_600_000
const START = Date.parse('2026-03-02T06:00:00Z')
const KEY = 'other-tasks|dev-slack|*'

describe('windows with several slots', () => {
  let db: Database
  beforeEach(() => {
    db = pipelineDatabase(':memory:')
  })
  afterEach(() => db.close())

  const take = (eventId: string, now: number, count = 3) =>
    takeSlot(db, { key: KEY, windowMs: HOUR, count, eventId, now })

  function delivery(eventId: string, state: 'pending' | 'delivered'): void {
    const event = taskEvent({ id: eventId })
    storePending(db, event)
    insertDelivery(db, {
      id: `d-${eventId}`,
      eventId,
      kind: 'alert',
      route: 'r',
      destination: 'd',
      target: 't',
      lane: 'd',
      destinationType: 'webhook',
      orderKey: null,
      limitKey: KEY,
      severity: 'error',
      state: 'pending',
      reason: null,
      detail: null,
      createdAt: START,
    })
    db.run('UPDATE delivery SET state = ? WHERE id = ?', state, `d-${eventId}`)
  }

  test('the window is fixed: it begins with the first slot, whenever the others are taken', () => {
    expect(['a', 'b', 'c', 'd'].map((id, i) => take(id, START + i * 1000))).toEqual([true, true, true, false])
    expect(take('e', START + HOUR - 1)).toBe(false)
    expect(take('f', START + HOUR)).toBe(true)
    expect(suppressedCount(db, KEY)).toBe(2)
  })

  test('the same event takes one slot, however often it asks', () => {
    for (const id of ['a', 'a', 'a', 'b', 'c']) expect(take(id, START)).toBe(true)
    expect(take('d', START)).toBe(false)
    expect(take('d', START)).toBe(false)
    expect(suppressedCount(db, KEY)).toBe(1)
  })

  test('what is still on its way keeps its slot beyond the window', () => {
    for (const id of ['a', 'b', 'c']) {
      take(id, START)
      delivery(id, id === 'a' ? 'delivered' : 'pending')
    }
    expect(take('d', START + 2 * HOUR)).toBe(true)
    expect(take('e', START + 2 * HOUR)).toBe(false)
  })

  test('a dead letter gives its own slot back, and no other', () => {
    for (const id of ['a', 'b', 'c']) take(id, START)
    giveBackSlot(db, KEY, 'b')
    expect(take('d', START + 1000)).toBe(true)
    expect(take('e', START + 1000)).toBe(false)
  })

  test('what was told is not told again by the next message of the window', () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) take(id, START)
    expect(take('f', START + HOUR)).toBe(true)
    expect(suppressedCount(db, KEY)).toBe(2)
    markReported(db, KEY, 'f', 2)
    expect(take('g', START + HOUR + 1)).toBe(true)
    expect(suppressedCount(db, KEY)).toBe(0)
  })

  test('a clock that was wrong does not close the window for ever', () => {
    expect(take('a', START + 100 * HOUR, 1)).toBe(true)
    expect(take('b', START, 1)).toBe(true)
    expect(take('c', START + 1, 1)).toBe(false)
  })

  test('slots of windows that are long over go with them', () => {
    for (const id of ['a', 'b']) take(id, START)
    expect(purgeSlots(db, START + 2 * HOUR)).toBe(1)
    expect(db.all('SELECT * FROM rate_limit_slot')).toEqual([])
  })
})
