/** The rules of runs: which begin, with which outcome one ends, what a restart does with it. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { levelOf, ReportError, type RunCode } from '../../../../src/reports/codes.ts'
import { DEFAULT_OPTIONS } from '../../../../src/reports/runs/admission.ts'
import type { RunRecord, Sealed } from '../../../../src/reports/runs/ledger.ts'
import {
  afterRestart,
  beginning,
  CANCELLED,
  deliveryAfterRestart,
  endBy,
  failure,
  keptStates,
  loadOf,
  noMailSent,
  outcomeOf,
  testAddressOf,
  type UnderWay,
} from '../../../../src/reports/runs/run-rules.ts'
import { exampleDefinition } from '../../../support/report-runs.ts'

const queued = (id: string, changes: Partial<RunRecord> = {}) =>
  ({ id, taskId: id[0]!, state: 'queued', cancelled: false, ...changes }) as RunRecord
const works = (taskId: string): UnderWay => ({ taskId, isWaiting: false, holdsTask: true })

describe('runs that begin', () => {
  const idle = { isWaiting: true, holdsTask: true }
  test.each<[string, readonly RunRecord[], Readonly<Record<string, UnderWay>>, readonly string[]]>([
    ['in their order, as many as may', [queued('a1'), queued('b1'), queued('c1')], {}, ['a1', 'b1']],
    ['one of a task', [queued('a1'), queued('a2'), queued('b1')], {}, ['a1', 'b1']],
    ['beside one that works', [queued('b1'), queued('c1')], { a1: works('a') }, ['b1']],
    ['none of a task that is busy', [queued('a2'), queued('b1')], { a1: works('a') }, ['b1']],
    ['not beside two that work', [queued('c1')], { a1: works('a'), b1: works('b') }, []],
    ['beside those that wait', [queued('c1'), queued('d1')], { a1: { taskId: 'a', ...idle }, b1: works('b') }, ['c1']],
    ['none of a task whose mails wait', [queued('a2')], { a1: { taskId: 'a', ...idle } }, []],
    ['of a task whose files wait', [queued('a2')], { a1: { taskId: 'a', isWaiting: true, holdsTask: false } }, ['a2']],
    ['not cancelled ones', [queued('a1', { cancelled: true }), queued('b1')], {}, ['b1']],
    [
      'not those that are made or delivered',
      [queued('a1', { state: 'running' }), queued('b1', { state: 'delivering' })],
      {},
      [],
    ],
    [
      'not those that have begun already',
      [queued('a1')],
      { a1: { taskId: 'z', isWaiting: true, holdsTask: false } },
      [],
    ],
  ])('%s', (_, open, underWay, expected) => {
    expect(beginning(open, new Map(Object.entries(underWay)), 2).map(({ id }) => id)).toEqual([...expected])
  })

  test('never two of a task, never more than may, and all that may', () => {
    const runs = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(9)), {
      selector: String,
      maxLength: 12,
    })
    const step = fc.oneof(fc.constant('end'), fc.constant('files wait'), fc.constant('mails wait'))
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 40 }), (ids, most, steps) => {
        let waiting = ids.map(([task, number]) => queued(`${task}${number}`))
        const underWay = new Map<string, UnderWay>()
        for (const one of [...steps, ...ids.map(() => 'end')]) {
          const begun = beginning(waiting, underWay, most)
          for (const { id, taskId } of begun) underWay.set(id, works(taskId))
          waiting = waiting.filter((run) => !begun.includes(run))
          const { taskIds, working } = loadOf(underWay.values())
          expect(new Set(taskIds).size).toBe(taskIds.length)
          expect(working).toBeLessThanOrEqual(most)
          const free = waiting.filter(({ taskId }) => !taskIds.includes(taskId))
          if (working < most) expect(free).toEqual([])
          const [id, before] = [...underWay].find(([, { isWaiting }]) => !isWaiting) ?? [...underWay][0] ?? []
          if (!id || !before) break
          // Mails that have left do not come back.
          const holdsTask = before.holdsTask && one === 'mails wait'
          if (one === 'end') underWay.delete(id)
          else underWay.set(id, { ...before, isWaiting: true, holdsTask })
        }
      }),
    )
  })
})

test.each<[string, unknown, boolean, number | null, object]>([
  ['a cancel', new Error('broken'), true, 30, CANCELLED],
  [
    'the time limit',
    new ReportError('ENGINE_UNREACHABLE', 'gone'),
    false,
    30,
    failure('RUN_TIMEOUT', 'not made within 30 minutes'),
  ],
  [
    'a fault with a code',
    new ReportError('APP_NO_DATA', 'x', { report: 'a' }),
    false,
    null,
    failure('APP_NO_DATA', 'x', 'a'),
  ],
  ['another fault', new Error('broken'), false, null, failure('INTERNAL', 'broken')],
])('documents that could not be made by %s', (_, error, isCancelled, limit, expected) => {
  expect(endBy(error, isCancelled, limit)).toEqual(expected as never)
})

const events = (...codes: readonly RunCode[]) => codes.map((code) => ({ code, level: levelOf(code) }))
const sealed = (skipped: RunCode | null = null): Sealed => ({
  app: { name: '', lastReload: null },
  skipped,
  states: { delivered: { key: 'after' as never }, notDelivered: { key: 'before' as never } },
})
test.each<[string, Partial<RunRecord>, Parameters<typeof outcomeOf>[1], readonly RunCode[], string]>([
  ['all went well', { sealed: sealed() }, null, ['COALESCED', 'REPORT_SKIPPED'], 'success null'],
  ['the first warning', { sealed: sealed() }, null, ['ROWS_TRUNCATED', 'FILE_RENAMED'], 'warning ROWS_TRUNCATED'],
  [
    'an error before every warning',
    { sealed: sealed() },
    null,
    ['ROWS_TRUNCATED', 'FILTER_EMPTY', 'HUB_OFF'],
    'error FILTER_EMPTY',
  ],
  ['nothing to do', { sealed: sealed('CONDITION_NOT_MET') }, null, ['ADDRESS_INVALID'], 'skipped CONDITION_NOT_MET'],
  ['cancelled during the delivery', { sealed: sealed(), cancelled: true }, null, ['FILTER_EMPTY'], 'cancelled null'],
  ['cancelled before', {}, CANCELLED, ['FILTER_EMPTY'], 'cancelled null'],
  ['not made', {}, failure('INTERNAL', ''), ['INTERNAL'], 'error INTERNAL'],
  [
    'late',
    {},
    { outcome: 'skipped', code: 'MISSED_SCHEDULE', details: '' },
    ['MISSED_SCHEDULE'],
    'skipped MISSED_SCHEDULE',
  ],
])('the outcome: %s', (_, run, end, codes, expected) => {
  expect(
    outcomeOf({ cancelled: false, sealed: null, ...run }, end, events(...codes))
      .join(' ')
      .replace(/ $/, ' null'),
  ).toBe(expected)
})

const delivery = (channel: string, state: string) => ({ channel, state }) as Parameters<typeof noMailSent>[0][number]
const mail = (state: string) => delivery('email', state)
test.each([
  ['no mail at all', [delivery('storage', 'failed')], false],
  ['all failed', [mail('failed'), mail('failed'), delivery('storage', 'sent')], true],
  ['all that were not left out failed', [mail('failed'), mail('skipped')], true],
  ['all were left out', [mail('skipped')], false],
  ['one was sent', [mail('failed'), mail('sent')], false],
  ['one may have been sent', [mail('failed'), mail('unknown')], false],
])('no mail was sent: %s', (_, deliveries, expected) => expect(noMailSent(deliveries)).toBe(expected))

test.each<[string, Partial<RunRecord>, readonly ReturnType<typeof mail>[], object]>([
  ['something was delivered', {}, [mail('sent')], { key: 'after' }],
  ['with a warning', { outcome: 'warning' }, [mail('failed'), delivery('storage', 'sent')], { key: 'after' }],
  ['nothing was', {}, [mail('failed')], { key: 'before' }],
  ['only the mail about the outcome was', {}, [delivery('notification', 'sent')], { key: 'before' }],
  ['the run failed', { outcome: 'error' }, [mail('sent')], { key: 'before' }],
  ['a test', { test: true }, [mail('sent')], {}],
  ['a dry run', { options: { ...DEFAULT_OPTIONS, dryRun: true } }, [mail('sent')], {}],
  ['nothing was made', { sealed: null }, [], {}],
])('states of conditions that stay: %s', (_, changes, deliveries, expected) => {
  const run = { test: false, options: DEFAULT_OPTIONS, sealed: sealed(), outcome: 'success' as const, ...changes }
  expect(keptStates(run, deliveries)).toEqual(expected as never)
})

test('the address of test mode: of Footman, of the start, of the task', () => {
  const { task } = exampleDefinition({ testMode: { enabled: true, address: 'task@x.com' } })
  const start = { ...DEFAULT_OPTIONS, testAddress: 'start@x.com' }
  const all = { testAddress: 'all@x.com' }
  const none = { testAddress: null }
  expect(testAddressOf({ test: false, options: start }, task, all)).toBe(null)
  expect(testAddressOf({ test: true, options: start }, task, all)).toBe('all@x.com')
  expect(testAddressOf({ test: true, options: start }, task, none)).toBe('start@x.com')
  expect(testAddressOf({ test: true, options: DEFAULT_OPTIONS }, task, none)).toBe('task@x.com')
  expect(testAddressOf({ test: true, options: DEFAULT_OPTIONS }, exampleDefinition().task, none)).toBe('')
})

const NOW = Date.parse('2026-03-02T07:00:00Z')
const scheduled = exampleDefinition({
  triggers: [{ type: 'schedule', id: 'c2e0c1b4-0000-4000-8000-000000000001', cron: '0 6 * * *', maxDelayMinutes: 30 }],
})
const fired = (minutesAgo: number, triggerId = scheduled.task.triggers[0]!.id) => {
  const firedAt = new Date(NOW - minutesAgo * 60_000).toISOString()
  return { trigger: { type: 'schedule', triggerId, key: '', firedAt, detail: {} } } as Partial<RunRecord>
}
test.each<[string, Partial<RunRecord>, boolean, string]>([
  ['one with a plan', { state: 'delivering', cancelled: true }, true, 'deliver'],
  ['a cancelled one', { cancelled: true }, true, 'cancelled null'],
  ['one that was made', { state: 'running' }, true, 'make again'],
  ['a cancelled one that was made', { state: 'running', cancelled: true }, true, 'cancelled null'],
  ['one that waits', {}, true, 'wait'],
  ['a scheduled one in time', fired(30), true, 'wait'],
  ['a late one', fired(31), true, 'skipped MISSED_SCHEDULE'],
  ['a late one that had begun before', { ...fired(31), startedAt: NOW }, true, 'wait'],
  ['a late one of a trigger that is gone', fired(31, 'gone'), true, 'wait'],
  ['a late one of a task that is gone', fired(31), false, 'wait'],
])('a restart finds %s', (_, changes, exists, expected) => {
  const run = {
    state: 'queued' as const,
    cancelled: false,
    startedAt: null,
    trigger: { type: 'manual' as const, triggerId: null, key: '', firedAt: '', detail: {} },
    ...changes,
  }
  const step = afterRestart(run, exists ? scheduled : null, NOW)
  expect(typeof step === 'string' ? step : `${step.outcome} ${step.code}`).toBe(expected)
})

test.each([
  ['email', 'sending', 'unknown', 'planned'],
  ['notification', 'sending', 'unknown', 'planned'],
  ['storage', 'sending', null, null],
  ['hub', 'sending', null, null],
  ['email', 'planned', null, null],
  ['email', 'retry', null, null],
  ['email', 'sent', null, null],
] as const)('a restart finds a delivery, %s %s', (channel, state, held, again) => {
  const one = delivery(channel, state)
  expect([deliveryAfterRestart(one, 'hold'), deliveryAfterRestart(one, 'resend')]).toEqual([held, again])
})
