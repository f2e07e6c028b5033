/** Triggers by events of Qlik Sense: which ones an event concerns, and when Qlik Sense is asked again. */
import { describe, expect, test } from 'bun:test'
import {
  type ArmedQlikEvent,
  afterAnswer,
  concernedByEnd,
  mayConcern,
  newReload,
} from '../../../../src/reports/triggers/qlik-rules.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../../support/events.ts'
import { qrsTask } from '../../../support/fake-qrs.ts'
import { storedTask, TRIGGER } from '../../../support/report-triggers.ts'
import { endedExecution, executionId, HOUR, MINUTE, NOW, SECOND } from '../../../support/safety-net.ts'

const DAY = 24 * HOUR

/** In force since an hour. */
function armed(changes: object = {}, since = NOW - HOUR): ArmedQlikEvent {
  const task = storedTask([{ type: 'qlikEvent', event: 'taskFailed', match: { taskId: [TASK_ID] }, ...changes }])
  return { task, trigger: task.triggers[0] as ArmedQlikEvent['trigger'], triggerId: TRIGGER, definition: '', since }
}
const property = (value: string) => ({ value, definition: { id: 'p', name: 'ReportsAfter' } })

describe('the end of an execution', () => {
  const ended = { stoppedAt: NOW }
  test.each([
    ['of the task', {}, {}, {}, true],
    ['of another task', { match: { taskId: [TRIGGER] } }, {}, {}, false],
    ['of its id in capitals', {}, {}, { id: TASK_ID.toUpperCase() }, true],
    ['of a task of the app', { match: { appId: [APP_ID] } }, {}, {}, true],
    ['of a task without an app', { match: { appId: [APP_ID] } }, {}, { app: null }, false],
    ['of a task with the tag', { match: { tag: ['hourly-reload'] } }, {}, {}, true],
    ['of a task with the tag in capitals', { match: { tag: ['Hourly-Reload'] } }, {}, {}, false],
    [
      'of a task with the custom property',
      { match: { customProperty: [{ name: 'ReportsAfter', value: 'sales' }] } },
      {},
      { customProperties: [property('finance'), property('sales')] },
      true,
    ],
    [
      'of a task with another value of it',
      { match: { customProperty: [{ name: 'ReportsAfter', value: 'sales' }] } },
      {},
      { customProperties: [property('finance')] },
      false,
    ],
    ['and no condition', { match: {} }, {}, {}, false],
    ['as a success', {}, { outcome: 'success' }, {}, false],
    ['as it was skipped', {}, { outcome: 'skipped' }, {}, false],
    ['by an abort', { event: 'taskAborted' }, { outcome: 'aborted' }, {}, true],
    ['without an id', {}, { executionId: null, resultId: null }, {}, false],
    ['when the trigger was made', {}, { stoppedAt: NOW - HOUR }, {}, true],
    ['before the trigger was made', {}, { stoppedAt: NOW - HOUR - 1 }, {}, false],
    ['before its window', { start: new Date(NOW + 1).toISOString() }, {}, {}, false],
    ['after its window', { end: new Date(NOW).toISOString() }, {}, {}, false],
  ] as const)('%s', (_what, trigger, execution, task, expected) => {
    const end = {
      execution: endedExecution({ ...ended, ...execution }),
      task: qrsTask({ ...task } as Parameters<typeof qrsTask>[0]),
      resultIds: [],
    }
    expect(concernedByEnd([armed(trigger)], end)).toHaveLength(expected ? 1 : 0)
  })

  test('has the execution as key, else its result', () => {
    const keyOf = (changes: object) =>
      concernedByEnd([armed()], { execution: endedExecution(changes), task: qrsTask(), resultIds: [] })[0]!
    expect(keyOf({ stoppedAt: NOW })).toMatchObject({
      id: TASK_ID,
      key: executionId(1),
      at: NOW,
      detail: { event: 'taskFailed', taskId: TASK_ID, executionId: executionId(1) },
    })
    expect(keyOf({ executionId: null, resultId: 'r1' }).key).toBe('r1')
  })
})

test.each([
  ['of the task', {}, {}, true],
  ['of its id in capitals', {}, { taskId: TASK_ID.toUpperCase() }, true],
  ['of another task', {}, { taskId: TRIGGER }, false],
  ['of another task, which may have the tag', { match: { tag: ['a'] } }, { taskId: TRIGGER }, true],
  ['of another task, which may be of the app', { match: { appId: [APP_ID] } }, { taskId: TRIGGER }, true],
  ['with another outcome', {}, { outcome: 'success' }, false],
  ['that is no end', {}, { outcome: 'late' }, false],
  ['in a test', {}, { test: true }, false],
  ['of a service', {}, { type: 'service' }, false],
] as const)('a message %s', (_what, trigger, changes, expected) => {
  expect(mayConcern([armed(trigger)], taskEvent(changes))).toBe(expected)
})

describe('a reload of an app', () => {
  const app = { id: APP_ID, name: 'Sales' }
  const at = (time: number) => ({ ...app, lastReloadTime: new Date(time).toISOString() })

  test.each([
    ['at a time that is new', at(NOW), NOW - 1, { at: NOW, count: 1 }],
    ['at the first look is recorded', at(NOW), null, { at: NOW, count: 0 }],
    ['that is known', at(NOW), NOW, null],
    ['from an older snapshot', at(NOW - 1), NOW, null],
    ['that never was', app, null, null],
    ['at no time', { ...app, lastReloadTime: 'soon' }, null, null],
    ['before the trigger was made is recorded', at(NOW - HOUR - 1), NOW - DAY, { at: NOW - HOUR - 1, count: 0 }],
  ])('%s', (_what, found, knownAt, expected) => {
    const reload = newReload([armed({ event: 'appReloaded', match: { appId: [APP_ID] } })], found, knownAt)
    expect(reload && { at: reload.at, count: reload.concerned.length }).toEqual(expected)
  })

  test('has app and time as key', () => {
    const [one] = newReload([armed()], at(NOW), NOW - 1)!.concerned
    expect(one).toMatchObject({ id: APP_ID, key: `${APP_ID} ${new Date(NOW).toISOString()}`, at: NOW })
  })
})

describe('a message after the answer', () => {
  const pauses = { retryMs: [5 * SECOND, 30 * SECOND], downMs: MINUTE }
  type Row = readonly [what: string, attempts: number, isSettled: boolean, isUnreachable: boolean, expected: object]
  const rows: readonly Row[] = [
    ['that shows the end', 0, true, false, { nextAt: null }],
    ['that does not show it', 0, false, false, { attempts: 1, nextAt: NOW + 5 * SECOND }],
    ['that does not show it again', 1, false, false, { attempts: 2, nextAt: NOW + 30 * SECOND }],
    ['that does not show it a third time', 2, false, false, { nextAt: null }],
    ['that did not come', 0, false, true, { attempts: 0, nextAt: NOW + MINUTE }],
    ['that did not come after others', 2, false, true, { attempts: 2, nextAt: NOW + MINUTE }],
    ['that came before the connection was lost', 0, true, true, { nextAt: null }],
  ]
  test.each(rows)('%s', (_what, attempts, isSettled, isUnreachable, expected) => {
    const settled = new Set(isSettled ? ['e1'] : [])
    const [after] = afterAnswer([{ executionId: 'e1', attempts }], { settled, isUnreachable }, NOW, pauses)
    expect(after).toMatchObject(expected)
  })
})
