/**
 * Looks at the built-in mails with Chromium. `bun scripts/mail-pictures.ts --all DIRECTORY` renders every kind of mail
 * at four widths in light and dark; without arguments the pictures of the user guide, docs/images/mail-*.png, are made.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { mailView } from '../src/alerts/destinations/email/view.ts'
import { templateContext } from '../src/alerts/template-context.ts'
import { createTemplateEngine } from '../src/alerts/templates/engine.ts'
import { createTimeFormatter } from '../src/alerts/times.ts'
import { startBrowser } from '../test/support/browser.ts'
import { MAIL_SAMPLES, type MailSample } from '../test/support/mail-samples.ts'

const WIDTHS = [320, 480, 700, 900]
const SCHEMES = ['light', 'dark'] as const
/** Name of the sample, width of the window, colour scheme. */
const GUIDE = [
  ['reload-failed', 760, 'light'],
  ['reload-failed', 360, 'dark'],
  ['service-stopped', 760, 'light'],
  ['reload-recovered', 760, 'light'],
] as const
const MAX_BYTES = 150_000
const MAX_HEIGHT = 1150

const { values: options } = parseArgs({ options: { all: { type: 'string' }, only: { type: 'string' } } })
const engine = createTemplateEngine({ candidates: () => [] })
const times = createTimeFormatter({ timeZone: 'Europe/Stockholm', locale: 'en-US' })

await using browser = await startBrowser()
if (options.all) await everything(browser, options.all)
else await guide(browser)

async function everything(browser: Browser, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  for (const [name, sample] of Object.entries(MAIL_SAMPLES)) {
    if (options.only && !options.only.split(',').includes(name)) continue
    const { html, text } = render(sample)
    writeFileSync(join(directory, `${name}.html`), html)
    writeFileSync(join(directory, `${name}.txt`), text)
    for (const scheme of SCHEMES) {
      for (const width of WIDTHS)
        await picture(browser, html, join(directory, `${name}-${width}-${scheme}.png`), width, scheme)
    }
  }
}

async function guide(browser: Browser): Promise<void> {
  const directory = join(import.meta.dirname, '..', 'docs', 'images')
  for (const [name, width, scheme] of GUIDE) {
    const file = join(directory, `mail-${name}-${width}-${scheme}.png`)
    await picture(browser, render(MAIL_SAMPLES[name]).html, file, width, scheme, MAX_HEIGHT)
    const { size } = statSync(file)
    if (size > MAX_BYTES) throw new Error(`${file} has ${size} bytes, more than ${MAX_BYTES}`)
    console.log(`${file}  ${size} bytes`)
  }
}

function render({ event, delivery, links }: MailSample): { html: string; text: string } {
  const context = { ...links, version: '1.0.0', times, now: event.receivedAt + 2000 }
  const record = templateContext(event, context, { headLines: 8, tailLines: 8 }, 'collapsed', delivery)
  const variables = { ...record, view: mailView(record) }
  return {
    html: engine.render({ kind: 'builtin', name: 'email/alert' }, variables, 'html'),
    text: engine.render({ kind: 'builtin', name: 'email/alert.txt' }, variables, 'text'),
  }
}

async function picture(
  browser: Browser,
  html: string,
  path: string,
  width: number,
  colorScheme: (typeof SCHEMES)[number],
  maxHeight = 16_000,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height: 500 }, colorScheme })
  try {
    await page.setContent(html)
    const { scroll, height } = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      height: document.documentElement.scrollHeight,
    }))
    if (scroll > width) console.log(`${path}: ${scroll - width} px wider than the window`)
    await page.screenshot({ path, clip: { x: 0, y: 0, width, height: Math.min(height, maxHeight) }, fullPage: true })
  } finally {
    await page.close()
  }
}
