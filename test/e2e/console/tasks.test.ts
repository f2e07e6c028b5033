/** The pages about tasks, through the executable and a simulated site: list, task, execution, starts and the start queue. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { textOf, type Visitor, visitorOf } from '../../support/console.ts'
import { looksWell, openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { findExecutable } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const ETL = '70000000-0000-4000-8000-000000000001'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
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

test('percentiles of the task are those of the history', async () => {
  const answer = await product.call('GET', `/v4/history/summary?taskId=${ETL}&from=90d`)
  const { summary } = (await answer.json()) as {
    summary: { runs: number; runMs: { p50: number; p95: number } }[]
  }
  const text = textOf(await pageText(`/console/tasks/${ETL}`))
  const shown = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)
  const [group] = summary
  expect(text).toContain(`Runs in 90 days ${group!.runs} `)
  expect(text).toContain(`p50 ${shown(group!.runMs.p50)} `)
  expect(text).toContain(`p95 ${shown(group!.runMs.p95)} `)
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
  const text = textOf(await pageText(`/console/executions/${failed}`))
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

test('a run under way has its expected end, or is over the usual', async () => {
  site.simulator.runTask(SLOW)
  const html = await until(
    async () => {
      const found = await pageText(`/console/tasks/${SLOW}`)
      return found.includes('aria-label="Running now"') ? found : undefined
    },
    { timeout: 30_000 },
  )
  expect(textOf(html)).toMatch(/Ends about \d\d:\d\d|Over the usual by|Waits for/)
}, 60_000)

describe.skipIf(!findExecutable('chromium'))('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 30_000)
  afterAll(() => browser?.close())

  test('the pages look well at each width in both themes', async () => {
    const paths = [
      ...['/console/tasks', `/console/tasks/${ETL}`, '/console/tasks/queue', `/console/executions/${failed}`],
      ...[`/console/form/task.start?taskId=${ETL}`, '/console/nothing-here'],
    ]
    await looksWell(browser, origin, paths)
  }, 180_000)

  test('selected tasks go into one dialog, with the limit of starts at a time', async () => {
    await using opened = await openConsole(browser, `${origin}/console/tasks`)
    const { page, faults } = opened
    for (const id of [ETL, DASHBOARD]) await page.locator(`input[value="${id}"]`).check()
    await page.getByText('Start selected…').click()
    await page.getByText('At most so many at a time').waitFor()
    expect(await page.locator('input[name=taskId]').count()).toBe(2)
    expect(faults).toEqual([])
  }, 30_000)
})
