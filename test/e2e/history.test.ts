/** The history of executions through the executable: who tells of them, the API, the command. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
const LOAD_SCRIPT = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const NEVER_RAN = '70000000-0000-4000-8000-000000000010'
const SEMICOLON = '70000000-0000-4000-8000-000000000011'
const PROGRAM = '71000000-0000-4000-8000-000000000001'

interface Row {
  readonly executionId: string
  readonly taskId: string
  readonly outcome: string
  readonly runMs: number | null
  readonly stoppedAt: string
}
interface Group {
  readonly key: string
  readonly runs: number
  readonly runMs: { readonly p50: number; readonly p95: number; readonly max: number; readonly total: number }
}

let site: TestSite
let product: Footman
let startedAt = 0

beforeAll(async () => {
  site = await startSite()
  product = await footman({
    simulator: site.simulator,
    webhookUrl: 'http://127.0.0.1:9/',
    config: { webhookNotification: { enable: true }, footman: { dataDirectory: 'data' } },
  })
  await product.start()
  startedAt = Date.now()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const get = async <T>(path: string) => {
  const answer = await product.call('GET', path)
  return { status: answer.status, body: (await answer.json()) as T }
}
const history = async (query: string) =>
  (await get<{ executions: Row[]; nextCursor: string | null }>(`/v4/history?${query}`)).body
const summary = async (query: string) =>
  (await get<{ summary: Group[]; nextCursor: string | null }>(`/v4/history/summary?${query}`)).body

/** Runs a task in the scheduler, as a schedule would; resolves with its execution id. */
async function run(task: string, behaviour: Parameters<TestSite['simulator']['setTask']>[1]): Promise<string> {
  site.simulator.setTask(task, { durationMs: 100, ...behaviour })
  const ended = site.simulator.ended(task)
  const id = site.simulator.runTask(task)
  await ended
  return id
}

describe('at the first start', () => {
  test('the history begins with the last result of each task', async () => {
    const { executions } = await history('limit=500')
    const ran = [...site.simulator.site.tasks.values()].filter(
      ({ operational }) => operational.lastExecutionResult.status > 0,
    )
    expect(executions.map(({ taskId }) => taskId).toSorted()).toEqual(ran.map(({ id }) => id).toSorted())
    expect(executions.some(({ taskId }) => taskId === NEVER_RAN)).toBe(false)
    for (const { executionId } of executions) expect(executionId).toMatch(/^e5[0-9a-f]{6}-/)
  })
})

describe('an execution', () => {
  test('that an event announced is there when the event is routed', async () => {
    const id = await run(LOAD_SCRIPT, { outcome: 'fail' })
    const event = await until(
      async () =>
        (await get<{ events: { state: string }[] }>(`/v4/events?executionId=${id}&state=routed`)).body.events[0],
      { timeout: 20_000 },
    )
    expect(event).toMatchObject({ outcome: 'failed', consecutiveFailures: 1 })
    const { executions } = await history(`taskId=${LOAD_SCRIPT}&from=1h`)
    expect(executions).toMatchObject([
      { executionId: id, outcome: 'failed', taskName: 'Load script started task' },
    ] as never)
  }, 90_000)

  test('that Footman started is there with who wanted it, without any event', async () => {
    site.simulator.setModes({ udp: { dropPercent: 100 } })
    site.simulator.setTask(PROGRAM, { durationMs: 200 })
    const answer = await product.call('POST', `/v4/reloadtask/${PROGRAM}/start?wait=30`)
    site.simulator.setModes({ udp: { dropPercent: 0 } })
    const { tasksStarted } = (await answer.json()) as { tasksStarted: { executionId: string }[] }
    const rows = await until(
      async () => {
        const { executions } = await history(`taskId=${PROGRAM}&from=1h`)
        return executions.length > 0 && executions
      },
      { timeout: 10_000 },
    )
    expect(rows).toMatchObject([
      {
        executionId: tasksStarted[0]!.executionId,
        outcome: 'success',
        taskType: 'externalProgram',
        actor: expect.any(String),
      },
    ] as never)
    expect(rows[0]!.runMs).toBeGreaterThan(100)
  }, 90_000)
})

