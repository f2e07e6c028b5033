/** Pages as a browser shows them: folded lists, pictures, colours and lines. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { recordExecution } from '../../../src/tasks/executions/store.ts'
import { startBrowser } from '../../support/browser.ts'
import { type Scene, startScene } from '../../support/console-scene.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { endedExecution } from '../../support/safety-net.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const MINUTE_MS = 60_000
const SALES = '70000000-0000-4000-8000-000000000001'
const WAIT = { timeout: 20_000 }

describe('pages in a browser', () => {
  let sink: HttpSink
  let scene: Scene
  let browser: Browser
  let page: Page
  const open = (path: string) => page.goto(`http://127.0.0.1:${scene.port}/console${path}`, { waitUntil: 'load' })

  beforeAll(async () => {
    sink = await startHttpSink()
    sink.answer(({ url }) => ({ status: url === '/gone' ? 400 : 200 }))
    scene = await startScene({
      seed(db) {
        for (let n = 1; n <= 30; n += 1) {
          const stoppedAt = Date.now() - n * 10 * MINUTE_MS
          const ids = { executionId: `e-${n}`, resultId: `r-${n}` }
          const run = { taskId: SALES, taskName: 'Sales ETL hourly', outcome: 'success', runMs: 441_000 } as const
          recordExecution(db, endedExecution({ ...run, ...ids, stoppedAt }))
        }
      },
      footman: {
        timezone: 'Europe/Stockholm',
        destinations: {
          refusing: { type: 'webhook', url: `${sink.url}/gone` },
          working: { type: 'webhook', url: `${sink.url}/fine` },
        },
        alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['refusing', 'working'] }],
      },
    })
    const hourly = { name: 'Each hour', cronSchedule: '0 * * * *', timezone: 'Europe/Stockholm' }
    await scene.post('/v4/schedules', { ...hourly, qlikSenseTaskId: SALES, startupState: 'started', tags: [] })
    scene.site.simulator.runTask('Manually triggered reload of Test failing reloads 2')
    await until(async () => {
      const { deliveries } = await scene.json<{ deliveries: { state: string }[] }>('/v4/deliveries')
      const states = deliveries.map(({ state }) => state)
      return states.includes('delivered') && states.includes('dead')
    }, WAIT)
    browser = await startBrowser()
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
    await sink?.stop()
  })

  test('the starts of an hourly schedule are one line of a day in the calendar, which opens', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    await open('/schedules/calendar')
    // Today may have few starts left.
    await page.getByRole('link', { name: 'The week after' }).click()
    await page.waitForURL(/week=/)
    const day = page.locator('details[data-key^="footman "]:visible').last()
    const summary = day.locator('summary')
    const [, starts] = /^00:00–23:00 Each hour, (2[345]) starts$/.exec((await summary.textContent()) ?? '') ?? []
    const count = Number(starts)
    expect(count).toBeGreaterThan(0)
    expect(await day.locator('a:visible').count()).toBe(0)
    await summary.click()
    expect(await day.locator('a:visible').count()).toBe(count)
    await page.setViewportSize({ width: 1440, height: 900 })
  }, 60_000)

  test('the chart of durations begins at the first run, and its ticks are round', async () => {
    await open(`/tasks/${SALES}`)
    const chart = page.locator('svg[aria-label^="Durations of"]:visible')
    const values = await chart.locator('text[text-anchor=end]').allTextContents()
    const ticks = values.map(Number)
    expect(ticks.length).toBeGreaterThanOrEqual(3)
    const step = ticks[1]! - ticks[0]!
    expect(ticks).toEqual(ticks.map((_, n) => n * step))
    expect([1, 2, 2.5, 5]).toContain(step / 10 ** Math.floor(Math.log10(step)))
    const left = (await chart.locator('line').first().boundingBox())!.x
    const dots = await chart.locator('circle').evaluateAll((all) => all.map((one) => one.getBoundingClientRect()))
    const centres = dots.map(({ x, width }) => x + width / 2)
    expect(Math.abs(Math.min(...centres) - left)).toBeLessThan(2)
    const times = await chart.locator('text[text-anchor=middle]').allTextContents()
    expect(times.length).toBeGreaterThan(1)
    for (const time of times) expect(time).toMatch(/^\d\d:(00|15|30|45)$|^\D*\d{1,2}\D*$/)
  }, 60_000)

  test('deliveries have the colour of their state', async () => {
    await open('/deliveries')
    const colourOf = (destination: string) =>
      page
        .locator('main tbody tr', { hasText: destination })
        .locator('td[data-t=Result] a')
        .first()
        .evaluate((word) => getComputedStyle(word).color)
    const tokens = await page.evaluate(() =>
      ['--ok', '--bad'].map((name) => {
        const probe = document.body.appendChild(document.createElement('i'))
        probe.style.color = `var(${name})`
        const { color } = getComputedStyle(probe)
        probe.remove()
        return color
      }),
    )
    expect([await colourOf('working'), await colourOf('refusing')]).toEqual(tokens as [string, string])
    expect(new Set(tokens).size).toBe(2)
  }, 60_000)

  test('the name of a task is on one line, its stream below the app', async () => {
    await open('/tasks')
    const lines = await page.locator('main tbody tr').evaluateAll((rows) =>
      rows.flatMap((row) => {
        const name = row.querySelector('.one-line a')?.getBoundingClientRect()
        const stream = row.querySelector('td p.sub')?.getBoundingClientRect()
        const app = row.querySelector('td:has(p.sub) bdi')?.getBoundingClientRect()
        const height = Number.parseFloat(getComputedStyle(row).lineHeight)
        return name && stream && app ? [{ name: name.height / height, below: stream.top - app.bottom }] : []
      }),
    )
    expect(lines.length).toBeGreaterThan(5)
    expect(lines.filter(({ name, below }) => name > 1.5 || below < -2)).toEqual([])
  }, 60_000)
})
