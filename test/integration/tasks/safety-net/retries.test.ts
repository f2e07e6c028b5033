/** Retries from the scheduler's message to the alert, against the simulated site, with a clock that is moved on. */
import { afterEach, expect, test } from 'bun:test'
import type { EventCompleter } from '../../../../src/events/completer.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { createQrsClient } from '../../../../src/qlik/qrs/client.ts'
import { createRetryPlanner, createRetryRunner, retrySuppression } from '../../../../src/tasks/safety-net/retries.ts'
import { openRetries } from '../../../../src/tasks/safety-net/store.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import { closePipelines, startPipeline } from '../../../support/pipeline.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { policiesOf, safetyNetDatabase, setTaskProperty } from '../../../support/safety-net.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../../support/simulator.ts'
import { until } from '../../../support/wait.ts'

const FLAKY = '70000000-0000-4000-8000-000000000008'
const LIMITS = { enable: true, maxPerTaskPerDay: 10, maxPerHour: 20 }

const closers: (() => unknown)[] = []
afterEach(async () => {
  await closePipelines()
  for (const close of closers.splice(0).reverse()) await close()
})

async function scene(filter: { enable: boolean } = { enable: false }) {
  const site: TestSite = await startSite()
  closers.push(() => site[Symbol.asyncDispose]())
  const { simulator } = site
  const { pem } = simulator.certificates
  const log = recordingLog()
  const client = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
    },
  )
  closers.push(client.close)
  let offset = 0
  const clock = { now: () => Date.now() + offset }
  const db = safetyNetDatabase()
  const policies = policiesOf(log)
  const planner = createRetryPlanner(
    { clock, log, policyOf: (task) => policies.retryOf(task).value, onPlanned: () => undefined },
    LIMITS,
  )
  const completer: EventCompleter = { complete: (_db, event) => planner.plan(db, event), needs: planner.needs }
  const pipeline = await startPipeline({ client, completer, needs: [] })
  simulator.setUdpTarget({ host: '127.0.0.1', port: pipeline.port })
  const released: string[] = []
  const start = createStartTask(
    { qrs: client, log, clock },
    {
      shadow: false,
      startTaskFilter: { ...filter, allowTask: { taskId: [], tag: [], customProperty: [] } },
      startFilter: { appliesTo: ['retry'] },
    },
  )
  const runner = createRetryRunner(
    {
      db,
      writer: createGroupWriter(db),
      clock,
      log,
      start,
      qrs: client,
      release: (_db, eventId, refused) => void released.push(`${eventId} ${refused}`),
      released: () => undefined,
    },
    LIMITS,
  )
  await runner.start()
  closers.push(() => runner.stop(0))
  simulator.setTask(FLAKY, { durationMs: 30, maxRetries: 0, outcome: 'fail' })
  setTaskProperty(simulator, FLAKY, 'retryPolicy', '3x/10s')

  async function due(): Promise<void> {
    await until(() => openRetries(db).length > 0)
    offset += 10_000
    runner.wake()
  }

  return {
    simulator,
    released,
    db,
    ended: pipeline.routed,
    due,
    /** The time of the next retry has come, and its end has been told. */
    async next(): Promise<TaskEvent> {
      const before = pipeline.routed.length
      await due()
      await until(() => pipeline.routed.length > before, { timeout: 15_000 })
      return pipeline.routed.at(-1)!
    },
    async first(): Promise<TaskEvent> {
      simulator.runTask(FLAKY)
      await until(() => pipeline.routed.length === 1, { timeout: 15_000 })
      return pipeline.routed[0]!
    },
  }
}

const alertsOf = (events: readonly TaskEvent[]) =>
  events.filter(
    (event) => event.outcome === 'failed' && retrySuppression(undefined as never, { event } as never) === null,
  )

test('a task that succeeds at the second retry bothers nobody', async () => {
  const { first, next, simulator, ended, db } = await scene()
  await first()
  await next()
  simulator.setTask(FLAKY, { outcome: 'success' })
  await next()
  expect(ended.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'success'])
  expect([alertsOf(ended), openRetries(db)]).toEqual([[], []])
}, 90_000)

test('a task that always fails is tried three times more and makes one alert that says 3 of 3', async () => {
  const { first, next, ended } = await scene()
  await first()
  for (let attempt = 1; attempt <= 3; attempt += 1) await next()
  expect(ended.map(({ retry }) => [retry?.attempt, retry?.max])).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
    [3, 3],
  ])
  expect(alertsOf(ended).map(({ retry }) => retry)).toEqual([{ attempt: 3, max: 3, nextAt: null, refused: null }])
  expect(new Set(ended.map(({ executionId }) => executionId)).size).toBe(4)
}, 90_000)

test('a task that the start filter does not allow is not started again, and the alert says so', async () => {
  const { first, due, released, simulator } = await scene({ enable: true })
  const event = await first()
  await due()
  const runs = simulator.site.executions.byTask(FLAKY).length
  await until(() => released.length > 0, { timeout: 20_000 })
  expect(released).toEqual([`${event.id} Butler.startTaskFilter does not allow it`])
  expect(simulator.site.executions.byTask(FLAKY)).toHaveLength(runs)
}, 90_000)
