/** The pages in Chromium: as the design has them, usable by everybody, without script. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { violations } from '../../../support/accessibility.ts'
import { startBrowser } from '../../../support/browser.ts'
import { visitor } from '../../../support/console.ts'
import { type TestHub, testHub } from '../../../support/hub.ts'
import { reader } from '../../../support/reader.ts'
import { needs } from '../../../support/servers.ts'
import { until } from '../../../support/wait.ts'

needs('chromium')

const ANNA = 'anna.berg@acme.example'
const TIMEOUT_MS = 60_000
const SIZES = [360, 1440] as const
const SCHEMES = ['light', 'dark'] as const

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

  async function visit(site: TestHub, width: number): Promise<Visit> {
    const context = await browser.newContext({ viewport: { width, height: 800 }, hasTouch: width < 640 })
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
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme })
      expect([name, colorScheme, await violations(page)]).toEqual([name, colorScheme, []])
    }
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

  test.each(SIZES)(
    'every page at %i px, light and dark',
    async (width) => {
      await using site = await testHub()
      const { newest, hostile, pack } = await fill(site)
      const seen = await visit(site, width)
      const { page, base } = seen
      const look = (name: string) => expectGood(seen, width, `${name}-${width}`)
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
      const page = reader(visitor(`http://127.0.0.1:${site.api.port}`))
      await page.open('/hub')
      page.fill('E-mail address', ANNA)
      await page.press('Send the link')
      expect(page.text()).toContain('If the address is known')
      await until(() => site.mails.length > 0)
      await page.open(`/hub/login/${site.tokenOf()}`)
      await page.press('Sign in')
      expect(page.text('h1')).toBe('Reports for you')
      page.fill('Search title, project or file', 'margin')
      await page.press(/^Search/)
      expect(page.url.search).toContain('q=margin')
      expect(page.all('article.report')).toHaveLength(1)
      await page.follow('Margin by region')
      expect(page.text('h1')).toBe('Margin by region')
      await page.follow(/^Download/)
      expect(page.download?.name).toBe('Margin_Nord_2026-W47.pdf')
      await page.follow('All reports')
      await page.follow(/^People/)
      expect(page.url.search).toContain('project=People')
      expect(page.all('article.report')).toHaveLength(1)
      await page.press('Sign out')
      expect(page.text()).toContain('You are signed out.')
      await page.follow('Show your reports')
      expect(page.all('input[name=address]')).toHaveLength(1)
    },
    TIMEOUT_MS,
  )

  test(
    'a report that is viewed runs no script',
    async () => {
      await using site = await testHub()
      await fill(site)
      const seen = await visit(site, 1440)
      await logIn(site, seen)
      await seen.page.getByRole('link', { name: 'View Stock warning 2026-11-24.html' }).click()
      await seen.page.getByRole('heading', { name: 'Stock' }).waitFor()
      expect(await seen.page.title()).not.toBe('run')
      await seen.context.close()
    },
    TIMEOUT_MS,
  )
})
