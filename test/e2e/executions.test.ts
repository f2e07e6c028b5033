/** Starting tasks and waiting for their end, through the executable. */
import { describe, expect, test } from 'bun:test'
import { createSimClock } from '../../simulator/index.ts'
import {
  FAILING,
  FINANCIAL,
  FLAKY,
  get,
  post,
  product,
  SLOW,
  type Started,
  site,
  startExecutionScene,
  UNKNOWN,
} from '../support/execution-scene.ts'
import { footman } from '../support/footman.ts'
import { startSite } from '../support/simulator.ts'
import { atMost, until } from '../support/wait.ts'

startExecutionScene()

describe('waiting', () => {
  test('answers soon after the end, with the final outcome', async () => {
    site.simulator.setTask(FINANCIAL, { durationMs: 4000 })
    const ended = site.simulator.ended(FINANCIAL).then(() => performance.now())
    const { status, body } = await post(`${FINANCIAL}/start?wait=600`)
    const late = performance.now() - (await ended)
    expect(status).toBe(200)
    expect(late).toBeLessThan(atMost(2000))
    expect(body).toEqual({
      tasksStarted: [
        {
          taskId: FINANCIAL,
          taskName: 'Financial Dashboard Reload',
          status: 'started',
          executionId: expect.stringMatching(/^e5[0-9a-f]{6}-/),
          execution: {
            state: 'finished',
            outcome: 'success',
            statusText: 'FinishedSuccess',
            queueMs: expect.any(Number),
            runMs: expect.any(Number),
          },
        },
      ],
      tasksNotFound: [],
      totalTasksStarted: 1,
    } as never)
  }, 90_000)

  test('a task of 90 seconds, on a site whose clock runs thirty times as fast', async () => {
    await using own = await startSite({}, { clock: createSimClock({ speed: 30 }) })
    await using other = await footman({ simulator: own.simulator })
    await other.start()
    own.simulator.setTask(FINANCIAL, { durationMs: 90_000, queueMs: 0 })
    const ended = own.simulator.ended(FINANCIAL).then(() => performance.now())
    const answer = await other.call('POST', `/v4/reloadtask/${FINANCIAL}/start?wait=600`, {})
    expect(performance.now() - (await ended)).toBeLessThan(atMost(2000))
    const { execution } = ((await answer.json()) as Started).tasksStarted[0]!
    expect([answer.status, execution]).toMatchObject([200, { state: 'finished', outcome: 'success' }])
    expect((execution as { runMs?: number }).runMs).toBeGreaterThanOrEqual(90_000)
  }, 90_000)

  test('a task that fails and is retried is followed to its final outcome', async () => {
    site.simulator.setModes({ scheduler: { retryDelayMs: 1500 } })
    const { status, body } = await post(`${FLAKY}/start?wait=60`)
    site.simulator.setModes({ scheduler: { retryDelayMs: 100 } })
    expect(status).toBe(200)
    expect(body.tasksStarted[0]?.execution).toMatchObject({ state: 'finished', outcome: 'success' })
    const execution = await get(`/v4/execution/${body.tasksStarted[0]?.executionId}`)
    expect(execution.body).toMatchObject({ attempts: 3, outcome: 'success', taskName: 'Flaky reload' })
  }, 90_000)

  test('when time is over the answer is 202 with the id, and by the id the end is reached', async () => {
    site.simulator.setTask(FINANCIAL, { durationMs: 2500 })
    const { status, body } = await post(`${FINANCIAL}/start?wait=1`)
    expect(status).toBe(202)
    const [task] = body.tasksStarted
    expect(['queued', 'running']).toContain(task!.execution.state)
    const final = await get(`/v4/execution/${task!.executionId}?wait=30`)
    expect(final).toMatchObject({
      status: 200,
      body: { executionId: task!.executionId, kind: 'task', taskId: FINANCIAL, state: 'finished', outcome: 'success' },
    })
  }, 90_000)

  test('wait=0 answers at once with the id', async () => {
    const { status, body } = await post(`${SLOW}/start?wait=0`)
    expect(status).toBe(202)
    expect(body.tasksStarted[0]).toMatchObject({
      executionId: expect.stringMatching(/^e5[0-9a-f]{6}-/),
      execution: { state: 'queued', outcome: null, statusText: 'Triggered' },
    })
  })

  test('without wait the answer is as it always was', async () => {
    const { body } = await post(`${FINANCIAL}/start`)
    expect(body).toEqual({
      tasksStarted: [{ taskId: FINANCIAL, taskName: 'Financial Dashboard Reload', status: 'started' }],
      tasksNotFound: [],
      totalTasksStarted: 1,
    } as never)
  })

  test('the array form has the executions at its end', async () => {
    const { status, body } = await post('-/start?wait=30', [
      { type: 'starttaskid', payload: { taskId: FINANCIAL } },
      { type: 'starttasktag', payload: { tag: 'startTask1' } },
    ])
    expect(status).toBe(200)
    expect(Object.keys(body)).toEqual([
      'tasksId',
      'tasksTag',
      'tasksTagDenied',
      'tasksCP',
      'tasksCPDenied',
      'executions',
    ])
    const { executions } = body as unknown as { executions: Started['tasksStarted'] }
    expect(executions.map(({ execution }) => execution.outcome)).toEqual(['success', 'success', 'success', 'success'])
  }, 90_000)

  test('a failed reload tells what its script log says', async () => {
    const { body } = await post(`${FAILING}/start?wait=30`)
    const { executionId, execution } = body.tasksStarted[0]!
    expect(execution).toMatchObject({ outcome: 'failed', statusText: 'FinishedFail' })
    const failed = await until(
      async () => {
        const { body: seen } = await get(`/v4/execution/${executionId}`)
        return String(seen.error).startsWith('Error: ') ? seen : null
      },
      { timeout: 10_000, what: 'the error of the script log' },
    )
    expect(failed).toMatchObject({ taskType: 'reload', actor: 'anonymous', statusNum: 8, attempts: 1 })
    const log = await product.call('GET', `/v4/execution/${executionId}/log?tail=1`)
    expect([log.status, log.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(await log.text()).toMatch(/Execution finished\./)
  }, 90_000)

  test('unknown and malformed ids', async () => {
    expect(await get(`/v4/execution/${UNKNOWN}`)).toMatchObject({ status: 404, body: { code: 'EXECUTION_NOT_FOUND' } })
    expect(await get(`/v4/execution/${UNKNOWN}/log`)).toMatchObject({
      status: 404,
      body: { code: 'EXECUTION_NOT_FOUND' },
    })
    expect(await get('/v4/execution/abc')).toMatchObject({ status: 400, body: { code: 'INVALID_ID' } })
  })

  test('with QRS down: 502', async () => {
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const answers = [await get(`/v4/execution/${UNKNOWN}`), await get('/v4/tasks?name=nothing-cached*')]
    site.simulator.clearFaults()
    expect(answers[0]).toMatchObject({ status: 502, body: { code: 'REPOSITORY_UNREACHABLE' } })
    expect([200, 502]).toContain(answers[1]!.status)
  }, 90_000)
})
