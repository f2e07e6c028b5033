/** The documentation page of the executable, in a browser. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { runToEnd } from '../support/binary.ts'
import { startBrowser } from '../support/browser.ts'
import { type Footman, footman } from '../support/footman.ts'
import { needs } from '../support/servers.ts'

needs('chromium')

const ENDPOINTS = { butlerping: true, senseStartTask: true, base62ToBase16: true, keyValueStore: false }

let product: Footman
beforeAll(async () => {
  product = await footman({
    simulator: null,
    config: { restServerEndpointsEnable: ENDPOINTS },
    args: ['--no-qs-connection'],
  })
  await product.start()
}, 90_000)
afterAll(() => product?.[Symbol.asyncDispose]())

describe('the files of the page', () => {
  test.each(['/documentation', '/documentation/'])('%s is a page that loads nothing from elsewhere', async (path) => {
    const answer = await product.call('GET', path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    const html = await answer.text()
    expect(html).not.toMatch(/https?:/)
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!)
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) {
      const file = await fetch(new URL(link, `http://127.0.0.1:${product.restPort}${path}`))
      expect([link, file.status]).toEqual([link, 200])
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(100)
    }
  })

  test.each([
    ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
    ['swagger-ui.css', 'text/css; charset=utf-8'],
    ['index.css', 'text/css; charset=utf-8'],
    ['swagger-initializer.js', 'text/javascript; charset=utf-8'],
    ['logo.svg', 'image/svg+xml'],
    ['swagger-ui.license.txt', 'text/plain; charset=utf-8'],
  ])('%s is %s', async (file, type) => {
    const answer = await product.call('GET', `/documentation/static/${file}`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    await answer.arrayBuffer()
  })

  test('other files are not there, the index leads to the page', async () => {
    for (const file of ['nope.js', '..%2f..%2fbutler.yaml', 'constructor', '__proto__']) {
      const answer = await product.call('GET', `/documentation/static/${file}`)
      expect([answer.status, await answer.json()]).toEqual([
        404,
        { message: `Route GET:/documentation/static/${file} not found`, error: 'Not Found', statusCode: 404 },
      ])
    }
    const index = await fetch(`http://127.0.0.1:${product.restPort}/documentation/static/index.html`, {
      redirect: 'manual',
    })
    expect([index.status, index.headers.get('location')]).toEqual([302, '/documentation/'])
    expect((await product.call('GET', '/')).status).toBe(404)
  })
})

describe('the page in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 90_000)
  afterAll(() => browser?.close())

  /** Opens the page and collects what it asks for and complains about. */
  async function open(url: string): Promise<{ page: Page; hosts: Set<string>; complaints: string[] }> {
    const page = await browser.newPage()
    const hosts = new Set<string>()
    const complaints: string[] = []
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url())
      if (protocol !== 'data:') hosts.add(host)
    })
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    await page.waitForSelector('.opblock')
    return { page, hosts, complaints }
  }

  test.each(['/documentation', '/documentation/'])(
    '%s lists the enabled operations and asks no other host',
    async (path) => {
      const host = `127.0.0.1:${product.restPort}`
      const { page, hosts, complaints } = await open(`http://${host}${path}`)
      const listed = await page.$$eval('.opblock-summary-path', (nodes) =>
        nodes.map((node) => (node.getAttribute('data-path') ?? '').replaceAll('\u200b', '')),
      )
      expect(listed).toContain('/v4/butlerping')
      expect(listed.filter((one) => one === '/v4/reloadtask/{taskId}/start')).toHaveLength(1)
      expect(listed.filter((one) => one.includes('keyvalues'))).toEqual([])
      expect([...hosts]).toEqual([host])
      expect(complaints).toEqual([])
      await page.close()
    },
    30_000,
  )

  test('"Try it out" calls the server under the name by which the page was opened', async () => {
    const host = `localhost:${product.restPort}`
    const { page, hosts, complaints } = await open(`http://${host}/documentation`)
    const ping = page.locator('.opblock', { has: page.locator('[data-path="/v4/butlerping"]') })
    await ping.locator('.opblock-summary').click()
    await ping.locator('.try-out__btn').click()
    await ping.locator('.execute').click()
    const answer = ping.locator('.live-responses-table .response').first()
    await answer.waitFor()
    expect(await answer.locator('.response-col_status').textContent()).toContain('200')
    expect(await answer.textContent()).toContain('Butler reporting for duty')
    expect([...hosts]).toEqual([host])
    expect(complaints).toEqual([])
    await page.close()
  }, 90_000)

  test('the groups are those of the features, with the names of Footman', async () => {
    const { page } = await open(`http://127.0.0.1:${product.restPort}/documentation`)
    const groups = await page.$$eval('.opblock-tag', (nodes) => nodes.map((node) => node.getAttribute('data-tag')))
    expect(groups.slice(0, 2)).toEqual(['General', 'Tasks'])
    expect(await page.title()).toBe('Footman API')
    expect(await page.locator('.info .title').textContent()).toContain('Footman API')
    expect(await page.locator('.btn.authorize').count()).toBe(0)
    await page.close()
  }, 90_000)

  test('"Authorize" takes a key, which "Try it out" sends', async () => {
    const { stdout } = await runToEnd(['key', 'create', '--id', 'page', '--scope', 'event:read', '--json'])
    const { key, hash } = JSON.parse(stdout) as { key: string; hash: string }
    await using closed = await footman({
      simulator: null,
      config: {
        restServerEndpointsEnable: ENDPOINTS,
        footman: { access: { enable: true, keys: [{ id: 'page', hash, scopes: ['event:read'] }] } },
      },
      args: ['--no-qs-connection'],
    })
    await closed.start()
    const { page } = await open(`http://127.0.0.1:${closed.restPort}/documentation`)
    const snoozes = page.locator('.opblock-get', { has: page.locator('[data-path="/v4/snoozes"]') })
    await snoozes.locator('.opblock-summary').click()
    await snoozes.locator('.try-out__btn').click()
    const execute = async (expected: string) => {
      const sent = page.waitForRequest((request) => request.url().includes('/v4/snoozes'))
      await snoozes.locator('.execute').click()
      const { 'x-api-key': presented = null } = (await sent).headers()
      await snoozes.locator('.live-responses-table .response-col_status', { hasText: expected }).first().waitFor()
      return presented
    }
    expect(await execute('401')).toBeNull()

    await page.locator('.btn.authorize').click()
    const field = page.locator('.auth-container', { hasText: 'apiKey' })
    await field.locator('input').fill(key)
    await field.locator('button.authorize').click()
    await page.locator('.btn-done').first().click()
    expect(await execute('200')).toBe(key)
    await page.close()
  }, 60_000)
})
