/** Alerts that waited for a retry which is not made after all. */
import { expect, test } from 'bun:test'
import { releaseHeld } from '../../../src/alerts/outbox/release.ts'
import { insertDelivery } from '../../../src/alerts/outbox/store.ts'
import { loadTaskEvent, storeRetryRefused, storeRoutedEvent } from '../../../src/events/store.ts'
import { uuidV7 } from '../../../src/platform/uuid.ts'
import { pipelineDatabase, storePending, taskEvent } from '../../support/events.ts'

test('leave at once and say why; what was held back for another reason stays', () => {
  const db = pipelineDatabase(':memory:')
  const event = taskEvent({ retry: { attempt: 0, max: 3, nextAt: Date.now() + 1000, refused: null } })
  storeRoutedEvent(db, storePending(db, event), event, true)
  for (const reason of ['RETRY_PENDING', 'SNOOZED'] as const) {
    insertDelivery(db, {
      id: uuidV7(),
      eventId: event.id,
      kind: 'alert',
      route: 'r',
      destination: 'email',
      target: reason,
      lane: `lane ${reason}`,
      orderKey: null,
      limitKey: null,
      severity: 'error',
      createdAt: Date.now(),
      destinationType: 'email',
      state: 'suppressed',
      reason,
      detail: 'x',
      note: null,
      about: null,
    })
  }
  storeRetryRefused(db, event.id, 'the task is disabled')
  expect([
    ...releaseHeld(db, { eventId: event.id, reason: 'RETRY_PENDING', now: Date.now(), rule: () => undefined }),
  ]).toEqual(['lane RETRY_PENDING'])
  expect(db.all('SELECT target, state, reason FROM delivery ORDER BY target')).toMatchObject([
    { target: 'RETRY_PENDING', state: 'pending', reason: null },
    { target: 'SNOOZED', state: 'suppressed', reason: 'SNOOZED' },
  ])
  expect(loadTaskEvent(db, event.id)?.retry).toEqual({
    attempt: 0,
    max: 3,
    nextAt: null,
    refused: 'the task is disabled',
  })
  db.close()
})
