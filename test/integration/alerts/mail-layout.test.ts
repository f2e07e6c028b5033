/** The built-in mails in a browser: nothing is wider than the window, on a phone and on a desk, in light and dark. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { mailView } from '../../../src/alerts/destinations/email/view.ts'
import { templateContext } from '../../../src/alerts/template-context.ts'
import { CONTEXT, templateEngine } from '../../support/alerts.ts'
import { startBrowser } from '../../support/browser.ts'
import { MAIL_SAMPLES } from '../../support/mail-samples.ts'
import { needs } from '../../support/servers.ts'

needs('chromium')

const NAMES = ['reload-failed', 'long-names', 'service-stopped', 'cloud-failed', 'summary'] as const
const engine = templateEngine()

function htmlOf(name: keyof typeof MAIL_SAMPLES): string {
  const { event, delivery } = MAIL_SAMPLES[name]
  const record = templateContext(event, CONTEXT, { headLines: 15, tailLines: 15 }, 'slash', delivery)
  return engine.render({ kind: 'builtin', name: 'email/alert' }, { ...record, view: mailView(record) }, 'html')
}

describe('mails in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 90_000)
  afterAll(() => browser?.close())

  test.each([320, 480, 700, 900])(
    'at %d pixels nothing is cut off',
    async (width) => {
      const page = await browser.newPage({ viewport: { width, height: 600 } })
      for (const name of NAMES) {
        await page.setContent(htmlOf(name))
        expect([name, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([name, width])
      }
      await page.close()
    },
    30_000,
  )

  test('without media queries, as some mail clients are, a phone shows it all too', async () => {
    const page = await browser.newPage({ viewport: { width: 320, height: 600 } })
    for (const name of NAMES) {
      await page.setContent(htmlOf(name).replace(/<style>[\s\S]*?<\/style>/g, ''))
      expect([name, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([name, 320])
    }
    await page.close()
  }, 90_000)

  test('dark mode darkens the card, and nothing is fetched', async () => {
    const page = await browser.newPage({ colorScheme: 'dark' })
    const requests: string[] = []
    page.on('request', (request) => void requests.push(request.url()))
    await page.setContent(htmlOf('reload-failed'))
    const background = await page.evaluate(() => getComputedStyle(document.querySelector('.card')!).backgroundColor)
    expect(background).toBe('rgb(26, 33, 41)')
    expect(requests.filter((url) => !url.startsWith('about:'))).toEqual([])
    await page.close()
  }, 90_000)
})
