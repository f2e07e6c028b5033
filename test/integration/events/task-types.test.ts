/** Every type of task and every end, from the simulated scheduler's datagram to the completed event. */

import { afterEach, describe, expect, test } from 'bun:test'
import type { Need } from '../../../src/events/types.ts'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { TASK_ID } from '../../support/events.ts'
import { executionResult, fakeQrs, qrsTask } from '../../support/fake-qrs.ts'
import { closePipelines, EXECUTION, message, startPipeline } from '../../support/pipeline.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const EVERYTHING: readonly Need[] = ['app', 'owner', 'execution', 'scriptLog']
const DISTRIBUTE = '/scheduler-distribute/'

let site: TestSite | null = null
afterEach(async () => {
  await closePipelines()
  await site?.[Symbol.asyncDispose]()
  site = null
})

async function scene(settings: { needs?: readonly Need[]; pollMs?: number } = {}) {
  site = await startSite()
  const { certificates, ports } = site.simulator
  const pem = certificates.pem
  const client = createQrsClient(
    { log: site.log },
    {
      host: '127.0.0.1',
      port: ports.qrs,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      rejectUnauthorized: true,
      certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
    },
  )
  const pipeline = await startPipeline({
    client,
    needs: settings.needs ?? EVERYTHING,
    distribute: { pollInterval: settings.pollMs ?? 200 },
  })
  site.simulator.setUdpTarget({ host: '127.0.0.1', port: pipeline.port })
  return { ...pipeline, simulator: site.simulator, client }
}

const RELOAD = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const PROGRAM = '71000000-0000-4000-8000-000000000001'
const USER_SYNC = '72000000-0000-4000-8000-000000000001'
const DISTRIBUTION = '73000000-0000-4000-8000-000000000001'
const PRELOAD = '74000000-0000-4000-8000-000000000001'

const TASKS = [
  { type: 'reload', id: RELOAD, app: 'Sales ETL' },
  { type: 'externalProgram', id: PROGRAM, app: '' },
  { type: 'userSync', id: USER_SYNC, app: '' },
  { type: 'distribute', id: DISTRIBUTION, app: 'HR Insights' },
  { type: 'preload', id: PRELOAD, app: 'Sales Dashboard' },
] as const

const ENDS = [
  { outcome: 'success', status: 7 },
  { outcome: 'failed', status: 8 },
  { outcome: 'aborted', status: 6 },
] as const

describe('every type of task', () => {
  test('is completed for each of its ends', async () => {
    const { simulator, routed, client } = await scene()
    simulator.setModes({ scheduler: { userSyncFailures: true } })
    for (const { outcome, status } of ENDS) {
      for (const { id } of TASKS) {
        simulator.setTask(id, {
          outcome: outcome === 'failed' ? 'fail' : 'success',
          durationMs: outcome === 'aborted' ? 60_000 : 100,
          maxRetries: 0,
        })
        simulator.runTask(id)
      }
      if (outcome === 'aborted') {
        await until(() =>
          TASKS.every(({ id }) => simulator.site.tasks.get(id)?.operational.lastExecutionResult.status === 2),
        )
        for (const { id } of TASKS) simulator.abort(id)
      }
      const done = () => TASKS.map(({ id }) => routed.find((event) => event.taskId === id && event.outcome === outcome))
      await until(() => done().every((event) => event !== undefined), {
        timeout: 20_000,
        state: () => [outcome, routed.map((event) => `${event.type} ${event.outcome}`)],
      })
      for (const [index, { type, id, app }] of TASKS.entries()) {
        expect(done()[index]).toMatchObject({
          type,
          outcome,
          taskId: id,
          appName: app,
          missingParts: [],
          severity: { success: 'info', failed: 'error', aborted: 'warning' }[outcome],
          task: { id },
          execution: { status, taskID: id },
        })
        expect(done()[index]!.scriptLog !== null).toBe(type === 'reload')
      }
    }
    expect(routed).toHaveLength(TASKS.length * ENDS.length)
    client.close()
  }, 60_000)
})

