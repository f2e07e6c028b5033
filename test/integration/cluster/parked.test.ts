/** Deliveries that a node leaves to the leader while it works alone. */
import { expect, test } from 'bun:test'
import { listDeliveries } from '../../../src/alerts/history/deliveries.ts'
import { dueDeliveries, insertDelivery, makeDue, nextDueAt, pullForward } from '../../../src/alerts/outbox/store.ts'
import { databasesOf } from '../../../src/app/migrations.ts'
import { parkDeliveries, resumeParked } from '../../../src/cluster/alone.ts'
import { installTriggers, silently } from '../../../src/cluster/changes.ts'
import { leaveCluster, PARKED_AT } from '../../../src/cluster/leave.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { storePending, taskEvent } from '../../support/events.ts'

const NOW = Date.parse('2026-03-02T12:00:00Z')
const LATER = NOW + 600_000
const LANE = 'hook'

function store() {
  const { migrations } = databasesOf('').find(({ name }) => name === 'footman')!
  const db = openDatabase(':memory:', { migrations })
  installTriggers(db)
  const event = taskEvent()
  storePending(db, event)
  const add = (id: string, nextAttemptAt: number) => {
    insertDelivery(db, {
      id,
      eventId: event.id,
      kind: 'alert',
      route: id,
      destination: 'hook',
      destinationType: 'webhook',
      target: 't',
      lane: LANE,
      orderKey: null,
      limitKey: null,
      severity: 'error',
      state: 'pending',
      reason: null,
      detail: null,
      createdAt: NOW,
      note: null,
    })
    db.run('UPDATE delivery SET next_attempt_at = ? WHERE id = ?', nextAttemptAt, id)
  }
  // Followed from the leader: due, and one that its receiver wants to have later.
  silently(db, () => {
    add('due', NOW)
    add('later', LATER)
  })
  const times = () =>
    Object.fromEntries(
      db
        .all<{ id: string; at: number }>('SELECT id, next_attempt_at AS at FROM delivery')
        .map(({ id, at }) => [id, at]),
    )
  return { db, add, times }
}

test('keep the time of their next attempt, and are not made due by a receiver that answers again', async () => {
  const { db, add, times } = store()
  parkDeliveries(db)
  add('own', LATER)
  parkDeliveries(db)
  expect(dueDeliveries(db, LANE, LATER + 1, 10).map(({ id }) => id)).toEqual(['own'])
  pullForward(db, LANE, NOW + 1)
  expect(nextDueAt(db, LANE, NOW)).toBe(NOW + 1)
  makeDue(db, 'hook', NOW + 2)
  expect(dueDeliveries(db, LANE, LATER + 1, 10).map(({ id }) => id)).toEqual(['own'])
  const shown = await listDeliveries(
    db,
    { from: null, to: null },
    { before: null, limit: 10 },
    { typeOf: () => null, retryOf: () => null },
  )
  expect(Object.fromEntries(shown.rows.map(({ id, nextAttemptAt }) => [id, nextAttemptAt]))).toEqual({
    due: null,
    later: null,
    own: new Date(NOW + 1).toISOString(),
  })
  resumeParked(db)
  resumeParked(db)
  expect(times()).toEqual({ due: NOW, later: LATER, own: NOW + 1 })
})

test('of a node that is single again, and those of an older version, may leave', () => {
  const { db, add, times } = store()
  parkDeliveries(db)
  add('old', 3 * PARKED_AT)
  leaveCluster(db)
  expect(times()).toEqual({ due: NOW, later: LATER, old: 0 })
})
