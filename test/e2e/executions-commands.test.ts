/** Starting tasks by commands, and on a large site, through the executable. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import {
  DISABLED,
  FAILING,
  product,
  SALES_ETL,
  SLOW,
  type Started,
  site,
  startExecutionScene,
  startsOf,
  UNKNOWN,
  WILD,
} from '../support/execution-scene.ts'
import { footman } from '../support/footman.ts'
import { startSite } from '../support/simulator.ts'

startExecutionScene()

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
  }, 90_000)

  test('2: QRS is down', async () => {
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const result = await run(['start-task', SALES_ETL])
    site.simulator.clearFaults()
    expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(/error: start-task: Failed starting task/)])
  }, 90_000)

  test('the address comes from the configuration file too', async () => {
    const result = await runToEnd(['tasks', '-c', product.configFile, '--json'], { timeout: 20_000 })
    expect(result.code).toBe(0)
    expect((JSON.parse(result.stdout) as { tasks: unknown[] }).tasks.length).toBeGreaterThan(10)
  }, 90_000)

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
  }, 90_000)

  test('a name with a wildcard in it means this one task', async () => {
    const { code } = await run(['start-task', 'Sales*'])
    expect(code).toBe(0)
    expect(startsOf(site)).toEqual([WILD])
  }, 90_000)
})

describe('a site with 100,000 tasks', () => {
  const COUNT = 100_000
  const MIB = 1024 * 1024
  const inEnglish = new Intl.Collator('en').compare

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

    const expected = [...simulator.site.tasks.values()].map(({ name }) => name).sort(inEnglish)
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
    const named = (tasks: readonly { readonly name: string }[]) => tasks.map(({ name }) => name).sort(inEnglish)
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
