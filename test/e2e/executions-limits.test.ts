/** Selecting the tasks to start, repeated calls and limits, through the executable. */
import { describe, expect, test } from 'bun:test'
import {
  FINANCIAL,
  get,
  post,
  product,
  SALES_ETL,
  SLOW,
  type Started,
  site,
  startExecutionScene,
  startsOf,
} from '../support/execution-scene.ts'
import { footman } from '../support/footman.ts'
import type { TestSite } from '../support/simulator.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

startExecutionScene()

describe('selecting', () => {
  test('by globs over names', async () => {
    const { body } = await post('-/start', { taskName: ['Sales*'] })
    const names = body.tasksStarted.map(({ taskName }) => taskName)
    expect(names.toSorted()).toEqual(['Sales ETL hourly', 'Sales Report Update', 'Sales*'])
    expect(startsOf(site)).toHaveLength(3)
  })

  test('the intersection of tag and property', async () => {
    const selected = { tag: ['hourly-reload'], customProperty: [{ name: 'priority', value: 'high' }], match: 'all' }
    expect((await post('-/start', selected)).body.tasksStarted).toEqual([])
    const low = { tag: ['hourly-reload'], customProperty: [{ name: 'priority', value: 'low' }], match: 'all' }
    const { body } = await post('-/start', low)
    expect(body.tasksStarted.map(({ taskName }) => taskName)).toEqual(['Inventory partial'])
  })

  test('the list of tasks, page by page', async () => {
    const all = (await get('/v4/tasks?tag=hourly-reload')).body as { tasks: { taskName: string }[] }
    expect(all.tasks).toHaveLength(6)
    const names: string[] = []
    let cursor = ''
    do {
      const page = (await get(`/v4/tasks?tag=hourly-reload&limit=4${cursor}`)).body as {
        tasks: { taskName: string }[]
        nextCursor: string | null
      }
      names.push(...page.tasks.map(({ taskName }) => taskName))
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`
    } while (cursor)
    expect(names).toEqual(all.tasks.map(({ taskName }) => taskName))
    expect(await get('/v4/tasks?colour=red')).toMatchObject({ status: 400, body: { code: 'VALIDATION' } })
    expect(await get('/v4/tasks?cursor=x')).toMatchObject({ status: 400, body: { code: 'INVALID_CURSOR' } })
  })

  test('a task in the list tells its last run', async () => {
    const { body } = await post(`${SALES_ETL}/start?wait=30`)
    const task = await until(
      async () => {
        const list = (await get('/v4/tasks?name=sales etl*&outcome=success')).body as {
          tasks: Record<string, unknown>[]
        }
        const last = list.tasks[0]?.last as { executionId?: string } | undefined
        return last?.executionId === body.tasksStarted[0]?.executionId ? list.tasks[0] : null
      },
      // Lists may be ten seconds old.
      { timeout: 15_000 },
    )
    expect(task).toMatchObject({
      taskId: SALES_ETL,
      taskType: 'reload',
      enabled: true,
      appName: 'Sales ETL',
      last: { state: 'finished', outcome: 'success' },
    })
  }, 90_000)
})

describe('a repeated call', () => {
  test('with the same key starts once and gets the same answer', async () => {
    const headers = { 'Idempotency-Key': 'nightly-2026-03-02' }
    const first = await post(`${FINANCIAL}/start?wait=0`, {}, headers)
    const second = await post(`${FINANCIAL}/start?wait=0`, {}, headers)
    expect(second.body).toEqual(first.body)
    expect(second.status).toBe(first.status)
    expect([first, second].map((one) => one.headers.get('idempotent-replay'))).toEqual([null, 'true'])
    expect(startsOf(site)).toEqual([FINANCIAL])
    const other = await post(`${FINANCIAL}/start?wait=0`, { tag: ['urgent'] }, headers)
    expect(other).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  })

  test('calls at the same time start once', async () => {
    const headers = { 'Idempotency-Key': 'twice' }
    const answers = await Promise.all([1, 2, 3].map(() => post(`${FINANCIAL}/start?wait=2`, {}, headers)))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(startsOf(site)).toEqual([FINANCIAL])
  }, 90_000)

  test('a refused call leaves the key free', async () => {
    const headers = { 'Idempotency-Key': 'corrected' }
    expect((await post('abc/start', {}, headers)).status).toBe(400)
    expect((await post(`${FINANCIAL}/start`, {}, headers)).status).toBe(200)
  })
})

describe('limits', () => {
  /** Counts the runs of these tasks at each change. */
  function watchRuns(one: TestSite, ids: readonly string[]): { readonly most: number } {
    let most = 0
    one.simulator.site.on('state', () => {
      const running = [...one.simulator.site.sessions.values()].filter(({ task }) => ids.includes(task.id))
      most = Math.max(most, running.length)
    })
    return {
      get most() {
        return most
      },
    }
  }

  test('never more than three of ten run, and waiting covers the queued ones', async () => {
    const ids = site.simulator.addTasks(10)
    for (const id of ids) site.simulator.setTask(id, { durationMs: 500 })
    const runs = watchRuns(site, ids)
    const { status, body } = await post('-/start?maxConcurrent=3&wait=60', { taskId: ids })
    expect(status).toBe(200)
    expect(body.tasksStarted.map(({ taskId }) => taskId).toSorted()).toEqual(ids.toSorted())
    expect(body.tasksQueued).toBeUndefined()
    expect(runs.most).toBe(3)
    expect(startsOf(site)).toHaveLength(10)
  }, 60_000)

  test('what waits can be seen and removed', async () => {
    const { status, body } = await post('-/start?maxConcurrent=1', { taskId: [SLOW, FINANCIAL, SALES_ETL] })
    expect(status).toBe(200)
    expect(body.tasksQueued).toEqual([
      { taskId: FINANCIAL, taskName: 'Financial Dashboard Reload', status: 'queued', queueId: expect.any(String) },
      { taskId: SALES_ETL, taskName: 'Sales ETL hourly', status: 'queued', queueId: expect.any(String) },
    ] as never)
    const [first, second] = body.tasksQueued!
    const listed = await get('/v4/startqueue')
    expect(listed.body).toMatchObject({
      maxConcurrent: 0,
      queue: [{ position: 1, queueId: first!.queueId }, {}],
    })
    expect(listed.body.running).toBeGreaterThan(0)
    expect((await get(`/v4/execution/${first!.queueId}`)).body).toMatchObject({
      state: 'queued',
      statusText: 'InStartQueue',
      taskId: FINANCIAL,
    })
    const removed = await product.call('DELETE', `/v4/startqueue/${first!.queueId}`)
    expect(removed.status).toBe(204)
    const again = await product.call('DELETE', `/v4/startqueue/${first!.queueId}`)
    expect([again.status, ((await again.json()) as { code: string }).code]).toEqual([404, 'QUEUE_ENTRY_NOT_FOUND'])
    expect((await get(`/v4/execution/${first!.queueId}`)).body).toMatchObject({
      state: 'finished',
      statusText: 'NotStarted',
      error: 'It was removed from the start queue',
    })
    site.simulator.abort(SLOW)
    await until(() => startsOf(site).includes(SALES_ETL), { timeout: 15_000 })
    expect(startsOf(site)).toEqual([SLOW, SALES_ETL])
    expect((await get(`/v4/execution/${second!.queueId}?wait=20`)).body).toMatchObject({ outcome: 'success' })
    expect((await product.call('DELETE', '/v4/startqueue/-')).status).toBe(204)
  }, 60_000)

  test('kill -9 in between: the rest is started, none twice', async () => {
    await using own = await startSite()
    await using other = await footman({ simulator: own.simulator })
    const tasks = own.simulator.addTasks(10)
    for (const id of tasks) own.simulator.setTask(id, { durationMs: 1200 })
    const runs = watchRuns(own, tasks)
    await other.start()
    const answer = await other.call('POST', '/v4/reloadtask/-/start?maxConcurrent=3', { taskId: tasks })
    expect(((await answer.json()) as Started).tasksQueued).toHaveLength(7)
    await until(() => startsOf(own).length > 4, { timeout: 20_000 })
    await other.process.kill9()
    await other.start()
    await until(() => startsOf(own).length >= 10, { timeout: 60_000, state: () => startsOf(own).length })
    await until(() => own.simulator.site.sessions.size === 0, { timeout: 10_000 })
    expect(startsOf(own).toSorted()).toEqual([...tasks].toSorted())
    expect(runs.most).toBe(3)
  }, 120_000)

  test('kill -9 while QRS carries out a start: it is not started again', async () => {
    await using own = await startSite()
    await using other = await footman({ simulator: own.simulator })
    const [first, second] = own.simulator.addTasks(2)
    for (const id of [first!, second!]) own.simulator.setTask(id, { durationMs: 400 })
    await other.start()
    // The task is started, but the answer takes a minute: nobody is there to hear it.
    own.simulator.fault({ listener: 'qrs', match: '/start/synchronous', mode: 'slow-body', args: [1], times: 1 })
    const call = other.call('POST', '/v4/reloadtask/-/start?maxConcurrent=1', { taskId: [first, second] })
    call.catch(() => undefined)
    await until(() => own.simulator.site.executions.byTask(first!).length === 1, { timeout: 10_000 })
    await other.process.kill9()
    expect(other.rows('SELECT task_id FROM start_queue ORDER BY seq')).toHaveLength(2)
    await other.start()
    await until(() => startsOf(own).includes(second!), { timeout: 30_000 })
    expect(startsOf(own).filter((id) => id === first)).toHaveLength(1)
    expect(own.simulator.site.executions.byTask(first!)).toHaveLength(1)
  }, 120_000)

  test('the limit of the configuration holds for all calls together', async () => {
    await using own = await startSite()
    await using other = await footman({
      simulator: own.simulator,
      config: { footman: { startQueue: { maxConcurrent: 2 } } },
    })
    const tasks = own.simulator.addTasks(5)
    for (const id of tasks) own.simulator.setTask(id, { durationMs: 500 })
    const runs = watchRuns(own, tasks)
    await other.start()
    const call = (taskId: readonly string[]) => other.call('POST', '/v4/reloadtask/-/start?wait=60', { taskId })
    const answers = await Promise.all([call(tasks.slice(0, 3)), call(tasks.slice(3))])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(runs.most).toBe(2)
    expect(startsOf(own).toSorted()).toEqual([...tasks].toSorted())
  }, 60_000)
})