describe('a summary', () => {
  beforeAll(async () => {
    for (let n = 0; n < 7; n += 1) {
      const id = await run(SEMICOLON, { outcome: n === 3 ? 'fail' : 'success', durationMs: 50 + n * 40 })
      await until(
        async () => (await history(`taskId=${SEMICOLON}&from=1h`)).executions.some((row) => row.executionId === id),
        {
          timeout: 20_000,
        },
      )
    }
  }, 60_000)

  test('agrees with the rows of the list', async () => {
    const { executions } = await history(`taskId=${SEMICOLON}&from=1h`)
    const [group] = (await summary(`taskId=${SEMICOLON}&from=1h`)).summary
    const runs = executions.flatMap(({ runMs }) => runMs ?? []).sort((a, b) => a - b)
    const rank = (percent: number) => runs[Math.ceil((percent / 100) * runs.length) - 1]
    expect(executions).toHaveLength(7)
    expect(group).toMatchObject({
      key: SEMICOLON,
      name: 'Name; with semicolon',
      runs: 7,
      success: 6,
      failed: 1,
      aborted: 0,
    } as never)
    if (runs.length > 0) {
      expect(group!.runMs).toMatchObject({ p50: rank(50)!, p95: rank(95)!, max: runs.at(-1)! })
      expect(group!.runMs.total).toBe(runs.reduce((sum, ms) => sum + ms, 0))
    }
  })

  test.each(['task', 'app', 'node', 'type', 'day', 'hour'])('by %s adds up to all rows', async (groupBy) => {
    // The end of a last run may come between the two calls.
    await until(async () => {
      const { summary: groups } = await summary(`groupBy=${groupBy}&from=90d&limit=500`)
      const { executions } = await history('from=90d&limit=500')
      return executions.length > 0 && groups.reduce((sum, { runs }) => sum + runs, 0) === executions.length
    })
  })

  test('comes in pages of the same time', async () => {
    // A run that is as old as the limit may leave between two calls with a relative time.
    const from = new Date(Date.now() - 60 * 86_400_000).toISOString()
    const keysOf = (groups: readonly Group[]) => groups.map(({ key }) => key)
    const now = { seen: [] as string[], all: [] as string[] }
    // The end of a last run may come between two calls.
    await until(
      async () => {
        now.seen = []
        let cursor = ''
        do {
          const page = await summary(`from=${from}&limit=3${cursor}`)
          now.seen.push(...keysOf(page.summary))
          cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`
        } while (cursor !== '')
        now.all = keysOf((await summary(`from=${from}&limit=500`)).summary)
        return now.all.length > 3 && now.seen.join() === now.all.join()
      },
      { state: () => now },
    )
  })
})

test('the counters of Prometheus agree with the list', async () => {
  const now = { text: '', counted: 0, listed: -1 }
  // A run may end between the two calls.
  await until(
    async () => {
      const { executions } = await history('from=1h&limit=500')
      now.listed = executions.filter(({ stoppedAt }) => Date.parse(stoppedAt) > startedAt).length
      now.text = await (await product.call('GET', '/metrics')).text()
      const counts = now.text.matchAll(/^footman_task_executions_total\{.*\} (\d+)$/gm)
      now.counted = [...counts].reduce((sum, [, value]) => sum + Number(value), 0)
      return now.counted === now.listed
    },
    { state: () => ({ counted: now.counted, listed: now.listed }) },
  )
  expect(now.text).toMatch(
    /^footman_task_last_run_success\{task_id="a8b4c123-def4-5678-9abc-def012345678",task="Financial Dashboard Reload"\} [01]$/m,
  )
})

describe('bad questions', () => {
  test.each(['groupBy=week', 'outcome=bad', 'limit=0', 'from=yesterday', 'colour=red', 'groupBy=task&groupBy=day'])(
    '?%s is a 400 that says why',
    async (query) => {
      const { status, body } = await get<{ code: string }>(`/v4/history/summary?${query}`)
      expect([status, body.code]).toEqual([400, 'VALIDATION'])
    },
  )

  test('a cursor of somebody else is a 400', async () => {
    const cursor = Buffer.from('["a","b"]').toString('base64url')
    const { status, body } = await get<{ code: string }>(`/v4/history?cursor=${cursor}`)
    expect([status, body.code]).toEqual([400, 'INVALID_CURSOR'])
  })
})

describe('footman history', () => {
  const command = (...args: string[]) => runToEnd(['history', ...args, '-c', product.configFile])

  test('lists, sums up and exports', async () => {
    const listed = await command('name*', '--from', '1h')
    expect([listed.code, listed.stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^TASK +TYPE +OUTCOME/)])
    expect(listed.stdout.split('\n').filter((line) => line.startsWith('Name; with'))).toHaveLength(7)

    const summed = await command('name*', '--from', '1h', '--summary')
    expect(summed.stdout).toMatch(/Name; with semicolon +7 +6 +1 +0/)

    const csv = await command('name*', '--from', '1h', '--format', 'csv')
    const [head, ...lines] = csv.stdout.trim().split('\n')
    expect(head).toBe(
      'executionId,taskId,taskName,taskType,appId,appName,outcome,statusText,node,actor,triggeredAt,startedAt,stoppedAt,queueMs,runMs,attempts,error',
    )
    expect(lines).toHaveLength(7)

    const json = JSON.parse((await command('--json', '--from', '1h', '--summary')).stdout) as { summary: Group[] }
    expect(json.summary.map(({ key }) => key)).toContain(SEMICOLON)
  }, 90_000)

  test('failures of the same runs, with their recovery', async () => {
    const failures = async (...args: string[]) => runToEnd(['failures', ...args, '-c', product.configFile])
    const { code, stdout } = await failures('--from', '1h', '--json')
    const { failures: found } = JSON.parse(stdout) as { failures: (Row & { recoveredAt: string | null })[] }
    expect(code).toBe(0)
    expect(found.map(({ taskId }) => taskId)).toContain(LOAD_SCRIPT)
    expect(found.every(({ outcome }) => outcome === 'failed' || outcome === 'aborted')).toBe(true)
    for (const { stoppedAt, recoveredAt } of found) expect(recoveredAt === null || recoveredAt > stoppedAt).toBe(true)
    expect((await failures('--from', '1h')).stdout).toMatch(/^ENDED +TASK +OUTCOME +ERROR +ALERTED +RECOVERED +ID\n/)
    expect((await failures('--from', '2020-01-01', '--to', '2020-01-02')).stdout).toBe(
      'No failures since 2020-01-01 00:00:00 UTC until 2020-01-02 00:00:00 UTC.',
    )
    expect((await failures('--outcome', 'success')).code).toBe(1)
  }, 90_000)

  test('says what is wrong', async () => {
    expect((await command('--from', 'tomorrow')).code).toBe(1)
    expect((await command('--format', 'xml')).code).toBe(1)
  }, 90_000)

  test('a reader of the history starts again after the thread has ended', async () => {
    expect((await history('limit=1')).executions).toHaveLength(1)
    expect((await get<Row>(`/v4/history?taskId=${FINANCIAL}`)).status).toBe(200)
  })
})

describe('an execution that ends last', () => {
  test('of a failed reload has a script log, read from Qlik Sense when it was not kept with the event', async () => {
    const id = await run(LOAD_SCRIPT, { outcome: 'fail' })
    const path = `/v4/events?executionId=${id.toUpperCase()}&state=routed`
    const event = await until(async () => (await get<{ events: { id: string }[] }>(path)).body.events[0], {
      timeout: 20_000,
    })
    const body = await until(
      async () => {
        const log = await get<{ lines: number; text: string[]; errorLines: number[]; errorText: string }>(
          `/v4/events/${event.id}/scriptlog?limit=3`,
        )
        return log.status === 200 && log.body
      },
      { timeout: 10_000 },
    )
    expect(body.text).toHaveLength(3)
    expect(body.lines).toBeGreaterThan(3)
    expect(body.errorLines.length).toBeGreaterThan(0)
    expect(body.errorText).toContain('Error')
  }, 90_000)

  test('that Qlik Sense has started is followed live from its begin to its end', async () => {
    const cut = new AbortController()
    const answer = await fetch(`http://127.0.0.1:${product.restPort}/v4/stream?topic=execution`, { signal: cut.signal })
    let received = ''
    const ended = (async () => {
      for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) received += piece
    })().catch(() => undefined)
    const states = () =>
      [...received.matchAll(/^data: (.*)$/gm)]
        .map(([, data]) => JSON.parse(data!) as { taskId: string; state: string; executionId: string | null })
        .filter(({ taskId }) => taskId === SEMICOLON)
    await until(() => received.startsWith('retry'))
    site.simulator.setTask(SEMICOLON, { durationMs: 14_000, outcome: 'success' })
    const id = site.simulator.runTask(SEMICOLON)
    await until(() => states().some(({ state }) => state === 'finished'), { timeout: 40_000 })
    expect(
      states()
        .filter(({ executionId }) => executionId === id)
        .map(({ state }) => state),
    ).toEqual(expect.arrayContaining(['running', 'finished']))
    cut.abort()
    await ended
  }, 60_000)
})
