/** A datagram that claims a success sends no recovery and closes no incident until Qlik Sense has confirmed it. */
import { afterEach, describe, expect, test } from 'bun:test'
import { confirmationNeeds } from '../../../src/alerts/rules/recovery.ts'
import type { Rule } from '../../../src/alerts/types.ts'
import type { EventCompleter } from '../../../src/events/completer.ts'
import type { DeliveryLimits } from '../../../src/events/config.ts'
import type { Database } from '../../../src/platform/sqlite.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { TASK_ID } from '../../support/events.ts'
import { executionResult, fakeQrs, qrsTask } from '../../support/fake-qrs.ts'
import { closePipelines, EXECUTION, message, startPipeline } from '../../support/pipeline.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

const OTHER_TASK = 'a8b4c123-def4-5678-9abc-def012345679'
const SUCCESS = 'e5000000-0000-4000-8000-000000000002'
const MINUTE = 60_000

/** Keeps an incident open from a failure to a success, and sends alerts about successes. */
const incidents: Rule = {
  name: 'incidents',
  destination: 'pager',
  destinationType: 'pagerduty',
  phase: 'enriched',
  needs: [],
  when: { types: ['reload'], outcomes: ['failed'] },
  policy: { recovery: true, fallback: [], fallbackAfterMs: 0, group: 'none', groupWindowMs: 0 },
  plan: () => [{ target: 'pager', lane: 'pager' }],
}
const successes: Rule = {
  name: 'successes',
  destination: 'hook',
  destinationType: 'webhook',
  phase: 'enriched',
  needs: [],
  when: { types: ['reload'], outcomes: ['success'] },
  plan: () => [{ target: 'hook', lane: 'hook' }],
}

const iso = (at: number) => new Date(at).toISOString()
const claim = (execution: string, task = TASK_ID) =>
  message({ type: '/scheduler-reloadtask-success/', text: 'Reload complete', execution, taskId: task })
const successResult = (changes: Parameters<typeof executionResult>[0] = {}) =>
  executionResult({
    id: '0c000000-0000-4000-8000-000000000002',
    status: 7,
    taskID: TASK_ID,
    startTime: iso(Date.now() - MINUTE),
    stopTime: iso(Date.now()),
    ...changes,
  })

/** A task that has failed, with an incident about it. */
async function failedTask(delivery: Partial<DeliveryLimits> = {}) {
  const qrs = fakeQrs()
  const [started, stopped] = [iso(Date.now() - 2 * MINUTE), iso(Date.now())]
  const failure = executionResult({ startTime: started, stopTime: stopped, taskID: TASK_ID })
  qrs.results.set(EXECUTION, [failure])
  qrs.tasks_.set(TASK_ID, qrsTask({ operational: { lastExecutionResult: failure, nextExecution: '' } }))
  qrs.tasks_.set(OTHER_TASK, qrsTask({ id: OTHER_TASK }))
  let db: Database | null = null
  const completer: EventCompleter = {
    complete: (_db, event) => event,
    completePartly: (_db, event) => event,
    needs: (task, outcome) => (db ? confirmationNeeds(db, task.id, outcome, Date.now()) : []),
  }
  const box = await startPipeline({ qrs, completer, delivery, routes: [incidents, successes] })
  db = box.db
  const deliveries = () =>
    box.db
      .all<{ kind: string; route: string }>('SELECT kind, route FROM delivery ORDER BY seq')
      .map(({ kind, route }) => `${route} ${kind}`)
  await box.send(message())
  await until(() => box.routed.length === 1)
  expect(deliveries()).toEqual(['incidents alert'])
  const unconfirmed = () => box.log.lines.filter((line) => line.message.includes('has not confirmed the success'))
  return { ...box, qrs, deliveries, unconfirmed }
}

