/** However many events and deliveries are kept, nothing that is asked often looks at all of them. */
import { expect, test } from 'bun:test'
import { changeFeedMigrations } from '../../../src/alerts/history/change-feed.ts'
import { listDeliveries } from '../../../src/alerts/history/deliveries.ts'
import { listDropped, listEvents } from '../../../src/alerts/history/events.ts'
import { outboxMigrations } from '../../../src/alerts/outbox/migrations.ts'
import { giveBackSlot, takeSlot } from '../../../src/alerts/outbox/rate-limit.ts'
import {
  dueDeliveries,
  dueHeads,
  nextDueAt,
  openLanes,
  overdueDeliveries,
  pullForward,
  reopenSending,
} from '../../../src/alerts/outbox/store.ts'
import { closeGroups, groupState } from '../../../src/alerts/rules/chains.ts'
import { dueWatches, watchedDeliveries } from '../../../src/alerts/rules/fallback.ts'
import { alertRuleMigrations } from '../../../src/alerts/rules/migrations.ts'
import { alertedOf } from '../../../src/alerts/rules/recovery.ts'
import { eventMigrations } from '../../../src/events/migrations.ts'
import {
  countPendingEvents,
  duePendingEvents,
  lastKnownType,
  latePendingEvents,
  nextPendingAt,
} from '../../../src/events/store.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import {
  historyMigrations,
  knownBefore,
  lastSuccesses,
  recordExecution,
  standingAt,
  successBefore,
} from '../../../src/tasks/executions/store.ts'
import { isAnnounced, openRetries, retryOfExecution, safetyNetMigrations } from '../../../src/tasks/safety-net/store.ts'
import { storePending, taskEvent } from '../../support/events.ts'
import { endedExecution } from '../../support/safety-net.ts'

const MIGRATIONS = [
  ...eventMigrations,
  ...outboxMigrations,
  ...alertRuleMigrations,
  ...changeFeedMigrations,
  ...historyMigrations,
  ...safetyNetMigrations,
]
const LARGE = /^SCAN (event|delivery|delivery_attempt|alert_group|task_retry|execution|dropped_datagram)\b/
/** Indexes that hold only what is open. */
const SMALL = /INDEX (event_pending|event_deadline|delivery_free|delivery_ordered|delivery_sending|task_retry_open)$/

/** A database that notes the plan of every statement it is asked. */
function planned() {
  const db = openDatabase(':memory:', { migrations: MIGRATIONS })
  const plans: { sql: string; steps: string[] }[] = []
  const note = (sql: string) => {
    const steps = db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail)
    plans.push({ sql, steps })
  }
  const watched: Database = {
    ...db,
    get(sql, ...values) {
      note(sql)
      return db.get(sql, ...values)
    },
    all(sql, ...values) {
      note(sql)
      return db.all(sql, ...values)
    },
    run(sql, ...values) {
      note(sql)
      return db.run(sql, ...values)
    },
  }
  return { db: watched, plans }
}

const ALWAYS = { from: null, to: null }
const PAGE = { before: null, limit: 100 }
const [NOW, LANE] = [Date.now(), 'lane']

