/** Writes docs/images/console-*.png: the page Now of `footman demo`. Needs `npm run build`, and Chromium. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { startBrowser } from '../test/support/browser.ts'
import { freeTcpPort } from '../test/support/ports.ts'
import { until } from '../test/support/wait.ts'

const ROOT = join(import.meta.dirname, '..')
const SECONDS = 120
const MAX_BYTES = 250_000
const WAIT = { timeout: SECONDS * 1000 }

const PICTURES = [
  { name: 'now-1440-light', width: 1440, height: 1000, colorScheme: 'light' },
  { name: 'now-1440-dark', width: 1440, height: 1000, colorScheme: 'dark' },
  { name: 'now-360-light', width: 360, height: 1600, colorScheme: 'light' },
] as const

const port = await freeTcpPort()
const site = `http://127.0.0.1:${port}`
const demo = spawn(join(ROOT, 'dist', 'footman'), ['demo', '--port', String(port), '--duration', String(SECONDS)], {
  stdio: 'ignore',
})
try {
  await until(async () => (await kinds()).includes('neverStarted'), WAIT)
  await using browser = await startBrowser()
  const page = await browser.newPage()
  for (const { name, width, height, colorScheme } of PICTURES) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    await page.goto(`${site}/console/`)
    await write(page, name)
  }
} finally {
  demo.kill('SIGTERM')
  if (demo.exitCode === null) await once(demo, 'close')
}

/** Kinds of the open items of the attention list; none while the demo starts. */
async function kinds(): Promise<string[]> {
  const answer = await fetch(`${site}/v4/attention`).catch(() => null)
  if (!answer?.ok) return []
  return ((await answer.json()) as { items: { kind: string }[] }).items.map(({ kind }) => kind)
}

async function write(page: Page, name: string): Promise<void> {
  const path = join(ROOT, 'docs', 'images', `console-${name}.png`)
  await page.screenshot({ path })
  const { size } = statSync(path)
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, more than ${MAX_BYTES}`)
  console.log(`${path}  ${size} bytes`)
}
