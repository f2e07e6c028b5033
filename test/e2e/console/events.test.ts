/** The pages of events as HTML and in Chromium, from the compiled executable and a simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { visitorOf } from '../../support/console.ts'
import { openConsole, seen, tooWide } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { reader } from '../../support/reader.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { atMost, until } from '../../support/wait.ts'

needs('chromium')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const TIMEOUT = 60_000
/** Lines 5001 and 9001 are errors, and one before the end. */
const LOG_LINES = 10_000
const LOG = Array.from({ length: LOG_LINES }, (_, n) => {
  const text =
    n === 5000 || n === 9000 ? "Error: Cannot open file: 'lib://QVD/sales.qvd'" : `\u001b[31mrow\u001b[0m ${n + 1}`
  return `20260302T070310.804+0100 ${n < 5000 ? '0017' : '    '} ${text}`
}).join('\r\n')

interface Listed {
  readonly id: string
  readonly deliveryCounts: Readonly<Record<string, number>>
}

describe('events in the console', () => {
  let site: TestSite
  let sink: HttpSink
  let product: Footman
  let browser: Browser
  let base = ''
  let eventId = ''

  const events = async (query: string): Promise<readonly Listed[]> => {
    const { events: found } = (await (await product.call('GET', `/v4/events?${query}`)).json()) as {
      events: readonly Listed[]
    }
    return found
  }

  beforeAll(async () => {
    ;[site, sink, browser] = await Promise.all([startSite(), startHttpSink(), startBrowser()])
    product = await footman({
      simulator: site.simulator,
      config: {
        emailNotification: { enable: false },
        footman: {
          destinations: {
            hook: { type: 'webhook', url: `${sink.url}/hook` },
            slow: { type: 'webhook', url: `${sink.url}/slow` },
          },
          alertRoutes: [
            { name: 'all', match: { outcome: 'failed' }, to: ['hook'], limit: 'none' },
            { name: 'etl', match: { outcome: 'failed', task: ['ETL*'] }, to: ['slow'] },
          ],
          api: { rateLimitPerMinute: 0 },
        },
      },
    })
    await product.start()
    base = `http://127.0.0.1:${product.restPort}/console`
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 200, log: LOG })
    site.simulator.runTask(TASK)
    const found = await until(async () => (await events('outcome=failed')).find((one) => one.deliveryCounts.delivered))
    eventId = found.id
  }, TIMEOUT)

  afterAll(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop()])
  })

  test(
    'an event says what happened, who was alerted and why',
    async () => {
      const page = reader(visitorOf(product))
      await page.open(`/console/events/${eventId}`)
      expect(page.text('h1')).toBe('Reload failed: Financial Dashboard Reload')
      expect(page.text('.panel .error')).toContain("Cannot open file: 'lib://QVD/sales.qvd'")
      expect(page.text('.deliveries')).toMatch(/hook.*Delivered.*HTTP 200/)
      expect(page.text('[data-route=all]')).toMatch(/all to hook Sent/)
      expect(page.text('[data-route=etl]')).toMatch(/Did not match.*task ETL\* : found Financial/)
      expect(page.text('[aria-labelledby=execution]')).toMatch(/Triggered.*Failed after/)
      expect(page.text('[aria-labelledby=task]')).toContain('Sales Dashboard')
    },
    TIMEOUT,
  )

  test(
    'a log of 10,000 lines opens at the first error; e walks the errors',
    async () => {
      const began = performance.now()
      const html = await (await fetch(`${base}/events/${eventId}`)).text()
      // The budget is 300 ms; a busy machine gets ten times as much.
      expect(performance.now() - began).toBeLessThan(atMost(3000))
      expect(html.match(/id="line-\d+"/g)).toHaveLength(2000)
      await using opened = await openConsole(browser, `${base}/events/${eventId}`)
      const { page } = opened
      const log = page.locator('[data-log]')
      expect(await log.locator('> ol > li').nth(6).getAttribute('id')).toBe('line-5001')
      expect(await log.locator('li.e').allInnerTexts()).toEqual([expect.stringContaining('error')])
      expect(await seen(page, '#line-5001')).toContain('Error: Cannot open file')
      expect(await seen(page, '#line-5002')).toMatch(/^\d\d:03:10\nrow 5002$/)
      expect(await page.getByText('Lines 4 001–6 000 of 10 000, 2 errors').count()).toBe(1)
      await page.keyboard.press('e')
      expect(await page.evaluate('document.activeElement.id')).toBe('line-5001')
      await page.getByRole('link', { name: 'Next error' }).click()
      await page.waitForURL(/log=8001-10000.*#line-9001/)
      expect(await seen(page, '#line-9001')).toContain('Error: Cannot open file')
      await page.getByRole('link', { name: 'Lines before' }).click()
      await page.waitForURL(/log=6001-8000/)
      const file = await fetch(`${base}/events/${eventId}/log`)
      expect(file.headers.get('content-type')).toBe('text/plain; charset=utf-8')
      expect(await file.text()).toBe(LOG)
    },
    TIMEOUT,
  )

  test(
    'a live update keeps the filter; new rows wait behind a bar',
    async () => {
      await using opened = await openConsole(browser, `${base}/events?outcome=failed`)
      const { page } = opened
      await page.locator('[data-status=live]').waitFor()
      const rows = await page.locator('[data-rows] > tr').count()
      site.simulator.setTask(TASK, { outcome: 'success', durationMs: 100 })
      site.simulator.runTask(TASK)
      await until(async () => (await events('outcome=success')).length > 0)
      site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100, log: '20260302T070310.804+0100 Error: second' })
      site.simulator.runTask(TASK)
      await page.getByText('1 new – show').click()
      await page.waitForURL(/outcome=failed/)
      await until(async () => (await page.locator('[data-rows] > tr').count()) === rows + 1)
      expect(await seen(page, '[data-rows]')).not.toContain('succeeded')
      expect(await seen(page, '.chips')).toContain('Outcome: failed')
    },
    TIMEOUT,
  )

  test(
    'messages are sent again from the page, and a test shows its message first',
    async () => {
      const sent = () => sink.requests.filter(({ url }) => url === '/hook').length
      const page = reader(visitorOf(product))
      await page.open(`/console/events/${eventId}`)
      const before = sent()
      await page.follow('Send again…')
      await page.press('Send the messages again')
      expect(page.text('.flash')).toContain('1 message is under way')
      await until(() => sent() === before + 1)
      // A test shows its message first.
      await page.follow('Test…')
      expect(page.text('[data-preview]')).toContain('1 message would be sent')
      expect(sent()).toBe(before + 1)
      await page.press('Send as a test')
      expect(page.url.pathname).toMatch(/\/events\//)
      expect(page.url.pathname).not.toContain(eventId)
      expect(page.text('.flash')).toContain('Test: 1 message is under way')
      await until(() => sent() === before + 2)
      const replays = async () => (await product.call('GET', '/v4/audit?action=event.replay')).text()
      await until(async () => (await replays()).match(/"via":"console"/g)?.length === 1)
    },
    TIMEOUT,
  )

  test(
    'names and messages from outside are shown as text',
    async () => {
      const name = `"><script>alert(1)</script>'\u202e</title><img src=x onerror=alert(2)>`
      const fired = await product.call('POST', '/v4/events/fire', {
        values: {
          taskName: name,
          appName: `App ${'x'.repeat(10_000)}`,
          user: 'javascript:alert(3)',
          hostName: '</script><style>*{display:none}</style>',
          logMessage: '\u001b[31m<b>bold</b>\u001b[0m',
        },
      })
      const { eventId: id } = (await fired.json()) as { eventId: string }
      for (const path of [
        `/events/${id}?now=1`,
        '/events?source=test',
        '/deliveries?kind=test',
        `/form/event.fire?id=${id}`,
      ]) {
        await using opened = await openConsole(browser, base + path)
        const { page, faults } = opened
        expect(await seen(page, 'main')).toContain('"><script>alert(1)</script>')
        expect(await page.locator('main script, main img, main style').count()).toBe(0)
        expect(await page.locator('a[href^="javascript:" i]').count()).toBe(0)
        for (const acting of ['\u202e', '\u001b']) expect(await page.content()).not.toContain(acting)
        expect(await tooWide(page)).toBe(0)
        expect(faults).toEqual([])
      }
    },
    TIMEOUT,
  )

  test(
    'after a route is changed the decision of then stays, and now differs',
    async () => {
      const config = JSON.parse(readFileSync(product.configFile, 'utf8'))
      config.Butler.footman.alertRoutes[1].match.task = ['Financial*']
      config.Butler.footman.alertRoutes[0].enable = false
      writeFileSync(product.configFile, JSON.stringify(config))
      expect((await product.call('POST', '/v4/config/reload')).status).toBe(200)
      const page = reader(visitorOf(product))
      await page.open(`/console/events/${eventId}`)
      expect(page.text('[data-route=etl]')).toContain('Did not match')
      await page.follow('What would happen now?')
      expect(page.url.search).toContain('now=1')
      expect(page.text('[data-route=etl]')).toMatch(/Did not match.*Now: Would be sent, to slow different/)
      expect(page.text('[data-route=all]')).toMatch(/Sent.*Now: Does not match: enable is false different/)
    },
    TIMEOUT,
  )
})
