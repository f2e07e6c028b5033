/** One run that was tried several times: all endpoints give one duration, and one reason of its failure. */
import { expect, test } from 'bun:test'
import { FLAKY, get, post, product, site, startExecutionScene } from '../support/execution-scene.ts'
import { until } from '../support/wait.ts'

const BROKEN = '71000000-0000-4000-8000-000000000002'
const REASON = 'External program exited with exit code 1'

startExecutionScene()

/** Starts a task that is tried three times, and waits until the history has all of it. */
async function runOf(taskId: string) {
  site.simulator.setModes({ scheduler: { retryDelayMs: 700 } })
  const { body } = await post(`${taskId}/start?wait=60`)
  const executionId = body.tasksStarted[0]!.executionId
  const known = async () => {
    const { executions } = (await get(`/v4/history?taskId=${taskId}`)).body as { executions: Run[] }
    return executions.find((one) => one.executionId === executionId && one.attempts === 3)
  }
  return until(known, { timeout: 60_000 })
}

interface Run {
  readonly executionId: string
  readonly attempts: number
  readonly runMs: number
  readonly error: string | null
}

test('has one duration, from the first start to the last end', async () => {
  const { executionId, runMs } = await runOf(FLAKY)
  expect(runMs).toBeGreaterThan(1400)
  const answers = {
    '/v4/execution': (await get(`/v4/execution/${executionId}`)).body,
    '/v4/executions': firstOf(await get(`/v4/executions?id=${executionId}`), 'executions'),
    '/v4/tasks': firstOf(await get(`/v4/tasks?taskId=${FLAKY}`), 'tasks').last,
    '/v4/tasks/{taskId}': (await get(`/v4/tasks/${FLAKY}`)).body.last,
    '/v4/tasks/{taskId}/durations': firstOf(await get(`/v4/tasks/${FLAKY}/durations`), 'points'),
  }
  for (const [path, answer] of Object.entries(answers)) {
    expect([path, answer]).toEqual([path, expect.objectContaining({ executionId, runMs })])
  }
  const { usual } = (await get(`/v4/tasks/${FLAKY}`)).body as { usual: Record<string, number> }
  expect(usual.p50Ms).toBe(usual.usualMs)
  expect(usual.p95Ms).toBeGreaterThanOrEqual(usual.usualMs!)
  const metrics = await (await product.call('GET', '/metrics')).text()
  expect(metrics).toContain(`"Flaky reload"} ${runMs / 1000}\n`)
}, 90_000)

test('has one reason, for the history, what needs attention, and the event', async () => {
  const { executionId, error } = await runOf(BROKEN)
  expect(error).toBe(REASON)
  expect((await get(`/v4/execution/${executionId}`)).body).toMatchObject({ error: REASON })
  const event = await until(async () => {
    const { events } = (await get(`/v4/events?taskId=${BROKEN}`)).body as { events: { id: string }[] }
    return events[0]
  })
  const { record } = (await get(`/v4/events/${event.id}`)).body as { record: Record<string, unknown> }
  expect(record).toHaveProperty('errorText', REASON)
  // Other programs have succeeded, and their durations are not those of this one.
  expect((await get(`/v4/tasks/${BROKEN}`)).body.usual).toMatchObject({
    usualMs: null,
    p50Ms: null,
    p90Ms: null,
    p95Ms: null,
    waitP50Ms: null,
    samples: 0,
  })
  expect((await get('/v4/attention')).body.items).toContainEqual(expect.objectContaining({ cause: REASON }))
}, 90_000)

function firstOf({ body }: { readonly body: Record<string, unknown> }, list: string) {
  return (body[list] as Record<string, unknown>[])[0]!
}