describe('a forged success', () => {
  test('with a made-up execution closes nothing; what needs no confirmation leaves at once', async () => {
    const { send, deliveries, early, routed, qrs, unconfirmed } = await failedTask({ finalStatusTimeout: 2000 })
    qrs.tasks_.set(TASK_ID, qrsTask())
    await send(claim('0bad0000-0000-4000-8000-000000000001'))
    await until(() => early.length === 1)
    expect(routed).toHaveLength(1)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
    await until(() => routed.length === 2, { timeout: 10_000 })
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
    expect(unconfirmed()).toHaveLength(1)
  })

  test.each([
    ['that names the failed execution', EXECUTION],
    ['without an execution id', ''],
  ])('%s closes nothing', async (_name, execution) => {
    const { send, deliveries, routed, unconfirmed } = await failedTask()
    await send(claim(execution))
    await until(() => routed.length === 2)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
    expect(unconfirmed()).toHaveLength(1)
  })

  test('with the execution of another task closes nothing', async () => {
    const { send, deliveries, routed, qrs } = await failedTask()
    qrs.results.set(SUCCESS, [successResult({ taskID: OTHER_TASK })])
    await send(claim(SUCCESS))
    await until(() => routed.length === 2)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
  })

  test('with a success from before the failure closes nothing', async () => {
    const { send, deliveries, routed, qrs } = await failedTask()
    qrs.results.set(SUCCESS, [successResult({ stopTime: iso(Date.now() - MINUTE) })])
    await send(claim(SUCCESS))
    await until(() => routed.length === 2)
    // The task runs again: its last result says nothing about how it ended before.
    qrs.tasks_.set(TASK_ID, qrsTask())
    const older = 'e5000000-0000-4000-8000-000000000003'
    qrs.results.set(older, [successResult({ stopTime: iso(Date.now() - 6 * MINUTE) })])
    await send(claim(older))
    await until(() => routed.length === 3)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert', 'successes alert'])
  })
})

describe('a success that Qlik Sense', () => {
  test('confirms at once closes the incident', async () => {
    const { send, deliveries, qrs, unconfirmed } = await failedTask()
    qrs.results.set(SUCCESS, [successResult()])
    await send(claim(SUCCESS))
    await until(() => deliveries().length === 3)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert', 'incidents recovery'])
    expect(unconfirmed()).toEqual([])
    const asked = () => qrs.calls.filter((call) => call.startsWith('result'))
    const before = asked().length
    await send(claim('e5000000-0000-4000-8000-000000000004'))
    await until(() => deliveries().length === 4)
    // No alert is open any more: there is nothing to confirm.
    expect(asked()).toHaveLength(before)
  })

  test('confirms slowly closes the incident then', async () => {
    const { send, deliveries, early, qrs } = await failedTask()
    qrs.results.set(SUCCESS, [successResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
    await send(claim(SUCCESS))
    await until(() => early.length === 1)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
    qrs.results.set(SUCCESS, [successResult()])
    await until(() => deliveries().includes('incidents recovery'))
  })

  test('cannot confirm before the deadline closes nothing', async () => {
    const { send, deliveries, routed, qrs, unconfirmed } = await failedTask({ finalStatusTimeout: 1500 })
    qrs.results.set(SUCCESS, [successResult()])
    qrs.down = true
    await send(claim(SUCCESS))
    await until(() => routed.length === 2)
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
    expect(unconfirmed()).toHaveLength(1)
  })

  test('confirms when it is back within the deadline closes the incident', async () => {
    const { send, deliveries, pipeline, qrs } = await failedTask()
    qrs.results.set(SUCCESS, [successResult()])
    qrs.down = true
    await send(claim(SUCCESS))
    await until(() => !pipeline.status.qrsReachable)
    expect(deliveries()).toEqual(['incidents alert'])
    qrs.down = false
    await until(() => deliveries().includes('incidents recovery'), { timeout: 10_000 })
  })

  test('refuses to confirm closes nothing', async () => {
    const { send, deliveries, routed, qrs } = await failedTask({ finalStatusTimeout: 3000 })
    const { executionResults } = qrs
    qrs.executionResults = async (id, signal) => {
      if (id === SUCCESS)
        throw new QrsError(
          'status',
          { endpoint: 'x', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] },
          { status: 403 },
        )
      return executionResults(id, signal)
    }
    await send(claim(SUCCESS))
    await until(() => routed.length === 2, { timeout: 15_000 })
    expect(deliveries()).toEqual(['incidents alert', 'successes alert'])
  }, 90_000)
})
