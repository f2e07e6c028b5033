/** The inbox page of the demo in a browser: what it shows, what it refuses, and how accessible it is. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import type { Browser, Page } from 'playwright-core'
import { createInboxPage, type InboxPage, inboxApp } from '../../../src/cli/demo/inbox.tsx'
import {
  createInbox,
  createMailReceiver,
  createWebhookReceiver,
  type Inbox,
  type ReceivedMail,
} from '../../../src/cli/demo/receivers.ts'
import { startBrowser } from '../../support/browser.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
const mail = (change: Partial<ReceivedMail> = {}): ReceivedMail => ({
  kind: 'mail',
  from: 'Footman demo <footman@acme.example>',
  to: 'ops@acme.example',
  subject: 'Reload failed: Finance',
  attachments: [],
  text: 'Reload failed',
  html: '<!doctype html><html lang="en"><title>Reload failed</title><h1>Reload failed: Finance</h1></html>',
  ...change,
})
const webhook = (body: string) => ({ kind: 'webhook', method: 'POST', path: '/reload-failed', body }) as const

describe('answers', () => {
  const get = async (inbox: Inbox, path: string, headers: Record<string, string> = {}) => {
    const response = await inboxApp(inbox).request(`http://127.0.0.1:4000${path}`, { headers })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  test('an empty inbox', async () => {
    expect((await get(createInbox(), '/')).text).toContain('Nothing received yet')
  })

  test('newest first, and the newest is open', async () => {
    const inbox = createInbox()
    inbox.add(mail({ subject: 'older' }))
    inbox.add(webhook('{"taskName":"Finance","n":1}'))
    const { text } = await get(inbox, '/')
    expect(text.indexOf('POST /reload-failed')).toBeLessThan(text.indexOf('older'))
    expect(text).toMatch(/<pre[^>]*>\{\n {2}&quot;taskName&quot;: &quot;Finance&quot;,/)
    expect((await get(inbox, '/messages/1')).text).toContain(
      '<iframe title="The mail as received" src="/messages/1/mail" sandbox="allow-popups allow-popups-to-escape-sandbox"',
    )
  })

  test('text from outside is escaped, and the HTML of a mail is confined', async () => {
    const inbox = createInbox()
    inbox.add(webhook(HOSTILE))
    inbox.add(mail({ subject: HOSTILE, from: HOSTILE, to: HOSTILE, html: `<p>${HOSTILE}</p>` }))
    for (const path of ['/', '/messages/1']) {
      const { text, headers } = await get(inbox, path)
      expect(text).not.toContain('<script>alert')
      expect(text).not.toContain('<img src=x')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    }
    const raw = await get(inbox, '/messages/2/mail')
    expect(raw.headers.get('content-security-policy')).toMatch(
      /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/,
    )
  })

  test('a mail without HTML is shown as text', async () => {
    const inbox = createInbox()
    inbox.add(mail({ html: '', text: 'Only <text>' }))
    expect((await get(inbox, '/')).text).toContain('Only &lt;text&gt;')
  })

  test('unknown messages are 404, pages of other sites 403; old messages are dropped', async () => {
    const inbox = createInbox()
    for (let n = 0; n < 205; n++) inbox.add(webhook('{}'))
    expect(inbox.messages()).toHaveLength(200)
    expect((await get(inbox, '/messages/1')).status).toBe(404)
    expect((await get(inbox, '/messages/205/mail')).status).toBe(404)
    expect((await get(inbox, '/', { host: 'evil.example', 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  })
})

test('the receivers take mails and webhooks apart', async () => {
  const inbox = createInbox()
  const [mails, hooks] = [createMailReceiver(inbox.add), createWebhookReceiver(inbox.add)]
  await Promise.all([mails.start(), hooks.start()])
  try {
    await createTransport({ host: '127.0.0.1', port: mails.port, ignoreTLS: true }).sendMail({
      from: 'Footman <footman@acme.example>',
      to: ['ops@acme.example', 'bi@acme.example'],
      subject: 'Ünicode – subject',
      text: 'plain text',
      html: '<p>H&auml;llo</p>',
    })
    await fetch(`http://127.0.0.1:${hooks.port}/reload-failed`, { method: 'POST', body: '{"a":1}' })
    expect(inbox.messages()).toMatchObject([
      { id: 2, kind: 'webhook', method: 'POST', path: '/reload-failed', body: '{"a":1}' },
      {
        id: 1,
        from: 'Footman <footman@acme.example>',
        to: 'ops@acme.example, bi@acme.example',
        subject: 'Ünicode – subject',
      },
    ])
    expect(inbox.messages()[1]).toMatchObject({ html: expect.stringContaining('<p>H&auml;llo</p>') })
    expect([mails.received, hooks.received]).toEqual([1, 1])
  } finally {
    await Promise.all([mails.stop(0), hooks.stop(0)])
  }
})

describe('in a browser', () => {
  let browser: Browser
  let inbox: Inbox
  let server: InboxPage

  beforeAll(async () => {
    browser = await startBrowser()
  }, 60_000)
  afterAll(() => browser?.close())
  beforeEach(() => {
    inbox = createInbox()
    server = createInboxPage({ inbox, log: recordingLog() })
  })

  async function open(use: (page: Page) => Promise<void>, colorScheme: 'light' | 'dark' = 'light') {
    await server.start()
    const page = await browser.newPage({ colorScheme })
    const own = `http://127.0.0.1:${server.port}`
    const foreign: string[] = []
    // A request that the policy of the page refuses never leaves the browser.
    page.on('requestfinished', (request) => {
      if (!request.url().startsWith(own)) foreign.push(request.url())
    })
    page.on('requestfailed', (request) => {
      if (!request.url().startsWith(own) && request.failure()?.errorText !== 'csp') foreign.push(request.url())
    })
    try {
      await page.goto(own)
      await use(page)
      expect(foreign).toEqual([])
    } finally {
      await page.close()
      await server.stop(0)
    }
  }

  test('a mail is shown as it looks, its scripts do not run, and nothing is loaded from elsewhere', async () => {
    const html =
      '<h1>Failed</h1><script>parent.name = "hit"; document.title = "hit"</script><img src="http://198.51.100.1/x.png">'
    inbox.add(mail({ html }))
    await open(async (page) => {
      expect(await page.frameLocator('iframe').locator('h1').textContent()).toBe('Failed')
      expect(await page.evaluate(() => `${window.name}${document.title}`)).toBe('Inbox of the Footman demo')
    })
  }, 60_000)

  test('a link of a mail opens in a tab of its own, as a page with all rights', async () => {
    using target = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () =>
        new Response('<title>before</title><script>document.title = "with rights"</script>', {
          headers: { 'content-type': 'text/html', 'x-frame-options': 'DENY' },
        }),
    })
    const link = `<a href="http://127.0.0.1:${target.port}/hub">Reports</a>`
    for (const html of [link, `<!doctype html><html><head><title>Mail</title></head><body>${link}</body></html>`])
      inbox.add(mail({ html }))
    await open(async (page) => {
      for (const path of ['/messages/1', '/messages/2']) {
        await page.goto(`http://127.0.0.1:${server.port}${path}`)
        const opening = page.waitForEvent('popup')
        await page.frameLocator('iframe').getByRole('link', { name: 'Reports' }).click()
        const popup = await opening
        await popup.waitForLoadState()
        expect(await popup.title()).toBe('with rights')
        await popup.close()
      }
    })
  }, 60_000)

  test('the first message opens by itself; later ones join the list and leave the open one alone', async () => {
    await open(async (page) => {
      inbox.add(mail({ subject: 'first' }))
      await page.getByRole('heading', { name: 'first' }).waitFor()
      inbox.add(mail({ subject: 'second' }))
      await until(async () => (await page.locator('#list a').count()) === 2, { timeout: 8000 })
      expect(await page.locator('h2').textContent()).toBe('first')
      expect(await page.locator('#list a[aria-current] .title').textContent()).toBe('first')
      await page.getByRole('link', { name: 'second' }).click()
      await page.getByRole('heading', { name: 'second' }).waitFor()
    })
  }, 60_000)

  const axe = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
  for (const scheme of ['light', 'dark'] as const) {
    test(`axe finds nothing in the ${scheme} scheme`, async () => {
      inbox.add(webhook('{"taskName":"Finance"}'))
      inbox.add(mail())
      await open(async (page) => {
        for (const path of ['/', '/messages/1']) {
          await page.goto(`http://127.0.0.1:${server.port}${path}`)
          // The policy of the page forbids scripts from elsewhere; an evaluated expression is not one.
          await page.evaluate(axe)
          const found = await page.evaluate(async () => {
            const run = (globalThis as unknown as { axe: { run(context: object, options: object): Promise<Found> } })
              .axe.run
            type Found = { violations: { id: string; nodes: { html: string }[] }[] }
            const { violations } = await run(document, { iframes: false })
            return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
          })
          expect(found).toEqual([])
        }
      }, scheme)
    }, 60_000)
  }
})
