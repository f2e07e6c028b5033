/** Whether a retry is made, by what Qlik Sense shows of its task. */
import { describe, expect, test } from 'bun:test'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { judge, type OnSite, whyRefused } from '../../../../src/tasks/safety-net/retries.ts'
import type { Retry } from '../../../../src/tasks/safety-net/store.ts'
import { TASK_ID } from '../../../support/events.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'
import { executionId, MINUTE, NOW } from '../../../support/safety-net.ts'

const retry = (changes: Partial<Retry> = {}): Retry => ({
  id: 'r1',
  taskId: TASK_ID,
  eventId: 'ev1',
  executionId: executionId(1),
  attempt: 1,
  max: 3,
  dueAt: NOW,
  state: 'due',
  reportedAt: NOW,
  ...changes,
})

describe('a retry whose time has come', () => {
  type Asked = Parameters<typeof whyRefused>[1]
  const ASKED: Asked = { isEnabled: true, now: NOW, broken: () => null }
  test.each<readonly [what: string, Partial<Retry>, Partial<Asked>, string | null]>([
    ['in time', {}, {}, null],
    ['as late as it may be', {}, { now: NOW + 15 * MINUTE }, null],
    ['too late', {}, { now: NOW + 15 * MINUTE + 1 }, 'Footman was away when it was due'],
    ['too late, but perhaps started before', { state: 'starting' }, { now: NOW + 60 * MINUTE }, null],
    ['with retries switched off', {}, { isEnabled: false }, 'retryPolicy.enable is false'],
    [
      'perhaps started before they were switched off',
      { state: 'starting' },
      { isEnabled: false },
      'retryPolicy.enable',
    ],
    ['above a limit', {}, { broken: () => 'too many' }, 'too many'],
    ['perhaps started, above a limit', { state: 'starting' }, { broken: () => 'too many' }, null],
  ])('%s', (_what, changes, asked, expected) => {
    const reason = whyRefused(retry(changes), { ...ASKED, ...asked })
    if (expected === null) expect(reason).toBeNull()
    else expect(reason).toContain(expected)
  })
})

describe('a retry is judged by the task in Qlik Sense', () => {
  /** A task whose last run has that status. */
  const ran = (status: number, stopTime = NOW, changes: Partial<QrsTask> = {}): QrsTask => {
    const lastExecutionResult = executionResult({ status, stopTime: new Date(stopTime).toISOString() })
    return qrsTask({ operational: { nextExecution: '', lastExecutionResult }, ...changes })
  }
  const [SUCCESS, FAILED, STARTED, QUEUED] = [7, 8, 2, 3]
  const site = (task: QrsTask | null, lastExecutionId: string | null, hasFailedBefore = false): OnSite => ({
    task,
    lastExecutionId,
    hasFailedBefore,
  })
  const [OWN, LATER] = [executionId(1), executionId(2)]

  type Row = readonly [what: string, site: OnSite, retry: Partial<Retry>, whenDue: string, whenStarting: string]
  const rows: readonly Row[] = [
    ['its failure is the last run', site(ran(FAILED), OWN), {}, 'start', 'start'],
    ['its failure is the last run, in capitals', site(ran(FAILED), OWN.toUpperCase()), {}, 'start', 'start'],
    ['an unknown run has failed last', site(ran(FAILED), null), {}, 'start', 'start'],
    [
      'a message without an id is about the last failure',
      site(ran(FAILED), LATER),
      { executionId: '' },
      'start',
      'start',
    ],
    ['it has run again after the failure', site(ran(FAILED), LATER, true), {}, 'superseded', 'was started'],
    ['it has run again with success', site(ran(SUCCESS), LATER, true), {}, 'superseded', 'was started'],
    ['it runs', site(ran(STARTED), null), {}, 'superseded', 'was started'],
    ['it waits', site(ran(QUEUED), null), {}, 'superseded', 'was started'],
    ['the execution of the message has not failed', site(ran(FAILED), LATER), {}, 'refused', 'start'],
    ['the last run has succeeded', site(ran(SUCCESS), OWN), {}, 'refused', 'start'],
    ['it has never run', site(qrsTask(), null), {}, 'refused', 'start'],
    ['it failed just before the message', site(ran(FAILED, NOW - 15 * MINUTE), OWN), {}, 'start', 'start'],
    ['it failed long before the message', site(ran(FAILED, NOW - 15 * MINUTE - 1), OWN), {}, 'refused', 'start'],
    ['its event is gone', site(ran(FAILED, NOW - 60 * MINUTE), OWN), { reportedAt: null }, 'start', 'start'],
    ['it is disabled', site(ran(FAILED, NOW, { enabled: false }), OWN), {}, 'refused', 'start'],
    ['it is gone', site(null, null), {}, 'refused', 'start'],
  ]
  test.each(rows)('%s', (_what, onSite, changes, whenDue, whenStarting) => {
    const found = (['due', 'starting'] as const).map((state) => {
      const verdict = judge(retry({ ...changes, state }), onSite)
      return typeof verdict === 'string' ? verdict : verdict.state
    })
    expect<readonly string[]>(found).toEqual([whenDue, whenStarting])
  })
})
