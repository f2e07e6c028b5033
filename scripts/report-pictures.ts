/**
 * Writes docs/images/report-*.png: a page of the PDF, the filled workbook and the HTML form of the reports of `footman demo`, and
 * its hub. Needs `npm run build`, and Chromium, LibreOffice and pdftoppm (poppler) on this computer.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { HEAD_OFFICE } from '../src/cli/demo/reports.ts'
import { startBrowser } from '../test/support/browser.ts'
import { freeTcpPort } from '../test/support/ports.ts'

const ROOT = join(import.meta.dirname, '..')
const IMAGES = join(ROOT, 'docs', 'images')
const SECONDS = 60
const MAX_BYTES = 150_000
const TOOL_TIMEOUT_MS = 60_000

const directory = mkdtempSync(join(tmpdir(), 'report-pictures-'))
const port = await freeTcpPort()
const demo = spawn(join(ROOT, 'dist', 'footman'), ['demo', '--port', String(port), '--duration', String(SECONDS)], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
let output = ''
demo.stdout.setEncoding('utf8').on('data', (text: string) => {
  output += text
})
try {
  const tasks = await listed<{ id: string; name: string; reports: { key: string; reportId: string }[] }>(
    'reporttask?full=1',
    'reportTasks',
  )
  const task = tasks.find(({ name }) => name === 'Weekly sales pack')
  const first = await finishedRun(task!.id)
  const pack = await document(first, 'Sales pack_Nordic.pdf')
  const book = await document(first, '.xlsx')
  const html = await document(await finishedRun(await htmlTask(task!.reports[0]!.reportId)), '.html')
  pageOf(pack, 'report-pdf', 70)
  execFileSync('soffice', ['--headless', '--convert-to', 'pdf', '--outdir', directory, book], {
    timeout: TOOL_TIMEOUT_MS,
  })
  pageOf(book.replace(/xlsx$/, 'pdf'), 'report-workbook', 80)
  await using browser = await startBrowser()
  const page = await browser.newPage({ viewport: { width: 900, height: 900 } })
  await page.goto(`file://${html}`)
  await page.screenshot({ path: target('report-html') })
  const hub = await hubPictures(browser)
  for (const name of ['report-pdf', 'report-workbook', 'report-html', ...hub]) {
    const { size } = statSync(target(name))
    if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, more than ${MAX_BYTES}`)
    console.log(`${target(name)}  ${size} bytes`)
  }
} finally {
  demo.kill('SIGTERM')
  if (demo.exitCode === null) await once(demo, 'close')
  rmSync(directory, { recursive: true, force: true })
}

/** The list of reports on a phone and on a wide screen, light and dark. */
async function hubPictures(browser: Browser): Promise<string[]> {
  const place = (label: string) => new RegExp(`${label} +(http:\\S+)`).exec(output)![1]!
  const [inbox, hub] = [place('Inbox'), place('Report hub')]
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(hub)
  await page.getByLabel('E-mail address').fill(HEAD_OFFICE)
  await page.getByRole('button', { name: 'Send the link' }).click()
  await page.goto(inbox)
  await page.getByRole('link', { name: 'Sign in to your reports' }).click()
  const opening = page.waitForEvent('popup')
  await page.frameLocator('iframe').getByRole('link').click()
  const tab = await opening
  await tab.getByRole('button', { name: 'Sign in' }).click()
  const names: string[] = []
  for (const width of [360, 1440])
    for (const colorScheme of ['light', 'dark'] as const) {
      await tab.setViewportSize({ width, height: 400 })
      await tab.emulateMedia({ colorScheme })
      await tab.goto(hub)
      const name = `report-hub-${width}-${colorScheme}`
      await tab.screenshot({ path: target(name), fullPage: true })
      names.push(name)
    }
  await context.close()
  return names
}

function target(name: string): string {
  return join(IMAGES, `${name}.png`)
}

function pageOf(pdf: string, name: string, resolution: number): void {
  const options = ['-png', '-r', String(resolution), '-f', '1', '-l', '1', '-singlefile']
  execFileSync('pdftoppm', [...options, pdf, target(name).replace(/\.png$/, '')], { timeout: TOOL_TIMEOUT_MS })
}

async function call(path: string, body?: unknown): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${port}/v4/${path}`, {
    ...(body !== undefined && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`)
  return answer
}

/** The members of a list, once there are some. */
async function listed<T>(path: string, member: string): Promise<readonly T[]> {
  for (let attempt = 0; attempt < SECONDS; attempt++) {
    const answer = await call(path).catch(() => null)
    const found = answer ? ((await answer.json()) as Record<string, T[]>)[member] : undefined
    if (found && found.length > 0) return found
    await delay(500)
  }
  throw new Error(`${path} lists nothing`)
}

async function finishedRun(taskId: string): Promise<string> {
  for (;;) {
    const [run] = await listed<{ id: string; state: string; outcome: string }>(`reporttask/${taskId}/runs`, 'runs')
    if (run!.state === 'finished' && run!.outcome === 'success') return run!.id
    if (run!.state === 'finished') throw new Error(`the run ended with ${run!.outcome}`)
    await delay(200)
  }
}

async function document(runId: string, nameEnd: string): Promise<string> {
  const documents = await listed<{ id: string; fileName: string }>(`reportrun/${runId}/documents`, 'documents')
  const found = documents.find(({ fileName }) => fileName.endsWith(nameEnd))
  if (!found) throw new Error(`no ${nameEnd} in ${documents.map(({ fileName }) => fileName).join(', ')}`)
  const path = join(directory, `document${nameEnd.slice(nameEnd.lastIndexOf('.'))}`)
  writeFileSync(path, new Uint8Array(await (await call(`reportrun/${runId}/documents/${found.id}`)).arrayBuffer()))
  return path
}

/** Makes and starts a task that writes the report as HTML. */
async function htmlTask(reportId: string): Promise<string> {
  const reports = [
    { key: 'page', reportId, format: 'html', fileName: '{report}{cycle}', cycle: { fields: ['Region'] } },
  ]
  const definition = { project: 'Sales', name: 'Page', reports, storage: [{ spaceId: 'head-office' }] }
  const { id } = (await (await call('reporttask', definition)).json()) as { id: string }
  await call('reporttask/start', { taskId: [id], force: true })
  return id
}
