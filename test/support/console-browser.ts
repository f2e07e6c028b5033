/** Pages of the console in Chromium: what the browser reports, accessibility and width at each size and theme. */
import { expect } from 'bun:test'
import { get } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { loadAxe, violations } from './accessibility.ts'
import type { Visitor } from './console.ts'
import { type Node, rawText, select, treeOf } from './reader.ts'
import { atMost } from './wait.ts'

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
/** All rules at the width that hides most and at the one that shows most; between them, those about places and sizes. */
const LAYOUT_RULES: readonly string[] = ['target-size', 'scrollable-region-focusable']
/** Rows, entries and lines after fifteen of their kind, for which those before stand when axe looks. */
const MORE = ['tr', 'li', '.line', 'option', 'svg a', 'svg circle'].map((kind) => `${kind}:nth-child(n + 16)`).join()
/** Around the widths at which the layout changes. */
const BETWEEN = [767, 900]
/** A window of 1,280 × 1,024 pixels at 400 % zoom. */
const ZOOMED = { width: 320, height: 256 }
/** Pages that are looked at side by side. */
const TABS = 2

/**
 * Opens each path below `base`: no violation at any width, fault or sideways scrolling, and the text is that of the HTML, which is
 * what a browser without scripts shows. Widths change the layout and themes the colours, so each page is light at one width and
 * dark at another, and the next page the other way round. The frame around the pages is looked at with the first one of a tab at
 * each width, later at one.
 */
export async function looksWell(
  browser: Browser,
  base: string,
  paths: readonly string[],
  options: Pick<OpenOptions, 'as'> = {},
): Promise<void> {
  const found: object[] = []
  async function walk(lane: number): Promise<void> {
    const own = paths.filter((_, n) => n % TABS === lane)
    if (own.length === 0) return
    await using opened = await openConsole(browser, `${base}${own[0]}`, options)
    const { page, faults } = opened
    await loadAxe(page)
    for (const [n, path] of own.entries()) {
      const answer = await page.goto(base + path)
      await page.locator('main h1').waitFor()
      const problems = await sameText(page, (await answer?.text()) ?? '')
      if (!answer || answer.status() >= 500) problems.push(`status ${answer?.status()}`)
      problems.push(...(await problemsOf(page, n)), ...(faults as string[]).splice(0))
      if (problems.length > 0) found.push({ path, problems })
    }
  }
  await Promise.all(Array.from({ length: TABS }, (_, lane) => walk(lane)))
  expect(found).toEqual([])
}

/** Problems of the n-th page of a walk, as it stands in a tab. */
async function problemsOf(page: Page, n: number): Promise<string[]> {
  const problems: string[] = []
  const checkWidth = async (title: string): Promise<void> => {
    const wide = await tooWide(page)
    if (wide > 0) problems.push(`${title}: ${wide} px too wide`)
  }
  for (const width of [...WIDTHS, ...BETWEEN]) {
    await page.setViewportSize({ width, height: 900 })
    await checkWidth(`${width} px`)
  }
  await page.setViewportSize(ZOOMED)
  await checkWidth('400 % zoom')
  await page.evaluate((more) => {
    for (const one of document.querySelectorAll(more)) one.remove()
  }, MORE)
  for (const [at, width] of WIDTHS.entries()) {
    const colorScheme = (n + Math.ceil(at / 2)) % 2 === 0 ? 'light' : 'dark'
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme })
    const part = n === 0 || at === 0 ? 'html' : 'main'
    const rules = n > 0 && width === 768 ? LAYOUT_RULES : undefined
    problems.push(...(await violations(page, { part, rules })).map((text) => `${width} px, ${colorScheme}: ${text}`))
  }
  return problems
}

/** Times on the clock of the browser, and pictures in its width. */
const isOfBrowser = ({ attributes }: Node): boolean => attributes.has('data-here') || attributes.has('data-here-head')

/** Milliseconds in which a page shows what has happened since it was made. */
const FOLLOWED_MS = 5000

/** A problem when scripts have changed what the page says. An attempt that is made meanwhile changes the page, too. */
async function sameText(page: Page, html: string): Promise<string[]> {
  const end = performance.now() + atMost(FOLLOWED_MS)
  let found = await differenceOf(page, html)
  while (found.length > 0 && performance.now() < end)
    found = await differenceOf(page, await (await page.request.get(page.url())).text())
  return found
}

/** The first difference between the texts with and without scripts. Lengths of time go on. */
async function differenceOf(page: Page, html: string): Promise<string[]> {
  const [main] = select(treeOf(html), 'main')
  const letters = (text: string) => text.replaceAll(/\s+/g, '').replaceAll(/\d+(?:ms|s|min|h|d)+ago|justnow/g, '')
  const shown = await page.evaluate(() => {
    const copy = document.querySelector('main')!.cloneNode(true) as Element
    for (const one of copy.querySelectorAll('[data-here], [data-here-head]')) one.remove()
    return copy.textContent ?? ''
  })
  const [plain, scripted] = [letters(main ? rawText(main, isOfBrowser) : ''), letters(shown)]
  if (plain === scripted) return []
  const at = [...plain].findIndex((letter, n) => scripted[n] !== letter)
  return [`without scripts "${plain.slice(at - 20, at + 40)}", with them "${scripted.slice(at - 20, at + 40)}"`]
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
