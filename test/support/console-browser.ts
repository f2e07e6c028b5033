/** Pages of the console in Chromium: what the browser reports, accessibility and width at each size and theme. */
import { expect } from 'bun:test'
import { get } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { CONTRAST, violations } from './accessibility.ts'
import type { Visitor } from './console.ts'

export interface OpenOptions {
  readonly width?: number
  readonly javaScript?: boolean
  readonly dark?: boolean
  /** Opens the page with the session of this visitor. */
  readonly as?: Visitor
}

export interface ConsolePage extends AsyncDisposable {
  readonly page: Page
  readonly status: number
  /** Messages of the browser, requests without an answer, and requests to other origins. */
  readonly faults: readonly string[]
}

/** Opens an address in a browser context of its own, which ends with the page. */
export async function openConsole(
  browser: Browser,
  url: string,
  { width = 1440, javaScript = true, dark = false, as }: OpenOptions = {},
): Promise<ConsolePage> {
  const page = await browser.newPage({
    viewport: { width, height: 900 },
    javaScriptEnabled: javaScript,
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  })
  const { origin } = new URL(url)
  if (as) {
    const cookies = [...as.cookies].map(([name, value]) => ({ name, value, url: `${origin}/console` }))
    await page.context().addCookies(cookies)
  }
  const faults: string[] = []
  page.on('console', (message) => {
    // The browser reports the status of an error page, which is no fault of the page.
    if (message.location().url !== page.url() || !message.text().startsWith('Failed to load')) {
      faults.push(`console: ${message.text()}`)
    }
  })
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) faults.push(`asks ${request.url()}`)
  })
  page.on('requestfailed', (request) => {
    const { errorText = '' } = request.failure() ?? {}
    // A page that is left ends its requests.
    if (errorText !== 'net::ERR_ABORTED') faults.push(`${request.url()}: ${errorText}`)
  })
  const response = await page.goto(url)
  return { page, status: response?.status() ?? 0, faults, [Symbol.asyncDispose]: () => page.close() }
}

/** Pixels by which a page is wider than the window. */
export const tooWide = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth))

/** Text of a part of the page as it is seen, in lines. */
export const seen = (page: Page, selector: string): Promise<string> =>
  // biome-ignore lint/performance/useDomNodeTextContent: layout makes the lines that tests compare.
  page.locator(selector).innerText()

const WIDTHS = [360, 768, 1440]
/** Around the widths at which the layout changes. */
const BETWEEN = [767, 900]
/** A window of 1,280 × 1,024 pixels at 400 % zoom. */
const ZOOMED = { width: 320, height: 256 }

/** Opens each path below `base`, at each width in both themes, and zoomed: no violation, fault or sideways scrolling. */
export async function looksWell(
  browser: Browser,
  base: string,
  paths: readonly string[],
  options: Pick<OpenOptions, 'as'> = {},
): Promise<void> {
  for (const path of paths) {
    await using opened = await openConsole(browser, base + path, options)
    const { page, faults } = opened
    await page.locator('main h1').waitFor()
    const problems: string[] = []
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme: 'light' })
      problems.push(...(await violations(page)).map((text) => `${width} px: ${text}`))
      await page.emulateMedia({ colorScheme: 'dark' })
      problems.push(...(await violations(page, CONTRAST)).map((text) => `${width} px, dark: ${text}`))
      const wide = await tooWide(page)
      if (wide > 0) problems.push(`${width} px: ${wide} px too wide`)
    }
    for (const width of BETWEEN) {
      await page.setViewportSize({ width, height: 900 })
      const wide = await tooWide(page)
      if (wide > 0) problems.push(`${width} px: ${wide} px too wide`)
    }
    await page.setViewportSize(ZOOMED)
    const wide = await tooWide(page)
    if (wide > 0) problems.push(`400 % zoom: ${wide} px too wide`)
    expect({ path, problems: [...problems, ...faults] }).toEqual({ path, problems: [] })
  }
}

/** Bytes of an answer as they are transferred, with gzip. */
function transferred(url: string): Promise<{ readonly bytes: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { 'accept-encoding': 'gzip', accept: 'text/html' } }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const all = Buffer.concat(parts)
        const text =
          answer.headers['content-encoding'] === 'gzip' ? new TextDecoder().decode(Bun.gunzipSync(all)) : all.toString()
        resolve({ bytes: all.length, text })
      })
    })
    request.on('error', reject)
  })
}

/** Bytes of a page with a cold cache: the page, its styles, scripts and icons. */
export async function coldBytes(
  origin: string,
  path: string,
): Promise<{ readonly html: number; readonly all: number }> {
  const { bytes, text } = await transferred(origin + path)
  const assets = new Set(
    [...text.matchAll(/(?:src|href|data-worker)="([^"#]*\/assets\/[^"#]*)/g)].map(([, one]) => one!),
  )
  const sizes = await Promise.all([...assets].map(async (asset) => (await transferred(origin + asset)).bytes))
  return { html: bytes, all: bytes + sizes.reduce((sum, size) => sum + size, 0) }
}
