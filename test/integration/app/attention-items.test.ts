/** Items of the attention list from stored data: nesting below the first failure, due times, given-up deliveries, reports. */
import { afterEach, expect, test } from 'bun:test'
import { otherItems } from '../../../src/app/attention/other-items.ts'
import { recoveredItems, taskItems } from '../../../src/app/attention/task-items.ts'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createOffsets } from '../../../src/platform/offsets.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import type { QrsCompositeEvent, QrsSchemaEvent } from '../../../src/qlik/qrs/triggers.ts'
import { recordExecution } from '../../../src/tasks/executions/store.ts'
import type { Overview } from '../../../src/tasks/overview/index.ts'
import { createSitePolicies, type SiteTask } from '../../../src/tasks/overview/site.ts'
import { parseDue } from '../../../src/tasks/safety-net/config-policies.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { endedExecution, HOUR, MINUTE, NOW, policiesOf } from '../../support/safety-net.ts'

const open: Database[] = []
afterEach(() => {
  for (const db of open.splice(0)) db.close()
})

function database(): Database {
  const db = openDatabase(':memory:', { migrations: MIGRATIONS })
  open.push(db)
  return db
}

let number = 0
function ended(
  db: Database,
  taskId: string,
  minutesAgo: number,
  outcome: 'success' | 'failed',
  actor: string | null = null,
) {
  number += 1
  const stoppedAt = NOW - minutesAgo * MINUTE
  const ids = { executionId: `e-${number}`, resultId: `r-${number}`, taskId, taskName: `Task ${taskId}` }
  recordExecution(db, endedExecution({ ...ids, outcome, stoppedAt, actor }))
}

const task = (id: string, changes: Partial<SiteTask> = {}): SiteTask => ({
  id,
  name: `Task ${id}`,
  type: 'reload',
  enabled: true,
  appId: null,
  appName: null,
  stream: null,
  tags: [],
  customProperties: [],
  hasRun: true,
  ...changes,
})

const gate = (after: string, taskId: string): QrsCompositeEvent => ({
  id: `${after}-${taskId}`,
  name: '',
  enabled: true,
  taskId,
  taskName: '',
  modifiedAt: null,
  withinMs: null,
  rules: [{ taskId: after, taskName: '', on: 'success' }],
})

const daily = (taskId: string, hour: number): QrsSchemaEvent => ({
  id: `t-${taskId}`,
  name: 'Daily',
  enabled: true,
  taskId,
  taskName: '',
  modifiedAt: null,
  timezone: 'UTC',
  startAt: NOW - (NOW % (24 * HOUR)) - 48 * HOUR + hour * HOUR,
  expiresAt: null,
  nextAt: null,
  increment: 'daily',
  every: [0, 0, 1, 0],
  filter: [],
})

const policies = createSitePolicies(
  policiesOf(recordingLog(), [{ name: 'early', match: { task: 'Task by-policy' }, watch: { dueBy: '06:00' } }]),
)

function itemsOf(
  db: Database,
  tasks: readonly SiteTask[],
  gates: readonly QrsCompositeEvent[] = [],
  times: readonly QrsSchemaEvent[] = [],
) {
  const after = new Map(
    gates.map(({ rules }) => [rules[0]!.taskId, gates.filter((one) => one.rules[0]!.taskId === rules[0]!.taskId)]),
  )
  const site = {
    last: { running: [], triggers: { times, gates, after }, tasks: new Map(tasks.map((one) => [one.id, one])) },
    offsets: createOffsets,
  }
  const dueRulesOf: Overview['dueRulesOf'] = (one) => policies.dueOf(one).value.flatMap((text) => parseDue(text) ?? [])
  const overview = { site, overUsual: () => [], dueRulesOf } as never
  return taskItems({ db, clock: { now: () => NOW }, overview, timezone: 'UTC' })
}

