/** The pages about tasks, through the executable and a simulated site: list, task, execution, starts and the start queue. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { textOf, type Visitor, visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { storeHistory } from '../../support/stored-history.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const ETL = '70000000-0000-4000-8000-000000000001'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const REPORT = 'b9c5d234-efe5-6789-abcd-ef0123456789'
const SLOW = '70000000-0000-4000-8000-000000000007'
const DISABLED = '70000000-0000-4000-8000-000000000009'
/** Failed before Footman began. */
const BROKEN = '71000000-0000-4000-8000-000000000002'
const UNKNOWN = '70000000-0000-4000-8000-999999999999'

let site: TestSite
let product: Footman
let origin = ''
let who: Visitor
let failed = ''

beforeAll(async () => {
  site = await startSite()
  product = await footman({ simulator: site.simulator, config: { footman: { dataDirectory: 'data' } } })
  await product.start()
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
  origin = `http://127.0.0.1:${product.restPort}`
  who = visitorOf(product)
  site.simulator.setTask(ETL, { outcome: 'success', durationMs: 20 })
  for (let n = 0; n < 6; n += 1) {
    expect((await product.call('POST', `/v4/reloadtask/${ETL}/start?wait=30`)).status).toBe(200)
  }
  site.simulator.setTask(DASHBOARD, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(DASHBOARD)
  await until(async () => /Financial Dashboard Reload.*failed/.test(textOf(await pageText('/console/tasks'))), {
    timeout: 30_000,
  })
  const answer = await product.call('GET', `/v4/history?taskId=${DASHBOARD}&outcome=failed&limit=1`)
  failed = ((await answer.json()) as { executions: { executionId: string }[] }).executions[0]?.executionId ?? ''
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const pageText = async (path: string) => (await who.get(path)).text()
const act = (operation: string, fields: Record<string, string>) =>
  who.act(operation, { return: '/console/tasks', ...fields }, '/tasks')

test('the list begins with tasks that have a problem, and shows their last outcomes', async () => {
  const html = await pageText('/console/tasks')
  const rows = html.split('<tr data-key="').slice(1)
  const at = (id: string) => rows.findIndex((row) => row.startsWith(id))
  expect(at(DASHBOARD)).toBeGreaterThanOrEqual(0)
  expect(at(DASHBOARD)).toBeLessThan(at(ETL))
  expect(rows[at(DASHBOARD)]).toContain('aria-label="failed"')
  expect(textOf(rows[at(DASHBOARD)] ?? '')).toMatch(/failed.*since \d\d:\d\d.*Sales Dashboard/)
  expect(rows[at(ETL)]?.match(/aria-label="succeeded"/g)?.length).toBeGreaterThan(5)
})

test('presets and filters are those of the API', async () => {
  const failing = await pageText('/console/tasks?outcome=failed')
  expect(failing).toContain(`<tr data-key="${BROKEN}"`)
  expect(failing).not.toContain(`<tr data-key="${ETL}"`)
  expect(textOf(await pageText('/console/tasks?name=none*'))).toContain('Nothing matches')
  const refused = await who.get('/console/tasks?outcome=wrong')
  expect(await refused.text()).toContain('class="error"')
})

test('the dialog of a start shows which tasks would start, and starts nothing', async () => {
  const query = [ETL, DISABLED, UNKNOWN].map((id) => `taskId=${id}`).join('&')
  const before = await runsOf(ETL)
  const text = textOf(await pageText(`/console/form/task.start?${query}&return=/console/tasks`))
  expect(text).toMatch(/Will start \(1\) .*Sales ETL hourly/)
  expect(text).toMatch(/Disabled in Qlik Sense \(1\) .*Disabled reload/)
  expect(text).toMatch(/Not found \(1\)/)
  expect(await runsOf(ETL)).toBe(before)
})

const runsOf = async (taskId: string): Promise<number> => {
  const answer = await product.call('GET', `/v4/history?taskId=${taskId}&limit=200`)
  return ((await answer.json()) as { executions: unknown[] }).executions.length
}

test('a start from the page is in the audit, with the way that it came', async () => {
  const unconfirmed = await act('task.start', { taskId: ETL })
  expect(unconfirmed.status).toBe(200)
  expect(unconfirmed.text).toContain('Will start (1)')
  const started = await act('task.start', { taskId: ETL, confirmed: '1' })
  expect(started.status).toBe(303)
  expect(textOf(await pageText('/console/tasks'))).toContain('Started Sales ETL hourly.')
  await until(async () => {
    const answer = await product.call('GET', '/v4/audit?action=task.start')
    const { audit } = (await answer.json()) as { audit: { via?: string }[] }
    return audit.some(({ via }) => via === 'console') || undefined
  })
})

test('percentiles and band of 200 runs are those of the history and of a computation by hand', async () => {
  const DAY = 86_400_000
  const noon = Math.floor(Date.now() / DAY) * DAY - DAY / 2
  // Two runs a day at 11:00 and 12:00 UTC, the oldest first, all of different lengths between 10.0 s and 29.9 s.
  const runs = Array.from({ length: 200 }, (_, n) => ({
    executionId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    taskId: REPORT,
    taskName: 'Report',
    outcome: 'success' as const,
    stoppedAt: noon - (99 - Math.floor(n / 2)) * DAY - (n % 2 === 0 ? DAY / 24 : 0),
    runMs: 10_000 + ((n * 77) % 200) * 100,
  }))
  storeHistory(product, runs)
  const [begin, end] = [runs[0]!.stoppedAt, runs.at(-1)!.stoppedAt + 1].map((at) => new Date(at).toISOString())

  const answer = await product.call('GET', `/v4/history/summary?taskId=${REPORT}&from=${begin}&to=${end}`)
  const { summary } = (await answer.json()) as { summary: { runs: number; runMs: { p50: number; p95: number } }[] }
  // The 100th and the 190th of 10.0, 10.1, ... 29.9 s.
  expect(summary[0]).toMatchObject({ runs: 200, runMs: { p50: 19_900, p95: 28_900 } })

  const found = await product.call('GET', `/v4/tasks/${REPORT}/durations?from=${begin}`)
  const { band, points } = (await found.json()) as {
    band: { day: string; p50Ms: number; p95Ms: number }[]
    points: unknown[]
  }
  expect(points.length).toBeGreaterThanOrEqual(200)
  const rank = (sorted: readonly number[], percent: number) => sorted[Math.ceil((sorted.length * percent) / 100) - 1]!
  for (const { day, p50Ms, p95Ms } of band.filter((one) => Date.parse(one.day) <= runs.at(-1)!.stoppedAt)) {
    const before = runs.filter(({ stoppedAt }) => stoppedAt < Date.parse(day)).slice(-30)
    const sorted = before.map(({ runMs }) => runMs).sort((a, b) => a - b)
    // Of fewer than ten runs the longest stands for the 95th percentile.
    const p95 = sorted.length < 10 ? sorted.at(-1)! : rank(sorted, 95)
    expect({ day, p50Ms, p95Ms }).toEqual({ day, p50Ms: rank(sorted, 50), p95Ms: p95 })
  }
  expect(band.length).toBeGreaterThanOrEqual(99)

  const page = textOf(await pageText(`/console/tasks/${REPORT}`))
  const whole = await product.call('GET', `/v4/history/summary?taskId=${REPORT}&from=90d`)
  const [group] = ((await whole.json()) as { summary: typeof summary }).summary
  type Described = { usual: { usualMs: number; p95Ms: number } }
  const { usual } = (await (await product.call('GET', `/v4/tasks/${REPORT}`)).json()) as Described
  // Whole seconds, as a clock counts them.
  const shown = (ms: number) => `${Math.floor(ms / 1000)} s`
  for (const fact of [
    `Runs in 90 days ${group!.runs} `,
    `Usual ${shown(usual.usualMs)} `,
    `95 % within ${shown(usual.p95Ms)} `,
  ]) {
    expect({ fact, shown: page.includes(fact) }).toEqual({ fact, shown: true })
  }
})

test('the task shows its triggers, what follows, its runs, and who would be alerted', async () => {
  const text = textOf(await pageText(`/console/tasks/${DASHBOARD}`))
  expect(text).toMatch(/Started by .*Daily 06:00 .*daily at 06:00.*next/)
  expect(text).toMatch(/Sales ETL hourly on success/)
  expect(text).toMatch(/Followed by .*Preload Sales Dashboard/)
  expect(text).toMatch(/If it failed now/)
  expect(text).toMatch(/As a table .*failed/)
})

test('an unknown task is a page with the status 404', async () => {
  const answer = await who.get(`/console/tasks/${UNKNOWN}`)
  expect(answer.status).toBe(404)
  expect(await answer.text()).toContain('Task not found')
})

test('the execution shows its states, its error, and its log', async () => {
  // The script log comes after the execution has ended.
  const text = await until(async () => {
    const found = textOf(await pageText(`/console/executions/${failed}`))
    return found.includes('Log Whole log') ? found : null
  })
  expect(text).toMatch(/Financial Dashboard Reload .*failed/)
  expect(text).toMatch(/Triggered .*Started, after .*failed, after/)
  expect(text).toMatch(/Steps .*FinishedFail/)
  expect(text).toMatch(/Log Whole log .*Execution/)
})

test('a start that waits can be taken out of the queue, and does not happen', async () => {
  const [first, second] = site.simulator.addTasks(2) as [string, string]
  site.simulator.setTask(first, { durationMs: 120_000 })
  const started = await product.call('POST', '/v4/reloadtask/-/start?maxConcurrent=1', { taskId: [first, second] })
  const { tasksQueued } = (await started.json()) as { tasksQueued: { queueId: string; taskName: string }[] }
  const { queueId, taskName } = tasksQueued[0]!
  const page = await pageText('/console/tasks/queue')
  expect(page).toContain(`name="queueId" value="${queueId}"`)
  const removed = await act('queue.remove', { queueId, taskName, return: '/console/tasks/queue' })
  expect([removed.status, removed.location]).toEqual([303, '/console/tasks/queue'])
  expect(textOf(await pageText('/console/tasks/queue'))).toContain('Nothing waits')
  const again = await act('queue.remove', { queueId, taskName })
  expect([again.status, again.text.includes(queueId)]).toEqual([404, true])
  site.simulator.abort(first)
  const dropped = await product.call('GET', `/v4/execution/${queueId}`)
  expect((await dropped.json()) as object).toMatchObject({ state: 'finished', statusText: 'NotStarted' })
})

test('a run under way has its expected end', async () => {
  // The longer of its last runs are the newer ones, so a run more or less changes neither percentile.
  const runs = Array.from({ length: 30 }, (_, n) => ({
    executionId: `00000001-0000-4000-8000-${String(n).padStart(12, '0')}`,
    taskId: SLOW,
    taskName: 'Slow',
    outcome: 'success' as const,
    stoppedAt: Date.now() - (40 - n) * 60_000,
    runMs: n < 20 ? 100_000 : 120_000,
  }))
  storeHistory(product, runs)
  site.simulator.runTask(SLOW)
  const html = await until(
    async () => {
      const found = await pageText(`/console/tasks/${SLOW}`)
      return found.includes('aria-label="Running now"') ? found : undefined
    },
    { timeout: 30_000 },
  )
  expect(textOf(html)).toMatch(/Ends about \d\d:\d\d|Waits for/)
  const { runningExecution } = await until(
    async () => {
      const answer = await product.call('GET', `/v4/tasks/${SLOW}`)
      const task = (await answer.json()) as { runningExecution: Record<string, string> | null }
      return task.runningExecution?.state === 'running' ? task : undefined
    },
    { timeout: 30_000 },
  )
  const { startedAt = '', expectedEnd = '', pessimisticEnd = '', over } = runningExecution!
  const after = (end: string) => Date.parse(end) - Date.parse(startedAt)
  expect({ p50: after(expectedEnd), p90: after(pessimisticEnd), over }).toEqual({
    p50: 100_000,
    p90: 120_000,
    over: false as never,
  })
}, 60_000)

describe('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 90_000)
  afterAll(() => browser?.close())

  test('selected tasks go into one dialog, with the limit of starts at a time', async () => {
    await using opened = await openConsole(browser, `${origin}/console/tasks`)
    const { page, faults } = opened
    await page.locator(`input[value="${ETL}"]`).check()
    await page.locator(`[data-key="${DASHBOARD}"] a`).first().focus()
    await page.keyboard.press('x')
    await page.getByText('Start selected…').click()
    await page.getByText('At most so many at a time').waitFor()
    expect(await page.locator('input[name=taskId]').count()).toBe(2)
    expect(faults).toEqual([])
  }, 90_000)
})

test('a run that takes longer than usual has no expected end, but what it is over', async () => {
  site.simulator.setTask(ETL, { outcome: 'success', durationMs: 10_000 })
  site.simulator.runTask(ETL)
  const html = await until(
    async () => {
      const found = await pageText(`/console/tasks/${ETL}`)
      return found.includes('Over the usual by') ? found : undefined
    },
    { timeout: 30_000 },
  )
  expect(textOf(html)).toMatch(/Over the usual by \d+ s running/)
  expect(textOf(html)).not.toContain('Ends about')
}, 60_000)