describe('a distribution', () => {
  test('is looked at until it is final; nothing is said about it before', async () => {
    const { simulator, routed, arrived, client } = await scene({ needs: [] })
    simulator.setTask(DISTRIBUTION, { durationMs: 1500 })
    simulator.runTask(DISTRIBUTION)
    await until(() => simulator.datagrams().length === 1)
    await until(
      () => simulator.requests({ listener: 'qrs' }).filter(({ path }) => /executionresult/.test(path)).length > 1,
    )
    expect(arrived).toEqual([])
    await until(() => routed.length === 1, { timeout: 10_000 })
    expect(routed[0]).toMatchObject({ type: 'distribute', outcome: 'success', execution: { status: 7 } })
    expect(arrived).toEqual(routed)
    client.close()
  }, 90_000)

  test.each([
    [6, 'aborted'],
    [7, 'success'],
    [8, 'failed'],
    [9, 'aborted'],
    [11, 'failed'],
    [12, 'aborted'],
  ])('of status %i has ended: %s', async (status, outcome) => {
    const qrs = fakeQrs()
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 3 }))
    const stopTime = status === 9 || status === 12 ? '1753-01-01T00:00:00.000Z' : '2026-03-02T06:03:11.482Z'
    qrs.results.set(EXECUTION, [executionResult({ status, stopTime })])
    const { send, routed } = await startPipeline({ qrs, needs: [], distribute: { pollInterval: 20 } })
    await send(message({ type: DISTRIBUTE }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ type: 'distribute', outcome })
  })

  test.each([1, 2, 3, 4, 5, 10, 13, 14])('of status %i goes on', async (status) => {
    const qrs = fakeQrs()
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 3 }))
    qrs.results.set(EXECUTION, [executionResult({ status })])
    const { send, routed } = await startPipeline({ qrs, needs: [], distribute: { pollInterval: 20 } })
    await send(message({ type: DISTRIBUTE }))
    await until(() => qrs.calls.filter((call) => call === `result ${EXECUTION}`).length > 2)
    expect(routed).toHaveLength(0)
    qrs.results.set(EXECUTION, [executionResult({ status: 7 })])
    await until(() => routed.length === 1)
  })

  test('without an execution id is the run that went on when the message came, however late it ends', async () => {
    const qrs = fakeQrs()
    const now = Date.now()
    const last = executionResult({
      startTime: new Date(now - 1000).toISOString(),
      stopTime: new Date(now + 3_600_000).toISOString(),
      status: 8,
    })
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 3, operational: { lastExecutionResult: last } }))
    const { send, routed } = await startPipeline({ qrs, needs: [], distribute: { pollInterval: 20 } })
    await send(message({ type: DISTRIBUTE, execution: '(null)' }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ outcome: 'failed' })
  })

  test('without a connection to Qlik Sense is recorded; nobody is told that it succeeded', async () => {
    const { send, routed, arrived, db } = await startPipeline({ qrsConnection: false })
    await send(message({ type: DISTRIBUTE }))
    await until(() => db.get(`SELECT 1 FROM event WHERE state = 'ignored' AND reason = 'TASK_TYPE_UNKNOWN'`))
    expect([...arrived, ...routed]).toEqual([])
  })
})

describe('the app of a preload', () => {
  test('is that of its task, whatever the message says', async () => {
    const qrs = fakeQrs()
    const app = { id: 'a1000000-0000-4000-8000-000000000009', name: 'Of the task' }
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 4, app }))
    qrs.apps.set(app.id, { ...app, tags: [], customProperties: [] })
    const { send, routed } = await startPipeline({ qrs, needs: ['app'] })
    await send(message({ text: 'Could not reserve an executor for task' }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ type: 'preload', appId: app.id, appName: app.name, app })
  })
})

describe('what the watchdog finds', () => {
  test.each(['late', 'stuck', 'neverStarted'] as const)(
    '%s knows task and app and waits for no result',
    async (outcome) => {
      const qrs = fakeQrs()
      qrs.results.clear()
      const { emitter, routed } = await startPipeline({ qrs })
      const details = { kind: 'watchdog', elapsedMs: 900_000, limitMs: 600_000, usualMs: 60_000, dueAt: null } as const
      await emitter.emit({
        source: 'watchdog',
        type: 'reload',
        outcome,
        enrich: true,
        details,
        message: { taskId: TASK_ID, executionId: EXECUTION },
      })
      await until(() => routed.length === 1)
      expect(routed[0]).toMatchObject({
        outcome,
        severity: 'warning',
        details,
        missingParts: [],
        execution: null,
        scriptLog: null,
        taskName: 'Financial Dashboard Reload',
        appName: 'Sales Dashboard',
        owner: { userId: 'anna' },
      })
      expect(qrs.calls.some((call) => /^(result|log)/.test(call))).toBe(false)
    },
  )
})
