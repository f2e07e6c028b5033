/** Pages of the console in Chromium, with everything written down that must not happen. */
import type { Browser, Page } from 'playwright-core'

export interface ConsolePage extends AsyncDisposable {
  readonly page: Page
  /** Messages of the browser, failed requests, and requests to other origins. */
  readonly troubles: readonly string[]
}

export interface OpenOptions {
  readonly width?: number
  readonly javaScript?: boolean
  readonly dark?: boolean
}

/** Opens an address in a browser context of its own. */
export async function openConsole(
  browser: Browser,
  url: string,
  { width = 1440, javaScript = true, dark = false }: OpenOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    javaScriptEnabled: javaScript,
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const troubles: string[] = []
  const { origin } = new URL(url)
  page.on('console', (message) => troubles.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) troubles.push(`asks ${request.url()}`)
  })
  await page.goto(url)
  return { page, troubles, [Symbol.asyncDispose]: () => context.close() }
}

/** Pixels by which a page is wider than the window. */
export const tooWide = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - innerWidth') as Promise<number>

/** Text of a part of the page as it is seen, in lines. */
export const seen = (page: Page, selector: string): Promise<string> =>
  // biome-ignore lint/performance/useDomNodeTextContent: layout makes the lines that tests compare.
  page.locator(selector).innerText()
