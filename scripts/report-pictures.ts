/**
 * Writes docs/images/report-*.png: a page of the PDF, the filled workbook and the HTML form of the reports of `footman demo`. Needs
 * `npm run build`, and Chromium, LibreOffice and pdftoppm (poppler) on this computer.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
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
  stdio: 'ignore',
})
try {
  const [task] = await listed<{ id: string; reports: { key: string; reportId: string }[] }>(
    'reporttask?full=1',
    'reportTasks',
  )
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
  for (const name of ['report-pdf', 'report-workbook', 'report-html']) {
    const { size } = statSync(target(name))
    if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, more than ${MAX_BYTES}`)
    console.log(`${target(name)}  ${size} bytes`)
  }
} finally {
  demo.kill('SIGTERM')
  if (demo.exitCode === null) await once(demo, 'close')
  rmSync(directory, { recursive: true, force: true })
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
