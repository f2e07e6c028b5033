/** The pages of events in Chromium, against the compiled executable and a simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { looksWell, openConsole, seen, tooWide } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
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
    'an event says what happened, who was alerted and why; with and without JavaScript',
    async () => {
      const facts: string[] = []
      for (const javaScript of [true, false]) {
        await using opened = await openConsole(browser, `${base}/events/${eventId}`, { javaScript })
        const { page, faults } = opened
        expect(await seen(page, 'h1')).toBe('Reload failed: Financial Dashboard Reload')
        expect(await seen(page, '.panel .error')).toContain("Cannot open file: 'lib://QVD/sales.qvd'")
        expect(await seen(page, '.deliveries')).toMatch(/hook[\s\S]*Delivered[\s\S]*HTTP 200/)
        expect(await seen(page, '[data-route=all]')).toMatch(/all\s+to hook\s+Sent/)
        expect(await seen(page, '[data-route=etl]')).toMatch(/Did not match[\s\S]*task ETL\*: found Financial/)
        expect(await seen(page, '[aria-labelledby=execution]')).toMatch(/Triggered[\s\S]*Failed after/)
        expect(await seen(page, '[aria-labelledby=task]')).toContain('Sales Dashboard')
        facts.push(await seen(page, '.two'))
        expect(faults).toEqual([])
      }
      expect(facts[1]).toBe(facts[0]!)
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
    'pages fit phones and screens, without violations of WCAG',
    async () => {
      const [newest] = await events('outcome=failed')
      const paths = [
        `/events/${newest?.id}?now=1&variable=task`,
        '/events?outcome=failed',
        '/events/dropped',
        '/system/routes',
      ]
      await looksWell(browser, base, paths)
    },
    TIMEOUT,
  )

  test(
    'messages are sent again from the page and without JavaScript, and a test shows its message first',
    async () => {
      const sent = () => sink.requests.filter(({ url }) => url === '/hook').length
      for (const javaScript of [true, false]) {
        await using opened = await openConsole(browser, `${base}/events/${eventId}`, { javaScript })
        const { page } = opened
        const before = sent()
        await page.getByRole('link', { name: 'Send again…' }).click()
        await page.getByRole('button', { name: 'Send the messages again' }).click()
        expect(await seen(page, '.flash')).toContain('1 message is under way')
        await until(() => sent() === before + 1)
        // A test shows its message first.
        await page.getByRole('link', { name: 'Test…' }).click()
        expect(await seen(page, '[data-preview]')).toContain('1 message would be sent')
        expect(sent()).toBe(before + 1)
        await page.getByRole('button', { name: 'Send as a test' }).click()
        await page.waitForURL((url) => !url.pathname.includes(eventId) && url.pathname.includes('/events/'))
        expect(await seen(page, '.flash')).toContain('Test: 1 message is under way')
        await until(() => sent() === before + 2)
      }
      const audit = await (await product.call('GET', '/v4/audit?action=event.replay')).text()
      expect(audit.match(/"via":"console"/g)).toHaveLength(2)
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
      await using opened = await openConsole(browser, `${base}/events/${eventId}`)
      const { page } = opened
      expect(await seen(page, '[data-route=etl]')).toContain('Did not match')
      await page.getByRole('link', { name: 'What would happen now?' }).click()
      await page.waitForURL(/now=1/)
      expect(await seen(page, '[data-route=etl]')).toMatch(
        /Did not match[\s\S]*Now: Would be sent, to slow\s+different/,
      )
      expect(await seen(page, '[data-route=all]')).toMatch(
        /Sent[\s\S]*Now: Does not match: enable is false\s+different/,
      )
    },
    TIMEOUT,
  )
})
