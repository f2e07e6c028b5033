/** `GET /metrics` of a site with 2,000 tasks. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Measurement, quantile } from './report.ts'
import { startTarget, type TargetSettings } from './target.ts'

const TASKS = 2000
const SCRAPES = 40
const MAX_MS = 100

export async function measureScrape(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'scrape')
  mkdirSync(directory, { recursive: true })
  const target = await startTarget({ ...settings, directory })
  await using _ = target.running
  addTasks(join(directory, 'data', 'footman.db'))
  const times: number[] = []
  let text = ''
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const started = performance.now()
    text = await (await fetch(`http://127.0.0.1:${target.restPort}/metrics`)).text()
    times.push(performance.now() - started)
  }
  const series = text.match(/^footman_task_last_run_success\{/gm)?.length ?? 0
  if (series < TASKS) throw new Error(`the scrape shows ${series} of ${TASKS} tasks`)
  const [middle, late, slowest] = [quantile(times, 0.5), quantile(times, 0.95), Math.max(...times)]
  const note = `${Math.round(text.length / 1000)} kB; 95 % within ${late.toFixed(0)} ms, the slowest ${slowest.toFixed(0)} ms`
  return [{ name: `scrape of ${TASKS} tasks`, value: middle, unit: 'ms', atMost: MAX_MS, note }]
}

/** Into the database of the running process, which reads them at the next scrape. */
function addTasks(file: string): void {
  const db = new DatabaseSync(file, { timeout: 10_000 })
  try {
    db.exec('BEGIN IMMEDIATE')
    const insert = db.prepare(
      `INSERT INTO task_state (task_id, task_name, last_outcome, last_stopped_at, last_run_ms, last_success_at, consecutive_failures)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    for (let n = 0; n < TASKS; n++) {
      const id = `70000000-0000-4000-9000-${String(n).padStart(12, '0')}`
      const failures = n % 10 === 0 ? 2 : 0
      const at = Date.now() - n * 1000
      insert.run(id, `Reload of department ${n}`, failures ? 'failed' : 'success', at, 1000 + n, at, failures)
    }
    db.exec('COMMIT')
  } finally {
    db.close()
  }
}
