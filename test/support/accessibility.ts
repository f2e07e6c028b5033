/** Rules of accessibility for a page in Chromium. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** Has axe in each page that is opened from now on, which costs less than to send it to each. */
export const loadAxe = (page: Page): Promise<unknown> => page.addInitScript({ content: axe.source })

/**
 * Violations of WCAG 2.2 A and AA, in a part of the page or in all of it. Pages may forbid scripts, so axe is run by the
 * debugger.
 */
export async function violations(
  page: Page,
  { part = 'html', rules = RULES }: { readonly part?: string; readonly rules?: readonly string[] | undefined } = {},
): Promise<string[]> {
  const isLoaded = await page.evaluate(() => 'axe' in globalThis)
  if (!isLoaded) await page.evaluate(axe.source)
  const result = await page.evaluate(
    ([only, within]) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run(document.querySelector(within)!, {
        runOnly: [...only],
        resultTypes: ['violations'],
        // Previews of mails and reports are in frames that forbid scripts.
        iframes: false,
      }),
    [[...rules], part] as const,
  )
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
}