test('every question is answered by an index', async () => {
  const { db, plans } = planned()
  const event = taskEvent({ outcome: 'success' })
  storePending(db, event)

  for (const filter of [
    {},
    { state: ['pending' as const] },
    { from: NOW - 1000 },
    { to: NOW },
    { q: 'x' },
    { taskId: ['x'] },
  ]) {
    await listEvents(db, { ...ALWAYS, ...filter }, PAGE)
  }
  const filters: Partial<Parameters<typeof listDeliveries>[1]>[] = [
    {},
    { state: ['dead' as const] },
    { eventId: ['x'] },
    { from: NOW },
    { reason: ['MAINTENANCE' as const] },
  ]
  for (const filter of filters) {
    await listDeliveries(db, { ...ALWAYS, ...filter }, PAGE, { typeOf: () => null, retryOf: () => null })
  }
  await listDropped(db, ['INVALID'], PAGE)
  countPendingEvents(db)
  duePendingEvents(db, NOW, 10)
  latePendingEvents(db, 0, NOW, 10)
  nextPendingAt(db, NOW)
  lastKnownType(db, event.taskId)
  openLanes(db)
  dueDeliveries(db, LANE, NOW, 10)
  dueHeads(db, LANE, NOW)
  nextDueAt(db, LANE, NOW)
  pullForward(db, LANE, NOW)
  overdueDeliveries(db, 'sink', NOW, 10)
  reopenSending(db)
  for (const eventId of ['a', 'b']) takeSlot(db, { key: 'k', windowMs: 1000, eventId, now: NOW })
  giveBackSlot(db, 'k', 'a')
  alertedOf(db, 'route', event)
  groupState(db, { downstream: () => [], usualStart: () => null }, 'route', taskEvent(), NOW)
  closeGroups(db, event.taskId, NOW)
  dueWatches(db, NOW, 10)
  watchedDeliveries(db, { eventId: event.id, route: 'route', dueAt: NOW })
  isAnnounced(db, endedExecution())
  openRetries(db)
  retryOfExecution(db, event.taskId, event.executionId)

  expect(plans.length).toBeGreaterThan(30)
  expect(plans.filter(({ steps }) => steps.some((step) => LARGE.test(step) && !SMALL.test(step)))).toEqual([])
})

test('a busy task has its end looked for among the events of those minutes', () => {
  const { db, plans } = planned()
  isAnnounced(db, endedExecution({ executionId: null }))
  expect(plans.flatMap(({ steps }) => steps).join()).toContain('event_received')
})

test('an end is recorded by seeks, however many executions its task has, also at the same time', () => {
  const { db, plans } = planned()
  const record = (changes: Parameters<typeof endedExecution>[0], at = NOW) =>
    recordExecution(db, endedExecution({ outcome: 'failed', stoppedAt: at, ...changes }))
  record({ executionId: 'a', outcome: 'success' }, NOW - 10)
  record({ executionId: 'b' })
  record({ executionId: null })
  record({ executionId: 'c' })
  record({ executionId: 'c', statusNum: 8 }, NOW - 1)
  standingAt(db, endedExecution().taskId, NOW - 1)
  knownBefore(db, endedExecution({ executionId: 'c' }), NOW)
  successBefore(db, endedExecution(), NOW)
  lastSuccesses(db, endedExecution().taskId, 0, 20)

  const reads = plans.filter(({ sql }) => /^\s*SELECT[\s\S]*FROM execution/.test(sql))
  expect(reads.length).toBeGreaterThan(10)
  for (const { sql, steps } of reads) {
    // All conditions are those of the index, and its order is that of the question; two rows may be sorted.
    const isNearest = sql.includes('abs(')
    for (const step of steps) {
      expect(step).not.toMatch(isNearest ? /^SCAN execution/ : /^SCAN execution|TEMP B-TREE/)
      if (!step.startsWith('SEARCH execution')) continue
      expect(step).toMatch(/INDEX (execution_|sqlite_autoindex)\w+ \((execution_id|result_id|task_id)=\?/)
    }
  }
  const ofEnd = plans.filter(({ sql }) => sql.includes('abs(') && sql.includes('execution_id IS NULL'))
  expect(ofEnd[0]?.steps.join()).toContain(
    'INDEX execution_unnamed (task_id=? AND outcome=? AND stopped_at>? AND stopped_at<?)',
  )
})

test('events in memory are chosen by an index alone', () => {
  const { db, plans } = planned()
  duePendingEvents(db, NOW, 10)
  expect(plans[0]?.steps.filter((step) => / event /.test(step))).toEqual([
    'SEARCH event USING COVERING INDEX event_pending (next_attempt_at<?)',
  ])
})
