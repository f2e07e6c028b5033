/** Following executions through the compiled executable: waiting, limits, the start queue, the commands. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { createSimClock } from '../../src/simulator/index.ts'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
const SALES_ETL = '70000000-0000-4000-8000-000000000001'
const WILD = '70000000-0000-4000-8000-000000000004'
const FAILING = '70000000-0000-4000-8000-000000000006'
const SLOW = '70000000-0000-4000-8000-000000000007'
const FLAKY = '70000000-0000-4000-8000-000000000008'
const DISABLED = '70000000-0000-4000-8000-000000000009'
const UNKNOWN = '11111111-2222-3333-4444-555555555555'

interface Started {
  readonly tasksStarted: readonly {
    readonly taskId: string
    readonly taskName: string
    readonly executionId: string
    readonly execution: { readonly state: string; readonly outcome: string | null; readonly statusText: string }
  }[]
  readonly tasksQueued?: readonly { readonly taskId: string; readonly queueId: string }[]
  readonly tasksFailed?: readonly { readonly taskId: string }[]
}

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  site.simulator.setTask(WILD, { name: 'Sales*' })
  product = await footman({ simulator: site.simulator })
  await product.start()
}, 30_000)
beforeEach(() => {
  for (const task of site.simulator.site.tasks.values()) {
    if (task.taskType === 0) site.simulator.setTask(task.id, { durationMs: 300, queueMs: 0 })
  }
  site.simulator.setTask(SLOW, { durationMs: 60_000 })
})
// A task that is still running cannot be started again. No reset: it would give out the same execution ids once more.
afterEach(async () => {
  const { simulator } = site
  await product.call('DELETE', '/v4/startqueue/-')
  await until(() => {
    for (const { task } of simulator.site.sessions.values()) simulator.abort(task.id)
    return simulator.site.sessions.size === 0
  })
  simulator.clearRequests()
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const post = async (path: string, body: unknown = {}, headers: Record<string, string> = {}) => {
  const answer = await product.call('POST', `/v4/reloadtask/${path}`, body, headers)
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Started }
}
const get = async (path: string) => {
  const answer = await product.call('GET', path)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const startsOf = (one: TestSite) =>
  one.simulator
    .requests({ listener: 'qrs' })
    .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))

describe('waiting', () => {
  test('answers soon after the end, with the final outcome', async () => {
    site.simulator.setTask(FINANCIAL, { durationMs: 4000 })
    const ended = site.simulator.ended(FINANCIAL).then(() => performance.now())
    const { status, body } = await post(`${FINANCIAL}/start?wait=600`)
    const late = performance.now() - (await ended)
    expect(status).toBe(200)
    expect(late).toBeLessThan(2000)
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
  }, 20_000)

  test('a task of 90 seconds, on a site whose clock runs thirty times as fast', async () => {
    await using own = await startSite({}, { clock: createSimClock({ speed: 30 }) })
    await using other = await footman({ simulator: own.simulator })
    await other.start()
    own.simulator.setTask(FINANCIAL, { durationMs: 90_000, queueMs: 0 })
    const ended = own.simulator.ended(FINANCIAL).then(() => performance.now())
    const answer = await other.call('POST', `/v4/reloadtask/${FINANCIAL}/start?wait=600`, {})
    expect(performance.now() - (await ended)).toBeLessThan(2000)
    const { execution } = ((await answer.json()) as Started).tasksStarted[0]!
    expect([answer.status, execution]).toMatchObject([200, { state: 'finished', outcome: 'success' }])
    expect((execution as { runMs?: number }).runMs).toBeGreaterThanOrEqual(90_000)
  }, 30_000)

  test('a task that fails and is retried is followed to its final outcome', async () => {
    site.simulator.setModes({ scheduler: { retryDelayMs: 1500 } })
    const { status, body } = await post(`${FLAKY}/start?wait=60`)
    site.simulator.setModes({ scheduler: { retryDelayMs: 100 } })
    expect(status).toBe(200)
    expect(body.tasksStarted[0]?.execution).toMatchObject({ state: 'finished', outcome: 'success' })
    const execution = await get(`/v4/execution/${body.tasksStarted[0]?.executionId}`)
    expect(execution.body).toMatchObject({ attempts: 3, outcome: 'success', taskName: 'Flaky reload' })
  }, 30_000)

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
  }, 20_000)

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
      ...['tasksId', 'tasksTag', 'tasksTagDenied', 'tasksCP', 'tasksCPDenied', 'executions'],
    ])
    const { executions } = body as unknown as { executions: Started['tasksStarted'] }
    expect(executions.map(({ execution }) => execution.outcome)).toEqual(['success', 'success', 'success', 'success'])
  }, 20_000)

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
  }, 20_000)

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
  }, 20_000)
})

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
      ...{ taskId: SALES_ETL, taskType: 'reload', enabled: true, appName: 'Sales ETL' },
      last: { state: 'finished', outcome: 'success' },
    })
  }, 30_000)
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
  }, 20_000)

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
      queue: [{ ...{ position: 1, queueId: first!.queueId } }, {}],
    })
    expect(listed.body.running).toBeGreaterThan(0)
    expect((await get(`/v4/execution/${first!.queueId}`)).body).toMatchObject({
      ...{ state: 'queued', statusText: 'InStartQueue', taskId: FINANCIAL },
    })
    const removed = await product.call('DELETE', `/v4/startqueue/${first!.queueId}`)
    expect(removed.status).toBe(204)
    const again = await product.call('DELETE', `/v4/startqueue/${first!.queueId}`)
    expect([again.status, ((await again.json()) as { code: string }).code]).toEqual([404, 'QUEUE_ENTRY_NOT_FOUND'])
    expect((await get(`/v4/execution/${first!.queueId}`)).body).toMatchObject({
      ...{ state: 'finished', statusText: 'NotStarted', error: 'It was removed from the start queue' },
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

describe('commands', () => {
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runToEnd(args, { env: { FOOTMAN_URL: `http://127.0.0.1:${product.restPort}`, ...env }, timeout: 40_000 })

  const cases: [what: string, args: string[], code: number, out: RegExp][] = [
    ['0: started', ['start-task', SALES_ETL], 0, /^started {3}Sales ETL hourly {2}e5[0-9a-f]{6}-/m],
    [
      '0: all succeeded',
      ['start-task', 'sales etl hourly', '--wait', '30'],
      0,
      /^success\s+Sales ETL hourly {2}after /m,
    ],
    [
      '0: by tag',
      ['start-task', '--tag', 'hourly-reload', '--wait', '40', '--max-concurrent', '3'],
      0,
      /^success\s+Flaky/m,
    ],
    ['1: nothing named', ['start-task'], 1, /error: start-task: name what to start/],
    ['1: a bad property', ['start-task', '--property', 'x'], 1, /is not name=value/],
    ['3: an unknown id', ['start-task', UNKNOWN], 3, /error: start-task: task 11111111-.*no task with this id/],
    ['3: an unknown name', ['start-task', 'No such task', SALES_ETL], 3, /error: start-task: task "No such task"/],
    ['3: a disabled task', ['start-task', DISABLED], 3, /error: start-task: task "Disabled reload": was not started/],
    ['3: nothing selected', ['start-task', '--tag', 'no-such-tag'], 3, /no task was selected/],
    ['4: one fails', ['start-task', SALES_ETL, FAILING, '--wait', '30', '--log'], 4, /Execution finished\./],
    ['5: time over', ['start-task', SLOW, '--wait', '1'], 5, /^(running|queued)\s+Slow Warehouse Load/m],
    ['execution 3: unknown', ['execution', UNKNOWN], 3, /neither Qlik Sense nor Footman knows it/],
    ['execution 1: no id', ['execution', 'abc'], 1, /an id is a UUID; its beginning/],
    ['tasks 0', ['tasks', 'sales*'], 0, /^Sales ETL hourly\s+reload/m],
    ['tasks 1: a bad outcome', ['tasks', '--outcome', 'ok'], 1, /outcome must be one of/],
  ]
  for (const [what, args, code, out] of cases) {
    test(what, async () => {
      const result = await run(args)
      expect(`${result.stdout}\n${result.stderr}`).toMatch(out)
      expect(result.code).toBe(code)
    }, 60_000)
  }

  test('2: nobody listens', async () => {
    const result = await run(['start-task', SALES_ETL], { FOOTMAN_URL: 'http://127.0.0.1:1' })
    expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(/error: start-task: .*127\.0\.0\.1:1/)])
  }, 20_000)

  test('2: QRS is down', async () => {
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const result = await run(['start-task', SALES_ETL])
    site.simulator.clearFaults()
    expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(/error: start-task: Failed starting task/)])
  }, 20_000)

  test('the address comes from the configuration file too', async () => {
    const result = await runToEnd(['tasks', '-c', product.configFile, '--json'], { timeout: 20_000 })
    expect(result.code).toBe(0)
    expect((JSON.parse(result.stdout) as { tasks: unknown[] }).tasks.length).toBeGreaterThan(10)
  }, 30_000)

  test('--json is the answer of the API', async () => {
    const { code, stdout } = await run(['start-task', SALES_ETL, '--wait', '--json'])
    expect(code).toBe(0)
    const answer = JSON.parse(stdout) as Started
    expect(answer.tasksStarted).toMatchObject([{ taskId: SALES_ETL, execution: { outcome: 'success' } }])
    const shown = await run(['execution', answer.tasksStarted[0]!.executionId, '--json', '--wait'])
    expect(JSON.parse(shown.stdout)).toMatchObject({
      taskName: 'Sales ETL hourly',
      state: 'finished',
      outcome: 'success',
    })
  }, 40_000)

  test('a name with a wildcard in it means this one task', async () => {
    const { code } = await run(['start-task', 'Sales*'])
    expect(code).toBe(0)
    expect(startsOf(site)).toEqual([WILD])
  }, 30_000)
})

describe('a site with 100,000 tasks', () => {
  const COUNT = 100_000
  const MIB = 1024 * 1024

  interface Page {
    readonly tasks: readonly {
      readonly taskId: string
      readonly taskName: string
      readonly appName: string
      readonly tags: readonly string[]
      readonly last: { readonly outcome: string | null; readonly executionId: string | null } | null
    }[]
    readonly nextCursor: string | null
  }

  test('is listed in pages, from pages of Qlik Sense, with little memory', async () => {
    // An unpaged list would be cut.
    await using own = await startSite({ modes: { qrs: { maxRecordLimit: 500 } } })
    const { simulator } = own
    const before = new Set(simulator.site.tasks.keys())
    const ids = simulator.addTasks(COUNT)
    const tag = [...simulator.site.tags.values()].find(({ name }) => name === 'urgent')!
    for (const id of [ids[70_000]!, ids[99_999]!]) simulator.site.tasks.get(id)!.tags = [tag]
    await using large = await footman({ simulator })
    await large.start()
    const page = async (query: string): Promise<Page> => {
      const response = await large.call('GET', `/v4/tasks?${query}`)
      if (response.status !== 200) throw new Error(`${query}: ${response.status} ${await response.text()}`)
      return (await response.json()) as Page
    }
    const names = ({ tasks }: Page) => tasks.map(({ taskName }) => taskName)

    const expected = [...simulator.site.tasks.values()].map(({ name }) => name).sort((a, b) => a.localeCompare(b, 'en'))
    const seen: string[] = []
    let cursor: string | null = null
    for (let n = 0; n < 3; n += 1) {
      const next: Page = await page(`limit=500${cursor === null ? '' : `&cursor=${cursor}`}`)
      expect(next.tasks).toHaveLength(500)
      seen.push(...names(next))
      cursor = next.nextCursor
    }
    expect(seen).toEqual(expected.slice(0, 1500))

    const lastOnes = await page('name=Reload 9999*&limit=500')
    expect(names(lastOnes)).toEqual([...Array(10).keys()].map((n) => `Reload 9999${n}`))
    expect(lastOnes.nextCursor).toBeNull()
    expect(lastOnes.tasks[0]).toMatchObject({ appName: 'Sales ETL', tags: [], last: null })
    const inFinance = [...simulator.site.tasks.values()].filter(({ app }) => app?.stream?.name === 'Finance')
    const named = (tasks: readonly { readonly name: string }[]) =>
      tasks.map(({ name }) => name).sort((a, b) => a.localeCompare(b, 'en'))
    expect(names(await page('stream=Finance&limit=500'))).toEqual(named(inFinance))
    const urgent = [...simulator.site.tasks.values()].filter(({ tags }) => tags.some(({ name }) => name === 'urgent'))
    expect(urgent.length).toBeGreaterThan(2)
    expect(names(await page('tag=urgent&limit=500'))).toEqual(named(urgent))
    const failed = await page('outcome=failed&limit=500')
    expect(failed.tasks.length).toBeGreaterThan(0)
    for (const { taskId, last } of failed.tasks) {
      expect(before.has(taskId)).toBe(true)
      expect(last).toMatchObject({ outcome: 'failed', executionId: expect.any(String) })
    }
    expect(await page('outcome=unknown')).toEqual({ tasks: [], nextCursor: null })

    const answers = simulator.requests({ listener: 'qrs' }).filter(({ path }) => /\/qrs\/(reload)?task/.test(path))
    expect(answers.every(({ status }) => status === 200 || status === 201)).toBe(true)
    expect(Math.max(...answers.map(({ bytes }) => bytes ?? 0))).toBeLessThan(MIB)
    expect(answers.filter(({ path }) => path.includes('/task/full') && !path.includes('filter='))).toEqual([])
    if (process.platform === 'linux') {
      const [, peak] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${large.process.pid}/status`, 'utf8')) ?? []
      expect(Number(peak) / 1024).toBeLessThan(350)
    }
  }, 240_000)
})
