/** Writes docs/images/console-*: pages of `footman demo`. Needs `npm run build`, and Chromium. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { startBrowser } from '../test/support/browser.ts'
import { footman } from '../test/support/footman.ts'
import { freeTcpPort } from '../test/support/ports.ts'
import { until } from '../test/support/wait.ts'

const ROOT = join(import.meta.dirname, '..')
const SECONDS = 300
/** Forms and lists need less than charts. */
const LARGE = { quality: 80, maxBytes: 250_000 }
const SMALL = { quality: 70, maxBytes: 80_000 }
const WAIT = { timeout: SECONDS * 1000 }

/** WebP is a third of the size of PNG; the file that README.md shows stays PNG, which every reader of packages has. */
const NOW = [
  { name: 'now-1440-light.png', width: 1440, height: 1000, colorScheme: 'light' },
  { name: 'now-1440-dark.png', width: 1440, height: 1000, colorScheme: 'dark' },
  { name: 'now-360-light.png', width: 360, height: 1600, colorScheme: 'light' },
] as const
const WIDE = { width: 1440, height: 1000, colorScheme: 'light' } as const

/** The holidays of Sweden. */
const HOLIDAYS = {
  dates: ['01-01', '01-06', '03-26', '03-28', '03-29', '05-01', '05-06', '06-06', '06-25', '06-26', '11-06']
    .concat('12-24', '12-25', '12-26', '12-31')
    .map((day) => `2027-${day}`),
}
const RULE = { match: { outcome: ['failed', 'aborted'], stream: 'Finance' }, to: ['bi-team-chat'] }

const port = await freeTcpPort()
const site = `http://127.0.0.1:${port}`
const demo = spawn(join(ROOT, 'dist', 'footman'), ['demo', '--port', String(port), '--duration', String(SECONDS)], {
  stdio: 'ignore',
})
try {
  const items = await until(async () => {
    const found = await attention()
    return ['neverStarted', 'overUsual'].every((kind) => found.some((item) => item.kind === kind)) &&
      found.some(isFailed)
      ? found
      : null
  }, WAIT)
  await using browser = await startBrowser()
  const page = await browser.newPage()
  const failed = items.find(isFailed)
  const slow = items.find(({ kind }) => kind === 'overUsual')
  const pictures = [
    ...NOW.map((picture) => ({ ...picture, path: '' })),
    { ...WIDE, name: 'event-1440-light.webp', path: `events/${failed?.eventId}` },
    { ...WIDE, name: 'task-1440-light.webp', path: `tasks/${slow?.task?.taskId}` },
    { ...WIDE, name: 'calendar-1440-light.webp', path: 'schedules/calendar' },
    {
      ...WIDE,
      name: 'event-360-dark.webp',
      path: `events/${failed?.eventId}`,
      width: 360,
      colorScheme: 'dark' as const,
    },
  ]
  for (const { name, path, width, height, colorScheme } of pictures) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    await page.goto(`${site}/console/${path}`)
    await write(page, name)
  }
  await settingPictures(page)
} finally {
  demo.kill('SIGTERM')
  if (demo.exitCode === null) await once(demo, 'close')
}

/** Pages of docs/first-hour.md. */
async function settingPictures(page: Page): Promise<void> {
  await put(site, 'calendar/holidays-se', HOLIDAYS)
  await page.setViewportSize(WIDE)
  await page.emulateMedia({ colorScheme: 'light' })
  const open = (path: string, query: Readonly<Record<string, string>> = {}, of = site) =>
    page.goto(`${of}/console/${path}?${new URLSearchParams(query)}`)

  await open('delivery/destinations/new')
  await write(page, 'destinations-1440-light.webp', SMALL)
  await open('schedules/calendars', { calendar: 'holidays-se', year: '2027' })
  await page.evaluate('scrollTo(0, 165)')
  await write(page, 'holidays-1440-light.webp', SMALL)
  await open('system/settings/edit', { kind: 'rule', wanted: 'finance-on-call', value: JSON.stringify(RULE) })
  await page.getByRole('button', { name: 'Which events would it have matched?' }).click()
  await page.locator('[data-part="tested"]').waitFor()
  await page.evaluate('scrollTo(0, 0)')
  await write(page, 'rule-1440-light.webp', SMALL)

  // The demo has its features in its file, where they are read-only: a site that has just been installed has not.
  await using installed = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: { emailNotification: null },
  })
  await installed.start()
  const fresh = `http://127.0.0.1:${installed.restPort}`
  await put(fresh, 'switch/footman.timezone', 'Europe/Stockholm')
  await open('system/features', {}, fresh)
  await write(page, 'features-1440-light.webp', SMALL)
}

async function put(of: string, path: string, value: unknown): Promise<void> {
  const answer = await fetch(`${of}/v4/settings/${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}

interface Item {
  readonly kind: string
  readonly eventId: string | null
  readonly task: { readonly taskId: string } | null
}

/** A task that failed while the demo ran, so that it has an event. */
function isFailed({ kind, eventId }: Item): boolean {
  return kind === 'taskFailed' && eventId !== null
}

/** The open items of the attention list; none while the demo starts. */
async function attention(): Promise<readonly Item[]> {
  const answer = await fetch(`${site}/v4/attention`).catch(() => null)
  if (!answer?.ok) return []
  return ((await answer.json()) as { items: readonly Item[] }).items
}

async function write(page: Page, name: string, { quality, maxBytes } = LARGE): Promise<void> {
  const path = join(ROOT, 'docs', 'images', `console-${name}`)
  if (name.endsWith('.webp')) {
    const session = await page.context().newCDPSession(page)
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality })
    writeFileSync(path, Buffer.from(data, 'base64'))
  } else await page.screenshot({ path })
  const { size } = statSync(path)
  if (size > maxBytes) throw new Error(`${name} has ${size} bytes, more than ${maxBytes}`)
  console.log(`${path}  ${size} bytes`)
}
