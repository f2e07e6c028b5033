/** Pages as a browser shows them: all of them usable by everybody, at each width; folded lists, pictures, colours and lines. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { PAGES } from '../../../src/console/pages/index.ts'
import { startBrowser } from '../../support/browser.ts'
import { looksWell } from '../../support/console-browser.ts'
import { type EveryPage, everyPage, SALES } from '../../support/console-pages.ts'
import { needs } from '../../support/servers.ts'

needs('mosquitto', 'chromium')

/** They answer with a document or the address of another page. */
const NO_PAGE = ['/events/:id/log', '/deliveries/:id/mail', '/reportrun/:runId']

describe('pages in a browser', () => {
  let scene: EveryPage
  let browser: Browser
  let page: Page
  let base = ''
  const open = (path: string) => page.goto(base + path, { waitUntil: 'load' })

  beforeAll(async () => {
    ;[scene, browser] = await Promise.all([everyPage(), startBrowser()])
    base = `http://127.0.0.1:${scene.reports.product.restPort}/console`
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    const cookies = [...scene.admin.cookies].map(([name, value]) => ({ name, value, url: base }))
    await page.context().addCookies(cookies)
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  })

  test('the list has every page', () => {
    const listed = scene.pages.map((path) => path.replace(/\?.*/, ''))
    const fixed = new Set(PAGES.map(({ path }) => path))
    const isListed = (path: string) => {
      const pattern = new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`)
      return listed.some((one) => one === path || (pattern.test(one) && !fixed.has(one)))
    }
    expect(PAGES.map(({ path }) => path).filter((path) => !isListed(path))).toEqual(NO_PAGE)
  })

  test('every page looks well', () => looksWell(browser, base, scene.pages, { as: scene.admin }), 300_000)

  test('the sign-in and a page without its scope look well', async () => {
    await looksWell(browser, base, ['/login'])
    await looksWell(browser, base, ['/system/audit'], { as: scene.reader })
  }, 60_000)

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