test('failures behind another one lie below it; a circle keeps its oldest on top', () => {
  const db = database()
  for (const id of ['a', 'b', 'c', 'd']) ended(db, id, 600, 'success')
  ended(db, 'a', 60, 'failed')
  ended(db, 'b', 50, 'failed')
  ended(db, 'c', 40, 'failed')
  ended(db, 'd', 70, 'failed')
  // a → b → c → a; d stands alone.
  const items = itemsOf(
    db,
    ['a', 'b', 'c', 'd'].map((id) => task(id)),
    [gate('a', 'b'), gate('b', 'c'), gate('c', 'a')],
  )
  expect(Object.fromEntries(items.map(({ key, parent }) => [key, parent]))).toEqual({
    'taskFailed:a': null,
    'taskFailed:b': 'taskFailed:a',
    'taskFailed:c': 'taskFailed:a',
    'taskFailed:d': null,
  })
  expect(items.find(({ key }) => key === 'taskFailed:b')).toMatchObject({ since: NOW - 50 * MINUTE, count: 1 })
})

test('disabled tasks and failures of eight days ago are left out', () => {
  const db = database()
  ended(db, 'a', 60, 'failed')
  ended(db, 'b', 8 * 24 * 60, 'failed')
  expect(itemsOf(db, [task('a', { enabled: false }), task('b')])).toEqual([])
})

test('a task with a due time that has not succeeded since its planned start is overdue', () => {
  const due = { customProperties: [{ name: 'dueBy', value: '07:30' }] }
  const db = database()
  ended(db, 'late', 11 * 60, 'success')
  ended(db, 'good', 5 * 60, 'success')
  // NOW is 12:00; both are planned at 02:00, and `late` succeeded at 01:00, `good` at 07:00.
  const tasks = [task('late', due), task('good', due), task('by-policy'), task('without')]
  const found = itemsOf(
    db,
    tasks,
    [],
    tasks.map(({ id }) => daily(id, 2)),
  )
  expect(found).toMatchObject([
    { key: 'overdue:late', severity: 'warning', dueAt: Date.parse('2026-03-02T07:30:00Z'), title: 'Task late' },
    { key: 'overdue:by-policy', dueAt: Date.parse('2026-03-02T06:00:00Z') },
  ])
})

test('a task that succeeded after its failure is well again, with how', () => {
  const db = database()
  ended(db, 'a', 60, 'failed')
  ended(db, 'a', 50, 'success')
  ended(db, 'b', 60, 'failed')
  ended(db, 'b', 50, 'success', 'key:ops')
  ended(db, 'c', 60, 'failed')
  const found = recoveredItems({ db }, NOW - 2 * HOUR).map(({ key, recovered }) => [key, recovered?.how, recovered?.by])
  expect(found.toSorted()).toEqual([
    ['taskFailed:a', 'itself', null],
    ['taskFailed:b', 'start', 'key:ops'],
  ])
})

test('destinations that are down for five minutes, self-alerts, licence and invalid schedules', () => {
  const db = database()
  const subjects = JSON.stringify({ '': { text: 'The certificate ends soon.', at: NOW } })
  db.run(
    'INSERT INTO self_alert (code, raised_at, subjects) VALUES (?, ?, ?)',
    'CERTIFICATE_EXPIRING',
    NOW - HOUR,
    subjects,
  )
  db.run('INSERT INTO self_alert (code, raised_at, subjects) VALUES (?, ?, ?)', 'DEAD_LETTERS', NOW, subjects)
  const down = (minutes: number) => ({ up: false, downSince: NOW - minutes * MINUTE, lastError: 'refused' })
  const items = otherItems({
    db,
    clock: { now: () => NOW },
    alerts: {
      destinations: new Map([
        ['long', null],
        ['short', null],
      ]),
      health: { state: (name: string) => (name === 'long' ? down(6) : down(4)) },
    },
    monitors: { states: () => ({ licenseDays: 12 }) },
    schedules: {
      list: () => [
        {
          id: 's',
          values: {},
          plan: null,
          problem: { message: 'Invalid timezone', field: 'timezone' },
          running: false,
        },
      ],
    },
    certificates: () => [{ name: 'qlik', expiresAt: NOW + 24 * HOUR }],
    licenceDays: 60,
  })
  expect(items.map(({ key, severity, cause }) => [key, severity, cause])).toEqual([
    ['destinationDown:long', 'error', 'refused'],
    ['self:CERTIFICATE_EXPIRING', 'error', 'The certificate ends soon.'],
    ['licence:server', 'warning', 'It ends in 12 days.'],
    ['scheduleInvalid:s', 'warning', 'Invalid timezone'],
  ])
})
