/** Rules of accessibility for a page in Chromium. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** The only rule that another theme can break. */
export const CONTRAST = ['color-contrast']

/** Violations of WCAG 2.2 A and AA. Pages may forbid scripts, so axe is run by the debugger. */
export async function violations(page: Page, runOnly: readonly string[] = RULES): Promise<string[]> {
  const isLoaded = await page.evaluate(() => 'axe' in globalThis)
  if (!isLoaded) await page.evaluate(axe.source)
  const result = await page.evaluate(
    (only) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
        runOnly: only,
        resultTypes: ['violations'],
        // Previews of mails and reports are in frames that forbid scripts.
        iframes: false,
      }),
    [...runOnly],
  )
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
}
