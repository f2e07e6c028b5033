/** The first screen of the console, through the executable and a simulated site: a broken chain, and its repair. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { textOf, type Visitor, visitorOf } from '../../support/console.ts'
import { coldBytes, openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { setTaskProperty } from '../../support/safety-net.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { storeHistory } from '../../support/stored-history.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const ETL = '70000000-0000-4000-8000-000000000001'
const QVDS = '70000000-0000-4000-8000-000000000002'
const FTP = '71000000-0000-4000-8000-000000000001'
const SLOW = '70000000-0000-4000-8000-000000000007'
const FORGOTTEN = '70000000-0000-4000-8000-000000000008'
const KEY = `taskFailed:${ETL}`

let site: TestSite
let sink: HttpSink
let product: Footman
let origin = ''
let who: Visitor
/** When the trigger of the task that does not start is due, milliseconds since 1970. */
let due = 0

beforeAll(async () => {
  ;[site, sink] = await Promise.all([startSite(), startHttpSink()])
  product = await footman({
    simulator: site.simulator,
    webhookUrl: sink.url,
    config: {
      footman: {
        dataDirectory: 'data',
        destinations: { ops: { type: 'webhook', url: sink.url } },
        alertRoutes: [{ name: 'failures', match: { outcome: ['failed'] }, to: ['ops'] }],
      },
    },
  })
  setTaskProperty(site.simulator, FORGOTTEN, 'watchPolicy', 'neverStarted=1m')
  await product.start()
  due = Date.now() + 1000
  addTrigger(site.simulator, FORGOTTEN, 'Once at night', due)
  await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
  origin = `http://127.0.0.1:${product.restPort}`
  who = visitorOf(product)
  site.simulator.setTask(ETL, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(ETL)
  await until(async () => (await itemText()).includes('Did not run') && (await itemText()).includes('ops'), {
    timeout: 30_000,
  })
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await sink?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

/** A trigger that Qlik Sense forgets to fire. */
function addTrigger(
  { site: { schemaEvents, tasks, nextId } }: TestSite['simulator'],
  taskId: string,
  name: string,
  at: number,
) {
  const [known] = schemaEvents.values()
  const [id, task] = [nextId('41'), tasks.get(taskId)!]
  task.operational.nextExecution = at
  schemaEvents.set(id, {
    ...known!,
    id,
    name,
    task,
    startDate: at,
    incrementOption: 0,
    operational: { id: nextId('42'), nextExecution: at, timesTriggered: 0 },
  })
}

const pageText = async (path = '/console/') => (await who.get(path)).text()
/** The item of the failed task; '' when there is none. */
async function itemText(): Promise<string> {
  const html = await pageText()
  const begin = html.indexOf(`<article class="item" data-key="${KEY}"`)
  return begin < 0 ? '' : textOf(html.slice(begin, html.indexOf('</article>', begin)))
}
/** Keys of the items, which cost less to ask for than the page. */
async function itemKeys(query = ''): Promise<readonly string[]> {
  const answer = await product.call('GET', `/v4/attention${query}`)
  return ((await answer.json()) as { items: { key: string }[] }).items.map(({ key }) => key)
}
const act = (operation: string, fields: Record<string, string>) =>
  who.act(operation, { return: '/console/', ...fields }, '/')

test('the first screen names the failure, its cause, its alerts, and the tasks that did not run', async () => {
  const item = await itemText()
  expect(item).toMatch(/Sales ETL hourly.*Failed/)
  expect(item).toMatch(/Failing since \d\d:\d\d/)
  expect(item).toMatch(/Alerted.*ops/)
  expect(item).toMatch(/Did not run.*Financial Dashboard Reload.*Preload Sales Dashboard/)
  for (const action of ['Start again', 'Snooze', '1 h', 'tomorrow 07:00', 'until it succeeds', 'Take', 'Event']) {
    expect(item).toContain(action)
  }
  const text = textOf(await pageText())
  expect(text).toMatch(/\d+ tasks? (is|are) still failing/)
  expect(text).toMatch(/\d+ runs? ended: .*failed/)
  expect(text).toMatch(/As text.*Sales ETL hourly: Failed, since/)
})

test('a range that has ended speaks of itself, and the list beside it says that it is of now', async () => {
  const text = textOf(await pageText('/console/?w=12h&to=2026-01-01T00:00:00Z'))
  expect(text).toContain('No task that failed in this time is still failing.')
  expect(text).toContain('Needs attention now')
  expect(textOf(await pageText())).not.toContain('Needs attention now')
})

test('the page transfers at most 100 KB with a cold cache, 35 KB of it as HTML', async () => {
  const { html, all } = await coldBytes(origin, '/console/')
  expect(html).toBeLessThan(35_000)
  expect(all).toBeLessThan(100_000)
})

test('the timeline has a line for the task, a bar that leads to the execution, and the facts as a table', async () => {
  const html = await pageText('/console/?group=task&only=all')
  expect(html).toMatch(/aria-label="Sales ETL hourly, failed, [^"]*"/)
  const [, href = ''] = /<a href="([^"]*executions[^"]*)" aria-label="Sales ETL hourly, failed/.exec(html) ?? []
  expect((await who.get(href)).status).toBe(200)
  expect(html).toContain('As a table')
  expect(html).not.toMatch(/ style="/)
  const shapes = [...html.matchAll(/<(rect|path|line|a)\b/g)].length
  expect(shapes).toBeLessThan(2000)
})

test('range, groups and folds stand in the address', async () => {
  for (const query of [
    '?w=48h',
    '?group=app',
    '?group=node',
    '?group=tag:',
    '?group=property:department',
    '?only=problems',
    '?to=2026-01-01T00:00:00Z',
    '?full=1',
  ]) {
    const answer = await who.get(`/console/${query}`)
    expect({ query, status: answer.status }).toEqual({ query, status: 200 })
    expect(await answer.text()).not.toContain('class="error"')
  }
  const html = await pageText('/console/')
  const [, fold = ''] = /class="turner" href="([^"]*fold=[^"]*)"/.exec(html) ?? []
  const folded = await pageText(fold.replaceAll('&amp;', '&'))
  expect(folded).toContain('aria-expanded="false"')
})

test('an item is taken and given back by forms, and the audit knows both', async () => {
  expect((await act('attention.take', { item: KEY })).status).toBe(303)
  expect(await itemText()).toMatch(/Taken by/)
  expect((await act('attention.giveBack', { item: KEY })).status).toBe(303)
  expect(await itemText()).not.toMatch(/Taken by/)
  const audit = await until(async () => {
    const answer = await product.call('GET', '/v4/audit?action=attention.*')
    const found = ((await answer.json()) as { audit: { action: string; via?: string }[] }).audit
    return found.length > 1 ? found : undefined
  })
  expect(audit.map(({ action }) => action).toSorted()).toEqual(['attention.giveBack', 'attention.take'])
  expect(audit.every(({ via }) => via === 'console')).toBe(true)
})

test('a task that fails and succeeds at its retry is well again, by a retry', async () => {
  setTaskProperty(site.simulator, QVDS, 'retryPolicy', '1x/10s')
  site.simulator.setTask(QVDS, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(QVDS)
  await until(async () => /Retry 1 of 1 at \d\d:\d\d/.test(textOf(await pageText())), { timeout: 30_000 })
  site.simulator.setTask(QVDS, { outcome: 'success', durationMs: 50 })
  await until(async () => (await itemKeys('?state=recovered')).includes(`taskFailed:${QVDS}`), { timeout: 40_000 })
  const html = await until(
    async () => {
      const found = await pageText()
      return textOf(found).includes('a retry succeeded') ? found : undefined
    },
    { timeout: 40_000 },
  )
  expect(textOf(html)).toMatch(/Recovered.*failed \d\d:\d\d ?, a retry succeeded \d\d:\d\d/)
  expect(html).not.toContain(`data-key="taskFailed:${QVDS}"`)
  const answer = await product.call('GET', '/v4/attention?state=recovered')
  expect(((await answer.json()) as { items: unknown[] }).items).toContainEqual(
    expect.objectContaining({ key: `taskFailed:${QVDS}`, recovered: expect.objectContaining({ how: 'retry' }) }),
  )
}, 80_000)

test('a snooze of the item is set at once and shown', async () => {
  const html = await pageText()
  expect(html).toContain('/form/snooze.set')
  expect((await act('snooze.set', { taskId: ETL, for: '2h', confirmed: '1' })).status).toBe(303)
  expect(await itemText()).toMatch(/Snoozed/)
  const { snoozes } = (await (await product.call('GET', '/v4/snoozes')).json()) as { snoozes: { id: string }[] }
  for (const { id } of snoozes) await product.call('DELETE', `/v4/snoozes/${id}`)
})

describe('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 90_000)
  afterAll(() => browser?.close())

  test('a change shows by itself, and the way to a start needs no pointer', async () => {
    await using opened = await openConsole(browser, `${origin}/console/`)
    const { page, faults } = opened
    await page.locator('[data-status=live]').waitFor()
    site.simulator.setTask(FTP, { outcome: 'fail', durationMs: 50 })
    site.simulator.runTask(FTP)
    await page.locator(`article[data-key="taskFailed:${FTP}"]`).waitFor({ timeout: 30_000 })

    site.simulator.setTask(ETL, { outcome: 'success', durationMs: 50 })
    const start = page.locator(`article[data-key="${KEY}"] a[data-dialog]`).first()
    await start.focus()
    await page.keyboard.press('Enter')
    const dialog = page.locator('dialog[open]')
    await dialog.getByText('Will start (1)').waitFor()
    await dialog.getByText('Sales ETL hourly').first().waitFor()
    await dialog.locator('button[type=submit]').focus()
    await page.keyboard.press('Enter')
    await page.getByText('Started Sales ETL hourly.').waitFor()
    await page.locator(`article[data-key="${KEY}"]`).waitFor({ state: 'detached', timeout: 30_000 })
    expect(faults).toEqual([])
  }, 90_000)

  test('bars are one tab stop, and arrow keys move among them', async () => {
    await using opened = await openConsole(browser, `${origin}/console/?group=task&only=all`)
    const { page } = opened
    const stops = page.locator('.plot a[tabindex="0"]')
    await until(async () => (await stops.count()) === 1, { timeout: 10_000 })
    await stops.focus()
    const label = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
    const before = await label()
    await page.keyboard.press('ArrowLeft')
    expect(await label()).not.toBe(before)
  }, 90_000)
})

test('a task that succeeds again leaves the list and is among the recovered', async () => {
  site.simulator.setTask(ETL, { outcome: 'success', durationMs: 50 })
  site.simulator.runTask(ETL)
  await until(async () => (await itemText()) === '', { timeout: 30_000 })
  const text = textOf(await pageText())
  expect(text).toMatch(/Recovered.*Sales ETL hourly.*failed.*succeeded \d\d:\d\d/)
}, 60_000)

test('a task that runs has its bar with the expected end', async () => {
  site.simulator.runTask(SLOW)
  const html = await until(
    async () => {
      const found = await pageText('/console/?only=all&group=task')
      return found.includes('Slow Warehouse Load, running since') ? found : undefined
    },
    { timeout: 30_000 },
  )
  expect(html).toMatch(/Slow Warehouse Load, running since \d\d:\d\d[^"]*(ETA \d\d:\d\d|over the usual)/)
}, 60_000)

test('48 hours with 20,000 runs are 2,000 shapes at most, and a batch opens the runs of its span', async () => {
  // A day before everything else of this file.
  const [end, span, count] = [Date.now() - 86_400_000, 48 * 3_600_000, 20_000]
  storeHistory(
    product,
    Array.from({ length: count }, (_, n) => ({
      executionId: `00000002-0000-4000-8000-${String(n).padStart(12, '0')}`,
      // Qlik Sense knows the first one, so it has a page.
      taskId: n % 200 === 0 ? QVDS : `00000003-0000-4000-8000-${String(n % 200).padStart(12, '0')}`,
      taskName: `Night ${n % 200}`,
      outcome: n % 97 === 0 ? ('failed' as const) : ('success' as const),
      stoppedAt: end - Math.floor(((n + 1) * span) / (count + 1)),
      runMs: 30_000,
    })),
  )
  const [from, to] = [end - span, end].map((at) => new Date(at).toISOString())
  const get = async <T>(path: string) => (await (await product.call('GET', path)).json()) as T
  type Bar = { kind: string; from: string; to: string; count: number; outcome?: string }
  const { summary, groups } = await get<{
    summary: { runs: number; failed: number }
    groups: { rows: { taskId: string; runs: number; bars: Bar[] }[] }[]
  }>(`/v4/timeline?from=${from}&to=${to}&only=all&group=task&name=Night*`)
  const rows = groups.flatMap((group) => group.rows)
  expect(rows.length).toBe(200)
  expect(rows.flatMap(({ bars }) => bars).length).toBeLessThanOrEqual(2000)
  for (const { runs, bars } of rows) expect(bars.reduce((sum, bar) => sum + (bar.count ?? 1), 0)).toBe(runs)

  const history = `/v4/history/summary?from=${from}&to=${to}&limit=500`
  const { summary: tasks } = await get<{ summary: { runs: number; failed: number }[] }>(history)
  const sum = (member: 'runs' | 'failed') => tasks.reduce((total, task) => total + task[member], 0)
  expect({ runs: summary.runs, failed: summary.failed }).toEqual({ runs: sum('runs'), failed: sum('failed') })

  const html = await pageText(`/console/?w=48h&to=${to}&only=all&group=task&q=Night`)
  const plot = html.slice(html.indexOf('<svg class="plot"'), html.indexOf('</svg>', html.indexOf('<svg class="plot"')))
  expect(plot.match(/<a /g)!.length).toBeLessThanOrEqual(2000)
  const [, href = '', runs = ''] = /<a href="([^"]*)" aria-label="Night 0, (\d+) runs/.exec(plot) ?? []
  const address = new URL(href.replaceAll('&amp;', '&'), origin)
  const page = await pageText(address.pathname + address.search)
  const table = page.slice(page.indexOf('Runs, the newest first'))
  const shown = table.slice(0, table.indexOf('</table>')).match(/executions\/00000002-0000-4000-8000-\d{12}/g)
  expect(new Set(shown).size).toBe(Math.min(Number(runs), 20))
  const query = `taskId=${address.pathname.split('/').at(-1)}&${address.searchParams}&limit=500`
  const { executions } = await get<{ executions: unknown[] }>(`/v4/history?${query}`)
  expect(executions.length).toBe(Number(runs))
}, 60_000)

test('a trigger whose task did not start is a dashed bar and an item, until the task runs', async () => {
  const article = `data-key="neverStarted:${FORGOTTEN}"`
  const dashed =
    /<a href="[^"]*" aria-label="([^"]*, expected [^"]*, never started)"><title>[^<]*<\/title><rect class="b-miss"/
  const timeline = () => pageText('/console/?only=all&group=task')
  await until(async () => (await itemKeys()).includes(`neverStarted:${FORGOTTEN}`), {
    // Due, its limit of a minute, and a minute between two looks of the watchdog.
    timeout: due + 140_000 - Date.now(),
  })
  const html = await until(async () => {
    const found = await timeline()
    return found.includes(article) && dashed.test(found) ? found : undefined
  })
  const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' }).format(due)
  expect(dashed.exec(html)?.[1]).toEndWith(`, expected ${clock} by Once at night, never started`)

  site.simulator.site.tasks.get(FORGOTTEN)!.operational.nextExecution = due + 365 * 86_400_000
  site.simulator.setTask(FORGOTTEN, { outcome: 'success', durationMs: 50 })
  site.simulator.runTask(FORGOTTEN)
  await until(async () => !(await timeline()).includes(article), { timeout: 20_000 })
  // A run that began in time is found later.
  storeHistory(product, [
    {
      executionId: '00000004-0000-4000-8000-000000000001',
      taskId: FORGOTTEN,
      taskName: 'Found later',
      outcome: 'success',
      stoppedAt: due + 10_000,
      runMs: 5000,
    },
  ])
  expect(await timeline()).not.toMatch(dashed)
}, 180_000)
