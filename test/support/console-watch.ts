/** Pages of the console in Chromium: faults that the browser reports, accessibility and width at each size and theme. */
import { expect } from 'bun:test'
import { get } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { violations } from './accessibility.ts'

const WIDTHS = [360, 768, 1440]
const THEMES = ['light', 'dark'] as const

export interface WatchedPage {
  readonly page: Page
  /** Messages of the console, failed requests, and requests to another origin. */
  readonly faults: readonly string[]
}

export async function watchedPage(
  browser: Browser,
  origin: string,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 960 }, ...options })
  const faults: string[] = []
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`request to ${url}`)
  })
  return { page, faults }
}

/** Opens the address at each width in both themes: no violation, no fault, no sideways scrolling. */
export async function looksWell(browser: Browser, origin: string, path: string): Promise<void> {
  for (const colorScheme of THEMES) {
    const { page, faults } = await watchedPage(browser, origin, { colorScheme })
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      await page.goto(origin + path)
      await page.locator('#main h1').waitFor()
      const label = `${path} ${width} ${colorScheme}`
      expect({ label, violations: await violations(page) }).toEqual({ label, violations: [] })
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect({ label, overflow }).toEqual({ label, overflow: 0 })
    }
    expect({ path, faults }).toEqual({ path, faults: [] })
    await page.close()
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
