/** The pages in Chromium: as the design has them, usable by everybody, without script. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { violations } from '../../../support/accessibility.ts'
import { startBrowser } from '../../../support/browser.ts'
import { type TestHub, testHub } from '../../../support/hub.ts'
import { needs } from '../../../support/servers.ts'
import { until } from '../../../support/wait.ts'

needs('chromium')

const ANNA = 'anna.berg@acme.example'
const TIMEOUT_MS = 60_000
const SIZES = [360, 1440] as const
const SCHEMES = ['light', 'dark'] as const
const EACH = SIZES.flatMap((width) => SCHEMES.map((scheme) => [width, scheme] as const))

async function fill(site: TestHub): Promise<{ newest: string; hostile: string; pack: string }> {
  const hour = 3_600_000
  const visibleTo = [ANNA]
  const publish: TestHub['publish'] = (one) => site.publish({ visibleTo, ...one })
  site.clock.advance(-96 * hour)
  await publish({ title: 'Margin by region', project: 'Finance', fileName: 'Margin_Nord_2026-W47.pdf' })
  for (let n = 0; n < 3; n++) {
    site.clock.advance(hour)
    await publish({
      title: 'Daily KPI',
      project: 'Finance',
      fileName: `Daily KPI 2026-11-${20 + n}.pdf`,
      versionKey: 'kpi',
      runId: randomUUID(),
    })
  }
  site.clock.advance(70 * hour)
  const newest = await publish({
    title: 'Daily KPI',
    project: 'Finance',
    fileName: 'Daily KPI 2026-11-23.pdf',
    versionKey: 'kpi',
    runId: randomUUID(),
  })
  const pack = await publish({ title: 'Weekly sales', fileName: 'Sales pack_Nord.pdf' })
  await publish({ title: 'Weekly sales', fileName: 'Sales_20261123.xlsx', format: 'xlsx' })
  await publish({
    title: 'Headcount November',
    project: 'People',
    fileName: 'Headcount_2026-11.xlsx',
    format: 'xlsx',
    test: true,
  })
  site.clock.advance(22 * hour)
  await publish({
    title: 'Stock warning',
    project: 'Logistics',
    fileName: 'Stock warning 2026-11-24.html',
    format: 'html',
    content: '<h1>Stock</h1><script>document.title="run"</script>',
  })
  const hostile = await publish({
    title: `<script>document.title='run'</script> \u202e${'Long'.repeat(200)}`,
    project: '"><img src=x onerror=alert(1)>',
    fileName: `${'very_long_name_'.repeat(15)}.pdf`,
  })
  return { newest, hostile, pack }
}

describe('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, TIMEOUT_MS)
  afterAll(() => browser?.close())

  interface Visit {
    readonly context: BrowserContext
    readonly page: Page
    readonly problems: string[]
    readonly base: string
  }

  async function visit(site: TestHub, width: number, colorScheme: 'light' | 'dark', script = true): Promise<Visit> {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme,
      javaScriptEnabled: script,
      hasTouch: width < 640,
    })
    const page = await context.newPage()
    const base = `http://127.0.0.1:${site.api.port}`
    const problems: string[] = []
    // Chromium reports the status of a page that says "not found" or "expired".
    page.on('console', (message) => {
      if (!/status of 4(?:04|10)/.test(message.text())) problems.push(message.text())
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(base) && !request.url().startsWith('data:')) problems.push(request.url())
    })
    page.on('response', (response) => {
      if (response.status() >= 500) problems.push(`${response.status()} ${response.url()}`)
    })
    return { context, page, problems, base }
  }

  /** By the form, the mail and the button. */
  async function logIn(site: TestHub, { page, base }: Visit): Promise<void> {
    await page.goto(`${base}/hub`)
    await page.getByLabel('E-mail address').fill(ANNA)
    await page.getByRole('button', { name: 'Send the link' }).click()
    await page.getByText('If the address is known').waitFor()
    await until(() => site.mails.length > 0)
    await page.goto(`${base}/hub/login/${site.tokenOf()}`)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Reports for you' }).waitFor()
  }

  /** Nothing to complain about on the page as it is. */
  async function expectGood({ page, problems }: Visit, width: number, name: string): Promise<void> {
    const folder = process.env.FOOTMAN_SCREENSHOTS
    if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true })
    expect([name, await violations(page)]).toEqual([name, []])
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect([name, overflow <= 0]).toEqual([name, true])
    if (width < 640) {
      const small = await page.evaluate(() =>
        [...document.querySelectorAll('a:not(.skip), button:not(.sr), summary, input:not([type=hidden])')]
          .filter((one) => (one as HTMLElement).checkVisibility())
          .map((one) => ({
            text: one.textContent?.trim() || one.tagName,
            height: (one.closest('label') ?? one).getBoundingClientRect().height,
          }))
          .filter(({ height }) => height < 44),
      )
      expect([name, small]).toEqual([name, []])
    }
    expect([name, problems]).toEqual([name, []])
  }

  test.each(EACH)(
    'every page at %i px, %s',
    async (width, scheme) => {
      await using site = await testHub()
      const { newest, hostile, pack } = await fill(site)
      const seen = await visit(site, width, scheme)
      const { page, base } = seen
      const look = (name: string) => expectGood(seen, width, `${name}-${width}-${scheme}`)
      await page.goto(`${base}/hub`)
      await look('login')
      await page.goto(`${base}/hub/login/unknown`)
      await look('expired')
      await logIn(site, seen)
      await look('list')
      await page.locator('summary.chip').click()
      await look('projects')
      await page.goto(`${base}/hub/items/${newest}`)
      await look('item')
      await page.goto(`${base}/hub/items/${pack}`)
      await look('together')
      await page.goto(`${base}/hub/items/${hostile}`)
      expect(await page.title()).not.toBe('run')
      await look('hostile')
      await page.goto(`${base}/hub?q=nothing-of-this`)
      await look('filtered')
      await page.goto(`${base}/hub/items/00000000-0000-4000-8000-000000000000`)
      await look('missing')
      await seen.context.close()
    },
    TIMEOUT_MS,
  )

  test(
    'without script: sign in, search, filter, open, download, sign out',
    async () => {
      await using site = await testHub()
      await fill(site)
      const seen = await visit(site, 360, 'light', false)
      const { page } = seen
      await logIn(site, seen)
      await page.getByLabel('Search title, project or file').fill('margin')
      await page.keyboard.press('Enter')
      await page.waitForURL(/q=margin/)
      expect(await page.locator('article.report').count()).toBe(1)
      await page.getByRole('link', { name: 'Margin by region' }).click()
      await page.getByRole('heading', { name: 'Margin by region' }).waitFor()
      const downloading = page.waitForEvent('download')
      await page.getByRole('link', { name: /^Download/ }).click()
      expect((await downloading).suggestedFilename()).toBe('Margin_Nord_2026-W47.pdf')
      await page.getByRole('link', { name: 'All reports' }).click()
      await page.locator('summary.chip').click()
      await page.getByRole('link', { name: /^People/ }).click()
      await page.waitForURL(/project=People/)
      expect(await page.locator('article.report').count()).toBe(1)
      await page.locator('summary.who').click()
      await page.getByRole('button', { name: 'Sign out', exact: true }).click()
      await page.getByText('You are signed out.').waitFor()
      await page.getByRole('link', { name: 'Show your reports' }).click()
      await page.getByLabel('E-mail address').waitFor()
      await seen.context.close()
    },
    TIMEOUT_MS,
  )

  test(
    'a report that is viewed runs no script',
    async () => {
      await using site = await testHub()
      await fill(site)
      const seen = await visit(site, 1440, 'light')
      await logIn(site, seen)
      await seen.page.getByRole('link', { name: 'View Stock warning 2026-11-24.html' }).click()
      await seen.page.getByRole('heading', { name: 'Stock' }).waitFor()
      expect(await seen.page.title()).not.toBe('run')
      await seen.context.close()
    },
    TIMEOUT_MS,
  )
})
